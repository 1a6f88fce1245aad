"""What the scenarios share: a HeroBase that answers over HTTP, a lake of their own, and real Dagster runs."""

import datetime as dt
import fcntl
import hashlib
import hmac
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from matplotlib.figure import Figure

from herobase_pipeline.assets import daily_quota
from herobase_pipeline.assets.site import Site
from herobase_pipeline.definitions import of_site
from herobase_pipeline.enums import OPEN_LEAD_STATUSES, LeadStatus
from herobase_pipeline.herobase.quota import Budget
from herobase_pipeline.lake.catalogue import INTERVAL, selection
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.lake.layout import Forgetting, Lake
from herobase_pipeline.partitions import Window, day_bounds
from herobase_pipeline.pulling import account
from herobase_pipeline.reading import charts
from herobase_pipeline.sandbox import Sandbox, World, server
from herobase_pipeline.sandbox.world.truth import Call, Lead
from herobase_pipeline.settings import SandboxSettings, Settings
from herobase_pipeline.tables import (
    RESTATEMENTS,
    TABLES,
    UNREADABLE,
    VIEWS,
)
from herobase_pipeline_tests.dagster_internals import EPHEMERAL_JOB_NAME, wait_by
from herobase_pipeline_tests.worlds import SharedWorld

ROOT = Path(__file__).parent.parent
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
WHOLE = ",".join(
    "/".join(table.key)
    for table in TABLES
    if (table.snapshot or not table.daily) and table not in (RESTATEMENTS, UNREADABLE)
)
"""The assets without partitions."""
SITE = Site(Settings())
_OF_SITE = of_site(SITE)
ASSETS, CHECKS = list(_OF_SITE.assets or ()), list(_OF_SITE.asset_checks or ())


