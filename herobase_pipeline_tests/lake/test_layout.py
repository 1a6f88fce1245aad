"""Where files lie and how one takes another's place: whole or not at all, whoever writes, reads or is killed."""

import datetime as dt
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from herobase_pipeline.lake.layout import PART, Lake, locked, make_folder
from herobase_pipeline.tables import CALL_PHONES, CALLS, LEADS

DAY = dt.date(2026, 3, 2)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data")


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def put(lake: Lake, content: bytes, table=CALLS, day: dt.date | None = DAY) -> Path:
    with lake.replacing(table, day) as aside:
        aside.write_bytes(content)
    return lake.file(table, day)


def beside(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir())


def test_the_face_of_the_lake(lake):
    root = lake.root
    assert lake.file(CALLS, DAY) == root / "lake" / "calls" / "date=2026-03-02" / "part.parquet"
    assert lake.file(LEADS) == root / "lake" / "leads" / "part.parquet"
    assert lake.file(CALL_PHONES, DAY) == root / "private" / "call_phones" / "date=2026-03-02" / "part.parquet"
    assert lake.catalogue == root / "herobase.duckdb"


def test_a_relative_root_is_absolute_in_every_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    lake = Lake(Path("data"))
    assert lake.file(CALLS, DAY).is_relative_to(tmp_path)
    assert lake.catalogue == tmp_path / "data" / "herobase.duckdb"


def test_days_are_those_with_a_file_in_order(lake):
    assert lake.days(CALLS) == []
    for day in (3, 1, 2):
        put(lake, b"x", day=dt.date(2026, 3, day))
    lake.file(CALLS, dt.date(2026, 3, 9)).parent.mkdir()
    assert lake.days(CALLS) == [dt.date(2026, 3, day) for day in (1, 2, 3)]


@pytest.mark.parametrize(
    "name", ["date=2026-03-01 copy", "date=foo", "date=20260301", "date=2026-02-30", "date=2026-W09-7", "date="]
)
def test_a_folder_that_is_named_like_a_day_and_is_none_is_passed_over(lake, name):
    path = put(lake, b"x")
    stray = lake.folder(CALLS) / name
    stray.mkdir()
    (stray / PART).write_bytes(b"x")
    assert lake.days(CALLS) == [DAY]
    assert lake.files(CALLS) == [path]


def test_t35_a_file_takes_the_others_place_and_leaves_nothing_beside_it(lake):
    put(lake, b"old")
    path = put(lake, b"new")
    assert path.read_bytes() == b"new"
    assert beside(path) == [PART]


