"""What runs without a click: schedules, and what follows a backfill."""

import datetime as dt
from collections import Counter

import duckdb
import pytest

from herobase_pipeline.definitions import defs
from herobase_pipeline.operations.jobs import COUNT_DAYS, DERIVE, FROM_ALL_DAYS, READ_FIELDS, REFRESH_TODAY
from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.tables import CALL_OUTCOMES
from herobase_pipeline_tests.stack.stack import PULLED, Run, Stack
from herobase_pipeline_tests.stack.truth import DAYS

pytestmark = pytest.mark.slow
EACH_MINUTE = {"HEROBASE_REFRESH_CRON": "* * * * *"}
REFRESH = REFRESH_TODAY


def done(stack: Stack, job: str) -> list[Run]:
    return [run for run in stack.runs(pipelineName=job) if run.status == "SUCCESS"]


def test_a_fresh_instance_refreshes_today_and_derives_what_a_backfill_brought(start_stack):
    stack = start_stack(calm=False, environment=EACH_MINUTE)
    assert stack.instigators() == {each.name: each.default_status.value for each in (*defs.schedules, *defs.sensors)}
    days = DAYS[1:3]
    backfill = stack.launch_backfill(PULLED, days)
    assert stack.wait_for_backfill(backfill) == "COMPLETED_SUCCESS"

    (refresh, *_) = stack.wait_for(lambda: done(stack, REFRESH), "the run of a tick of refresh_today", seconds=90)
    assert refresh.days == [stack.today]
    assert stack.states(PULLED, refresh.days) == {asset: ["MATERIALIZED"] for asset in PULLED}
    (derived, *_) = stack.wait_for(lambda: done(stack, DERIVE), "the tables made from all days", seconds=120)
    assert derived.materializations == len(FROM_ALL_DAYS) + 1  # and the board
    stack.wait_for(lambda: done(stack, READ_FIELDS), "the declared fields", seconds=120)
    counted = Counter(day for run in done(stack, COUNT_DAYS) for day in run.days)
    assert [counted[day] for day in days] == [1, 1]
    assert stack.missing([CALL_OUTCOMES.name], days) == []
    for day in days:
        start, end = day_bounds(dt.date.fromisoformat(day), stack.settings.zone)
        path = stack.lake.file(CALL_OUTCOMES, dt.date.fromisoformat(day))
        with duckdb.connect() as con:
            calls = con.execute(f"SELECT sum(calls) FROM read_parquet('{path}') WHERE org_level = 0").fetchone()
        assert calls == (len(list(stack.sandbox.world.calls(start, end))),)
