"""A table by org node as one of leaves: each call and lead once, in the unit that it was made in, whatever its depth."""

from herobase_pipeline.lake.engine import quoted
from herobase_pipeline.tables import Table, Type

NO_TEAM = "(no team)"
"""What calls and leads without a hierarchy are in."""
_NODE = ("org_level", "org_path", "org_key", "org_code", "org_name")


def is_by_node(table: Table) -> bool:
    """Whether a table or view has a row for each node of the hierarchy."""
    return "org_level" in table.names


def count(table: Table) -> str:
    """Return the column that counts the calls or leads of a table by node: the first that may be added up."""
    return next(column.name for column in table if column.additive)


def leaves(table: Table, rows: str) -> str:
    """Return the SELECT of what is at each node and in none below it; of nothing there is no row.

    A node's counts are those of all below it, so its own are what is left when the nodes just below it are taken off. Lakes
    need no new column for it. A row is as mature as its node: it may be said to be young where only one below it is.

    Args:
        table: a table by node, with counts that may be added up.
        rows: a SELECT of its rows at all levels.

    """
    day = ["date"] if table.daily else []
    keys = ", ".join([*day, *(quoted(c.name) for c in table if not c.additive and c.name not in (*_NODE, "is_mature"))])
    measures = [column for column in table if column.additive]
    taken = ", ".join(f"-{quoted(column.name)} AS {quoted(column.name)}" for column in measures)
    sums = ", ".join(f"{_sum(column.name, column.type)} AS {quoted(column.name)}" for column in measures)
    own = ", ".join(
        f"any_value({name}) FILTER (is_own) AS {name}" for name in ("org_level", "org_path", "org_key", "org_code")
    )
    return f"""
        WITH nodes AS (
            SELECT *, lower(org_key) AS node, lower(org_key(org_path[:org_level - 1])) AS above FROM ({rows})
        ),
        parts AS (
            SELECT *, true AS is_own FROM nodes
            UNION ALL
            SELECT * REPLACE ({taken}, above AS node), false AS is_own FROM nodes WHERE org_level > 0
        )
        SELECT
            {keys}, {own},
            coalesce(nullif(any_value(org_name) FILTER (is_own), '(all)'), '{NO_TEAM}') AS org_name,
            {sums},
            any_value(is_mature) FILTER (is_own) AS is_mature
        FROM parts
        GROUP BY {keys}, node
        HAVING sum({quoted(count(table))}) > 0
    """


def _sum(name: str, kind: Type) -> str:
    """Return the SQL of a sum; of seconds exactly, as they are taken off again."""
    if kind is Type.COUNT:
        return f"sum({quoted(name)})::BIGINT"
    return f"sum({quoted(name)}::DECIMAL(38, 7))::DOUBLE"
