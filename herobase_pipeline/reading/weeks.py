"""Weeks as people call them, from Monday on; and the latest weeks of a lake, with the days of them that are not whole."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herobase_pipeline.lake.catalogue import selection
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.partitions import in_words
from herobase_pipeline.reading.errors import NotLoadedError
from herobase_pipeline.reading.lakes import existing, lakes_of
from herobase_pipeline.tables import KNOWN_DAYS

DAYS_TOLD = "application/vnd.herobase.days+json"
"""The kind of output in which a notebook tells a report which days it is about."""


def week(day: Any) -> str:
    """Return the week of a day as people call it: ``wk 47, 16 Nov``, its ISO number and its Monday."""
    monday = day - dt.timedelta(days=day.weekday())
    return f"wk {monday.isocalendar()[1]}, {monday.day} {monday:%b}"


@dataclass(frozen=True)
class Span:
    """Days that a notebook is about; a notebook that shows it says so in its report too.

    Attributes:
        first: the first day.
        last: the last.
        are_over: whether it is whole weeks, from Monday to Sunday.
        not_whole: the days among them that are not loaded in full.

    """

    first: dt.date
    last: dt.date
    are_over: bool
    not_whole: tuple[dt.date, ...]

    def __str__(self) -> str:
        days = (self.last - self.first).days + 1
        named = [week(self.first), week(self.last)] if self.are_over else []
        told = f"{' to '.join(dict.fromkeys(named))}: " if named else ""
        told += f"{self.first} to {self.last}. "
        if not self.not_whole:
            return told + f"All {days} days are loaded in full."
        return told + f"Not loaded in full: {len(self.not_whole)} of these {days} days, {in_words(self.not_whole)}."

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        told = {"first": str(self.first), "last": str(self.last), "are_over": self.are_over}
        return {"text/plain": str(self), DAYS_TOLD: told}


def last_weeks(
    weeks: int | None,
    *,
    are_over: bool = True,
    with_leads: bool = True,
    data_dir: str | Path | None = None,
    site: str | None = None,
) -> Span:
    """Return the last weeks up to the latest day that is loaded in full.

    Args:
        weeks: how many; None for all days that are loaded.
        are_over: whether it is weeks from Monday to Sunday; else the last one ends with the latest day.
        with_leads: whether the leads of a day must be loaded too, or its calls alone.
        data_dir: as for ``connect``.
        site: whose days, where there are sites. Without it a day is loaded if it is of all of them.

    Raises:
        NotLoadedError: no day is loaded in full.
        ValueError: that is no number of weeks.

    """
    if weeks is not None and (not isinstance(weeks, int) or weeks < 1):
        raise ValueError("weeks must be 1 or more, or None for all days that are loaded.")
    known = known_in_full(with_leads=with_leads, data_dir=data_dir, site=site)
    if not known:
        what = "calls and leads" if with_leads else "its calls"
        raise NotLoadedError(f"No day is known in full yet, {what}: load some in the UI first.")
    are_over = are_over and weeks is not None
    last = sunday_before(known[-1] + dt.timedelta(days=1)) if are_over else known[-1]
    first = known[0] if weeks is None else last - dt.timedelta(days=7 * weeks - 1)
    return Span(first, last, are_over, not_among(known, first, last))


def sunday_before(day: dt.date) -> dt.date:
    """Return the last day of the last week that is over on a day."""
    return day - dt.timedelta(days=day.weekday() + 1)


def not_among(days: Sequence[dt.date], first: dt.date, last: dt.date) -> tuple[dt.date, ...]:
    """Return the days of a span that are not among some others."""
    every = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    there = set(days)
    return tuple(day for day in every if day not in there)


def known_in_full(*, with_leads: bool, data_dir: str | Path | None = None, site: str | None = None) -> list[dt.date]:
    """Return the days, in order, that were over when their calls were pulled, and their leads where that is asked for."""
    of_each = []
    for lake in existing(lakes_of(data_dir, site)).values():
        with bare() as con:
            days = con.execute(f"SELECT day, outcomes_known, closings_known FROM ({selection(lake, KNOWN_DAYS)})")
            of_each.append(
                {day for day, outcomes, closings in days.fetchall() if outcomes and (closings or not with_leads)}
            )
    return sorted(set.intersection(*of_each))
