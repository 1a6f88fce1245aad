"""Days that add up are looked at again once one of their files is another."""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from herobase_pipeline.deriving.tables import derive_days
from herobase_pipeline.lake import gone
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.operations import by_file, sums
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, Table
from herobase_pipeline_tests.tables.making import ZONE, at, call, day, fill, temporary_lake

QUERY = """
    SELECT date, 'not as many' FROM (
        SELECT date, count(*) AS calls, 0 AS told FROM calls GROUP BY date
        UNION ALL
        SELECT date, 0, sum(calls) FROM call_outcomes WHERE org_level = 0 GROUP BY date
    ) GROUP BY date HAVING sum(calls) <> sum(told) ORDER BY date
"""
NOTE = "agreed_of_a_test.json"


@pytest.fixture
def lake() -> Iterator[Lake]:
    """A lake with two days that add up."""
    with temporary_lake() as lake:
        for on in (-1, 0):
            fill(lake, CALLS, [call(at("09:00", on), call_id=f"{on}")], day(on), {day(on)})
        derive_days(lake, ZONE, CALL_OUTCOMES, [CALLS], [day(-1), day(0)])
        assert wrong(lake) == []
        yield lake


def wrong(lake: Lake, query: str = QUERY) -> list[dt.date]:
    return [on for on, _ in sums.unlike_by_day(lake, ZONE, day(0), "of_a_test", [CALL_OUTCOMES, CALLS], query)]


def more_calls(lake: Lake, on: int) -> None:
    fill(lake, CALLS, [call(at("09:00", on), call_id=f"{n}") for n in range(2)], day(on), {day(on)})


def test_days_that_agreed_are_not_read_again_and_one_that_differs_is_told_until_it_agrees(lake, monkeypatch):
    looked: list[list[dt.date]] = []
    view = sums.view
    monkeypatch.setattr(sums, "view", lambda *args: looked.append(list(args[2])) or view(*args))
    assert (wrong(lake), looked) == ([], [])
    more_calls(lake, -1)
    assert (wrong(lake), wrong(lake)) == ([day(-1)], [day(-1)])
    assert looked == [[day(-1)]] * 4
    derive_days(lake, ZONE, CALL_OUTCOMES, [CALLS], [day(-1)])
    assert wrong(lake) == []
    lake.remove(CALL_OUTCOMES, day(0))
    assert wrong(lake) == [day(0)]
    lake.remove(CALL_OUTCOMES, day(-1))  # as in a lake where outcomes were never counted
    assert wrong(lake) == []


def test_a_damaged_file_that_is_accepted_later_is_looked_at_then(lake):
    fill(lake, CALLS, [call(at("09:00", -2), call_id="-2")], day(-2), {day(-2)})  # of which no outcomes are counted
    assert wrong(replace(lake, hidden={lake.file(CALLS, day(-2))})) == []
    assert wrong(lake) == [day(-2)]


@pytest.mark.parametrize("broken", ["", "[]", '{"2026-03-10": 1}', "\x00", None])
def test_a_note_that_is_lost_broken_or_of_before_hides_nothing(lake, broken):
    note = lake.root / "lake" / ".notes" / NOTE
    before = note.read_text("utf-8")
    more_calls(lake, 0)
    assert wrong(lake) == [day(0)]
    note.write_text(before if broken is None else broken, "utf-8")
    assert wrong(lake) == [day(0)]


def test_a_rule_that_is_another_looks_at_every_day_again(lake):
    assert wrong(lake, "SELECT DISTINCT date, 'each' FROM calls ORDER BY date") == [day(-1), day(0)]


def test_nothing_is_said_of_days_to_come_and_of_those_whose_calls_are_gone(lake):
    more_calls(lake, -1)
    fill(lake, CALLS, [call(at("09:00", 1), call_id="due tomorrow")], day(1))
    gone.remember(lake, CALLS, {day(-1): True})
    assert wrong(lake) == []


def repeated(lake: Lake) -> list[dt.date]:
    return sorted(on for on, _ in sums.twice(lake, ZONE, day(-1), "of_a_test_twice"))


