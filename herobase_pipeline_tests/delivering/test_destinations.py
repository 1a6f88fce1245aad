"""Heron, HeroBase and files: through real runs, against the systems in the box, whose own records are counted."""

import csv
import datetime as dt
import io
import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from herobase_pipeline.delivering.declarations import delivery
from herobase_pipeline.delivering.destinations import DESTINATIONS, file, hero
from herobase_pipeline.delivering.destinations import heron as heron_module
from herobase_pipeline.delivering.destinations.reached import NotReachedError
from herobase_pipeline.delivering.ledger import ledger
from herobase_pipeline.erasing.procedure import erase
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.erasing.retention import apply
from herobase_pipeline.erasing.retention import plan as past
from herobase_pipeline.sandbox.destinations import HERON_ID
from herobase_pipeline.settings import SANDBOX_HERON_KEY, Settings
from herobase_pipeline.tables import LEADS
from herobase_pipeline_tests.conftest import NOW, failure, writer
from herobase_pipeline_tests.delivering.conftest import LAST, PULLED
from herobase_pipeline_tests.delivering.files import SENDS, declared, plan, states

HERON = {
    "end_user.name": 'lead_field = "Lastname"\nrequired = true',
    "Name": 'heron_company_attribute_label = "company_name"\nrequired = true\nmax_length = 255',
    "Status__c": 'static_value = "sold"\noverwrite_on_update = false',
    "BillingState": 'heron_company_attribute_label = "state"\nvalue_mapping_name = "state"',
}
IMPORTED = {
    "CampaignCode": 'static_value = "{code}"',
    "Data.Email": 'lead_field = "Email"',
    "Data.Efternavn": 'lead_field = "Lastname"\nrequired = true',
    "Data.Antal kald": 'column = "dials"\nvalue_type = "Integer"',
    "LeadPoolName": 'static_value = "sold"',
}
FILE = {"e-mail": 'lead_field = "Email"', "name.last": 'lead_field = "Lastname"', "note": 'static_value = "=1+1"'}


def successes(here) -> dict[str, tuple[str, str]]:
    """Campaign and last name of the leads that were closed as a success since deliver_from, from what was pulled."""
    rows = here.rows("""
        SELECT lead_id, any_value(campaign_code), arg_max(data, last_modified_at)
        FROM lead_data JOIN leads USING (lead_id)
        WHERE closure = 'Success' AND closed_date >= DATE '2026-11-16' AND NOT erased
            AND status NOT IN ('Removed', 'Anonymized', 'DoNotCall', 'GlobalDoNotCall')
        GROUP BY lead_id
    """)
    named = {lead: (code, json.loads(data or "{}").get("Lastname")) for lead, code, data in rows}
    return {lead: (code, name) for lead, (code, name) in named.items() if name}


def heron(**settings) -> str:
    told = {"destination": '"heron"', "heron_id": f'"{HERON_ID}"', **settings}
    return declared(HERON, **told) + '\n[value_mappings.state]\n"CA" = "California"\n'


def end_users(here) -> Counter[str]:
    return Counter(each["name"] for each in here.sandbox.destinations.end_users.values())


def patches(here) -> int:
    return len([r for r in here.sandbox.requests if r.method == "PATCH"])


# -- Heron ---------------------------------------------------------------------------------------------------------------


def test_heron_gets_each_success_once_and_the_mappings_whenever_they_are_others(delivering):
    here, folder = delivering()
    (folder / "heron.toml").write_text(heron())
    before = here.sandbox.destinations.integrations[HERON_ID]["config"]
    here.load(SENDS)
    wanted = Counter(name for _, name in successes(here).values())
    assert end_users(here) == wanted
    assert wanted.total() > 3
    config = here.sandbox.destinations.integrations[HERON_ID]["config"]
    fields = {each["field_name"]: each for each in config["data_source_accounts_config"]["field_mappings"]}
    assert list(fields) == ["Name", "Status__c", "BillingState"]
    assert fields["Name"]["heron_company_attribute_label"] == "company_name"
    assert fields["Name"]["max_length"] == 255
    assert fields["Status__c"]["overwrite_on_update"] is False
    assert not {"lead_field", "column"} & fields["Name"].keys()
    assert config["value_mappings"] == [{"name": "state", "mapping": {"CA": "California"}}]
    # whatever Heron does with a configuration that comes, what is not ours is still there
    assert config["object_configs"] == before["object_configs"]
    assert config["data_source_accounts_config"]["external_name"] == "Account"
    here.load(SENDS)
    assert (end_users(here), patches(here)) == (wanted, 1)
    (folder / "heron.toml").write_text(heron().replace("255", "80"))
    here.load(SENDS)
    assert (end_users(here), patches(here)) == (wanted, 2)
    assert states(here) == Counter(delivered=wanted.total() + 1)  # and the mappings


