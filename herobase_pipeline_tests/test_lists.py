"""The small lists that not every HeroBase knows, and what of them is read beside leads: pools and projects."""

import json
from collections import Counter

import pytest

import herobase_pipeline as hb
from herobase_pipeline.enums import LeadClosure
from herobase_pipeline.sandbox.fields import DEFINITIONS, visible
from herobase_pipeline.sandbox.services import HOOK_KEY
from herobase_pipeline.sandbox.shapes import POOL_NAME
from herobase_pipeline.tables import HOOKS, LEAD_POOLS
from herobase_pipeline_tests.conftest import failure
from herobase_pipeline_tests.hostile import hostile

MAYBE = ("lead_definitions", "lead_pools", "lead_segments", "hooks")
PATHS = {
    "lead_definitions": "leaddefinitions",
    "lead_pools": "leadpools",
    "lead_segments": "leadsegments",
    "hooks": "hooks",
}


@pytest.mark.parametrize("access", ["Full", "Partner"])
def test_definitions_and_their_fields_are_those_of_the_world(centre, access):
    here = centre(lead_entry_access=access)
    here.load("lead_definitions")
    assert [served.path for served in here.sandbox.requests].count("/leaddefinitions") == 1
    names = [name for name, _ in DEFINITIONS]
    assert {name for (name,) in here.rows("SELECT name FROM lead_definitions")} == set(names)
    found = here.rows(
        "SELECT definition_name, import_name, type, access, editable FROM lead_definition_fields "
        "ORDER BY definition_name, sort_order"
    )
    expected = [
        (name, field.name, field.kind, field.access, True)
        for name in sorted(names)
        for field in visible(names.index(name), access)
    ]
    assert sorted(found) == sorted(expected)
    assert [row[1] for row in found if row[0] == "A-kasse"] == [f.name for f in visible(names.index("A-kasse"), access)]
    closures = dict(here.rows("SELECT import_name, closure FROM lead_definition_fields WHERE closure IS NOT NULL"))
    assert closures == {"Ja - Afdeling": LeadClosure.Success.name}
    assert all(json.loads(record) for (record,) in here.rows("SELECT record FROM lead_definition_fields"))


@pytest.mark.parametrize("asset", MAYBE)
def test_a_list_that_this_herobase_does_not_know_is_a_fact(centre, asset):
    here = centre()
    here.sandbox.script(f"/{PATHS[asset]} status=404")
    here.load(asset)
    assert here.rows(f"SELECT count(*) FROM {asset}") == [(0,)]
    assert here.told(asset)["service"] == f"this HeroBase knows no /{PATHS[asset]} (404)"


@pytest.mark.parametrize("asset", MAYBE)
def test_a_right_that_is_missing_is_no_empty_list(centre, asset):
    here = centre(resource_rights=("Account:Get",))
    here.sandbox.script("/leadpools deny")
    assert "lacks the right to read" in failure(here.materialize(asset))
    assert here.files() == {}


def test_of_a_hook_the_host_is_kept_and_no_secret(centre):
    here = centre()
    here.load("hooks")
    assert here.rows("SELECT hook_id, name, host, campaign_code, lead_status, active FROM hooks ORDER BY 1") == [
        ("41", "Til CRM", "crm.nord-salg.example", None, "UserProcessed", True),
        ("42", "Zapier", "hooks.zapier.example", "XX_MB_LEJL", "UserProcessed", False),
    ]
    for path in here.lake.root.rglob("*"):
        assert path.is_dir() or HOOK_KEY.encode() not in path.read_bytes()
    assert HOOK_KEY not in " ".join(record for (record,) in here.rows("SELECT record FROM hooks"))
    assert "urlTemplate" in here.rows("SELECT record FROM hooks")[0][0]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://user:pw@example.dk:8443/x?key=1", "example.dk"),
        ("{Secret}", None),
        ("https://{Host}/a", None),
        ("http://[::1", None),
        ("", None),
    ],
)
def test_an_address_without_a_host_gives_none(centre, address, host):
    here = centre()

    def other(path, _, records):
        return (
            [{"Id": 7, "Name": "n", "Url": address, "headers": {"Authorization": "pw"}}]
            if path == "/hooks"
            else records
        )

    with hostile(here.sandbox.url, other) as url:
        here.at(url).load("hooks")
    assert here.rows("SELECT hook_id, host, record FROM hooks") == [
        ("7", host, json.dumps({"Id": 7, "Name": "n", "host": host, "withheld": ["Url", "headers"]}))
    ]
    assert len(here.lake.days(HOOKS)) == 1


