"""The derived tables of a year: made anew, and after a change, each time in one Dagster run.

``python -m benchmarks.derived FOLDER``, where ``benchmarks.year`` made a year or more, prints the seconds of each run and of its
steps. The folder can be read from then on (see ``reading``).
"""

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import duckdb

from benchmarks.nothing import job_of_nothing
from benchmarks.report import peak_mb, show
from herobase_pipeline.assets.pulled import REFRESH
from herobase_pipeline.erasing.procedure import erase
from herobase_pipeline.lake import completeness
from herobase_pipeline.lake.engine import literal
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.operations.jobs import FROM_ALL_DAYS
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, SIMPLE_LEADS, Table

NEW = 50
WHOLE, NEW_DAY, UNCHANGED, NEW_CALLS, NOTHING = (
    "the whole anew",
    "after one new day",
    "nothing has changed",
    f"after {NEW} new calls of a day that goes on",
    "a run that does nothing",
)
GOALS = {WHOLE: "≤ 40", NEW_DAY: "≤ 5", NEW_CALLS: "≤ 2"}
_Result = dict[str, dict[str, float]]


def run(first: str, last: str, what: str) -> _Result:
    """Derive everything in one run: call outcomes of some days, and all other tables; returns seconds and peak MB."""
    import dagster as dg

    from herobase_pipeline.definitions import defs

    keys = [dg.AssetKey(table.key) for table in (CALL_OUTCOMES, *FROM_ALL_DAYS)]
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    if what == NEW_CALLS:
        tags[REFRESH] = "true"  # as the runs have that follow a refresh
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    job = job_of_nothing(defs, keys) if what == NOTHING else defs.resolve_implicit_global_asset_job_def()
    start = time.perf_counter()
    home = Settings.load().data_dir / "dagster of the benchmark"  # kept from run to run, as it is
    home.mkdir(exist_ok=True)
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        asked = {} if what == NOTHING else {"asset_selection": keys}
        result = job.execute_in_process(quiet, instance, tags=tags, **asked)
    seconds = {"the run": time.perf_counter() - start}
    for event in result.all_events:
        if event.is_step_success:
            seconds[str(event.step_key)] = event.step_success_data.duration_ms / 1000
    return {"seconds": seconds, "peak": {"MB": peak_mb()}}


@contextmanager
def held_back(lake: Lake, day: dt.date) -> Iterator[None]:
    """Take a day out of the lake within the block."""
    files = {lake.file(table, day): lake.root / f"{table.name} of {day}" for table in (CALLS, SIMPLE_LEADS)}
    for file, aside in files.items():
        file.replace(aside)
    try:
        yield
    finally:
        for file, aside in files.items():
            file.parent.mkdir(exist_ok=True)
            aside.replace(file)


@contextmanager
def going_on(lake: Lake, day: dt.date) -> Iterator[None]:
    """Let the files of a day say within the block that it was not over when they were pulled, as a refresh leaves them."""
    nothing_complete = completeness.footer([], {})
    with (
        _replaced(lake, CALLS, day, said=nothing_complete),
        _replaced(lake, SIMPLE_LEADS, day, said=nothing_complete),
    ):
        yield


@contextmanager
def without_the_last_calls(lake: Lake, day: dt.date) -> Iterator[None]:
    """Take the last calls of a day out of the lake within the block."""
    with _replaced(lake, CALLS, day, f"ORDER BY started_at DESC OFFSET {NEW}"):
        yield


@contextmanager
def _replaced(
    lake: Lake, table: Table, day: dt.date, clause: str = "", said: Mapping[str, str] = MappingProxyType({})
) -> Iterator[None]:
    """Have in place of a file within the block what a clause leaves of its rows; ``said`` is what its footer says otherwise."""
    file = lake.file(table, day)
    with tempfile.TemporaryDirectory(dir=lake.root) as folder, duckdb.connect() as con:
        aside, made = Path(folder) / "as it was", Path(folder) / "for now"
        kept = con.execute("SELECT decode(key), decode(value) FROM parquet_kv_metadata(?)", [str(file)]).fetchall()
        footer = ", ".join(f"{literal(key)}: {literal(text)}" for key, text in (dict(kept) | said).items())
        rows = f"FROM read_parquet({literal(str(file))}, hive_partitioning = false) {clause}"
        con.execute(
            f"COPY ({rows}) TO {literal(str(made))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{footer}}})"
        )
        file.replace(aside)
        made.replace(file)
        try:
            yield
        finally:
            aside.replace(file)


def measure(folder: Path) -> dict[str, _Result]:
    """Derive the tables of a year or more again and again, each time after another change; returns what each run took."""
    settings = Settings(data_dir=folder)
    lake = claim(Lake(folder), settings)
    erase(lake, settings.zone)  # whom the sandbox has anonymized: once, and not what is measured here
    days = lake.days(CALLS)
    results: dict[str, _Result] = {}

    def derive(what: str, first: dt.date, last: dt.date) -> _Result:
        return _in_a_process_of_its_own(folder, what, first, last)

    for table in (CALL_OUTCOMES, *FROM_ALL_DAYS):
        shutil.rmtree(lake.folder(table), ignore_errors=True)
    with held_back(lake, days[-1]):
        results[WHOLE] = derive(WHOLE, days[0], days[-2])
    last = days[-1]
    results[NEW_DAY] = derive(NEW_DAY, last, last)
    results[UNCHANGED] = derive(UNCHANGED, last, last)
    with going_on(lake, last):
        with without_the_last_calls(lake, last):
            derive(NEW_CALLS, last, last)
        results[NEW_CALLS] = derive(NEW_CALLS, last, last)
    derive(UNCHANGED, last, last)  # the day is whole again, for who reads the folder
    results[NOTHING] = derive(NOTHING, last, last)
    return results


def beyond(results: dict[str, _Result], what: str) -> float:
    """Return the seconds that a run took beyond one that does nothing."""
    return results[what]["seconds"]["the run"] - results[NOTHING]["seconds"]["the run"]


def main() -> None:
    """Run several times, and print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.derived", description=__doc__)
    options.add_argument("folder", type=Path, nargs="?", help="where benchmarks.year made a year")
    options.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.run:
        first, last, what = asked.run
        print(json.dumps(run(first, last, what)))
        return
    tell(asked.folder, measure(asked.folder))


def tell(folder: Path, results: dict[str, _Result]) -> None:
    """Print the seconds of each run, whole and by step."""
    whole = results[WHOLE]["seconds"]
    rows = [
        [name, *(f"{of['seconds'].get(name, 0):.1f}" for of in results.values())]
        for name in sorted(whole, key=lambda name: -whole[name])
    ]
    rows.append(["beyond Dagster's own run", *(f"{beyond(results, what):.1f}" for what in results)])
    rows.append(["goal", *(GOALS.get(what, "") for what in results)])
    rows.append(["peak MB", *(f"{of['peak']['MB']:,.0f}" for of in results.values())])
    show(f"The derived tables of {len(Lake(folder).days(CALLS))} days, in one run; seconds", ["", *results], rows)


def _in_a_process_of_its_own(folder: Path, what: str, first: dt.date, last: dt.date) -> _Result:
    command = [sys.executable, "-m", "benchmarks.derived", "--run", str(first), str(last), what]
    where = {"HEROBASE_DATA_DIR": str(folder), "HEROBASE_START_DATE": str(first - dt.timedelta(days=400))}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env={**os.environ, **where})
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
