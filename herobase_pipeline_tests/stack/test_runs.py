"""Days are loaded through a real webserver and daemon, by GraphQL; the vendor fails, and the rest is launched again."""

import pytest

from herobase_pipeline_tests.stack.stack import PULLED
from herobase_pipeline_tests.stack.truth import DAYS, assert_all_done, assert_is_the_world

pytestmark = pytest.mark.slow


def test_a_backfill_loads_the_worlds_days(stack):
    days = DAYS[1:5]
    backfill = stack.launch_backfill(PULLED, days)
    assert stack.wait_for_backfill(backfill) == "COMPLETED_SUCCESS"
    assert stack.states(PULLED, days) == {asset: ["MATERIALIZED"] * len(days) for asset in PULLED}
    assert_all_done(stack, days)
    assert {day: stack.days_asked()[day] for day in days} == dict.fromkeys(days, 1)


def test_lists_are_loaded_by_a_run_without_partitions(stack):
    run = stack.wait_for_run(stack.launch(["org_units", "users"]))
    assert (run.status, run.steps_succeeded, run.materializations) == ("SUCCESS", 2, 2)


@pytest.mark.long  # test_backfills has it by chunks
def test_the_vendor_fails_in_the_middle_and_the_rest_is_launched_again(stack):
    days = DAYS[8:14]
    # a day is asked for with margins, so from the evening before
    stack.sandbox.script(*(f"/calls?StartTime={day}T21* status=500" for day in days[1:5]))
    stack.sandbox.script(*(f"/simpleleads?ModifiedFrom={day}T22* status=500" for day in days[1:5]))
    backfill = stack.launch_backfill(PULLED, days)
    assert stack.wait_for_backfill(backfill) == "COMPLETED_FAILED"
    for states in stack.states(PULLED, days).values():
        assert states == ["MATERIALIZED"] * 2 + ["FAILED"] * 4
    assert_is_the_world(stack, days[:2])
    assert stack.unfinished() == []
    (run,) = stack.runs_of(backfill)
    told = stack.failures(run.run_id)
    for step, service in (("calls", "calls"), ("simple_leads", "simpleleads")):
        assert told[step].startswith(f"{days[2]} was not loaded. {service} from 2026-03-10 ")
        assert "HeroBase failed (500)" in told[step]
        assert "Run it again later" in told[step]
    asked = stack.days_asked()

    stack.sandbox.heal()
    assert stack.missing(PULLED, days) == days[2:]
    again = stack.launch_missing(PULLED, days)
    assert stack.backfill(again)["partitionNames"] == days[2:]
    assert stack.wait_for_backfill(again) == "COMPLETED_SUCCESS"
    assert_all_done(stack, days)
    for service in ("/calls", "/simpleleads"):
        assert [stack.days_asked(service)[day] for day in days[:2]] == [1, 1]
    assert [stack.days_asked()[day] - asked[day] for day in days[3:]] == [1, 1, 1]


def test_a_failed_run_is_run_again_from_its_failure(stack):
    stack.sandbox.script("/users status=500")
    failed = stack.wait_for_run(stack.launch(["org_units", "users"]))
    assert (failed.status, failed.steps_succeeded, failed.steps_failed) == ("FAILURE", 1, 1)
    assert stack.failures(failed.run_id)["users"].startswith("users was not loaded. users: HeroBase failed (500)")
    stack.sandbox.heal()
    again = stack.wait_for_run(stack.reexecute(failed.run_id))
    assert (again.status, again.steps_succeeded, again.parent) == ("SUCCESS", 1, failed.run_id)
