"""Adding to the register of erased persons: before any file is rewritten, so that a crash resumes."""

from collections.abc import Sequence

import duckdb

from herobase_pipeline.lake.engine import number, quoted
from herobase_pipeline.lake.erased import register
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables import ERASED, Holds, Table

_WITH_NEW = """
FROM seen
UNION ALL BY NAME
SELECT person, kind, identifier, bool_or(is_asked) AS is_asked, min(source) AS source, min(asked_at) AS asked_at, now() AS seen_at
FROM found
WHERE identifier IS NOT NULL AND (identifier, is_asked) NOT IN (SELECT (identifier, is_asked) FROM seen)
GROUP BY person, kind, identifier
"""


def add(lake: Lake, con: duckdb.DuckDBPyConnection, found: str) -> int:
    """Add identifiers to the register, those that it has not yet; returns how many.

    Args:
        lake: where.
        con: a connection in which ``found`` runs.
        found: a SELECT of person, kind, identifier, is_asked, source and asked_at.

    """
    known = register(con, lake).identifiers
    con.execute(f"CREATE OR REPLACE TEMP TABLE found AS {found}")  # before the file is there that it may read
    if not number(con, "SELECT count(*) FROM found ANTI JOIN erased USING (identifier, is_asked)"):
        return 0
    return write(lake, con, ERASED, _WITH_NEW) - known


def expand(lake: Lake, con: duckdb.DuckDBPyConnection, parts: Sequence[str], tables: Sequence[Table]) -> None:
    """Register the leads of landed records that have a number that was asked for: they are the same person's."""
    leads = tables[0].holding(Holds.LEAD)
    if not leads or not parts or not register(con, lake).asked_numbers:
        return
    landed = {column.name for table in tables for column in table if column.field}
    told = dict.fromkeys(name for table in tables for name in table.holding(Holds.TEXT) if name in landed)
    texts = f"concat_ws(' ', {', '.join(told)})"
    rows = " UNION ALL BY NAME ".join(f"FROM {quoted(part)}" for part in parts)
    add(
        lake,
        con,
        f"""
        SELECT person, 'lead' AS kind, lead_key({leads[0]}) AS identifier, false AS is_asked, source, asked_at
        FROM (
            SELECT {leads[0]}, unnest(flatten(list_transform(numbers_in({texts}), lambda each: phone_keys(each)))) AS identifier
            FROM ({rows})
            WHERE {leads[0]} IS NOT NULL
        )
        JOIN (FROM erased WHERE is_asked AND kind = 'phone') USING (identifier)
        """,
    )
