"""The fingerprints of a table's files: a hash of each, noted in ``lake/.notes`` before the file takes its place.

DuckDB keeps no sum of a page: of files in which one bit was turned, two in three are read without an error and give other
rows (tried with 2.0). A note has the last writings of a file, as a crash may leave the one of before in its place, and a
back-up an older one.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

KEPT = 20  # writings of a file: one of before may lie there, after a crash or from a back-up
_MANY = 500  # lines more than are needed, before the note is written anew
_LOOKED_AT = 1 << 14  # bytes: so often it is counted whether there are so many
_CHUNK = 1 << 20


class Fingerprint(NamedTuple):
    """By what a file is known to be as it was written."""

    digest: str
    size: int
    time_ns: int


def of(file: Path) -> Fingerprint:
    """Return the fingerprint of a file as it is now.

    Raises:
        FileNotFoundError: there is none.

    """
    with file.open("rb") as reading:
        digest = hashlib.sha256()
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
        found = os.fstat(reading.fileno())
    return Fingerprint(digest.hexdigest(), found.st_size, found.st_mtime_ns)


def note(register: Path, files: Mapping[str, Fingerprint]) -> None:
    """Note that files are like this from when they take their places on; it is on the disk once this returns.

    Args:
        register: the note; see ``Lake.fingerprints``.
        files: their fingerprints, by their path in the table's folder.

    """
    if not files:
        return
    register.parent.mkdir(parents=True, exist_ok=True)
    with _held(register) as appending:
        # what was cut off by a crash ends with the line's end that comes first here
        before = appending.tell()
        appending.write("\n" + "".join(map(_line, files, files.values())))
        appending.flush()
        os.fsync(appending.fileno())
        if before // _LOOKED_AT == appending.tell() // _LOOKED_AT:
            return
        lines = _lines(register)
        if sum(map(len, lines.values())) > sum(min(len(each), KEPT) for each in lines.values()) + _MANY:
            _shorten(register, lines)


def _line(name: str, fingerprint: Fingerprint) -> str:
    return f"{fingerprint.digest} {fingerprint.size} {fingerprint.time_ns} {name}\n"


def name_of(table: str) -> str:
    """Return what the note of a table is called."""
    return f"fingerprints_{table}.txt"


def read(register: Path) -> dict[str, list[Fingerprint]]:
    """Return the last fingerprints of each file of a table, by its path in the table's folder; the latest last."""
    return {name: lines[-KEPT:] for name, lines in _lines(register).items()}


def _lines(register: Path) -> dict[str, list[Fingerprint]]:
    try:
        text = register.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    found: dict[str, list[Fingerprint]] = {}
    for line in text.splitlines():
        digest, *rest = line.split(" ", 3)
        if (
            len(digest) == hashlib.sha256().digest_size * 2
            and len(rest) == 3
            and rest[0].isdigit()
            and rest[1].isdigit()
        ):
            found.setdefault(rest[2], []).append(Fingerprint(digest, int(rest[0]), int(rest[1])))
    return found


@contextmanager
def _held(register: Path) -> Iterator[TextIO]:
    """Open the note to append to it, while nobody else does; it may be replaced while we wait."""
    while True:
        with register.open("a", encoding="utf-8") as appending:
            fcntl.flock(appending, fcntl.LOCK_EX)
            if _is(appending.fileno(), register):
                yield appending
                return


def _is(descriptor: int, register: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), register.stat())
    except FileNotFoundError:
        return False


def _shorten(register: Path, lines: dict[str, list[Fingerprint]]) -> None:
    aside = register.with_name(f".{register.name}")
    with aside.open("w", encoding="utf-8") as writing:
        for name, writings in lines.items():
            writing.writelines(_line(name, each) for each in writings[-KEPT:])
        writing.flush()
        os.fsync(writing.fileno())
    aside.replace(register)
