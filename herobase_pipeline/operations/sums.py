"""Whether tables that count the same calls and leads add up to each other, on the days that are not about to be counted anew.

Of two tables by day it is noted which files agreed, and of tables of several files beside one of all days what each file has
(see ``by_file``), so that a file is read again once it is another.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from zoneinfo import ZoneInfo

from herobase_pipeline.deriving.made import made_from, recipe
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import define_views, view
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.gone import gone_days
from herobase_pipeline.lake.layout import Lake, mark
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.store import is_newer
from herobase_pipeline.operations import by_file
from herobase_pipeline.tables import CALLS, LEADS, Table

_AGREED = "agreed_"
_TWICE = """
    WITH twice AS (
        SELECT call_id FROM calls SEMI JOIN changed USING (call_id) GROUP BY call_id HAVING count(*) > 1
    )
    SELECT date, count(*) || ' rows of calls that are there more than once'
    FROM calls SEMI JOIN twice USING (call_id) GROUP BY date
"""


def unlike(
    lake: Lake, zone: ZoneInfo, due: dt.date, name: str, told: Mapping[Table, str], counted: Mapping[Table, str]
) -> list[tuple[dt.date, str]]:
    """Return the days on which two counts by day and category differ, each with both in words.

    Of days whose calls were written since the tables were made nothing is said: they are made again soon. Nor of those of which
    calls are past their time and gone. What each file of a table by day or month counts is noted.

    Args:
        lake: where, without damaged files.
        zone: the business time zone.
        due: the last day that must be right.
        name: under which it is noted; the check's.
        told: what one table has: a SELECT of day, category and number, by the table that it reads; of leads, which lie by
            month, their ``month`` first.
        counted: what there should be, likewise, of other tables; of leads only where they are older than the first.

    """
    (table, *_), others = told, list(counted)
    if not all(map(lake.has, (CALLS, table, *others))):
        return []
    leads = lake.files(LEADS) if LEADS in others else []
    if made_from(lake, table, leads) != set(leads):
        return []
    gone = gone_days(lake, CALLS)
    calls = {lake.file(CALLS, day): day for day in lake.days(CALLS) if day <= due and day not in gone}
    for each in (table, *others):
        if each.daily and each is not CALLS:
            calls = {path: day for path, day in calls.items() if not is_newer(path, lake.file(each, day))}
        elif each not in (CALLS, LEADS):
            calls = {path: calls[path] for path in made_from(lake, each, calls)}
    days = sorted(calls.values())
    with spool(lake) as folder, connect(zone, folder) as con:
        con.execute("CREATE TEMP TABLE numbers (day DATE, category VARCHAR, told BIGINT, counted BIGINT)")
        for selects, values in ((told, "sum(number)::BIGINT, 0"), (counted, "0, sum(number)::BIGINT")):
            for each, select in selects.items():
                names = f"{'month, ' if each.monthly else ''}day, category, number"
                found = (
                    f"SELECT * REPLACE (sum(number)::BIGINT AS number) FROM ({select}) AS found ({names}) GROUP BY ALL"
                )
                if each.daily or each.monthly:
                    noted = f"{name}_{each.name}"
                    by_file.define(con, lake, zone, noted, each, found, days if each.daily else None)
                    found = f"FROM {noted}"
                else:
                    define_views(con, lake, (each,))
                con.execute(f"INSERT INTO numbers SELECT day, category, {values} FROM ({found}) GROUP BY ALL")
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


def unlike_by_day(
    lake: Lake, zone: ZoneInfo, due: dt.date, name: str, tables: Sequence[Table], query: str
) -> list[tuple[dt.date, str]]:
    """Return what a query finds on the days of two daily tables, each with what it says; not of days of which calls are gone.

    Args:
        lake: where, without damaged files.
        zone: the business time zone.
        due: the last day that must be right.
        name: under which it is noted which files agreed; the check's.
        tables: what the query reads, each of the days to look at only; nothing is wrong where the first was never made.
        query: the SELECT of the days that are wrong, and what is.

    """
    if not lake.has(tables[0]):
        return []
    by, gone = recipe(zone, query), gone_days(lake, CALLS)
    days = {day for table in tables for day in lake.days(table) if day <= due} - gone.keys()

    def look(changed: Collection[dt.date]) -> list[tuple[dt.date, str]]:
        with spool(lake) as folder, connect(zone, folder) as con:
            for table in tables:
                con.execute(f"CREATE TEMP VIEW {table.name} AS {view(lake, table, changed)}")
            return con.execute(query).fetchall()

    return _unless_agreed(lake, name, _lying(lake, tables, days, by), look)


def twice(lake: Lake, zone: ZoneInfo, since: dt.date, name: str) -> list[tuple[dt.date, str]]:
    """Return the days from one on that have calls which are there more than once, on the same day or two of these.

    Args:
        lake: where, without damaged files.
        zone: the business time zone.
        since: the first of the days.
        name: under which it is noted which files agreed; the check's.

    """
    days = {day for day in lake.days(CALLS) if day >= since}

    def look(changed: Collection[dt.date]) -> list[tuple[dt.date, str]]:
        with spool(lake) as folder, connect(zone, folder) as con:
            con.execute(f"CREATE TEMP VIEW calls AS {view(lake, CALLS, days)}")
            con.execute(f"CREATE TEMP VIEW changed AS {view(lake, CALLS, changed)}")
            return con.execute(_TWICE).fetchall()

    return _unless_agreed(lake, name, _lying(lake, [CALLS], days, recipe(zone, _TWICE)), look)


def _unless_agreed(
    lake: Lake,
    name: str,
    files: Mapping[dt.date, str],
    look: Callable[[Collection[dt.date]], list[tuple[dt.date, str]]],
) -> list[tuple[dt.date, str]]:
    """Return what a look at the days finds whose files are others than when nothing was found on them last.

    Args:
        lake: where it is noted.
        name: under which name.
        files: the files of each day, and by which rule they are judged.
        look: is given the days to look at.

    """
    agreed = notes.read(lake, _AGREED + name) or {}
    changed = [day for day, marks in files.items() if agreed.get(str(day)) != marks]
    if not changed:
        return []
    found = look(changed)
    wrong = {day for day, _ in found}
    with notes.updating(lake, _AGREED + name) as note:
        note.clear()
        note.update({str(day): marks for day, marks in files.items() if day not in wrong})
    return found


def _lying(lake: Lake, tables: Sequence[Table], days: Collection[dt.date], by: str) -> dict[dt.date, str]:
    """Return of each day which files it has before they are read, without hidden ones, and by which rule they are judged."""
    marks = {path: mark(path) for table in tables for path in lake.files(table, days)}
    return {day: f"{by} {[marks.get(lake.file(table, day)) for table in tables]}" for day in days}
