"""Where the files of a lake lie: on a disk, or on an object store. Nothing else in the house knows which.

On a disk a file takes another's place by a rename, and a lock is the system's. On an object store a whole object is put, which
readers see as it was or as it is, and a lock is a lease: an object that is put on the condition that there is none of its number
yet. An object store knows no folder, no owner and no half of a file, and looks after its bytes itself.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from herobase_pipeline.addresses import is_remote, system

Mark = tuple[int, int, int]
"""Size, time of writing in ns, and inode or a hash of the store's own mark: two files that took one place differ in one."""
_LEASE_S = 60.0
"""A lease that nobody has renewed for so long is anybody's: its holder was killed, or is cut off."""
_TRUSTED_S = 30.0
"""For so long after it was renewed a lease is ours without a look, as nobody takes one that is younger than a minute."""
_PAUSE_S = 0.2
_FRESH_S = 5.0
"""For so long it is not asked again what lies in a table's folder of an object store, unless this process writes there."""
_KEPT_LEASES = 4
"""Leases that are over are deleted by the handful."""
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_HELD, _LOCKS = b"held", ".locks"
_LISTED = ("part.parquet", ".known", ".digests")
"""Files of tables, of which there are many: they are looked up together."""
_leases: ContextVar[tuple[tuple[Path, int, "_Renewal"], ...]] = ContextVar("leases", default=())
"""What whoever runs here has locked, with the numbers of the leases."""
_conditional: set[str] = set()
"""Protocols of stores that were seen to keep to conditions."""
_seen: dict[str, tuple[float, dict[str, Mark]]] = {}
_listing: dict[str, object] = {}
"""By folder the listing under way whose answer may be believed: none that began before somebody looked again."""


class LockLostError(OSError):
    """A lock on an object store was lost; the message says of what. Nothing was written after that."""


class _Renewal:
    """When a lease was renewed last, by clocks of which one also counts the time that a machine slept."""

    def __init__(self) -> None:
        self.happens()

    def happens(self) -> None:
        """Note that it was renewed just now."""
        self._at = time.monotonic(), time.time()

    @property
    def age_s(self) -> float:
        """How long ago that was."""
        return max(time.monotonic() - self._at[0], abs(time.time() - self._at[1]))


class Lease(NamedTuple):
    """The latest lease of a lock on an object store.

    Attributes:
        number: its number.
        is_held: whether its holder still needs it; one that is over is an empty object.
        renewed: when its holder last said so, in seconds since 1970 by the store's clock.
        older: how many lie there from before.

    """

    number: int
    is_held: bool
    renewed: float
    older: int


# -- looking -------------------------------------------------------------------------------------------------------------


def mark(path: Path) -> Mark | None:
    """Return which file lies there; None for none."""
    if is_remote(path):
        return _within(_folder_of(path)).get(str(path)) if path.name in _LISTED else _looked_up(path)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def written(path: Path) -> float:
    """Return when a file was written, in seconds since 1970; 0 where there is none."""
    found = mark(path)
    return found[1] / 1e9 if found else 0.0


def exists(path: Path) -> bool:
    """Whether a file is there."""
    return mark(path) is not None if is_remote(path) else path.exists()


def folders_with(folder: Path, name: str) -> Iterator[str]:
    """Yield the names of the folders in a folder that have a file of a name."""
    if is_remote(folder):
        paths = [path.rsplit("/", 2) for path in _within(folder)]
        yield from sorted({parent for above, parent, file in paths if file == name and above == str(folder)})
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:  # without a path, as to make those of a year takes longer than the disk does
                    os.stat(f"{entry.name}/{name}", dir_fd=descriptor)
                    yield entry.name
                except OSError as error:
                    if error.errno not in _NOT_THERE:
                        raise
    finally:
        os.close(descriptor)


