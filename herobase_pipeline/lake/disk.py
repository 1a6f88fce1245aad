"""What the disk says when it is full, or cannot be written to, in words. Its own words are kept to no customer's data."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import duckdb

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.lake.layout import Lake

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_ROOM_TO_SPILL = "max_temp_directory_size"  # in what DuckDB says where neither memory nor the disk suffices


class DiskError(Exception):
    """The disk is full, or cannot be written to; what was there stays. The message says what to do."""


def in_words(lake: Lake, error: Exception) -> str | None:
    """Return what an error of the system or of DuckDB says of the disk, and what to do; None for any other error."""
    place = _place(lake, error)
    if _is(error, _FULL) or (isinstance(error, duckdb.OutOfMemoryException) and _NO_ROOM_TO_SPILL in str(error)):
        place = Path(tempfile.gettempdir()) if is_remote(place) else place  # where what is on its way to a store lies
        free = shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free
        return (
            f"The disk of {place} is full, or its quota is spent ({free / 1e6:,.0f} MB are free now). What was there stays: "
            "make room, and run this again."
        )
    if _is(error, _CLOSED):
        return (
            f"{place} cannot be written to ({_said(error)}). What was there stays: give the user that runs Dagster the "
            "right to write there, or mount it for writing, and run this again."
        )
    return None


def _place(lake: Lake, error: Exception) -> Path:
    """Return the data directory, or the file elsewhere that the error is of, such as one in the folder for temporary files."""
    named = error.filename if isinstance(error, OSError) else None
    is_elsewhere = isinstance(named, str) and (
        is_remote(lake.root) or not Path(named).absolute().is_relative_to(lake.root.absolute())
    )
    return Path(named).parent if named and is_elsewhere else lake.root


def _is(error: Exception, numbers: tuple[int, ...]) -> bool:
    if isinstance(error, OSError):
        return error.errno in numbers
    return isinstance(error, duckdb.Error) and any(os.strerror(number) in str(error) for number in numbers)


def _said(error: Exception) -> str:
    return next(os.strerror(number) for number in _CLOSED if _is(error, (number,)))
