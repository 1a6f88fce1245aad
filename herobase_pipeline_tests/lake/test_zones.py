"""Where DuckDB and Python disagree on a zone."""

import datetime as dt
from zoneinfo import ZoneInfo

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