@pytest.mark.parametrize(
    ("fault", "says", "tried"),
    [
        ("/heron/api/crm_integrations status=500 nth=1", "could not be handed over", 0),
        ("/heron/api/crm_integrations/* status=422", "could not be handed over", 1),
        ("/heron/api/crm_integrations/* cut=0", "could not be handed over", 1),
    ],
)
def test_no_end_user_follows_where_the_mappings_did_not_arrive(delivering, fault, says, tried):
    here, folder = delivering()
    (folder / "heron.toml").write_text(heron())
    here.sandbox.script(fault)
    assert says in failure(here.materialize(SENDS))
    assert not end_users(here)
    assert patches(here) == tried
    here.sandbox.heal()
    again = here.materialize(SENDS)
    if "422" in fault:  # the file is what is wrong, and Heron is not asked again with the same
        assert "its mappings were refused" in failure(again)
        assert patches(here) == 1
        (folder / "heron.toml").write_text(heron().replace("255", "80"))
        here.load(SENDS)
    assert end_users(here) == Counter(name for _, name in successes(here).values())


def test_a_wrong_integration_is_said_before_anything_is_sent(delivering):
    here, folder = delivering()
    (folder / "heron.toml").write_text(heron(heron_id='"crm_none"'))
    assert "Heron lists no CRM integration crm_none" in failure(here.materialize(SENDS))
    assert (end_users(here), patches(here)) == (Counter(), 0)


def test_heron_is_asked_for_what_nobody_knows_of(delivering):
    here, folder = delivering()
    (folder / "heron.toml").write_text(heron())
    here.sandbox.script("/heron/api/end_users status=500 nth=1; /heron/api/end_users status=500 commits nth=2,3")
    here.load(SENDS)
    assert states(here)["unknown"] == 3
    here.load(SENDS)  # what Heron has is known at once; what it has not may still be on its way
    assert states(here)["unknown"] == 1
    here.clock[0] += dt.timedelta(minutes=11)
    here.load(SENDS)
    wanted = Counter(name for _, name in successes(here).values())
    assert end_users(here) == wanted
    assert states(here) == Counter(delivered=wanted.total() + 1)


def test_what_heron_has_under_the_key_already_did_arrive(delivering):
    here, folder = delivering()
    (folder / "heron.toml").write_text(heron())
    here.load(SENDS)
    wanted = end_users(here)
    for table in ("lake/deliveries", "private/delivery_payloads"):  # lost, with every backup
        (here.lake.root / table / "part.parquet").unlink()
    here.load(SENDS)
    assert end_users(here) == wanted
    assert states(here) == Counter(delivered=wanted.total() + 1)


# -- HeroBase --------------------------------------------------------------------------------------------------------------


def imported(here, **settings) -> tuple[str, str]:
    """A file that imports successes for a campaign that is in use, and the campaign's code."""
    codes = here.sandbox.application.services.importable(here.now)
    code = Counter(code for code, _ in successes(here).values() if code in codes).most_common(1)[0][0]
    mapped = {name: source.replace("{code}", code) for name, source in IMPORTED.items()}
    return declared(mapped, **{"destination": '"herobase"', **settings}), code


def test_herobase_gets_each_success_once_as_a_lead_of_another_campaign(delivering):
    here, folder = delivering()
    text, code = imported(here)
    (folder / "again.toml").write_text(text)
    here.load(SENDS)
    wanted = Counter(name for campaign, name in successes(here).values() if campaign != code)
    given = here.sandbox.destinations.leads
    assert Counter(each["Data"]["Efternavn"] for each in given) == wanted
    assert wanted.total() > 2
    assert {each["CampaignCode"] for each in given} == {code}
    assert {each["leadpoolname"] for each in given} == {"sold"}
    assert all(each["Data"]["Antal kald"].isdigit() for each in given)
    held = here.rows("SELECT DISTINCT reason FROM delivery_plan WHERE decision = 'not_eligible'")
    assert ("it is of the campaign that it would be imported for",) in held
    here.load(SENDS)
    (folder / "again.toml").rename(folder / "renamed.toml")
    here.load(SENDS)
    assert len(here.sandbox.destinations.leads) == wanted.total()
    assert states(here) == Counter(delivered=wanted.total())


