"""Writing: always the declared columns and types, whatever the query yields, also for an empty day."""

import datetime as dt
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest

from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import PART, Lake
from herobase_pipeline.lake.writing import empty, stored, write
from herobase_pipeline.tables import CALLS, TABLES, Column, Table, Type

ZONE = ZoneInfo("Europe/Copenhagen")
DAY = dt.date(2026, 3, 2)
ARROW = {
    "VARCHAR": "string",
    "VARCHAR[]": "list<element: string>",
    "TIMESTAMPTZ": "timestamp[us, tz=UTC]",
    "DATE": "date32[day]",
    "DATE[]": "list<element: date32[day]>",
    "DOUBLE": "double",
    "BIGINT": "int64",
    "BOOLEAN": "bool",
}
TABLE = Table(
    name="things",
    description="Things.",
    grain="one row a thing",
    daily=True,
    columns=(
        Column("id", Type.TEXT, "id"),
        Column("at", Type.INSTANT, "when"),
        Column("path", Type.TEXTS, "where"),
        Column("long_s", Type.SECONDS, "how long"),
        Column("n", Type.COUNT, "how many"),
        Column("ok", Type.FLAG, "whether"),
        Column("day", Type.DAY, "which day"),
    ),
)
ROW = (
    "SELECT 'a' AS id, TIMESTAMPTZ '2026-03-02 10:00:00Z' AS at, ['x', 'y'] AS path, 1.5 AS long_s, 2 AS n, true AS ok, "
    "DATE '2026-03-02' AS day"
)


def more(i: int) -> str:
    """What the file holds and one row besides."""
    return "FROM seen UNION ALL BY NAME " + ROW.replace("'a'", f"'{i}'")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data")


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(ZONE, tmp_path) as con:
        yield con


def shape(path: Path) -> dict[str, str]:
    return {field.name: str(field.type) for field in pq.read_schema(path)}


def declared(table: Table) -> dict[str, str]:
    return {column.name: ARROW[column.type.value] for column in table.in_file}


def rows(path: Path) -> list[dict[str, object]]:
    return pq.read_table(path, partitioning=None).to_pylist()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_t31_an_empty_file_has_every_declared_column_with_its_type(lake, con, table):
    day = DAY if table.daily else None
    assert write(lake, con, table, empty(table), day=day) == 0
    assert shape(lake.file(table, day)) == declared(table)
    assert rows(lake.file(table, day)) == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_t31_columns_of_nothing_but_null_keep_their_type(lake, con, table):
    day = DAY if table.daily else None
    nulls = "SELECT " + ", ".join(f'NULL AS "{column.name}"' for column in table)
    assert write(lake, con, table, nulls, day=day) == 1
    assert shape(lake.file(table, day)) == declared(table)
    assert rows(lake.file(table, day)) == [dict.fromkeys(declared(table))]


def test_columns_are_taken_by_name_and_cast(lake, con):
    query = (
        "SELECT '2026-03-02' AS day, 'true' AS ok, '2' AS n, 1 AS long_s, ['x', NULL] AS path, 7 AS id, "
        "'2026-03-02 11:00:00' AS at, 'not declared' AS more"
    )
    assert write(lake, con, TABLE, query, day=DAY) == 1
    assert shape(lake.file(TABLE, DAY)) == declared(TABLE)
    assert rows(lake.file(TABLE, DAY)) == [
        {
            "id": "7",
            "at": dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC),
            "path": ["x", None],
            "long_s": 1.0,
            "n": 2,
            "ok": True,
            "day": DAY,
        }
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'a' AS id",
        ROW.replace("2 AS n", "'many' AS n"),
        "SELECT * FROM nowhere",
        ROW.replace("'a' AS id", "error('no') AS id"),
    ],
    ids=["a column is missing", "a value has another type", "no relation", "it fails while it runs"],
)
def test_t2_a_query_that_fails_leaves_the_file_as_it_was(lake, con, query):
    write(lake, con, TABLE, ROW, day=DAY)
    before = lake.file(TABLE, DAY).read_bytes()
    with pytest.raises(duckdb.Error):
        write(lake, con, TABLE, query, day=DAY)
    assert lake.file(TABLE, DAY).read_bytes() == before
    assert [path.name for path in lake.file(TABLE, DAY).parent.iterdir()] == [PART]


def test_the_same_rows_make_the_same_file(lake, con):
    query = "SELECT * REPLACE (i::VARCHAR AS id) FROM ({}), (SELECT unnest(range(5000)) AS i ORDER BY hash(i + {}))"
    files = []
    for seed in (1, 2):
        write(lake, con, TABLE, query.format(ROW, seed), day=DAY)
        files.append(lake.file(TABLE, DAY).read_bytes())
    assert files[0] == files[1]
    assert [row["id"] for row in rows(lake.file(TABLE, DAY))] == sorted(str(i) for i in range(5_000))


def test_rows_that_there_is_no_memory_to_sort_are_written_as_they_come(lake, con):
    con.execute("SET memory_limit = '60MB'; SET temp_directory = ''")
    query = f"SELECT * REPLACE (sha256(i::VARCHAR) AS id) FROM ({ROW}), range(400_000) t(i)"
    assert write(lake, con, TABLE, query, day=DAY) == 400_000
    ids = [row["id"] for row in rows(lake.file(TABLE, DAY))]
    assert len(set(ids)) == 400_000
    assert ids != sorted(ids)


def test_parameters_reach_the_query(lake, con):
    write(lake, con, TABLE, ROW.replace("'a'", "$id"), day=DAY, params={"id": "O'Hara"})
    assert rows(lake.file(TABLE, DAY))[0]["id"] == "O'Hara"


