"""Whether HeroBase cut an answer: what the answers before it say of how many rows it gives at once.

No limit is documented, and an answer that was cut does not say so (trap T14). To look at the edges of each answer would
take three times the requests. So it is done only where an answer may have been cut. An answer with fewer rows than another
that was whole was not cut, as long as the limit is the same. A limit that is new shows in an answer that is much smaller
than usual, has exactly as many rows as another day's, or a round number of them.
"""

import datetime as dt

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.layout import Lake

_NOTE = "answers"
_FEWEST = 10  # rows: no limit is that low
_USUAL = 0.7  # of the most that was whole: what has less may be due to a limit that is new
_ROUND_NUMBERS = frozenset(int(digits * 10**power) for digits in (1, 2, 2.5, 5) for power in (2, 3, 4))


def cut_days(lake: Lake, service: str) -> list[dt.date]:
    """Return the days that were pulled of a service before their answers were seen to be cut, and not again since."""
    notes_of = [of for name, of in (notes.read(lake, _NOTE) or {}).items() if f"{name} ".startswith(f"{service} ")]
    return sorted({dt.date.fromisoformat(day) for of in notes_of for day in (*of.get("cut", ()), *of.get("again", ()))})


def _note(lake: Lake, service: str) -> notes.Note:
    of: notes.Note = (notes.read(lake, _NOTE) or {}).get(service, {})
    return of


class Answers:
    """The answers of a service to one pull of a day, beside those before.

    What was whole is believed for a day only, so a limit that is new is noticed with the next night's first pull.

    Args:
        lake: where it is noted.
        service: its name.
        day: the local day that is pulled.
        now: the time of the pull.
        short: whether so little of the day is asked for that its size says nothing.

    """

    def __init__(self, lake: Lake, service: str, day: dt.date, now: dt.datetime, *, short: bool) -> None:
        self._lake, self._service, self._day, self._short = lake, service, str(day), short
        self._on = str(now.date())
        note = _note(lake, service)
        self._whole: int = note.get("whole", 0) if short or note.get("on") == self._on else 0
        self._believed: tuple[str, int] = tuple(note.get("believed", ("", 0)))
        self._has_answered = self._is_again = False

    def doubted(self, rows: int) -> bool:
        """Return whether an answer of so many rows may have been cut."""
        of_a_day, self._has_answered = not (self._short or self._has_answered), True
        if rows < _FEWEST:
            return False
        if rows >= self._whole or rows in _ROUND_NUMBERS:
            return True
        if not of_a_day:
            return False
        day, as_many = self._believed
        if rows < _USUAL * self._whole or (rows == as_many and day != self._day):
            return True
        self._believed = self._day, rows
        return False

    def found(self, rows: int, cut: bool) -> None:
        """Take an answer of so many rows for cut, or whole, from now on."""
        self._whole = rows if cut else max(rows, self._whole)
        day, as_many = self._believed
        if cut and rows == as_many and day != self._day:
            self._believed = "", 0
            with notes.updating(self._lake, _NOTE) as note:  # at once, as this pull may fail
                of = note.setdefault(self._service, {})
                of["believed"], of["cut"] = self._believed, sorted({*of.get("cut", ()), day})

    def keep(self) -> None:
        """Note what the answers said, once nothing more is asked for the day, also where it is not written then.

        A day whose answer was cut before counts as cut until it is ``written``.
        """
        with notes.updating(self._lake, _NOTE) as note:
            of = note.setdefault(self._service, {})
            of["whole"] = self._whole
            if self._short:
                return
            of["on"], of["believed"] = self._on, self._believed
            cut, again = set(of.get("cut", ())), set(of.get("again", ()))
            if self._day in cut | again:
                self._is_again = True  # beside the others, as the next day's answer may show that this one was cut too
                of["cut"], of["again"] = sorted(cut - {self._day}), sorted(again | {self._day})

    def written(self) -> None:
        """Note that the day's file is written."""
        if self._is_again:
            with notes.updating(self._lake, _NOTE) as note:
                of = note.setdefault(self._service, {})
                of["again"] = sorted(set(of.get("again", ())) - {self._day})
