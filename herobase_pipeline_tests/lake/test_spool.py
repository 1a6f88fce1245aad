"""The spool: a pull's own private folder, gone after it, also after a pull that was killed."""

import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool

PULL = """
import os, signal, sys
from pathlib import Path
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
with spool(Lake(Path(sys.argv[1]))) as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "0-0.json").write_text('[{"phone":"51806520"}]')
    print(folder, flush=True)
    sys.stdin.read()
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data")


def base(lake: Lake) -> Path:
    return lake.root / "private" / ".spool"


def pull(lake: Lake, end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PULL, str(lake.root), end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_folder_of_its_own_that_is_gone_after(lake):
    with spool(lake) as one, spool(lake) as other:
        assert one != other
        assert one.parent == other.parent == base(lake)
        (one / "x").write_bytes(b"x")
        assert list(other.iterdir()) == []
    assert list(base(lake).iterdir()) == []


def test_it_is_the_owners_alone(lake):
    with spool(lake) as folder:
        for path in (folder, base(lake), lake.root / "private"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_pull_that_fails_leaves_nothing(lake):
    def fail() -> None:
        with spool(lake) as folder:
            (folder / "0-0.json").write_bytes(b"[]")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        fail()
    assert list(base(lake).iterdir()) == []


def test_t35_what_a_killed_pull_left_goes_and_a_living_ones_stays(lake):
    with pull(lake, "killed") as killed, pull(lake, "lives") as living:
        abandoned, alive = (Path(process.stdout.readline().strip()) for process in (killed, living))
        killed.communicate(timeout=30)
        assert killed.returncode == -signal.SIGKILL
        assert (abandoned / "deep" / "0-0.json").exists()
        with spool(lake) as mine:
            assert not abandoned.exists()
            assert (alive / "deep" / "0-0.json").exists()
            assert {folder.name for folder in base(lake).iterdir()} == {mine.name, alive.name}
        living.communicate(timeout=30)
        assert living.returncode == 0
    assert list(base(lake).iterdir()) == []


def test_many_pulls_begin_and_end_at_once(lake):
    def once(i: int) -> bool:
        with spool(lake) as folder:
            (folder / str(i)).write_bytes(b"x")
            return [path.name for path in folder.iterdir()] == [str(i)]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(once, range(400)))
    assert list(base(lake).iterdir()) == []
