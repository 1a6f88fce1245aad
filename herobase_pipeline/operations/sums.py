"""Whether tables that count the same calls and leads add up to each other, on the days that are not about to be counted anew.

Of two tables by day it is noted which files agreed, so that a day is looked at again once one of its files is another.
"""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

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

_AGREED = "agreed_"


def unlike(
    lake: Lake, zone: ZoneInfo, due: dt.date, table: Table, others: Sequence[Table], told: str, counted: str
) -> list[tuple[dt.date, str]]:
    """Return the days on which two SELECTs of day, category and number have other sums, each with both in words.

    Of days whose calls were written since the tables were made nothing is said: they are made again soon. Nor of those of which
    calls are past their time and gone.

    Args:
        lake: where.
        zone: the business time zone.
        due: the last day that must be right.
        table: what ``told`` reads.
        others: what ``counted`` reads; of leads only where they are older than the table.
        told: the SELECT of what the table has.
        counted: the SELECT of what there should be.

    """
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
        define_views(con, there, tuple(dict.fromkeys((table, *others))))
        found = con.execute(
            f"""
            SELECT day, sum(told)::BIGINT, category, sum(counted)::BIGINT
            FROM (
                SELECT day, category, number AS told, 0 AS counted FROM ({told}) AS told (day, category, number)
                UNION ALL
                SELECT day, category, 0, number FROM ({counted}) AS counted (day, category, number)
            )
            WHERE day IN (SELECT unnest($days::DATE[]))
            GROUP BY day, category HAVING sum(told) <> sum(counted)
            """,
            {"days": days},
        ).fetchall()
    from_ = " and ".join(other.name for other in others)
    return [(day, f"{has:,} {what} in {table.name}, {should:,} in {from_}") for day, has, what, should in found]


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
    # which they are before they are read, and by which rule they are judged
    lying = {path: mark(path) for table in tables for path in there.files(table, days)}  # without hidden ones
    files = {day: f"{by} {[lying.get(there.file(table, day)) for table in tables]}" for day in days}
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