@pytest.mark.parametrize(
    ("fault", "state", "arrives"),
    [
        ("status=500 commits", "unknown", True),
        ("status=500", "unknown", False),
        ("cut=0", "unknown", True),
        ("error", "rejected", False),
        ("status=400", "rejected", False),
        ("status=429 reset=20 times=1", "delivered", True),
        ("status=503 times=1", "delivered", True),
    ],
)
def test_no_answer_of_herobase_imports_a_lead_twice(delivering, fault, state, arrives):
    here, folder = delivering()
    text, _ = imported(here, max_per_run="2")
    (folder / "again.toml").write_text(text)
    here.sandbox.script(f"/leads {fault}")
    here.materialize(SENDS)
    assert states(here) == Counter({state: 2})
    assert len(here.sandbox.destinations.leads) == (2 if arrives else 0)
    here.sandbox.heal()
    (folder / "again.toml").write_text(imported(here)[0])
    here.load(SENDS)
    names = Counter(json.dumps(each["Data"]) for each in here.sandbox.destinations.leads)
    assert max(names.values()) == 1
    assert states(here)["delivered"] == states(here).total() - (2 if state != "delivered" else 0)


def test_a_spent_quota_or_a_missing_right_is_said_and_no_lead_is_blamed(delivering):
    here, folder = delivering(
        resource_rights=("Account:Get", "Calls:Get", "Campaigns:Get", "Leads:Get", "Organization:Get")
    )
    text, _ = imported(here)
    (folder / "again.toml").write_text(text)
    assert "127.0.0.1 answered 403: check its address, key and rights" in failure(here.materialize(SENDS))
    here.sandbox.script("/leads status=429 reset=40000")
    assert "quota of requests is spent" in failure(here.materialize(SENDS))
    asked = len([r for r in here.sandbox.requests if r.method == "POST"])
    assert "quota of requests is spent" in failure(here.materialize(SENDS))
    assert len([r for r in here.sandbox.requests if r.method == "POST"]) == asked == 2
    assert not states(here)
    assert not here.sandbox.destinations.leads


# -- files -----------------------------------------------------------------------------------------------------------------


def lines(here, name="partner") -> list[list[str]]:
    """The rows of the delivery's CSV files, in order of their days, without their headers."""
    rows = []
    for path in sorted((here.lake.root / "private/delivery_files" / name).glob("*.csv")):
        header, *its = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), delimiter=";")
        assert header == ["delivery_key", "e-mail", "name.last", "note"]
        rows += its
    return rows


def test_a_file_has_each_success_once_and_no_formula(delivering):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"', max_per_run="3"))
    here.load(SENDS)
    assert len(lines(here)) == 3
    here.clock[0] += dt.timedelta(days=1)
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"'))
    here.load(SENDS)
    assert len(list((here.lake.root / "private/delivery_files/partner").glob("*.csv"))) == 2
    found = lines(here)
    names = {name for _, name in successes(here).values()}
    assert len({key for key, *_ in found}) == len(found)
    assert names <= {last for _, _, last, _ in found}
    assert {note for *_, note in found} == {"'=1+1"}
    here.load(SENDS)
    assert lines(here) == found
    assert all(path.stat().st_mode & 0o077 == 0 for path in here.lake.root.glob("private/delivery_files/**/*"))


def test_two_files_may_both_have_a_success_and_a_customer_once_each(delivering):
    here, folder = delivering()
    for name in ("one", "other"):
        one = FILE | {"e-mail": 'static_value = "the.same@example.dk"'}
        (folder / f"{name}.toml").write_text(declared(one, destination='"file"', customer_field='"e-mail"'))
    here.load(SENDS)
    assert [len(lines(here, name)) for name in ("one", "other")] == [1, 1]


