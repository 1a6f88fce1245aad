"""What a notebook reads: the rows as they are in the lake, in plain types; and each kind of nothing told apart."""

import contextlib
import dataclasses
import datetime as dt
import os
import shutil
import threading
import time
import warnings
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

import herobase_pipeline as hb
from herobase_pipeline.lake.arrow import schema as arrow_schema
from herobase_pipeline.lake.catalogue import refresh
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import empty, write, write_known
from herobase_pipeline.reading import charts, reader, whole
from herobase_pipeline.reading.rates import LOADED
from herobase_pipeline.settings import SandboxSettings, Settings
from herobase_pipeline.tables import (
    CALLS,
    CAMPAIGNS,
    ERASED,
    LEAD_FIELDS,
    LEADS,
    ORG_HISTORY,
    RESTATEMENTS,
    TABLES,
    VIEWS,
    Table,
    Type,
)
from herobase_pipeline.tables.metrics import METRICS
from herobase_pipeline_tests.conftest import ASSETS, WHOLE

pytestmark = pytest.mark.slow
FIRST, LAST = "2026-03-23", "2026-04-05"  # the clocks change in the middle, and the last day is Easter


def materialize(folder: Path, select: str, first: str | None = None, last: str | None = None) -> None:
    edges = {"start": first, "end": last} if first else {}
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize(
            ASSETS,
            selection=select.split(","),
            resources={
                "settings": Settings(data_dir=folder, sandbox=SandboxSettings(calls_per_day=300, lead_pools=True))
            },
            tags={f"dagster/asset_partition_range_{edge}": str(day) for edge, day in edges.items()},
            instance=instance,
        ).success


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two weeks, with all that is made of them."""
    folder = tmp_path_factory.mktemp("project") / "data"
    materialize(folder, "calls,simple_leads,search_leads,call_outcomes,call_hours", FIRST, LAST)
    materialize(folder, WHOLE)
    return folder


@pytest.fixture(autouse=True)
def _of_the_project(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook stands in a folder of its own below the project."""
    notebooks = lake.parent / "notebooks"
    notebooks.mkdir(exist_ok=True)
    (lake.parent / "workspace.yaml").touch()
    monkeypatch.chdir(notebooks)


def sql(query: str) -> pd.DataFrame:
    with hb.connect() as con:
        return con.execute(query).df()


# -- connect ---------------------------------------------------------------------------------------------------------


