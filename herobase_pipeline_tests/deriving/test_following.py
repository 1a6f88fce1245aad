"""A table of which nothing has changed stays as it is; whatever has, is seen."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from herobase_pipeline.deriving import session
from herobase_pipeline.deriving.by_day import derive_by_day
from herobase_pipeline.deriving.history import derive_history
from herobase_pipeline.deriving.leads import derive_leads
from herobase_pipeline.deriving.session import Derived
from herobase_pipeline.deriving.tables import derive
from herobase_pipeline.lake import gone
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.layout import Forgetting, Lake
from herobase_pipeline.tables import (
    AGENT_DAYS,
    CALLS,
    CUMULATIVE_INCIDENCE,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEADS,
    METRIC_REGISTRY,
    ORG_HISTORY,
    SIMPLE_LEADS,
    Table,
)
from herobase_pipeline.tables.rates import registry
from herobase_pipeline_tests.tables.making import (
    ZONE,
    at,
    call,
    closing,
    day,
    fill,
    opened,
    read,
    temporary_lake,
    version,
)

MAKERS: dict[Table, Callable[[Lake], Derived]] = {
    LEADS: lambda lake: derive_leads(lake, ZONE),
    LEAD_CONVERSION: lambda lake: derive_by_day(lake, ZONE, LEAD_CONVERSION),
    LEAD_COHORTS: lambda lake: derive_by_day(lake, ZONE, LEAD_COHORTS),
    AGENT_DAYS: lambda lake: derive_by_day(lake, ZONE, AGENT_DAYS, day_of_leads="closed_date", with_calls=True),
    CUMULATIVE_INCIDENCE: lambda lake: derive(lake, ZONE, CUMULATIVE_INCIDENCE, [LEADS]),
    ORG_HISTORY: lambda lake: derive_history(lake, ZONE),
}


def make(lake: Lake) -> dict[str, Derived]:
    return {table.name: makes(lake) for table, makes in MAKERS.items()}


def rows(lake: Lake) -> dict[str, list[str]]:
    return {table.name: sorted(map(str, read(lake, table))) for table in MAKERS}


def followed(lake: Lake, table: Table) -> Path:
    return lake.root / "lake" / ".notes" / f"followed_{table.name}.json"


@pytest.fixture
def lake() -> Iterator[Lake]:
    """A lake with two days, of which all is made."""
    with temporary_lake() as bare:
        lake = replace(bare, root=bare.root / "data", forgetting=Forgetting(b"key"))
        fill(lake, SIMPLE_LEADS, [opened(at("09:30", -1), "one")], day(-1), {day(-1)})
        fill(lake, CALLS, [call(at("09:00", -1), "one", call_id="a")], day(-1), {day(-1)})
        fill(lake, SIMPLE_LEADS, [version(at("09:05"), "one")], day(0))
        fill(lake, CALLS, [closing(at("09:00"), "one", call_id="b")], day(0))
        make(lake)
        yield lake


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[duckdb.DuckDBPyConnection]:
    """The connections that were opened to derive something."""
    opened_, connect = [], session.connect

    @contextmanager
    def connecting(*args):
        with connect(*args) as con:
            opened_.append(con)
            yield con

    monkeypatch.setattr(session, "connect", connecting)
    return opened_


def test_what_has_not_changed_stays_and_what_came_of_it_is_told_again(lake, connections):
    before = make(lake)
    assert before["leads"] == Derived(1, 0, is_whole=True, versions={"simple_leads": 2})
    assert (before["lead_conversion"].rows, before["lead_conversion"].whole_days) == (
        len(read(lake, LEAD_CONVERSION)),
        1,
    )
    connections.clear()
    there = {path: path.stat() for path in lake.root.rglob("*.parquet")}
    assert make(lake) == before
    assert ({path: path.stat() for path in lake.root.rglob("*.parquet")}, connections) == (there, [])


def test_a_day_that_is_over_is_known_although_no_row_has_changed(lake):
    for table in (CALLS, SIMPLE_LEADS):
        kept = read(lake, table)
        fill(lake, table, [row for row in kept if row["date"] == day(0)], day(0), {day(0)})
    made = make(lake)
    assert made["lead_conversion"].whole_days == 2
    with duckdb.connect() as con:
        for table in (LEADS, LEAD_CONVERSION, LEAD_COHORTS, AGENT_DAYS, CUMULATIVE_INCIDENCE, ORG_HISTORY):
            assert known_in_full(con, lake.footers(table)) == {day(-1), day(0)}, table.name


def test_the_same_call_a_second_later_is_seen_everywhere(lake):
    fill(lake, CALLS, [closing(at("09:01"), "two", call_id="b")], day(0))
    make(lake)
    assert {row["lead_id"] for row in read(lake, LEADS)} == {"one", "two"}
    assert_as_if_anew(lake)


def assert_as_if_anew(lake: Lake) -> None:
    found = rows(lake)
    for table in MAKERS:
        shutil.rmtree(lake.folder(table))
    make(lake)
    assert rows(lake) == found


@pytest.mark.parametrize("table", MAKERS, ids=lambda table: table.name)
def test_a_file_that_somebody_replaced_is_made_anew(lake, table):
    before = rows(lake)
    for path in lake.files(table):
        with duckdb.connect() as con:  # of another length, so that it counts as put there
            con.execute(f"COPY (FROM read_parquet('{path}') WHERE false) TO '{path}.cut' (FORMAT parquet)")
        Path(f"{path}.cut").replace(path)
    MAKERS[table](lake)
    assert sorted(map(str, read(lake, table))) == before[table.name]


@pytest.mark.parametrize("broken", ["", "[]", "{}", '{"of": 1}', "\x00", None])
def test_a_note_that_is_lost_broken_or_of_before_costs_time_and_nothing_else(lake, broken):
    stale = {table: followed(lake, table).read_text("utf-8") for table in MAKERS}
    fill(lake, CALLS, [closing(at("09:01"), "two", call_id="b")], day(0))
    make(lake)
    for table, text in stale.items():
        followed(lake, table).write_text(text if broken is None else broken, "utf-8")
    fill(lake, CALLS, [closing(at("09:01"), "three", call_id="b")], day(0))
    make(lake)
    assert {row["lead_id"] for row in read(lake, LEADS)} == {"one", "three"}
    assert_as_if_anew(lake)


def test_a_day_whose_calls_are_gone_is_seen(lake, connections):
    gone.remember(lake, CALLS, {day(-1): True})
    make(lake)
    assert len(connections) == len(MAKERS)


def test_other_parameters_make_another_table(lake):
    metrics = registry()
    for some in (metrics[:1], metrics, metrics[:1]):
        assert derive(lake, ZONE, METRIC_REGISTRY, [], {"metrics": some}).rows == len(some)
        assert len(read(lake, METRIC_REGISTRY)) == len(some)
