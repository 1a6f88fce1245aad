"""The company's calendar: its days, its opening, its clock.

Days are counted from ``FOUNDED``; instants are Unix seconds (UTC).
Nothing happens before ``FOUNDED`` nor from ``END`` on.
"""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from herobase_pipeline.sandbox.world.chance import Array

FOUNDED = dt.date(2015, 1, 1)
END = dt.date(2065, 1, 1)
DAYS = (END - FOUNDED).days
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def easter(year: int) -> dt.date:
    """Easter Sunday (the anonymous Gregorian computus)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1)


def holidays(year: int) -> set[dt.date]:
    """Give days without outbound work: public holidays, Constitution Day, Christmas Eve, New Year's Eve."""
    sunday = easter(year)
    moving = [-3, -2, 0, 1, 39, 49, 50] + ([26] if year < 2024 else [])
    fixed = [(1, 1), (6, 5), (12, 24), (12, 25), (12, 26), (12, 31)]
    return {sunday + dt.timedelta(days=n) for n in moving} | {dt.date(year, m, d) for m, d in fixed}


def closed(year: int) -> set[dt.date]:
    """Give days on which nobody at all is there: New Year's Day, Good Friday, 24 and 25 December."""
    return {dt.date(year, 1, 1), easter(year) - dt.timedelta(days=2), dt.date(year, 12, 24), dt.date(year, 12, 25)}


def ordinal(day: dt.date) -> int:
    """Give the number of a day; negative before ``FOUNDED``."""
    return (day - FOUNDED).days


def date_of(number: int) -> dt.date:
    """Give the day with this number."""
    return FOUNDED + dt.timedelta(days=int(number))


class Calendar:
    """Workdays and the local clock, as arrays by day number."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        years = range(FOUNDED.year, END.year)
        off = np.zeros(DAYS + 3, bool)
        self.open = np.ones(DAYS + 3, bool)
        for year in years:
            for day in holidays(year):
                off[ordinal(day)] = True
            for day in closed(year):
                self.open[ordinal(day)] = False
        numbers = np.arange(DAYS + 3)
        weekday = (numbers + FOUNDED.weekday()) % 7
        work = (weekday < 5) & ~off
        self.is_workday = work
        self.workdays_before = np.concatenate([[0], np.cumsum(work)])[:-1].astype(np.int64)
        self.workdays = np.flatnonzero(work).astype(np.int64)
        self.is_saturday = (weekday == 5) & ~off
        self.is_sunday = (weekday == 6) & ~off
        # how many days a Friday's weekend dial moves: 1 or 2, or 0 where it stays on its workday
        self.to_saturday = np.where((weekday == 4) & np.roll(self.is_saturday, -1), 1, 0).astype(np.int64)
        self.to_sunday = np.where((weekday == 4) & np.roll(self.is_sunday, -2), 2, 0).astype(np.int64)

    def workday(self, day: Array | int, later: Array | int) -> Array:
        """Give the ``later``-th workday from ``day`` on (0: the day itself, or the next workday)."""
        index = self.workdays_before[day] + later
        found: Array = self.workdays[np.minimum(index, len(self.workdays) - 1)]
        return found

    def instant(self, day: int, seconds: int = 0) -> int:
        """Unix time of a local wall time, ``seconds`` after 00:00 on the clock of that day."""
        hour, rest = divmod(seconds, 3600)
        wall = dt.datetime.combine(date_of(day), dt.time(hour, rest // 60, rest % 60), self.zone)
        return unix(wall)

    @lru_cache(maxsize=4096)  # noqa: B019  a calendar lives as long as its world
    def midnight(self, day: int) -> int:
        """Unix time at which a local day begins."""
        return self.instant(day)

    def midnights(self, days: Array) -> Array:
        """Unix times at which local days begin."""
        unique, where = np.unique(days, return_inverse=True)
        return np.array([self.midnight(int(d)) for d in unique], np.int64)[where]

    def day_of(self, instant: float) -> int:
        """Give the number of the local day that holds a Unix time."""
        return ordinal((_EPOCH + dt.timedelta(seconds=instant)).astimezone(self.zone).date())

    @lru_cache(maxsize=256)  # noqa: B019  a calendar lives as long as its world
    def _changes(self, year: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Unix times at which the clock changes in a year, and the offset (s) before the first and from each on."""
        start = int((dt.datetime(year, 1, 1, tzinfo=dt.UTC) - _EPOCH).total_seconds())
        probe = [start + 86400 * n for n in range(0, 368, 8)]
        offsets = [self._offset(p) for p in probe]
        times: list[int] = []
        values = [offsets[0]]
        for (a, before), (b, after) in zip(
            zip(probe, offsets, strict=True), list(zip(probe, offsets, strict=True))[1:], strict=False
        ):
            if before == after:
                continue
            low, high = a, b
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._offset(middle) == before else (low, middle)
            times.append(high)
            values.append(after)
        return tuple(times), tuple(values)

    def _offset(self, instant: int) -> int:
        shift = (_EPOCH + dt.timedelta(seconds=instant)).astimezone(self.zone).utcoffset()
        assert shift is not None  # noqa: S101  an aware datetime always has one
        return int(shift.total_seconds())

    def offsets(self, instants: Array) -> Array:
        """How far the local clock is ahead of UTC (s), for each Unix time."""
        if not len(instants):
            return np.zeros(0, np.int64)
        first, last = ((_EPOCH + dt.timedelta(seconds=int(t))).year for t in (instants.min(), instants.max()))
        times: list[int] = []
        values: list[int] = []
        for year in range(first, last + 1):
            t, v = self._changes(year)
            times += t
            values += v if not values else v[1:]
        return np.array(values, np.int64)[np.searchsorted(np.array(times, np.int64), instants, side="right")]

    def local(self, instants: Array) -> Array:
        """Local wall time as seconds since 1970-01-01 00:00 on the local clock."""
        return instants + self.offsets(instants)


def unix(moment: dt.datetime) -> int:
    """Whole Unix seconds of an aware time, rounded down."""
    return (moment - _EPOCH) // dt.timedelta(seconds=1)


def utc(instant: float) -> dt.datetime:
    """Give the aware UTC time of a Unix time."""
    return _EPOCH + dt.timedelta(seconds=float(instant))
