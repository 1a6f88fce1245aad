"""An account that loses an export: leads, how they were closed and their fields come from another, and are the same."""

import pytest

from herobase_pipeline.fields.columns import typed
from herobase_pipeline.fields.declarations import read_declarations
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.tables import LEAD_FIELDS
from herobase_pipeline_tests.conftest import failure
from herobase_pipeline_tests.hostile import hostile

FIRST, LAST = "2026-11-09", "2026-11-15"
ALL = {"saved_searches": ("api_import_export",), "raw_leads": True}
DERIVED = ("leads", "lead_conversion", "lead_cohorts", "conversion_rates", "pool_rates", "loaded_days", "known_days")
MADE = "leads,lead_conversion,lead_cohorts"


def made(here):
    return {table: here.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in DERIVED}


@pytest.fixture
def simple(centre):
    """An account with all its rights, as SimpleLeads shows it."""
    here = centre(data="simple", calls_per_day=400)
    here.load("calls,simple_leads,call_outcomes", FIRST, LAST)
    here.load(MADE)
    return here


def test_an_account_without_simple_leads_has_its_leads_from_a_saved_search(centre, simple):
    here = centre(data="searched", calls_per_day=400, settings=ALL)
    here.sandbox.script("/simpleleads deny")
    assert "lacks the right" in failure(here.materialize("simple_leads", FIRST))
    here.load("calls,search_leads,call_outcomes", FIRST, LAST)
    here.load(MADE)
    assert made(here) == made(simple)
    assert here.rows("SELECT count(*) > 100 FROM lead_conversion") == [(True,)]
    versions = here.rows("SELECT count(*) FROM search_leads")
    assert here.told("leads")["versions_from_search_leads"] == versions[0][0]
    assert "versions_from_simple_leads" not in here.told("leads")


def test_where_both_say_the_same_no_number_changes(centre, simple):
    here = centre(data="both", calls_per_day=400, settings={"saved_searches": ("api_import_export", "mysearch")})
    here.load("calls,simple_leads,search_leads,call_outcomes", FIRST, LAST)
    here.load(MADE)
    assert made(here) == made(simple)
    ((versions,),) = here.rows("SELECT count(*) FROM simple_leads")
    assert here.told("leads")["versions_from_simple_leads"] == versions
    assert "versions_from_search_leads" not in here.told("leads")


def test_a_right_that_is_lost_overnight_costs_no_lead(centre, simple):
    here = centre(data="overnight", calls_per_day=400, settings=ALL)
    here.load("calls,call_outcomes", FIRST, LAST)
    here.load("simple_leads", FIRST, "2026-11-12")
    here.sandbox.script("/simpleleads deny")
    here.load("search_leads", "2026-11-13", LAST)
    here.load(MADE)
    assert made(here) == made(simple)
    assert here.told("leads")["versions_from_simple_leads"] > 0 < here.told("leads")["versions_from_search_leads"]


def fields_of(here):
    table = typed(read_declarations(here.settings.declared_fields, LEAD_FIELDS.names))
    return here.rows(f"SELECT * FROM ({view(here.lake, table)}) ORDER BY ALL")


def fields_dir():
    from herobase_pipeline.settings import SANDBOX_FIELDS

    return {"fields_dir": SANDBOX_FIELDS}


def test_fields_are_the_same_from_each_export(centre):
    plain = centre(data="plain", settings=fields_dir())
    plain.load("simple_leads", FIRST, LAST)
    plain.load("private/lead_fields")
    expected = fields_of(plain)
    assert any(value for row in expected for value in row[4:])

    searched = centre(data="searched", settings={**ALL, **fields_dir()})
    searched.load("search_leads", FIRST, LAST)
    searched.load("private/lead_fields")
    assert fields_of(searched) == expected

    def without_data(path, _, records):
        return [{k: v for k, v in r.items() if k != "data"} for r in records] if path == "/simpleleads" else records

    def raw_beside(here):
        here.load("private/raw_leads", FIRST, LAST)
        with hostile(here.sandbox.url, without_data) as url:
            here.at(url).load("simple_leads", FIRST, LAST)
        here.load("private/lead_fields")

    both = centre(data="both", settings={**ALL, **fields_dir()})
    both.load("search_leads", FIRST, LAST)
    with hostile(both.sandbox.url, without_data) as url:
        both.at(url).load("simple_leads", FIRST, LAST)
    both.load("private/lead_fields")
    assert fields_of(both) == expected

    raw = centre(data="raw", settings={**ALL, **fields_dir()})
    raw_beside(raw)
    assert raw.rows("SELECT count(data) FROM lead_data") == [(0,)]
    assert fields_of(raw) == expected


def test_fields_can_be_made_from_raw_leads_alone_as_the_calls_say_the_campaign(centre):
    here = centre(settings={**ALL, **fields_dir()}, calls_per_day=400)
    here.load("calls,private/raw_leads", FIRST, LAST)
    here.load("private/lead_fields")
    numbers = here.told("private/lead_fields")
    ((leads,),) = here.rows("SELECT count(DISTINCT lead_id) FROM raw_leads")
    ((called,),) = here.rows("SELECT count(DISTINCT lead_id) FROM raw_leads SEMI JOIN calls USING (lead_id)")
    assert numbers["dagster/row_count"] == leads
    assert numbers["leads_without_declaration"] == leads - called < leads
