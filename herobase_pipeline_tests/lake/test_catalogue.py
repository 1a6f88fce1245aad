"""The catalogue: views over the lake that open at any time, say what they mean, and show nothing private."""

import datetime as dt
import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from herobase_pipeline.lake import store
from herobase_pipeline.lake.catalogue import at_hand, define_views, refresh, view
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import PART, Lake
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.tables import CALL_PHONES, CALLS, LEADS, TABLES, VIEWS, Column, Table, Type

PUBLIC = [table for table in TABLES if not table.private]
DAY = dt.date(2026, 3, 2)
ZONE = ZoneInfo("Europe/Copenhagen")
ONE_DAY = dt.timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data")


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(ZONE, tmp_path) as con:
        yield con


def put(lake: Lake, con: duckdb.DuckDBPyConnection, table: Table, day: dt.date | None = None, **values: str) -> None:
    columns = ", ".join(f"{values.get(column.name, 'NULL')} AS {column.name}" for column in table)
    write(lake, con, table, f"SELECT {columns}", day=day)


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(path, read_only=True) as reader:
        return reader.execute(query).fetchall()


def test_every_public_table_is_a_view_before_anything_was_pulled(lake):
    path = refresh(lake, ZONE)
    assert path == lake.root / "herobase.duckdb"
    views = {
        name
        for (name,) in ask(path, "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal")
    }
    assert views == {table.name for table in (*PUBLIC, *VIEWS)}
    for table in (*PUBLIC, *VIEWS):
        assert ask(path, f"SELECT count(*) FROM {table.name}") == [(0,)]


@pytest.mark.parametrize("filled", [False, True], ids=["without files", "with files"])
def test_views_have_the_declared_columns_types_and_comments(lake, con, filled):
    for table in PUBLIC if filled else []:
        put(lake, con, table, DAY if table.daily else None)
    path = refresh(lake, ZONE)
    for table in (*PUBLIC, *VIEWS):
        described = ask(
            path,
            "SELECT column_name, data_type, comment FROM duckdb_columns() "
            f"WHERE table_name = '{table.name}' ORDER BY column_index",
        )
        spelled = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
        expected = [(c.name, spelled.get(c.type.value, c.type.value), c.description) for c in table.shown]
        if table.daily:
            assert described.pop(0)[:2] == ("date", "DATE")
        assert described == expected
        ((comment,),) = ask(
            path, f"SELECT comment FROM duckdb_views() WHERE view_name = '{table.name}' AND schema_name = 'main'"
        )
        assert table.description in comment
        assert table.grain in comment


def test_private_tables_are_in_no_catalogue(lake, con):
    put(lake, con, CALL_PHONES, DAY, call_id="'c'", phone="'51806520'")
    path = refresh(lake, ZONE)
    private = [table.name for table in TABLES if table.private]
    assert private
    for name in private:
        with pytest.raises(duckdb.CatalogException):
            ask(path, f"FROM {name}")
    content = path.read_bytes()
    assert b"51806520" not in content
    assert b"/private/" not in content


def test_days_are_the_folders_and_rows_are_found_in_theirs(lake, con):
    for i in range(3):
        put(lake, con, CALLS, DAY + i * ONE_DAY, call_id=f"'c{i}'", call_date=f"DATE '{DAY}' + {i}")
    put(lake, con, LEADS, lead_id="'lead'")
    path = refresh(lake, ZONE)
    assert ask(path, "SELECT date, call_id FROM calls WHERE date > '2026-03-02' ORDER BY date") == [
        (DAY + ONE_DAY, "c1"),
        (DAY + 2 * ONE_DAY, "c2"),
    ]
    assert ask(path, "SELECT count(*) FROM calls WHERE date = call_date") == [(3,)]
    assert ask(path, "SELECT lead_id FROM leads") == [("lead",)]


def test_a_query_for_one_day_reads_one_file(lake, con):
    for i in range(5):
        put(lake, con, CALLS, DAY + i * ONE_DAY, call_id="'c'")
    ((_, plan),) = ask(refresh(lake, ZONE), f"EXPLAIN ANALYZE SELECT call_id FROM calls WHERE date = '{DAY}'")
    assert "1/5" in plan


def test_t31_days_of_nulls_beside_days_of_values(lake, con):
    put(lake, con, CALLS, DAY)
    put(lake, con, CALLS, DAY + ONE_DAY, call_id="'c'", org_path="['a', 'b']", dialing_s="1.5", settled="true")
    path = refresh(lake, ZONE)
    assert ask(path, "SELECT call_id, org_path, dialing_s, settled FROM calls ORDER BY date") == [
        (None, None, None, None),
        ("c", ["a", "b"], 1.5, True),
    ]


EARLIER = Table(
    name="calls",
    description="Calls as an earlier version kept them.",
    grain="one row a call",
    columns=(
        Column("call_id", Type.TEXT, "id"),
        Column("agent", Type.TEXT, "who"),
        Column("gone", Type.TEXT, "dropped since"),
    ),
    daily=True,
)


