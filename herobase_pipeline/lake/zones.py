"""Whether DuckDB and Python agree on a zone: each has rules of its own, and a law may be newer than one of them.

Python decides which instants belong to a day (``partitions.day_bounds``), DuckDB what a stamp without a zone means.
"""

import datetime as dt
from functools import cache
from itertools import pairwise
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
    by_python, by_duckdb = _changes(start, end, zone), _changes_of_duckdb(start, end, zone)
    found: list[Difference] = []
    python = other = dt.timedelta()
    differed = False
    for since, until in pairwise([*sorted({*by_python, *by_duckdb}), end]):
        python, other = by_python.get(since, python), by_duckdb.get(since, other)
        day, until_day = (instant.astimezone(zone).date() for instant in (since, until - _STEP))
        if differed and python != other and found[-1][2:] == (python, other):
            found[-1] = found[-1]._replace(last=until_day)
        elif python != other:
            found.append(Difference(day, until_day, python, other))
        differed = python != other
    return tuple(found)


def _changes(start: dt.datetime, end: dt.datetime, zone: ZoneInfo) -> dict[dt.datetime, dt.timedelta]:
    """Return Python's offset at the first hour, and at each that has another than the hour before."""
    found = {start: utc_offset(start, zone)}
    before = found[start]
    for day in range((end - start).days):
        begin = start + dt.timedelta(days=day)
        if before == utc_offset(begin + dt.timedelta(hours=23), zone):  # it does not change twice within a day
            continue
        for instant in (begin + hour * _STEP for hour in range(24)):
            if (offset := utc_offset(instant, zone)) != before:
                found[instant] = before = offset
    return found


def _changes_of_duckdb(start: dt.datetime, end: dt.datetime, zone: ZoneInfo) -> dict[dt.datetime, dt.timedelta]:
    """Return the same by DuckDB's rules."""
    with duckdb.connect() as con:
        changes = con.execute(
            """
            SELECT second, epoch(timezone($zone, to_timestamp(second)) - timezone('UTC', to_timestamp(second)))::BIGINT AS ahead
            FROM (SELECT unnest(range($start::BIGINT, $end::BIGINT, $step::BIGINT)) AS second)
            QUALIFY ahead IS DISTINCT FROM lag(ahead) OVER (ORDER BY second)
            """,
            {
                "zone": zone.key,
                "start": int(start.timestamp()),
                "end": int(end.timestamp()),
                "step": int(_STEP.total_seconds()),
            },
        ).fetchall()
    return {dt.datetime.fromtimestamp(second, UTC): dt.timedelta(seconds=ahead) for second, ahead in changes}
