"""Files of deliveries: what they mean, and in which line one is wrong."""

import pytest

from herobase_pipeline.delivering.declarations import Delivery, DeliveryError, delivery, read_deliveries
from herobase_pipeline.settings import SANDBOX_DELIVERIES
from herobase_pipeline.tables import LEADS

HEAD = 'destination = "hero"\ndeliver_from = 2026-11-01\n'
MAIL = '[[field_mappings]]\nfield_name = "customer.email"\nlead_field = "Email"\n'
FILE, HERON = HEAD.replace("hero", "file"), HEAD.replace("hero", "heron")
CRM = f'{HERON}heron_id = "crm_1"\n'
NAME = MAIL.replace("customer.email", "end_user.name")
HEROBASE = HEAD.replace("hero", "herobase") + '[[field_mappings]]\nfield_name = "CampaignCode"\nstatic_value = "A"\n'


def read(text: str) -> Delivery:
    return delivery("hero", text.encode(), "deliveries/hero.toml", LEADS.names)


def test_a_file_is_dry_and_sends_successes_unless_it_says_otherwise():
    found = read(HEAD + MAIL)
    assert (found.is_enabled, found.is_live) == (True, False)
    assert (found.closures, found.statuses, found.campaigns) == (("Success",), (), ("*",))
    assert (found.settle_minutes, found.max_per_run, found.stop_after_failures) == (30, 100, 5)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f"{HEAD}closures = ['Sucess']\n{MAIL}", 3, "closures must be of"),
        (f'{HEAD}statuses = ["Closed"]\n{MAIL}', 3, "statuses must be of"),
        (f"{HEAD}settle_minutes = -1\n{MAIL}", 3, "settle_minutes must be"),
        (f'{HEAD}is_live = "yes"\n{MAIL}', 3, "is_live must be"),
        (f"{HEAD}livee = true\n{MAIL}", 3, "livee is nothing that this version knows"),
        (f'destination = "heroo"\ndeliver_from = 2026-11-01\n{MAIL}', 1, "destination must be"),
        (f'destination = "hero"\ndeliver_from = "2026-11-01"\n{MAIL}', 2, "deliver_from must be a date such as"),
        (f'destination = "hero"\n{MAIL}', 1, "deliver_from is missing"),
        (f"{HEAD}{MAIL}max_length = 0\n", 6, "max_length must be greater than or equal to 1"),
        (f'{HEAD}{MAIL}value_type = "Zip"\n', 6, "value_type must be"),
        (f'{HEAD}{MAIL}regex_remove = "("\n', 6, "regex_remove must be a regular expression"),
        (f'{HEAD}{MAIL}value_mapping_name = "by"\n', 6, "there is no [value_mappings.by]"),
        (f'{HEAD}{MAIL}column = "agent"\n', 3, "customer.email is filled by lead_field and column"),
        (f'{HEAD}{MAIL}[[field_mappings]]\nfield_name = "measure"\n', 6, "measure is filled from nothing"),
        (f'{HEAD}{MAIL}[[field_mappings]]\nfield_name = "measure"\ncolumn = "agnet"\n', 8, "Perhaps agent"),
        (f'{HEAD}{MAIL}[[field_mappings]]\nfield_name = "custmer.name"\nlead_field = "x"\n', 7, "hero has no field"),
        (f"{HEAD}{MAIL}{MAIL}", 7, "customer.email is filled twice"),
        (f'{HEAD}[[field_mappings]]\nfield_name = "measure"\nstatic_value = "PVS"\n', 3, "without customer.email"),
        (f'{HEAD}[[field_mappings]]\nlead_field = "x"\n', 3, "field_name is missing"),
        (f'{HEAD}heron_id = "crm_1"\n{MAIL}', 3, "heron_id is for heron alone"),
        (f'{HEAD}format = "csv"\n{MAIL}', 3, "format is for file alone"),
        (f'{HEAD}customer_field = "measure"\n{MAIL}', 3, "of hero it is always customer.email"),
        (f'{FILE}customer_field = "phone"\n{MAIL}', 3, "no mapping fills it"),
        (f'{FILE}format = "xlsx"\n{MAIL}', 3, "format must be"),
        (f'{HERON}{NAME}[[field_mappings]]\nfield_name = "Name"\nstatic_value = "x"\n', 1, "Say in heron_id which"),
        (f"{CRM}{NAME}{MAIL}", 9, "heron fills it itself, and takes none of lead_field"),
        (f'{CRM}{NAME}heron_company_attribute_label = "x"\n', 4, "is filled by lead_field and heron_company"),
        (f'{CRM}[[field_mappings]]\nfield_name = "Name"\nstatic_value = "x"\n', 4, "nothing without end_user.name"),
        (
            f'{CRM}customer_field = "Name"\n{NAME}[[field_mappings]]\nfield_name = "Name"\nstatic_value = "x"\n',
            4,
            "no mapping",
        ),
        (HEROBASE.replace("static_value", "column").replace('"A"', '"agent"'), 3, "the same for all leads"),
        (f"{HEROBASE}regex_remove = 'x'\n", 3, "the same for all leads"),
        (f"{HEAD}settle_minutes = 99999999999999\n{MAIL}", 3, "settle_minutes must be"),
        (f'{HERON}heron_id = "../users"\n{NAME}', 3, "heron_id must be the id"),
        (f"{HEROBASE}{MAIL.replace('customer.email', 'Data.a.b')}", 7, "herobase has no field Data.a.b"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, line, says):
    with pytest.raises(DeliveryError) as error:
        read(text)
    assert f"deliveries/hero.toml, line {line}: " in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize("content", [b"destination =", b"\xff", b"name = 'x'\ndestination = 'hero'"])
def test_what_is_no_file_of_a_delivery_is_said(content):
    with pytest.raises(DeliveryError, match=r"deliveries/hero\.toml"):
        delivery("hero", content, "deliveries/hero.toml", LEADS.names)


def test_a_wrong_file_stops_its_own_delivery_alone(tmp_path):
    (tmp_path / "good.toml").write_text(HEAD + MAIL)
    (tmp_path / "wrong.toml").write_text("destination = 3")
    (tmp_path / ".good.toml.swp").write_text("")
    found = read_deliveries(tmp_path, LEADS.names)
    assert isinstance(found["good"], Delivery)
    assert isinstance(found["wrong"], DeliveryError)
    assert read_deliveries(tmp_path / "nowhere", LEADS.names) == {}


def test_the_sandboxs_own_files_are_right():
    assert all(isinstance(found, Delivery) for found in read_deliveries(SANDBOX_DELIVERIES, LEADS.names).values())
