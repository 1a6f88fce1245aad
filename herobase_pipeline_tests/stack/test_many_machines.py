"""Two accounts on Postgres, Celery and an object store, with the files of deploy/: what a machine alone would have made.

Postgres and Redis are Debian's, started here; the object store is moto's. Each worker stands for a machine: it shares nothing
with the others but these three.
"""

import contextlib
import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from herobase_pipeline.addresses import place
from herobase_pipeline.assets.site import Site
from herobase_pipeline.definitions import of_sites
from herobase_pipeline.lake.engine import bare, file_literal
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings
from herobase_pipeline.sites import all_settings
from herobase_pipeline.tables import CALL_OUTCOMES, CALL_PHONES, CALLS, LEAD_DATA, SIMPLE_LEADS
from herobase_pipeline_tests.conftest import ROOT, failure
from herobase_pipeline_tests.object_store import object_store
from herobase_pipeline_tests.stack.conftest import quick
from herobase_pipeline_tests.stack.stack import BIN, Stack

_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
pytestmark = [
    pytest.mark.slow,
    # no package of Python brings either; .ci/run installs them
    pytest.mark.skipif(not _POSTGRES, reason="needs Postgres: apt-get install postgresql"),
    pytest.mark.skipif(not shutil.which("redis-server"), reason="needs Redis: apt-get install redis-server"),
]
NOW = dt.datetime(2026, 4, 2, 10, tzinfo=dt.UTC)
SITES = {"nord": 1, "syd": 2}
DAYS = [f"2026-03-{number:02}" for number in range(9, 19)]
BY_DAY = (CALLS, CALL_PHONES, SIMPLE_LEADS, LEAD_DATA, CALL_OUTCOMES)
WHOLE = ("campaigns", "leads", "lead_conversion", "org_history")
WORKERS = ("worker1", "worker2")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError(f"nobody answers on port {port}")


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start one that is empty, as a user that is not root, as it wants; yield its address."""
    binaries, port = _POSTGRES[-1].parent, _free_port()
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp())
    try:
        if as_user:
            shutil.chown(folder, "postgres")
        data = str(folder / "data")
        initdb = [*as_user, str(binaries / "initdb"), "-D", data, "-U", "dagster", "-A", "trust", "-N"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/")
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-F"]
        server = subprocess.Popen(
            [*as_user, str(binaries / "postgres"), "-D", data, *options], cwd="/", stderr=subprocess.DEVNULL
        )
        try:
            _wait_until_open(port, server)
            yield f"postgresql+psycopg2://dagster@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Start one that keeps nothing; yield its address."""
    port = _free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_until_open(port, server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, dict[str, Sandbox]]]:
    """Webserver, daemon and two workers over two accounts."""
    home = tmp_path_factory.mktemp("home")
    for name in ("workspace.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, home)
    (home / "dagster.yaml").write_text(quick((ROOT / "deploy" / "dagster.yaml").read_text()))
    (home / "sites").mkdir()
    with contextlib.ExitStack() as running, pytest.MonkeyPatch.context() as patch:
        boxes = {}
        for name, seed in SITES.items():
            boxes[name] = running.enter_context(Sandbox(SandboxSettings(seed=seed, calls_per_day=60), now=lambda: NOW))
            patch.setenv(f"{name.upper()}_PASSWORD", boxes[name].password)
            login = [f"HEROBASE_URL={boxes[name].url}", f"HEROBASE_USERNAME={boxes[name].username}"]
            lines = [*login, f"HEROBASE_PASSWORD=${{{name.upper()}_PASSWORD}}", ""]
            (home / "sites" / f"{name}.env").write_text("\n".join(lines))
        store = running.enter_context(object_store())
        for variable, value in store.items():
            patch.setenv(variable, value)
        place("s3://lakes").fs.mkdir("lakes")
        environment = {
            "DAGSTER_POSTGRES_URL": running.enter_context(postgres()),
            "DAGSTER_REDIS_URL": running.enter_context(redis()),
            "HEROBASE_DATA_DIR": "s3://lakes/all",
            "HEROBASE_BACKFILL_DAYS": "2",
            "PYTHONPATH": str(ROOT / "deploy"),
        }
        celery = [
            str(BIN / "celery"),
            "-A",
            "dagster_celery.app",
            "worker",
            "--queues",
            "dagster",
            "--concurrency",
            "1",
        ]
        workers = {name: [*celery, "--hostname", f"{name}@%h"] for name in WORKERS}
        stack = Stack(home, next(iter(boxes.values())), environment=environment, more=workers)
        running.callback(stack.stop)
        yield stack.start(), boxes


def rows(lake: Lake, table) -> list[tuple]:
    """A table's decoded rows, but for when they were seen."""
    with bare() as con:
        listed = "[" + ", ".join(map(file_literal, lake.files(table))) + "]"
        source = f"read_parquet({listed}, union_by_name = true, hive_partitioning = false)"
        names = [name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        shown = ", ".join(f'"{name}"' for name in names if name != "observed_at")
        return con.execute(f"SELECT {shown} FROM {source} ORDER BY ALL").fetchall()


def test_a_backfill_of_both_with_a_worker_killed_is_what_one_machine_makes(machines, tmp_path: Path, monkeypatch):
    stack, boxes = machines
    keys = [f"{site}/{'/'.join(table.key)}" for site in SITES for table in BY_DAY]
    backfill = stack.launch_backfill(keys, DAYS)

    def are_at_work() -> bool:
        return all("STEP_START" in stack.log(name).read_text() for name in WORKERS)

    stack.wait_for(are_at_work, "both workers in the middle of a run", seconds=120, every=0.1)
    stack.kill("worker1")
    assert stack.wait_for_backfill(backfill, seconds=400) == "COMPLETED_SUCCESS"
    assert stack.missing(keys, DAYS) == []
    (killed,) = [run for run in stack.runs_of(backfill) if run.status == "FAILURE"]
    assert "was killed" in stack.failures(killed.run_id)[""]
    stack.start("worker1")
    run = stack.launch([f"{site}/{name}" for site in SITES for name in WHOLE])
    assert stack.wait_for_run(run, seconds=240).status == "SUCCESS", stack.failures(run)
    refused = [served for box in boxes.values() for served in box.requests if served.status == 429]
    assert refused == []
    # the same on this machine alone
    shutil.copytree(stack.home / "sites", tmp_path / "sites")
    (tmp_path / "workspace.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEROBASE_START_DATE", "2026-03-01")
    monkeypatch.setenv("HEROBASE_PII_KEY", "test key")
    sites = [Site(settings, name) for name, settings in all_settings().items()]
    with dg.DagsterInstance.ephemeral() as instance:
        edges = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        for select, tags in (
            (keys, dict(zip(edges, (DAYS[0], DAYS[-1]), strict=True))),
            ([f"{s}/{n}" for s in SITES for n in WHOLE], {}),
        ):
            result = dg.materialize(
                list(of_sites(sites).assets),
                selection=select,
                resources={each.resource: each.settings for each in sites},
                instance=instance,
                tags=tags,
                raise_on_error=False,
            )
            assert result.success, failure(result)
    for site in sites:
        far = Lake(place(f"s3://lakes/all/{site.name}"))
        near = Lake(tmp_path / "data" / site.name)
        assert far.days(CALLS) == [dt.date.fromisoformat(day) for day in DAYS]
        for table in (*BY_DAY, *(table for table in _named(WHOLE))):
            assert rows(far, table) == rows(near, table), (site.name, table.name)


def _named(names):
    from herobase_pipeline.tables import TABLES

    return [table for table in TABLES if table.name in names]