def is_newer(path: Path, other: Path) -> bool:
    """Whether a file was written after another; of an object store, which knows the second only, also in the same one."""
    one, two = written(path), written(other)
    return one >= two if is_remote(path) else one > two


def look_again(path: Path) -> None:
    """Ask anew, the next time, what lies where a path is."""
    if is_remote(path):
        for known in (_listing, _seen):
            known.pop(str(_folder_of(path)), None)


def look_everywhere_again() -> None:
    """Ask anew, the next time, what lies anywhere: what was seen before somebody else's turn is worth nothing."""
    for known in (_listing, _seen):
        known.clear()


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder, in order; links are none."""
    if is_remote(folder):
        return [folder / name.removeprefix(f"{_address(folder)}/") for name in sorted(_listed(folder))]
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def read_bytes(path: Path) -> bytes:
    """Return what a file has.

    Raises:
        FileNotFoundError: there is none.

    """
    return bytes(system(path).cat_file(str(path))) if is_remote(path) else path.read_bytes()


def _folder_of(path: Path) -> Path:
    """Return the folder of a table that a file is of, as its files are listed together."""
    return path.parent.parent if "=" in path.parent.name else path.parent


def _within(folder: Path) -> dict[str, Mark]:
    """Return the objects below a folder by their address."""
    key, asked_at = str(folder), time.monotonic()
    if (known := _seen.get(key)) and asked_at < known[0]:
        return known[1]
    _listing[key] = mine = object()
    found = _listed(folder)
    if _listing.get(key) is mine:  # else another thread took its turn meanwhile, before which this may have begun
        _seen[key] = asked_at + _FRESH_S, found
    return found


def _listed(folder: Path) -> dict[str, Mark]:
    fs, protocol = system(folder), str(folder).partition("://")[0]
    fs.invalidate_cache()
    below = fs.find(str(folder), detail=True).items()
    return {f"{protocol}://{name.removeprefix(f'{protocol}://')}": _marked(info) for name, info in below}


def _looked_up(path: Path) -> Mark | None:
    try:
        info = system(path).info(str(path), refresh=True)
    except FileNotFoundError:
        return None
    return _marked(info) if info["type"] == "file" else None


def _marked(info: Mapping[str, Any]) -> Mark:
    time_ns = int(_changed(info) * 1e9)
    its = str(info.get("ETag") or info.get("etag") or info.get("md5Hash") or time_ns)
    return int(info["size"]), time_ns, int.from_bytes(hashlib.sha256(its.encode()).digest()[:6])


def _changed(info: Mapping[str, Any]) -> float:
    """Return when an object was put, in seconds since 1970."""
    changed = info.get("LastModified") or info.get("mtime") or info.get("created") or 0
    return float(changed.timestamp() if hasattr(changed, "timestamp") else changed)


# -- writing -------------------------------------------------------------------------------------------------------------


def put(aside: Path, target: Path) -> None:
    """Put a file in the place of another, as a whole; it is durable when this returns."""
    if is_remote(target):
        _require_leases()
        system(target).put_file(str(aside), str(target))
        look_again(target)
        return
    flush(aside)
    aside.replace(target)
    flush(target.parent)


def put_bytes(target: Path, content: bytes, *, private: bool = False) -> None:
    """Put a text in the place of a file, as a whole; what a killed process left beside it goes."""
    if is_remote(target):
        _require_leases()
        system(target).pipe_file(str(target), content)
        look_again(target)
        return
    for stale in target.parent.glob(f".{target.name}.*"):
        stale.unlink()
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        aside.touch(mode=0o600 if private else 0o666)
        aside.write_bytes(content)
        put(aside, target)
    except OSError:  # a full disk
        aside.unlink(missing_ok=True)
        raise


def append(target: Path, more: bytes, keep: int | None = None) -> None:
    """Add to a private file's end; it is durable when this returns. ``keep``: so much of what is there stays."""
    if is_remote(target):
        there = read_bytes(target) if exists(target) else b""
        put_bytes(target, there[:keep] + more)
        return
    is_new = not target.exists()
    with target.open("ab") as file:
        target.chmod(0o600)
        if keep is not None:
            file.truncate(keep)
        file.write(more)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        flush(target.parent)  # so that the file itself is found again


