"""A folder of a pull's own for what is on its way into the lake. It may hold customers' data, so it is private."""

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from herobase_pipeline.lake.layout import Lake, locked, make_folder


@contextlib.contextmanager
def spool(lake: Lake) -> Iterator[Path]:
    """Hand out an empty folder under ``private/.spool`` and remove it after.

    A process that was killed leaves its folder behind, but not the lock on it: the next pull removes what nobody holds.
    """
    base = lake.under_way("spool")
    make_folder(base, private=True)
    mine = base / uuid.uuid4().hex
    with contextlib.ExitStack() as stack:
        with locked(base):  # so that nobody takes the new folder for an abandoned one
            _remove_abandoned(base)
            mine.mkdir(mode=0o700)
            stack.enter_context(locked(mine))
        stack.callback(shutil.rmtree, mine)
        yield mine


def _remove_abandoned(base: Path) -> None:
    for folder in base.iterdir():
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its own pull has just removed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
