"""Writing a table's file, always with the declared columns and types, also for an empty day."""

import datetime as dt
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from herobase_pipeline.lake import arrow, completeness
from herobase_pipeline.lake.damage import DamagedError, damaged
from herobase_pipeline.lake.engine import file_literal, literal, number, quoted
from herobase_pipeline.lake.erased import register
from herobase_pipeline.lake.layout import Lake, Mark, Swapped, mark
from herobase_pipeline.lake.store import look_again
from herobase_pipeline.tables import ERASED
from herobase_pipeline.tables.schema import Table

_SEEN = re.compile(r"\bseen\b")
_LEVEL = 1  # of 22: a fifth less work than the usual 3, for files that are 2 to 4 % larger


def write(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    table: Table,
    query: str = "",
    *,
    day: dt.date | None = None,
    params: Mapping[str, Any] | None = None,
    complete: Collection[dt.date] = (),
    loaded: completeness.Loaded = MappingProxyType({}),
    asked: dt.datetime | None = None,
    sort: bool = True,
) -> int:
    """Write what ``query`` yields as a table's file, in place of the old one, without what tells an erased person.

    A private file has no statistics in its footer: DuckDB would write the least and the greatest number there in clear, and
    has no option that leaves them out, so Arrow writes these files.

    Args:
        lake: where.
        con: a connection in which the query runs.
        table: its columns are taken from the query by name and cast to their declared types.
        query: a SELECT, the table's own SQL by default; it may read ``seen``, the rows that the file holds until now.
        day: the day of the file, for a daily table.
        params: the query's named parameters.
        complete: the days that were over and loaded when the rows were got, kept with the file (see ``completeness``).
        loaded: of each pulled table that the rows are made from, the days that were loaded (see ``completeness``).
        asked: when HeroBase was asked for rows that were pulled: nothing later is known.
        sort: whether the rows lie in the table's order; to sort is a third of the work.

    Returns:
        The number of rows. Where there is no memory to sort them, they lie as they come.

    """
    register_was = _mark_now(lake.file(ERASED))
    query = query or table.query
    if _SEEN.search(query):
        _require_undamaged(lake, table, day)
    with lake.replacing(table, day) as aside:
        kept = completeness.footer(complete, loaded, asked)
        rows = _fill(lake, con, table, query, day=day, params=params, sort=sort, aside=aside, kept=kept)
    if table.identifies and _mark_now(lake.file(ERASED)) != register_was:
        # somebody was registered meanwhile, and whoever did may have looked at the file of before
        return rewrite(lake, con, table, day, keeps_age=True)
    return rows


def _mark_now(file: Path) -> Mark | None:
    look_again(file)
    return mark(file)


def rewrite(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    table: Table,
    day: dt.date | None = None,
    query: str = "FROM seen",
    *,
    keeps_age: bool,
    swapped: Swapped | None = None,
) -> int:
    """Write a file anew from its own rows, ``seen``, with all that its footer says; returns the number of rows.

    Args:
        lake: where.
        con: a connection in which the query runs.
        table: the table; columns that its file has besides are kept.
        day: the day of the file, for a daily table.
        query: a SELECT of the rows that stay; by default all but those of erased persons.
        keeps_age: whether the file stays as old as it is, so that nothing is made anew from it.
        swapped: is told which file took whose place.

    """
    _require_undamaged(lake, table, day)
    with lake.replacing(table, day, keeps_age=keeps_age, swapped=swapped) as aside:
        path = lake.file(table, day)
        loaded = {} if table.daily else completeness.loaded_in(con, path)
        kept = completeness.footer(completeness.known_in_full(con, [path]), loaded, completeness.asked_at(con, path))
        whole = arrow.as_written(table, path)
        return _fill(lake, con, whole, query, day=day, params=None, sort=True, aside=aside, kept=kept)


def _require_undamaged(lake: Lake, table: Table, day: dt.date | None) -> None:
    """Refuse to write a damaged file's rows anew, as they would count as undamaged from then on."""
    path = lake.file(table, day)
    if lake.is_there(path) and damaged(lake, table, [path], thoroughly=[path]):
        raise DamagedError(lake, f"{table.name} was not written, and is as it was.", {table: [path]})


def _fill(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    table: Table,
    rows: str,
    *,
    day: dt.date | None,
    params: Mapping[str, Any] | None,
    sort: bool,
    aside: Path,
    kept: Mapping[str, str],
) -> int:
    """Write what a query yields to a file of its own; nobody else writes the table's meanwhile."""
    columns = ", ".join(f"{quoted(column.name)}::{column.type} AS {quoted(column.name)}" for column in table.in_file)
    seen = stored(lake, table, day)
    if table.identifies:  # the register as it is now
        erased = register(con, lake)
        judged = erased.has_judged(table, lake.file(table, day))
        seen = seen if judged else erased.without(table, seen, day)
        rows = erased.without(table, rows, day, "FROM seen" if judged else "")
        kept = {**kept, **erased.footer(table)}
    con.execute(f"CREATE OR REPLACE TEMP VIEW seen AS {seen}")

    def copy(order: str) -> int:
        ordered = f"SELECT {columns} FROM ({rows}) {order}"
        if table.private:
            return arrow.write(con, ordered, params, table, aside, kept, level=_LEVEL)
        footer = ", ".join(f"{literal(key)}: {literal(text)}" for key, text in {**kept, **arrow.footer(table)}.items())
        return number(
            con,
            f"COPY ({ordered}) TO {literal(str(aside))} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {_LEVEL}, "
            f"ROW_GROUP_SIZE {table.row_group}, KV_METADATA {{{footer}}})",
            params,
        )

    try:
        return copy(f"ORDER BY {table.order}" if sort else "")
    except duckdb.OutOfMemoryException:  # a day of a million calls, for which there is room but not to sort them
        return copy("")


def write_known(
    lake: Lake, con: duckdb.DuckDBPyConnection, table: Table, complete: Collection[dt.date], loaded: completeness.Loaded
) -> None:
    """Write what a monthly table knows of days, once its files are written: ``complete_days``, and the footers of others."""
    kept = completeness.footer(complete, loaded)
    footer = ", ".join(f"{literal(key)}: {literal(text)}" for key, text in kept.items())
    with lake.replacing_beside(table, lake.known(table)) as aside:
        con.execute(
            f"COPY (SELECT day, through FROM complete_days ORDER BY day) TO {literal(str(aside))} "
            f"(FORMAT parquet, KV_METADATA {{{footer}}})"
        )


def empty(table: Table) -> str:
    """Return a SELECT of a table's columns without rows."""
    columns = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in table)
    return f"SELECT {columns} WHERE false"


def stored(lake: Lake, table: Table, day: dt.date | None = None) -> str:
    """Return a SELECT of a file's rows with the declared columns; none where there is no file."""
    path = lake.file(table, day)
    if not lake.is_there(path):
        return empty(table)
    source = f"read_parquet({file_literal(path)}, hive_partitioning = false)"
    rows = f"{empty(table)} UNION ALL BY NAME SELECT * FROM {source}"
    cut = ", ".join(f"{value} AS {quoted(column.name)}" for column in table if (value := column.in_short))
    return f"SELECT * REPLACE ({cut}) FROM ({rows})" if cut else rows
