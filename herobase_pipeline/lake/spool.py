"""A folder of a pull's own for what is on its way into the lake. It may hold customers' data, so it is private."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.lake.layout import Lake, make_folder
from herobase_pipeline.lake.store import on_this_machine, own_folder


@contextlib.contextmanager
def spool(lake: Lake) -> Iterator[Path]:
    """Hand out an empty folder and remove it after: under ``private/.spool``, or of this machine for an object store.

    What a process that was killed left there goes with the next pull.
    """
    base = on_this_machine() if is_remote(lake.root) else lake.under_way("spool")
    if not is_remote(lake.root):
        make_folder(base, private=True)
    with own_folder(base) as mine:
        yield mine