@pytest.fixture(scope="session", autouse=True)
def _shared_worlds() -> Iterator[None]:
    """Let the sandboxes of this process that invent the same call centre invent it once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "World", SharedWorld)
        yield


@cache
def _job(select: str) -> dg.JobDefinition:
    """The job of some assets, kept as to resolve one takes as long as a small run; whoever runs it brings the settings."""
    job = dg.define_asset_job(EPHEMERAL_JOB_NAME, select.split(","))
    defs = dg.Definitions(ASSETS, jobs=[job], resources={"settings": dg.ResourceDefinition.mock_resource()})
    return defs.resolve_job_def(job.name)


@dataclass
class Centre:
    """A call centre: its HeroBase, and a lake that is loaded from it by Dagster runs."""

    sandbox: Sandbox
    settings: Settings
    clock: list[dt.datetime]
    instance: dg.DagsterInstance

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.data_dir)

    @property
    def world(self) -> World:
        return self.sandbox.world

    @property
    def now(self) -> dt.datetime:
        return self.clock[0]

    def called(self, lead: Lead) -> str:
        """What the lake calls a lead that a run has seen as the world has it now: by its id, unless it is anonymized."""
        return alias(lead.id) if lead.status is LeadStatus.Anonymized else lead.id

    def at(self, url: str) -> "Centre":
        """The same centre, asked at another address."""
        return replace(self, settings=self.settings.model_copy(update={"url": url}))

    def materialize(
        self, select: str, first: str | None = None, last: str | None = None, tags: dict[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run assets for a day, a range of days, or unpartitioned; a failed run is returned, not raised."""
        span = (
            {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else None
        )
        return _job(select).execute_in_process(
            resources={"settings": self.settings},
            partition_key=None if last else first,
            tags=(span or {}) | (tags or {}),
            instance=self.instance,
            raise_on_error=False,
        )

    def load(self, select: str, first: str | None = None, last: str | None = None) -> dg.ExecuteInProcessResult:
        """Run assets, which must succeed."""
        result = self.materialize(select, first, last)
        assert result.success, failure(result)
        return result

    def told(self, asset: str) -> dict[str, Any]:
        """The metadata that the UI shows of an asset's latest materialization."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset.split("/")))
        assert event is not None
        assert event.asset_materialization is not None
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}

    def rows_shown(self, table: str) -> dict[str | None, int]:
        """The row count that the UI shows for each partition of a table."""
        key = dg.AssetKey(table.split("/"))
        records = self.instance.fetch_materializations(key, limit=100).records
        found = ((record.partition_key, record.asset_materialization) for record in reversed(records))
        return {day: int(str(m.metadata["dagster/partition_row_count"].value)) for day, m in found if m}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Query the lake; every table is a view, private ones too."""
        views: list[str] = []
        told = query
        for table in reversed((*TABLES, *VIEWS)):  # each is made of those before it; all of them would take long
            if re.search(rf"\b{table.name}\b", told):
                of_files = selection(self.lake, table)
                told += f" {of_files}"
                views.insert(0, f'CREATE VIEW "{table.name}" AS {of_files}')
        with bare() as con:
            con.execute(f"SET TimeZone = '{self.settings.timezone}'")
            con.execute(INTERVAL)
            for view in views:
                con.execute(view)
            return con.execute(query).fetchall()

    def truth(self, day: str) -> list[Call]:
        """The calls of a local day, from the sandbox's own world and by its own clock."""
        bounds = day_bounds(dt.date.fromisoformat(day), self.settings.zone)
        return list(self.world.calls(bounds.start, bounds.end, self.now))

    @staticmethod
    def closed_statuses() -> set[str]:
        return {status.name for status in LeadStatus if status not in OPEN_LEAD_STATUSES}

    def window(self, first: str, last: str | None = None) -> Window:
        one, other = (day_bounds(dt.date.fromisoformat(day), self.settings.zone) for day in (first, last or first))
        return Window(one.start, other.end)

    def files(self) -> dict[str, bytes]:
        """Every table's file, byte for byte."""
        return {
            str(path.relative_to(self.lake.root)): path.read_bytes() for path in self.lake.root.rglob("part.parquet")
        }

    def leftovers(self) -> list[Path]:
        """What is in the lake and is neither a table's file, the catalogue, a note, a report nor the budget of requests."""
        everything = (path for path in self.lake.root.rglob("*") if path.is_file())
        meant = ("part.parquet", "herobase.duckdb", "datapackage.json", ".requests-")
        kept = (path for path in everything if path.parent.name != ".notes" and not is_report(path, self.lake.root))
        return [path for path in kept if not path.name.startswith(meant)]


def is_report(path: Path, root: Path) -> bool:
    """Whether a file of a lake is one that people open, and no half of one."""
    return path.relative_to(root).parts[0] == "reports" and not path.name.startswith(".")


def writer(root: Path) -> Lake:
    """A lake to write to by hand."""
    return Lake(root, Forgetting(b"test key"))


def alias(lead_id: str) -> str:
    """What an erased lead is called, computed a second way."""
    return "erased-" + hmac.new(b"test key", f"lead:{lead_id.upper()}".encode(), hashlib.sha256).hexdigest()[:32]


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The sentence that a person reads in the UI on the failed step."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            return str(data.user_failure_data.description if data.user_failure_data else data.error)
    return ""


@contextmanager
def centres(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Callable[..., Centre]]:
    """A factory of call centres, all at one time: keyword arguments are ``HEROBASE_SANDBOX_*`` in lower case."""
    running = ExitStack()
    clock = [NOW]

    def sleep(seconds: float) -> None:
        clock[0] += dt.timedelta(seconds=seconds)

    at_one_time(patch, clock, sleep)

    def start(
        *, now: dt.datetime = NOW, data: str = "data", settings: dict[str, Any] | None = None, **sandbox_settings: Any
    ) -> Centre:
        clock[0] = now
        sandbox = Sandbox(SandboxSettings(**{"calls_per_day": 300, **sandbox_settings}), now=lambda: clock[0]).start()
        running.callback(sandbox.stop)
        instance = running.enter_context(dg.DagsterInstance.ephemeral())
        login = {"url": sandbox.url, "username": sandbox.username, "password": sandbox.password, "pii_key": "test key"}
        return Centre(sandbox, Settings(data_dir=folder / data, **{**login, **(settings or {})}), clock, instance)

    with running:
        yield start


def at_one_time(patch: pytest.MonkeyPatch, clock: list[dt.datetime], sleep: Callable[[float], None]) -> None:
    """Let everything in this process go by one clock, which waiting puts forward."""
    budget = Budget(clock=lambda: clock[0].timestamp(), sleep=sleep, utcnow=lambda: clock[0])
    patch.setattr(account, "_budget", lambda _: budget)
    patch.setattr(daily_quota, "NAP", dt.timedelta(days=1))
    wait_by(patch, lambda: clock[0], sleep)


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return what ``make`` put at a path, made once for all workers of a run: copy it before you change anything."""
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "once" / name
    made.parent.mkdir(exist_ok=True)
    done = made.with_suffix(".done")
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(made, ignore_errors=True)  # of a worker that failed at it
            make(made)
            done.touch()
    return made


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Centre]]:
    """A factory of call centres, all at one time: keyword arguments are ``HEROBASE_SANDBOX_*`` in lower case."""
    with centres(tmp_path, monkeypatch) as start:
        yield start


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a Dagster of its own, so that nothing is written into the developer's."""
    for name in ("dagster.yaml", "workspace.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def site(project: Path, name: str, *lines: str) -> None:
    """Write the file of a site."""
    (project / "sites" / f"{name}.env").write_text("\n".join([*lines, ""]), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a project in which nothing is set, with an empty folder of sites."""
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / "sites").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that were drawn."""
    figures: list[Figure] = []
    png = charts.png
    monkeypatch.setattr(charts, "png", lambda figure: figures.append(figure) or png(figure))
    return figures
