"""Each way to land a day, run in a process of its own: ``python -m benchmarks.contestants NAME MATERIAL FOLDER PORT``.

Prints the seconds of work without imports, the rows that came out and the peak memory in MB. ``MATERIAL`` is the file of the
records.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.material import CALLS, DAY, LEADS, LINES
from benchmarks.report import peak_mb

_COLUMNS = {
    CALLS: """{uniqueId: 'VARCHAR', startTime: 'TIMESTAMP', connectTime: 'TIMESTAMP', endTime: 'TIMESTAMP', connected: 'BOOLEAN',
    incoming: 'BOOLEAN', endCause: 'VARCHAR', leadStatus: 'VARCHAR', leadClosure: 'VARCHAR', campaignType: 'VARCHAR',
    dialingDuration: 'VARCHAR', conversationDuration: 'VARCHAR', wrapUpDuration: 'VARCHAR', leadPhoneNumber: 'VARCHAR',
    uniqueLeadId: 'VARCHAR', user: 'STRUCT(orgCode VARCHAR)', campaign: 'STRUCT(code VARCHAR, uniqueId VARCHAR)',
    orgHierarchy: 'STRUCT(orgCode VARCHAR, name VARCHAR)[]'}""",
    LEADS: """{uniqueId: 'VARCHAR', status: 'VARCHAR', closure: 'VARCHAR', priority: 'INTEGER',
    campaign: 'STRUCT(code VARCHAR, uniqueId VARCHAR)', data: 'JSON', closureData: 'JSON', uploadTime: 'TIMESTAMP',
    firstProcessedTime: 'TIMESTAMP', lastModifiedTime: 'TIMESTAMP', ownerOrgUnit: 'STRUCT(orgCode VARCHAR)',
    uploadedByUser: 'STRUCT(orgCode VARCHAR)', firstProcessedByUser: 'STRUCT(orgCode VARCHAR)',
    lastModifiedByUser: 'STRUCT(orgCode VARCHAR)'}""",
}
_PATHS = {CALLS: "calls", LEADS: "simpleleads"}
Work = Callable[[], int]


def floor(material: str, folder: Path, _: int) -> Work:
    """DuckDB's own reader over the JSON array, already on disk, to Parquet."""
    return _duckdb(material, folder / material, "array", folder / "floor.parquet")


def tuned_floor(material: str, folder: Path, _: int) -> Work:
    """The same over newline-delimited JSON with both cores: what the answer of an API never is."""
    return _duckdb(material, folder / LINES[material], "newline_delimited", folder / "tuned.parquet")


def _duckdb(material: str, source: Path, kind: str, target: Path) -> Work:
    import duckdb

    def work() -> int:
        with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as con:
            columns = _COLUMNS[material]
            read = f"read_json('{source}', format = '{kind}', columns = {columns}, maximum_object_size = 2000000000)"
            ((rows,),) = con.execute(f"COPY (FROM {read}) TO '{target}' (COMPRESSION zstd)").fetchall()
        return int(rows)

    return work


def ours(material: str, folder: Path, port: int) -> Work:
    """The pipeline itself: over HTTP, typed, hierarchy placed, numbers apart, put in place atomically."""
    return _ours(material, folder, port, is_first=False)


def ours_first(material: str, folder: Path, port: int) -> Work:
    """The same for the first day of a night, or the largest: the answer's ends are asked for again, as it may be cut."""
    return _ours(material, folder, port, is_first=True)


def _ours(material: str, folder: Path, port: int, *, is_first: bool) -> Work:
    importlib.import_module("pyarrow.parquet")  # loaded at the first private file, and imports are not what is measured
    from herobase_pipeline.herobase.client import HeroBase
    from herobase_pipeline.lake import notes
    from herobase_pipeline.lake.layout import Lake
    from herobase_pipeline.pulling.calls import pull_calls
    from herobase_pipeline.pulling.leads import pull_simple_leads
    from herobase_pipeline.pulling.overlap import finish
    from herobase_pipeline.settings import Settings

    settings = Settings(
        url=f"http://127.0.0.1:{port}", username="a", password="b", pii_key="k", data_dir=folder / "lake"
    )
    client, lake = HeroBase(str(settings.url), "a", "b", settings.zone), Lake(settings.data_dir)
    pull, table = {CALLS: (pull_calls, "calls"), LEADS: (pull_simple_leads, "simple_leads")}[material]
    if not is_first:
        with (
            notes.updating(lake, "answers") as note,
            (folder / LINES[material]).open() as lines,
        ):  # see pulling/answers.py
            whole, today = sum(1 for _ in lines) + 1, str(client.budget.utcnow().date())
            note[_PATHS[material]] = {"whole": whole, "on": today, "believed": ("", 0)}
    return lambda: finish(pull(DAY, client, lake, settings)).rows[table]


