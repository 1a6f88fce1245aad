"""A backfill of some months in one Dagster run, all tables, beside the same landings and SQL without Dagster.

``python -m benchmarks.backfill`` prints seconds. What the run has besides are its events, erasures, checks and pictures.
"""

import argparse
import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.report import show

LAST = dt.date(2026, 9, 30)
RUN, BARE = "one run of the range", "its landings and SQL alone"


def run(days: list[dt.date]) -> float:
    """Pull some days and make all tables in one run; returns its seconds."""
    import dagster as dg

    from herobase_pipeline.definitions import defs
    from herobase_pipeline.operations.jobs import FROM_ALL_DAYS
    from herobase_pipeline.tables import CALL_OUTCOMES, CALL_PHONES, CALLS, LEAD_DATA, SIMPLE_LEADS

    tables = (CALLS, CALL_PHONES, SIMPLE_LEADS, LEAD_DATA, CALL_OUTCOMES, *FROM_ALL_DAYS)
    keys = [dg.AssetKey(table.key) for table in tables]
    tags = {"dagster/asset_partition_range_start": str(days[0]), "dagster/asset_partition_range_end": str(days[-1])}
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    job = defs.resolve_implicit_global_asset_job_def()
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        began = time.perf_counter()
        job.execute_in_process(quiet, instance, tags=tags, asset_selection=keys)
        return time.perf_counter() - began


def bare(days: list[dt.date]) -> float:
    """Land the days and make the same tables, by the functions that the assets call; returns the seconds."""
    from herobase_pipeline.assets.own_lake import own_lake
    from herobase_pipeline.deriving.by_day import derive_by_day
    from herobase_pipeline.deriving.history import derive_history
    from herobase_pipeline.deriving.leads import derive_leads
    from herobase_pipeline.deriving.tables import derive, derive_days
    from herobase_pipeline.pulling.account import herobase
    from herobase_pipeline.pulling.calls import pull_calls
    from herobase_pipeline.pulling.leads import pull_simple_leads
    from herobase_pipeline.pulling.overlap import finish
    from herobase_pipeline.settings import Settings
    from herobase_pipeline.tables import (
        CALL_OUTCOMES,
        CALLS,
        CUMULATIVE_INCIDENCE,
        DROP_RATES,
        LEAD_COHORTS,
        LEAD_CONVERSION,
        LEADS,
    )
    from herobase_pipeline.tables.drops import regimes
    from herobase_pipeline.tables.metrics import DROPS, version

    settings = Settings.load()
    lake, client, zone = own_lake(settings), herobase(settings), settings.zone
    began = time.perf_counter()
    for pull in (pull_calls, pull_simple_leads):
        for day in days:
            finish(pull(day, client, lake, settings))
    derive_days(lake, zone, CALL_OUTCOMES, [CALLS], days)
    derive_leads(lake, zone)
    derive_by_day(lake, zone, LEAD_CONVERSION)
    derive_by_day(lake, zone, LEAD_COHORTS)
    derive(lake, zone, CUMULATIVE_INCIDENCE, [LEADS])
    derive(lake, zone, DROP_RATES, [CALL_OUTCOMES], {"regimes": regimes(), "version": version(DROPS)})
    derive_history(lake, zone)
    return time.perf_counter() - began


def main() -> None:
    """Run each some times in turn, each in a process and a lake of its own, and print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    options.add_argument("--days", type=int, default=90)
    options.add_argument("--calls", type=int, default=20_000, help="on an ordinary workday")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--do", choices=(RUN, BARE), help=argparse.SUPPRESS)
    asked = options.parse_args()
    days = [LAST - dt.timedelta(days=n) for n in reversed(range(asked.days))]
    if asked.do:
        print({RUN: run, BARE: bare}[asked.do](days))
        return
    from herobase_pipeline.sandbox import Sandbox
    from herobase_pipeline.settings import SandboxSettings

    now = dt.datetime.combine(LAST, dt.time(3), dt.UTC) + dt.timedelta(days=1)
    seconds: dict[str, list[float]] = {RUN: [], BARE: []}
    with Sandbox(SandboxSettings(calls_per_day=asked.calls, now=now, daily_limit=1_000_000)) as sandbox:
        for turn in range(asked.rounds + 1):  # in the first the sandbox makes its days up
            for what, taken in seconds.items() if turn else [(BARE, [])]:
                with tempfile.TemporaryDirectory() as folder:
                    environment = {
                        "HEROBASE_URL": sandbox.url,
                        "HEROBASE_USERNAME": sandbox.username,
                        "HEROBASE_PASSWORD": sandbox.password,
                        "HEROBASE_PII_KEY": "benchmark",
                        "HEROBASE_DATA_DIR": folder,
                        "HEROBASE_START_DATE": str(days[0] - dt.timedelta(days=400)),
                    }
                    taken.append(_in_a_process_of_its_own(what, asked.days, environment))
    ratios = [whole / alone for whole, alone in zip(seconds[RUN], seconds[BARE], strict=True)]
    rows = [[what, f"{statistics.median(of):.1f}", "", ""] for what, of in seconds.items()]
    rows.append(["one beside the other", "", f"{statistics.median(ratios):.2f} x", "≤ 1.25 x"])
    show(
        f"A backfill of {asked.days} days, {asked.calls:,} calls on a workday, all tables",
        ["", "seconds", "ratio", "goal"],
        rows,
        [f"Medians of {asked.rounds} rounds, each in a lake of its own"],
    )


def _in_a_process_of_its_own(what: str, days: int, environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "benchmarks.backfill", "--do", what, "--days", str(days)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env={**os.environ, **environment})
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