def test_json_lines_say_what_was_mapped(delivering):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"', format='"jsonl"'))
    here.load(SENDS)
    (path,) = (here.lake.root / "private/delivery_files/partner").glob("*.jsonl")
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(told) == states(here)["delivered"] > 3
    assert {next(iter(each)) for each in told} == {"delivery_key"}
    assert {each["note"] for each in told} == {"=1+1"}  # no spreadsheet reads it
    assert {each["name"]["last"] for each in told if "name" in each} >= {name for _, name in successes(here).values()}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_who_is_erased_or_past_their_time_leaves_the_files_at_once(delivering, kind):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"', format=f'"{kind}"'))
    here.load(SENDS)
    (path,) = (here.lake.root / "private/delivery_files/partner").glob(f"*.{kind}")
    before = path.read_text()
    lead, key = here.rows("SELECT lead_id, key FROM deliveries ORDER BY key LIMIT 1")[0]
    erase(writer(here.lake.root), here.settings.zone, [Request("lead", lead, "list", here.now)])
    after = path.read_text()
    assert key in before
    assert key not in after
    assert len(after.splitlines()) == len(before.splitlines()) - 1
    here.load(SENDS)
    assert path.read_text() == after
    settings = here.settings.model_copy(update={"keep_private_days": 30})
    later = here.now + dt.timedelta(days=40)
    lake = writer(here.lake.root)
    past(lake, settings, later)
    apply(lake, settings, past(lake, settings, later + dt.timedelta(days=1)))
    assert not path.exists()


def test_a_line_that_a_killed_run_had_begun_is_begun_anew(delivering):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"', max_per_run="3"))
    here.load(SENDS)
    (path,) = (here.lake.root / "private/delivery_files/partner").glob("*.csv")
    whole = path.read_bytes()
    key = lines(here)[-1][0]
    path.write_bytes(whole[: whole.index(key.encode()) + 40])  # the last of the three was being written
    with ledger(writer(here.lake.root), here.settings.zone, lambda: here.now) as book:
        book.record(replace(book.sent(key), happened_at=here.now))
    assert states(here) == Counter(delivered=2, sending=1)
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"'))
    here.load(SENDS)
    found = lines(here)
    assert len({row[0] for row in found}) == len(found) == states(here)["delivered"] == states(here).total()
    assert path.read_bytes().startswith(whole[: whole.index(key.encode())])


def test_an_erasure_meanwhile_takes_no_line_of_the_run_that_is_under_way(delivering):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"', max_per_run="2"))
    here.load(SENDS)
    lead, key = here.rows("SELECT lead_id, key FROM deliveries ORDER BY key LIMIT 1")[0]
    lake, zone, now = writer(here.lake.root), here.settings.zone, "f" * 32
    its = here.lake.root / "private/delivery_files/partner"
    with ledger(lake, zone, lambda: here.now) as book:
        book.record(replace(book.sent(key), happened_at=here.now, key=now, lead_id="another"))
        (path,) = its.glob("*.csv")
        with path.open("a", newline="") as file:
            file.write(f"{now};;;\r\n")
        erase(lake, zone, [Request("lead", lead, "list", here.now)])
        assert [row[0] for row in lines(here)][-1] == now
        assert key not in path.read_text()


def test_what_somebody_took_away_does_not_come_back(delivering):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"'))
    here.load(SENDS)
    (path,) = (here.lake.root / "private/delivery_files/partner").glob("*.csv")
    path.unlink()
    here.load(SENDS)
    assert not lines(here)


def test_other_columns_begin_another_file(delivering):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"', max_per_run="2"))
    here.load(SENDS)
    fewer = {name: source for name, source in FILE.items() if name != "note"}
    (folder / "partner.toml").write_text(declared(fewer, destination='"file"'))
    here.load(SENDS)
    first, second = sorted((here.lake.root / "private/delivery_files/partner").glob("*.csv"))
    assert second.name == "2026-11-20.csv" or first.name.endswith("-2.csv")
    headers = {path.read_bytes().decode("utf-8-sig").splitlines()[0] for path in (first, second)}
    assert headers == {"delivery_key;e-mail;name.last;note", "delivery_key;e-mail;name.last"}


