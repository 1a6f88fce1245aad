"""How a window of time is asked for: wide enough, in HeroBase's spelling, and halved where the whole fails.

No service has pagination; smaller windows are the vendor's substitute (API page, "About pagination"; trap T14).
"""

import datetime as dt
from collections.abc import Callable
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


def iso_duration(length: dt.timedelta) -> str:
    """A length of time as HeroBase's ``TimeSpan``: an ISO 8601 duration in upper case."""
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    return "PT" + ("".join(f"{number}{unit}" for number, unit in parts if number) or "0S")


def pull(
    window: Window,
    ask: Callable[[Window], int],
    seen: Callable[[], int],
    floor: dt.timedelta = FLOOR,
    cap: int | None = None,
) -> None:
    """Ask for a window, and for its halves where the whole fails or may have been capped.

    Args:
        window: what to cover. Halves overlap by a second, as it is not known which edges HeroBase includes.
        ask: asks for one window, keeps its rows, returns their number; keeps none if it raises.
        seen: how many different rows have been kept so far.
        floor: a window this short is not halved again.
        cap: the number of rows of the window that this is a half of, where that number may be a limit.

    Raises:
        HeroBaseError: what the smallest window raised, or one that no smaller window would mend.
        CappedError: answers keep being cut to the same number of rows down to the smallest window.

    """
    before = 0 if cap is None else seen()
    rows: int | None
    try:
        rows = ask(window)
    except HeroBaseError as error:
        if not error.worth_halving or window.length <= floor:
            raise
        rows = cap
    else:
        if rows not in ROUND_NUMBERS or (cap is not None and (rows != cap or seen() == before)):
            return  # fewer rows than the cap, or nothing new behind it: this window is whole
        if window.length <= floor and cap is None:
            return
    if window.length <= floor:
        raise CappedError(
            f"HeroBase returned exactly {rows} rows for {window.length.total_seconds():.0f} seconds from "
            f"{window.start:%Y-%m-%d %H:%M:%S} UTC, as many as for twice that time: it seems to cap its answers, so "
            "rows are missing. Ask HeroBase to raise the limit; the day was left as it was."
        )
    for half in _halves(window):
        pull(half, ask, seen, floor, rows)


def _halves(window: Window) -> tuple[Window, Window]:
    first, second = window.halves()
    return first, Window(second.start - _OVERLAP, second.end)
