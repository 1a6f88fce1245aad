"""A full rebuild, and whether it made of a table what the increments of the days before had made of it."""

import datetime as dt
from collections.abc import Callable
from typing import TypeVar
from zoneinfo import ZoneInfo

from herobase_pipeline.deriving import made
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.engine import connect, file_literal
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.tables import Table

T = TypeVar("T")
_NOTE = "rebuilt"


def rebuild(lake: Lake, zone: ZoneInfo, table: Table, make: Callable[[bool], T]) -> T:
    """Make a table up to date, then make it anew, and note whether it is the same; returns what the second ``make`` does.

    Args:
        lake: where.
        zone: the business time zone.
        table: the table.
        make: makes it; anew where it is given True.

    """
    make(False)  # else what has changed since it was made last would look like a mistake
    before = _contents(lake, zone, table)
    done = make(True)
    after = _contents(lake, zone, table)
    with notes.updating(lake, _NOTE) as note:
        wrong = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        note[table.name] = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "different": wrong}
    return done


def differences(lake: Lake) -> list[tuple[dt.date, str]]:
    """Return the last rebuild of each table that was not the same as what was there: its day in UTC, and which files."""
    found = []
    for name, rebuilt in (notes.read(lake, _NOTE) or {}).items():
        if rebuilt["different"]:
            found.append(
                (dt.datetime.fromisoformat(rebuilt["at"]).date(), f"{name} in {', '.join(rebuilt['different'])}")
            )
    return found


def _contents(lake: Lake, zone: ZoneInfo, table: Table) -> dict[str, object]:
    """Return for each file that has rows how many, and a hash of them in any order."""
    columns = ", ".join(column.name for column in table.in_file)
    rows = f"SELECT count(*), {made.digest(columns)} FROM read_parquet({{}}, hive_partitioning = false)"
    with spool(lake) as folder, connect(zone, folder) as con:
        files = {path: con.execute(rows.format(file_literal(path))).fetchone() for path in lake.files(table)}
    return {made.name(lake, path): found for path, found in files.items() if found and found[0]}
