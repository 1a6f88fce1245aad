"""The counts of some weeks by team, as a workbook shows them, and what is not known of these weeks."""

import datetime as dt
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from zoneinfo import ZoneInfo

import numpy as np

from herobase_pipeline.lake.catalogue import INTERVAL, selection, timezone_of
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.partitions import in_words
from herobase_pipeline.reading.days import SITE, recall
from herobase_pipeline.reading.errors import NoRowsWarning, NotLoadedError
from herobase_pipeline.reading.labels import labelled
from herobase_pipeline.reading.lakes import are_sites, lakes_of
from herobase_pipeline.reading.reader import Day, Level, read
from herobase_pipeline.sites import ONLY
from herobase_pipeline.tables import CALL_OUTCOMES, LEAD_CONVERSION, LOADED_DAYS, Table

if TYPE_CHECKING:
    import pandas as pd

WEEKS = 5
"""The week that is over, and the four before it."""
TABLES = (CALL_OUTCOMES, LEAD_CONVERSION)
WHOLE, NOT_MATURE, NOT_LOADED = "whole", "whole, may still change", "not loaded"
"""What a week is."""
_LOADED = {CALL_OUTCOMES: "outcomes_loaded", LEAD_CONVERSION: "closings_loaded"}


class Key(NamedTuple):
    """What a row of a week is of.

    Attributes:
        week: its Monday.
        site: whose row it is; empty for an only account.
        team: the label of the team; empty where the week has no row.

    """

    week: dt.date
    site: str
    team: str


@dataclass
class Weekly:
    """A table's counts by week and team.

    Attributes:
        rows: the table's rows of these days, with ``day``, ``week``, ``unit`` and ``campaign``; None where it is not loaded.
        known: of each site the days that are known in full.
        mature: of each row whether all that it is made of is final.

    """

    rows: "pd.DataFrame | None" = None
    known: Mapping[str, set[dt.date]] = field(default_factory=dict)
    mature: Mapping[Key, bool] = field(default_factory=dict)


