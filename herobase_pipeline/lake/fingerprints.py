"""The fingerprints of a table's files: a hash of each, noted in ``lake/.notes`` before the file takes its place.

DuckDB keeps no sum of a page: of files in which one bit was turned, two in three are read without an error and give other
rows (tried with 2.0). A note has the last writings only, as a crash may leave the file of before in its place.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_KEPT = 2  # writings of a file: the last, and the one whose place it took
_MANY = 500  # lines more than are needed, before the note is written anew
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


def note(register: Path, name: str, fingerprint: Fingerprint) -> None:
    """Note that a file is like this from when it takes its place on; it is on the disk once this returns.

    Args:
        register: the note; see ``Lake.fingerprints``.
        name: the file's path in the table's folder.
        fingerprint: the file's.

    """
    register.parent.mkdir(parents=True, exist_ok=True)
    with _held(register) as descriptor:
        lines = _lines(register)
        # what was cut off by a crash ends with the line's end that comes first here
        os.write(descriptor, f"\n{fingerprint.digest} {fingerprint.size} {fingerprint.time_ns} {name}\n".encode())
        os.fsync(descriptor)
        if sum(map(len, lines.values())) > _KEPT * len(lines) + _MANY:
            _shorten(register, {**lines, name: [*lines.get(name, []), fingerprint]})


def doubt(register: Path, name: str, fingerprint: Fingerprint) -> None:
    """Note that a file was written like this, and that the time which it bears says nothing: each look reads it from now on."""
    for _ in range(_KEPT):
        note(register, name, fingerprint._replace(time_ns=0))


def read(register: Path) -> dict[str, list[Fingerprint]]:
    """Return the last fingerprints of each file of a table, by its path in the table's folder; the latest last."""
    return {name: lines[-_KEPT:] for name, lines in _lines(register).items()}


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
def _held(register: Path) -> Iterator[int]:
    """Open the note to append to it, while nobody else does; it may be replaced while we wait."""
    while True:
        descriptor = os.open(register, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is(descriptor, register):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is(descriptor: int, register: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), register.stat())
    except FileNotFoundError:
        return False


def _shorten(register: Path, lines: dict[str, list[Fingerprint]]) -> None:
    aside = register.with_name(f".{register.name}")
    with aside.open("w", encoding="utf-8") as writing:
        for name, writings in lines.items():
            writing.writelines(f"{each.digest} {each.size} {each.time_ns} {name}\n" for each in writings[-_KEPT:])
        writing.flush()
        os.fsync(writing.fileno())
    aside.replace(register)
