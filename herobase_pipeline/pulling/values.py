"""Values that had none of the forms that this version knows, by day: a field that changes its type shows here at once.

What cannot be read is NULL in the tables, as if it had not been given.
"""

import datetime as dt
from collections.abc import Mapping

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.layout import Lake

_NOTE = "unreadable_values"


def keep(lake: Lake, service: str, day: dt.date, found: Mapping[str, int], *, anew: bool) -> None:
    """Note the unreadable values of a pull of a day, by field; ``anew``: in place of what was noted before."""
    if not found and not read(lake, service):
        return
    with notes.updating(lake, _NOTE) as note:
        days = note.setdefault(service, {})
        before = {} if anew else days.get(str(day), {})
        days[str(day)] = {**before, **{name: max(number, before.get(name, 0)) for name, number in found.items()}}
        note[service] = {each: fields for each, fields in days.items() if fields}


def read(lake: Lake, service: str) -> dict[dt.date, dict[str, int]]:
    """Return the days of a service that have unreadable values, with their number by field."""
    days = (notes.read(lake, _NOTE) or {}).get(service, {})
    return {dt.date.fromisoformat(day): fields for day, fields in days.items()}