@pytest.mark.parametrize(
    ("saved", "encoding"),
    [
        (lambda text: text.replace(";", ","), "utf-8"),
        (lambda text: text.replace(";", "\t"), "utf-16"),
        (lambda text: text.replace(";", "\t") + "half", "utf-16-le-odd"),
        (lambda text: text + "\r\n\r\na note that somebody wrote", "latin-1"),
        (lambda _: "", "utf-8"),
        (lambda text: text + '"open', "utf-8-sig"),
    ],
)
def test_an_erasure_judges_a_file_whatever_a_spreadsheet_made_of_it(delivering, saved, encoding):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"'))
    here.load(SENDS)
    (path,) = (here.lake.root / "private/delivery_files/partner").glob("*.csv")
    text = path.read_text("utf-8-sig")
    copy = path.with_name("Kopi.CSV")
    lead, key = here.rows("SELECT lead_id, key FROM deliveries ORDER BY key LIMIT 1")[0]
    lake, zone = writer(here.lake.root), here.settings.zone
    erase(lake, zone, [Request("lead", lead, "list", here.now)])
    for each in (path, copy):  # saved again from a spreadsheet that was open meanwhile
        is_odd = encoding.endswith("-odd")
        content = saved(text).encode(encoding.removesuffix("-le-odd"), "replace")
        each.write_bytes(content[:-1] if is_odd else content)
    (left := path.with_name(f".{path.name}")).write_text(text)  # by a run that was killed
    erase(lake, zone, everyone=True)
    assert not left.exists()
    others = {other for (other,) in here.rows("SELECT key FROM deliveries")} - {key}
    for each in (path, copy):
        after = (
            each.read_bytes().decode("utf-16" if "utf-16" in encoding else "latin-1", "replace")
            if each.exists()
            else ""
        )
        assert key not in after
        assert all(other in after for other in others) == bool(saved(text))


# -- all -------------------------------------------------------------------------------------------------------------------


def test_no_customer_and_no_key_of_any_destination_leaves_the_private_zone(delivering):
    here, folder = delivering()
    (folder / "heron.toml").write_text(heron())
    (folder / "again.toml").write_text(imported(here)[0])
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"'))
    here.sandbox.script("/leads error nth=2; /heron/api/end_users status=500 nth=3; /leads status=500 nth=4")
    result = here.materialize(SENDS)
    told = "".join([*map(str, result.all_events), str(here.told("delivery_plan")), str(here.told("deliveries"))])
    public = b"".join(path.read_bytes() for path in here.lake.root.glob("lake/**/*") if path.is_file())
    emails = {
        email for (email,) in here.rows("SELECT DISTINCT data->>'Email' FROM lead_data WHERE data->>'Email' <> ''")
    }
    assert len(emails) > 100
    for email in emails:
        assert email not in told
        assert email.encode() not in public
    for secret in (SANDBOX_HERON_KEY, here.sandbox.password + ":", "Basic "):
        assert secret not in told
    assert plan(here)["done"] == sum(count for state, count in states(here).items()) - 1


@pytest.mark.parametrize("system", ["hero", "heron"])
def test_the_sandboxs_people_are_sent_to_no_real_system(tmp_path, system):
    key = {f"{system}_url": "https://real.example", f"{system}_api_key": " a-key "}
    text = {"hero": declared({"customer.email": 'lead_field = "Email"'}), "heron": heron()}[system]
    asked = delivery(system, text.encode(), f"{system}.toml", LEADS.names)
    with pytest.raises(NotReachedError, match=f"{system.upper()}_URL is set and HEROBASE_URL is not"):
        DESTINATIONS[system].target(Settings(data_dir=tmp_path, **key), asked, NOW)
    mine = {"url": "https://mine.example", "username": "me", "password": "mine", "pii_key": "k", "data_dir": tmp_path}
    assert "a-key" not in repr(DESTINATIONS[system].target(Settings(**mine, **key), asked, NOW))
    assert getattr(Settings(**mine, **key), f"{system}_api_key").get_secret_value() == "a-key"  # without the blanks
    with pytest.raises(NotReachedError, match=f"{system.upper()}_URL and {system.upper()}_API_KEY must be set"):
        DESTINATIONS[system].target(Settings(**mine), asked, NOW)


def test_what_nobody_expected_stops_its_own_delivery_alone(delivering, monkeypatch):
    here, folder = delivering()
    (folder / "a.toml").write_text(declared(FILE, destination='"file"'))
    (folder / "b.toml").write_text(heron())
    (folder / "c.toml").write_text(imported(here)[0])
    leads = {lead for lead, _ in successes(here).items()}
    secret = "anna@kunde.example"

    def breaks(*_):
        raise ValueError(secret)

    monkeypatch.setattr(heron_module, "told", breaks)
    said = failure(here.materialize(SENDS))
    assert "b.toml: it ended with ValueError in test_destinations.py" in said
    assert secret not in said
    kept = dict(here.rows("SELECT delivery, count(*) FROM deliveries WHERE state = 'delivered' GROUP BY ALL"))
    assert kept["a"] == len(lines(here, "a")) >= len(leads)
    assert kept["c"] == len(here.sandbox.destinations.leads)
    assert here.rows("SELECT DISTINCT delivery FROM delivery_plan") != []


