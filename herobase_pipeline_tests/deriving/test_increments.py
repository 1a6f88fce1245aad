"""After any changes, in any order and through any kill, the tables are what a full rebuild makes of the same files."""

import contextlib
import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herobase_pipeline.deriving.by_day import derive_by_day
from herobase_pipeline.deriving.history import derive_history
from herobase_pipeline.deriving.leads import derive_leads
from herobase_pipeline.erasing.procedure import erase
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.lake import gone, notes
from herobase_pipeline.lake.layout import Forgetting, Lake
from herobase_pipeline.tables import (
    AGENT_DAYS,
    CALLS,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEADS,
    ORG_HISTORY,
    SIMPLE_LEADS,
    Table,
)
from herobase_pipeline_tests.tables.making import (
    NORTH,
    SOUTH,
    ZONE,
    Row,
    at,
    call,
    closing,
    day,
    dropped,
    fill,
    opened,
    read,
    temporary_lake,
    version,
)

MADE = (LEADS, LEAD_CONVERSION, LEAD_COHORTS, AGENT_DAYS, ORG_HISTORY)
_LEADS = ("one", "Two", "three", "four", "five")
_DAYS = (-35, -34, -3, -2, -1, 0, 1)  # in three months
_WHEN = st.sampled_from(["00:10", "09:00", "09:05", "15:00", "23:55"])


def derive(lake: Lake, *, anew: bool = False) -> None:
    derive_leads(lake, ZONE, anew=anew)
    for table in (LEAD_CONVERSION, LEAD_COHORTS):
        derive_by_day(lake, ZONE, table, anew=anew)
    derive_by_day(lake, ZONE, AGENT_DAYS, day_of_leads="closed_date", with_calls=True, anew=anew)
    derive_history(lake, ZONE, anew=anew)


def rows(lake: Lake, *tables: Table) -> dict[str, list[str]]:
    return {table.name: sorted(map(str, read(lake, table))) for table in tables or MADE}


def rebuilt(lake: Lake) -> Lake:
    """A copy of the lake, in which everything was made anew; of what is gone there is only what the tables had."""
    copy = Lake(lake.root.with_name("rebuilt"), lake.forgetting)
    shutil.rmtree(copy.root, ignore_errors=True)
    shutil.copytree(lake.root, copy.root)
    if not gone.gone_days(lake, CALLS):
        for table in MADE:
            shutil.rmtree(copy.folder(table), ignore_errors=True)
    derive(copy, anew=True)
    return copy


@st.composite
def calls(draw: st.DrawFn, on: int) -> list[Row]:
    kinds = st.sampled_from([call, closing, dropped])
    found = [
        draw(kinds)(
            at(draw(_WHEN), on),
            draw(st.sampled_from((*_LEADS, None))),
            call_id=f"{on}.{n}",
            **draw(
                st.sampled_from(
                    [{}, {"agent": "Bo"}, {"incoming": True}, {"call_status": "Transferred"}, {"org_path": NORTH}]
                )
            ),
        )
        for n in range(draw(st.integers(0, 6)))
    ]
    name = draw(st.sampled_from(["Team", "New name"]))
    return [row | {"org_names": [f"{name} {code}" for code in row["org_path"]]} for row in found]


@st.composite
def versions(draw: st.DrawFn, on: int) -> list[Row]:
    kinds = st.sampled_from([opened, version, lambda *rest: version(*rest, status="Depleted")])
    found = {}
    for _ in range(draw(st.integers(0, 5))):
        when, lead = at(draw(_WHEN), on), draw(st.sampled_from(_LEADS))
        found[when, lead] = draw(kinds)(when, lead)
    return list(found.values())


@st.composite
def change(draw: st.DrawFn) -> tuple[str, int, Any, bool]:
    """What happens, on which day, with which rows, and whether the day is whole."""
    what = draw(st.sampled_from(["calls", "calls", "versions", "versions", "delete", "erase", "gone", "kill", "lose"]))
    on = draw(st.sampled_from(_DAYS))
    rows_of = {"calls": calls(on), "versions": versions(on), "kill": st.integers(1, 9)}.get(
        what, st.sampled_from(_LEADS)
    )
    return what, on, draw(rows_of), draw(st.booleans())


