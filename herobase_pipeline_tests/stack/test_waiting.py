"""What waits for the account's next daily quota goes on by itself, and holds up nothing else."""

import datetime as dt
import time
from collections import Counter

import pytest
import requests

from herobase_pipeline.herobase.quota import FAIR_USE
from herobase_pipeline.operations.jobs import REFRESH_TODAY
from herobase_pipeline.sandbox.limits import DAY_S
from herobase_pipeline_tests.sandbox.conftest import ROOT
from herobase_pipeline_tests.stack.stack import ASSET_JOB, PULLED, Stack
from herobase_pipeline_tests.stack.truth import DAYS, assert_all_done

pytestmark = pytest.mark.slow
EACH_MINUTE = {"HEROBASE_REFRESH_CRON": "* * * * *"}
REFRESH = REFRESH_TODAY


class Clock:
    """Seconds since 1970: they stand where they are set, until they are let go."""

    def __init__(self) -> None:
        self.at, self._going_since = time.time(), 0.0

    def __call__(self) -> float:
        return self.at + (time.time() - self._going_since if self._going_since else 0.0)

    def go(self) -> None:
        self._going_since = time.time()


QUOTA = 7
TOLD_S = 125  # the client takes what is two minutes away or less for the end of a minute, so it cannot be quicker


def ask_as_another_program(stack: Stack) -> None:
    box = stack.sandbox
    params = {"OrgCode": ROOT, "StartTime": "2026-06-01T00:00:00", "TimeSpan": "PT1M"}
    requests.get(f"{box.url}/calls", params, auth=(box.username, box.password), headers=FAIR_USE, timeout=10)


def test_a_backfill_waits_for_the_next_daily_quota_and_ticks_do_not_pile_up_meanwhile(start_stack, monkeypatch):
    # so few calls that no answer is looked at for a cut (trap T14): each day is a request
    stack = start_stack(environment=EACH_MINUTE, service_limits=(f"/calls={QUOTA}",), calls_per_day=4)
    clock = Clock()
    monkeypatch.setattr(stack.sandbox.application.limits, "_clock", clock)
    ask_as_another_program(stack)
    clock.at += DAY_S - TOLD_S
    days = DAYS[1:11]
    backfill = stack.launch_backfill(PULLED, days)
    stack.wait_for_requests(QUOTA + 1)
    clock.go()
    stack.start_schedule(REFRESH)
    assert [served.status for served in stack.asked()] == [200] * QUOTA + [429]

    stack.wait_for(lambda: len(stack.ticks(REFRESH)) == 2, "two ticks of refresh_today", seconds=TOLD_S)
    waiting = {(run.job, run.status, run.steps_failed) for run in stack.runs()}
    asked = {service: stack.days_asked(service) for service in ("/calls", "/simpleleads")}
    slots = stack.slots()
    stack.stop_schedule(REFRESH)
    first, second = stack.ticks(REFRESH)
    (refresh,) = stack.runs(pipelineName=REFRESH)
    assert first["runIds"] == [refresh.run_id]
    assert (second["status"], second["skipReason"]) == ("SKIPPED", "The run of the last tick is not finished yet.")
    assert waiting == {(ASSET_JOB, "STARTED", 0), (ASSET_JOB, "QUEUED", 0), (REFRESH, "STARTED", 0)}
    assert slots == {"held": [], "waiting": []}  # so that other services can be asked
    assert asked["/calls"].total() == QUOTA  # and the other program's
    assert asked["/simpleleads"] == Counter([*days[:7], *refresh.days])

    assert stack.wait_for_backfill(backfill) == "COMPLETED_SUCCESS"
    assert stack.wait_for_run(refresh.run_id).status == "SUCCESS"
    assert_all_done(stack, days)
    refused, then = stack.asked()[QUOTA : QUOTA + 2]
    assert then.at - refused.at >= dt.timedelta(seconds=TOLD_S)
    assert Counter(served.status for served in stack.asked()[QUOTA + 1 :]) == {200: 4 + len(refresh.days)}
    assert [stack.days_asked()[day] for day in days] == [1] * 6 + [2] + [1] * 3

    later, earlier = (stack.messages(run.run_id) for run in stack.runs_of(backfill))
    assert (
        "7 days of calls take about 7 requests; the account has 6 of 7 left: the run will wait for the next quota."
        in earlier
    )
    assert "7 days of simpleleads take about 7 requests; the account has 2980 of 2980 left." in earlier
    assert "3 days of calls take about 3 requests; the account has 5 of 7 left." in later


def test_many_runs_that_wait_for_a_daily_quota_leave_room_for_others(start_stack):
    stack = start_stack()
    stack.sandbox.script("/calls status=429 reset=3600")
    backfills = [stack.launch_backfill(PULLED[:2], DAYS[first : first + 2]) for first in (1, 4)]
    nightly = [stack.launch_job("pull_days", day) for day in DAYS[6:12]]
    stack.wait_for_requests(1)
    refresh = stack.launch_job(REFRESH, stack.today)
    assert stack.wait_for_run(stack.launch(["org_units"])).status == "SUCCESS"
    stack.wait_for(lambda: stack.run(refresh).steps_succeeded, "today's leads, while its calls wait")
    assert Counter(stack.run(run).status for run in nightly) == {"STARTED": 1, "QUEUED": 5}
    assert Counter(run.status for each in backfills for run in stack.runs_of(each)) == {"STARTED": 1, "QUEUED": 1}
    assert [served.status for served in stack.asked()] == [429]
