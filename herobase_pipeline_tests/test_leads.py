"""Leads through time: a version once seen stays."""

import datetime as dt

import pytest

from herobase_pipeline.tables import SIMPLE_LEADS
from herobase_pipeline_tests.conftest import alias, failure


def test_t1_t2_a_version_once_seen_survives_every_later_pull(centre):
    here = centre()
    day = "2026-11-04"
    here.clock[0] = dt.datetime(2026, 11, 5, 1, tzinfo=dt.UTC)
    here.load("simple_leads", day)
    seen = set(here.rows("SELECT lead_id, last_modified_at, status, observed_at, origin FROM simple_leads"))
    fields = set(here.rows("SELECT lead_id, last_modified_at, data FROM lead_data"))
    here.clock[0] = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    later = centre(data="later", now=here.clock[0])
    later.load("simple_leads", day)
    left = {lead_id for (lead_id,) in later.rows("SELECT lead_id FROM simple_leads")}
    moved_on = {row[0] for row in seen} - left
    assert moved_on  # HeroBase really has lost some of them by now

    here.load("simple_leads", day)
    assert set(here.rows("SELECT lead_id, last_modified_at, status, observed_at, origin FROM simple_leads")) >= seen
    assert set(here.rows("SELECT lead_id, last_modified_at, data FROM lead_data")) >= fields
    before = here.rows("SELECT * FROM simple_leads ORDER BY ALL")
    here.load("simple_leads", day)
    assert here.rows("SELECT * FROM simple_leads ORDER BY ALL") == before


def test_t3_versions_pulled_late_are_marked(centre):
    here = centre(now=dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))
    here.load("simple_leads", "2026-11-18", "2026-11-20")
    here.load("simple_leads", "2026-11-03")
    assert here.rows("SELECT DISTINCT origin FROM simple_leads WHERE date = '2026-11-03'") == [("backfilled",)]
    assert here.rows("SELECT DISTINCT origin FROM simple_leads WHERE date = '2026-11-20'") == [("observed",)]
    assert len(here.rows("SELECT DISTINCT origin FROM simple_leads WHERE date = '2026-11-18'")) == 2


def test_a_day_of_leads_is_what_the_world_changed_last_on_it(centre):
    here = centre()
    here.load("simple_leads", "2026-11-18")
    window = here.window("2026-11-18")
    truth = {
        (
            here.called(lead),
            lead.last_modified,
            lead.status.name,
            lead.closure.name,
            lead.campaign_id,
            lead.last_modified_by,
        )
        for lead in here.world.leads(here.now, window.start, window.end)
    }
    columns = "lead_id, last_modified_at, status, closure, campaign_id, last_modified_by"
    assert set(here.rows(f"SELECT {columns} FROM simple_leads")) == truth


def test_t32_the_fields_of_a_lead_are_kept_as_they_came(centre):
    here = centre()
    here.load("simple_leads", "2026-11-18")
    keys = {key for (keys,) in here.rows("SELECT json_keys(data) FROM lead_data WHERE data <> '{}'") for key in keys}
    assert {key for key in keys if any(letter in key for letter in "æøåÆØÅ ")}
    assert here.rows("SELECT count(*) FROM lead_data WHERE json_type(data) <> 'OBJECT'") == [(0,)]


def test_a_lead_that_is_withdrawn_or_erased_later_stays_closed_as_it_was(centre):
    here = centre(calls_per_day=400, now=dt.datetime(2026, 10, 20, 1, tzinfo=dt.UTC))
    here.load("calls,simple_leads", "2026-10-12", "2026-10-19")
    here.load("leads,lead_conversion")
    before = here.rows("SELECT * FROM lead_conversion ORDER BY ALL")
    told = dict(
        here.rows("SELECT lead_id, (closure, closed_at, attribution, agent) FROM leads WHERE closure = 'Success'")
    )
    told |= {alias(lead_id): state for lead_id, state in told.items()}
    here.clock[0] = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    here.load("simple_leads", "2026-10-20", "2026-11-20")
    here.load("leads,lead_conversion")
    columns = "lead_id, (closure, closed_at, attribution, agent)"
    query = f"SELECT {columns} FROM leads WHERE status IN ('Removed', 'Anonymized', 'DoNotCall')"
    withdrawn = {lead_id: now for lead_id, now in here.rows(query) if lead_id in told}
    assert withdrawn
    assert withdrawn == {lead_id: told[lead_id] for lead_id in withdrawn}
    assert before


@pytest.mark.parametrize("pattern", ["Nysalg Forsikrng", "Nysalk Forsikr*", "[Nn]ysalg Forsikring"])
def test_a_project_that_there_is_not_is_refused_with_those_that_come_close(centre, pattern):
    name = "Nysalg Forsikring"
    here = centre(settings={"projects": ("Kunde*", pattern)})
    told = failure(here.materialize("simple_leads", "2026-11-18"))
    assert f"HEROBASE_PROJECTS: no project that the account may see is called {pattern}, so nothing was asked" in told
    assert name in told
    assert here.lake.days(SIMPLE_LEADS) == []
    assert not [asked for asked in here.sandbox.requests if asked.path == "/simpleleads"]


def test_projects_are_looked_up_once_a_run_in_any_case_and_only_where_they_are_named(centre):
    here = centre(settings={"projects": ("NYSALG FORSIKRING", "kunde*")})
    here.load("simple_leads", "2026-11-17", "2026-11-18")
    assert [asked.path for asked in here.sandbox.requests].count("/projects") == 1
    everything = centre(data="all")
    everything.load("simple_leads", "2026-11-17", "2026-11-18")
    assert "/projects" not in {asked.path for asked in everything.sandbox.requests}


def test_an_account_that_may_not_see_the_projects_is_asked_for_those_named(centre):
    here = centre(settings={"projects": ("Kundeservice",)})
    here.sandbox.script("/projects deny")
    here.load("simple_leads", "2026-11-18")
    assert here.rows("SELECT count(*) > 0 FROM simple_leads") == [(True,)]
