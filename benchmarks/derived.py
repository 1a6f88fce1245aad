"""The derived tables of a year: made anew in one Dagster run, and refreshed after one new day.

``python -m benchmarks.derived FOLDER``, where ``benchmarks.year`` made a year, prints the seconds of each run and of its
steps. The folder can be read from then on (see ``reading``).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.year import FIRST, LAST


def run(first: str, last: str) -> dict[str, dict[str, float]]:
    """Derive everything in one run: call outcomes of some days, all other tables whole; returns seconds and peak MB."""
    import dagster as dg

    from herobase_pipeline.definitions import defs
    from herobase_pipeline.tables import LEADS, RESTATEMENTS, TABLES

    derived = [table for table in TABLES[TABLES.index(LEADS) :] if table is not RESTATEMENTS]
    keys = [dg.AssetKey(table.key) for table in derived]
    span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    start = time.perf_counter()
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(quiet, instance, tags=span, asset_selection=keys)
    seconds = {"the run": time.perf_counter() - start}
    for event in result.all_events:
        if event.is_step_success:
            seconds[str(event.step_key)] = event.step_success_data.duration_ms / 1000
    return {"seconds": seconds, "peak": {"MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}}


def main() -> None:
    """Run twice, and print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.derived", description=__doc__)
    options.add_argument("folder", type=Path, nargs="?", help="where benchmarks.year made a year")
    options.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.run:
        print(json.dumps(run(*asked.run)))
        return
    results = [_in_a_process_of_its_own(asked.folder, first) for first in (FIRST, LAST)]
    table = Table(title="The derived tables of the year, in one run; seconds", title_justify="left")
    for head in ("", "the whole year anew", "after one new day"):
        table.add_column(head, justify="left" if not head else "right")
    for name in sorted(results[0]["seconds"], key=lambda name: -results[0]["seconds"][name]):
        table.add_row(name, *(f"{result['seconds'][name]:.1f}" for result in results))
    table.add_row("peak MB", *(f"{result['peak']['MB']:,.0f}" for result in results))
    Console(width=110).print(table)


def _in_a_process_of_its_own(folder: Path, first: object) -> dict[str, dict[str, float]]:
    command = [sys.executable, "-m", "benchmarks.derived", "--run", str(first), str(LAST)]
    where = {"HEROBASE_DATA_DIR": str(folder), "HEROBASE_START_DATE": str(FIRST)}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env={**os.environ, **where})
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
