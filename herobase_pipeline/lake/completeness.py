"""Which days a file knows in full: days that were over when their records were pulled. Kept in the file's footer.

An empty day that is complete is a quiet day; one that is not may be an outage, or not be over yet.
"""

import datetime as dt
import json
from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from herobase_pipeline.lake.engine import file_literal, literal

_KEY = "complete_days"


def footer(days: Collection[dt.date]) -> str:
    """Return what a file's footer keeps of its complete days, as an entry of COPY's KV_METADATA."""
    return f"{_KEY}: {literal(json.dumps(sorted(map(str, days))))}"


def define_complete_days(con: duckdb.DuckDBPyConnection, sources: Sequence[Sequence[Path]]) -> None:
    """Make the relation ``complete_days``: each day that every source knows in full.

    Its columns are ``day`` and ``through``, the last of the unbroken run of complete days that the day is in.

    Args:
        con: the connection to make it in.
        sources: for each source its files.

    """
    known = " INTERSECT ".join(_days(files) for files in sources) or _days([])
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE complete_days AS
        SELECT day, max(day) OVER (PARTITION BY run) AS through
        FROM (SELECT day, day - row_number() OVER (ORDER BY day)::INTEGER AS run FROM ({known}))
        """
    )


def complete_days(con: duckdb.DuckDBPyConnection) -> list[dt.date]:
    """Return the days of the relation, in order."""
    return [day for (day,) in con.execute("SELECT day FROM complete_days ORDER BY day").fetchall()]


def known_days(outcomes: str | None, conversion: str | None) -> str:
    """Return the SELECT of the view ``known_days``; of each table the literal of its files' pattern, None where it has none."""
    sources = (("outcomes_known", outcomes), ("closings_known", conversion))
    both = " UNION ALL BY NAME ".join(
        f"SELECT day, true AS {name} FROM ({_of(pattern) if pattern else _days([])})" for name, pattern in sources
    )
    told = ", ".join(f"coalesce(bool_or({name}), false) AS {name}" for name, _ in sources)
    return f"SELECT day, {told} FROM ({both}) GROUP BY day"


def known_in_full(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> set[dt.date]:
    """Return the days that some files know in full."""
    return {day for (day,) in con.execute(_days(files)).fetchall()}


def _days(files: Sequence[Path]) -> str:
    if not files:
        return "SELECT NULL::DATE AS day WHERE false"
    return _of("[" + ", ".join(file_literal(file) for file in files) + "]")


def _of(paths: str) -> str:
    return (
        f"SELECT DISTINCT unnest(from_json(decode(value), '[\"DATE\"]')) AS day "
        f"FROM parquet_kv_metadata({paths}) WHERE decode(key) = {literal(_KEY)}"
    )
