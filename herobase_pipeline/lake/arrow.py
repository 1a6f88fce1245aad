"""A table's columns as Arrow has them, each with what it means: kept in every file, so that a file explains itself."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from herobase_pipeline.tables.schema import Column, Table, Type

_BATCH = 100_000  # rows
_KEY = "ARROW:schema"  # where Arrow looks for what Parquet has no place for
_TYPES = {
    Type.TEXT: pa.string(),
    Type.TEXTS: pa.list_(pa.field("element", pa.string())),
    Type.INSTANT: pa.timestamp("us", "UTC"),
    Type.DAY: pa.date32(),
    Type.DAYS: pa.list_(pa.field("element", pa.date32())),
    Type.NUMBER: pa.float64(),  # seconds and shares too
    Type.COUNT: pa.int64(),
    Type.FLAG: pa.bool_(),
}


def schema(table: Table) -> pa.Schema:
    """Return a table's Arrow schema, with ``description`` in the metadata of each field and of the whole."""
    fields = [pa.field(c.name, _TYPES[c.type], metadata={"description": c.description}) for c in table.in_file]
    return pa.schema(fields, metadata={"description": table.description, "grain": table.grain})


def columns_of(file: Path) -> tuple[Column, ...]:
    """Return the columns of a file as they were declared when it was written."""
    types = {kind: type_ for type_, kind in _TYPES.items()}
    return tuple(
        Column(field.name, types[field.type], field.metadata[b"description"].decode()) for field in _schema_of(file)
    )


def as_written(table: Table, file: Path) -> Table:
    """Return a table with what its file has besides, as fields of leads that people declare."""
    if set(_schema_of(file).names) <= set(table.names):
        return table
    declared = {column.name: column for column in table}
    return replace(table, columns=tuple(declared.get(column.name, column) for column in columns_of(file)))


def _schema_of(file: Path) -> pa.Schema:
    import pyarrow.parquet as pq  # as long to load as a small day takes to land

    with file.open("rb") as content:
        return pq.read_schema(content)


@cache
def footer(table: Table) -> dict[str, str]:
    """Return what a file's footer keeps of the schema, as key and text."""
    return {_KEY: base64.b64encode(schema(table).serialize()).decode()}


def write(
    con: duckdb.DuckDBPyConnection,
    query: str,
    params: Mapping[str, Any] | None,
    table: Table,
    path: Path,
    footer: Mapping[str, str],
    *,
    level: int,
) -> int:
    """Write what a query yields as a Parquet file without statistics; returns the number of rows."""
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(
        path, schema(table), compression="zstd", compression_level=level, write_statistics=False
    ) as file:
        for batch in con.sql(query, params=dict(params or {})).to_arrow_reader(table.row_group):
            file.write_batch(batch.cast(schema(table)))
            rows += batch.num_rows
        file.add_key_value_metadata(footer)
    return rows


def write_beside(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write what a query yields as a hidden file beside a private table's, without statistics too."""
    import pyarrow.parquet as pq

    reader = con.sql(query).to_arrow_reader(_BATCH)
    with pq.ParquetWriter(path, reader.schema, compression="zstd", write_statistics=False) as file:
        for batch in reader:
            file.write_batch(batch)
