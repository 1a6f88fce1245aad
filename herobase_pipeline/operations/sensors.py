"""What is noticed: derived tables that are behind what was pulled."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.operations.jobs import COUNT_DAYS, DERIVE, FROM_ALL_DAYS, REFRESH_TODAY
from herobase_pipeline.operations.old_runs import tidy
from herobase_pipeline.operations.recovery import recover
from herobase_pipeline.operations.schedules import UNFINISHED, is_running
from herobase_pipeline.partitions import stretches
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, SIMPLE_LEADS, Table

CALM = dt.timedelta(minutes=15)
"""What is made from all days is made again at most so often: it costs as much as there are days."""
_AT_ONCE = 20  # runs of a tick; the next tick goes on


@dg.sensor(
    jobs=[COUNT_DAYS, DERIVE],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes derived tables again that are older than what they are made from, also after a backfill of old days.",
)
def follow(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the days and tables that are behind; nothing while a run of theirs is under way."""
    lake = Lake(Settings.load().data_dir)
    if is_running(context.instance, COUNT_DAYS.name):
        yield dg.SkipReason("Days are being counted.")
        return
    days = lake.days(CALLS)
    behind = [day for day in days if _written(lake.file(CALLS, day)) > _written(lake.file(CALL_OUTCOMES, day))]
    if behind:
        for first, last in stretches(behind)[:_AT_ONCE]:
            span = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
            yield dg.RunRequest(job_name=COUNT_DAYS.name, tags=span)
        return
    if is_running(context.instance, DERIVE.name):
        yield dg.SkipReason("Tables are being derived.")
        return
    pulled, made = _changed(lake, [CALLS, SIMPLE_LEADS]), min(_changed(lake, [table]) for table in FROM_ALL_DAYS)
    now = dt.datetime.now(dt.UTC).timestamp()
    if not lake.files(CALLS) or not lake.files(SIMPLE_LEADS) or pulled <= made:
        yield dg.SkipReason("All is up to date.")
    elif now - made < CALM.total_seconds() or _is_pulling(context.instance, now - pulled):
        yield dg.SkipReason("Waits for what is being pulled.")
    else:
        yield dg.RunRequest(job_name=DERIVE.name)


def _is_pulling(instance: dg.DagsterInstance, quiet_s: float) -> bool:
    """Whether more is about to come: a pull is under way, and not for so long that people would wait for their tables."""
    others = dg.RunsFilter(statuses=UNFINISHED)
    pulls = [run for run in instance.get_runs(others) if run.job_name not in (DERIVE.name, REFRESH_TODAY.name)]
    return bool(pulls) and quiet_s < CALM.total_seconds()


def _written(path: Path) -> float:
    """When a file was written; 0 where there is none."""
    return path.stat().st_mtime if path.exists() else 0.0


def _changed(lake: Lake, tables: Sequence[Table]) -> float:
    """When the latest of some tables' files was written; 0 where there is none."""
    return max((_written(path) for table in tables for path in lake.files(table)), default=0.0)


SENSORS = [follow, recover, tidy]
