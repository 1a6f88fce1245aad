"""Hard stops, races, rights that shrink, filters that are ignored, and a day of a million calls."""

import datetime as dt
import os
import re
import signal
import subprocess
import sys
import threading
import time

import dagster as dg
import duckdb
import pyarrow.dataset
import pyarrow.parquet
import pytest

from herobase_pipeline.tables import CALL_PHONES, CALLS, ORG_UNITS, PROJECTS
from herobase_pipeline_tests.conftest import Centre
from herobase_pipeline_tests.test_days import assert_is_the_truth

DAY = "2026-11-18"
PULL = """
import datetime as dt, re, sys
from pathlib import Path
from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.pulling.calls import pull_calls
from herobase_pipeline.pulling.overlap import finish
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings
settings = Settings.load()
pull = pull_calls(dt.date.fromisoformat(sys.argv[1]), herobase(settings), Lake(settings.data_dir), settings)
print(finish(pull).rows["calls"])
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1] if sys.platform == "linux" else 0)
"""


def pulling(centre: Centre, day: str) -> subprocess.Popen[str]:
    """Pull a day's calls in a process of its own."""
    login = {
        "HEROBASE_URL": centre.sandbox.url,
        "HEROBASE_USERNAME": centre.sandbox.username,
        "HEROBASE_PASSWORD": centre.sandbox.password,
        "HEROBASE_PII_KEY": "test key",
        "HEROBASE_DATA_DIR": str(centre.lake.root),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PULL, day], env={**os.environ, **login}, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.7, 1.2, 1.8])
def test_t35_a_killed_pull_leaves_the_day_as_it_was_and_the_next_one_cleans_up(centre, moment):
    here = centre(calls_per_day=5_000)
    here.load("calls", DAY)
    before = here.files()
    here.sandbox.script("/calls chunk_delay=0.2")
    with pulling(here, DAY) as process:
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
    assert here.files() == before
    here.sandbox.heal()
    here.load("calls", DAY)
    assert here.leftovers() == []
    assert list((here.lake.root / "private" / ".spool").iterdir()) == []
    assert_is_the_truth(here, DAY)


@pytest.mark.slow
def test_t35_many_pulls_at_once_do_not_disturb_each_other_nor_a_reader(centre):
    here = centre(calls_per_day=1_000)
    here.load("calls", DAY)
    counts: set[int] = set()
    done = threading.Event()

    def read() -> None:
        with duckdb.connect(here.lake.catalogue, read_only=True) as con:
            while not done.is_set():
                counts.update(n for (n,) in con.execute(f"SELECT count(*) FROM calls WHERE date = '{DAY}'").fetchall())

    reader = threading.Thread(target=read)
    reader.start()
    days = [DAY, DAY, DAY, "2026-11-17", "2026-11-16", "2026-11-13"]
    processes = [pulling(here, day) for day in days]
    rows = [int(process.communicate()[0].split()[0]) for process in processes]
    done.set()
    reader.join()
    assert rows == [len(here.truth(day)) for day in days]
    assert counts == {len(here.truth(DAY))}
    for day in set(days):
        assert_is_the_truth(here, day)
    assert here.leftovers() == []


@pytest.mark.slow
def test_a_million_calls_land_in_less_than_a_gigabyte(tmp_path):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HEROBASE_")},
        "HEROBASE_SANDBOX_CALLS_PER_DAY": "1000000",
        "HEROBASE_SANDBOX_NOW": "2026-04-01T00:00:00Z",
    }
    command = [sys.executable, "-m", "herobase_pipeline.sandbox", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        login = {"HEROBASE_URL": address, "HEROBASE_USERNAME": "api@nord-salg.example", "HEROBASE_PASSWORD": "sandbox"}
        more = {"HEROBASE_PII_KEY": "test key", "HEROBASE_DATA_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", PULL, "2026-03-02"],
            env={**environment, **login, **more},
            capture_output=True,
            text=True,
        )
        server.terminate()
    assert done.returncode == 0, done.stderr
    rows, peak = map(int, done.stdout.split())
    assert (
        900_000 < rows == pyarrow.parquet.read_metadata(tmp_path / "lake/calls/date=2026-03-02/part.parquet").num_rows
    )
    assert peak < 1 << 20  # kB


