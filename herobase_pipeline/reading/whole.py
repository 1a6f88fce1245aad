"""Answers from tables as they were at one moment, while runs replace their files.

DuckDB opens a file several times in one query: for its footer, and then for its rows. Where it is replaced in between, the
query fails, or with several threads of DuckDB 1.5 gives some rows of either file (tried). So what is read is read again where
a file of it was replaced meanwhile.
"""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import duckdb

from herobase_pipeline.lake.layout import Lake, Mark, mark
from herobase_pipeline.tables import Table

T = TypeVar("T")
_TRIES, _PAUSE_S = 40, 0.05


class ReplacedError(RuntimeError):
    """What was asked for was replaced again and again while it was read."""


def whole(lake: Lake, tables: Collection[Table], ask: Callable[[], T]) -> T:
    """Return an answer in which no file of some tables was replaced while it was computed.

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
            if not _replaced(lake, before):
                return answer
    raise ReplacedError(
        f"A file of {', '.join(sorted(table.name for table in tables))} was replaced each time while it was read. Ask again once "
        "the run that writes it is done, or for fewer days."
    )


def _files(lake: Lake, table: Table) -> dict[Path, Mark | None]:
    return {path: mark(path) for path in lake.every_file(table)}


def _replaced(lake: Lake, before: dict[Table, dict[Path, Mark | None]]) -> bool:
    """Whether a file is another than it was; a day that was not there is no other. A lead may move from month to month."""
    for table, files in before.items():
        if any(mark(path) != its for path, its in files.items()):
            return True
        if table.monthly and _files(lake, table) != files:
            return True
    return False
