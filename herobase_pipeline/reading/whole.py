"""Queries that meet each table as it was at one moment, while runs replace its files.

DuckDB opens a file several times in one query: for its footer, and then for its rows. Where it is replaced in between, the
query fails, or with DuckDB 1.5 even gives some rows of either file (tried). So a query is asked again where a file that it
reads was replaced while it ran.
"""

import re
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb

from herobase_pipeline.lake.layout import Lake, Mark, mark
from herobase_pipeline.reading.days import BY_NAME, sources
from herobase_pipeline.tables import CAMPAIGNS, TABLES, Table

T = TypeVar("T")
_TRIES, _PAUSE_S = 40, 0.05
_RESULT = '"result of the last query"'
_WORD = re.compile(r"\w+")


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


def read_by(query: str) -> list[Table]:
    """Return the tables with files that a query may read, by the names in it; all, where it names none."""
    named = [BY_NAME[word] for word in dict.fromkeys(_WORD.findall(query.lower())) if word in BY_NAME]
    if not named:
        return [table for table in TABLES if not table.private]
    beside = [CAMPAIGNS] if any(table.campaigns for table in named) else []
    return list(dict.fromkeys([*(source for table in named for source in sources(table)), *beside]))


class Relation:
    """A relation of DuckDB. What each of its methods returns is computed from each table as it was at one moment.

    But for methods that hand out rows bit by bit (``iter_rows``, ``to_arrow_reader``), as what comes later is read later.
    """

    def __init__(self, relation: duckdb.DuckDBPyRelation, lake: Lake, tables: Collection[Table]) -> None:
        """Take what the methods are called of, and the tables that it reads."""
        self._relation, self._lake, self._tables = relation, lake, tables

    def __getattr__(self, name: str) -> Any:
        """Return a method that asks again where needed, or what else DuckDB's has of that name."""
        found = whole(self._lake, self._tables, lambda: getattr(self._relation, name))
        return partial(self._ask, found) if callable(found) else self._kept(found)

    def __getitem__(self, name: str) -> "Relation":
        """Return a column as a relation."""
        return Relation(self._relation[name], self._lake, self._tables)

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._ask(lambda: len(self._relation)))

    def __repr__(self) -> str:
        """Return the first rows, as DuckDB shows them."""
        return str(self._ask(lambda: repr(self._relation)))

    def _ask(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._kept(whole(self._lake, self._tables, lambda: method(*args, **kwargs)))

    def _kept(self, found: Any) -> Any:
        is_relation = isinstance(found, duckdb.DuckDBPyRelation)
        return Relation(found, self._lake, self._tables) if is_relation else found


class Connection:
    """A connection to the catalogue: all that DuckDB's has, and each query meets each table as it was at one moment.

    That is looked after for a query; a statement that changes the connection (CREATE TABLE, SET) cannot be run twice.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
        """Take DuckDB's connection, and the lake that its views read."""
        self._con, self._lake = con, lake
        con.execute("SET python_scan_all_frames = true")  # the frames of who asks are not the innermost ones here

    def __enter__(self) -> Self:
        """Open it; it is closed after the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._con.close()

    def __getattr__(self, name: str) -> Any:
        """Return whatever else DuckDB's connection has."""
        return getattr(self._con, name)

    def execute(self, query: Any, parameters: object = None) -> duckdb.DuckDBPyConnection:
        """Run a query to its end; its result is then fetched from what is returned."""
        if not isinstance(query, str) or not self._is_query(query):
            return self._con.execute(query, parameters)
        # DuckDB 2 computes rows as they are fetched
        kept = f"CREATE OR REPLACE TEMP TABLE temp.{_RESULT} AS FROM ({query.strip().rstrip(';')}\n)"
        whole(self._lake, read_by(query), lambda: self._con.execute(kept, parameters))
        return self._con.execute(f"FROM temp.{_RESULT}")

    def sql(self, query: Any, *, alias: str = "", params: object = None) -> Any:
        """Return a query as a relation, computed when it is shown or fetched; None of a statement without a result."""

        def ask() -> duckdb.DuckDBPyRelation | None:
            return self._con.sql(query, alias=alias, params=params)

        is_query = isinstance(query, str) and self._is_query(query)
        relation = whole(self._lake, read_by(query), ask) if is_query else ask()
        return None if relation is None else Relation(relation, self._lake, read_by(str(query)))

    query = sql

    def table(self, name: str) -> Relation:
        """Return a table or view as a relation."""
        tables = read_by(name)
        return Relation(whole(self._lake, tables, lambda: self._con.table(name)), self._lake, tables)

    view = table

    def cursor(self) -> "Connection":
        """Return another connection to the same."""
        return Connection(self._con.cursor(), self._lake)

    def _is_query(self, query: str) -> bool:
        try:
            statements = self._con.extract_statements(query)
        except duckdb.Error:  # it is no SQL, as the query itself will say
            return False
        return len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT
