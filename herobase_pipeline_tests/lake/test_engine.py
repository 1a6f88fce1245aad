"""The connection that everything runs in: as new each time, whoever had its database before."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from herobase_pipeline import addresses
from herobase_pipeline.lake import engine
from herobase_pipeline.lake.engine import MEMORY, ROOMY, THREADS, beside, connect, define_token

COPENHAGEN, UTC = ZoneInfo("Europe/Copenhagen"), ZoneInfo("UTC")
SEEN = """SELECT
    (SELECT count(*) FROM duckdb_tables() WHERE table_name <> 'defined'),
    (SELECT count(*) FROM duckdb_views() WHERE NOT internal)"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[duckdb.DuckDBPyConnection]:
    """The databases that were opened, none of which was there before."""
    monkeypatch.setattr(engine, "_idle", {})
    found, connect = [], duckdb.connect

    def connecting(*args: Any, **kwargs: Any) -> duckdb.DuckDBPyConnection:
        found.append(connect(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(duckdb, "connect", connecting)
    return found


def test_a_database_is_used_again_and_nothing_is_left_in_it(opened, tmp_path):
    with connect(COPENHAGEN, tmp_path / "first", ROOMY) as con:
        con.execute("CREATE TABLE a AS SELECT 1 AS x")
        con.execute("CREATE TEMP TABLE b AS SELECT 1 AS x")
        con.execute("CREATE TEMP VIEW c AS FROM b")
        con.execute("CREATE OR REPLACE MACRO tomorrow() AS TIMESTAMPTZ '2020-01-01 00:00:00+00'")
        con.execute("CREATE TEMP MACRO due() AS 1")
        con.execute("SET VARIABLE register = 'somebody'")
        con.execute("SET threads = 1")
        con.execute("BEGIN")
        con.execute("CREATE TABLE d AS SELECT 1 AS x")
        assert con.execute("SELECT happened('2026-01-01T00:00:00')").fetchone() == (None,)
    with connect(UTC, tmp_path / "second", ROOMY) as con:
        assert con.execute(SEEN).fetchone() == (0, 0)
        assert con.execute("SELECT getvariable('register')").fetchone() == (None,)
        assert con.execute("SELECT epoch(happened('2026-01-01T00:00:00'))").fetchone() == (1767225600.0,)
        with pytest.raises(duckdb.CatalogException):
            con.execute("SELECT due()")
        names = ("threads", "TimeZone", "temp_directory")
        settings = [con.execute(f"SELECT current_setting('{name}')").fetchall()[0][0] for name in names]
        assert settings == [THREADS, "UTC", str(tmp_path / "second" / "spill")]
    assert len(opened) == 1


def test_two_at_once_are_apart(opened, tmp_path):
    with connect(UTC, tmp_path) as one, connect(COPENHAGEN, tmp_path, ROOMY) as other:
        one.execute("CREATE TABLE a AS SELECT 1 AS x")
        assert other.execute(SEEN).fetchone() == (0, 0)
        limits = [con.execute("SELECT current_setting('memory_limit')").fetchone() for con in (one, other)]
        assert limits[0] != limits[1]
        assert MEMORY != ROOMY
    assert len(opened) == 2


def test_a_connection_beside_another_has_its_tables_and_macros(tmp_path):
    with connect(UTC, tmp_path) as con:
        con.execute("CREATE OR REPLACE MACRO tomorrow() AS TIMESTAMPTZ '2020-01-01 00:00:00+00'")
        with beside(con) as other:
            other.execute("CREATE TABLE part AS SELECT happened('2026-01-01T00:00:00') AS x")
        assert con.execute("FROM part").fetchall() == [(None,)]
    with connect(UTC, tmp_path) as con:
        assert con.execute(SEEN).fetchone() == (0, 0)


def test_after_an_error_a_database_is_not_used_again(opened, tmp_path):
    for _ in range(2):
        with pytest.raises(duckdb.ConversionException), connect(UTC, tmp_path) as con:
            con.execute("SELECT 'x'::INTEGER").fetchall()
    assert len(opened) == 2
    for database in opened:
        with pytest.raises(duckdb.ConnectionException):
            database.execute("SELECT 1")


def test_what_was_spilled_is_gone_with_the_block(opened, tmp_path):
    for folder in ("first", "second"):
        with connect(UTC, tmp_path / folder, "64MB") as con:
            (tmp_path / folder).mkdir()
            con.execute("CREATE TEMP TABLE large AS SELECT range AS a, md5(range::VARCHAR) AS b FROM range(5_000_000)")
            assert any((tmp_path / folder / "spill").iterdir())
        assert not list((tmp_path / folder).rglob("*.tmp"))
    assert len(opened) == 2


def test_tokens_are_those_of_the_key_that_was_given_last(tmp_path):
    told = []
    for key in (b"one", b"two", b"one"):
        with connect(UTC, tmp_path) as con:
            define_token(con, key)
            con.register("rows", pa.table({"a": [1]}))
            told.append(con.execute("SELECT token('+4512345678')").fetchone())
    assert told[0] == told[2] != told[1]


def test_a_store_that_is_known_since_is_known_to_the_next(opened, tmp_path, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    with connect(UTC, tmp_path):
        pass
    store = MemoryFileSystem()
    store.pipe("/there/x.csv", b"a\n7\n")
    monkeypatch.setattr(addresses, "_systems", {"memory": store})
    with connect(UTC, tmp_path) as con:
        assert con.execute("FROM read_csv('memory://there/x.csv')").fetchall() == [(7,)]
    assert len(opened) == 2


def _in_a_child(ask: Callable[[Path], int], folder: Path) -> int:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply_async(ask, (folder,)).get(timeout=60)


def _count(folder: Path) -> int:
    with connect(UTC, folder) as con:
        ((found,),) = con.execute("SELECT count(*) FROM range(1_000_000) WHERE md5(range::VARCHAR) < '8'").fetchall()
        return found


def test_a_child_that_is_forked_opens_its_own(tmp_path):
    assert _count(tmp_path) == _in_a_child(_count, tmp_path)
