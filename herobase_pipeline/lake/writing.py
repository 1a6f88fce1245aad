"""Writing a table's file, always with the declared columns and types, also for an empty day."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import duckdb

from herobase_pipeline.lake import arrow, completeness
from herobase_pipeline.lake.engine import literal, number, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables.schema import Table

_ROW_GROUP = 20_480  # rows; small enough that a day is written by several threads, large enough to compress well


def write(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    table: Table,
    query: str = "",
    *,
    day: dt.date | None = None,
    order: str = "",
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
        order: the order of the rows, so that the same rows make the same file.
        params: the query's named parameters.
        complete: the days that were over and loaded when the rows were got, kept with the file (see ``completeness``).

    Returns:
        The number of rows.

    """
    columns = ", ".join(f"{quoted(column.name)}::{column.type} AS {quoted(column.name)}" for column in table)
    ordered = f" ORDER BY {order}" if order else ""
    with lake.replacing(table, day) as aside:
        con.execute(f"CREATE OR REPLACE TEMP VIEW seen AS {stored(lake, table, day)}")
        return number(
            con,
            f"COPY (SELECT {columns} FROM ({query or table.query}){ordered}) TO {literal(str(aside))} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}, "
            f"KV_METADATA {{{completeness.footer(complete)}, {arrow.footer(table)}}})",
            params,
        )


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
