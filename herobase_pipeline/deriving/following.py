"""Tables that are made from all days: where nothing that decides one has changed it stays, and costs a look at its files.

What was looked at is noted as one hash: the recipe, which file each of its sources and of its own is, and the notes that decide
it. A file or a note that is another, is lost, or is damaged makes another hash, and the table is made.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import duckdb
from pydantic import BaseModel, ValidationError

from herobase_pipeline.deriving import made
from herobase_pipeline.deriving.session import Derived, connected, in_turn
from herobase_pipeline.lake import gone, notes
from herobase_pipeline.lake.layout import Lake, Mark, written
from herobase_pipeline.lake.store import now
from herobase_pipeline.tables import Table


class Followed(BaseModel):
    """What came of a table when it was made last.

    Attributes:
        of: the hash of what decided it and of what it is.
        rows: its rows.
        whole_days: how many days it knows in full.
        versions: how many lead versions it was made from, by the table that told them.
        looked_at: when its sources were looked at last, in seconds since 1970 by the clock of its files.

    """

    of: str
    rows: int
    whole_days: int
    versions: dict[str, int]
    looked_at: float = 0.0


def follow(
    lake: Lake,
    zone: ZoneInfo,
    table: Table,
    reads: Sequence[Table],
    by: str,
    make: Callable[[duckdb.DuckDBPyConnection], Derived],
    *,
    anew: bool = False,
) -> Derived:
    """Make a table, unless it was made last by the same recipe from the same files and is as it was; returns what came of it.

    Args:
        lake: where.
        zone: the business time zone.
        table: the table.
        reads: the tables that it is made from.
        by: the recipe (see ``made.recipe``), with all that decides the table beside these.
        make: makes it, in a connection.
        anew: make it, whatever has changed.

    """
    with in_turn(lake, table, reads):
        looked_at = now(lake.root.absolute())
        sources = _sources(lake, reads)  # as they are before they are read
        if not anew and (before := _read(lake, table)) and before.of == _hash(lake, table, by, sources):
            _keep(lake, table, before.model_copy(update={"looked_at": looked_at}))
            return Derived(before.rows, 0, is_whole=True, versions=before.versions, whole_days=before.whole_days)
        with connected(lake, zone, table) as con:
            derived = make(con)
        of = _hash(lake, table, by, sources)
        versions = dict(derived.versions)
        made_now = Followed(
            of=of, rows=derived.rows, whole_days=derived.whole_days, versions=versions, looked_at=looked_at
        )
        _keep(lake, table, made_now)
        return derived


def followed_at(lake: Lake, table: Table) -> float:
    """Return when a table was made, or seen to be as it should: in seconds since 1970 by the clock of its files; 0 for never.

    A table that stays keeps its age, so its file does not say so.
    """
    seen = _read(lake, table)
    return max(seen.looked_at if seen else 0.0, *(written(path) for path in lake.footers(table)), 0.0)


def _keep(lake: Lake, table: Table, seen: Followed) -> None:
    with notes.updating(lake, _note(table)) as note:
        note.clear()
        note.update(seen.model_dump(mode="json"))


def _read(lake: Lake, table: Table) -> Followed | None:
    try:
        return Followed.model_validate(notes.read(lake, _note(table)))
    except ValidationError:
        return None


def _sources(lake: Lake, reads: Sequence[Table]) -> dict[str, Mark]:
    """Return all files that a table is made from; those whose footers say which days are known are among them."""
    files = dict.fromkeys(path for table in reads for path in (*lake.files(table), *lake.footers(table)))
    return made.marks(lake, [*files, notes.file_of(lake, gone.NOTE)])


def _hash(lake: Lake, table: Table, by: str, sources: dict[str, Mark]) -> str:
    own = made.marks(lake, [*lake.every_file(table), notes.file_of(lake, made.note_of(table))])
    return hashlib.sha256(json.dumps([by, sources, own], sort_keys=True).encode()).hexdigest()


def _note(table: Table) -> str:
    return f"followed_{table.name}"
