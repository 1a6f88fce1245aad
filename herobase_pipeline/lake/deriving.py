"""Tables made from other tables by the SQL beside their declaration."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.engine import connect, literal
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables import Table


class NotLoadedError(Exception):
    """A source lacks days, so what would be derived from it would look like quiet days."""


def derive(lake: Lake, zone: ZoneInfo, table: Table, sources: Sequence[Table]) -> int:
    """Make a table that lies in one file from all that its sources hold; returns its rows."""
    with spool(lake) as folder, connect(zone, folder) as con:
        define_views(con, lake, tuple(sources))
        return write(lake, con, table, table.query, order="ALL")


def derive_days(
    lake: Lake, zone: ZoneInfo, table: Table, sources: Sequence[Table], days: Sequence[dt.date]
) -> dict[dt.date, int]:
    """Make some days of a daily table, all in one query; returns the rows of each day.

    Raises:
        NotLoadedError: a source has no file for one of the days.

    """
    for source in sources:
        if lacking := sorted(set(days).difference(lake.days(source))):
            raise NotLoadedError(
                f"{table.name} cannot be made for {', '.join(map(str, lacking))}: {source.name} is not loaded for "
                f"{'that day' if len(lacking) == 1 else 'these days'}. Materialize {source.name} first."
            )
    with spool(lake) as folder, connect(zone, folder) as con:
        define_views(con, lake, tuple(sources))
        con.execute(f"CREATE TEMP TABLE made AS {table.query}", {"first_day": min(days), "last_day": max(days)})
        return {
            day: write(lake, con, table, f"FROM made WHERE date = {literal(str(day))}", day=day, order="ALL")
            for day in days
        }