def test_a_query_may_add_to_what_the_file_holds(lake, con):
    for i in range(3):
        assert write(lake, con, TABLE, more(i), day=DAY) == i + 1
    assert sorted(row["id"] for row in rows(lake.file(TABLE, DAY))) == ["0", "1", "2"]


def test_what_is_not_there_has_no_rows(lake, con):
    relation = con.execute(stored(lake, TABLE, DAY))
    assert [column[0] for column in relation.description] == TABLE.names
    assert relation.fetchall() == []


def test_t31_a_file_of_an_earlier_version_is_read_with_todays_columns(lake, con):
    earlier = Table(
        "things", "", "", (TABLE.columns[0], Column("n", Type.TEXT, ""), Column("gone", Type.TEXT, "")), daily=True
    )
    write(lake, con, earlier, "SELECT 'a' AS id, '12' AS n, 'x' AS gone", day=DAY)
    assert write(lake, con, TABLE, "FROM seen", day=DAY) == 1
    assert shape(lake.file(TABLE, DAY)) == declared(TABLE)
    assert rows(lake.file(TABLE, DAY)) == [dict.fromkeys(TABLE.names) | {"id": "a", "n": 12}]


def test_the_day_is_in_the_path_alone(lake, con):
    write(lake, con, TABLE, ROW, day=DAY)
    assert "date" not in shape(lake.file(TABLE, DAY))
    assert "date" not in [column[0] for column in con.execute(stored(lake, TABLE, DAY)).description]


def test_a_lake_whose_path_has_a_quote_in_it(tmp_path, con):
    lake = Lake(tmp_path / "Anna's data")
    write(lake, con, TABLE, ROW, day=DAY)
    assert con.execute(f"SELECT count(*) FROM ({stored(lake, TABLE, DAY)})").fetchall() == [(1,)]


KILLED = """
import datetime as dt, os, signal, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables import CALLS
lake, day = Lake(Path(sys.argv[1])), dt.date(2026, 3, 2)
columns = ", ".join(f'NULL AS "{c.name}"' for c in CALLS)
query = f"SELECT * REPLACE (sha256(i::VARCHAR) AS call_id) FROM (SELECT {columns}), range(%s) t(i)"
with connect(ZoneInfo("UTC"), Path(sys.argv[1])) as con:
    write(lake, con, CALLS, query % 10, day=day)
    print("written", flush=True)
    sys.stdin.readline()
    write(lake, con, CALLS, query % 2_000_000, day=day)
"""


def test_t35_kill_9_while_duckdb_writes_leaves_the_day_byte_for_byte(lake, con):
    lake.root.mkdir()
    path = lake.file(CALLS, DAY)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(lake.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"written\n"
        before = path.read_bytes()
        writer.stdin.write(b"\n")
        writer.stdin.flush()
        halves: list[Path] = []
        while not halves:
            assert writer.poll() is None
            halves = [half for half in path.parent.glob(f".{PART}.*") if half.stat().st_size > 0]
        writer.kill()
        assert writer.wait(timeout=30) == -signal.SIGKILL
    assert path.read_bytes() == before
    assert con.execute(f"SELECT count(*) FROM ({stored(lake, CALLS, DAY)})").fetchall() == [(10,)]
    assert halves[0].exists()
    write(lake, con, CALLS, stored(lake, CALLS, DAY), day=DAY)
    assert [file.name for file in path.parent.iterdir()] == [PART]


def test_t35_a_reader_never_errs_nor_sees_half_a_day_while_it_is_rewritten(lake, con):
    query = "SELECT * REPLACE (i::VARCHAR AS id, {} AS n) FROM ({}), range({}) t(i)"
    sizes = {1: 2_000, 2: 3_000}
    write(lake, con, TABLE, query.format(1, ROW, 2_000), day=DAY)
    stop = threading.Event()
    seen: set[tuple[int, int, int]] = set()
    reads = 0

    def read() -> None:
        nonlocal reads
        with duckdb.connect() as reader:
            pattern = lake.folder(TABLE) / "date=*" / PART
            while not stop.is_set():
                seen.update(
                    reader.execute(f"SELECT min(n), max(n), count(*) FROM read_parquet('{pattern}')").fetchall()
                )
                reads += 1

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        for i in range(40):
            n = 1 + i % 2
            write(lake, con, TABLE, query.format(n, ROW, sizes[n]), day=DAY)
        stop.set()
        reader.result(timeout=30)
    assert reads > 5
    assert seen <= {(n, n, size) for n, size in sizes.items()}


def test_t35_twenty_days_written_at_once(lake, tmp_path):
    def one(i: int) -> int:
        with connect(ZONE, tmp_path / str(i)) as con:
            return write(
                lake, con, TABLE, f"SELECT * REPLACE ({i} AS n) FROM ({ROW}), range({i})", day=dt.date(2026, 3, 1 + i)
            )

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(20))) == list(range(20))
    assert lake.days(TABLE) == [dt.date(2026, 3, 1 + i) for i in range(20)]
    for i in range(20):
        assert [row["n"] for row in rows(lake.file(TABLE, dt.date(2026, 3, 1 + i)))] == [i] * i


def test_t35_writers_that_add_to_one_day_at_once_lose_nothing(lake, tmp_path):
    def one(i: int) -> None:
        with connect(ZONE, tmp_path / str(i)) as con:
            write(lake, con, TABLE, more(i), day=DAY)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(12)))
    assert sorted(row["id"] for row in rows(lake.file(TABLE, DAY))) == sorted(str(i) for i in range(12))
