"""How a window of time is asked for: wide enough, in HeroBase's spelling, and halved where the whole fails.

No service has pagination; smaller windows are the vendor's substitute (API page, "About pagination"; trap T14).
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from herobase_pipeline.herobase.errors import CappedError, HeroBaseError
from herobase_pipeline.partitions import Window, utc_offset

FLOOR = dt.timedelta(minutes=1)
_OVERLAP = dt.timedelta(seconds=1)


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


@dataclass(frozen=True)
class Source:
    """What a pull asks, and what is known of the answers.

    Attributes:
        ask: asks for one window, keeps its rows, returns their number; keeps none if it raises.
        strays: how many rows of the last answer lie outside the window that was asked for.
        edges: for either end of a window, windows from there to the first or the last few rows of the last answer, the
            widest first.
        known: how many different rows are kept, without those too new for an earlier answer to have had.
        doubted: whether an answer of so many rows may have been cut, by what is known of others.
        found: takes note that an answer of so many rows was found to be cut, or whole.

    """

    ask: Callable[[Window], int]
    strays: Callable[[Window], int]
    edges: Callable[[Window], Sequence[Sequence[Window]]]
    known: Callable[[], int]
    doubted: Callable[[int], bool]
    found: Callable[[int, bool], None]


@dataclass
class Pull:
    """A window that is asked for whole, and in halves where the whole fails or was cut.

    Whether an answer was cut is seen at its edges: it is, if asking for those alone brings rows that the whole had not.

    Attributes:
        source: whom to ask.
        floor: a window this short is not halved again.

    """

    source: Source
    floor: dt.timedelta = FLOOR
    _honoured: bool = True

    def run(self, window: Window) -> None:
        """Cover ``window``. Halves overlap by a second, as it is not known which edges HeroBase includes.

        Raises:
            HeroBaseError: what the smallest window raised, or one that no smaller window would mend.
            CappedError: answers keep being cut to the same number of rows down to the smallest window.

        """
        rows = self._rows(window)
        # where windows are not honoured, a smaller one cannot show what a larger one lacks
        if rows is None or not self._honoured or not self.source.doubted(rows):
            return
        known = self.source.known()
        for edge in self.source.edges(window):
            for narrower in edge:
                found = self._rows(narrower)
                if found is None or found < rows:  # else it may be cut as well
                    break
        cut = self.source.known() > known
        self.source.found(rows, cut)
        if cut:
            self._look_behind(window, rows)

    def _rows(self, window: Window) -> int | None:
        """Ask for a window and return its rows; None if it had to be asked for in halves."""
        try:
            rows = self.source.ask(window)
        except HeroBaseError as error:
            if not error.worth_halving or window.length <= self.floor:
                raise
            for half in _halves(window):
                self.run(half)
            return None
        self._honoured = self._honoured and 2 * self.source.strays(window) <= rows
        return rows

    def _look_behind(self, window: Window, cap: int) -> None:
        """Ask for smaller windows until each has fewer rows than ``cap``."""
        if window.length <= self.floor:
            raise CappedError(
                f"HeroBase returned exactly {cap} rows for {window.length.total_seconds():.0f} seconds from "
                f"{window.start:%Y-%m-%d %H:%M:%S} UTC, as many as for twice that time: it seems to cap its answers, so "
                "rows are missing. Ask HeroBase to raise the limit; the day was left as it was."
            )
        for half in _halves(window):
            rows = self._rows(half)
            if rows is not None and rows >= cap:
                self._look_behind(half, cap)


def _halves(window: Window) -> tuple[Window, Window]:
    first, second = window.halves()
    return first, Window(second.start - _OVERLAP, second.end)