def test_a_connection_has_the_views_the_zone_and_the_comments_and_writes_nothing():
    with hb.connect() as con:
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("Europe/Copenhagen",)
        comments = dict(con.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
        assert comments.keys() >= {table.name for table in (*TABLES, *VIEWS) if not table.private}
        assert "Every call counts once at each level" in comments["call_outcomes"]
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            con.execute("CREATE TABLE x AS SELECT 1")


def test_a_notebook_keeps_its_connection_while_days_are_written_anew_and_sees_what_is_new(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    days = [str(dt.date.fromisoformat(FIRST) + dt.timedelta(days=n)) for n in range(10)]
    materialize(folder, "calls", days[0], days[-2])
    monkeypatch.chdir(tmp_path)
    with hb.connect() as con:
        started = con.execute("SELECT call_id FROM calls")
        some = started.fetchmany(5)
        materialize(folder, "calls,call_outcomes", days[0], days[-1])
        assert len(some) == 5
        started.fetchall()  # goes on
        assert con.execute("SELECT count(DISTINCT date) FROM calls").fetchone() == (10,)
    assert hb.read("call_outcomes", days[-1]).shape[0]


def test_a_lake_that_is_not_there_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(hb.NotLoadedError, match=f"no lake in {tmp_path}/data.*HEROBASE_DATA_DIR"):
        hb.connect()


def test_every_column_says_what_it_means_in_the_catalogue_and_in_its_file_as_declared(lake):
    with hb.connect() as con:
        told = con.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    comments = {(table, column): comment for table, column, comment in told}
    for table in (*TABLES, *VIEWS):
        for column in table:
            assert table.private or comments[table.name, column.name] == column.description
        for file in Lake(lake).files(table)[:1]:
            schema = pq.read_schema(file)
            fields = {field.name: field.metadata[b"description"].decode() for field in schema}
            declared = {column.name: column.description for column in table.in_file}
            assert fields == declared or (table is LEAD_FIELDS and fields.items() > declared.items())


def test_a_file_read_by_arrow_pandas_polars_and_duckdb_is_the_same(lake):
    file = Lake(lake).file(CALLS, dt.date.fromisoformat(FIRST))
    arrow, polars = pq.read_table(file, partitioning=None), pl.read_parquet(file, hive_partitioning=False)
    rows = duckdb.sql(f"FROM read_parquet('{file}', hive_partitioning = false)").to_arrow_table().to_pylist()
    assert len(rows) > 100
    assert arrow.schema.types == arrow_schema(CALLS).types
    instants = [column.name for column in CALLS if column.type is Type.INSTANT]
    for found in (arrow.to_pylist(), polars.to_dicts()):
        for row, expected in zip(found, rows, strict=True):
            assert row == {name: v.astimezone(dt.UTC) if name in instants and v else v for name, v in expected.items()}
    frame = pd.read_parquet(file, partitioning=None)
    assert list(frame["call_id"]) == [row["call_id"] for row in rows]
    assert str(frame["started_at"].dtype) == "datetime64[us, UTC]"
    hive = pq.read_table(Lake(lake).folder(CALLS))
    assert set(hive["date"].to_pylist()) >= {FIRST, LAST}


# -- read ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [t.name for t in (*TABLES, *VIEWS) if not t.private and t is not RESTATEMENTS])
def test_every_table_is_read_whole_in_plain_types(table):
    frame = hb.read(table)
    assert len(frame) == sql(f"SELECT count(*) AS n FROM {table}")["n"].iloc[0]
    assert list(frame.columns) == list(sql(f"FROM {table} LIMIT 0").columns)
    kinds = {str(kind).partition("[")[0] for kind in frame.dtypes}
    assert kinds <= {"str", "int64", "float64", "bool", "boolean", "datetime64"}
    for column in frame.select_dtypes("datetimetz"):
        assert str(frame[column].dt.tz) == "Europe/Copenhagen"


def test_days_units_and_columns_are_chosen():
    leaf = sql("SELECT * FROM call_outcomes WHERE org_level = 4 ORDER BY org_key LIMIT 1").iloc[0]
    node = sql(
        f"SELECT * FROM call_outcomes WHERE org_level = 3 AND starts_with('{leaf.org_key}', org_key) LIMIT 1"
    ).iloc[0]
    of_unit = f"date BETWEEN '2026-03-24' AND '2026-03-30' AND org_key = '{node.org_key}'"
    for unit in (node.org_code.upper(), node.org_name.lower(), node.org_key):
        frame = hb.read("call_outcomes", "2026-03-24", dt.date(2026, 3, 30), org=unit, columns=["calls", "org_key"])
        assert list(frame.columns) == ["calls", "org_key"]
        assert set(frame["org_key"]) == {node.org_key}
        assert frame["calls"].sum() == sql(f"SELECT sum(calls) AS n FROM call_outcomes WHERE {of_unit}")["n"].iloc[0]
    below = hb.read("call_outcomes", org=node.org_name, level=4)
    assert set(below["org_key"]) == set(
        sql(f"SELECT org_key FROM call_outcomes WHERE org_level = 4 AND starts_with(org_key, '{node.org_key} › ')")[
            "org_key"
        ]
    )
    assert set(hb.read("lead_conversion", level=2)["org_level"]) == {2}
    for unit in (node.org_code.upper(), node.org_name.lower(), node.org_key):
        assert len(hb.read("calls", org=unit)) == hb.read("call_outcomes", org=node.org_key)["calls"].sum() > 0
    assert len(hb.read("calls", org="(all)")) == hb.read("call_outcomes", level=0)["calls"].sum()
    (known,) = sql(f"SELECT count(*) AS n FROM leads WHERE list_contains(org_path, '{node.org_code}')")["n"]
    assert len(hb.read("leads", org=node.org_key)) == known > 0


TEAMS = """
    SELECT
        i::VARCHAR AS call_id, ['Nord', 'Team ' || i % 20] AS org_path, array_to_string(org_path, ' › ') AS org_key,
        org_path AS org_names, sha256(i::VARCHAR) AS phone_token
    FROM range(100_000) t(i)
"""


def made_day(folder: Path, query: str, table: Table = CALLS) -> Lake:
    """Return a lake with one day of calls, as a query gives some of their columns."""
    lake = Lake(folder)
    with duckdb.connect() as con:
        write(lake, con, table, f"{empty(table)} UNION ALL BY NAME {query}", day=dt.date(2026, 3, 2))
        for other in (table for table in TABLES if not table.daily and table is not ERASED):
            write(lake, con, other, empty(other))
    refresh(lake, ZoneInfo("Europe/Copenhagen"))
    return lake


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux tells how much a process has read")
@pytest.mark.parametrize(
    "instant",
    [
        "2026-03-23T23:30:00Z", "2026-03-24T00:30:00+01:00", pd.Timestamp("2026-03-23 23:30", tz="UTC"),
        dt.datetime(2026, 3, 23, 13, 30, tzinfo=ZoneInfo("Pacific/Honolulu")), pd.Timestamp("2026-03-24 00:30"),
        "2026-03-24", np.datetime64("2026-03-24T00:30"),
    ],
)  # fmt: skip
def test_an_instant_stands_for_the_day_that_it_is_in_the_lakes_own_zone(instant):
    found = hb.read("calls", instant, instant, columns=["date"])["date"]
    assert {day.date() for day in found} == {dt.date(2026, 3, 24)}


def test_of_a_list_the_latest_is_read_and_each_pulls_by_asking(tmp_path):
    lake = Lake(tmp_path)
    listed = {"2026-03-01": "ab", "2026-03-08": "bc", "2026-03-05": "x"}
    with duckdb.connect() as con:
        for day, codes in listed.items():
            rows = " UNION ALL BY NAME ".join(f"SELECT '{code}' AS campaign_code" for code in codes)
            write(
                lake,
                con,
                CAMPAIGNS,
                f"FROM ({empty(CAMPAIGNS)}) UNION ALL BY NAME ({rows})",
                day=dt.date.fromisoformat(day),
            )
    refresh(lake, ZoneInfo("Europe/Copenhagen"))
    with warnings.catch_warnings(action="error"):
        assert sorted(hb.read("campaigns", data_dir=tmp_path)["campaign_code"]) == ["b", "c"]
        assert sorted(hb.read("campaigns", "2026-03-01", data_dir=tmp_path)["campaign_code"]) == [
            "a",
            "b",
            "b",
            "c",
            "x",
        ]
    assert list(hb.read("campaigns", "2026-03-05", "2026-03-05", data_dir=tmp_path)["campaign_code"]) == ["x"]


def test_of_a_day_little_more_than_one_teams_calls_is_read(tmp_path):
    lake = made_day(tmp_path, TEAMS)
    read: dict[str | None, int] = {}
    for org in (None, "Team 7", None):  # the first time a process reads all of the catalogue
        before = bytes_read()
        rows = hb.read("calls", org=org, data_dir=tmp_path, to="arrow").num_rows
        read[org] = bytes_read() - before
        assert rows == (100_000 if org is None else 5_000)
    size = lake.file(CALLS, dt.date(2026, 3, 2)).stat().st_size
    assert read[None] > 0.95 * size
    beside = max(read[None] - size, 0)  # the catalogue, which is read whole whatever is asked for
    assert read["Team 7"] - beside < 0.15 * size  # of the month's 8.5 % of a year


def bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().partition("rchar: ")[2].split()[0])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"start": "2026-04-01", "end": "2026-03-30"}, "start is 2026-04-01 and end 2026-03-30"),
        ({"start": "30-03-2026"}, "30-03-2026 is no day"),
        ({"level": -1}, "level must be a depth"),
        ({"level": "2"}, "level must be a depth"),
        ({"columns": "calls"}, "columns must be a list"),
        ({"to": "spark"}, "There is no frame spark. Perhaps polars"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(asked, sentence):
    with pytest.raises(ValueError, match=sentence):
        hb.read("call_outcomes", **asked)


def test_a_team_is_found_also_in_files_without_a_key_and_under_its_earlier_name(tmp_path):
    earlier = dataclasses.replace(
        CALLS, order="call_id", columns=tuple(column for column in CALLS.columns if column.name != "org_key")
    )
    made_day(tmp_path, f"SELECT * EXCLUDE (org_key) FROM ({TEAMS})", earlier)
    renamed = "SELECT * REPLACE (['Nord', 'Reds'] AS org_names) FROM (FROM ({}) LIMIT 1_000)"
    with duckdb.connect() as con:
        of_day = f"{empty(CALLS)} UNION ALL BY NAME {renamed.format(TEAMS)}"
        write(Lake(tmp_path), con, CALLS, of_day, day=dt.date(2026, 3, 3))
    assert len(hb.read("calls", org="team 7", data_dir=tmp_path)) == 5_050
    assert len(hb.read("calls", org="reds", data_dir=tmp_path)) == 1_000


def test_a_unit_that_only_the_calls_tell_of_is_found(tmp_path):
    made_day(tmp_path, TEAMS)
    with duckdb.connect() as con:
        known = "SELECT 'Nord' AS org_code, 'Nord' AS org_name"
        write(Lake(tmp_path), con, ORG_HISTORY, f"{empty(ORG_HISTORY)} UNION ALL BY NAME {known}")
    assert len(hb.read("calls", org="Team 7", data_dir=tmp_path)) == 5_000
    with pytest.raises(hb.NoSuchNameError, match="No call has an org unit Teem 7"):
        hb.read("calls", org="Teem 7", data_dir=tmp_path)


def test_a_day_that_is_replaced_again_and_again_is_read_whole_each_time(tmp_path):
    lake, day, stop = made_day(tmp_path, TEAMS), dt.date(2026, 3, 2), threading.Event()
    sizes = [40_000, 60_000, 90_000]

    def replace() -> None:
        with duckdb.connect() as con:
            while not stop.is_set():
                for size in sizes:
                    some = f"SELECT * REPLACE (sha256(random()::VARCHAR) AS phone_token) FROM ({TEAMS}) LIMIT {size}"
                    write(lake, con, CALLS, f"{empty(CALLS)} UNION ALL BY NAME {some}", day=day)
                    time.sleep(0.3)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        seen = {hb.read("calls", data_dir=tmp_path, to="arrow").num_rows for _ in range(40)}
    finally:
        stop.set()
        writer.join()
    assert seen <= {100_000, *sizes}
    assert len(seen) > 1


def test_a_read_that_meets_a_file_as_it_is_replaced_asks_again(tmp_path, monkeypatch):
    path = made_day(tmp_path, TEAMS).file(CALLS, dt.date(2026, 3, 2))
    rows, failures = reader._rows, [duckdb.Error("Invalid data")] * 3

    def failing_first(*asked, **more):
        if failures:
            os.utime(path)
            raise failures.pop()
        return rows(*asked, **more)

    monkeypatch.setattr(reader, "_rows", failing_first)
    monkeypatch.setattr(whole, "_PAUSE_S", 0)
    assert hb.read("calls", data_dir=tmp_path, to="arrow").num_rows == 100_000
    failures += [duckdb.Error("Invalid data")] * 40
    with pytest.raises(hb.ReplacedError, match="Ask again"):
        hb.read("calls", data_dir=tmp_path)


def test_a_query_meets_a_file_as_it_was_or_as_it_is_and_never_some_of_either(tmp_path):
    """Several threads of DuckDB 1.5 give some rows of each, where both files are equally long."""
    lake = made_day(tmp_path, TEAMS)
    path = lake.file(CALLS, dt.date(2026, 3, 2))
    states = []
    for n, campaign in enumerate(("C_A", "C_B", "CAMPAIGN")):
        states.append(tmp_path / f"{n}.parquet")
        rows = (
            f"SELECT * REPLACE ('{campaign}' AS campaign_code) FROM read_parquet('{path}', hive_partitioning = false)"
        )
        duckdb.sql(f"COPY ({rows}) TO '{states[-1]}' (FORMAT parquet, ROW_GROUP_SIZE 4096)")
    stop = threading.Event()

    def replace():
        while not stop.wait(0.01):
            states.append(states.pop(0))
            shutil.copy(states[0], tmp_path / "aside")
            (tmp_path / "aside").replace(path)

    query = "SELECT list_sort(list(DISTINCT campaign_code)), count(*) FROM calls"
    found = []
    with hb.connect(tmp_path) as con:
        writer = threading.Thread(target=replace)
        writer.start()
        try:
            while len(found) < 100:
                with contextlib.suppress(duckdb.Error):  # it was replaced between two looks at it
                    found += con.execute(query).fetchall()
        finally:
            stop.set()
            writer.join()
    assert {rows for _, rows in found} == {100_000}
    assert {len(codes) for codes, _ in found} == {1}
    assert len({codes[0] for codes, _ in found}) > 1


def test_leads_that_move_to_another_month_while_they_are_read_are_read_again(tmp_path, monkeypatch):
    lake, rows, left = Lake(tmp_path), reader._rows, [2]
    months = [dt.date(2026, 2, 1), dt.date(2026, 3, 1)]

    def put(number: int, month: dt.date) -> None:
        leads = f"SELECT 'lead ' || range AS lead_id FROM range({number})"
        with duckdb.connect() as con:
            write(lake, con, LEADS, f"{empty(LEADS)} UNION ALL BY NAME {leads}", day=month)
            con.execute("CREATE TEMP TABLE complete_days (day DATE, through DATE)")
            write_known(lake, con, LEADS, [], {})

    def moving_meanwhile(*asked, **more):
        found = rows(*asked, **more)
        if left[0]:
            left[0] -= 1
            put(left[0], months[0])
            put(10 - left[0], months[1])
        return found

    for month in months:
        put(10, month)
    refresh(lake, ZoneInfo("Europe/Copenhagen"))
    monkeypatch.setattr(reader, "_rows", moving_meanwhile)
    monkeypatch.setattr(whole, "_PAUSE_S", 0)
    assert len(hb.read("leads", data_dir=tmp_path)) == 10
    assert left == [0]


def test_a_gap_is_told_also_where_all_days_are_asked_for(tmp_path):
    lake = made_day(tmp_path, TEAMS)
    with duckdb.connect() as con:
        write(lake, con, CALLS, empty(CALLS), day=dt.date(2026, 3, 4))
    with pytest.warns(hb.NotLoadedWarning, match="for 2026-03-03: sums are too low"):
        hb.read("calls", data_dir=tmp_path)


@pytest.mark.parametrize("level", [None, 4])
def test_everything_is_a_unit_too(level):
    with warnings.catch_warnings(action="ignore", category=hb.NotAllUnitsWarning):
        frame = hb.read("call_outcomes", org="(all)", level=level)
        assert set(frame["org_level"]) == {level or 0}
        assert frame["calls"].sum() == hb.read("call_outcomes", level=level or 0)["calls"].sum()


def test_polars_and_arrow_have_the_same_rows_and_lists():
    plain, arrow = hb.read("call_outcomes", LAST), hb.read("call_outcomes", LAST, to="arrow")
    polars = hb.read("call_outcomes", LAST, to="polars")
    assert arrow.num_rows == polars.height == len(plain)
    assert polars["org_path"].dtype == pl.List(pl.String)
    assert polars["calls"].to_list() == arrow["calls"].to_pylist() == list(plain["calls"])
    assert [" › ".join(path) for path in polars["org_path"].to_list()] == list(plain["org_path"])


def test_each_kind_of_nothing_is_told_apart(lake):
    with pytest.raises(hb.NoSuchNameError, match=r"no table call_outcome. Perhaps call_outcomes"):
        hb.read("call_outcome")
    with pytest.raises(hb.NoSuchNameError, match=r"no column callz. Perhaps calls"):
        hb.read("call_outcomes", columns=["callz"])
    with pytest.raises(hb.NoSuchNameError, match=r"an org unit Nordlyss. Perhaps Nordlys"):
        hb.read("call_outcomes", org="Nordlyss")
    with pytest.raises(hb.NoSuchNameError, match="identifies customers"):
        hb.read("lead_data")
    with pytest.raises(
        hb.NotLoadedError, match=f"not loaded for 2026-05-01 to 2026-05-31. Loaded are {FIRST} to {LAST}"
    ):
        hb.read("calls", "2026-05-01", "2026-05-31")
    with pytest.warns(hb.NotLoadedWarning, match="2026-03-21 to 2026-03-22.*sums are too low"):
        assert len(hb.read("calls", "2026-03-21", FIRST)) == len(hb.read("calls", FIRST, FIRST))
    with pytest.warns(hb.NotLoadedWarning, match="for 2026-04-06: sums"):
        hb.read("lead_conversion", LAST, "2026-04-06")
    at_rest = sql(f"SELECT org_key FROM call_outcomes EXCEPT SELECT org_key FROM call_outcomes WHERE date = '{LAST}'")
    with pytest.warns(hb.NoRowsWarning, match="is loaded, and has no rows"):
        assert hb.read("call_outcomes", LAST, org=at_rest["org_key"][0]).empty
    with pytest.raises(hb.NotLoadedError, match="restatements has not been made yet"):
        hb.read("restatements")
    with pytest.raises(ValueError, match=r"leads is not kept by day.*closed_date"):
        hb.read("leads", FIRST)
    with pytest.raises(ValueError, match="calls is not kept by org node"):
        hb.read("calls", level=2)
    assert Lake(lake).files(CALLS)


# -- metrics ---------------------------------------------------------------------------------------------------------

VIEW_OF = {metric.name: metric.basis.found_in for metric in METRICS if metric.basis.found_in != "drop_rates"}


@pytest.mark.parametrize("metric", VIEW_OF)
def test_a_metric_of_any_frame_is_its_counts_added_up_and_then_divided(metric):
    view, basis = VIEW_OF[metric], next(m.basis for m in METRICS if m.name == metric)
    ages = {"cohort_rates": "AND age_days = 3"}.get(view, "")
    level = "" if view == "pool_rates" else "AND org_level = 2"
    keys = ["campaign_id"] if view == "pool_rates" else ["org_name", "campaign_id"]
    expected = sql(f"""
        SELECT {", ".join(keys)}, category, sum(numerator) AS numerator, sum(denominator) AS denominator
        FROM {view} WHERE metric = '{metric}' {level} {ages} GROUP BY ALL ORDER BY ALL
    """)
    frames = [sql(f"FROM {view} WHERE true {level} {ages}")]
    if basis.source.isidentifier():
        frames.append(sql(f"FROM {basis.source} WHERE true {level} {ages}"))
    for frame in frames:
        found = hb.metrics(frame, metric, by=keys)
        pd.testing.assert_frame_equal(
            found[list(expected.columns)], expected, check_dtype=False, rtol=1e-12, check_index_type=False
        )
        with_some = found[found["rate"].notna()]
        assert (with_some["rate"] == with_some["numerator"] / with_some["denominator"]).all()
        assert with_some["ci_low"].isna().all() or (with_some["ci_low"] <= with_some["rate"]).all()


def test_t30_counts_are_divided_last():
    frame = pd.DataFrame({
        "end_cause": ["NormalDisconnect", "Busy"] * 2, "settled_dials": [1, 1, 10, 90], "team": ["a", "a", "b", "b"],
        "is_mature": True, "org_level": 4,
    })  # fmt: skip
    assert hb.metrics(frame, "contact_rate_per_dial")["rate"].tolist() == [11 / 102]
    assert hb.metrics(pl.DataFrame(frame), "contact_rate_per_dial", by="team")["rate"].tolist() == [0.5, 0.1]


def test_days_are_put_together_into_weeks_and_months():
    frame = hb.read("lead_conversion", FIRST, LAST, level=0)
    weeks = hb.metrics(frame, "conversion_net", by="week")
    assert set(weeks["week"].dt.day_of_week) == {0}
    months = hb.metrics(frame, "conversion_net", by=["month"])
    assert weeks["numerator"].sum() == months["numerator"].sum()
    assert set(months["month"].dt.day) == {1}


def test_what_cannot_be_added_up_is_refused_with_the_reason():
    outcomes, cohorts = hb.read("call_outcomes"), hb.read("lead_cohorts", level=0)
    with pytest.raises(hb.NotAddableError, match="several org_level: every call and lead counts once at each level"):
        hb.metrics(outcomes, "contact_rate_per_dial", by="campaign_id")
    with pytest.raises(hb.NotAddableError, match="several org_level"):
        hb.metrics(outcomes.drop(columns="org_level"), "contact_rate_per_dial", by="date")
    for frame, name, metric in (
        (outcomes.drop(columns=["org_level", "org_key"]), "org_level", "contact_rate_per_dial"),
        (cohorts.drop(columns="age_days"), "age_days", "conversion_per_lead_worked"),
        (hb.read("cohort_rates", level=0).drop(columns="age_days"), "age_days", "conversion_per_lead_worked"),
        (hb.read("drop_rates").drop(columns="regime"), "regime", "drop_rate_live_conservative"),
    ):
        with pytest.raises(KeyError, match=f"lacks {name}, without which nobody can tell whether rows count twice"):
            hb.metrics(frame, metric)
    with pytest.raises(KeyError, match="no row of conversion_net, which is in conversion_rates"):
        hb.metrics(hb.read("outcome_rates", level=0), "conversion_net")
    hb.metrics(outcomes, "contact_rate_per_dial", by=["org_level", "org_name"])
    hb.metrics(outcomes.drop(columns="org_level"), "contact_rate_per_dial", by="org_key")
    with pytest.raises(TypeError, match="this is a list"):
        hb.metrics([1], "contact_rate_per_dial")
    with pytest.raises(
        hb.NotAddableError, match="several age_days: each age of a cohort holds the counts of the younger"
    ):
        hb.metrics(cohorts, "conversion_per_lead_worked", by="week")
    with pytest.raises(hb.NotAddableError, match=r"rates cannot be averaged. Keep numerator, denominator and metric"):
        hb.metrics(hb.read("outcome_rates", level=0, columns=["date", "rate"]), "contact_rate_per_dial")
    with pytest.raises(hb.NotAddableError, match="several regime"):
        hb.metrics(hb.read("drop_rates"), "drop_rate_live_conservative")
    with pytest.raises(hb.NotAMetricError, match=r"no metric contact_rate. Perhaps contact_rate_per"):
        hb.metrics(outcomes, "contact_rate")
    with pytest.raises(KeyError, match="made from call_outcomes: the frame lacks its settled_dials"):
        hb.metrics(hb.read("lead_conversion", level=0), "contact_rate_per_dial")
    with pytest.raises(KeyError, match="made from several tables: read conversion_rates"):
        hb.metrics(hb.read("call_outcomes", level=0), "conversion_per_contact")
    with pytest.raises(KeyError, match="no column team"):
        hb.metrics(hb.read("call_outcomes", level=0), "contact_rate_per_dial", by="team")


# -- charts ----------------------------------------------------------------------------------------------------------


def test_rates_are_drawn_a_panel_a_team_or_a_row_a_team():
    closings = hb.read("lead_conversion", level=3)
    through_time = charts.rates(hb.metrics(closings, "conversion_net", by=["week", "org_name"]))
    teams = sorted(hb.metrics(closings, "conversion_net", by="org_name").dropna(subset="rate")["org_name"])
    assert [axes.get_title(loc="left") for axes in through_time.axes[: len(teams)]] == teams
    rows = charts.rates(hb.metrics(closings, "conversion_net", by="org_name"), title="Net conversion")
    (axes,) = rows.axes
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == teams
    by_age = hb.metrics(hb.read("lead_cohorts", level=0), "conversion_per_lead_worked", by="age_days")
    assert charts.rates(by_age).axes[0].get_xlabel() == "days since the first dial"
    for chart in (through_time, rows):
        assert chart._repr_png_().startswith(b"\x89PNG")


def test_nothing_and_too_much_to_draw_are_told():
    days = hb.metrics(hb.read("call_outcomes", level=0), "contact_rate_per_dial", by=["end_cause", "date"])
    with pytest.raises(ValueError, match="nothing to draw"):
        charts.rates(days.assign(rate=None).astype({"rate": float}))
    with pytest.raises(ValueError, match="70 groups to draw, and 60 groups fit"):
        charts.rates(pd.concat([days.head(1).drop(columns="date").assign(end_cause=str(n)) for n in range(70)]))


def test_rows_that_are_no_rates_are_told_which_metric_is_made_of_them():
    calls = hb.read("calls", FIRST, FIRST, columns=["call_id"])
    with pytest.raises(ValueError, match=r"this is rows of calls. Read call_outcomes, and give charts.rates"):
        charts.rates(calls)
    with pytest.raises(ValueError, match=r"rows of lead_conversion. Give .*conversion_per_lead_closed"):
        charts.rates(hb.read("lead_conversion", level=0))


def test_rates_remember_how_many_days_of_each_week_and_which_days_are_loaded():
    with pytest.warns(hb.NotLoadedWarning):
        outcomes = hb.read("call_outcomes", "2026-03-18", "2026-04-01", level=0)
    by_week = hb.metrics(outcomes, "contact_rate_per_dial", by="week")
    loaded = {"": {"2026-03-16": [0, 7], "2026-03-23": [7, 7], "2026-03-30": [3, 7]}}
    assert by_week.attrs[LOADED] == loaded
    by_day = hb.metrics(outcomes, "contact_rate_per_dial", by="date")
    days = pd.date_range("2026-03-18", "2026-04-01")
    assert by_day.attrs[LOADED] == {"": {str(day.date()): [int(str(day.date()) >= FIRST), 1] for day in days}}
    gaps = [patch for patch in charts.rates(by_day).axes[0].patches if patch.get_hatch()]
    assert len(gaps) == 5


# -- weeks -----------------------------------------------------------------------------------------------------------


def test_the_last_weeks_are_those_that_are_over_and_say_which_days_are_not_whole():
    span = hb.last_weeks(3)
    assert (span.first, span.last) == (dt.date(2026, 3, 16), dt.date(2026, 4, 5))
    assert str(span) == (
        "wk 12, 16 Mar to wk 14, 30 Mar: 2026-03-16 to 2026-04-05. Not loaded in full: 7 of these 21 days, 2026-03-16 to "
        "2026-03-22."
    )
    assert str(hb.last_weeks(1)) == "wk 14, 30 Mar: 2026-03-30 to 2026-04-05. All 7 days are loaded in full."
    every = hb.last_weeks(None)
    assert (str(every.first), str(every.last), every.not_whole, every.are_over) == (FIRST, LAST, (), False)
    with pytest.raises(ValueError, match="1 or more"):
        hb.last_weeks(0)


def test_the_package_gives_all_that_it_names():
    assert set(dir(hb)) == set(hb.__all__)
    assert all(getattr(hb, name) is not None for name in hb.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'reed'"):
        _ = hb.reed
