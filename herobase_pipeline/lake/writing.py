"""Writing a table's file, always with the declared columns and types, also for an empty day."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import duckdb

from herobase_pipeline.lake import arrow, completeness
from herobase_pipeline.lake.engine import literal, number, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables.schema import Table


def write(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    table: Table,
    query: str = "",
    *,
    day: dt.date | None = None,
    params: Mapping[str, Any] | None = None,
    complete: Collection[dt.date] = (),
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

    Returns:
        The number of rows. They lie in the table's order, or as they come where there is no memory to sort them.

    """
    columns = ", ".join(f"{quoted(column.name)}::{column.type} AS {quoted(column.name)}" for column in table)
    with lake.replacing(table, day) as aside:
        con.execute(f"CREATE OR REPLACE TEMP VIEW seen AS {stored(lake, table, day)}")
        footer = f"{completeness.footer(complete)}, {arrow.footer(table)}"

        def copy(order: str) -> int:
            return number(
                con,
                f"COPY (SELECT {columns} FROM ({query or table.query}) {order}) TO {literal(str(aside))} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {table.row_group}, KV_METADATA {{{footer}}})",
                params,
            )

        try:
            return copy(f"ORDER BY {table.order}")
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
    source = f"read_parquet({literal(str(path))}, hive_partitioning = false)"
    return f"{empty(table)} UNION ALL BY NAME SELECT * FROM {source}"