def test_t5_a_call_that_comes_under_a_unit_and_the_one_above_is_kept_once(centre):
    here = centre()
    units = [unit.code for unit in here.world.org_units(here.now)]
    both = centre(data="both", settings={"org_codes": (units[0], units[1], units[0].upper())}, duplicates=0.2)
    both.load("calls", DAY)
    assert_is_the_truth(both, DAY)


def test_t4_calls_at_the_very_edges_of_the_day_are_in_it_once(centre):
    here = centre(calls_per_day=3_000)
    here.sandbox.script("/calls max_window=2h")
    here.load("calls", "2026-11-17", "2026-11-19")
    for day in ("2026-11-17", "2026-11-18", "2026-11-19"):
        assert_is_the_truth(here, day)
    here.load("simple_leads", "2026-11-17", "2026-11-19")
    window = here.window("2026-11-17", "2026-11-19")
    truth = sorted(here.called(lead) for lead in here.world.leads(here.now, window.start, window.end))
    assert sorted(lead_id for (lead_id,) in here.rows("SELECT lead_id FROM simple_leads")) == truth


def test_t15_rights_that_shrink_are_seen(centre):
    full, narrow = centre(data="full"), centre(data="narrow", project_rights=("client C*",), lead_entry_access="None")
    for here in (full, narrow):
        here.load("simple_leads", DAY)
        here.load("projects,account,org_units")
    assert 0 < len(narrow.rows("FROM projects")) < len(full.rows("FROM projects"))
    assert narrow.rows("SELECT project_rights FROM account") == [(["client C*"],)]
    assert 0 < len(narrow.rows("FROM simple_leads")) < len(full.rows("FROM simple_leads"))
    assert full.lake.days(PROJECTS) == full.lake.days(ORG_UNITS) != []
    hidden = centre(data="hidden", hierarchy="none")
    hidden.load("calls", DAY)
    record = hidden.instance.fetch_materializations(dg.AssetKey(CALLS.key), limit=1).records[0]
    assert record.asset_materialization.metadata["hierarchy_field"].value == "(none)"


def test_t30c_nothing_is_left_to_filters_that_a_server_may_ignore(centre):
    here = centre()
    here.load("calls,simple_leads", DAY)
    params = {name.lower() for served in here.sandbox.requests for name in served.params}
    assert params.isdisjoint({"campaigns", "leadclosures", "limit", "pagesize", "skip", "take"})
    assert all(value != [""] for served in here.sandbox.requests for value in served.params.values())


def test_t31_days_with_nothing_in_a_column_read_together_with_others(centre):
    here = centre()
    here.load("calls", "2026-11-15", "2026-11-18")
    sparse = centre(data="data", absent="null", user_ref="string")
    empty = dt.date(2026, 1, 1)
    sparse.load("calls", str(empty))
    assert here.rows(f"SELECT count(*) FROM calls WHERE date = '{empty}'") == [(0,)]
    pattern = f"{here.lake.folder(CALLS)}/*/part.parquet"
    with duckdb.connect() as con:
        together = con.execute(f"SELECT count(*) FROM read_parquet('{pattern}')").fetchall()
    assert together == here.rows("SELECT count(*) FROM calls")
    frame = pyarrow.dataset.dataset(here.lake.folder(CALLS), partitioning="hive").to_table()
    assert frame.num_rows == together[0][0]
    schemas = {
        pyarrow.parquet.read_schema(path).remove_metadata() for path in here.lake.folder(CALLS).glob("*/part.parquet")
    }
    assert len(schemas) == 1
    assert schemas.pop().names == CALLS.names
    assert here.lake.days(CALL_PHONES) == here.lake.days(CALLS)
