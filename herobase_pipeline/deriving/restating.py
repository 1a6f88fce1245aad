"""Noting what a run changes in numbers that were published: before the new file takes the old one's place."""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import duckdb

from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.engine import literal, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables.restatements import PUBLISHED, RESTATEMENTS, Published
from herobase_pipeline.tables.schema import Table

_KEY = "table_name, day, org_level, org_key, org_name, campaign_id, category, measure"
_UNNOTED = f"""
FROM seen
UNION ALL BY NAME
SELECT *, $now AS restated_at, $run_id AS run_id
FROM (
    SELECT {_KEY}, old_value, new_value FROM restated
    EXCEPT
    SELECT {_KEY}, old_value, new_value FROM seen
    QUALIFY row_number() OVER (
        PARTITION BY table_name, day, org_level, lower(org_key), campaign_id, category, measure ORDER BY restated_at DESC
    ) = 1
)
LEFT JOIN (SELECT unnest($days::DATE[]) AS day, unnest($causes::VARCHAR[]) AS cause) USING (day)
"""


class Run(NamedTuple):
    """The run that changes numbers.

    Attributes:
        run_id: Dagster's id of it.
        cause: says in words why it changes those of a day.

    """

    run_id: str
    cause: Callable[[dt.date], str]


def restate(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    table: Table,
    new: str,
    days: Sequence[dt.date] | None = None,
    run: Run | None = None,
    changed: Collection[dt.date] | None = None,
) -> dict[dt.date, int]:
    """Add to ``restatements`` each published number that ``new`` changes; returns how many there are, by day.

    Nothing of a table whose numbers are not published.

    A run that is killed between this and the writing of ``new`` finds the same changes again: they are not noted twice.

    Args:
        lake: where.
        con: a connection in which ``new`` runs.
        table: the table that is about to be written.
        new: a SELECT of its rows, with the day as ``date`` for a daily table.
        days: the days of the files, for a daily table.
        run: the run that it is done in.
        changed: the days whose numbers may change, where ``new`` has no others; all by default.

    """
    published = next((published for published in PUBLISHED if published.table == table), None)
    if published is None:
        return {}
    known = known_in_full(con, lake.footers(table, days))
    if changed is not None:
        known &= set(changed)
    if not known:
        return {}
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE restated AS {_changes(published, view(lake, table, days), new)}",
        {"known": sorted(known)},
    )
    found = dict(con.execute("SELECT day, count(*) FROM restated GROUP BY day").fetchall())
    if found:
        causes = [run.cause(day) if run else None for day in found]
        params = {"now": dt.datetime.now(dt.UTC), "run_id": run and run.run_id, "days": list(found), "causes": causes}
        write(lake, con, RESTATEMENTS, _UNNOTED, params=params)
    return found


def _changes(published: Published, old: str, new: str) -> str:
    """Return the SELECT of the numbers that differ, where the old one was mature."""
    measures = [column.name for column in published.table if column.additive]
    values = ", ".join(f"{quoted(name)}::DOUBLE AS {quoted(name)}" for name in measures)
    columns = f"""
        {published.day} AS day, org_level, lower(org_key) AS node, org_key, org_name, campaign_id,
        {published.category} AS category, is_mature, {values}
    """
    return f"""
    WITH
    compared AS (
        SELECT false AS is_new, {columns} FROM ({old}) WHERE {published.day} IN (SELECT unnest($known::DATE[]))
        UNION ALL BY NAME
        SELECT true AS is_new, {columns} FROM ({new}) WHERE {published.day} IN (SELECT unnest($known::DATE[]))
    ),
    growing AS (  -- not published yet: it is meant to change
        SELECT DISTINCT day, node, campaign_id FROM compared WHERE NOT is_new AND NOT is_mature
    ),
    numbers AS (
        UNPIVOT (SELECT * EXCLUDE (is_mature) FROM compared) ON {", ".join(map(quoted, measures))} INTO NAME measure VALUE value
    )
    SELECT
        {literal(published.table.name)} AS table_name,
        day,
        org_level,
        max(org_key) AS org_key,
        max(org_name) AS org_name,
        campaign_id,
        category,
        measure,
        coalesce(sum(value) FILTER (NOT is_new), 0) AS old_value,
        coalesce(sum(value) FILTER (is_new), 0) AS new_value
    FROM numbers
    WHERE NOT EXISTS (
        FROM growing
        WHERE growing.day = numbers.day AND growing.node = numbers.node
            AND growing.campaign_id IS NOT DISTINCT FROM numbers.campaign_id
    )
    GROUP BY day, org_level, node, campaign_id, category, measure
    HAVING old_value <> new_value
    """
