"""Where each pulled call belongs: the hierarchy that it carries, or the units it was found under."""

from collections.abc import Iterable, Sequence
from functools import cache

import duckdb
import pyarrow as pa

from herobase_pipeline.herobase.organisation import UNKNOWN, Hierarchy, Level, OrgTree, candidates, find_hierarchy
from herobase_pipeline.lake.engine import quoted
from herobase_pipeline.lake.landing import WIRE

_FREQUENT = 2_000  # distinct values of a field that are looked at to find the hierarchy
_TEXT, _TEXTS = pa.string(), pa.list_(pa.string())


def find(con: duckdb.DuckDBPyConnection, fields: Iterable[str], tree: OrgTree, forced: str | None) -> Hierarchy:
    """Find the hierarchy of the calls in ``pulled``, by the frequent values of the fields that no column names."""
    values = {}
    for candidate in candidates(fields):
        frequent = con.execute(
            f"SELECT {raw(candidate)} AS raw, count(*) AS calls FROM pulled "
            f"GROUP BY raw ORDER BY calls DESC, raw LIMIT {_FREQUENT}"
        ).fetchall()
        values[candidate] = {tuple(texts): calls for texts, calls in frequent}
    return find_hierarchy(values, tree, forced)


def place(con: duckdb.DuckDBPyConnection, hierarchy: Hierarchy, asked: Sequence[str]) -> None:
    """Make the relations ``hierarchy`` (what each raw value means) and ``asked_units`` (where each asked unit is)."""
    path_of = cache(hierarchy.path)
    found = []
    if hierarchy.fields:
        for texts, agent in con.execute(f"SELECT DISTINCT {raw(hierarchy.fields)}, agent FROM pulled").fetchall():
            path = path_of(tuple(texts))
            if path and agent and path[-1].code and path[-1].code.casefold() == agent.casefold():
                path = path[:-1]  # some hierarchies end with the agent, who is no unit
            found.append((texts, agent, *_columns(path, hierarchy.tree)))
    units = [(code, *_columns(hierarchy.tree.path(code), hierarchy.tree)) for code in asked]
    paths = {"org_path": _TEXTS, "org_names": _TEXTS}
    con.register("hierarchy", _table(found, {"raw": _TEXTS, "agent": _TEXT, **paths}))
    con.register("asked_units", _table(units, {"asked": _TEXT, **paths}))


def raw(fields: Sequence[str]) -> str:
    """Return the SQL of a call's raw texts in some fields of the wire."""
    return "[" + ", ".join(quoted(WIRE + name) for name in fields) + "]::VARCHAR[]"


def _columns(path: Sequence[Level], tree: OrgTree) -> tuple[list[str], list[str]]:
    """Return codes and names; a gap in the hierarchy is shown as one (trap T27)."""
    codes = [level.code or UNKNOWN for level in path]
    return codes, [level.name or tree.name(code) for level, code in zip(path, codes, strict=True)]


def _table(rows: Sequence[tuple[object, ...]], schema: dict[str, pa.DataType]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(dict(zip(schema, map(list, columns), strict=True)), pa.schema(schema))
