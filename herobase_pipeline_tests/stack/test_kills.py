"""kill -9 of each part at several moments: nothing is lost, nothing is doubled, and nobody has to look after it."""

from collections.abc import Callable

import pytest

from herobase_pipeline_tests.stack.stack import DAEMON, PULLED, WEBSERVER, Stack
from herobase_pipeline_tests.stack.truth import DAYS, assert_all_done

pytestmark = pytest.mark.slow
SPAN = DAYS[1:7]
MENDING_S = 20  # the sensor's interval, and a little
PAUSE_S = 8  # long enough to kill in, short enough for what survives
MOMENTS = {
    "at its first request": ("/organizationalunits times=1", "/organizationalunits", 1),
    "in the middle of the calls": (f"/calls?StartTime={SPAN[1]}* times=1", "/calls", 3),
    "when the calls are done": (f"/simpleleads?ModifiedFrom={SPAN[1]}* times=1", "/simpleleads", 3),
}
MIDDLE = "in the middle of the calls"
AT_EACH_MOMENT = [pytest.param(moment, marks=() if moment == MIDDLE else pytest.mark.long) for moment in MOMENTS]


def pause(stack: Stack, moment: str) -> Callable[[], None]:
    """Let HeroBase think for some seconds at a moment of the run; what is returned waits for that moment."""
    fault, service, number = MOMENTS[moment]
    stack.sandbox.script(f"{fault} delay={PAUSE_S}")
    return lambda: stack.wait_for_requests(number, service)


def kill_and_start(stack: Stack, part: str, *, whole: bool) -> None:
    stack.kill(part, whole=whole)
    stack.start(part)


def assert_recovers(stack: Stack, backfill: str, *, requests_of_a_day: int = 1) -> None:
    assert stack.wait_for_backfill(backfill, seconds=50) == "COMPLETED_SUCCESS"
    assert_all_done(stack, SPAN)
    for service in ("/calls", "/simpleleads"):
        asked = stack.days_asked(service)
        assert max(asked.values()) <= requests_of_a_day
        assert list(asked) == SPAN


@pytest.mark.parametrize("moment", AT_EACH_MOMENT)
def test_a_run_worker_is_killed(start_stack, moment):
    stack = start_stack()
    wait = pause(stack, moment)
    backfill = stack.launch_backfill(PULLED, SPAN)
    wait()
    stack.worker().kill()
    assert_recovers(stack, backfill, requests_of_a_day=2)
    again, first = stack.runs_of(backfill)
    assert (first.status, again.status, again.parent) == ("FAILURE", "SUCCESS", first.run_id)


@pytest.mark.long
def test_a_killed_worker_leaves_no_sign_of_life(start_stack):
    stack = start_stack()
    pause(stack, "at its first request")
    run = stack.launch(PULLED, SPAN[0])
    stack.wait_for(stack.signs, "the run's sign of life")
    stack.worker().kill()
    assert stack.wait_for_run(run).status == "FAILURE"
    stack.wait_for(lambda: len(stack.runs()) == 2 and not stack.unfinished(), "the end of the run that replaces it")
    stack.wait_for(lambda: not stack.signs(), "the end of the killed run's sign", seconds=MENDING_S)


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        pytest.param(DAEMON, False, id="the daemon alone, not its code server and worker", marks=pytest.mark.long),
        pytest.param(WEBSERVER, False, id="the webserver alone", marks=pytest.mark.long),
        pytest.param(WEBSERVER, True, id="the webserver and its code server"),
    ],
)
def test_what_no_run_needs_is_killed_before_in_and_after_a_run(start_stack, part, whole):
    stack = start_stack(tick=15)  # so that the run is over some time before the daemon looks at the backfill again
    wait = pause(stack, MIDDLE)
    backfill = stack.launch_backfill(PULLED, SPAN)
    kill_and_start(stack, part, whole=whole)
    wait()
    kill_and_start(stack, part, whole=whole)
    (run,) = stack.runs_of(backfill)
    assert stack.wait_for_run(run.run_id).status == "SUCCESS"
    kill_and_start(stack, part, whole=whole)
    assert_recovers(stack, backfill)
    assert [each.run_id for each in stack.runs_of(backfill)] == [run.run_id]


@pytest.mark.parametrize("moment", AT_EACH_MOMENT)
def test_the_daemon_is_killed_with_its_run_worker(start_stack, moment):
    stack = start_stack()
    wait = pause(stack, moment)
    backfill = stack.launch_backfill(PULLED, SPAN)
    wait()
    kill_and_start(stack, DAEMON, whole=True)
    assert_recovers(stack, backfill, requests_of_a_day=2)


@pytest.mark.parametrize("moment", AT_EACH_MOMENT)
def test_everything_is_killed_in_a_run(start_stack, moment):
    stack = start_stack()
    wait = pause(stack, moment)
    backfill = stack.launch_backfill(PULLED, SPAN)
    wait()
    stack.kill_everything()
    stack.start()
    assert_recovers(stack, backfill, requests_of_a_day=2)


def test_everything_is_killed_before_and_after_a_run(start_stack):
    stack = start_stack(tick=15)
    backfill = stack.launch_backfill(PULLED, SPAN)
    stack.kill_everything()
    stack.start()
    (run,) = stack.wait_for(lambda: stack.runs_of(backfill), "the backfill's run")
    assert stack.wait_for_run(run.run_id).status == "SUCCESS"
    stack.kill_everything()
    stack.start()
    assert_recovers(stack, backfill)
