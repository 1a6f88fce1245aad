"""Where DuckDB and Python disagree on a zone."""

import datetime as dt
from zoneinfo import ZoneInfo

import duckdb
import pytest

from herobase_pipeline.lake.zones import zone_differences

FIRST, LAST = dt.date(2020, 1, 1), dt.date(2028, 12, 31)


class Later(ZoneInfo):
    """A zone of which Python knows a law that DuckDB does not: an hour ahead from 2027 on."""

    def utcoffset(self, when):
        offset = super().utcoffset(when)
        return offset + dt.timedelta(hours=1) if when and when.year >= 2027 else offset


def test_copenhagen_is_the_same_in_both():
    assert zone_differences(ZoneInfo("Europe/Copenhagen"), FIRST, LAST) == ()


def test_a_law_that_only_python_knows_is_named_with_its_days():
    found = zone_differences(Later("Atlantic/Reykjavik"), FIRST, LAST)
    assert [(each.first, each.last) for each in found] == [(dt.date(2027, 1, 1), dt.date(2028, 12, 31))]
    assert (found[0].python, found[0].duckdb) == (dt.timedelta(hours=1), dt.timedelta())


@pytest.mark.parametrize(
    "name", ["Europe/Copenhagen", "Atlantic/Reykjavik", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)
@pytest.mark.parametrize("law", [ZoneInfo, Later])
def test_the_differences_are_those_of_every_hour(name, law):
    zone = law(name)
    start, hours = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 24 * 730
    instants = [start + dt.timedelta(hours=hour) for hour in range(hours)]
    with duckdb.connect() as con:
        ahead = con.execute(
            "SELECT epoch(timezone(?, to_timestamp(s)) - timezone('UTC', to_timestamp(s)))::BIGINT "
            "FROM (SELECT unnest(?::BIGINT[]) AS s)",
            [zone.key, [int(each.timestamp()) for each in instants]],
        ).fetchall()
    differing = {
        (each.astimezone(zone).date(), each.astimezone(zone).utcoffset(), dt.timedelta(seconds=seconds))
        for each, (seconds,) in zip(instants, ahead, strict=True)
        if each.astimezone(zone).utcoffset() != dt.timedelta(seconds=seconds)
    }
    found = zone_differences(zone, dt.date(2026, 1, 1), dt.date(2027, 12, 31))
    told = {
        (each.first + dt.timedelta(days=n), each.python, each.duckdb)
        for each in found
        for n in range((each.last - each.first).days + 1)
    }
    assert told == differing
    assert differing or law is ZoneInfo
