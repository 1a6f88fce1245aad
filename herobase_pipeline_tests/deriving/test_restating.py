"""Restatements: what a run changes in published numbers, noted once, whatever happens in between."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from herobase_pipeline.deriving.restating import restate
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.tables import CALL_OUTCOMES, RESTATEMENTS

ZONE = ZoneInfo("Europe/Copenhagen")
DAY = dt.date(2026, 3, 2)
SHOWN = "table_name, day::VARCHAR, org_key, org_name, campaign_id, category, measure, old_value, new_value"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data")


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(ZONE, tmp_path) as con:
        yield con


def outcomes(calls: int, *, mature: bool = True, campaign: str = "'C1'", cause: str = "Busy", team: str = "Syd") -> str:
    """One row of call_outcomes."""
    given = {
        "org_level": "1",
        "org_path": f"['{team}']",
        "org_key": f"'{team}'",
        "org_code": f"'{team}'",
        "org_name": "'Team Syd'",
        "campaign_id": campaign,
        "end_cause": f"'{cause}'",
        "calls": str(calls),
        "dials": str(calls),
        "is_mature": str(mature),
    }
    columns = ", ".join(f"{given.get(c.name, 'NULL')}::{c.type} AS {c.name}" for c in CALL_OUTCOMES)
    return f"SELECT {columns}, DATE '{DAY}' AS date"


def publish(lake: Lake, con: duckdb.DuckDBPyConnection, *rows: str, over: bool = True) -> int:
    """Write a day as a run does; returns how many numbers it restated."""
    new = " UNION ALL ".join(rows) or outcomes(0) + " WHERE false"
    restated = restate(lake, con, CALL_OUTCOMES, new, [DAY]).get(DAY, 0)
    write(lake, con, CALL_OUTCOMES, new, day=DAY, complete=[DAY] if over else [])
    return restated


def noted(lake: Lake, con: duckdb.DuckDBPyConnection) -> list[tuple]:
    query = f"SELECT {SHOWN} FROM ({stored(lake, RESTATEMENTS)}) ORDER BY restated_at, ALL"
    return con.execute(query.replace(", ALL", ", category, measure")).fetchall()


def change(measure: str, old: float, new: float, cause: str = "Busy", campaign: str | None = "C1") -> tuple:
    return ("call_outcomes", str(DAY), "Syd", "Team Syd", campaign, cause, measure, old, new)


def test_a_call_that_came_late_is_noted_with_its_old_and_new_numbers(lake, con):
    assert publish(lake, con, outcomes(5)) == 0
    assert publish(lake, con, outcomes(6), outcomes(1, cause="VoiceMail")) == 4
    assert noted(lake, con) == [
        change("calls", 5, 6),
        change("dials", 5, 6),
        change("calls", 0, 1, "VoiceMail"),
        change("dials", 0, 1, "VoiceMail"),
    ]
    assert publish(lake, con, outcomes(6)) == 2
    assert noted(lake, con)[4:] == [change("calls", 1, 0, "VoiceMail"), change("dials", 1, 0, "VoiceMail")]


def test_a_day_without_a_row_was_published_as_quiet(lake, con):
    publish(lake, con)
    assert publish(lake, con, outcomes(2, campaign="NULL")) == 2
    assert noted(lake, con) == [change("calls", 0, 2, campaign=None), change("dials", 0, 2, campaign=None)]


def test_a_day_that_was_not_over_or_not_settled_was_meant_to_change(lake, con):
    publish(lake, con, outcomes(5), over=False)
    assert publish(lake, con, outcomes(6)) == 0
    publish(lake, con, outcomes(6), outcomes(1, cause="NotApplicable", mature=False))
    assert publish(lake, con, outcomes(7)) == 0
    assert publish(lake, con, outcomes(8)) == 2


def test_the_same_node_in_other_letters_is_no_change(lake, con):
    publish(lake, con, outcomes(5))
    assert publish(lake, con, outcomes(5, team="SYD")) == 0


def test_a_run_that_died_before_it_wrote_its_file_is_not_noted_twice(lake, con):
    publish(lake, con, outcomes(5))
    assert restate(lake, con, CALL_OUTCOMES, outcomes(6), [DAY]) == {DAY: 2}  # and the run dies
    assert publish(lake, con, outcomes(6)) == 2
    assert noted(lake, con) == [change("calls", 5, 6), change("dials", 5, 6)]
    assert publish(lake, con, outcomes(5)) == 2
    assert publish(lake, con, outcomes(6)) == 2
    assert len(noted(lake, con)) == 6


def test_runs_of_several_days_at_once_lose_none(lake, con, tmp_path):
    days = [DAY + dt.timedelta(days=n) for n in range(8)]

    def run(day: dt.date) -> None:
        with connect(ZONE, tmp_path) as own:
            for calls in (1, 2, 3):
                new = outcomes(calls).replace(str(DAY), str(day))
                restate(lake, own, CALL_OUTCOMES, new, [day])
                write(lake, own, CALL_OUTCOMES, new, day=day, complete=[day])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, days))
    assert len(noted(lake, con)) == 8 * 2 * 2