def test_t35_a_reader_has_the_old_file_until_the_new_one_is_whole(lake):
    path = put(lake, b"old")
    with lake.replacing(CALLS, DAY) as aside:
        aside.write_bytes(b"half of the n")
        assert path.read_bytes() == b"old"
        aside.write_bytes(b"the new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"the new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_t35_a_write_that_fails_leaves_the_old_file(lake, error):
    path = put(lake, b"old")

    def fail() -> None:
        with lake.replacing(CALLS, DAY) as aside:
            aside.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert beside(path) == [PART]
    put(lake, b"new")
    assert path.read_bytes() == b"new"


def test_a_writer_that_writes_nothing_is_an_error(lake):
    path = put(lake, b"old")
    with pytest.raises(FileNotFoundError), lake.replacing(CALLS, DAY):
        pass
    assert path.read_bytes() == b"old"


KILLED = """
import os, signal, sys, datetime as dt
from pathlib import Path
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import CALLS, CALL_PHONES
table = {"calls": CALLS, "call_phones": CALL_PHONES}[sys.argv[2]]
with Lake(Path(sys.argv[1])).replacing(table, dt.date(2026, 3, 2)) as aside:
    aside.write_bytes(b"half a file")
    print("writing", flush=True)
    if len(sys.argv) > 3:
        sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("table", [CALLS, CALL_PHONES], ids=lambda table: table.name)
def test_t35_kill_9_in_mid_write_leaves_the_old_file_and_the_next_write_cleans_up(lake, table):
    path = put(lake, b"old", table)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(lake.root), table.name], capture_output=True, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    left = beside(path)
    assert len(left) == 2
    assert lake.days(table) == [DAY]
    put(lake, b"new", table)
    assert path.read_bytes() == b"new"
    assert beside(path) == [PART]


def test_t35_a_writer_waits_for_another_process_and_its_half_is_not_taken_away(lake):
    path = put(lake, b"old")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(lake.root), "calls", "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"writing\n"
        with ThreadPoolExecutor(1) as pool:
            mine = pool.submit(put, lake, b"new")
            time.sleep(0.1)
            assert not mine.done()
            assert len(beside(path)) == 2
            assert path.read_bytes() == b"old"
            other.stdin.close()  # it goes on and is killed; the system gives its lock back
            mine.result(timeout=30)
    assert path.read_bytes() == b"new"
    assert beside(path) == [PART]


def test_t35_two_writers_of_one_file_are_in_the_block_one_after_the_other(lake):
    inside: list[int] = []
    most: list[int] = []

    def write(i: int) -> None:
        with lake.replacing(CALLS, DAY) as aside:
            inside.append(i)
            most.append(len(inside))
            aside.write_bytes(b"%d" % i * 1_000)
            time.sleep(0.005)
            inside.remove(i)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert most == [1] * 8
    content = lake.file(CALLS, DAY).read_bytes()
    assert content in {b"%d" % i * 1_000 for i in range(8)}
    assert beside(lake.file(CALLS, DAY)) == [PART]


def test_writers_of_different_days_do_not_wait_for_each_other(lake):
    both = threading.Barrier(2, timeout=10)

    def write(day: int) -> None:
        with lake.replacing(CALLS, dt.date(2026, 3, day)) as aside:
            aside.write_bytes(b"x")
            both.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (1, 2)))
    assert len(lake.days(CALLS)) == 2


def _put_in_process(root: Path, day: int) -> None:
    put(Lake(root), b"%d" % day * 50_000, day=dt.date(2026, 3, 1 + day % 10))


@pytest.mark.slow
def test_t35_processes_write_days_in_parallel_two_of_them_each_day(lake):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        for done in [pool.submit(_put_in_process, lake.root, day) for day in range(20)]:
            done.result(timeout=60)
    assert lake.days(CALLS) == [dt.date(2026, 3, day) for day in range(1, 11)]
    for i in range(10):
        path = lake.file(CALLS, dt.date(2026, 3, 1 + i))
        assert path.read_bytes() in {b"%d" % i * 50_000, b"%d" % (i + 10) * 50_000}
        assert beside(path) == [PART]


@pytest.mark.usefixtures("open_umask")
def test_what_identifies_customers_is_the_owners_alone(lake):
    path = put(lake, b"x", CALL_PHONES)
    assert mode(path) == 0o600
    assert [mode(folder) for folder in (path.parent, path.parent.parent, lake.root / "private")] == [0o700] * 3
    assert mode(lake.root) != 0o700


def test_a_private_folder_that_others_could_enter_is_closed(lake):
    folder = lake.folder(CALL_PHONES)
    folder.mkdir(parents=True, mode=0o755)
    put(lake, b"x", CALL_PHONES)
    assert mode(folder) == mode(lake.root / "private") == 0o700


@pytest.mark.usefixtures("open_umask")
def test_a_private_file_is_never_open_to_others_while_it_is_written(lake):
    with lake.replacing(CALL_PHONES, DAY) as aside:
        aside.write_bytes(b"x")
        assert mode(aside.parent) == 0o700


def test_other_files_may_be_read_by_others(lake):
    before = os.umask(0o022)
    try:
        path = put(lake, b"x")
    finally:
        os.umask(before)
    assert mode(path) == 0o644
    assert mode(path.parent) == 0o755


def test_a_folder_named_private_above_the_lake_is_left_alone(tmp_path):
    above = tmp_path / "private"
    above.mkdir(mode=0o755)
    make_folder(above / "data" / "private" / "x", private=True)
    assert mode(above) == 0o755
    assert mode(above / "data" / "private") == 0o700


def test_a_lock_is_let_go_when_the_block_fails(tmp_path):
    with pytest.raises(ValueError, match="in the block"), locked(tmp_path):
        raise ValueError("in the block")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: locked(tmp_path).__enter__()).result(timeout=5)
