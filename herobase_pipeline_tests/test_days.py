"""Days: the calls of a local day are exactly the world's, whatever the clocks do and however many days a run takes."""

import datetime as dt
from collections import Counter

import dagster as dg
import pytest

from herobase_pipeline_tests.conftest import Centre

ONE_OF_EACH = "SELECT call_id, count(*) FROM calls WHERE date = '{}' GROUP BY 1"


def assert_is_the_truth(centre: Centre, day: str) -> None:
    rows = centre.rows(
        "SELECT call_id, started_at, ended_at, end_cause, call_status, lead_closure, connected, incoming, dialing_s, "
        "conversation_s, wrap_up_s, lead_id, campaign_id, campaign_code, agent, org_path, org_names "
        f"FROM calls WHERE date = '{day}'"
    )
    truth = [
        (
            call.id, call.start, call.end, call.end_cause.name, call.status.name, call.closure.name, call.connected,
            call.incoming, call.dialing_s, call.conversation_s, call.wrap_up_s, call.lead_id, call.campaign_id,
            call.campaign_code, call.agent, list(call.org_path), list(call.org_names),
        )
        for call in centre.truth(day)
    ]  # fmt: skip
    assert sorted(rows) == sorted(truth)


@pytest.mark.parametrize("day", ["2026-03-02", "2026-03-29", "2026-10-24", "2026-10-26", "2026-11-20"])
def test_a_day_is_the_worlds_day(centre, day):
    here = centre()
    here.load("calls", day)
    assert here.truth(day)
    assert_is_the_truth(here, day)


def test_t7_a_day_of_23_hours_and_one_of_25(centre):
    here = centre(calls_per_day=2_000)
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        here.load("calls", day)
        assert here.window(day).length == dt.timedelta(hours=hours)
        counted = dict(here.rows(ONE_OF_EACH.format(day)))
        assert counted == Counter(call.id for call in here.truth(day))


def test_t6_calls_of_the_hour_that_occurs_twice_appear_once_and_in_their_day(centre):
    here = centre(calls_per_day=2_000)
    here.load("calls", "2026-10-24", "2026-10-26")
    doubled = [call for call in here.truth("2026-10-25") if call.start.astimezone(here.settings.zone).hour == 2]
    assert {call.start.astimezone(here.settings.zone).utcoffset() for call in doubled} == {
        dt.timedelta(hours=1),
        dt.timedelta(hours=2),
    }
    found = dict(here.rows("SELECT call_id, count(*) FROM calls GROUP BY 1"))
    assert [found[call.id] for call in doubled] == [1] * len(doubled)
    # a stamp without a zone cannot tell the two passes apart: it is read as the first, and no call ends before it starts
    first_pass = here.rows(
        "SELECT count(*) FROM calls WHERE started_at >= '2026-10-25T01:00:00Z' AND started_at < '2026-10-25T02:00:00Z'"
    )
    assert first_pass == [(0,)]
    assert here.rows("SELECT count(*) FROM calls WHERE ended_at < started_at") == [(0,)]


@pytest.mark.parametrize("stamps", ["utc", "offset", "ms_date"])
def test_stamps_with_a_zone_tell_the_two_passes_apart(centre, stamps):
    here = centre(calls_per_day=2_000, stamps=stamps)
    here.load("calls", "2026-10-25")
    assert_is_the_truth(here, "2026-10-25")


def test_a_range_is_the_union_of_its_days_and_shows_each_days_rows(centre):
    days = ["2026-03-28", "2026-03-29", "2026-03-30"]
    at_once, one_by_one = centre(data="range"), centre(data="days")
    at_once.load("calls,simple_leads,call_outcomes", days[0], days[-1])
    for day in days:
        one_by_one.load("calls,simple_leads,call_outcomes", day)
    for table in ("calls", "simple_leads", "lead_data", "call_phones", "call_outcomes"):
        columns = "* EXCLUDE (observed_at)" if table in ("calls", "simple_leads") else "*"
        query = f"SELECT {columns} FROM {table} ORDER BY ALL"
        assert at_once.rows(query) == one_by_one.rows(query)
        assert table == "call_phones" or at_once.rows(query)
    assert at_once.rows_shown("calls") == {day: len(at_once.truth(day)) for day in days}
    assert at_once.rows_shown("private/call_phones").keys() == set(days)


