"""What mends after a hard stop: runs whose process was killed, and failed runs that Dagster forgot to make again."""

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from herobase_pipeline.assets.liveness import forget, signs
from herobase_pipeline.assets.site import Site
from herobase_pipeline.operations.dagster_internals import (
    RETRIED_BY,
    WILL_RETRY,
    is_of_an_ended_backfill,
    launches_here,
    processes,
)
from herobase_pipeline.settings import Settings

_AT_WORK = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_REMINDED = "herobase/retry_reminded"
_RETRY_AFTER = dt.timedelta(minutes=1)  # Dagster's own retry takes seconds


def recovery(sites: Sequence[Site]) -> dg.SensorDefinition:
    """Return what mends the runs of all sites."""

    @dg.sensor(
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process was killed, so that they keep no slot and are made again.",
    )
    def recover(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Mark such runs as failed; Dagster's retries and backfills then go on with what is left."""
        instance, all_settings = context.instance, [site.load() for site in sites]
        held = _signs(all_settings)
        killed = list(_killed(instance, held))
        for run in killed:
            message = "The process that worked on this run was killed; what it had finished is kept."
            if run.status is dg.DagsterRunStatus.CANCELING:  # somebody wanted it to end, so it is not made again
                instance.report_run_canceled(run, message)
            else:
                if (
                    instance.run_retries_enabled
                ):  # before it has failed, so that no backfill takes it for given up (see _remind)
                    instance.add_run_tags(run.run_id, {WILL_RETRY: "true"})
                instance.report_run_failed(run, message)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        for run_id in [run_id for run_id, is_held in held.items() if not is_held]:
            for settings in all_settings:
                forget(settings, run_id)  # also where Dagster has noticed by itself
        reminded = list(_remind(instance))
        ended = ", ".join(run.run_id for run in killed)
        told = [
            f"Ended {len(killed)} runs whose process was killed: {ended}." if killed else "",
            f"Reminded Dagster of the retry of {', '.join(reminded)}." if reminded else "",
        ]
        return dg.SkipReason(" ".join(filter(None, told)) or "All is well.")

    return recover


def _signs(all_settings: Sequence[Settings]) -> dict[str, bool]:
    """Return the runs that have a sign, and whether a process still holds it; a run of several sites has one in each."""
    held: dict[str, bool] = {}
    for settings in all_settings:
        for run_id, is_held in signs(settings).items():
            held[run_id] = is_held or held.get(run_id, False)
    return held


def _killed(instance: dg.DagsterInstance, held: Mapping[str, bool]) -> Iterator[dg.DagsterRun]:
    """Yield the runs under way that no process works on: by their sign, or where none was given yet, by their process."""
    for run_id in [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=_AT_WORK))]:
        if not held[run_id] if run_id in held else _has_ended(instance, run_id):
            run = instance.get_run_by_id(run_id)  # anew, as it may just have ended well
            if run is not None and run.status in _AT_WORK:
                yield run


def _has_ended(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the process that Dagster started for a run is gone from this machine."""
    pids = processes(instance, run_id) if launches_here(instance) else []
    if not pids:
        return False
    try:
        os.kill(pids[-1], 0)  # only asks
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's by now
        return False
    return False


def _remind(instance: dg.DagsterInstance) -> Iterator[str]:
    """Tell once more, and once only, of failures that Dagster should have retried and has not; yield their runs.

    Dagster 1.13 stores the failure before the tag that asks for the retry. A daemon that looks in between goes on without
    it, and a backfill would wait for the retry for ever.
    """
    due = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={WILL_RETRY: "true"})
    now = dt.datetime.now(dt.UTC).timestamp()
    for record in instance.get_run_records(due, limit=100):
        run, ended = record.dagster_run, record.end_time or now
        is_due = now - ended > _RETRY_AFTER.total_seconds() and not {RETRIED_BY, _REMINDED} & run.tags.keys()
        if is_due and run.remote_job_origin is not None and not is_of_an_ended_backfill(instance, run):
            instance.add_run_tags(run.run_id, {_REMINDED: "true"})
            instance.report_run_failed(run, "This run should have been made again by now; Dagster is reminded of it.")
            yield run.run_id
