"""Tables made from other tables by the SQL beside their declaration: as a whole, or some of their days."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.deriving import made
from herobase_pipeline.deriving.following import follow
from herobase_pipeline.deriving.restating import Run, restate
from herobase_pipeline.deriving.session import Derived, NotDerivedError, NotLoadedError, deriving
from herobase_pipeline.deriving.sources import Source, define_sources, loaded_days_of, macros, require_loaded, tables_of
from herobase_pipeline.lake.completeness import complete_days
from herobase_pipeline.lake.engine import literal
from herobase_pipeline.lake.gone import define_past, gone_days
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import write
from herobase_pipeline.partitions import in_words
from herobase_pipeline.tables import Table


def derive(
    lake: Lake,
    zone: ZoneInfo,
    table: Table,
    sources: Sequence[Source],
    params: Mapping[str, Any] | None = None,
    run: Run | None = None,
    *,
    anew: bool = False,
) -> Derived:
    """Make a table that lies in one file from all that its sources hold; ``run`` is named where it changes numbers.

    It stays where nothing has changed, unless it is to be made ``anew``.

    Raises:
        NotLoadedError: a source has no file at all.

    """
    require_loaded(lake, table, sources)
    decided = json.dumps(params, sort_keys=True, default=str)
    by = made.recipe(zone, table.query, macros(), *map(str, table), decided)

    def make(con: duckdb.DuckDBPyConnection) -> Derived:
        loaded = loaded_days_of(con, lake, sources)
        define_sources(con, lake, sources)
        define_past(con, lake, table)
        con.execute(f"CREATE TEMP TABLE made AS {table.query}", dict(params or {}))
        restated = sum(restate(lake, con, table, "FROM made", run=run).values())
        rows = write(lake, con, table, "FROM made", complete=complete_days(con), loaded=loaded)
        return Derived(rows, restated, is_whole=True)

    return follow(lake, zone, table, tables_of(*sources), by, make, anew=anew)


def derive_days(
    lake: Lake,
    zone: ZoneInfo,
    table: Table,
    sources: Sequence[Table],
    days: Sequence[dt.date],
    run: Run | None = None,
) -> dict[dt.date, Derived]:
    """Make some days of a daily table, all in one query; ``run`` is named where it changes numbers.

    Raises:
        NotLoadedError: a source has no file for one of the days.

    """
    for source in sources:
        if lacking := sorted(set(days).difference(lake.days(source))):
            raise NotLoadedError(
                f"{table.name} cannot be made for {in_words(lacking)}: {source.name} is not loaded for "
                f"{'that day' if len(lacking) == 1 else 'these days'}. Materialize {source.name} first."
            )
    if gone := sorted(set(days).intersection(*(gone_days(lake, source) for source in sources))):
        raise NotDerivedError(
            f"{table.name} stays as it is for {in_words(gone)}: calls of {'that day' if len(gone) == 1 else 'these days'} are "
            "past their time (HEROBASE_KEEP_CALLS_DAYS) and were deleted. To count anew, materialize calls first."
        )
    with deriving(lake, zone, table, reads=sources, days=days) as con:
        define_sources(con, lake, sources, days)
        con.execute(f"CREATE TEMP TABLE made AS {table.query}", {"first_day": min(days), "last_day": max(days)})
        known, restated = set(complete_days(con)), restate(lake, con, table, "FROM made", days, run)
        derived = {}
        for day in days:
            of_day = f"FROM made WHERE date = {literal(str(day))}"
            rows = write(lake, con, table, of_day, day=day, complete=known & {day})
            derived[day] = Derived(rows, restated.get(day, 0), is_whole=day in known)
        return derived
