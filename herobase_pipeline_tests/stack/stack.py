"""A webserver and a daemon as people run them, over a home of their own, asked over GraphQL and killed at will.

Every process of a stack carries the stack's name and its part's in its environment, so that each can be found, whoever
started it: code servers and run workers too.
"""

import contextlib
import datetime as dt
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.sandbox import Sandbox, Served
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_PHONES, CALLS, LEAD_DATA, SIMPLE_LEADS, Table
from herobase_pipeline_tests.conftest import is_report
from herobase_pipeline_tests.dagster_internals import SWIFT_DAEMON
from herobase_pipeline_tests.stack import graphql

T = TypeVar("T")

BIN = Path(sys.executable).parent
LOCATION, REPOSITORY, ASSET_JOB = "herobase_pipeline", "__repository__", "__ASSET_JOB"
_REPOSITORY = {"repositoryName": REPOSITORY, "repositoryLocationName": LOCATION}
BY_DAY: tuple[Table, ...] = (CALLS, CALL_PHONES, SIMPLE_LEADS, LEAD_DATA)
"""What a backfill of HeroBase's days pulls."""
PULLED = tuple("/".join(table.key) for table in BY_DAY)
POOL = "herobase_api"
MENDING = "recover"
"""The sensor that ends runs whose process was killed."""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
BACKFILL_ENDED = ("COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")
WEBSERVER, DAEMON = "webserver", "daemon"
PARTS = (WEBSERVER, DAEMON)
PATIENCE = 3
HOURS_OF_A_DAY = 24
"""Times as long as an idle machine takes at most: only what fails waits so long."""
REQUIRED = {"BACKFILL", "QUEUED_RUN_COORDINATOR", "MONITORING"}

_STACK, _PART = "TEST_STACK_NAME", "TEST_STACK_PART"


class StackError(Exception):
    """The stack did not do what was waited for."""


