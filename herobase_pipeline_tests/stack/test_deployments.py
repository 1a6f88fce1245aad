"""What goes wrong as a version is put in place: a first start of everything at once, and code that cannot be loaded."""

import subprocess

import pytest

from herobase_pipeline_tests.stack.stack import BIN, DAEMON, PULLED, Stack
from herobase_pipeline_tests.stack.test_kills import MIDDLE, SPAN, assert_recovers, pause

pytestmark = pytest.mark.slow
WAITS = {"DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR": "yes"}
"""As the Makefile and docs/operate.md set it."""


def test_a_backfill_waits_while_the_code_cannot_be_loaded_and_goes_on_after(start_stack):
    stack: Stack = start_stack(environment=WAITS)
    wait = pause(stack, MIDDLE)
    backfill = stack.launch_backfill(PULLED, SPAN)
    wait()
    stack.kill(DAEMON)
    right = stack.environment
    stack.environment = {**right, "HEROBASE_TIMEZONE": "Nowhere/Nowhere"}
    stack.start(DAEMON)
    said = "The backfill will resume once it is available again"
    stack.wait_for(lambda: said in stack.log(DAEMON).read_text(errors="replace"), "a look at the backfill")
    assert stack.backfill(backfill)["status"] == "REQUESTED"
    stack.kill(DAEMON)
    stack.environment = right
    stack.start(DAEMON)
    assert_recovers(stack, backfill, requests_of_a_day=2)


def test_webserver_and_daemon_may_start_at_once_where_dagsters_tables_were_made_before(start_stack):
    def make_tables(stack: Stack) -> None:
        subprocess.run([str(BIN / "dagster"), "instance", "migrate"], cwd=stack.home, env=stack.environment, check=True)

    stack: Stack = start_stack(before=make_tables)
    assert stack.runs() == []
