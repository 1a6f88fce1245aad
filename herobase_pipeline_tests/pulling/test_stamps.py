"""The short way to read a stamp of the days around a pull reads the same as the long one."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herobase_pipeline.lake.engine import connect
from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.pulling.day import happened_then

ZONES = ("Europe/Copenhagen", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "UTC")
CHANGES = {
    "Europe/Copenhagen": (dt.date(2026, 3, 29), dt.date(2026, 10, 25)),
    "America/New_York": (dt.date(2026, 3, 8), dt.date(2026, 11, 1)),
    "Australia/Lord_Howe": (dt.date(2026, 4, 5), dt.date(2026, 10, 4)),
}
WITHOUT_ZONE = ("", ".1", ".1234567", ".12345678", ".123456789", " ")
SUFFIXES = (*WITHOUT_ZONE, "Z", "+01:00", "+0200", ".0000000Z", "x")


@pytest.fixture(params=ZONES)
def reading(request, tmp_path):
    """A zone, and a connection that reads in it."""
    zone = ZoneInfo(request.param)
    with connect(zone, tmp_path) as con:
        yield zone, con


@given(st.dates(dt.date(2020, 1, 1), dt.date(2026, 12, 30)), st.integers(-100_000, 200_000), st.sampled_from(SUFFIXES))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stamp_of_these_days_reads_the_same_by_either_way(reading, day, second, suffix):
    zone, con = reading
    bounds = day_bounds(day, zone)
    short = happened_then(bounds, zone)
    if short is None:
        return
    latest = max(dt.datetime.now(dt.UTC), bounds.end) + dt.timedelta(days=1)  # as a pull sets it
    con.execute(f"CREATE OR REPLACE MACRO tomorrow() AS '{latest.isoformat()}'::TIMESTAMPTZ")
    con.execute(f"CREATE OR REPLACE MACRO happened_then(clock) AS {short}")
    stamp = (dt.datetime.combine(day, dt.time()) + dt.timedelta(seconds=second)).isoformat() + suffix
    ((by_either, by_the_long, by_the_short),) = con.execute(
        "SELECT happened(x), happened_ever(x), happened_then(clock(x)) FROM (SELECT $x AS x)", {"x": stamp}
    ).fetchall()
    assert by_either == by_the_long
    if suffix not in WITHOUT_ZONE:
        assert by_the_short is None
    elif 0 <= second < 80_000:
        assert by_the_short is not None


@pytest.mark.parametrize(("name", "day"), [(name, day) for name, days in CHANGES.items() for day in days])
def test_days_around_a_change_of_the_clocks_are_read_the_long_way(name, day):
    zone = ZoneInfo(name)
    for distance in (-1, 0, 1):
        assert happened_then(day_bounds(day + dt.timedelta(days=distance), zone), zone) is None
    for distance in (-4, 4):
        assert happened_then(day_bounds(day + dt.timedelta(days=distance), zone), zone) is not None


@pytest.mark.parametrize(
    "text", ["", "2026-11-18", "2026-11-18T12:00", "18-11-2026 12:00:00", "2026-11-18T25:00:00", "2026-13-01T00:00:00"]
)
def test_what_is_no_such_stamp_is_left_to_the_long_way(reading, text):
    zone, con = reading
    con.execute(
        f"CREATE OR REPLACE MACRO happened_then(clock) AS {happened_then(day_bounds(dt.date(2026, 11, 18), zone), zone)}"
    )
    ((short, either, long),) = con.execute(
        "SELECT happened_then(clock(x)), happened(x), happened_ever(x) FROM (SELECT $x AS x)", {"x": text}
    ).fetchall()
    assert short is None
    assert either == long
