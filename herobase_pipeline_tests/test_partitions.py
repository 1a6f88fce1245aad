"""Days: exact in UTC, without gap or overlap, whatever the clocks do."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herobase_pipeline.partitions import UTC, Window, day_bounds, local_day, repeated_hour, utc_offset

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
HOUR = dt.timedelta(hours=1)
ZONES = [
    "Europe/Copenhagen", "Europe/London", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe",
    "Asia/Kolkata", "Asia/Beirut", "Africa/Cairo", "America/Havana", "Atlantic/Azores", "Pacific/Auckland", "UTC",
]  # fmt: skip
DAYS = st.dates(dt.date(2000, 1, 2), dt.date(2036, 12, 30))


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "start", "end", "hours"),
    [
        ("Europe/Copenhagen", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00", 23),
        ("Europe/Copenhagen", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00", 25),
        ("Europe/Copenhagen", "2026-07-01", "2026-06-30T22:00", "2026-07-01T22:00", 24),
        ("Europe/London", "2026-10-25", "2026-10-24T23:00", "2026-10-26T00:00", 25),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00", 25),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00", "2026-03-09T04:00", 23),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", "2026-04-05T13:30", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30", "2026-10-04T13:00", 23.5),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00", 25),
    ],
)
def test_t7_a_day_is_as_long_as_the_clocks_make_it(zone, day, start, end, hours):
    bounds = day_bounds(dt.date.fromisoformat(day), ZoneInfo(zone))
    assert bounds == Window(utc(start), utc(end))
    assert bounds.length == dt.timedelta(hours=hours)


@given(DAYS, st.sampled_from(ZONES))
def test_t4_days_meet_without_gap_or_overlap(day, name):
    zone = ZoneInfo(name)
    one, other = day_bounds(day, zone), day_bounds(day + dt.timedelta(days=1), zone)
    assert one.end == other.start
    assert dt.timedelta(hours=22) < one.length < dt.timedelta(hours=26)
    assert one.start.utcoffset() == one.end.utcoffset() == dt.timedelta()


@given(st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2036, 12, 30), timezones=st.just(UTC)), st.sampled_from(ZONES))
def test_an_instant_lies_within_its_local_day(instant, name):
    zone = ZoneInfo(name)
    day = local_day(instant, zone)
    assert str(day) == instant.astimezone(zone).strftime("%Y-%m-%d")
    bounds = day_bounds(day, zone)
    assert bounds.start <= instant < bounds.end


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("Europe/Copenhagen", "2026-10-25", "2026-10-25T01:00", "2026-10-25T02:00"),
        ("Europe/London", "2026-10-25", "2026-10-25T01:00", "2026-10-25T02:00"),
        ("America/New_York", "2026-11-01", "2026-11-01T06:00", "2026-11-01T07:00"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T15:00", "2026-04-04T15:30"),
        ("America/Havana", "2026-11-01", "2026-11-01T05:00", "2026-11-01T06:00"),
    ],
)
@pytest.mark.parametrize("margin", [dt.timedelta(), 3 * HOUR, dt.timedelta(minutes=47, seconds=13)])
def test_t6_the_second_pass_of_the_hour_that_occurs_twice(zone, day, start, end, margin):
    bounds = day_bounds(dt.date.fromisoformat(day), ZoneInfo(zone)).widened(margin)
    assert repeated_hour(bounds, ZoneInfo(zone)) == Window(utc(start), utc(end))


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-23", "2026-10-27", "2026-07-01"])
@pytest.mark.parametrize("zone", ["Europe/Copenhagen", "UTC", "Asia/Kolkata"])
def test_t6_on_other_days_no_hour_occurs_twice(zone, day):
    bounds = day_bounds(dt.date.fromisoformat(day), ZoneInfo(zone)).widened(3 * HOUR)
    assert repeated_hour(bounds, ZoneInfo(zone)) is None


@given(DAYS, st.sampled_from(ZONES))
def test_t6_the_second_pass_shows_the_same_clock_as_the_first(day, name):
    zone = ZoneInfo(name)
    bounds = day_bounds(day, zone)
    found = repeated_hour(bounds, zone)
    offsets = [
        utc_offset(bounds.start + i * HOUR / 2, zone) for i in range(53) if bounds.start + i * HOUR / 2 <= bounds.end
    ]
    assert (found is not None) == (sorted(offsets) != offsets)
    if found:
        first = found.start - found.length
        assert first.astimezone(zone).replace(tzinfo=None, fold=0) == found.start.astimezone(zone).replace(
            tzinfo=None, fold=0
        )
        assert (first.astimezone(zone).fold, found.start.astimezone(zone).fold) == (0, 1)
        last = found.end - dt.timedelta(microseconds=1)
        assert (last.astimezone(zone).fold, found.end.astimezone(zone).fold) == (1, 0)


@given(
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2026, 12, 30), timezones=st.just(UTC)),
    st.timedeltas(dt.timedelta(seconds=3), dt.timedelta(days=2)),
)
def test_t4_halves_meet_at_a_whole_second_inside(start, length):
    window = Window(start, start + length)
    first, second = window.halves()
    assert first.start == window.start
    assert first.end == second.start
    assert second.end == window.end
    assert first.end.microsecond == 0
    assert abs(first.length - second.length) < dt.timedelta(seconds=2)


def test_a_margin_widens_both_sides():
    bounds = day_bounds(dt.date(2026, 10, 25), COPENHAGEN)
    wide = bounds.widened(2 * HOUR)
    assert (bounds.start - wide.start, wide.end - bounds.end) == (2 * HOUR, 2 * HOUR)
    assert wide.length == 29 * HOUR


@pytest.mark.parametrize(("at", "hours"), [("2026-07-01T00:00", 2), ("2026-12-01T00:00", 1)])
def test_the_offset_is_that_of_the_instant(at, hours):
    assert utc_offset(utc(at), COPENHAGEN) == dt.timedelta(hours=hours)
