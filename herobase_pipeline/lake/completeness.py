"""Which days a file knows in full: days that were over when their records were pulled. Kept in the file's footer.

An empty day that is complete is a quiet day; one that is not may be an outage, or not be over yet: its file says up to when
it is known.
"""

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import duckdb

from herobase_pipeline.lake.engine import file_literal, literal

_KEY, _LOADED, _ASKED = "complete_days", "loaded_days", "asked_at"
Loaded = Mapping[str, Collection[dt.date]]
"""Of each pulled table the days that were loaded, whole or in part, when something was made from it."""


def footer(complete: Collection[dt.date], loaded: Loaded, asked: dt.datetime | None = None) -> dict[str, str]:
    """Return what a file's footer keeps as key and text: complete days, those that were loaded, when HeroBase was asked."""
    days = {name: sorted(map(str, of_table)) for name, of_table in sorted(loaded.items())}
    kept = {_KEY: json.dumps(sorted(map(str, complete)))}
    return kept | ({_LOADED: json.dumps(days)} if days else {}) | ({_ASKED: asked.isoformat()} if asked else {})


def asked_at(con: duckdb.DuckDBPyConnection, file: Path) -> dt.datetime | None:
    """Return the moment up to which a day's file knows what happened: when HeroBase was asked last.

    None where the file does not say it, as it is from before that was kept, or was made rather than pulled.
    """
    query = f"SELECT decode(value) FROM parquet_kv_metadata({file_literal(file)}) WHERE decode(key) = {literal(_ASKED)}"
    found = con.execute(query).fetchall()
    return dt.datetime.fromisoformat(found[0][0]) if found else None


def define_complete_days(
    con: duckdb.DuckDBPyConnection, sources: Sequence[tuple[Sequence[Path], Collection[dt.date]]]
) -> None:
    """Make the relation ``complete_days``: each day that every source knows in full.

    Its columns are ``day`` and ``through``, the last of the unbroken run of complete days that the day is in.

    Args:
        con: the connection to make it in.
        sources: for each source its files, and the days that it knew in full and has no file of any more.

    """
    known = " INTERSECT ".join(f"({_days(files)} UNION {_these(days)})" for files, days in sources) or _days([])
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


def loaded_days(outcomes: str | None, conversion: str | None) -> str:
    """Return the SELECT of the view ``loaded_days``.

    Args:
        outcomes: a SELECT of the files of call_outcomes, as ``file``; None where it has none.
        conversion: the literal of the file of lead_conversion; None where there is none.

    """
    no_file = "SELECT NULL::VARCHAR AS file WHERE false"
    return f"""
        WITH
        counted AS (
            SELECT DISTINCT regexp_extract(file, 'date=([0-9-]+)[^0-9]+$', 1)::DATE AS day FROM ({outcomes or no_file})
        ),
        joined AS (
            SELECT day, bool_or(name = 'calls') AS has_calls, bool_or(name IN ('simple_leads', 'search_leads')) AS has_leads
            FROM ({_loaded_of(conversion)}) GROUP BY day
        )
        SELECT
            day,
            counted.day IS NOT NULL AS outcomes_loaded,
            coalesce(has_calls AND has_leads, false) AS closings_loaded,
            CASE
                WHEN closings_loaded THEN NULL
                WHEN coalesce(has_leads, false) THEN 'calls'
                ELSE 'leads'
            END AS lacking
        FROM counted FULL JOIN joined USING (day)
    """


def loaded_in(con: duckdb.DuckDBPyConnection, file: Path) -> dict[str, list[dt.date]]:
    """Return what was loaded when a file was made; of files from before this was kept, the days that are complete."""
    found: dict[str, list[dt.date]] = {}
    for name, day in con.execute(f"{_loaded_of(file_literal(file))} ORDER BY ALL").fetchall():
        found.setdefault(name, []).append(day)
    return found


def _loaded_of(file: str | None) -> str:
    if file is None:
        return "SELECT NULL::VARCHAR AS name, NULL::DATE AS day WHERE false"
    return f"""
        SELECT entry.key AS name, unnest(entry.value) AS day
        FROM (
            SELECT unnest(map_entries(from_json(decode(value), '"MAP(VARCHAR, DATE[])"'))) AS entry
            FROM parquet_kv_metadata({file}) WHERE decode(key) = {literal(_LOADED)}
        )
        UNION ALL
        SELECT unnest(['calls', 'simple_leads']) AS name, day
        FROM ({_of(file)}) WHERE NOT EXISTS (FROM parquet_kv_metadata({file}) WHERE decode(key) = {literal(_LOADED)})
    """


def known_in_full(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> set[dt.date]:
    """Return the days that some files know in full."""
    return {day for (day,) in con.execute(_days(files)).fetchall()}


def _these(days: Collection[dt.date]) -> str:
    return f"SELECT unnest([{', '.join(literal(str(day)) for day in days)}]::DATE[]) AS day"


def _days(files: Sequence[Path]) -> str:
    if not files:
        return "SELECT NULL::DATE AS day WHERE false"
    return _of("[" + ", ".join(file_literal(file) for file in files) + "]")


def _of(paths: str) -> str:
    return (
        f"SELECT DISTINCT unnest(from_json(decode(value), '[\"DATE\"]')) AS day "
        f"FROM parquet_kv_metadata({paths}) WHERE decode(key) = {literal(_KEY)}"
    )
