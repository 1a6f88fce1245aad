"""What checks count of each file is noted, and holds nothing that it should not and nothing that somebody wrote there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from herobase_pipeline.deriving.leads import derive_leads
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.operations import by_file
from herobase_pipeline.operations.rules import RULES, Counted
from herobase_pipeline.tables import CALLS, SIMPLE_LEADS
from herobase_pipeline_tests.tables.making import ZONE, at, call, closing, day, fill, temporary_lake, version

COUNT = Counted(
    "of_a_test", CALLS, "SELECT date, max(agent) AS agent, count(*) AS calls, max(date) AS day FROM calls GROUP BY date"
)


@pytest.fixture
def lake() -> Iterator[Lake]:
    """A lake with two days of calls."""
    with temporary_lake() as lake:
        for on in (-1, 0):
            fill(lake, CALLS, [call(at("09:00", on), call_id=f"{on}.{n}") for n in range(3)], day(on), {day(on)})
        yield lake


def found(lake: Lake, counted: Counted = COUNT) -> list[tuple[Any, ...]]:
    with spool(lake) as folder, connect(ZONE, folder) as con:
        by_file.define(con, lake, ZONE, *counted)
        return con.execute(f"FROM {counted.name} ORDER BY ALL").fetchall()


def test_what_was_noted_is_what_was_found(lake):
    assert found(lake) == found(lake) == [(day(on), "anna", 3, day(on)) for on in (-1, 0)]
    with (lake.root / "lake" / ".notes" / "counted_of_a_test.json").open("rb") as noted:
        assert json.load(noted).keys() == {f"date={day(on)}" for on in (-1, 0)}


@pytest.mark.parametrize(
    "rows", [[], [{}], [{"date": "2026-03-01"}], [{"date": "x", "agent": None, "calls": "many", "day": None}], 7]
)
def test_rows_that_somebody_wrote_into_the_note_are_not_believed(lake, rows):
    before = found(lake)
    note = lake.root / "lake" / ".notes" / "counted_of_a_test.json"
    noted = json.loads(note.read_text("utf-8"))
    noted[f"date={day(0)}"]["rows"] = rows
    note.write_text(json.dumps(noted), "utf-8")
    assert found(lake) == before


def test_a_file_that_goes_after_it_was_listed_is_left_out(lake):
    listed = lake.at_one_moment()
    assert listed.days(CALLS) == [day(-1), day(0)]
    lake.remove(CALLS, day(-1))
    assert [on for on, *_ in found(listed)] == [day(0)]


def test_what_does_not_look_like_a_closure_is_not_noted():
    with temporary_lake() as lake:
        fill(lake, CALLS, [closing(at("09:00"), "one")], day(0), {day(0)})
        strange = version(at("09:05"), "one", status="UserProcessed", closure="Peter Hansen +4512345678")
        fill(lake, SIMPLE_LEADS, [strange], day(0), {day(0)})
        derive_leads(lake, ZONE)
        counts = {each for rule in RULES for each in rule.counted}
        assert "closed_leads" in {each.name for each in counts}
        told = {each.name: found(lake, each) for each in counts}
        assert [row[3] for row in told["closed_leads"]] == ["(withheld)"]
        assert "Hansen" not in "".join(note.read_text("utf-8") for note in (lake.root / "lake" / ".notes").glob("*"))
