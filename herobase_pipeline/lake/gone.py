"""Days of which calls are past their time and were deleted. What was made from them stays, and so does that it was loaded."""

import datetime as dt
from collections.abc import Mapping

import duckdb

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import empty
from herobase_pipeline.tables import CALLS, Table

NOTE = "gone_days"
"""What the note of these days is called."""


def gone_days(lake: Lake, table: Table) -> dict[dt.date, bool]:
    """Return the days of a table of which rows were deleted, and whether each was known in full."""
    of = (notes.read(lake, NOTE) or {}).get(table.name, {})
    return {dt.date.fromisoformat(day): bool(whole) for day, whole in of.items()}


def remember(lake: Lake, table: Table, days: Mapping[dt.date, bool]) -> None:
    """Note days of which rows are about to be deleted, and whether each is known in full."""
    with notes.updating(lake, NOTE) as note:
        note.setdefault(table.name, {}).update({str(day): whole for day, whole in days.items()})


def is_back(lake: Lake, table: Table, day: dt.date) -> None:
    """Note that a day was loaded again, whole."""
    if day in gone_days(lake, table):
        with notes.updating(lake, NOTE) as note:
            note.get(table.name, {}).pop(str(day), None)


def define_gone_days(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Make ``gone_days`` (day), the days of which calls are gone."""
    days = {"days": list(gone_days(lake, CALLS))}
    con.execute("CREATE OR REPLACE TEMP TABLE gone_days AS SELECT unnest($days::DATE[]) AS day", days)


def define_past(con: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> None:
    """Make ``gone_days``, and ``past``: what the file of a table had until now, if calls of any day are gone."""
    define_gone_days(con, lake)
    rows = view(lake, table) if gone_days(lake, CALLS) else empty(table)
    con.execute(f"CREATE OR REPLACE TEMP VIEW past AS {rows}")
