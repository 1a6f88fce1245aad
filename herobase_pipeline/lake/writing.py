"""Writing a table's file, always with the declared columns and types, also for an empty day."""

import datetime as dt
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import duckdb

from herobase_pipeline.lake import arrow, completeness
from herobase_pipeline.lake.engine import file_literal, literal, number, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables.schema import Table

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
    sort: bool = True,
) -> int:
    """Write what ``query`` yields as a table's file, in place of the old one.

    Args:
        lake: where.
        con: a connection in which the query runs.
        table: its columns are taken from the query by name and cast to their declared types.
        query: a SELECT, the table's own SQL by default; it may read ``seen``, the rows that the file holds until now.
        day: the day of the file, for a daily table.
        params: the query's named parameters.
        complete: the days that were over and loaded when the rows were got, kept with the file (see ``completeness``).
        loaded: of each pulled table that the rows are made from, the days that were loaded (see ``completeness``).
        sort: whether the rows lie in the table's order; to sort is a third of the work.

    Returns:
        The number of rows. Where there is no memory to sort them, they lie as they come.

    """
    columns = ", ".join(f"{quoted(column.name)}::{column.type} AS {quoted(column.name)}" for column in table)
    with lake.replacing(table, day) as aside:
        con.execute(f"CREATE OR REPLACE TEMP VIEW seen AS {stored(lake, table, day)}")
        footer = f"{completeness.footer(complete, loaded)}, {arrow.footer(table)}"

        def copy(order: str) -> int:
            return number(
                con,
                f"COPY (SELECT {columns} FROM ({query or table.query}) {order}) TO {literal(str(aside))} "
                f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {_LEVEL}, ROW_GROUP_SIZE {table.row_group}, "
                f"KV_METADATA {{{footer}}})",
                params,
            )

        try:
            return copy(f"ORDER BY {table.order}" if sort else "")
        except duckdb.OutOfMemoryException:  # a day of a million calls, for which there is room but not to sort them
            return copy("")


def empty(table: Table) -> str:
    """Return a SELECT of a table's columns without rows."""
    columns = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in table)
    return f"SELECT {columns} WHERE false"


def stored(lake: Lake, table: Table, day: dt.date | None = None) -> str:
    """Return a SELECT of a file's rows with the declared columns; none where there is no file."""
    path = lake.file(table, day)
    if not path.exists():
        return empty(table)
    source = f"read_parquet({file_literal(path)}, hive_partitioning = false)"
    return f"{empty(table)} UNION ALL BY NAME SELECT * FROM {source}"
