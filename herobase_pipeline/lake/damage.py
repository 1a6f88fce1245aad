"""Files that are not as they were written: damaged on the disk, or in a copy."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from herobase_pipeline.lake import fingerprints
from herobase_pipeline.lake.engine import file_literal
from herobase_pipeline.lake.fingerprints import Fingerprint
from herobase_pipeline.lake.layout import PART, Lake, locked
from herobase_pipeline.tables import TABLES, Table


def damaged(
    lake: Lake, table: Table, files: Sequence[Path] | None = None, *, thoroughly: Collection[Path] = ()
) -> list[Path]:
    """Return the files of a table that are damaged: unreadable, or of other content though as long as when they were written.

    What is readable and of another length was put there by somebody, and counts as written from now on; so does what lies
    there from before files were noted.

    Args:
        lake: where.
        table: the table.
        files: which of its files; all by default, the hidden ones beside them included.
        thoroughly: of these the bytes are read, though they bear the time at which they were written. A disk that forgets
            changes no time.

    """
    register = lake.fingerprints(table)
    known = fingerprints.read(register)
    found = []
    for path in lake.every_file(table) if files is None else files:
        name = str(path.relative_to(lake.folder(table)))
        bears_its_time = _bears_its_time(path, known.get(name, []))
        if bears_its_time and path not in thoroughly:
            continue
        try:
            now = fingerprints.of(path)
            writings = fingerprints.read(register).get(name, [])  # anew: it may have been written since
            if now in writings:
                continue
            if now.digest not in {each.digest for each in writings} and _is_damaged(path, now, writings):
                found.append(path)
                if bears_its_time:
                    fingerprints.doubt(register, name, writings[-1])
                continue
        except FileNotFoundError:
            continue
        fingerprints.note(register, name, now)
    return found


def damaged_files(lake: Lake) -> list[Path]:
    """Return all files of the lake that are damaged, each of which is read."""
    return [path for table in TABLES for path in damaged(lake, table, thoroughly=lake.every_file(table))]


def without_damaged(lake: Lake, tables: Sequence[Table] = TABLES, days: Collection[dt.date] | None = None) -> Lake:
    """Return the lake for who says what can be said: damaged files of some tables and days count as if they were not there."""
    found = (path for table in tables for path in damaged(lake, table, lake.files(table, days)))
    return replace(lake, hidden=frozenset(found))


def set_aside(lake: Lake, table: Table, files: Sequence[Path]) -> list[Path]:
    """Let the damaged ones of some files count as if they were not there; they go when their place is taken.

    Returns:
        Those that were damaged.

    """
    found = damaged(lake, table, files)
    for path in found:
        with locked(path.parent):
            path.replace(path.with_name(f".{PART}.damaged"))
    return found


def name_of(lake: Lake, path: Path) -> str:
    """Return a file's path in the data directory, as people are told of it."""
    return str(path.relative_to(lake.root.absolute()))


def is_readable(path: Path) -> bool:
    """Whether all that is in a file can be read, whatever it is."""
    with duckdb.connect() as con:
        try:
            con.execute(f"SELECT max(COLUMNS(*)) FROM read_parquet({file_literal(path)}, hive_partitioning = false)")
        except (duckdb.OutOfMemoryException, duckdb.PermissionException):
            raise
        except duckdb.Error:
            return False
    return True


def _bears_its_time(path: Path, writings: Sequence[Fingerprint]) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return True
    return (now.st_size, now.st_mtime_ns) in {(each.size, each.time_ns) for each in writings}


def _is_damaged(path: Path, now: Fingerprint, writings: Sequence[Fingerprint]) -> bool:
    return now.size in {each.size for each in writings} or not is_readable(path)
