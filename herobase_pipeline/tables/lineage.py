"""What columns are made from: those of a table as they are declared, those of a view of rates by the SQL of its metrics."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from herobase_pipeline.tables.agents import AGENT_DAYS
from herobase_pipeline.tables.cohorts import LEAD_COHORTS
from herobase_pipeline.tables.conversion import LEAD_CONVERSION
from herobase_pipeline.tables.leads import LEADS
from herobase_pipeline.tables.metrics import BASES, Basis, Unit, metrics_of
from herobase_pipeline.tables.outcomes import CALL_HOURS, CALL_OUTCOMES
from herobase_pipeline.tables.rates import NODE_NAMES
from herobase_pipeline.tables.schema import Column, Table

if TYPE_CHECKING:
    import duckdb

_COUNTED = (CALL_OUTCOMES, CALL_HOURS, AGENT_DAYS, LEAD_CONVERSION, LEAD_COHORTS, LEADS)
_ROWS = "*"  # which rows are counted (see Basis.computed)
_LACKING = "lacking"


def made_from(table: Table, column: Column) -> tuple[str, ...]:
    """Return the columns, as ``table.column``, that the value of a table's or view's column is computed from."""
    return _of_view(table).get(column.name, ()) if table.view else column.made_from


def columns_in(*expressions: str) -> list[str]:
    """Return the names of the columns in some expressions of SQL, in the order in which they first occur."""
    return list(dict.fromkeys(name for expression in expressions for name in _columns_in(expression)))


@cache
def _columns_in(expression: str) -> tuple[str, ...]:
    found = [node for node in _parsed(f"SELECT {expression}") if node.get("type") == "COLUMN_REF"]
    return tuple(node["column_names"][-1] for node in sorted(found, key=lambda node: node["query_location"]))


@cache
def _tables_in(source: str) -> frozenset[str]:
    return frozenset(node["table_name"] for node in _parsed(f"FROM {source}") if node.get("type") == "BASE_TABLE")


def _parsed(sql: str) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a statement as DuckDB parses it; nothing of it is run."""
    ((text,),) = _parser().cursor().execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    tree = json.loads(text)
    if tree["error"]:
        raise AssertionError(f"{tree['error_message']}: {sql}")
    yield from _nodes(tree)


@cache
def _parser() -> "duckdb.DuckDBPyConnection":
    import duckdb  # here, as who only reads what is declared need not wait for it

    return duckdb.connect()


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(inner)


@cache
def _of_view(view: Table) -> dict[str, tuple[str, ...]]:
    """Return, for each column of a view of rates, what it is made from: of all that the view puts together."""
    of_bases = [_of_basis(basis) for basis in BASES if basis.found_in == view.name]
    sources = ["day", *view.names[1:]]
    return {
        name: tuple(dict.fromkeys(made for each in of_bases for made in each.get(source, ())))
        for name, source in zip(view.names, sources, strict=True)
    }


def _of_basis(basis: Basis) -> dict[str, list[str]]:
    """Return, for each column of a basis' rates, the columns of tables that its SQL names."""
    names = defaultdict(list, day=columns_in(basis.day), is_mature=["is_mature"])
    names |= {name: columns_in(key) for name, key in basis.keys.items()}
    if "node" in basis.keys:
        names |= {name: columns_in(shown, basis.keys["node"]) for name, shown in NODE_NAMES.items()}
    lacking = [_LACKING] if basis.lacking else []
    known = ["is_mature"] if basis.blank_until_mature else []
    for metric in metrics_of(basis):
        above = [*columns_in(metric.numerator, *(condition for _, condition in metric.shares)), _ROWS, *lacking]
        below = [*columns_in(metric.denominator), _ROWS, *lacking]
        names["numerator"] += above
        names["denominator"] += below
        names["reason"] += [*below, *known]
        for name in ("rate", "ci_low", "ci_high") if metric.unit is Unit.SHARE else ("rate",):
            names[name] += [*above, *below, *known]
    tables = [table for table in _COUNTED if table.name in _tables_in(basis.source)]
    days = ["day", *columns_in(basis.lacking)] if lacking else []
    computed = {**basis.computed, _LACKING: [f"loaded_days.{name}" for name in days]}
    return {name: list(_sources(tables, computed, named)) for name, named in names.items()}


def _sources(tables: Sequence[Table], computed: Mapping[str, Sequence[str]], columns: Sequence[str]) -> Iterator[str]:
    """Yield the columns of tables that columns of a basis' source come from, computed ones from several."""
    for column in columns:
        if column in computed:
            yield from computed[column]
        else:
            yield from (f"{t.name}.{column}" for t in tables if column in t.names or (t.daily and column == "date"))
