"""``datapackage.json`` beside the lake: what its files are, for readers that are not ours.

A Data Package of Frictionless (datapackage.org, version 2), made from the tables' declarations. Private tables are not in it.
"""

from typing import Any

import msgspec

from herobase_pipeline.lake.layout import Lake, exists
from herobase_pipeline.lake.store import put_bytes
from herobase_pipeline.tables import TABLES, Table, Type

_STANDARD = "https://datapackage.org/profiles/2.0"
_KINDS = {
    Type.TEXT: "string",
    Type.TEXTS: "array",
    Type.INSTANT: "datetime",
    Type.DAY: "date",
    Type.DAYS: "array",
    Type.NUMBER: "number",  # lengths and shares too, which are the same to DuckDB
    Type.COUNT: "integer",
    Type.FLAG: "boolean",
}
_PARTITIONS = {
    "date": {"name": "date", "type": "date", "description": "local day of the file, from its folder's name"},
    "month": {"name": "month", "type": "yearmonth", "description": "month of the file, from its folder's name"},
}


def refresh(lake: Lake) -> None:
    """Write the package if it is not the one that is wanted now; nobody else does so meanwhile."""
    wanted = msgspec.json.format(msgspec.json.encode(described(lake)), indent=2)
    path = lake.root.absolute() / "datapackage.json"
    if exists(path) and path.read_bytes() == wanted:
        return
    put_bytes(path, wanted)


def described(lake: Lake) -> dict[str, Any]:
    """Return the package: a resource for each table that has files, paths relative to the lake's folder."""
    return {
        "$schema": f"{_STANDARD}/datapackage.json",
        "name": "herobase",
        "title": "Calls and leads from HeroBase, by the org hierarchy captured on each call",
        "resources": [_resource(lake, table) for table in TABLES if not table.private and lake.files(table)],
    }


def _resource(lake: Lake, table: Table) -> dict[str, Any]:
    partition = "date" if table.daily else "month" if table.monthly and lake.months(table) else None
    columns = [
        {"name": column.name, "type": _KINDS[column.type], "description": f"{column.description}."}
        for column in table.in_file
    ]
    return {
        "$schema": f"{_STANDARD}/dataresource.json",
        "name": table.name,
        "type": "table",
        "description": f"{table.description} One row: {table.grain.removeprefix('one row ')}.",
        "path": [path.relative_to(lake.root.absolute()).as_posix() for path in lake.files(table)],
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        # files of before a column was added lack it, and all lack the one that their folder is named by
        "schema": {"fieldsMatch": "superset", "fields": ([_PARTITIONS[partition]] if partition else []) + columns},
    }
