"""Whether tables that count the same calls and leads add up to each other, on the days that are not about to be counted anew."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from herobase_pipeline.deriving.made import is_made_from
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
    there = without_damaged(lake)
    if not all(map(there.has, (CALLS, table, *others))):
        return []

    def is_made(one: Table, day: dt.date) -> bool:
        calls = there.file(CALLS, day)
        return not is_newer(calls, there.file(one, day)) if one.daily else is_made_from(there, one, [calls])

    made = [each for each in (table, *others) if each not in (CALLS, LEADS)]
    if LEADS in others and not is_made_from(there, table, there.files(LEADS)):
        return []
    gone = gone_days(there, CALLS)
    days = [day for day in there.days(CALLS) if day <= due and day not in gone and all(is_made(t, day) for t in made)]
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
