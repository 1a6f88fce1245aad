"""What Dagster keeps of runs that go off by themselves: a refresh every minute is half a million runs a year."""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg

from herobase_pipeline.assets.site import Site
from herobase_pipeline.operations.dagster_internals import event_files
from herobase_pipeline.operations.jobs import CHECK, DERIVE, READ_FIELDS, REFRESH_TODAY, by_day

KEPT = dt.timedelta(days=14)
_JOBS = (REFRESH_TODAY, DERIVE, READ_FIELDS, CHECK)
_AT_ONCE = 100  # a tick may take a minute, and a run a thirtieth of a second
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def old_runs(sites: Sequence[Site]) -> dg.SensorDefinition:
    """Return what tidies up after the runs of all sites."""

    @dg.sensor(
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Deletes runs of refresh_today, derive and check that are {KEPT.days} days older than the latest of their "
        "job, and whose days were materialized again since.",
    )
    def tidy(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Delete the oldest runs that are past their time and tell nothing that a later one does not."""
        past = [run for site in sites for job in _JOBS for run in _past(context.instance, site, site.called(job))][
            :_AT_ONCE
        ]
        for run in past:
            _delete(context.instance, run.run_id)
        return dg.SkipReason(f"Deleted {len(past)} runs." if past else "Nothing is past its time.")

    return tidy


def _past(instance: dg.DagsterInstance, site: Site, job: str) -> Iterator[dg.DagsterRun]:
    """Yield some old runs of a job: not its latest success, and no run by which a day is known to be materialized."""
    latest = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
    if not latest:
        return
    successes = instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1)
    old = dg.RunsFilter(job_name=job, statuses=_ENDED, created_before=latest[0].create_timestamp - KEPT)
    for run in instance.get_runs(old, limit=_AT_ONCE, ascending=True):
        if run not in successes and not _is_latest_of_its_day(instance, site, run):
            yield run


def _is_latest_of_its_day(instance: dg.DagsterInstance, site: Site, run: dg.DagsterRun) -> bool:
    day = run.tags.get("dagster/partition")
    filters = [dg.AssetRecordsFilter(site.key(table), [day]) for table in by_day(site)] if day else []
    found = [record for each in filters for record in instance.fetch_materializations(each, limit=1).records]
    return any(record.run_id == run.run_id for record in found)


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run and what is left of it on disk: with SQLite, Dagster empties a run's file and keeps it."""
    instance.delete_run(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    for left in event_files(instance, run_id):
        left.unlink(missing_ok=True)
