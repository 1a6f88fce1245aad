"""When Dagster moves and one of these fails: mend ``operations/dagster_internals.py`` by what the test looks at."""

import re
from pathlib import Path

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage import tags
from dagster._core.storage.event_log import SqliteEventLogStorage

from herobase_pipeline.operations import dagster_internals
from herobase_pipeline_tests.conftest import ROOT


def test_the_tags_are_dagsters():
    """Look at ``dagster/_core/storage/tags.py``."""
    found = (dagster_internals.WILL_RETRY, dagster_internals.RETRIED_BY, dagster_internals.BACKFILL)
    assert found == (tags.WILL_RETRY_TAG, tags.AUTO_RETRY_RUN_ID_TAG, tags.BACKFILL_ID_TAG)


def test_every_status_of_a_backfill_is_known():
    """Look at ``BulkActionStatus``: whether a backfill of a new status starts more runs."""
    at_work = {"REQUESTED", "CANCELING", "FAILING"}
    assert {status.value for status in BulkActionStatus} == dagster_internals.BACKFILL_ENDED | at_work


def test_a_runs_events_have_a_file_of_their_own(tmp_path: Path):
    """Look at ``SqliteEventLogStorage``: ``tidy`` deletes what it leaves of a deleted run."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        assert isinstance(instance.event_log_storage, SqliteEventLogStorage)
        run = instance.create_run_for_job(dg.GraphDefinition("nothing").to_job())
        instance.report_engine_event("so that it has a file", run)
        assert dagster_internals.event_files(instance, run.run_id)[0].is_file()


def test_private_modules_of_dagster_are_named_in_one_place():
    private = re.compile(r"dagster(_\w+)?\._")
    named = [
        path.name for path in (ROOT / "herobase_pipeline").rglob("*.py") if private.search(path.read_text("utf-8"))
    ]
    assert named == []
    tests = {
        path.name
        for path in (ROOT / "herobase_pipeline_tests").rglob("*.py")
        if private.search(path.read_text("utf-8"))
    }
    assert tests == {"dagster_internals.py", "test_dagster_internals.py"}