def test_a_call_that_is_there_twice_is_told_until_it_is_mended_whichever_of_its_days_was_pulled_again(lake):
    assert repeated(lake) == []
    fill(lake, CALLS, [call(at("09:00", 0), call_id="-1")], day(0), {day(0)})  # which is the call of the day before
    assert repeated(lake) == repeated(lake) == [day(-1), day(0)]
    fill(lake, CALLS, [call(at("09:00", -1), call_id="another")], day(-1), {day(-1)})
    assert repeated(lake) == []
    fill(lake, CALLS, [call(at("09:00", 0), call_id="0")] * 2, day(0), {day(0)})
    assert repeated(lake) == [day(0)]
    fill(
        lake, CALLS, [call(at("09:00", -2), call_id="another")], day(-2), {day(-2)}
    )  # before the days that are looked at
    assert repeated(lake) == [day(0)]


def test_of_days_without_a_call_twice_only_those_that_are_others_are_compared_with_the_rest(lake, monkeypatch):
    looked: list[list[dt.date]] = []
    view = sums.view
    assert repeated(lake) == []
    monkeypatch.setattr(sums, "view", lambda *args: looked.append(sorted(args[2])) or view(*args))
    assert (repeated(lake), looked) == ([], [])
    more_calls(lake, 0)
    assert (repeated(lake), looked) == ([], [[day(-1), day(0)], [day(0)]])


COUNTED = ("counted_of_a_test_calls", "counted_of_a_test_call_outcomes")


def differing(lake: Lake, rule: str = "SELECT date, 'calls', 1 FROM calls") -> list[tuple[dt.date, str]]:
    told = {CALL_OUTCOMES: "SELECT date, 'calls', calls FROM call_outcomes WHERE org_level = 0"}
    return sums.unlike(lake, ZONE, day(0), "of_a_test", told, {CALLS: rule})


def seem_made_since(lake: Lake, on: int) -> None:
    """Let a day's outcomes be younger than its calls, as if they had been made of them."""
    later = lake.file(CALLS, day(on)).stat().st_mtime + 1
    os.utime(lake.file(CALL_OUTCOMES, day(on)), (later, later))


def read_anew(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Return a list that from now on is told of what table files are read, and in which folders they lie."""
    looked: list[tuple[str, list[str]]] = []
    view = by_file.view

    def looking(lake: Lake, table: Table, *, files: list[Path], with_month: bool) -> str:
        if files:
            looked.append((table.name, [path.parent.name for path in files]))
        return view(lake, table, files=files, with_month=with_month)

    monkeypatch.setattr(by_file, "view", looking)
    return looked


def test_what_was_counted_is_not_read_again_and_what_differs_is_told_until_it_agrees(lake, monkeypatch):
    assert differing(lake) == []
    looked = read_anew(monkeypatch)
    assert (differing(lake), looked) == ([], [])
    more_calls(lake, -1)
    assert differing(lake) == []  # of calls that are counted soon nothing is said
    seem_made_since(lake, -1)
    told = [(day(-1), "1 calls in call_outcomes, 2 in calls")]
    assert (differing(lake), differing(lake)) == (told, told)
    assert looked == [("call_outcomes", [f"date={day(-1)}"]), ("calls", [f"date={day(-1)}"])]
    derive_days(lake, ZONE, CALL_OUTCOMES, [CALLS], [day(-1)])
    assert differing(lake) == []


@pytest.mark.parametrize("broken", ["", "[]", '{"2026-03-10": 1}', '{"x": {"of": "", "rows": []}}', "\x00", None])
@pytest.mark.parametrize("name", COUNTED)
def test_counts_that_are_lost_broken_or_of_before_hide_nothing(lake, name, broken):
    assert differing(lake) == []
    note = lake.root / "lake" / ".notes" / f"{name}.json"
    before = note.read_text("utf-8")
    more_calls(lake, 0)
    seem_made_since(lake, 0)
    for _ in range(2):
        note.write_text(before if broken is None else broken, "utf-8")
        assert differing(lake) == [(day(0), "1 calls in call_outcomes, 2 in calls")]


def test_a_count_by_another_rule_is_made_anew(lake):
    assert differing(lake) == []
    other = sorted(differing(lake, "SELECT date, 'calls', 3 FROM calls"))
    assert other == [(on, "1 calls in call_outcomes, 3 in calls") for on in (day(-1), day(0))]
    gone.remember(lake, CALLS, {day(-1): True})
    assert differing(lake, "SELECT date, 'calls', 3 FROM calls") == other[1:]


def test_outcomes_that_were_damaged_when_they_were_counted_are_counted_once_they_are_accepted(lake):
    hidden = replace(lake, hidden={lake.file(CALL_OUTCOMES, day(-1))})
    assert differing(hidden) == [(day(-1), "0 calls in call_outcomes, 1 in calls")]
    assert differing(lake) == []
