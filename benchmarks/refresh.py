"""A refresh of today that brings 50 new calls into a day of 100,000, beside a run of the same shape that does nothing.

``python -m benchmarks.refresh`` prints CPU seconds of whole processes, and what a refresh asks of HeroBase.
"""

import argparse
import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.nothing import job_of_nothing
from benchmarks.report import show

DAY = dt.date(2026, 11, 18)
CALLS, NEW, ROUNDS = 100_000, 50, 5
TICK, NOTHING = "a refresh", "a run that does nothing"


def run(job_name: str, now: str) -> dict[str, float]:
    """Run a job for the day at a time by the sandbox's clock, as a run worker does; returns CPU seconds and rows."""
    import dagster as dg

    from herobase_pipeline.definitions import defs
    from herobase_pipeline.herobase.quota import Budget
    from herobase_pipeline.pulling import account

    budget = Budget(utcnow=lambda: dt.datetime.fromisoformat(now))
    account._budget = lambda _: budget  # the pipeline's clock
    job = defs.resolve_job_def("refresh_today")
    if job_name == NOTHING:
        job = job_of_nothing(defs, job.asset_layer.executable_asset_keys)
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        before = _size(folder)
        result = job.execute_in_process(quiet, instance, partition_key=str(DAY))
        kept = _size(folder) - before
    spent = resource.getrusage(resource.RUSAGE_SELF)
    made = (event.step_materialization_data.materialization for event in result.get_asset_materialization_events())
    rows = {m.asset_key.to_user_string(): m.metadata["dagster/partition_row_count"].value for m in made if m.metadata}
    return {"cpu": spent.ru_utime + spent.ru_stime, "rows": rows.get("calls", 0), "kept": kept}


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def main() -> None:
    """Load the day, refresh it some times, and print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.refresh", description=__doc__)
    options.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--calls", type=int, default=CALLS, help="of the day")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    asked = options.parse_args()
    if asked.run:
        print(json.dumps(run(*asked.run)))
        return
    from herobase_pipeline.partitions import day_bounds
    from herobase_pipeline.sandbox import Sandbox
    from herobase_pipeline.settings import SandboxSettings, Settings

    zone = Settings().zone
    clock = [day_bounds(DAY, zone).end]
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(SandboxSettings(calls_per_day=3 * asked.calls // 2), now=lambda: clock[0]) as sandbox,
    ):
        starts = sorted(call.start for call in sandbox.world.calls(*_bounds(zone), clock[0]))
        environment = {
            "HEROBASE_URL": sandbox.url,
            "HEROBASE_USERNAME": sandbox.username,
            "HEROBASE_PASSWORD": sandbox.password,
            "HEROBASE_PII_KEY": "benchmark",
            "HEROBASE_DATA_DIR": folder,
        }
        results: dict[str, list[dict[str, float]]] = {TICK: [], NOTHING: []}
        requests: list[Counter[str]] = []
        for turn in range(asked.rounds + 1):  # the first loads the day
            clock[0] = starts[asked.calls + turn * NEW]
            before = len(sandbox.requests)
            ticked = _in_a_process_of_its_own(TICK, clock[0], environment)
            if turn:
                results[TICK].append(ticked)
                results[NOTHING].append(_in_a_process_of_its_own(NOTHING, clock[0], environment))
                requests.append(Counter(request.path for request in list(sandbox.requests)[before:]))
    _tell(results, requests)


def _bounds(zone):
    from herobase_pipeline.partitions import day_bounds

    bounds = day_bounds(DAY, zone)
    return bounds.start, bounds.end


def _in_a_process_of_its_own(job: str, now: dt.datetime, environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.refresh", "--run", job, now.isoformat()]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env={**os.environ, **environment})
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _tell(results, requests) -> None:
    rows = results[TICK][-1]["rows"]
    cpu = {name: statistics.median(result["cpu"] for result in found) for name, found in results.items()}
    lines = [[name, f"{cpu[name]:.2f}", "", f"{found[-1]['kept'] / 1000:,.0f}"] for name, found in results.items()]
    most = {path: max(count[path] for count in requests) for path in sorted(set().union(*requests))}
    told = ", ".join(f"{number} of {path}" for path, number in most.items())
    show(
        f"{NEW} new calls in a day of {rows:,}",
        ["", "CPU seconds of the process", "goal", "kB kept by Dagster"],
        [*lines, ["the difference", f"{cpu[TICK] - cpu[NOTHING]:.2f}", "≤ 1", ""]],
        [
            f"Medians of {len(results[TICK])} rounds. Requests of a refresh, at most: {told}",
            "A run that does nothing has the same assets and checks, so that Dagster keeps as many results of it",
        ],
    )


if __name__ == "__main__":
    main()
