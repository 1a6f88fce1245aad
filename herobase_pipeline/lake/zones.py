"""Whether DuckDB and Python agree on a zone: each has rules of its own, and a law may be newer than one of them.

Python decides which instants belong to a day (``partitions.day_bounds``), DuckDB what a stamp without a zone means.
"""

import datetime as dt
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.partitions import UTC, utc_offset

_STEP = dt.timedelta(hours=1)


class Difference(NamedTuple):
    """A stretch in which the two say different things: local days by Python's rules, first and last, and offsets."""

    first: dt.date
    last: dt.date
    python: dt.timedelta
    duckdb: dt.timedelta


@cache
def zone_differences(zone: ZoneInfo, first: dt.date, last: dt.date) -> tuple[Difference, ...]:
    """Return where DuckDB's offset from UTC is not Python's, from one day to another, in order; looked at hour by hour."""
    start, end = (dt.datetime.combine(day, dt.time(), UTC) for day in (first, last + dt.timedelta(days=1)))
    with duckdb.connect() as con:
        offsets = con.execute(
            """
            SELECT epoch(timezone($zone, to_timestamp(second)) - timezone('UTC', to_timestamp(second)))::BIGINT
            FROM (SELECT unnest(range($start::BIGINT, $end::BIGINT, $step::BIGINT)) AS second) ORDER BY second
            """,
            {
                "zone": zone.key,
                "start": int(start.timestamp()),
                "end": int(end.timestamp()),
                "step": int(_STEP.total_seconds()),
            },
        ).fetchall()
    found: list[Difference] = []
    previous = None
    for hour, (seconds,) in enumerate(offsets):
        instant = start + hour * _STEP
        python, other = utc_offset(instant, zone), dt.timedelta(seconds=seconds)
        if python == other:
            continue
        day = instant.astimezone(zone).date()
        if found and previous == hour - 1 and found[-1][2:] == (python, other):
            found[-1] = found[-1]._replace(last=day)
        else:
            found.append(Difference(day, day, python, other))
        previous = hour
    return tuple(found)