def test_two_files_cannot_fill_one_crm(delivering):
    here, folder = delivering()
    (folder / "one.toml").write_text(heron())
    (folder / "other.toml").write_text(heron().replace("company_name", "trading_name"))
    assert "other.toml: one fills crm_sandbox already" in failure(here.materialize(SENDS))
    assert patches(here) == 1


def test_after_a_restore_a_lead_that_is_not_loaded_yet_needs_nobody(delivering):
    here, folder = delivering()
    (folder / "partner.toml").write_text(declared(FILE, destination='"file"'))
    here.load(SENDS)
    before = states(here)
    for table in ("simple_leads", "leads", "calls"):
        shutil.rmtree(here.lake.root / "lake" / table)
    for table in ("lead_data", "call_phones"):
        shutil.rmtree(here.lake.root / "private" / table)
    assert "Materialize leads first" in failure(here.materialize(SENDS))
    here.load(PULLED, LAST, LAST)
    here.load("leads")
    here.load(SENDS)
    assert states(here) == before


def test_an_erased_lead_is_not_sent_again_under_the_name_that_it_has_now(delivering):
    here, folder = delivering()
    mapped = {"end_user.name": 'column = "campaign_code"\nrequired = true'}
    (folder / "heron.toml").write_text(declared(mapped, destination='"heron"', max_per_run="2"))
    here.load(SENDS)
    leads = [lead for (lead,) in here.rows("SELECT lead_id FROM leads WHERE closure = 'Success'")]
    erase(writer(here.lake.root), here.settings.zone, [Request("lead", lead, "list", here.now) for lead in leads])
    (folder / "heron.toml").write_text(declared(mapped, destination='"heron"'))
    here.load(SENDS)
    assert end_users(here).total() == 2


def test_a_declared_field_that_is_not_made_yet_is_waited_for(delivering):
    here, folder = delivering()
    fields = folder.parent / "fields"
    fields.mkdir()
    (fields / "sold.toml").write_text(
        'version = 1\ncampaigns = ["*"]\n[fields]\n"Lastname" = { column = "family_name" }\n'
    )
    here.settings = here.settings.model_copy(update={"fields_dir": fields})
    mapped = {"end_user.name": 'column = "family_name"\nrequired = true'}
    (folder / "heron.toml").write_text(declared(mapped, destination='"heron"'))
    here.load(SENDS)
    assert plan(here)["not_yet"] > 3
    assert not end_users(here)
    here.load("private/lead_fields")
    here.load(SENDS)
    assert end_users(here) == Counter(name for _, name in successes(here).values())


@pytest.mark.parametrize("status", [402, 410, 451, 426])
def test_no_lead_is_refused_where_none_is_at_fault(delivering, status):
    here, folder = delivering()
    text, _ = imported(here)
    (folder / "again.toml").write_text(text)
    here.sandbox.script(f"/leads status={status}")
    assert f"answered {status}" in failure(here.materialize(SENDS))
    assert not states(here)


CONFIGS = [[], "text", {"value_mappings": {"a": 1}}, {"value_mappings": [None]}, {"data_source_accounts_config": ["x"]}]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_of_another_shape_is_left_alone(config):
    wanted = {"field_mappings": [], "value_mappings": []}
    assert heron_module._merged(config, wanted) is None


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+45 20 12 34 56", "+45 20 12 34 56"),
        ("-1", "-1"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("x,=cmd|' /C calc'!A0", "x,'=cmd|' /C calc'!A0"),
        ("two\nlines", "two lines"),
        ("＝1", "'＝1"),
        (-5, -5),
        ("Å, b", "Å, b"),
    ],
)
def test_no_cell_is_a_formula(value, cell):
    assert file._harmless(value) == cell


@pytest.mark.parametrize(
    ("told", "remote"),
    [
        ({"id": 7}, "7"),
        ({"project": {"id": 7}, "customer": {"id": "anna@x.dk"}}, "7"),
        ({"customer": {"id": 8}}, None),
        ({"id": "anna@x.dk"}, None),
        ({"id": "\ud83d"}, None),
        ({"id": [1]}, None),
    ],
)
def test_a_project_is_called_by_an_id_and_by_no_address(told, remote):
    assert hero._id(told) == remote