def told(here, table, day) -> dict[str, float]:
    """What the UI plots of a day."""
    found = here.instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey(table), [day]), limit=1).records
    return {name: value.value for name, value in found[0].asset_materialization.metadata.items()}


def test_each_day_tells_what_it_cost_and_how_late_it_was_pulled(centre):
    here = centre(service_limits=("/calls=100", "/simpleleads=50"))
    here.load("calls,simple_leads", "2026-11-18", "2026-11-20")
    ended, running = (told(here, "calls", day) for day in ("2026-11-18", "2026-11-20"))
    assert ended["lag_s"] == (here.now - here.window("2026-11-18").end).total_seconds()
    ((newest,),) = here.rows("SELECT max(started_at) FROM calls")
    assert running["lag_s"] == round((here.now - newest).total_seconds()) > 0
    asked = Counter(served.path for served in here.sandbox.requests)
    # the first day's answer and the much smaller one of the day that runs are looked at for a cut (trap T14)
    assert (ended["requests"], running["requests"], asked["/calls"]) == (1 + 3, 1 + 3, 3 + 1 + 3)
    assert (ended["quota_left"], running["quota_left"]) == (97, 93)
    assert told(here, "simple_leads", "2026-11-20")["quota_left"] == 50 - asked["/simpleleads"]
    assert 0 < ended["seconds"] < 60
    assert ended["bytes"] > len(here.truth("2026-11-18")) * 100


def test_an_empty_day_is_a_file_with_all_columns(centre):
    here = centre()
    empty = next(
        day
        for day in (f"2026-{month:02d}-{day:02d}" for month in (1, 12, 4, 5) for day in range(1, 29))
        if day < "2026-11-20" and not here.truth(day)
    )
    here.load("calls,simple_leads,call_outcomes", empty)
    assert here.rows("SELECT count(*) FROM calls") == [(0,)]
    described = [
        name
        for name, *_ in here.rows(f"DESCRIBE SELECT * FROM '{here.lake.root}/lake/calls/date={empty}/part.parquet'")
    ]
    assert described[:3] == ["call_id", "call_date", "started_at"]


def test_t10_a_call_across_midnight_belongs_to_the_day_of_its_start(centre):
    here = centre(calls_per_day=2_000)
    zone = here.settings.zone
    night = next(
        call
        for offset in range(200)
        for call in here.truth(str(dt.date(2026, 2, 1) + dt.timedelta(days=offset)))
        if call.end and call.start.astimezone(zone).date() < call.end.astimezone(zone).date()
    )
    day = night.start.astimezone(zone).date()
    here.load("calls", str(day), str(day + dt.timedelta(days=1)))
    assert here.rows(f"SELECT date, conversation_s FROM calls WHERE call_id = '{night.id}'") == [
        (day, night.conversation_s)
    ]


def test_t8_a_call_in_progress_is_unsettled_and_its_final_values_win(centre):
    noon = dt.datetime(2026, 11, 19, 11, tzinfo=dt.UTC)
    here = centre(now=noon, calls_per_day=2_000)
    here.load("calls", "2026-11-19")
    running = here.rows("SELECT call_id FROM calls WHERE ended_at IS NULL")
    assert running
    assert here.rows("SELECT DISTINCT settled FROM calls WHERE ended_at IS NULL") == [(False,)]
    here.clock[0] = noon + dt.timedelta(days=1)
    here.load("calls", "2026-11-19")
    assert_is_the_truth(here, "2026-11-19")
    assert here.rows(
        f"SELECT count(*) FROM calls WHERE list_contains({[call_id for (call_id,) in running]}, call_id) AND settled"
    ) == [(len(running),)]


def test_t9_a_status_that_comes_days_later_is_settled_by_the_next_pull(centre):
    here = centre(calls_per_day=2_000)
    late = "2026-11-12"
    here.clock[0] = dt.datetime(2026, 11, 13, 3, tzinfo=dt.UTC)
    here.load("calls", late)
    open_then = {call_id for (call_id,) in here.rows("SELECT call_id FROM calls WHERE NOT settled")}
    assert open_then
    here.clock[0] = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    here.load("calls", late)
    assert_is_the_truth(here, late)
    still_open = {call_id for (call_id,) in here.rows("SELECT call_id FROM calls WHERE NOT settled")}
    assert still_open < open_then
