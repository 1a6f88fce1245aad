"""``herobase-move FROM TO``: a lake is moved from the disk to an object store, or back; each is a folder or an address.

Every file is copied, oldest first, so that what is derived stays younger than what it is made from. Then each is compared, byte
by byte, and only then is the old lake deleted. What is derived is made anew once after that, as each file is another.
"""

import argparse
import os
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.addresses import is_remote, place
from herobase_pipeline.lake import catalogue, store
from herobase_pipeline.lake.damage import DamagedError, damaged_files
from herobase_pipeline.lake.layout import Lake, exists, make_folder

_LEFT = (".working", ".spool", ".locks")
"""Folders of what is under way, and of locks."""
_MADE_ANEW = ("herobase.duckdb", "datapackage.json")


class NotMovedError(Exception):
    """The lake was not moved, and is as it was; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Move a lake; returns the exit code: 0, or 2 with a sentence."""
    options = argparse.ArgumentParser(prog="herobase-move", description=__doc__)
    options.add_argument("source", metavar="FROM", help="where the lake lies")
    options.add_argument("target", metavar="TO", help="where it is to lie: an empty folder, or an address")
    asked = options.parse_args(arguments)
    try:
        files = move(Lake(place(asked.source)), Lake(place(asked.target)))
    except (NotMovedError, DamagedError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except duckdb.Error:
        sys.stderr.write(
            "A file of the lake cannot be read, so it stays where it is; the check files_undamaged says which.\n"
        )
        return 2
    sys.stdout.write(
        f"{files} files moved, each compared. Set HEROBASE_DATA_DIR to {asked.target}; what is derived is made anew with the "
        "next run.\n"
    )
    return 0


def move(source: Lake, target: Lake) -> int:
    """Move a lake; returns how many files it has.

    Raises:
        DamagedError: a file is damaged.
        NotMovedError: there is none, the target is not empty, a run is at work, or a file changed meanwhile.

    """
    timezone = catalogue.timezone_of(source) if exists(source.catalogue) else None
    if timezone is None:
        raise NotMovedError(f"There is no lake in {source.root}, so nothing was moved.")
    one, other = (_resolved(lake.root) for lake in (source, target))
    if one == other or f"{other}/".startswith(f"{one}/") or f"{one}/".startswith(f"{other}/"):
        raise NotMovedError(
            f"{target.root} and {source.root} are one place, or one lies in the other: nothing was moved."
        )
    if not is_remote(source.root) and (links := [path for path in source.root.rglob("*") if path.is_symlink()]):
        raise NotMovedError(f"{links[0]} is a link, so nothing was moved: put what it leads to in its place first.")
    if damaged := damaged_files(source):
        raise DamagedError(source, "Nothing was moved.", damaged)
    if store.files_below(target.root.absolute()):
        raise NotMovedError(f"{target.root} is not empty, so nothing was moved: name another place.")
    if any(map(store.is_held, source.under_way("working").glob("[!.]*"))):
        raise NotMovedError("A run is at work on the lake, so nothing was moved: stop webserver and daemon first.")
    there = store.files_below(source.root.absolute())
    files = [path for path in there if _goes_along(source, path)]
    for path in sorted(files, key=store.written):
        zone = path.relative_to(source.root.absolute()).parts[0]
        _copy(path, _there(path, source, target), zone)
    if changed := [path for path in files if store.read_bytes(path) != store.read_bytes(_there(path, source, target))]:
        raise NotMovedError(
            f"{len(changed)} files changed while they were copied, so the lake stays where it is: stop webserver and daemon, "
            f"empty {target.root}, and move it again."
        )
    catalogue.refresh(target, ZoneInfo(timezone))
    for path in sorted(there, key=lambda path: path.name in _MADE_ANEW):  # by these a lake is known
        store.remove(path)
    return len(files)


def _resolved(root: Path) -> str:
    return str(root if is_remote(root) else root.absolute().resolve()).rstrip("/")


def _goes_along(lake: Lake, path: Path) -> bool:
    """Whether a file is the lake's, rather than of what is under way, or of one place alone."""
    parts = path.relative_to(lake.root.absolute()).parts
    is_print = parts[-1].startswith("fingerprints_")  # of a disk
    return not (is_print or parts[-1] in _MADE_ANEW or any(part in _LEFT for part in parts))


def _there(path: Path, source: Lake, target: Lake) -> Path:
    return target.root.absolute().joinpath(*path.relative_to(source.root.absolute()).parts)


def _copy(path: Path, target: Path, zone: str) -> None:
    if not is_remote(target):
        make_folder(target.parent, private=zone == "private")
    store.put_bytes(target, store.read_bytes(path), private=zone in ("private", "erase"))
    if not is_remote(target):
        seconds = store.written(path)
        os.utime(target, (seconds, seconds))


if __name__ == "__main__":
    sys.exit(main())
