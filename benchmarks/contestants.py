"""Each way to land a day, run in a process of its own: ``python -m benchmarks.contestants NAME FOLDER PORT``.

Prints the seconds of work without imports, the rows that came out and the peak memory in MB.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.material import CALLS, DAY, LINES

_COLUMNS = """{uniqueId: 'VARCHAR', startTime: 'TIMESTAMP', connectTime: 'TIMESTAMP', endTime: 'TIMESTAMP', connected: 'BOOLEAN',
    incoming: 'BOOLEAN', endCause: 'VARCHAR', leadStatus: 'VARCHAR', leadClosure: 'VARCHAR', campaignType: 'VARCHAR',
    dialingDuration: 'VARCHAR', conversationDuration: 'VARCHAR', wrapUpDuration: 'VARCHAR', leadPhoneNumber: 'VARCHAR',
    uniqueLeadId: 'VARCHAR', user: 'STRUCT(orgCode VARCHAR)', campaign: 'STRUCT(code VARCHAR, uniqueId VARCHAR)',
    orgHierarchy: 'STRUCT(orgCode VARCHAR, name VARCHAR)[]'}"""
Work = Callable[[], int]


def floor(folder: Path, _: int) -> Work:
    """DuckDB's own reader over the JSON array, already on disk, to Parquet."""
    return _duckdb(folder / CALLS, "array", folder / "floor.parquet")


def tuned_floor(folder: Path, _: int) -> Work:
    """The same over newline-delimited JSON with both cores: what the answer of an API never is."""
    return _duckdb(folder / LINES, "newline_delimited", folder / "tuned.parquet")


def _duckdb(source: Path, kind: str, target: Path) -> Work:
    import duckdb

    def work() -> int:
        with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as con:
            read = f"read_json('{source}', format = '{kind}', columns = {_COLUMNS}, maximum_object_size = 2000000000)"
            ((rows,),) = con.execute(f"COPY (FROM {read}) TO '{target}' (COMPRESSION zstd)").fetchall()
        return int(rows)

    return work


def herobase_pipeline(folder: Path, port: int) -> Work:
    """The pipeline itself: over HTTP, typed, hierarchy placed, numbers apart, put in place atomically."""
    from herobase_pipeline.herobase.client import HeroBase
    from herobase_pipeline.lake.layout import Lake
    from herobase_pipeline.pulling.calls import pull_calls
    from herobase_pipeline.settings import Settings

    settings = Settings(
        url=f"http://127.0.0.1:{port}", username="a", password="b", pii_key="k", data_dir=folder / "lake"
    )
    client = HeroBase(str(settings.url), "a", "b", settings.zone)
    return lambda: pull_calls(DAY, client, Lake(settings.data_dir), settings).rows["calls"]


def obvious(folder: Path, port: int) -> Work:
    """Download to a file, then let DuckDB read it."""
    import requests

    def work() -> int:
        target = folder / "download.json"
        with (
            requests.get(f"http://127.0.0.1:{port}/api/calls", stream=True, timeout=60) as answer,
            target.open("wb") as file,
        ):
            for chunk in answer.iter_content(1 << 20):
                file.write(chunk)
        return _duckdb(target, "array", folder / "obvious.parquet")()

    return work


def pandas(folder: Path, port: int) -> Work:
    """``response.json()``, ``json_normalize``, ``to_parquet``."""
    import pandas as pd
    import requests

    def work() -> int:
        frame = pd.json_normalize(requests.get(f"http://127.0.0.1:{port}/api/calls", timeout=60).json())
        frame.to_parquet(folder / "pandas.parquet", compression="zstd")
        return len(frame)

    return work


def dlt(folder: Path, port: int) -> Work:
    """The dlt library with its defaults, fed dicts, to Parquet files."""
    import dlt as library
    from dlt.destinations import filesystem
    from dlt.sources.helpers import requests

    pipeline = library.pipeline(
        "bench",
        pipelines_dir=str(folder / "dlt"),
        destination=filesystem(bucket_url=(folder / "dlt-out").as_uri()),
        dataset_name="calls",
    )

    def work() -> int:
        records = requests.get(f"http://127.0.0.1:{port}/api/calls").json()
        pipeline.run(records, table_name="calls", loader_file_format="parquet")
        return int(pipeline.last_trace.last_normalize_info.row_counts["calls"])

    return work


def main() -> None:
    """Prepare, work, and print one JSON object."""
    name, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    work = globals()[name](folder, port)
    start = time.perf_counter()
    rows = work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "rows": rows, "peak_mb": peak}))


if __name__ == "__main__":
    main()