@pytest.mark.parametrize("newer", [False, True], ids=["no file has it", "another file has it"])
def test_t31_a_column_that_a_file_lacks_is_null_there(lake, con, newer):
    put(lake, con, EARLIER, DAY, call_id="'old'", agent="'t01'")
    if newer:
        put(lake, con, CALLS, DAY + ONE_DAY, call_id="'new'", dialing_s="2")
    path = refresh(lake, ZONE)
    found = ask(path, "SELECT call_id, agent, dialing_s, org_path FROM calls ORDER BY date")
    assert found == [("old", "t01", None, None), ("new", None, 2.0, None)][: 1 + newer]
    with duckdb.connect(path, read_only=True) as reader:
        assert [c[0] for c in reader.execute("FROM calls").description] == [
            "date",
            *(column.name for column in CALLS.shown),
        ]


def test_a_catalogue_that_is_right_is_left_alone(lake, con):
    path = refresh(lake, ZONE)
    first = path.stat()
    refresh(lake, ZONE)
    assert path.stat().st_ino == first.st_ino
    put(lake, con, CALLS, DAY, call_id="'c'")
    refresh(lake, ZONE)
    assert path.stat().st_ino != first.st_ino
    assert ask(path, "SELECT call_id FROM calls") == [("c",)]
    second = path.stat()
    put(lake, con, CALLS, DAY + ONE_DAY, call_id="'d'")
    refresh(lake, ZONE)
    assert path.stat().st_ino == second.st_ino, "a new day needs no new view"
    assert ask(path, "SELECT count(*) FROM calls") == [(2,)]


def test_each_folder_is_listed_once_however_many_views_there_are(lake, con, monkeypatch):
    put(lake, con, CALLS, DAY)
    listed: Counter[str] = Counter()
    folders_with = store.folders_with
    monkeypatch.setattr(
        store, "folders_with", lambda folder, name: listed.update([folder]) or folders_with(folder, name)
    )
    refresh(lake, ZONE)
    assert listed[lake.folder(CALLS)] == 1
    assert max(listed.values()) == 1


def test_a_lake_at_one_moment_does_not_see_what_comes_later(lake, con):
    then = lake.at_one_moment()
    assert then.files(CALLS) == []
    put(lake, con, CALLS, DAY)
    assert (then.files(CALLS), lake.files(CALLS)) == ([], [lake.file(CALLS, DAY)])


@pytest.mark.parametrize("content", [b"", b"not a database", b"\0" * 20_000])
def test_a_broken_catalogue_is_replaced(lake, content):
    lake.root.mkdir()
    lake.catalogue.write_bytes(content)
    assert ask(refresh(lake, ZONE), "SELECT count(*) FROM calls") == [(0,)]


def test_a_catalogue_of_somebody_elses_making_is_replaced(lake):
    lake.root.mkdir()
    with duckdb.connect(lake.catalogue) as other:
        other.execute("CREATE TABLE calls AS SELECT 'kept bytes' AS x")
    path = refresh(lake, ZONE)
    assert ask(path, "SELECT count(*) FROM calls") == [(0,)]
    assert b"kept bytes" not in path.read_bytes()


def test_it_is_disposable(lake, con):
    put(lake, con, CALLS, DAY, call_id="'c'")
    refresh(lake, ZONE).unlink()
    assert ask(refresh(lake, ZONE), "SELECT call_id FROM calls") == [("c",)]


def test_older_duckdbs_can_open_it(lake):
    path = refresh(lake, ZONE)
    with duckdb.connect(path, read_only=True) as reader:
        ((tags,),) = reader.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert tags["storage_version"].startswith("v1.2.0")


def test_it_opens_read_only_and_refuses_to_be_changed(lake):
    path = refresh(lake, ZONE)
    with duckdb.connect(path, read_only=True) as reader, pytest.raises(duckdb.InvalidInputException):
        reader.execute("CREATE TABLE x AS SELECT 1")


def test_an_open_reader_is_not_disturbed(lake, con):
    path = refresh(lake, ZONE)
    with duckdb.connect(path, read_only=True) as reader:
        put(lake, con, CALLS, DAY, call_id="'c'")
        refresh(lake, ZONE)
        assert reader.execute("SELECT count(*) FROM calls").fetchall() == [(0,)]
    assert ask(path, "SELECT count(*) FROM calls") == [(1,)]


