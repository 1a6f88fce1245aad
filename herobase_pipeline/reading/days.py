"""Which days a table is made of, which of them are known in full, and what a frame remembers of how it was read."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from herobase_pipeline.addresses import place
from herobase_pipeline.lake.catalogue import INTERVAL
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.sites import ONLY
from herobase_pipeline.tables import TABLES, VIEWS, Table

if TYPE_CHECKING:
    import pandas as pd

DAYS = ("date", "closed_date", "cohort_date", "uploaded_date")
"""What the day of a table is called."""
BY_NAME = {table.name: table for table in (*TABLES, *VIEWS)}
"""Every table and view."""
SITE = "site"
"""The column that says whose row it is."""
_KEY = "herobase"


@cache
def sources(table: Table) -> tuple[Table, ...]:
    """Return the tables with files that a view is made from; of a table, itself."""
    if table not in VIEWS:
        return (table,)
    names = {made.partition(".")[0] for column in table for made in column.made_from}
    if table.view:
        with duckdb.connect() as con:
            con.execute(INTERVAL)
            names = con.get_table_names(table.view)
    return tuple(source for source in TABLES if source.name in names)


class Read(NamedTuple):
    """How a frame was read.

    Attributes:
        lake: from where.
        table: what.
        is_of_leaves: whether each call and lead is in it once, in the unit it belongs to.
        first: the first day that was asked for; None for all.
        last: the last.
        rows_first: the first day that had a row.
        rows_last: the last.

    """

    lake: Lake
    table: Table
    is_of_leaves: bool = False
    first: dt.date | None = None
    last: dt.date | None = None
    rows_first: dt.date | None = None
    rows_last: dt.date | None = None

    def span(self, days: Sequence[dt.date]) -> tuple[dt.date | None, dt.date | None]:
        """Return the first and last day that a frame with rows of these days can tell of; None for no bound.

        Days that somebody cut off after reading are not among them.
        """
        if not days:
            return self.first, self.last
        first = self.first if self.rows_first in (None, days[0]) else days[0]
        last = self.last if self.rows_last in (None, days[-1]) else days[-1]
        return first, last

    def known(self, con: duckdb.DuckDBPyConnection) -> set[dt.date]:
        """Return the days that were over when all that the table is made from was pulled and counted."""
        files = [self.lake.footers(source) for source in sources(self.table)]
        return set.intersection(*(known_in_full(con, of_source) for of_source in files))


def remember(
    frame: "pd.DataFrame",
    lakes: Mapping[str, Lake],
    table: Table,
    spans: Mapping[str, tuple[dt.date | None, dt.date | None]],
    *,
    is_of_leaves: bool,
) -> "pd.DataFrame":
    """Return a frame that remembers how it was read of each site, also through pandas' filters and assignments."""
    day = next((name for name in DAYS if name in frame), None)
    kept = {}
    for site, lake in lakes.items():
        its = frame[frame[SITE] == site] if SITE in frame and len(lakes) > 1 else frame
        edges = (None, None) if day is None or its.empty else (its[day].min().date(), its[day].max().date())
        kept[site] = {
            "lake": str(lake.root),
            "table": table.name,
            "is_of_leaves": is_of_leaves,
            "days": [None if edge is None else str(edge) for edge in (*spans[site], *edges)],
        }
    frame.attrs[_KEY] = kept
    return frame


def recall(frame: Any) -> dict[str, Read]:
    """Return how a frame was read, by site; nothing for one that does not remember, as of polars and Arrow."""
    kept = getattr(frame, "attrs", {}).get(_KEY, {})
    if isinstance(kept.get("lake"), str):  # of a frame that was saved before there were sites
        kept = {ONLY: kept}
    return {site: _recalled(its) for site, its in kept.items()}


def _recalled(kept: Mapping[str, Any]) -> Read:
    first, last, *rows = (None if day is None else dt.date.fromisoformat(day) for day in kept["days"])
    return Read(Lake(place(kept["lake"])), BY_NAME[kept["table"]], kept["is_of_leaves"], first, last, *rows)
