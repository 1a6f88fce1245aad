"""Days of the business time zone, and each day's exact bounds in UTC."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

UTC = dt.UTC


class Window(NamedTuple):
    """A half-open span of time, ``start <= t < end``, both in UTC (trap T4)."""

    start: dt.datetime
    end: dt.datetime

    def widened(self, margin: dt.timedelta) -> "Window":
        """The same span with a margin on both sides."""
        return Window(self.start - margin, self.end + margin)

    def halves(self) -> tuple["Window", "Window"]:
        """Two spans that meet in the middle, at a whole second."""
        middle = (self.start + (self.end - self.start) / 2).replace(microsecond=0)
        return Window(self.start, middle), Window(middle, self.end)

    @property
    def length(self) -> dt.timedelta:
        """How long it lasts; exact, as both ends are in UTC (trap T7)."""
        return self.end - self.start


def day_bounds(day: dt.date, zone: ZoneInfo) -> Window:
    """The exact bounds of a local day in UTC: 23 or 25 hours long where the clocks change (trap T7)."""
    start, end = (dt.datetime.combine(d, dt.time(), zone) for d in (day, day + dt.timedelta(days=1)))
    return Window(start.astimezone(UTC), end.astimezone(UTC))


def local_day(instant: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The business day of an instant."""
    return instant.astimezone(zone).date()


def repeated_hour(window: Window, zone: ZoneInfo) -> Window | None:
    """The second pass of the hour that occurs twice when summer time ends within ``window``; None if none does (T6)."""
    step = dt.timedelta(minutes=30)
    instant = window.start
    while instant < window.end:
        back = utc_offset(instant, zone) - utc_offset(instant + step, zone)
        if back > dt.timedelta():
            change = (instant + step).replace(minute=(instant + step).minute // 30 * 30, second=0, microsecond=0)
            return Window(change, change + back)
        instant += step
    return None


def utc_offset(instant: dt.datetime, zone: ZoneInfo) -> dt.timedelta:
    """How far local time is ahead of UTC at an instant."""
    return instant.astimezone(zone).utcoffset() or dt.timedelta()


def stretches(days: Sequence[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """Return days in order as stretches that follow each other without a gap: first and last of each."""
    found: list[tuple[dt.date, dt.date]] = []
    for day in days:
        if found and day - found[-1][1] == dt.timedelta(days=1):
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found


def in_words(days: Sequence[dt.date]) -> str:
    """Return days in order in a few words: ``2026-03-01, 2026-03-04 to 2026-03-07``."""
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in stretches(days))
