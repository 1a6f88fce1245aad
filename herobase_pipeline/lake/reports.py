"""What is made for people to open: files in ``reports``, with counts and the names of teams and campaigns. No table's files."""

from pathlib import Path

from herobase_pipeline.lake.layout import Lake, locked, make_folder
from herobase_pipeline.lake.store import put_bytes

FOLDER = "reports"
"""Beside ``lake`` and ``private``."""


def file(lake: Lake, report: str, *below: str) -> Path:
    """Return where a file of a report lies: ``reports/<report>/``, and below it."""
    return lake.root.absolute().joinpath(FOLDER, report, *below)


def put(path: Path, content: bytes) -> None:
    """Put a report in the place of the one before, as a whole: who has it open sees the old one or the new."""
    make_folder(path.parent, private=False)
    with locked(path.parent):
        put_bytes(path, content)
