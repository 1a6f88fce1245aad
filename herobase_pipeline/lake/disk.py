"""What the disk says when it is full, or cannot be written to, in words. Its own words are kept to no customer's data."""

import errno
import os
import shutil

import duckdb

from herobase_pipeline.lake.layout import Lake

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_ROOM_TO_SPILL = "max_temp_directory_size"  # in what DuckDB says where neither memory nor the disk suffices


class DiskError(Exception):
    """The disk is full, or cannot be written to; what was there stays. The message says what to do."""


def in_words(lake: Lake, error: Exception) -> str | None:
    """Return what an error of the system or of DuckDB says of the disk, and what to do; None for any other error."""
    if _is(error, _FULL) or (isinstance(error, duckdb.OutOfMemoryException) and _NO_ROOM_TO_SPILL in str(error)):
        free = shutil.disk_usage(next(folder for folder in (lake.root, *lake.root.parents) if folder.exists())).free
        return (
            f"The disk of {lake.root} is full, or its quota is spent ({free / 1e6:,.0f} MB are free now). What was there stays: "
            "make room, and run this again."
        )
    if _is(error, _CLOSED):
        return (
            f"{lake.root} cannot be written to ({_said(error)}). What was there stays: give the user that runs Dagster the "
            "right to write there, or mount it for writing, and run this again."
        )
    return None


def _is(error: Exception, numbers: tuple[int, ...]) -> bool:
    if isinstance(error, OSError):
        return error.errno in numbers
    return isinstance(error, duckdb.Error) and any(os.strerror(number) in str(error) for number in numbers)


def _said(error: Exception) -> str:
    return next(os.strerror(number) for number in _CLOSED if _is(error, (number,)))
