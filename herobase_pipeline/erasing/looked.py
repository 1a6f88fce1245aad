"""Which files were looked through for leads that HeroBase has anonymized, so that the same are not looked through again.

A file is noted as it was before it was read; one that was put in its place, by a pull or from a backup, is looked through anew.
"""

import datetime as dt
from collections.abc import Collection

from herobase_pipeline.deriving.made import marks
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.layout import Lake, Mark, place_of
from herobase_pipeline.tables import SEARCH_ROWS, VERSIONS

TABLES = (*VERSIONS, SEARCH_ROWS)
"""Those in which a status stands."""
_NOTE = "looked_for_anonymized"


def files(lake: Lake, days: Collection[dt.date] | None = None) -> dict[str, Mark]:
    """Return the files to look through, of some days or all, as they are now, by their path in the data directory."""
    return marks(lake, [file for table in TABLES for file in lake.files(table, days)])


def days_to_look_at(lake: Lake) -> list[dt.date]:
    """Return the days of which a file was not looked through as it is now."""
    looked = notes.read(lake, _NOTE) or {}
    return sorted({place_of(name)[1] for name, mark in files(lake).items() if looked.get(name) != list(mark)})


def note(lake: Lake, looked: dict[str, Mark]) -> None:
    """Note that files were looked through, and whoever was found is registered."""
    with notes.updating(lake, _NOTE) as kept:
        kept.update({name: list(mark) for name, mark in looked.items()})