def download(material: str, _: Path, port: int) -> Work:
    """The bytes alone, over the same wire, to nowhere."""
    import requests

    def work() -> int:
        url = f"http://127.0.0.1:{port}/api/{_PATHS[material]}"
        with requests.get(url, stream=True, timeout=600) as answer:
            return sum(len(chunk) for chunk in answer.iter_content(1 << 20))

    return work


def obvious(material: str, folder: Path, port: int) -> Work:
    """Download to a file, then let DuckDB read it, tuned: both cores, order not kept."""
    import requests

    def work() -> int:
        target = folder / "download.json"
        url = f"http://127.0.0.1:{port}/api/{_PATHS[material]}"
        with requests.get(url, stream=True, timeout=600) as answer, target.open("wb") as file:
            for chunk in answer.iter_content(1 << 20):
                file.write(chunk)
        return _duckdb(material, target, "array", folder / "obvious.parquet")()

    return work


def pandas(material: str, folder: Path, port: int) -> Work:
    """``response.json()``, ``json_normalize``, ``to_parquet``."""
    import pandas as pd
    import requests

    def work() -> int:
        frame = pd.json_normalize(_records(requests, material, port))
        frame.to_parquet(folder / "pandas.parquet", compression="zstd")
        return len(frame)

    return work


def dlt_dicts(material: str, folder: Path, port: int) -> Work:
    """The dlt library with its defaults, fed dicts, to Parquet files."""
    from dlt.sources.helpers import requests

    return _dlt(material, folder, lambda: _records(requests, material, port))


def dlt_arrow(material: str, folder: Path, port: int) -> Work:
    """The dlt library fed one Arrow table, to Parquet files: texts as they came, nothing normalized."""
    import pyarrow as pa
    from dlt.sources.helpers import requests

    return _dlt(material, folder, lambda: pa.Table.from_pylist(_records(requests, material, port)))


def singer(material: str, folder: Path, port: int) -> Work:
    """A target of Singer (``target-duckdb``), fed the messages of a tap in its own process, then to Parquet."""
    import duckdb
    import requests
    from target_duckdb import persist_lines

    types = {dict: "object", list: "array", bool: "boolean", int: "integer", float: "number"}
    name = _PATHS[material]

    def messages() -> Iterator[str]:
        records = _records(requests, material, port)
        kinds = {
            key: types.get(type(value), "string")
            for each in records
            for key, value in each.items()
            if value is not None
        }
        schema = {"properties": {key: {"type": ["null", kind]} for key, kind in kinds.items()}}
        yield json.dumps({"type": "SCHEMA", "stream": name, "schema": schema, "key_properties": ["uniqueId"]})
        yield from (json.dumps({"type": "RECORD", "stream": name, "record": each}) for each in records)

    def work() -> int:
        with duckdb.connect(str(folder / "singer.duckdb")) as con:
            persist_lines(con, {"default_target_schema": "main", "filepath": "singer.duckdb"}, messages())
            copy = f"COPY {name} TO '{folder / 'singer.parquet'}' (COMPRESSION zstd)"
            ((rows,),) = con.execute(copy).fetchall()
        return int(rows)

    return work


def _records(requests, material: str, port: int) -> list[dict[str, object]]:
    return requests.get(f"http://127.0.0.1:{port}/api/{_PATHS[material]}", timeout=600).json()


def _dlt(material: str, folder: Path, records: Callable[[], object]) -> Work:
    import dlt as library
    from dlt.destinations import filesystem

    pipeline = library.pipeline(
        "bench",
        pipelines_dir=str(folder / "dlt"),
        destination=filesystem(bucket_url=(folder / "dlt-out").as_uri()),
        dataset_name="landed",
    )
    name = _PATHS[material]

    def work() -> int:
        pipeline.run(records(), table_name=name, loader_file_format="parquet")
        return int(pipeline.last_trace.last_normalize_info.row_counts[name])

    return work


def main() -> None:
    """Prepare, work, and print one JSON object."""
    name, material, folder, port = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    work = globals()[name](material, folder, port)
    start = time.perf_counter()
    rows = work()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "rows": rows, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
