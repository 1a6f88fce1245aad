"""The lake as it lies, read by what knows nothing of us: Spark by its folders, and whoever reads the package beside it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from herobase_pipeline.tables import TABLES, Table, Type
from herobase_pipeline_tests.conftest import ROOT, Centre, centres

SPARK = ROOT / ".venv-spark"
_SPARK_TYPES = {
    Type.TEXT: "string",
    Type.TEXTS: "array<string>",
    Type.INSTANT: "timestamp",
    Type.DAY: "date",
    Type.DAYS: "array<date>",
    Type.NUMBER: "double",
    Type.COUNT: "bigint",
    Type.FLAG: "boolean",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with pytest.MonkeyPatch.context() as patch, centres(tmp_path_factory.mktemp("lake"), patch) as start:
        here = start(calls_per_day=80)
        here.load("calls,private/call_phones,simple_leads,private/lead_data", "2026-11-18", "2026-11-19")
        here.load("call_outcomes", "2026-11-18", "2026-11-19")
        here.load("campaigns,users,leads,lead_conversion,lead_cohorts,org_history,metrics,health")
        yield here


def tables(here: Centre) -> list[Table]:
    return [table for table in TABLES if not table.private and here.lake.files(table)]


def test_names_and_types_are_those_that_every_reader_takes(loaded: Centre):
    """No unsigned number, no nested union, no time without a zone; names that no reader has to quote but ``date``."""
    for table in tables(loaded):
        for path in loaded.lake.files(table):
            for column in pq.read_schema(path):
                assert column.name.isidentifier()
                assert column.name == column.name.lower()
                assert str(column.type) in {
                    "string",
                    "int64",
                    "double",
                    "bool",
                    "date32[day]",
                    "timestamp[us, tz=UTC]",
                    "list<element: string>",
                    "list<element: date32[day]>",
                }


def test_the_package_says_of_each_file_what_is_in_it(loaded: Centre):
    package = json.loads((loaded.lake.root / "datapackage.json").read_text("utf-8"))
    assert {each["name"] for each in package["resources"]} == {table.name for table in tables(loaded)}
    for each in package["resources"]:
        named = [field["name"] for field in each["schema"]["fields"]]
        for path in each["path"]:
            assert set(pq.read_schema(loaded.lake.root / path).names) <= set(named)


@pytest.mark.slow
@pytest.mark.skipif(not (SPARK / "ready").exists(), reason="needs Spark: make .venv-spark/ready")
@pytest.mark.skipif(not shutil.which("java"), reason="needs Java: apt-get install default-jre-headless")
def test_spark_reads_every_table_by_its_folder(loaded: Centre):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(SPARK / "bin" / "python"), str(Path(__file__).with_name("spark.py")), str(loaded.lake.root / "lake")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {table.name for table in tables(loaded)}
    for table in tables(loaded):
        its, rows = found[table.name], loaded.rows(f'SELECT count(*) FROM "{table.name}"')
        assert its["rows"] == rows[0][0], table.name
        expected = {column.name: _SPARK_TYPES[column.type] for column in table.in_file}
        partitions = {"date": "date"} if table.daily else {"month": "string"} if table.monthly else {}
        assert its["types"] == expected | partitions, table.name
