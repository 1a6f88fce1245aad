"""Today, refreshed while it runs: what is new costs what is new, and the day is what HeroBase has."""

import datetime as dt
from collections import Counter

import dagster as dg
import pytest

from herobase_pipeline.partitions import Window
from herobase_pipeline_tests.test_days import assert_is_the_truth

UTC = dt.UTC
TODAY = "2026-11-18"
REFRESH = {"herobase/refresh": "true"}


def asked(here) -> Counter:
    found = Counter(request.path for request in here.sandbox.requests)
    here.sandbox.requests.clear()
    return found


@pytest.mark.parametrize("shape", [{}, {"start_time_z": "dropped"}, {"hierarchy": "none"}], ids=str)
def test_a_day_that_is_refreshed_as_it_runs_is_what_herobase_has(centre, shape):
    here = centre(calls_per_day=1_500, now=dt.datetime(2026, 11, 18, 7, tzinfo=UTC), **shape)
    for minute in range(0, 8 * 60, 37):
        here.clock[0] = dt.datetime(2026, 11, 18, 7, tzinfo=UTC) + dt.timedelta(minutes=minute)
        assert here.materialize("calls,simple_leads", TODAY, tags=REFRESH).success
    if not shape:
        assert_is_the_truth(here, TODAY)
    truth = {call.id for call in here.truth(TODAY)}
    assert {call_id for (call_id,) in here.rows("SELECT call_id FROM calls")} == truth
    assert here.rows("SELECT count(*), count(DISTINCT call_id) FROM calls") == [(len(truth), len(truth))]
    window = Window(here.window(TODAY).start, here.now)
    leads = {(lead.id, lead.last_modified) for lead in here.world.leads(here.now, window.start, window.end)}
    assert set(here.rows("SELECT lead_id, last_modified_at FROM simple_leads")) >= leads


def test_a_refresh_asks_once_and_for_little(centre):
    here = centre(calls_per_day=20_000, now=dt.datetime(2026, 11, 18, 12, tzinfo=UTC))
    here.load("calls,simple_leads", TODAY)
    asked(here)
    here.clock[0] += dt.timedelta(minutes=1)
    result = here.materialize("calls,simple_leads", TODAY, tags=REFRESH)
    assert result.success
    assert asked(here) == {"/calls": 1, "/organizationalunits": 1, "/simpleleads": 1}
    made = here.instance.get_latest_materialization_event(dg.AssetKey("calls")).asset_materialization
    assert made.metadata["bytes"].value < 2_000_000  # the day has 12 MB by now


def test_a_pull_without_calls_does_not_say_that_they_have_no_hierarchy(centre):
    here = centre(calls_per_day=0)
    here.load("calls", TODAY)
    made = here.instance.get_latest_materialization_event(dg.AssetKey("calls")).asset_materialization
    assert made.metadata["dagster/partition_row_count"].value == 0
    assert "hierarchy_field" not in made.metadata


def test_calls_in_progress_are_finished_by_the_next_refresh(centre):
    here = centre(calls_per_day=3_000, now=dt.datetime(2026, 11, 18, 10, tzinfo=UTC))
    here.load("calls", TODAY)
    unsettled = {call_id for (call_id,) in here.rows("SELECT call_id FROM calls WHERE ended_at IS NULL")}
    assert unsettled
    here.clock[0] += dt.timedelta(minutes=45)
    assert here.materialize("calls", TODAY, tags=REFRESH).success
    still = {call_id for (call_id,) in here.rows("SELECT call_id FROM calls WHERE ended_at IS NULL")}
    assert not still & unsettled
    assert_is_the_truth(here, TODAY)


def test_what_a_refresh_cannot_know_the_nights_pull_brings(centre):
    here = centre(calls_per_day=1_000, now=dt.datetime(2026, 11, 18, 12, tzinfo=UTC))
    here.load("calls,simple_leads,call_outcomes", TODAY)
    here.clock[0] += dt.timedelta(hours=3)
    assert here.materialize("calls,simple_leads,call_outcomes", TODAY, tags=REFRESH).success
    assert here.rows("SELECT DISTINCT is_mature FROM call_outcomes") == [(False,)]
    here.clock[0] = dt.datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
    here.load("calls,simple_leads,call_outcomes", TODAY)
    assert_is_the_truth(here, TODAY)
    assert here.rows("SELECT DISTINCT is_mature FROM call_outcomes") == [(True,)]
