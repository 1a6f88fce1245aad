"""Answers that HeroBase cuts without a word: the rest is asked for, whatever the number, or the day fails (trap T14)."""

import datetime as dt
from collections import Counter

import pytest

from herobase_pipeline_tests.test_days import assert_is_the_truth

DAY = "2026-11-18"
SERVICES = {"calls": "/calls", "simple_leads": "/simpleleads"}


def in_the_world(here, table, first, last=None):
    window = here.window(first, last)
    if table == "calls":
        return {call.id for call in here.world.calls(window.start, window.end, here.now)}
    return {here.called(lead) for lead in here.world.leads(here.now, window.start, window.end)}


def in_the_lake(here, table):
    return {found for (found,) in here.rows(f"SELECT {'call_id' if table == 'calls' else 'lead_id'} FROM {table}")}


@pytest.mark.parametrize(("table", "cap"), [("calls", 25), ("calls", 137), ("simple_leads", 75), ("simple_leads", 300)])
def test_t14_answers_cut_at_any_number_are_looked_behind(centre, table, cap):
    here = centre(calls_per_day=500)
    here.sandbox.script(f"{SERVICES[table]} max_rows={cap}")
    days = "2026-11-17", "2026-11-18"
    before = in_the_world(here, table, *days)
    here.load(table, *days)
    assert in_the_world(here, table, *days) <= in_the_lake(here, table) <= before  # leads change while a pull waits


@pytest.mark.parametrize("table", SERVICES)
@pytest.mark.parametrize(
    ("zone", "z"),
    [("Europe/Copenhagen", "dropped"), ("America/Los_Angeles", "dropped"), ("America/Los_Angeles", "honoured")],
)
def test_t14_a_cap_is_noticed_however_stamps_are_read(centre, table, zone, z):
    here = centre(calls_per_day=600, start_time_z=z, timezone=zone, settings={"timezone": zone})
    here.sandbox.script(f"{SERVICES[table]} max_rows=75")
    here.load(table, DAY)
    assert in_the_lake(here, table) == in_the_world(here, table, DAY)


def test_t14_a_cap_that_is_new_is_noticed_on_the_first_day_that_lacks_much(centre):
    here = centre(calls_per_day=600)
    here.load("calls", "2026-11-16")
    here.sandbox.script("/calls max_rows=211")
    here.load("calls", "2026-11-17")
    assert_is_the_truth(here, "2026-11-17")


def test_t14_a_cap_close_to_the_usual_is_noticed_on_the_second_day(centre):
    here = centre(calls_per_day=600)
    here.load("calls", "2026-11-16")
    cap = len(here.truth("2026-11-16")) - 10
    here.sandbox.script(f"/calls max_rows={cap}")
    here.load("calls", "2026-11-17", "2026-11-18")
    assert_is_the_truth(here, "2026-11-18")
    assert len(here.truth("2026-11-17")) > cap >= here.rows_shown("calls")["2026-11-17"]


def test_t14_days_of_the_usual_size_cost_one_request_each(centre):
    here = centre(calls_per_day=600)

    def requests(day):
        here.sandbox.requests.clear()
        here.load("calls", day)
        return Counter(request.path for request in here.sandbox.requests)["/calls"]

    assert requests("2026-11-12") == 1 + 2  # the first of the day that it is
    usual = [f"2026-11-{day}" for day in (16, 17, 18, 19)]
    largest = max(usual, key=lambda day: len(here.truth(day)))
    assert requests(largest) <= 1 + 2
    assert [requests(day) for day in usual if day != largest] == [1, 1, 1]
    assert requests("2026-11-14") == 1 + 2  # a Saturday has far fewer
    here.clock[0] += dt.timedelta(days=1)
    assert requests("2026-11-17") == 1 + 2  # the first of a day again


def test_t14_a_refresh_after_hours_that_is_cut_is_looked_behind(centre):
    here = centre(calls_per_day=3_000, now=dt.datetime(2026, 11, 18, 9, tzinfo=dt.UTC))
    here.load("calls", DAY)
    here.clock[0] += dt.timedelta(hours=6)
    here.sandbox.script("/calls max_rows=150")
    here.materialize("calls", DAY, tags={"herobase/refresh": "true"})
    assert in_the_lake(here, "calls") == in_the_world(here, "calls", DAY)
