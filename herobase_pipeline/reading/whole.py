"""Answers from tables as they were at one moment, while runs replace their files.

DuckDB opens a file several times in one query: for its footer, and then for its rows. Where it is replaced in between, the
query fails, or with several threads of DuckDB 1.5 gives some rows of either file (tried). A monthly table is several files
that are one: where one of them is replaced, a lead may be met twice. So what failed, or met other months, is read again.
"""

import datetime as dt
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import duckdb

from herobase_pipeline.lake.layout import Lake, Mark, mark
from herobase_pipeline.lake.store import look_again
from herobase_pipeline.tables import Table

T = TypeVar("T")
_TRIES, _PAUSE_S = 40, 0.05


def keep_files_whole(con: duckdb.DuckDBPyConnection) -> None:
    """Let each query of a connection meet a file as it was or as it is: each thread of DuckDB 1.5 opens it by itself."""
    if duckdb.__version__ < "2":
        con.execute("SET threads = 1")


class ReplacedError(RuntimeError):
    """What was asked for was replaced again and again while it was read."""


def whole(lake: Lake, tables: Collection[Table], ask: Callable[[], T]) -> T:
    """Return an answer of which no reading met a file as it was replaced, nor a lead in two months, or in none.

    Args:
        lake: where the files lie.
        tables: those that are read.
        ask: computes it, several times where that is needed.

    Raises:
        duckdb.Error: by ``ask``, while no file was replaced.
        ReplacedError: files were replaced at each try.

    """
    for attempt in range(_TRIES):
        time.sleep(_PAUSE_S * attempt)
        before = {table: _files(lake, table) for table in tables}
        try:
            answer = ask()
        except duckdb.Error:
            if before == {table: _files(lake, table) for table in tables}:
                raise
        else:
            if all(_files(lake, table) == files for table, files in before.items() if table.monthly):
                return answer
    raise ReplacedError(
        f"A file of {', '.join(sorted(table.name for table in tables))} was replaced each time while it was read. Ask again once "
        "the run that writes it is done, or for fewer days."
    )


def _files(lake: Lake, table: Table) -> dict[Path, Mark | None]:
    look_again(lake.file(table, dt.date.min if table.daily or table.monthly else None))
    return {path: mark(path) for path in lake.every_file(table)}