def remove(path: Path) -> None:
    """Delete a file, if it is there."""
    _require_leases()
    path.unlink(missing_ok=True)
    look_again(path)


@contextlib.contextmanager
def own_folder(base: Path) -> Iterator[Path]:
    """Hand out an empty folder on the disk that only its owner can enter, and remove it after.

    A process that was killed leaves its folder behind, but not the lock on it: the next one removes what nobody holds.
    """
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    mine = base / uuid.uuid4().hex
    with contextlib.ExitStack() as stack:
        with locked(base):  # so that nobody takes the new folder for an abandoned one
            _remove_abandoned(base)
            mine.mkdir(mode=0o700)
            stack.enter_context(locked(mine))
        stack.callback(shutil.rmtree, mine)
        yield mine


def on_this_machine() -> Path:
    """Return where lies what is on its way to an object store."""
    return Path(tempfile.gettempdir()) / f"herobase-{os.getuid()}"


def _remove_abandoned(base: Path) -> None:
    for folder in base.iterdir():
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its own process has just removed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def make_folder(folder: Path, *, private: bool) -> None:
    """Make a folder; a private one, and the zone it lies in, can be entered by the owner alone."""
    if is_remote(folder):
        return
    if not private:
        folder.mkdir(parents=True, exist_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for part in (folder, *folder.parents):
        part.chmod(0o700)
        if part.name == "private":
            return


def flush(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- locking -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which a process that dies does not keep."""
    if is_remote(folder):
        with _leased(folder):
            look_everywhere_again()
            yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lease_of(folder: Path) -> Lease | None:
    """Return the latest lease of a folder of an object store; None where there never was one."""
    try:
        found = system(folder).ls(_address(_locks_of(folder)), detail=True, refresh=True)
    except FileNotFoundError:
        return None
    leases = {int(name): info for info in found if (name := info["name"].rpartition("/")[2]).isdigit()}
    if not leases:
        return None
    info = leases[latest := max(leases)]
    return Lease(latest, is_held=info["size"] > 0, renewed=_changed(info), older=len(leases) - 1)


@contextlib.contextmanager
def _leased(folder: Path) -> Iterator[None]:
    """Hold a lease. Each has the number after the one before, so of several who want it one gets it; it is renewed meanwhile."""
    number = _take(folder)
    mine = _lease(folder, number)
    renewal = _Renewal()
    before = _leases.set((*_leases.get(), (folder, number, renewal)))
    try:
        with alive(mine, ends=False, renewal=renewal):
            yield
    finally:
        _leases.reset(before)
        _say(mine, b"")


def _require_leases() -> None:
    """See to it that all that is locked here is still ours: a machine that slept may have lost it.

    Raises:
        LockLostError: somebody else has some of it by now.

    """
    for folder, number, renewal in _leases.get():
        if renewal.age_s < _TRUSTED_S:
            continue
        if (last := lease_of(folder)) is None or last.number != number:
            raise LockLostError(
                f"{folder} was locked for so long without a sign of life that another process has taken it, so nothing more was "
                "written. Run this again."
            )


def _address(folder: Path) -> str:
    return str(folder).rstrip("/")


def is_lock(path: Path) -> bool:
    """Whether a file is a lease, which says nothing of anybody."""
    return _LOCKS in path.parts


def _locks_of(folder: Path) -> Path:
    """Return where a folder's leases lie: apart from the tables, whose files are listed often."""
    zone = next((each for each in (folder, *folder.parents) if each.name in ("lake", "private")), folder)
    return zone / _LOCKS / (_address(folder).removeprefix(_address(zone)).strip("/").replace("/", "~") or "zone")


def _lease(folder: Path, number: int) -> Path:
    return _locks_of(folder) / f"{number:012}"


def _is_over(folder: Path, lease: Lease) -> bool:
    """Whether anybody may take the next lease."""
    return not lease.is_held or now(_locks_of(folder)) - lease.renewed > _LEASE_S


def now(folder: Path) -> float:
    """Return the time by the clock that says when files in a folder were written, in seconds since 1970."""
    if not is_remote(folder):
        return time.time()
    probe = folder / ".now"
    _say(probe, b"")
    found = _looked_up(probe)
    return found[1] / 1e9 if found else 0.0


def _say(path: Path, what: bytes) -> None:
    system(path).pipe_file(str(path), what)


def _take(folder: Path) -> int:
    _require_conditions(folder)
    while True:
        last = lease_of(folder)
        if last is None or _is_over(folder, last):
            number = last.number + 1 if last else 0
            mine = _lease(folder, number)
            if _put_new(mine):
                latest = lease_of(folder)
                if latest and latest.number == number:
                    if latest.older > _KEPT_LEASES:
                        olds = [mine.with_name(f"{old:012}") for old in range(number - latest.older, number)]
                        system(mine).rm([str(old) for old in olds])
                    return number
                mine.unlink(missing_ok=True)  # of a number that somebody had had before
        time.sleep(_PAUSE_S)


def _require_conditions(folder: Path) -> None:
    """See to it, once a process, that the store keeps to conditions: with one that does not, two would hold a lock.

    Raises:
        OSError: it does not.

    """
    store = _address(folder).partition("://")[0]
    if store in _conditional:
        return
    probe = _locks_of(folder) / f".probe-{uuid.uuid4().hex}"
    try:
        if not _put_new(probe) or _put_new(probe):
            raise OSError(
                f"The object store of {folder} puts an object where there is one, though it was asked not to (If-None-Match), so "
                "no lock would hold there. Use one that does, such as S3, or a disk."
            )
    finally:
        probe.unlink(missing_ok=True)
    _conditional.add(store)


def _put_new(path: Path) -> bool:
    """Put an object if there is none there; returns whether it was put (If-None-Match, RFC 9110 section 13.1.2)."""
    try:
        system(path).pipe_file(str(path), _HELD, mode="create")
    except FileExistsError:
        return False
    except OSError:
        if _looked_up(path) is not None:  # of two at once S3 answers one with 409
            return False
        raise
    return True


@contextlib.contextmanager
def alive(path: Path, *, ends: bool = True, renewal: _Renewal | None = None) -> Iterator[None]:
    """Show on an object store, until the block ends or the process dies, that somebody is at work.

    Args:
        path: the object that shows it.
        ends: whether it is put here first, and taken away at the end.
        renewal: is told when it is renewed.

    """
    if ends:
        _say(path, _HELD)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_LEASE_S / 4):
            # where the store does not answer it is tried again; who loses the lock meanwhile is told as it writes
            with contextlib.suppress(Exception):
                _say(path, _HELD)
                if renewal:
                    renewal.happens()

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        if ends:
            remove(path)


def is_held(path: Path) -> bool:
    """Whether a process holds a sign of life: by the system's lock on a disk, by its renewal on an object store.

    Also where the sign has just been taken away, as its process has ended well.
    """
    if not is_remote(path):
        try:
            with path.open() as sign:
                fcntl.flock(sign, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return True
        return False
    found = mark(path)
    return found is None or now(path.parent / _LOCKS) - found[1] / 1e9 <= _LEASE_S


@contextlib.contextmanager
def shared(path: Path) -> Iterator[bytearray]:
    """Hand out an object's bytes to be changed in place, which nobody else does meanwhile."""
    with _leased(path):
        content = bytearray(read_bytes(path) if exists(path) else b"")
        before = bytes(content)
        yield content
        if content != before:
            put_bytes(path, bytes(content))