def test_a_hook_that_cannot_be_read_is_set_aside_without_its_text(centre):
    here = centre()

    def other(path, _, records):
        broken = '{"id": 99, "name": "x" "y", "urlTemplate": "https://crm.example/?key=TOPSECRET"}'
        return [*records, broken] if path == "/hooks" else records

    with hostile(here.sandbox.url, other) as url:
        here.at(url).load("hooks")
    assert here.rows("SELECT service, text FROM unreadable") == [("hooks", "(withheld)")]
    assert not [p for p in here.lake.root.rglob("*") if p.is_file() and b"TOPSECRET" in p.read_bytes()]


def test_leads_and_how_they_were_closed_are_read_by_lead_pool(centre):
    here = centre(calls_per_day=400, lead_pools=True, settings={"saved_searches": ("api_import_export",)})
    here.load("calls,simple_leads,search_leads,call_outcomes", "2026-11-09", "2026-11-15")
    here.load("leads,lead_conversion,lead_pools,campaigns")
    window = here.window("2026-11-09", "2026-11-15")
    truth = {
        here.called(lead): POOL_NAME.format(lead.uploaded.astimezone(here.settings.zone))
        for lead in here.world.leads(here.now, window.start, window.end)
    }
    for table in ("simple_leads", "search_leads", "leads"):
        found = dict(here.rows(f"SELECT lead_id, lead_pool FROM {table} WHERE lead_pool IS NOT NULL"))
        assert found == truth, table
    closed = Counter(here.rows("SELECT lead_pool, closure FROM leads WHERE closed_at IS NOT NULL"))
    by_pool = "SELECT lead_pool, closure, sum(leads)::INTEGER FROM lead_conversion WHERE org_level = 0 GROUP BY ALL"
    assert {(pool, closure): leads for pool, closure, leads in here.rows(by_pool)} == closed
    assert len({pool for pool, _ in closed}) > 1
    pools = set(here.rows("SELECT campaign_id, name FROM lead_pools"))
    current = {
        (lead.campaign_id, truth[here.called(lead)]) for lead in here.world.leads(here.now, window.start, window.end)
    }
    assert current <= pools
    rates = hb.metrics(hb.read("lead_conversion", level=0, data_dir=here.lake.root), "conversion_net", by="lead_pool")
    wins = Counter(pool for pool, closure in closed.elements() if closure == "Success")
    assert {pool: wins for pool, wins in zip(rates["lead_pool"], rates["numerator"], strict=True) if wins} == wins


def test_without_pools_there_is_none(centre):
    here = centre()
    here.load("lead_pools")
    assert here.rows("SELECT count(*) FROM lead_pools") == [(0,)]
    assert here.lake.days(LEAD_POOLS)


def test_a_project_is_a_team_where_campaigns_tell_it(centre):
    here = centre(calls_per_day=400)
    here.load("calls,simple_leads,call_outcomes", "2026-11-09", "2026-11-15")
    here.load("leads,lead_conversion,campaigns")
    projects = {campaign.id: campaign.project for campaign in here.world.campaigns(here.now)}
    calls = Counter(projects[call.campaign_id] for day in range(9, 16) for call in here.truth(f"2026-11-{day:02}"))
    outcomes = hb.read("call_outcomes", level=0, data_dir=here.lake.root)
    assert outcomes.groupby("project")["calls"].sum().to_dict() == calls
    assert len(calls) > 3
    rates = hb.metrics(hb.read("lead_conversion", level=0, data_dir=here.lake.root), "conversion_net", by="project")
    query = "SELECT campaign_id FROM leads WHERE closed_at IS NOT NULL AND closure = 'Success'"
    wins = Counter(projects[campaign] for (campaign,) in here.rows(query))
    assert dict(zip(rates["project"], rates["numerator"], strict=True)) == {of: wins[of] for of in rates["project"]}


def test_leads_are_counted_by_who_processed_them_first_and_last(centre):
    here = centre(calls_per_day=400)
    here.load("calls,simple_leads", "2026-11-09", "2026-11-15")
    here.load("leads")
    window = here.window("2026-11-09", "2026-11-15")
    truth = {lead.id: lead for lead in here.world.leads(here.now, window.start, window.end)}
    for column in ("first_processed_by", "last_modified_by"):
        found = here.rows(f"SELECT lead_id, {column} FROM leads WHERE versions > 0 AND status = 'UserProcessed'")
        assert dict(found) == {lead_id: getattr(truth[lead_id], column) for lead_id, _ in found}
        assert len({who for _, who in found}) > 5
