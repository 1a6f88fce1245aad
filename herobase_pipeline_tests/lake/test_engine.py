"""The connection that everything runs in: as new each time, whoever had its database before."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from herobase_pipeline import addresses
from herobase_pipeline.lake import engine
from herobase_pipeline.lake.engine import MEMORY, ROOMY, THREADS, beside, connect, define, define_token

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


def test_a_spill_that_somebody_deleted_is_nobodys_trouble(opened, tmp_path):
    with connect(UTC, tmp_path, "64MB") as con:
        con.execute("CREATE TEMP TABLE large AS SELECT range AS a, md5(range::VARCHAR) AS b FROM range(5_000_000)")
        con.execute("DROP TABLE large")
        shutil.rmtree(tmp_path / "spill")
    with connect(UTC, tmp_path / "second", "64MB") as con:
        assert con.execute("SELECT 1").fetchone() == (1,)
    assert len(opened) == 2


def test_macros_that_are_the_same_for_everybody_stay_and_the_key_of_tokens_goes(opened, tmp_path):
    told = []
    for key in (b"one", b"two", b"one"):
        with connect(UTC, tmp_path) as con:
            with pytest.raises(duckdb.CatalogException):
                con.execute("SELECT token('+4512345678')")
            define_token(con, key)
            define(con, "CREATE MACRO twice(x) AS keyed(x || x);")
            con.register("rows", pa.table({"a": [1]}))
            told.append(con.execute("SELECT token('+4512345678'), twice('a')").fetchone())
    assert told[0] == told[2]
    assert all(one != other for one, other in zip(*told[:2], strict=True))
    assert len(opened) == 1


def test_of_macros_that_cannot_be_made_none_is_left(opened, tmp_path):
    with connect(UTC, tmp_path) as con:
        with pytest.raises(duckdb.Error):
            define(con, "CREATE MACRO good(x) AS x; CREATE MACRO good(x) AS x;")
        with pytest.raises(duckdb.Error):
            con.execute("CREATE TABLE a AS SELECT 1 AS x")
    with connect(UTC, tmp_path) as con:
        assert con.execute(SEEN).fetchone() == (0, 0)
        define(con, "CREATE MACRO good(x) AS x + 1;")
        assert con.execute("SELECT good(1)").fetchone() == (2,)
    assert len(opened) == 1


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


FORKED = """
import os, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from herobase_pipeline.lake.engine import connect

def count():
    with connect(ZoneInfo("UTC"), Path(sys.argv[1])) as con:
        return con.execute("SELECT count(*) FROM range(1_000_000) WHERE md5(range::VARCHAR) < '8'").fetchall()

found = count()
child = os.fork()
if not child:
    sys.exit(7 if count() == found else 8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count() == found)
"""


FILLED = """
import os, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from herobase_pipeline.lake.engine import ROOMY, connect

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = resident()
with connect(ZoneInfo("UTC"), Path(sys.argv[1]), ROOMY) as con:
    con.execute("CREATE TEMP TABLE large AS SELECT range AS a, md5(range::VARCHAR) AS b FROM range(5_000_000)")
    full = resident()
print(full - before, resident() - before)
"""


def by_itself(code: str, folder: Path) -> str:
    """Run code in a process of its own, which ends well and says nothing else; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def test_a_child_that_is_forked_opens_its_own_and_ends_well(tmp_path):
    assert by_itself(FORKED, tmp_path) == "7 True\n"


def test_an_idle_database_holds_no_memory(tmp_path):
    full, idle = map(int, by_itself(FILLED, tmp_path).split())
    assert full > 100_000_000
    assert idle < full / 2
