"""Whether tables that count the same calls and leads add up to each other, on the days that are not about to be counted anew."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from herobase_pipeline.deriving.made import made_from
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.damage import without_damaged
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.gone import gone_days
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.store import is_newer
from herobase_pipeline.tables import CALLS, LEADS, Table


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
