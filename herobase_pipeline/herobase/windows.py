"""How a window of time is asked for: wide enough, in HeroBase's spelling, and halved where the whole fails.

No service has pagination; smaller windows are the vendor's substitute (API page, "About pagination"; trap T14).
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from herobase_pipeline.herobase.errors import CappedError, HeroBaseError
from herobase_pipeline.partitions import Window, utc_offset

FLOOR = dt.timedelta(minutes=1)
_OVERLAP = dt.timedelta(seconds=1)

# Answers with exactly so many rows may have been cut by a limit. None is documented, but people pick such numbers.
ROUND_NUMBERS = frozenset(int(digits * 10**power) for digits in (1, 2, 2.5, 5) for power in (2, 3, 4))


def margin(window: Window, zone: ZoneInfo) -> dt.timedelta:
    """How much wider than ``window`` to ask.

    It is not known whether HeroBase reads a stamp's ``Z`` or takes it for local time, so the margin exceeds the zone's
    offset: the window is covered either way (API reference, section 5). At night it costs next to nothing.
    """
    offsets = (abs(utc_offset(edge, zone)) for edge in window)
    return max(offsets) + dt.timedelta(hours=1)


def recent(since: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> Window:
    """The window from ``since`` to ``now``, whichever of both readings of a stamp HeroBase has (see ``margin``).

    Under the reading that is known to be right for a service this asks for nothing that is not needed: the hours that the
    other reading takes it to lie in the future, for a zone ahead of UTC.
    """
    ahead = utc_offset(now, zone)
    nothing = dt.timedelta()
    return Window(since + min(ahead, nothing), now + max(ahead, nothing) + _OVERLAP)


def iso_duration(length: dt.timedelta) -> str:
    """A length of time as HeroBase's ``TimeSpan``: an ISO 8601 duration in upper case."""
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    return "PT" + ("".join(f"{number}{unit}" for number, unit in parts if number) or "0S")


@dataclass
class Pull:
    """A window that is asked for whole, and in halves where the whole fails or may have been capped.

    Attributes:
        ask: asks for one window, keeps its rows, returns their number; keeps none if it raises.
        strays: how many rows of the last answer lie outside the window that was asked for.
        floor: a window this short is not halved again.

    """

    ask: Callable[[Window], int]
    strays: Callable[[Window], int]
    floor: dt.timedelta = FLOOR
    _honoured: bool = True
    _more_behind: bool = False

    def run(self, window: Window) -> None:
        """Cover ``window``. Halves overlap by a second, as it is not known which edges HeroBase includes.

        Raises:
            HeroBaseError: what the smallest window raised, or one that no smaller window would mend.
            CappedError: answers keep being cut to the same number of rows down to the smallest window.

        """
        rows = self._rows(window)
        if rows in ROUND_NUMBERS:
            self._look_behind(window, rows)

    def _rows(self, window: Window) -> int | None:
        """Ask for a window and return its rows; None if it had to be asked for in halves."""
        try:
            rows = self.ask(window)
        except HeroBaseError as error:
            if not error.worth_halving or window.length <= self.floor:
                raise
            for half in _halves(window):
                self.run(half)
            return None
        # where windows are not honoured, a smaller one cannot show what a larger one lacks
        self._honoured = self._honoured and 2 * self.strays(window) <= rows
        return rows

    def _look_behind(self, window: Window, cap: int) -> None:
        """Ask for smaller windows until each has fewer rows than ``cap``."""
        if not self._honoured:
            return
        if window.length <= self.floor:
            if not self._more_behind:
                return  # nothing was found beside these rows, so there just are so many of them
            raise CappedError(
                f"HeroBase returned exactly {cap} rows for {window.length.total_seconds():.0f} seconds from "
                f"{window.start:%Y-%m-%d %H:%M:%S} UTC, as many as for twice that time: it seems to cap its answers, so "
                "rows are missing. Ask HeroBase to raise the limit; the day was left as it was."
            )
        halves = [(half, self._rows(half)) for half in _halves(window)]
        self._more_behind = self._more_behind or {rows for _, rows in halves} != {0, cap}
        for half, rows in halves:
            if rows == cap:
                self._look_behind(half, cap)


def _halves(window: Window) -> tuple[Window, Window]:
    first, second = window.halves()
    return first, Window(second.start - _OVERLAP, second.end)
