"""Where each pulled call belongs: the hierarchy that it carries, or the units it was found under."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import msgspec

from herobase_pipeline.herobase.organisation import UNKNOWN, Hierarchy, Level, OrgTree, candidates, find_hierarchy
from herobase_pipeline.lake.engine import quoted
from herobase_pipeline.lake.landing import WIRE

_LOOKED_AT = 20_000  # calls whose fields are looked at to find the hierarchy
_PATH = ("org_path", "org_names")
_PATHS = '"org_path": ["VARCHAR"], "org_names": ["VARCHAR"]}'


def find(con: duckdb.DuckDBPyConnection, fields: Iterable[str], tree: OrgTree, forced: str | None) -> Hierarchy:
    """Find the hierarchy of the calls in ``pulled``, by what the first of them have in fields that no column names."""
    values = {}
    for candidate in candidates(fields):
        frequent = con.execute(
            f"SELECT raw, count(*) FROM (SELECT {raw(candidate)} AS raw FROM pulled LIMIT {_LOOKED_AT}) GROUP BY raw"
        ).fetchall()
        values[candidate] = {tuple(texts): calls for texts, calls in frequent}
    return find_hierarchy(values, tree, forced)


def place(con: duckdb.DuckDBPyConnection, hierarchy: Hierarchy, asked: Sequence[str]) -> None:
    """Make the relations ``hierarchy`` (what each raw value means) and ``asked_units`` (where each asked unit is)."""
    query = f"SELECT DISTINCT {raw(hierarchy.fields)} FROM pulled"
    values = [texts for (texts,) in con.execute(query).fetchall()] if hierarchy.fields else []
    found = [(texts, *_columns(hierarchy.path(tuple(texts)), hierarchy.tree)) for texts in values]
    units = [(code, *_columns(hierarchy.tree.path(code), hierarchy.tree)) for code in asked]
    _relation(
        con,
        "hierarchy",
        [dict(zip(("raw", *_PATH), row, strict=True)) for row in found],
        '{"raw": ["VARCHAR"], ' + _PATHS,
    )
    _relation(
        con,
        "asked_units",
        [dict(zip(("asked", *_PATH), row, strict=True)) for row in units],
        '{"asked": "VARCHAR", ' + _PATHS,
    )


def raw(fields: Sequence[str]) -> str:
    """Return the SQL of a call's raw texts in some fields of the wire."""
    return "[" + ", ".join(quoted(WIRE + name) for name in fields) + "]::VARCHAR[]"


def _columns(path: Sequence[Level], tree: OrgTree) -> tuple[list[str], list[str]]:
    """Return codes and names; a gap in the hierarchy is shown as one (trap T27)."""
    codes = [level.code or UNKNOWN for level in path]
    return codes, [level.name or tree.name(code) for level, code in zip(path, codes, strict=True)]


def _relation(con: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Mapping[str, object]], shape: str) -> None:
    """Make a temporary table of rows; by way of JSON, as the Arrow bridge takes longer to import than a day to land."""
    records = msgspec.json.encode(rows).decode()
    con.execute(f"CREATE TEMP TABLE {name} AS SELECT unnest(from_json(?, '[{shape}]'), max_depth := 2)", [records])
