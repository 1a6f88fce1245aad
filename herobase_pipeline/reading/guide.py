"""To find one's way: which tables there are, and what the columns of one are."""

import datetime as dt
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.reading.days import BY_NAME
from herobase_pipeline.reading.errors import NoSuchNameError, NotLoadedError
from herobase_pipeline.reading.lakes import existing, lakes_of
from herobase_pipeline.spelling import meant
from herobase_pipeline.tables import TABLES, VIEWS, Column, Table
from herobase_pipeline.tables.lineage import made_from

if TYPE_CHECKING:
    import pandas as pd


def tables(data_dir: str | Path | None = None, *, site: str | None = None) -> "pd.DataFrame":
    """Return what can be read: a row a table or view, in the order in which they are made from each other.

    Args:
        data_dir: as for ``connect``.
        site: as for ``connect``.

    Returns:
        ``table``, ``what`` it is, ``one_row`` (what one row is), ``kind`` (``table``; ``view``, computed as it is read; or
        ``private``, which identifies customers, so that ``read`` has no part of it), and the ``first`` and the ``last`` day
        that is loaded, or known in full in a table that is made from all days. Where nothing is loaded these are empty.

    """
    import pandas as pd

    try:
        lakes = list(existing(lakes_of(data_dir, site)).values())
    except NotLoadedError:
        lakes = []
    rows = []
    for table in (*TABLES, *VIEWS):
        days = sorted(day for lake in lakes for day in _days(lake, table))
        rows.append(
            {
                "table": table.name,
                "what": table.description,
                "one_row": table.grain.removeprefix("one row "),
                "kind": "private" if table.private else "view" if table in VIEWS else "table",
                "first": pd.Timestamp(days[0]) if days else pd.NaT,
                "last": pd.Timestamp(days[-1]) if days else pd.NaT,
            }
        )
    return pd.DataFrame(rows)


def _days(lake: Lake, table: Table) -> Collection[dt.date]:
    """Return the days that are loaded of a table by day; of one that is made from all days, those that it knows in full."""
    if table.daily:
        return lake.days(table)
    with bare() as con:
        return known_in_full(con, lake.footers(table))


def describe(table: str) -> "pd.DataFrame":
    """Return what the columns of a table or view are, as ``read`` gives them.

    Args:
        table: its name, such as ``call_outcomes``; of a private one too, which ``read`` has no part of.

    Returns:
        ``column``, ``type`` (DuckDB's name), ``meaning``, ``adds_up`` (whether it may be summed over rows, within one level of
        the hierarchy), and ``made_from``: the columns of other tables, or the field of HeroBase.

    Raises:
        NoSuchNameError: there is no such table.

    """
    import pandas as pd

    found = BY_NAME.get(table)
    if found is None:
        raise NoSuchNameError(f"There is no table {table}. {meant(table, list(BY_NAME))}")
    day = [("date", "DATE", "the local day of the row", False, "")] if found.daily else []
    rows = [(c.name, c.type.value, c.description, c.additive, _source(found, c)) for c in found.shown]
    return pd.DataFrame([*day, *rows], columns=["column", "type", "meaning", "adds_up", "made_from"])


def _source(table: Table, column: Column) -> str:
    """Return what a column is made from: a field, other columns, or the latest list of campaigns."""
    if column not in table.columns:
        return "campaigns"
    return f"HeroBase: {column.field}" if column.field else ", ".join(dict.fromkeys(made_from(table, column)))