@dataclass(frozen=True)
class Process:
    """A running process of a stack."""

    pid: int
    part: str
    command: str

    @property
    def is_worker(self) -> bool:
        """Whether it executes a run: a code server spawns one for each."""
        return "multiprocessing.spawn" in self.command

    def kill(self) -> None:
        """Kill it on the spot, as the system does when memory runs out."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Run:
    """A run as GraphQL tells it."""

    run_id: str
    job: str
    status: str
    tags: Mapping[str, str]
    assets: tuple[str, ...]
    created: float
    started: float | None
    ended: float | None
    parent: str | None
    steps_succeeded: int
    steps_failed: int
    materializations: int

    @property
    def is_over(self) -> bool:
        return self.status in ENDED

    @property
    def days(self) -> list[str]:
        """The partitions it is for, from one to the last."""
        if one := self.tags.get("dagster/partition"):
            return [one]
        edges = (f"dagster/asset_partition_range_{edge}" for edge in ("start", "end"))
        first, last = (dt.date.fromisoformat(self.tags[edge]) for edge in edges)
        return [str(first + dt.timedelta(days=number)) for number in range((last - first).days + 1)]


class Stack:
    """A Dagster of its own that loads from a sandbox in the test's process.

    Args:
        home: an existing folder with copies of dagster.yaml, workspace.yaml and pyproject.toml.
        sandbox: a running sandbox, whose faults and requests the test has in hand.
        tick: seconds between the daemon's looks at backfills; None: the plain ``dagster-daemon``, every 30 seconds.
        calm: schedules and sensors are turned off before the daemon's first start, so that only the test starts runs;
            the sensor that mends stays on.
        environment: further ``HEROBASE_*`` settings and other variables; they win.
        more: further parts, by their names the commands that they are.

    """

    def __init__(
        self,
        home: Path,
        sandbox: Sandbox,
        *,
        tick: float | None = 2.0,
        calm: bool = True,
        environment: Mapping[str, str] | None = None,
        more: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.more = dict(more or {})
        self.home, self.sandbox, self.tick, self.calm = home, sandbox, tick, calm
        self.name = uuid.uuid4().hex
        self.data = home / "data"
        self.port = _free_port()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("HEROBASE_", "DAGSTER_"))}
        self.environment = {
            **kept,
            "DAGSTER_HOME": str(home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "HEROBASE_URL": sandbox.url,
            "HEROBASE_USERNAME": sandbox.username,
            "HEROBASE_PASSWORD": sandbox.password,
            "HEROBASE_PII_KEY": "test key",
            "HEROBASE_DATA_DIR": str(self.data),
            "HEROBASE_START_DATE": "2026-03-01",
            "HEROBASE_REFRESH_CRON": "0 0 1 1 *",  # nothing is asked for but what a test launches
            "HEROBASE_SANDBOX_TIMEZONE": sandbox.settings.timezone,
            _STACK: self.name,
            **(environment or {}),
        }

    # -- processes -------------------------------------------------------------------------------------------------

    def start(self, *parts: str, seconds: float = 60) -> "Stack":
        """Start parts (both, if none is named) and come back once they answer."""
        parts = parts or (*PARTS, *self.more)
        if not (
            (self.home / ".dagster").exists() or self._children
        ):  # two that make SQLite's tables at once spoil them for good
            self._launch(WEBSERVER)
            self.wait_for(self._is_loaded, "the webserver with the definitions", seconds, part=WEBSERVER)
            if self.calm:
                self.stop_instigators()
            parts = tuple(part for part in parts if part != WEBSERVER)
        since = time.time()
        for part in parts:
            self._launch(part)
        if WEBSERVER in parts:
            self.wait_for(self._is_loaded, "the webserver with the definitions", seconds, part=WEBSERVER)
        if DAEMON in parts and WEBSERVER in self._children:
            self.wait_for(lambda: self._beats(since), "the daemon's heartbeats", seconds, part=DAEMON)
        return self

    def _launch(self, part: str) -> None:
        if part in self._children:
            raise StackError(f"{part} runs already.")
        if part in self.more:
            command = list(self.more[part])
        elif part == WEBSERVER:
            arguments = ["-w", "workspace.yaml", "--host", "127.0.0.1", "--port", str(self.port)]
            command = [str(BIN / "dagster-webserver"), *arguments]
        elif self.tick is None:
            command = [str(BIN / "dagster-daemon"), "run", "-w", "workspace.yaml"]
        else:
            command = [sys.executable, "-c", SWIFT_DAEMON, str(self.tick), "run", "-w", "workspace.yaml"]
        with self.log(part).open("ab") as log:
            log.write(f"--- {part} started at {dt.datetime.now(dt.UTC):%H:%M:%S} UTC\n".encode())
            log.flush()
            self._children[part] = subprocess.Popen(
                command,
                cwd=self.home,
                env={**self.environment, _PART: part},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self, part: str | None = None) -> list[Process]:
        """Every process of the stack, or of a part, whoever its parent is now."""
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):  # it has just ended, or is somebody else's
                variables = (folder / "environ").read_bytes().split(b"\0")
                if f"{_STACK}={self.name}".encode() not in variables:
                    continue
                its = next(v.decode().partition("=")[2] for v in variables if v.startswith(f"{_PART}=".encode()))
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if command and part in (None, its):
                    found.append(Process(int(folder.name), its, command))
        return found

    def worker(self) -> Process:
        """The one run worker there is, waited for."""
        return self.wait_for(
            lambda: next((p for p in self.processes() if p.is_worker), None), "a run worker", seconds=30
        )

    def kill(self, part: str, *, whole: bool = True) -> None:
        """Kill -9 of a part.

        Args:
            part: ``WEBSERVER`` or ``DAEMON``.
            whole: with its code server and the run workers under it, as when a container ends; else the process alone,
                as when the system's memory runs out.

        """
        child = self._children.pop(part)
        for process in self.processes(part) if whole else []:
            process.kill()
        child.kill()
        child.wait()
        if whole:
            self.wait_for(lambda: not self._kill_all(part), f"the end of the {part}'s processes", seconds=10)

    def kill_everything(self) -> None:
        """Kill -9 of all there is, as when the power fails."""
        for process in self.processes():
            process.kill()
        for child in self._children.values():
            child.kill()
            child.wait()
        self._children.clear()
        self.wait_for(lambda: not self._kill_all(None), "the end of all processes", seconds=10)

    def _kill_all(self, part: str | None) -> list[Process]:
        left = self.processes(part)
        for process in left:
            process.kill()
        return left

    def stop(self) -> None:
        """Kill everything and make sure that nothing is left."""
        self.kill_everything()
        left = self.processes()
        if left:
            raise StackError(f"Still running: {left}")

    def log(self, part: str) -> Path:
        """Where a part's output goes."""
        return self.home / f"{part}.log"

    def told(self, lines: int = 80) -> Iterator[tuple[str, str]]:
        """The last lines of each log, for a test that failed."""
        for part in (*PARTS, *self.more):
            if self.log(part).exists():
                yield part, "\n".join(self.log(part).read_text(errors="replace").splitlines()[-lines:])

    def _is_loaded(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            locations = self.ask(graphql.LOCATIONS)["workspaceOrError"].get("locationEntries", [])
            for location in locations:
                loaded = location["locationOrLoadError"] or {}
                if loaded.get("__typename") == "PythonError":
                    raise StackError(f"{location['name']} cannot be loaded: {loaded['message']}")
                if not loaded.get("repositories"):
                    return False
            return bool(locations)
        return False

    def _beats(self, since: float) -> bool:
        statuses = self.ask(graphql.DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        beating = {s["daemonType"] for s in statuses if (s["lastHeartbeatTime"] or 0) >= since}
        return beating >= REQUIRED

    # -- waiting ---------------------------------------------------------------------------------------------------

    def wait_for(
        self, found: Callable[[], T | None], what: str, seconds: float = 60, *, every: float = 0.25, part: str = ""
    ) -> T:
        """Ask until there is an answer, and give it.

        Raises:
            StackError: there was none in time, or the part that should give it has ended.

        """
        until = time.monotonic() + PATIENCE * seconds
        while True:
            answer = found()
            if answer:
                return answer
            child = self._children.get(part)
            if child is not None and child.poll() is not None:
                raise StackError(f"The {part} has ended ({child.returncode}); see its log.")
            if time.monotonic() >= until:
                raise StackError(f"Waited {seconds:.0f} s for {what}.")
            time.sleep(every)

    # -- GraphQL ---------------------------------------------------------------------------------------------------

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send a query or mutation and give its ``data``.

        Raises:
            StackError: it was refused.

        """
        answer = requests.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}, timeout=60
        )
        body = answer.json()
        if body.get("errors"):
            raise StackError(f"GraphQL: {body['errors']}")
        data: dict[str, Any] = body["data"]
        return data

    def _mutate(self, name: str, query: str, **variables: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.ask(query, **variables)[name]
        if "Error" in result["__typename"] or "Failure" in result["__typename"] or "message" in result:
            raise StackError(f"{name}: {result['__typename']}: {result.get('message')}")
        return result

    # -- backfills -------------------------------------------------------------------------------------------------

    def launch_backfill(
        self, assets: Collection[str], partitions: Collection[str], tags: Mapping[str, str] | None = None
    ) -> str:
        """Launch a backfill as the UI's button does, and give its id."""
        params = {
            "assetSelection": [_key(asset) for asset in assets],
            "partitionNames": list(partitions),
            "tags": _tags(tags),
        }
        backfill_id: str = self._mutate("launchPartitionBackfill", graphql.LAUNCH_BACKFILL, params=params)["backfillId"]
        return backfill_id

    def launch_missing(self, assets: Collection[str], partitions: Collection[str]) -> str:
        """Launch a backfill with the UI's box "Backfill only failed and missing partitions" ticked."""
        return self.launch_backfill(assets, self.missing(assets, partitions))

    def backfill(self, backfill_id: str) -> dict[str, Any]:
        """What the UI knows of a backfill: status, numPartitions, error, timestamps."""
        answer: dict[str, Any] = self.ask(graphql.BACKFILL, id=backfill_id)["partitionBackfillOrError"]
        return answer

    def wait_for_backfill(self, backfill_id: str, seconds: float = 120) -> str:
        """Wait until a backfill is over, and give its status."""

        def status() -> str | None:
            now: str = self.backfill(backfill_id)["status"]
            return now if now in BACKFILL_ENDED else None

        return self.wait_for(status, f"the end of backfill {backfill_id}", seconds)

    def cancel_backfill(self, backfill_id: str) -> None:
        """Cancel a backfill and its runs."""
        self._mutate("cancelPartitionBackfill", graphql.CANCEL_BACKFILL, id=backfill_id)

    # -- partitions ------------------------------------------------------------------------------------------------

    def partitions(self, asset: str) -> dict[str, str]:
        """The colour of each partition of an asset that has one: MATERIALIZED, FAILED or MATERIALIZING."""
        node = self.ask(graphql.PARTITIONS, key=_key(asset))["assetNodeOrError"]
        states = {}
        for span in node["assetPartitionStatuses"]["ranges"]:
            first, last = (dt.date.fromisoformat(span[edge]) for edge in ("startKey", "endKey"))
            for number in range((last - first).days + 1):
                states[str(first + dt.timedelta(days=number))] = span["status"]
        return states

    def checks(self, asset: str) -> dict[str, str | None]:
        """The state of each check of an asset as the UI shows it: None where it is not evaluated since the asset was written."""
        node = self.ask(graphql.CHECKS, key=_key(asset))["assetNodeOrError"]
        executions = {c["name"]: c["executionForLatestMaterialization"] for c in node["assetChecksOrError"]["checks"]}
        return {name: execution and execution["status"] for name, execution in executions.items()}

    def partition_stats(self, asset: str) -> dict[str, int]:
        """The numbers under an asset in the graph: numMaterialized, numFailed, numMaterializing, numPartitions."""
        stats: dict[str, int] = self.ask(graphql.PARTITIONS, key=_key(asset))["assetNodeOrError"]["partitionStats"]
        return stats

    def states(self, assets: Collection[str], partitions: Collection[str]) -> dict[str, list[str]]:
        """The colour of each of these partitions in each asset: MISSING for one that has none."""
        by_asset = {asset: self.partitions(asset) for asset in assets}
        return {asset: [states.get(day, "MISSING") for day in partitions] for asset, states in by_asset.items()}

    def missing(self, assets: Collection[str], partitions: Collection[str]) -> list[str]:
        """The partitions that the UI selects as failed or missing: in one of the assets at least."""
        by_asset = [self.partitions(asset) for asset in assets]
        return [day for day in partitions if any(s.get(day, "MISSING") in ("MISSING", "FAILED") for s in by_asset)]

    # -- runs ------------------------------------------------------------------------------------------------------

    def runs(self, **only: Any) -> list[Run]:
        """Runs, newest first, by the fields of GraphQL's ``RunsFilter``: statuses=[...], tags=[{key, value}] ..."""
        found = self.ask(graphql.RUNS, filter=only)["runsOrError"]["results"]
        return [_run(each) for each in found]

    def runs_of(self, backfill_id: str) -> list[Run]:
        """A backfill's runs."""
        return self.runs(tags=[{"key": "dagster/backfill", "value": backfill_id}])

    def run(self, run_id: str) -> Run:
        """One run."""
        return self.runs(runIds=[run_id])[0]

    def unfinished(self) -> list[Run]:
        """Runs that are neither done nor failed, whether anybody works at them or not."""
        return [run for run in self.runs() if not run.is_over]

    def wait_for_run(self, run_id: str, seconds: float = 60) -> Run:
        """Wait until a run is over, and give it."""

        def ended() -> Run | None:
            now = self.run(run_id)
            return now if now.is_over else None

        return self.wait_for(ended, f"the end of run {run_id}", seconds)

    def launch(self, assets: Sequence[str], partition: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        """Launch one run of assets, without partitions or for one, and give its id."""
        return self._launch_run(ASSET_JOB, partition, tags, assetSelection=[_key(asset) for asset in assets])

    def launch_job(self, job: str, partition: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        """Launch one run of a job, without partitions or for one, and give its id."""
        return self._launch_run(job, partition, tags)

    def _launch_run(self, job: str, partition: str | None, tags: Mapping[str, str] | None, **selected: Any) -> str:
        more = {"dagster/partition": partition} if partition else {}
        params = {
            "selector": {
                "repositoryLocationName": LOCATION,
                "repositoryName": REPOSITORY,
                "jobName": job,
                **(selected and {"assetCheckSelection": [], **selected}),
            },
            "runConfigData": "{}",
            "executionMetadata": {"tags": _tags({**more, **(tags or {})})},
        }
        run_id: str = self._mutate("launchRun", graphql.LAUNCH_RUN, params=params)["run"]["runId"]
        return run_id

    def reexecute(self, run_id: str, *, from_failure: bool = True) -> str:
        """Run a run again, or what failed of it, and give the new run's id."""
        strategy = "FROM_FAILURE" if from_failure else "ALL_STEPS"
        params = {"parentRunId": run_id, "strategy": strategy}
        again: str = self._mutate("launchRunReexecution", graphql.REEXECUTE, params=params)["run"]["runId"]
        return again

    def terminate(self, run_id: str, *, force: bool = False) -> None:
        """Stop a run; by force, it is marked as canceled at once."""
        policy = "MARK_AS_CANCELED_IMMEDIATELY" if force else "SAFE_TERMINATE"
        self._mutate("terminateRun", graphql.TERMINATE, id=run_id, policy=policy)

    def failures(self, run_id: str) -> dict[str, str]:
        """The sentence that a person reads on each failed step, and for "" on the run itself."""
        sentences = {}
        for event in self._events(run_id):
            if event["__typename"] == "ExecutionStepFailureEvent":
                said = (event["failureMetadata"] or {}).get("description")
                sentences[event["stepKey"]] = said or _of_error(event["error"])
            elif event["__typename"] == "RunFailureEvent":
                sentences[""] = event["message"] or _of_error(event["error"])
        return sentences

    def _events(self, run_id: str) -> list[dict[str, Any]]:
        events, cursor = [], None
        while True:
            page = self.ask(graphql.EVENTS, id=run_id, after=cursor)["logsForRun"]
            events += page["events"]
            cursor = page["cursor"]
            if not page["hasMore"]:
                return events

    def messages(self, run_id: str) -> list[str]:
        """All that the log of a run says."""
        return [event["message"] for event in self._events(run_id) if event.get("message")]

    # -- pool, schedules, sensors ----------------------------------------------------------------------------------

    def slots(self, pool: str = POOL) -> dict[str, list[str]]:
        """The ids of the runs that hold the pool's slots, and of those whose steps wait for one."""
        info = self.ask(graphql.POOL, pool=pool)["instance"]["concurrencyLimit"]
        return {
            "held": [slot["runId"] for slot in info["claimedSlots"]],
            "waiting": [step["runId"] for step in info["pendingSteps"] if not step["assignedTimestamp"]],
        }

    def instigators(self) -> dict[str, str]:
        """Every schedule and sensor: RUNNING or STOPPED."""
        return {name: found["status"] for name, found in (self._schedules() | self._sensors()).items()}

    def start_schedule(self, name: str) -> None:
        """Turn a schedule on."""
        self._mutate("startSchedule", graphql.START_SCHEDULE, selector={**_REPOSITORY, "scheduleName": name})

    def stop_schedule(self, name: str) -> None:
        """Turn a schedule off."""
        self._mutate("stopRunningSchedule", graphql.STOP_SCHEDULE, id=self._schedules()[name]["id"])

    def ticks(self, name: str) -> list[dict[str, Any]]:
        """The ticks of a schedule, oldest first: status, timestamp, skipReason, runIds, error."""
        answer = self.ask(graphql.TICKS, selector={**_REPOSITORY, "scheduleName": name})["scheduleOrError"]
        ticks: list[dict[str, Any]] = answer["scheduleState"]["ticks"]
        return ticks[::-1]

    def start_sensor(self, name: str) -> None:
        """Turn a sensor on."""
        self._mutate("startSensor", graphql.START_SENSOR, selector={**_REPOSITORY, "sensorName": name})

    def stop_sensor(self, name: str) -> None:
        """Turn a sensor off."""
        self._mutate("stopSensor", graphql.STOP_SENSOR, id=self._sensors()[name]["id"])

    def stop_instigators(self) -> None:
        """Turn every schedule and sensor off, but for the one that mends."""
        for name, found in self._schedules().items():
            if found["status"] == "RUNNING":
                self.stop_schedule(name)
        for name, found in self._sensors().items():
            if found["status"] == "RUNNING" and name != MENDING:
                self.stop_sensor(name)

    def _schedules(self) -> dict[str, dict[str, str]]:
        answer = self.ask(graphql.SCHEDULES, repository=_REPOSITORY)["schedulesOrError"]
        return {found["name"]: found["scheduleState"] for found in answer["results"]}

    def _sensors(self) -> dict[str, dict[str, str]]:
        answer = self.ask(graphql.SENSORS, repository=_REPOSITORY)["sensorsOrError"]
        return {found["name"]: found["sensorState"] for found in answer["results"]}

    # -- what was asked for, and what lies in the lake ---------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The pipeline's settings, as far as a test needs them."""
        return Settings(data_dir=self.data, timezone=self.environment.get("HEROBASE_TIMEZONE", "Europe/Copenhagen"))

    @property
    def today(self) -> str:
        """The running day of the business zone."""
        return str(dt.datetime.now(self.settings.zone).date())

    @property
    def lake(self) -> Lake:
        return Lake(self.data)

    def asked(self, service: str = "/calls") -> list[Served]:
        """The requests of a service that the sandbox has got, answered or still on their way."""
        return [served for served in list(self.sandbox.requests) if served.path.lower() == service]

    def wait_for_requests(self, number: int, service: str = "/calls", seconds: float = 60) -> None:
        """Wait until a service has been asked so often."""
        self.wait_for(
            lambda: len(self.asked(service)) >= number, f"{number} requests of {service}", seconds, every=0.02
        )

    def days_asked(self, service: str = "/calls") -> Counter[str]:
        """How often each day was asked for whole, with its margins; not what is asked for to see whether it was cut."""
        return Counter(str(_middle(served, self.settings)) for served in self.asked(service) if _is_of_a_day(served))

    def leftovers(self) -> list[str]:
        """What lies in the data directory and is neither a table's file, the catalogue, a note, a book, a sign nor a report."""
        files = [p for p in self.data.rglob("*") if p.is_file() and p.parent.name not in (".working", ".notes")]
        kept = ("part.parquet", "herobase.duckdb", "datapackage.json")
        left = [
            p
            for p in files
            if p.name not in kept and not p.name.startswith(".requests-") and not is_report(p, self.data)
        ]
        spools = [p for p in self.data.glob("private/.spool/*") if p.is_dir()]
        return sorted(str(p.relative_to(self.data)) for p in (*left, *spools))

    def signs(self) -> list[str]:
        """The runs of which there is still a sign of life."""
        return sorted(path.name for path in self.data.glob("private/.working/*"))


def _is_of_a_day(served: Served) -> bool:
    if "timespan" in served.params:
        return int(re.findall(r"PT(\d+)H", served.params["timespan"][0] + "PT0H")[0]) >= HOURS_OF_A_DAY
    start, end = (dt.datetime.fromisoformat(served.params[name][0]) for name in ("modifiedfrom", "modifiedto"))
    return end - start >= dt.timedelta(hours=HOURS_OF_A_DAY)


def _middle(served: Served, settings: Settings) -> dt.date:
    first = served.params.get("starttime") or served.params["modifiedfrom"]
    start = dt.datetime.fromisoformat(first[0])
    return (start if start.tzinfo is None else start.astimezone(settings.zone)).date() + dt.timedelta(days=1)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _key(asset: str) -> dict[str, list[str]]:
    return {"path": asset.split("/")}


def _tags(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in (tags or {}).items()]


def _of_error(error: Mapping[str, Any] | None) -> str:
    """The innermost message of an error, which is the one that says what happened."""
    message = ""
    while error:
        message, error = error["message"], error.get("cause")
    return message.strip()


def _run(found: Mapping[str, Any]) -> Run:
    stats = found["stats"]
    return Run(
        found["runId"],
        found["pipelineName"],
        found["status"],
        {tag["key"]: tag["value"] for tag in found["tags"]},
        tuple("/".join(key["path"]) for key in found["assetSelection"] or ()),
        found["creationTime"],
        found["startTime"],
        found["endTime"],
        found["parentRunId"],
        stats.get("stepsSucceeded", 0),
        stats.get("stepsFailed", 0),
        stats.get("materializations", 0),
    )