@dataclass
class Weeks:
    """The weeks that are asked for.

    Attributes:
        first: the first day.
        last: the last.
        lakes: the lakes that are read, by site.
        tables: what each table has of them.
        has_sites: whether rows say whose they are.
        made_at: when it was read, in the zone of the first lake.
        chosen: what was asked for, in words: level and unit.
        told: what the reader warned of.

    """

    first: dt.date
    last: dt.date
    lakes: Mapping[str, Lake]
    tables: Mapping[Table, Weekly]
    has_sites: bool
    made_at: dt.datetime
    chosen: str
    told: Sequence[warnings.WarningMessage] = ()

    @property
    def mondays(self) -> list[dt.date]:
        """The Mondays of the weeks, in order."""
        begin = _monday(self.first)
        return [begin + dt.timedelta(weeks=n) for n in range((_monday(self.last) - begin).days // 7 + 1)]

    def days_of(self, monday: dt.date) -> list[dt.date]:
        """Return the days of a week that were asked for."""
        days = (monday + dt.timedelta(days=n) for n in range(7))
        return [day for day in days if self.first <= day <= self.last]

    def missing(self, table: Table, site: str, days: Sequence[dt.date]) -> list[dt.date]:
        """Return which of some days a table does not know in full."""
        known = self.tables[table].known.get(site, set())
        return [day for day in days if day not in known]

    def state(self, table: Table, key: Key) -> str:
        """Return in words what a row's week is: whole or not, and which days of it are missing."""
        days = self.days_of(key.week)
        missing = self.missing(table, key.site, days)
        if not missing and len(days) == 7:
            return WHOLE if self.tables[table].mature.get(key, True) else NOT_MATURE
        if missing == days and not key.team:
            return NOT_LOADED
        told = f"{len(days) - len(missing)} of 7 days"
        return f"{told}: without {in_words(missing)}" if missing else f"{told}, as was asked for"

    def keys(self, table: Table) -> list[Key]:
        """Return the rows of a table by week, site and team; of a week without any, one without a team."""
        rows = self.tables[table].rows
        found: set[Key] = set()
        if rows is not None and not rows.empty:
            of_each = rows[["week", SITE, "unit"]].drop_duplicates()
            found = {Key(*row) for row in of_each.itertuples(index=False, name=None)}
        there = {(key.week, key.site) for key in found}
        found |= {Key(week, site, "") for week in self.mondays for site in self.lakes if (week, site) not in there}
        return sorted(found, key=lambda key: (key.week, key.site, key.team.casefold(), key.team))


def utcnow() -> dt.datetime:
    """Return the time that decides which week is over."""
    return dt.datetime.now(dt.UTC)


def weeks(
    start: Day | None = None,
    end: Day | None = None,
    *,
    level: Level = "leaf",
    org: str | None = None,
    data_dir: str | Path | None = None,
    site: str | None = None,
) -> Weeks:
    """Read calls by end cause and closed leads by closure, by team.

    Args:
        start: the first day; by default the Monday four weeks before that of ``end``.
        end: the last day; by default the last Sunday.
        level: as for ``read``: one depth of the hierarchy, so that nothing counts twice.
        org: as for ``read``.
        data_dir: as for ``read``.
        site: as for ``read``.

    Raises:
        NotLoadedError: none of the days is loaded, of either table.
        ValueError: what was given is no day or no level, or the last day is before the first.

    """
    if level is None:
        raise ValueError(
            'level must be a depth of the hierarchy or "leaf": over all levels everything would count twice.'
        )
    lakes = lakes_of(data_dir, site)
    zone = ZoneInfo(timezone_of(next(iter(lakes.values()))) or "UTC")
    made_at = utcnow().astimezone(zone)
    last = _day(end) or _monday(made_at.date()) - dt.timedelta(days=1)
    first = _day(start) or _monday(last) - dt.timedelta(weeks=WEEKS - 1)
    if first > last:
        raise ValueError(f"start is {first} and end {last}: nothing lies between them.")
    frames: dict[Table, pd.DataFrame] = {}
    refused: list[NotLoadedError] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for table in TABLES:
            try:
                rows = read(table.name, first, last, org=org, level=level, data_dir=data_dir, site=site)
                frames[table] = cast("pd.DataFrame", rows)
            except NotLoadedError as error:
                refused.append(error)
    if not frames:
        raise refused[0]
    names = labelled(*frames.values())
    shown = dict(zip(frames, names if len(frames) > 1 else [names], strict=True))
    has_sites = are_sites(lakes, site)
    only = next(iter(lakes)) if len(lakes) == 1 else ONLY
    tables = {table: _weekly(shown[table], table, only) if table in shown else Weekly() for table in TABLES}
    chosen = (f"level {level}" if level != "leaf" else "the unit that each call was made in") + (
        f", under {org}" if org else ""
    )
    # that there are no rows of a quiet week, its row says
    told = [each for each in told if each.category is not NoRowsWarning]
    return Weeks(first, last, lakes, tables, has_sites, made_at, chosen, told)


def _weekly(frame: "pd.DataFrame", table: Table, only: str) -> Weekly:
    """Return a table's rows with day and week, which days are known, and which rows are mature.

    Not of days that are not loaded: a few closings of these are known by chance, from what became of their leads later.
    """
    reads = recall(frame)
    with bare() as con:
        con.execute(INTERVAL)
        known = {site: its.known(con) for site, its in reads.items()}
        loaded = {
            (site, day)
            for site, its in reads.items()
            for day, *_ in con.execute(f"FROM ({selection(its.lake, LOADED_DAYS)}) WHERE {_LOADED[table]}").fetchall()
        }
    day = frame["date" if table.daily else "closed_date"]
    rows = frame.assign(
        day=day.dt.date,
        week=(day - day.dt.day_of_week * dt.timedelta(days=1)).dt.date,
        campaign=frame["campaign"].fillna(""),
    )
    if SITE not in rows:
        rows[SITE] = only
    of_each = zip(rows[SITE], rows["day"], strict=True)
    rows = rows[np.fromiter((row in loaded for row in of_each), dtype=bool, count=len(rows))]
    mature = rows.groupby(["week", SITE, "unit"])["is_mature"].all()
    keys = (Key(*cast("tuple[dt.date, str, str]", key)) for key in mature.index)
    return Weekly(rows, known, dict(zip(keys, map(bool, mature), strict=True)))


def _day(given: Day | None) -> dt.date | None:
    if given is None:
        return None
    try:
        return dt.datetime.fromisoformat(str(given)).date()
    except ValueError:
        raise ValueError(f"{given} is no day: give a date, or a text such as 2026-03-29.") from None


def _monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())