class Killed(BaseException):
    pass


def killed_at(lake: Lake, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive until the so manieth file takes its place; what comes then is not done."""
    replace_, left = Path.replace, [count]

    def killing(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] <= 0:
            raise Killed
        return replace_(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killing)
        with contextlib.suppress(Killed):
            derive(lake)


def happen(lake: Lake, what: str, on: int, given: Any, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    that = day(on)
    if what in ("calls", "versions"):
        table = CALLS if what == "calls" else SIMPLE_LEADS
        fill(lake, table, given, that, {that} if whole else ())
        if table is CALLS:
            gone.is_back(lake, CALLS, that)
    elif what == "delete":
        table = CALLS if whole else SIMPLE_LEADS
        if that in lake.days(table) and len(lake.days(table)) > 1:
            lake.remove(table, that)
    elif what == "erase":
        erase(lake, ZONE, [Request("lead", given, "list", dt.datetime(2026, 4, 1, tzinfo=dt.UTC))])
    elif what == "gone" and that in lake.days(CALLS) and lake.files(LEADS):
        derive(lake)  # only days from which all is made go
        gone.remember(lake, CALLS, {that: whole})
        if whole and len(lake.days(CALLS)) > 1:
            lake.remove(CALLS, that)
        else:
            fill(lake, CALLS, [], that)
    elif what == "kill":
        killed_at(lake, given, monkeypatch)
    elif what == "lose":
        for table in MADE[: 1 + len(given) % 4]:
            for kind in ("made", "followed") if whole else ("followed",):
                with notes.updating(lake, f"{kind}_{table.name}") as note:
                    note.clear()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(changes=st.lists(change(), min_size=1, max_size=8))
def test_increments_are_what_a_full_rebuild_makes(changes, monkeypatch):
    with temporary_lake() as bare:
        lake = replace(bare, root=bare.root / "data", forgetting=Forgetting(b"key"))
        fill(lake, CALLS, [call(at("09:00"), "one", call_id="first", org_path=SOUTH)], day(0), {day(0)})
        fill(lake, SIMPLE_LEADS, [version(at("09:30"), "one")], day(0), {day(0)})
        for what, on, given, whole in changes:
            happen(lake, what, on, given, whole, monkeypatch)
            derive(lake)
            assert rows(lake) == rows(rebuilt(lake)), what


@pytest.fixture
def lake() -> Iterator[Lake]:
    """A lake in which one lead was called twice and is open; what was last made is compared from now on."""
    with temporary_lake() as bare:
        lake = replace(bare, root=bare.root / "data", forgetting=Forgetting(b"key"))
        fill(lake, SIMPLE_LEADS, [opened(at("09:30", -1), "one")], day(-1), {day(-1)})
        for calls_of_day in ([], [call(at("09:00"), "one")]):
            fill(lake, CALLS, calls_of_day, day(0), {day(0)})
            derive(lake)
        yield lake


def assert_all_right(lake: Lake) -> dict[str, Row]:
    derive(lake)
    assert rows(lake) == rows(rebuilt(lake))
    return {row["lead_id"]: row for row in read(lake, LEADS)}


def test_a_day_of_versions_that_is_loaded_later_decides_leads_without_one_on_it(lake):
    assert assert_all_right(lake)["one"]["attribution"] is None
    fill(lake, SIMPLE_LEADS, [opened(at("11:00"), "two")], day(0), {day(0)})
    assert assert_all_right(lake)["one"]["attribution"] == "open"
    lake.remove(SIMPLE_LEADS, day(0))
    assert assert_all_right(lake)["one"]["attribution"] is None


def test_a_day_that_was_gone_and_comes_back_without_some_of_its_leads_takes_them_away(lake):
    fill(lake, CALLS, [call(at("09:00", -5), "one"), call(at("10:00", -5), "two")], day(-5), {day(-5)})
    derive(lake)
    gone.remember(lake, CALLS, {day(-5): True})
    lake.remove(CALLS, day(-5))
    derive(lake)
    assert "two" in {row["lead_id"] for row in read(lake, LEADS)}
    fill(lake, CALLS, [call(at("11:00", -5), "three")], day(-5), {day(-5)})
    gone.is_back(lake, CALLS, day(-5))
    derive(lake)
    assert "two" not in {row["lead_id"] for row in read(lake, LEADS)}
    assert rows(lake) == rows(rebuilt(lake))


def test_a_refreshed_day_brings_leads_takes_others_away_and_leaves_the_rest(lake):
    fill(lake, SIMPLE_LEADS, [opened(at("09:30"), "one")], day(0), {day(0)})
    assert_all_right(lake)
    before = lake.file(LEADS, day(0).replace(day=1)).stat()
    fill(lake, CALLS, [call(at("09:00"), "one"), call(at("09:10"), "two")], day(0), {day(0)})
    assert assert_all_right(lake)["two"]["dials"] == 1
    assert lake.file(LEADS, day(0).replace(day=1)).stat() != before
    fill(lake, CALLS, [call(at("09:10"), "two"), call(at("09:20"), "two")], day(0), {day(0)})
    found = assert_all_right(lake)
    assert (found["one"]["dials"], found["two"]["dials"]) == (0, 2)
    fill(lake, CALLS, [], day(0), {day(0)})
    assert "two" not in assert_all_right(lake)


def test_a_day_that_is_pulled_again_and_is_the_same_writes_no_leads(lake):
    file = lake.file(LEADS, day(0).replace(day=1))
    before = file.stat()
    fill(lake, CALLS, [call(at("09:00"), "one", observed_at=at("12:00", 9))], day(0), {day(0)})
    derive(lake)
    assert file.stat() == before


@pytest.mark.parametrize("broken", ["", "[]", "{}", '{"recipe": 1}', '{"recipe": "x", "files": {"a": 1}}', "\x00"])
def test_a_note_that_is_lost_or_broken_costs_time_and_nothing_else(lake, broken: str):
    for table in MADE:
        for kind in ("made", "followed"):
            (lake.root / "lake" / ".notes" / f"{kind}_{table.name}.json").write_text(broken, encoding="utf-8")
    lake.digests(LEADS).write_bytes(b"PAR1 not really")
    fill(lake, CALLS, [call(at("09:00"), "one"), call(at("09:10"), "two")], day(0), {day(0)})
    assert_all_right(lake)


def test_months_count_only_beside_what_is_known_of_their_days(lake):
    before = rows(lake)
    lake.known(LEADS).unlink()
    assert lake.files(LEADS) == []
    derive(lake)
    assert rows(lake) == before
    assert_all_right(lake)


def test_a_month_that_has_no_lead_any_more_goes_also_beside_the_one_file_of_before(lake):
    month = lake.file(LEADS, day(-1).replace(day=1))
    stale = lake.file(LEADS, day(-80).replace(day=1))
    stale.parent.mkdir()
    shutil.copy(month, stale)
    shutil.copy(month, lake.file(LEADS))  # a move to months that was cut short, or a backup
    derive(lake)
    derive(lake)
    assert [row["lead_id"] for row in read(lake, LEADS)] == ["one"]


def test_files_that_are_put_back_from_a_backup_are_not_believed(lake):
    backup = {path: path.read_bytes() for path in lake.root.glob("lake/*/**/part.parquet")}
    fill(lake, CALLS, [call(at("09:10"), "two")], day(0), {day(0)})
    assert_all_right(lake)
    for path, content in backup.items():
        path.write_bytes(content)
    found = assert_all_right(lake)
    assert (set(found), found["one"]["dials"]) == ({"one"}, 1)
