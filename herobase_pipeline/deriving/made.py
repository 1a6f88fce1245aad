"""What a derived table was last made from, noted in the lake so that the next time costs what has changed since.

The note is never believed against the files: where it is lost, was left by other SQL, or names other files of the table than
lie there, the table is made anew from everything.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from pydantic import BaseModel, ValidationError

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.engine import READING
from herobase_pipeline.lake.layout import Lake, Mark, Swapped, mark
from herobase_pipeline.tables import Table


class Seen(BaseModel):
    """A file as it was when it was read or written.

    Attributes:
        mark: which file it was.
        told: what was found in it, so that it need not be read again while it is the same.

    """

    mark: Mark
    told: dict[str, Any] = {}


class Made(BaseModel):
    """How a table was made.

    Attributes:
        recipe: by which SQL, in which zone; see ``recipe``.
        files: the table's own files, by their path in the data directory.
        sources: the files that it was made from.
        beside: what was kept beside the table for the next time.
        renamed: leads that were erased since, in all of these files: they are the same but for what they are called.
        gone: the days of which calls were past their time and gone, which leads may have been active on too; None where that
            was not noted.

    """

    recipe: str
    files: dict[str, Seen] = {}
    sources: dict[str, Seen] = {}
    beside: dict[str, Seen] = {}
    renamed: list[str] = []
    gone: list[dt.date] | None = None


def recipe(zone: ZoneInfo, *texts: str) -> str:
    """Return by what a table is made, as a hash: its SQL and the macros that it may use, the zone, and DuckDB's version."""
    return hashlib.sha256("\n".join([zone.key, duckdb.__version__, READING, *texts]).encode()).hexdigest()


def digest(columns: str) -> str:
    """Return the SQL of a hash of some rows in any order: two rows that are equal count as two."""
    return f"sum(hash({columns})::HUGEINT)::VARCHAR"


def marks(lake: Lake, paths: Sequence[Path]) -> dict[str, Mark]:
    """Return which files lie there, by their path in the data directory."""
    found = {name(lake, path): mark(path) for path in paths}
    return {path: its for path, its in found.items() if its is not None}


def name(lake: Lake, path: Path) -> str:
    """Return a file's path in the data directory."""
    return str(path.relative_to(lake.root.absolute()))


def read(lake: Lake, table: Table, by: str) -> Made | None:
    """Return how a table was made; None where that does not hold for the files that lie there, or for this recipe."""
    try:
        made = Made.model_validate(notes.read(lake, note_of(table)))
    except ValidationError:
        return None
    files = {path: seen.mark for path, seen in made.files.items()}
    return made if made.recipe == by and files and files == marks(lake, lake.files(table)) else None


def made_from(lake: Lake, table: Table, paths: Collection[Path]) -> set[Path]:
    """Return those of some files that, as they are now, a table was made from last."""
    try:
        made = Made.model_validate(notes.read(lake, note_of(table)))
    except ValidationError:
        return set()
    seen = {path: made.sources.get(name(lake, path)) for path in paths}
    return {path for path, of in seen.items() if of and of.mark == mark(path)}


def is_kept(lake: Lake, made: Made, path: Path) -> bool:
    """Whether a file beside the table is the one that was kept when the table was made."""
    seen = made.beside.get(name(lake, path))
    return seen is not None and seen.mark == mark(path) and lake.is_there(path)


def keep(
    lake: Lake,
    table: Table,
    by: str,
    sources: Mapping[str, Seen],
    beside: Sequence[Path] = (),
    gone: Sequence[dt.date] | None = None,
) -> None:
    """Note how a table was made, once its files are written.

    Args:
        lake: where.
        table: the table.
        by: the recipe.
        sources: the files that it was made from, as they were before they were read.
        beside: files that were kept beside the table; those that are not there are left out.
        gone: the days of which calls were gone.

    """
    own, kept = (
        {path: Seen(mark=its) for path, its in marks(lake, paths).items()} for paths in (lake.files(table), beside)
    )
    with notes.updating(lake, note_of(table)) as note:
        note.clear()
        now = Made(recipe=by, files=own, sources=dict(sources), beside=kept, gone=None if gone is None else list(gone))
        note.update(now.model_dump(mode="json"))


def rename(lake: Lake, table: Table, swapped: Swapped, aliases: Sequence[str]) -> None:
    """Note that files were written anew in which only erased leads are called otherwise, so that only these are made anew.

    Args:
        lake: where.
        table: the table whose files, or whose sources, they may be.
        swapped: the files.
        aliases: what the leads are called now.

    """
    with notes.updating(lake, note_of(table)) as note:
        try:
            made = Made.model_validate(note)
        except ValidationError:
            return
        for path, (old, new) in swapped.items():
            for seen in filter(None, (of.get(name(lake, path)) for of in (made.files, made.sources, made.beside))):
                if new and seen.mark == old:
                    seen.mark = new
        note.update(made.model_copy(update={"renamed": sorted({*made.renamed, *aliases})}).model_dump(mode="json"))


def note_of(table: Table) -> str:
    """Return what the note of a table is called."""
    return f"made_{table.name}"
