"""What derived tables are made from: the sources, the days that are loaded of them, and the macros that several share."""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import duckdb

from herobase_pipeline.deriving.session import NotLoadedError
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.completeness import define_complete_days, loaded_in
from herobase_pipeline.lake.engine import define, literal
from herobase_pipeline.lake.gone import gone_days
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import Table

_MACROS = ("interval.sql", "counting.sql", "lead_versions.sql")
Source = Table | tuple[Table, ...]
"""A table, or several of which one is enough."""


def require_loaded(lake: Lake, table: Table, sources: Sequence[Source]) -> None:
    """Refuse to make a table of which a source has no file at all.

    Raises:
        NotLoadedError: a source has none.

    """
    if lacking := [_name(source) for source in sources if not any(map(lake.has, tables_of(source)))]:
        raise NotLoadedError(
            f"{table.name} cannot be made: {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not loaded for any "
            f"day. Materialize {' and '.join(lacking)} first."
        )


def tables_of(*sources: Source) -> list[Table]:
    """Return the tables that some sources are."""
    return [table for source in sources for table in (source if isinstance(source, tuple) else (source,))]


def _name(source: Source) -> str:
    return " or ".join(table.name for table in tables_of(source))


def loaded_days_of(con: duckdb.DuckDBPyConnection, lake: Lake, sources: Sequence[Source]) -> dict[str, list[dt.date]]:
    """Return the days that are loaded of each pulled table that the sources are, or were made from."""
    loaded: dict[str, list[dt.date]] = {}
    for source in filter(lake.has, tables_of(*sources)):
        days = sorted({*lake.days(source), *gone_days(lake, source)})
        loaded |= {source.name: days} if source.daily else loaded_in(con, lake.footers(source)[0])
    return loaded


def define_sources(
    con: duckdb.DuckDBPyConnection, lake: Lake, sources: Sequence[Source], days: Sequence[dt.date] | None = None
) -> None:
    """Make what the tables' SQL reads: the sources, ``complete_days``, ``loaded (table_name, day)``, and shared macros.

    Of several tables of which one is enough, ``loaded`` names all: ``simple_leads or search_leads``.

    Args:
        con: the connection to make them in.
        lake: where the sources lie.
        sources: the tables.
        days: those that are asked about; all by default.

    """
    define(con, macros())
    define_views(con, lake, tables_of(*sources), days)
    define_loaded(con, lake, sources)
    define_complete_days(
        con,
        [
            (
                [file for table in tables_of(source) for file in lake.footers(table, days)],
                [day for table in tables_of(source) for day, is_whole in gone_days(lake, table).items() if is_whole],
            )
            for source in sources
        ],
    )


@cache
def macros() -> str:
    """Return the SQL that defines the macros which several tables share."""
    return "\n".join(files("herobase_pipeline.tables").joinpath(name).read_text(encoding="utf-8") for name in _MACROS)


def define_loaded(con: duckdb.DuckDBPyConnection, lake: Lake, sources: Sequence[Source]) -> None:
    """Make ``loaded (table_name, day)``: the days of which a daily source, or one of those of which one is enough, has a file."""
    con.execute("CREATE OR REPLACE TEMP TABLE loaded (table_name VARCHAR, day DATE)")
    for source in sources:
        daily = [table for table in tables_of(source) if table.daily]
        loaded = {day for table in daily for day in (*lake.days(table), *gone_days(lake, table))}
        con.execute(
            f"INSERT INTO loaded SELECT {literal(_name(source))}, unnest($days::DATE[])", {"days": sorted(loaded)}
        )
