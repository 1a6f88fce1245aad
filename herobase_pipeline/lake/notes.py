"""What a lake keeps about itself: small JSON documents in ``lake/.notes``, each replaced as a whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from herobase_pipeline.lake.layout import Lake, locked, make_folder
from herobase_pipeline.lake.store import put_bytes, read_bytes

Note = dict[str, Any]


def read(lake: Lake, name: str) -> Note | None:
    """Return a note; None where there is none, or where what is there is no JSON object."""
    try:
        note = json.loads(read_bytes(file_of(lake, name)).decode("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) else None


@contextmanager
def updating(lake: Lake, name: str) -> Iterator[Note]:
    """Hand out a note to be changed in place, empty where there is none; it is kept once the block ends well.

    Only one process is in the block at a time, and a reader sees the old note or the new one.
    """
    file = file_of(lake, name)
    make_folder(file.parent, private=False)
    with locked(file.parent):
        note = read(lake, name) or {}
        before = json.dumps(note, sort_keys=True)
        yield note
        if json.dumps(note, sort_keys=True) != before:
            text = json.dumps(note, indent=2, ensure_ascii=False, sort_keys=True)
            put_bytes(file, f"{text}\n".encode())


def file_of(lake: Lake, name: str) -> Path:
    """Return where a note lies."""
    return lake.root.absolute() / "lake" / ".notes" / f"{name}.json"
