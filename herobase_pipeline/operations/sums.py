"""Whether tables that count the same calls and leads add up to each other, on the days that are not about to be counted anew.

Of two tables by day it is noted which files agreed, and of a table by day beside one of all days what each file has, so that a
day is read again once its file is another.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ValidationError

from herobase_pipeline.deriving.made import made_from, recipe
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import define_views, view
from herobase_pipeline.lake.damage import without_damaged
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.gone import gone_days
from herobase_pipeline.lake.layout import Lake, mark
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.store import is_newer
from herobase_pipeline.tables import CALLS, LEADS, Table

_AGREED, _COUNTED = "agreed_", "counted_"
_NUMBERS = pa.schema([("day", pa.date32()), ("category", pa.string()), ("told", pa.int64()), ("counted", pa.int64())])


class _Counts(BaseModel):
    """What a day's file has: the file and by which rule it was counted, and the numbers of each category, on either side."""

    of: str
    numbers: list[tuple[str | None, int, int]]

    @classmethod
    def of_note(cls, note: Mapping[str, Any] | None) -> dict[dt.date, Self]:
        """Return what a note has of each day, as far as it can be read."""
        found = {}
        for day, counts in (note or {}).items():
            with suppress(ValidationError, ValueError):
                found[dt.date.fromisoformat(day)] = cls.model_validate(counts)
        return found


def unlike(
    lake: Lake, zone: ZoneInfo, due: dt.date, name: str, told: Mapping[Table, str], counted: Mapping[Table, str]
) -> list[tuple[dt.date, str]]:
    """Return the days on which two counts by day and category differ, each with both in words.

    Of days whose calls were written since the tables were made nothing is said: they are made again soon. Nor of those of which
    calls are past their time and gone. What a daily table counts is noted by the file of each day.

    Args:
        lake: where.
        zone: the business time zone.
        due: the last day that must be right.
        name: under which it is noted; the check's.
        told: what one table has: a SELECT of day, category and number, by the table that it reads.
        counted: what there should be, likewise, of other tables; of leads only where they are older than the first.

    """
    (table, *_), others = told, list(counted)
    there = without_damaged(lake, (CALLS, table, *others))
    if not all(map(there.has, (CALLS, table, *others))):
        return []
    leads = there.files(LEADS) if LEADS in others else []
    if made_from(there, table, leads) != set(leads):
        return []
    gone = gone_days(there, CALLS)
    calls = {there.file(CALLS, day): day for day in there.days(CALLS) if day <= due and day not in gone}
    for each in (table, *others):
        if each.daily and each is not CALLS:
            calls = {path: day for path, day in calls.items() if not is_newer(path, there.file(each, day))}
        elif each not in (CALLS, LEADS):
            calls = {path: calls[path] for path in made_from(there, each, calls)}
    days = sorted(calls.values())
    with spool(there) as folder, connect(zone, folder) as con:
        con.execute("CREATE TEMP TABLE numbers (day DATE, category VARCHAR, told BIGINT, counted BIGINT)")
        for selects, values in ((told, "sum(number)::BIGINT, 0"), (counted, "0, sum(number)::BIGINT")):
            for each, select in selects.items():
                found = f"SELECT day, category, {values} FROM ({select}) AS found (day, category, number) GROUP BY ALL"
                if each.daily:
                    _count_by_day(con, there, each, found, days, f"{_COUNTED}{name}_{each.name}", recipe(zone, found))
                else:
                    define_views(con, there, (each,))
                    con.execute(f"INSERT INTO numbers {found}")
        differing = con.execute(
            """
            SELECT day, sum(told)::BIGINT, category, sum(counted)::BIGINT
            FROM numbers WHERE day IN (SELECT unnest($days::DATE[]))
            GROUP BY day, category HAVING sum(told) <> sum(counted)
            """,
            {"days": days},
        ).fetchall()
    from_ = " and ".join(other.name for other in others)
    return [(day, f"{has:,} {what} in {table.name}, {should:,} in {from_}") for day, has, what, should in differing]


def _count_by_day(
    con: duckdb.DuckDBPyConnection, lake: Lake, table: Table, found: str, days: Sequence[dt.date], note: str, by: str
) -> None:
    """Add to ``numbers`` what a SELECT finds in a daily table: days whose file is as it was when they were counted are noted."""
    lying = _lying(lake, [table], days, by)
    noted = _Counts.of_note(notes.read(lake, note))
    same = {day: noted[day] for day in days if day in noted and noted[day].of == lying[day]}
    others = [day for day in days if day not in same]
    if others:
        con.execute(f"CREATE OR REPLACE TEMP VIEW {table.name} AS {view(lake, table, others)}")
        new = {day: _Counts(of=lying[day], numbers=[]) for day in others}
        for day, *numbers in con.execute(found).fetchall():
            new[day].numbers.append(tuple(numbers))
        same |= new
        with notes.updating(lake, note) as kept:
            kept.clear()
            kept.update({str(day): counts.model_dump() for day, counts in same.items()})
    known = [(day, *numbers) for day, counts in same.items() for numbers in counts.numbers]
    con.register(
        "known", pa.Table.from_pylist([dict(zip(_NUMBERS.names, row, strict=True)) for row in known], _NUMBERS)
    )
    con.execute("INSERT INTO numbers FROM known")


def unlike_by_day(
    lake: Lake, zone: ZoneInfo, due: dt.date, name: str, tables: Sequence[Table], query: str
) -> list[tuple[dt.date, str]]:
    """Return what a query finds on the days of two daily tables, each with what it says; not of days of which calls are gone.

    Args:
        lake: where.
        zone: the business time zone.
        due: the last day that must be right.
        name: under which it is noted which files agreed; the check's.
        tables: what the query reads, each of the days to look at only; nothing is wrong where the first was never made.
        query: the SELECT of the days that are wrong, and what is.

    """
    there = without_damaged(lake, tables)
    if not there.has(tables[0]):
        return []
    by, gone = recipe(zone, query), gone_days(there, CALLS)
    agreed = notes.read(lake, _AGREED + name) or {}
    days = {day for table in tables for day in there.days(table) if day <= due} - gone.keys()
    files = _lying(there, tables, days, by)
    changed = [day for day, marks in files.items() if agreed.get(str(day)) != marks]
    if not changed:
        return []
    with spool(there) as folder, connect(zone, folder) as con:
        for table in tables:
            con.execute(f"CREATE TEMP VIEW {table.name} AS {view(there, table, changed)}")
        found = con.execute(query).fetchall()
    wrong = {day for day, _ in found}
    with notes.updating(lake, _AGREED + name) as note:
        note.clear()
        note.update({str(day): marks for day, marks in files.items() if day not in wrong})
    return found


def _lying(lake: Lake, tables: Sequence[Table], days: Collection[dt.date], by: str) -> dict[dt.date, str]:
    """Return of each day which files it has before they are read, without hidden ones, and by which rule they are judged."""
    marks = {path: mark(path) for table in tables for path in lake.files(table, days)}
    return {day: f"{by} {[marks.get(lake.file(table, day)) for table in tables]}" for day in days}
