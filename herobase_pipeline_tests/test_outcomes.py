"""Call outcomes against plain Python over the sandbox's world, node by node."""

import datetime as dt
from collections import defaultdict

import duckdb
import pytest

from herobase_pipeline.tables import CALLS
from herobase_pipeline_tests.conftest import failure


def folded(path):
    return tuple(code.casefold() for code in path)


@pytest.mark.parametrize("shape", [{}, {"dropped_calls": "campaign_unit"}], ids=str)
def test_t24_t25_t30a_every_call_counts_once_at_each_level_of_its_own_path(centre, shape):
    here = centre(calls_per_day=600, **shape)
    days = [str(dt.date(2026, 11, 13) + dt.timedelta(days=offset)) for offset in range(6)]
    here.load("calls,call_outcomes", days[0], days[-1])
    expected = defaultdict(lambda: [0, 0, 0.0])
    for day in days:
        for call in here.truth(day):
            for level in range(len(call.org_path) + 1):
                counts = expected[
                    dt.date.fromisoformat(day), folded(call.org_path[:level]), call.campaign_id, call.end_cause.name
                ]
                counts[0] += 1
                counts[1] += call.connected
                counts[2] += call.conversation_s or 0.0
    rows = here.rows(
        "SELECT date, org_path, campaign_id, end_cause, calls, connected, coalesce(conversation_s, 0) FROM call_outcomes"
    )
    assert {
        (day, folded(path), *rest): counts for day, path, *rest, a, b, c in rows for counts in [[a, b, c]]
    } == expected
    assert len(rows) == len(expected)
    everything = here.rows("SELECT sum(calls) FROM call_outcomes WHERE org_level = 0") == here.rows(
        "SELECT count(*) FROM calls"
    )
    assert everything
    with_path = here.rows("SELECT count(*) FROM calls WHERE len(org_path) > 0")
    assert here.rows("SELECT sum(calls) FROM call_outcomes WHERE org_level = 1") == with_path
    dropped = here.rows("SELECT count(*) FROM calls WHERE end_cause = 'DroppedCall' AND agent IS NULL")[0][0]
    assert dropped > 0
    assert here.rows("SELECT sum(calls) FROM call_outcomes WHERE org_level = 0 AND end_cause = 'DroppedCall'") == [
        (dropped,)
    ]


def test_t26_names_are_those_of_the_time_and_a_later_renaming_changes_nothing(centre):
    here = centre(calls_per_day=100)
    here.load("calls,call_outcomes", "2026-03-02", "2026-03-06")
    before = here.files()
    names = set(here.rows("SELECT org_code, org_name FROM call_outcomes WHERE org_level > 0"))
    truth = {
        pair
        for day in range(2, 7)
        for call in here.truth(f"2026-03-0{day}")
        for pair in zip(call.org_path, call.org_names, strict=True)
    }
    assert {(code.casefold(), name) for code, name in names} == {(code.casefold(), name) for code, name in truth}
    here.clock[0] += dt.timedelta(days=400)
    today = {unit.code: unit.name for unit in here.world.org_units(here.now)}
    assert any(today.get(code) not in (None, name) for code, name in truth) or truth - set(today.items())
    here.load("calls,call_outcomes", "2026-03-02", "2026-03-06")
    outcomes = {path: content for path, content in here.files().items() if "call_outcomes" in path}
    assert outcomes == {path: before[path] for path in outcomes}


def test_a_day_that_is_not_loaded_is_not_taken_for_a_quiet_one(centre):
    here = centre()
    here.load("calls", "2026-11-17")
    told = failure(here.materialize("call_outcomes", "2026-11-16", "2026-11-18"))
    assert told == (
        "call_outcomes cannot be made for 2026-11-16, 2026-11-18: calls is not loaded for these days. Materialize calls first."
    )


def test_a_source_that_is_not_loaded_at_all_is_not_taken_for_an_empty_one(centre):
    here = centre()
    here.load("calls", "2026-11-17")
    assert failure(here.materialize("leads")) == (
        "leads cannot be made: simple_leads or search_leads is not loaded for any day. "
        "Materialize simple_leads or search_leads first."
    )
    assert failure(here.materialize("drop_rates")) == (
        "drop_rates cannot be made: call_outcomes is not loaded for any day. Materialize call_outcomes first."
    )


def test_campaigns_that_come_as_codes_are_counted_apart(centre):
    here = centre(calls_per_day=300, campaign_ref="string")
    here.load("calls,simple_leads,call_outcomes", "2026-11-16", "2026-11-18")
    here.load("leads,drop_rates")
    codes = {call.campaign_code for day in (16, 17, 18) for call in here.truth(f"2026-11-{day}")}
    assert {code for (code,) in here.rows("SELECT DISTINCT campaign_id FROM call_outcomes")} == codes
    of_leads = {code for (code,) in here.rows("SELECT DISTINCT campaign_id FROM leads")}
    assert None not in of_leads
    assert of_leads & codes
    assert len(here.rows("SELECT DISTINCT campaign_id FROM drop_rates")) > 1


def test_what_duckdb_says_of_a_file_is_not_repeated(centre):
    here = centre()
    here.load("calls", "2026-11-17")
    path = here.lake.file(CALLS, dt.date(2026, 11, 17))
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT * REPLACE ('Hans Hemmelig' AS dialing_s) FROM read_parquet('{path}', hive_partitioning = false)) "
            f"TO '{path}.new' (FORMAT parquet)"
        )
    path.with_name(f"{path.name}.new").replace(path)
    told = failure(here.materialize("call_outcomes", "2026-11-17"))
    assert told.startswith("call_outcomes could not be made (")
    assert "Hemmelig" not in told
