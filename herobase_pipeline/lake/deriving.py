"""Tables made from other tables by the SQL beside their declaration."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.completeness import complete_days, define_complete_days, loaded_in
from herobase_pipeline.lake.engine import ROOMY, connect, literal
from herobase_pipeline.lake.gone import define_past, gone_days
from herobase_pipeline.lake.layout import Lake, locked, make_folder
from herobase_pipeline.lake.restating import Run, is_published, restate
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.partitions import in_words
from herobase_pipeline.tables import VERSIONS, Table

_MACROS = ("interval.sql", "counting.sql", "lead_versions.sql")
Source = Table | tuple[Table, ...]
"""A table, or several of which one is enough."""


class Derived(NamedTuple):
    """What came of deriving a file.

    Attributes:
        rows: its rows.
        restated: how many published numbers it changed.
        is_whole: whether it knows its day in full.
        versions: how many lead versions it was made from, by the table that told them.

    """

    rows: int
    restated: int
    is_whole: bool
    versions: Mapping[str, int] = MappingProxyType({})


class NotDerivedError(Exception):
    """A table could not be made; what was there stays."""


class NotLoadedError(NotDerivedError):
    """A source lacks days, so what would be derived from it would look like quiet days."""


def derive(
    lake: Lake,
    zone: ZoneInfo,
    table: Table,
    sources: Sequence[Source],
    params: Mapping[str, Any] | None = None,
    run: Run | None = None,
) -> Derived:
    """Make a table that lies in one file from all that its sources hold; ``run`` is named where it changes numbers.

    Raises:
        NotLoadedError: a source has no file at all.

    """
    require_loaded(lake, table, sources)
    with deriving(lake, zone, table) as con:
        loaded = _loaded(con, lake, sources)
        define_sources(con, lake, sources)
        define_past(con, lake, table)
        con.execute(f"CREATE TEMP TABLE made AS {table.query}", dict(params or {}))
        restated = sum(restate(lake, con, table, "FROM made", run=run).values()) if is_published(table) else 0
        rows = write(lake, con, table, "FROM made", complete=complete_days(con), loaded=loaded)
        told: dict[str, int] = {}
        if VERSIONS in sources:
            told = dict(
                con.execute(
                    "SELECT export, count(*) FROM lead_versions('simple_leads', 'search_leads') GROUP BY ALL ORDER BY ALL"
                ).fetchall()
            )
        return Derived(rows, restated, is_whole=True, versions=told)


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
    with deriving(lake, zone, table) as con:
        define_sources(con, lake, sources, days)
        con.execute(f"CREATE TEMP TABLE made AS {table.query}", {"first_day": min(days), "last_day": max(days)})
        known, restated = set(complete_days(con)), restate(lake, con, table, "FROM made", days, run)
        derived = {}
        for day in days:
            of_day = f"FROM made WHERE date = {literal(str(day))}"
            rows = write(lake, con, table, of_day, day=day, complete=known & {day})
            derived[day] = Derived(rows, restated.get(day, 0), is_whole=day in known)
        return derived


@contextmanager
def deriving(lake: Lake, zone: ZoneInfo, table: Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection to derive a table in; one run at a time, so that what was read last is written last."""
    with turn(lake, table), spool(lake) as folder, connect(zone, folder, ROOMY) as con:
        try:
            yield con
        except duckdb.Error as error:
            raise NotDerivedError(
                f"{table.name} could not be made ({type(error).__name__}), so it is as it was. What DuckDB says is withheld, "
                "as it may quote what stands in a file: report the table and this sentence."
            ) from None


@contextmanager
def turn(lake: Lake, table: Table) -> Iterator[None]:
    """Wait until nobody else derives a table, and keep others from it within the block."""
    folder = lake.under_way("deriving") / table.name  # not the table's folder: its writer locks that
    make_folder(folder, private=True)
    with locked(folder):
        yield


def require_loaded(lake: Lake, table: Table, sources: Sequence[Source]) -> None:
    """Refuse to make a table of which a source has no file at all.

    Raises:
        NotLoadedError: a source has none.

    """
    if lacking := [_name(source) for source in sources if not any(map(lake.files, tables_of(source)))]:
        raise NotLoadedError(
            f"{table.name} cannot be made: {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not loaded for any "
            f"day. Materialize {' and '.join(lacking)} first."
        )


def tables_of(*sources: Source) -> list[Table]:
    """Return the tables that some sources are."""
    return [table for source in sources for table in (source if isinstance(source, tuple) else (source,))]


def _name(source: Source) -> str:
    return " or ".join(table.name for table in tables_of(source))


def _loaded(con: duckdb.DuckDBPyConnection, lake: Lake, sources: Sequence[Source]) -> dict[str, list[dt.date]]:
    """Return the days that are loaded of each pulled table that the sources are, or were made from."""
    loaded: dict[str, list[dt.date]] = {}
    for source in filter(lake.files, tables_of(*sources)):
        days = sorted({*lake.days(source), *gone_days(lake, source)})
        loaded |= {source.name: days} if source.daily else loaded_in(con, lake.file(source))
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
    for name in _MACROS:
        con.execute(files("herobase_pipeline.tables").joinpath(name).read_text(encoding="utf-8"))
    define_views(con, lake, tuple(tables_of(*sources)))
    con.execute("CREATE OR REPLACE TEMP TABLE loaded (table_name VARCHAR, day DATE)")
    for source in sources:
        daily = [table for table in tables_of(source) if table.daily]
        loaded = {day for table in daily for day in (*lake.days(table), *gone_days(lake, table))}
        con.execute(
            f"INSERT INTO loaded SELECT {literal(_name(source))}, unnest($days::DATE[])", {"days": sorted(loaded)}
        )
    define_complete_days(
        con,
        [
            (
                [file for table in tables_of(source) for file in lake.files(table, days)],
                [day for table in tables_of(source) for day, is_whole in gone_days(lake, table).items() if is_whole],
            )
            for source in sources
        ],
    )