@pytest.mark.slow
def test_it_opens_while_it_is_being_replaced(lake, con):
    put(lake, con, CALLS, DAY, call_id="'c'")
    refresh(lake, ZONE)
    stop = threading.Event()
    counts: list[int] = []

    def read(i: int) -> None:
        mine = lake.root / f"copy{i}"  # a path of its own: one process shares what it has open by path
        while not stop.is_set():
            shutil.copyfile(lake.catalogue, mine)  # Linux makes no hard link to a file that is replaced in that moment
            counts.append(ask(mine, "SELECT count(*) FROM calls")[0][0])

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read, 0)
        for i in range(8):
            shutil.rmtree(lake.folder(LEADS), ignore_errors=True)
            if i % 2:
                put(lake, con, LEADS, lead_id="'x'")
            refresh(lake, ZONE)
        stop.set()
        reader.result(timeout=30)
    assert len(counts) > 3
    assert set(counts) == {1}


@pytest.mark.slow
def test_many_refresh_at_once_and_the_last_state_stays(lake, tmp_path):
    def one(i: int) -> None:
        with connect(ZoneInfo("UTC"), tmp_path / str(i)) as con:
            table = PUBLIC[i % len(PUBLIC)]
            put(lake, con, table, DAY + i * ONE_DAY if table.daily else None)
        refresh(lake, ZONE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(len(PUBLIC))))
    for table in PUBLIC:
        assert ask(lake.catalogue, f"SELECT count(*) FROM {table.name}") == [(1,)]
    assert sorted(path.name for path in lake.root.iterdir() if path.is_file()) == [
        "datapackage.json",
        "herobase.duckdb",
    ]


def test_what_a_killed_refresh_left_goes(lake):
    lake.root.mkdir()
    left = [lake.root / f".herobase.duckdb.{name}" for name in ("0123", "0123.wal")]
    for path in left:
        path.write_bytes(b"half")
    refresh(lake, ZONE)
    assert [path for path in left if path.exists()] == []


def test_temporary_views_show_private_tables_too(lake, con):
    put(lake, con, CALL_PHONES, DAY, call_id="'c'", phone="'51806520'")
    define_views(con, lake, (CALL_PHONES, CALLS))
    assert con.execute("SELECT date, phone FROM call_phones").fetchall() == [(DAY, "51806520")]
    assert con.execute("SELECT count(*) FROM calls").fetchall() == [(0,)]


def test_half_written_files_are_in_no_view(lake, con):
    put(lake, con, CALLS, DAY, call_id="'c'")
    (lake.file(CALLS, DAY).parent / f".{PART}.0123").write_bytes(b"half")
    assert con.execute(f"SELECT count(*) FROM ({view(lake, CALLS)})").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "name",
    [
        "Anna's data", "prod [2026]", "q?x", "a*b", "[!a]", "x]y", "site=nord", "{a,b}", "~x", "%41", "back\\slash",
        "\\x", "date=2020-01-01", "call_id=other",
    ],
)  # fmt: skip
def test_nothing_in_a_lakes_path_is_a_pattern(tmp_path, con, name):
    """Beside it lie the lakes that such a pattern would mean."""
    for other in ("prod 2", "qxx", "aab", "b", "xy"):
        put(Lake(tmp_path / other), con, CALLS, DAY, call_id="'of another'")
    lake = Lake(tmp_path / name)
    put(lake, con, CALLS, DAY, call_id="'c'")
    put(lake, con, LEADS, lead_id="'l'")
    stray = lake.file(CALLS, DAY).parent
    shutil.copytree(stray, stray.with_name(f"{stray.name} copy"))
    refresh(lake, ZONE)
    with at_hand(lake) as path:
        assert ask(path, "SELECT date, call_id FROM calls") == [(DAY, "c")]
        assert ask(path, "SELECT lead_id FROM leads") == [("l",)]
        assert ask(path, "FROM known_days") == []
    put(lake, con, CALLS, DAY + dt.timedelta(days=1), call_id="'d'")
    refresh(lake, ZONE)
    with at_hand(lake) as path:
        assert ask(path, f"SELECT call_id FROM calls WHERE date > '{DAY}'") == [("d",)]
    assert con.execute(f"SELECT call_id FROM ({stored(lake, CALLS, DAY)})").fetchall() == [("c",)]
    assert con.execute(f"SELECT call_id FROM ({view(lake, CALLS, [DAY])})").fetchall() == [("c",)]


def test_a_folder_of_a_day_that_there_is_not_is_no_day(lake, con):
    put(lake, con, CALLS, DAY, call_id="'c'")
    real = lake.file(CALLS, DAY).parent
    shutil.copytree(real, real.with_name("date=2026-02-30"))
    assert ask(refresh(lake, ZONE), "SELECT date, call_id FROM calls") == [(DAY, "c")]


def test_what_stands_in_the_catalogue_can_be_read_by_duckdb_1(lake):
    """``if()`` is stored in a form that DuckDB 1.x takes for an unknown function: each rate of such a catalogue fails."""
    path = refresh(lake, ZONE)
    stored = ask(path, "SELECT sql FROM duckdb_views() WHERE NOT internal")
    stored += ask(path, "SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'wilson'")
    assert len(stored) > 15
    assert [sql for (sql,) in stored if re.search(r'\bif"?\(', sql, re.IGNORECASE)] == []
