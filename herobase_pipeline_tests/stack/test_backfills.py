"""Backfills in small chunks: the vendor fails between them, and all that runs shares one budget of requests."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator

import pytest

from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.sandbox import Served, limits
from herobase_pipeline.tables import CALLS
from herobase_pipeline_tests.stack.conftest import starting
from herobase_pipeline_tests.stack.stack import ASSET_JOB, PULLED, Stack
from herobase_pipeline_tests.stack.truth import DAYS, assert_all_done, assert_is_the_world, ids

pytestmark = pytest.mark.slow
CHUNK = 3
WINDOWED = ("/calls", "/simpleleads")
SERVICES = (*WINDOWED, "/organizationalunits")
MINUTE_S, A_MINUTE = 2, CHUNK - 1


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack whose backfills are cut into small chunks; each test takes days of its own."""
    for start in starting(request.config, tmp_path_factory):
        yield start(environment={"HEROBASE_BACKFILL_DAYS": str(CHUNK)})


def test_chunks_that_were_done_before_the_vendor_failed_are_not_pulled_again(stack):
    days = DAYS[1:11]
    done, rest = days[: 2 * CHUNK], days[2 * CHUNK :]
    for eve in days[2 * CHUNK - 1 : -1]:  # a day is asked for with margins, so from the evening before
        stack.sandbox.script(f"/calls?StartTime={eve}T21* html", f"/simpleleads?ModifiedFrom={eve}T22* html")
    backfill = stack.launch_backfill(PULLED, days)
    assert stack.wait_for_backfill(backfill) == "COMPLETED_FAILED"
    runs = stack.runs_of(backfill)[::-1]
    assert [run.days for run in runs] == [days[:3], days[3:6], days[6:9], days[9:]]
    assert [run.status for run in runs] == ["SUCCESS", "SUCCESS", "FAILURE", "FAILURE"]
    for states in stack.states(PULLED, days).values():
        assert states == ["MATERIALIZED"] * len(done) + ["FAILED"] * len(rest)
    assert stack.missing(PULLED, days) == rest
    assert_is_the_world(stack, done)

    stack.sandbox.heal()
    again = stack.launch_missing(PULLED, days)
    assert stack.backfill(again)["partitionNames"] == rest
    assert stack.wait_for_backfill(again) == "COMPLETED_SUCCESS"
    assert_all_done(stack, days)
    for service in ("/calls", "/simpleleads"):
        asked = stack.days_asked(service)
        assert [asked[day] for day in done] == [1] * len(done)


@pytest.fixture
def small_minutes(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """HeroBase's minutes are short, and answer few requests of each service, so that a test sees many of them."""
    counting = stack.sandbox.application.limits
    monkeypatch.setattr(limits, "MINUTE_S", MINUTE_S)
    monkeypatch.setattr(counting, "minute", lambda _: A_MINUTE)
    counting._minutes.clear()
    yield
    counting._minutes.clear()


def by_minute(served: list[Served]) -> list[int]:
    """How many requests each of HeroBase's minutes had, which begin with a request."""
    counts: list[int] = []
    since = dt.datetime.min.replace(tzinfo=dt.UTC)
    for at in sorted(one.at for one in served):
        if at >= since + dt.timedelta(seconds=MINUTE_S):
            since = at
            counts.append(0)
        counts[-1] += 1
    return counts


@pytest.mark.usefixtures("small_minutes")
def test_two_backfills_and_todays_refresh_share_one_budget_and_today_comes_first(stack):
    one, other, late = DAYS[12:18], DAYS[20:23], DAYS[25]
    before = {service: len(stack.asked(service)) for service in SERVICES}
    days_before = {service: stack.days_asked(service).total() for service in WINDOWED}
    backfills = [stack.launch_backfill(PULLED, days) for days in (one, other)]
    stack.wait_for(lambda: sum(len(stack.runs_of(each)) for each in backfills) == 3, "the runs of both backfills")
    stack.wait_for_requests(before["/calls"] + 1)
    today = stack.today
    known = stack.sandbox.world.now()
    pull = stack.launch_job("pull_days", late)
    refresh = stack.launch_job("refresh_today", today)
    waiting = [run for run in stack.unfinished() if run.run_id != refresh and run.started is None]
    assert [run.job for run in waiting] == ["pull_days", ASSET_JOB, ASSET_JOB]

    assert stack.wait_for_run(refresh).status == "SUCCESS"
    assert [stack.wait_for_backfill(each) for each in backfills] == ["COMPLETED_SUCCESS"] * 2
    assert stack.wait_for_run(pull).status == "SUCCESS"
    assert_all_done(stack, [*one, *other, late])
    start, end = day_bounds(dt.date.fromisoformat(today), stack.settings.zone)
    assert Counter(call.id for call in stack.sandbox.world.calls(start, end, known)) <= ids(
        stack.lake, CALLS, "call_id", today
    )

    for service in SERVICES:
        asked = stack.asked(service)[before[service] :]
        assert {served.status for served in asked} == {200}
        counts = by_minute(asked)
        assert max(counts) == A_MINUTE
        # each chunk would have gone beyond it; the units wait with the calls, of which more is asked
        assert counts.count(A_MINUTE) >= 3 or service not in WINDOWED
    for service in WINDOWED:
        assert stack.days_asked(service).total() - days_before[service] == len([*one, *other, late, today])
    later = {day for run in waiting for day in run.days}
    order = [day for day in stack.days_asked() if day in later or day == today]
    assert order[0] == today
    assert stack.run(refresh).started < min(stack.run(run.run_id).started for run in waiting)
