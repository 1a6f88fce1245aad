"""Files that are not as they were written: damaged on the disk, or in a copy."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.lake import fingerprints
from herobase_pipeline.lake.engine import bare, file_literal
from herobase_pipeline.lake.fingerprints import Fingerprint
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import (
    CALL_HOURS,
    CALL_OUTCOMES,
    DELIVERIES,
    DELIVERY_PAYLOADS,
    ERASED,
    ERASURES,
    RESTATEMENTS,
    TABLES,
    UNREADABLE,
    Table,
)

KEPT = (ERASED, ERASURES, DELIVERIES, DELIVERY_PAYLOADS, RESTATEMENTS)
"""Tables that nothing can make anew."""


class DamagedError(RuntimeError):
    """Files are damaged on the disk; the message names them and says what to do."""

    def __init__(self, lake: Lake, what: str, files: Mapping[Table, Sequence[Path]]) -> None:
        """Say ``what`` did not happen, which files are damaged, and what to do about each."""
        names = ", ".join(name_of(lake, path) for of_table in files.values() for path in of_table)
        super().__init__(f"{what} Damaged on the disk: {names}. {' '.join(dict.fromkeys(map(remedy, files)))}")


def remedy(table: Table, called: str = "") -> str:
    """Return what to do about a damaged file of a table; ``called``: of any like it, and what these are called."""
    name = called or table.name
    prints = fingerprints.name_of("TABLE" if called else table.name)
    accept = f"If it is right as it is, delete lake/.notes/{prints}: what lies there is believed then."
    if table in KEPT:
        return f"Put {name} back from a back-up: nothing can make it anew. {accept}"
    if table is UNREADABLE:
        return f"Put unreadable back from a back-up, or delete the file: it is of use to nothing else. {accept}"
    if table.snapshot:
        return (
            f"Put {name} back from a back-up, or delete the file; materializing it brings today's list, and an older one "
            f"cannot be asked for. {accept}"
        )
    if table.daily and table not in (CALL_OUTCOMES, CALL_HOURS):
        return (
            f"Put {name} back from a back-up, or materialize its day, which pulls it anew; what HeroBase no longer has of "
            f"it is lost then. {accept}"
        )
    return f"Materialize {name}, or that day of it; it is made anew."


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
    if is_remote(lake.root):  # which looks after its bytes itself
        return []
    register = lake.fingerprints(table)
    known = fingerprints.read(register)
    found, believed, doubted = [], {}, {}
    for path in lake.every_file(table) if files is None else files:
        name = str(path.relative_to(lake.folder(table)))
        bears_its_time = _bears_its_time(path, known.get(name, []))
        if bears_its_time and path not in thoroughly:
            continue
        try:
            now = fingerprints.of(path)
            writings = known.get(name, [])
            if not _is_one_of(now, writings):  # it may have been written since
                writings = fingerprints.read(register).get(name, [])
            if now in writings:
                continue
            if not _is_one_of(now, writings) and _is_damaged(path, now, writings):
                found.append(path)
                if bears_its_time:
                    doubted[name] = writings[-1]._replace(time_ns=0)
                continue
        except FileNotFoundError:
            continue
        believed[name] = now
    fingerprints.note(register, believed)
    for _ in range(fingerprints.KEPT if doubted else 0):  # so that each look reads them from now on
        fingerprints.note(register, doubted)
    return found


def damaged_files(lake: Lake) -> dict[Table, list[Path]]:
    """Return all files of the lake that are damaged, each of which is read."""
    found = {table: damaged(lake, table, thoroughly=frozenset(lake.every_file(table))) for table in TABLES}
    return {table: files for table, files in found.items() if files}


def require_undamaged(lake: Lake, what: str, tables: Iterable[Table], days: Collection[dt.date] | None = None) -> None:
    """Refuse to go on where files of some tables are damaged; of daily ones those of some days, or of all.

    Raises:
        DamagedError: some are; its message begins with ``what``.

    """
    found = {table: damaged(lake, table, _files(lake, table, days)) for table in tables}
    if any(found.values()):
        raise DamagedError(lake, what, {table: files for table, files in found.items() if files})


def without_damaged(lake: Lake, tables: Sequence[Table] = TABLES, days: Collection[dt.date] | None = None) -> Lake:
    """Return the lake in which damaged files of some tables and days count as if they were not there, until they are replaced."""
    found = {path for table in tables for path in damaged(lake, table, _files(lake, table, days))}
    return replace(lake, hidden=found)


def name_of(lake: Lake, path: Path) -> str:
    """Return a file's path in the data directory, as people are told of it."""
    return str(path.relative_to(lake.root.absolute()))


def is_readable(path: Path) -> bool:
    """Whether all that is in a file can be read, whatever it is.

    Raises:
        OSError: nobody may read it, or it is not there.

    """
    with path.open("rb"), bare() as con:
        try:
            con.execute(f"SELECT max(COLUMNS(*)) FROM read_parquet({file_literal(path)}, hive_partitioning = false)")
        except (duckdb.OutOfMemoryException, duckdb.PermissionException):
            raise
        except duckdb.Error:
            return False
    return True


def _files(lake: Lake, table: Table, days: Collection[dt.date] | None) -> list[Path]:
    return lake.files(table, days) if table.daily else lake.every_file(table)


def _bears_its_time(path: Path, writings: Sequence[Fingerprint]) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return True
    return (now.st_size, now.st_mtime_ns) in {(each.size, each.time_ns) for each in writings}


def _is_one_of(now: Fingerprint, writings: Sequence[Fingerprint]) -> bool:
    return now.digest in {each.digest for each in writings}


def _is_damaged(path: Path, now: Fingerprint, writings: Sequence[Fingerprint]) -> bool:
    return now.size in {each.size for each in writings} or not is_readable(path)
