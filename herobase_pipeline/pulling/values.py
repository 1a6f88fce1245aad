"""What HeroBase gave of each field, by day: a field that changes its type, or is given no more, shows here at once.

What cannot be read is NULL in the tables, as if it had not been given; and for what is not given some tables have a value that
is usual, such as that a call is outbound.
"""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.layout import Lake

_NOTE = "fields_given"
_DAYS = 100  # are kept


class Given(NamedTuple):
    """What was given on a day.

    Attributes:
        records: how many records.
        given: in how many of them each field could be read.
        unreadable: in how many a field's value had none of the known forms; fields without any are left out.

    """

    records: int
    given: Mapping[str, int]
    unreadable: Mapping[str, int]


def keep(lake: Lake, service: str, day: dt.date, found: Given, *, anew: bool) -> None:
    """Note what a pull of a day gave: in place of what was noted before (``anew``), or beside it, as a refresh brings a part."""
    with notes.updating(lake, _NOTE) as note:
        days = note.setdefault(service, {})
        before = Given(0, {}, {}) if anew or str(day) not in days else Given(*days[str(day)])
        days[str(day)] = [
            before.records + found.records,
            *(
                {name: of.get(name, 0) + more.get(name, 0) for name in sorted({*of, *more})}
                for of, more in ((before.given, found.given), (before.unreadable, found.unreadable))
            ),
        ]
        note[service] = {each: days[each] for each in sorted(days)[-_DAYS:]}


def read(lake: Lake, service: str) -> dict[dt.date, Given]:
    """Return what was given on the days that are noted of a service, in order."""
    days = (notes.read(lake, _NOTE) or {}).get(service, {})
    return {dt.date.fromisoformat(day): Given(*of) for day, of in sorted(days.items())}
