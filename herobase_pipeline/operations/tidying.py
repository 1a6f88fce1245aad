"""What Dagster keeps of runs that go off by themselves: a refresh every minute is half a million runs a year."""

import datetime as dt

import dagster as dg

from herobase_pipeline.operations.jobs import CHECK, DERIVE, REFRESH_TODAY

KEPT = dt.timedelta(days=14)
"""The runs that are tidied away tell nothing that a later one does not: their days were pulled whole since."""
_JOBS = (REFRESH_TODAY, DERIVE, CHECK)
_AT_ONCE = 200  # so that a look ends long before the next one


@dg.sensor(
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Deletes runs of refresh_today, derive and check that are {KEPT.days} days older than the latest of their job.",
)
def tidy(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Delete the oldest runs that are past their time; the latest of a job stays, however old it is."""
    deleted = 0
    for job in _JOBS:
        latest = context.instance.get_run_records(dg.RunsFilter(job_name=job.name), limit=1)
        if not latest:
            continue
        past = dg.RunsFilter(
            job_name=job.name,
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
            created_before=latest[0].create_timestamp - KEPT,
        )
        for run in context.instance.get_runs(past, limit=_AT_ONCE - deleted, ascending=True):
            context.instance.delete_run(run.run_id)
            deleted += 1
    return dg.SkipReason(f"Deleted {deleted} runs." if deleted else "Nothing is past its time.")
