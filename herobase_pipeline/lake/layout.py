"""Where each table lies, and how a file takes another's place."""

import contextlib
import datetime as dt
import os
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.lake import fingerprints, store
from herobase_pipeline.lake.store import Mark, exists, flush, locked, make_folder, mark, written
from herobase_pipeline.tables.schema import Table

PART = "part.parquet"
__all__ = ["Forgetting", "Lake", "Mark", "Swapped", "exists", "flush", "locked", "make_folder", "mark", "written"]

Swapped = dict[Path, tuple[Mark | None, Mark | None]]
"""Of files that were written anew, which lay there before, and which does since."""


@dataclass(frozen=True)
class Forgetting:
    """How a writer leaves out who was erased.

    Attributes:
        key: that of the keyed hashes (``HEROBASE_PII_KEY``).
        deletes_rows: their calls and leads go as a whole; else they stay, without what they can be told by.

    """

    key: bytes = field(repr=False)
    deletes_rows: bool = False


@dataclass(frozen=True)
class Lake:
    """The data directory.

    Attributes:
        root: where it lies (``HEROBASE_DATA_DIR``).
        forgetting: how erased persons are left out, for who writes; None for who only reads.
        listed: the files of tables that were listed, for who looks at one moment (see ``at_one_moment``); None for others.
        hidden: files that count as if they were not there, until they are replaced.

    """

    root: Path
    forgetting: Forgetting | None = field(default=None, compare=False)
    listed: dict[Path, tuple[list[str], list[Path]]] | None = field(default=None, compare=False, repr=False)
    hidden: set[Path] = field(default_factory=set, compare=False, repr=False)

    def at_one_moment(self) -> "Lake":
        """Return the lake for who asks for many files at once: each folder is listed once, however often it is asked for."""
        return replace(self, listed={})

    @property
    def deletes_rows(self) -> bool:
        """Whether the calls and leads of erased persons go as a whole, for who writes."""
        return self.forgetting is not None and self.forgetting.deletes_rows

    def folder(self, table: Table) -> Path:
        """Return a table's folder: ``lake/<name>``, or ``private/<name>`` for what identifies customers."""
        return self.root.absolute() / ("private" if table.private else "lake") / table.name

    def file(self, table: Table, day: dt.date | None = None) -> Path:
        """Return a table's file: of a day for a daily one, of the month that begins on the day for a monthly one."""
        folder = self.folder(table)
        if day is None:
            return folder / PART
        return folder / (f"month={day:%Y-%m}" if table.monthly else f"date={day}") / PART

    def days(self, table: Table) -> list[dt.date]:
        """Return the days that a table has a file for, in order."""
        return _named(self.folders(table), _day)

    def months(self, table: Table) -> list[dt.date]:
        """Return the first days of the months that a monthly table has a file for, in order.

        None while it lies in one file, as before there were months: that one counts until it is gone.
        """
        if exists(self.file(table)):
            return []
        return _named(self.folders(table), month_of)

    def folders(self, table: Table) -> list[str]:
        """Return the names of the folders in a table's that have a file, whatever they are called."""
        return list(self._folders(table)) if self.listed is None else self._listed(table)[0]

    def _folders(self, table: Table) -> Iterator[str]:
        folder = self.folder(table)
        found = store.folders_with(folder, PART)
        yield from (name for name in found if folder / name / PART not in self.hidden) if self.hidden else found

    def has(self, table: Table) -> bool:
        """Whether a table has a file."""
        if table.daily:
            return any(map(_day, self._folders(table)))
        return bool(self.files(table))

    def files(self, table: Table, days: Collection[dt.date] | None = None) -> list[Path]:
        """Return the files that a table has, of all days or of some.

        Months count only beside what is known of their days, which is written last.
        """
        if days is None and self.listed is not None:
            return self._listed(table)[1]
        return self._files(table, self.folders(table), days)

    def _files(self, table: Table, folders: Collection[str], days: Collection[dt.date] | None) -> list[Path]:
        if table.daily:
            folder = self.folder(table)
            return [folder.joinpath(f"date={d}", PART) for d in _named(folders, _day) if days is None or d in days]
        if exists(self.file(table)):
            return [self.file(table)] if self.is_there(self.file(table)) else []
        months = _named(folders, month_of) if table.monthly and self.is_there(self.known(table)) else []
        return [self.file(table, month) for month in months]

    def _listed(self, table: Table) -> tuple[list[str], list[Path]]:
        """Return the names of a table's folders and its files, as they were when they were asked for first."""
        if self.listed is None:
            raise AssertionError("asked of a lake that remembers nothing: a defect of this program")
        folder = self.folder(table)
        if folder not in self.listed:
            folders = list(self._folders(table))
            self.listed[folder] = folders, self._files(table, folders, None)
        return self.listed[folder]

    def known(self, table: Table) -> Path:
        """Return the hidden file beside a table's: for all months what is known of days, or of each day its units."""
        return self.folder(table) / ".known"

    def digests(self, table: Table) -> Path:
        """Return the hidden file beside a table's that has, by lead and day, a hash of what it was last made from."""
        return self.folder(table) / ".digests"

    def fingerprints(self, table: Table) -> Path:
        """Return the note of a table's files as they were written; see ``fingerprints``."""
        return self.root.absolute() / "lake" / ".notes" / fingerprints.name_of(table.name)

    def every_file(self, table: Table) -> list[Path]:
        """Return the files of a table and the hidden ones beside them."""
        beside = [path for path in (self.known(table), self.digests(table)) if self.is_there(path)]
        return [*self.files(table), *beside]

    def footers(self, table: Table, days: Collection[dt.date] | None = None) -> list[Path]:
        """Return the files whose footers say which days a table knows (see ``completeness``)."""
        known = self.known(table)
        return [known] if table.monthly and self.is_there(known) else self.files(table, days)

    def is_there(self, path: Path) -> bool:
        """Whether a file is there, and not hidden."""
        return path not in self.hidden and exists(path)

    def under_way(self, what: str) -> Path:
        """Return the private folder of what is under way, and no table's: ``private/.<what>``."""
        return self.root.absolute() / "private" / f".{what}"

    @property
    def catalogue(self) -> Path:
        """The generated DuckDB file of views."""
        return self.root.absolute() / "herobase.duckdb"

    @contextlib.contextmanager
    def replacing(
        self, table: Table, day: dt.date | None = None, *, keeps_age: bool = False, swapped: Swapped | None = None
    ) -> Iterator[Path]:
        """Hand out a path to write a table's file to, which takes the old file's place once the block ends well.

        ``keeps_age``: it is as old as the one whose place it takes. ``swapped`` is told which file took whose place.

        Only one writer of a file is in the block at a time. A reader sees the old file or the new one; a crash at any
        point leaves the old or the new, and what it leaves beside them goes at the next write.
        """
        target = self.file(table, day)
        with self._replacing(table, target, keeps_age=keeps_age, swapped=swapped) as aside:
            yield aside

    @contextlib.contextmanager
    def replacing_beside(self, table: Table, target: Path) -> Iterator[Path]:
        """Hand out a path to write a hidden file beside a table's to, as ``replacing`` does."""
        with self._replacing(table, target) as aside:
            yield aside

    @contextlib.contextmanager
    def _replacing(
        self, table: Table, target: Path, *, keeps_age: bool = False, swapped: Swapped | None = None
    ) -> Iterator[Path]:
        make_folder(target.parent, private=table.private)
        if is_remote(target):
            with locked(target.parent), store.own_folder(store.on_this_machine()) as folder:
                aside, old = folder / PART, mark(target)
                yield aside
                store.put(aside, target)
                self.hidden.discard(target)
                if swapped is not None:
                    swapped[target] = old, mark(target)
            return
        with locked(target.parent):
            for stale in target.parent.glob(f".{PART}.*"):
                stale.unlink()
            aside = target.with_name(f".{PART}.{uuid.uuid4().hex}")
            try:
                yield aside
                if table.private:
                    aside.chmod(0o600)
                if keeps_age:
                    was = target.stat()
                    os.utime(aside, ns=(was.st_atime_ns, was.st_mtime_ns))
                old = mark(target)
                written = {str(target.relative_to(self.folder(table))): fingerprints.of(aside)}
                fingerprints.note(self.fingerprints(table), written)
                store.put(aside, target)
                self.hidden.discard(target)
                if swapped is not None:
                    swapped[target] = old, mark(target)
            finally:
                aside.unlink(missing_ok=True)

    def remove(self, table: Table, day: dt.date | None = None) -> None:
        """Delete a table's file."""
        path = self.file(table, day)
        with locked(path.parent):
            store.remove(path)

    def remove_leftovers(self, table: Table) -> None:
        """Delete what killed writers left beside a table's files, once whoever writes there now is done."""
        if is_remote(self.root):  # what is not put as a whole is not there
            return
        for left in self.folder(table).glob(f"**/.{PART}.*"):
            with locked(left.parent):
                left.unlink(missing_ok=True)


def _named(folders: Collection[str], named: Callable[[str], dt.date | None]) -> list[dt.date]:
    """Return the days by which folders are named, in order."""
    return sorted(day for folder in folders if (day := named(folder)))


def _day(folder: str) -> dt.date | None:
    """Return the day whose folder has that name; None for any other, such as ``date=2026-11-23 copy``."""
    try:
        day = dt.date.fromisoformat(folder.removeprefix("date="))
    except ValueError:
        return None
    return day if folder == f"date={day}" else None  # 20261123 is a day too, and none of ours


def month_of(folder: str) -> dt.date | None:
    """Return the first day of the month whose folder has that name; None for any other."""
    day = _day(f"date={folder.removeprefix('month=')}-01")
    return day if day and folder == f"month={day:%Y-%m}" else None


def place_of(path: str) -> tuple[str, dt.date]:
    """Return the name of the table and the day of a daily file, by its path in the data directory."""
    *_, table, folder, _ = path.split("/")
    return table, dt.date.fromisoformat(folder.removeprefix("date="))
