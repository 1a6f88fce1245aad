"""When what is run: today as often as wished, yesterday soon after midnight, the days before for late truth."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from herobase_pipeline.operations.jobs import (
    CHECK,
    DELIVER,
    ERASE,
    PULL_DAYS,
    PULL_LISTS,
    REBUILD,
    REFRESH_TODAY,
    RETAIN,
)
from herobase_pipeline.settings import Settings

LATE_DAYS = 9
"""A call is settled once it is 8 days old (trap T9), so each day is pulled once more after that."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_SETTINGS = Settings.load()


def is_running(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of a job is under way or waits for its turn."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=UNFINISHED)) > 0


def _local_day(context: dg.ScheduleEvaluationContext) -> dt.date:
    return context.scheduled_execution_time.astimezone(_SETTINGS.zone).date()


def _too_early(day: dt.date) -> dg.SkipReason | None:
    """Return why a day is not pulled, if it lies before the first partition."""
    start = _SETTINGS.start_date
    return (
        dg.SkipReason(f"{day} is before HEROBASE_START_DATE, {start}: there is no such day.") if day < start else None
    )


def _plain(name: str, job: str, cron: str, description: str) -> dg.ScheduleDefinition:
    """Return a schedule that runs a job without asking whether."""
    return dg.ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=cron,
        execution_timezone=_SETTINGS.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )


@dg.schedule(
    job=REFRESH_TODAY,
    cron_schedule=_SETTINGS.refresh_cron,
    execution_timezone=_SETTINGS.timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Brings what is new of today (HEROBASE_REFRESH_CRON). A tick is left out while the last one's run goes on.",
)
def refresh_today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Refresh the running day."""
    if is_running(context.instance, REFRESH_TODAY.name):
        return dg.SkipReason("The run of the last tick is not finished yet.")
    today = _local_day(context)
    return _too_early(today) or dg.RunRequest(partition_key=str(today))


@dg.schedule(
    job=PULL_DAYS,
    cron_schedule="20 0 * * *",
    execution_timezone=_SETTINGS.timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Pulls yesterday whole, soon after midnight.",
)
def close_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Pull the day that has just ended."""
    yesterday = _local_day(context) - dt.timedelta(days=1)
    return _too_early(yesterday) or dg.RunRequest(partition_key=str(yesterday))


@dg.schedule(
    job=PULL_DAYS,
    cron_schedule="40 2 * * *",
    execution_timezone=_SETTINGS.timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=f"Pulls the last {LATE_DAYS} days again, for what was settled or changed late.",
)
def late_truth(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Pull each of the last days again, the latest first."""
    today = _local_day(context)
    if too_early := _too_early(today - dt.timedelta(days=1)):
        yield too_early
    for back in range(1, LATE_DAYS + 1):
        if (day := today - dt.timedelta(days=back)) >= _SETTINGS.start_date:
            yield dg.RunRequest(partition_key=str(day), run_key=f"late truth of {day} on {today}")


pull_lists = _plain(
    "pull_lists", PULL_LISTS.name, "10 0 * * *", "Pulls units, users, campaigns, projects and the account once a day."
)
erase = _plain(
    "erase",
    ERASE.name,
    "30 4 * * *",
    "Asks HeroBase once a day whom it has anonymized, erases them, and proves that all who were erased are gone.",
)


@dg.schedule(
    job=RETAIN,
    cron_schedule="50 4 * * *",
    execution_timezone=_SETTINGS.timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Deletes what is past its time by HEROBASE_KEEP_PRIVATE_DAYS and HEROBASE_KEEP_CALLS_DAYS.",
)
def retain(_: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Delete what is past its time."""
    if _SETTINGS.keep_private_days is None and _SETTINGS.keep_calls_days is None:
        return dg.SkipReason("All is kept: neither HEROBASE_KEEP_PRIVATE_DAYS nor HEROBASE_KEEP_CALLS_DAYS is set.")
    return dg.RunRequest()


rebuild = _plain(
    "rebuild",
    REBUILD.name,
    "10 5 * * 0",
    "Makes all derived tables anew on Sundays; the check rebuild_agrees says whether they were right before.",
)
deliver = dg.ScheduleDefinition(
    name="deliver",
    job_name=DELIVER.name,
    cron_schedule="*/15 * * * *",
    execution_timezone=_SETTINGS.timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,  # until somebody has seen what it would send
    description="Sends what is planned, of the deliveries that are live. Off until it is switched on here.",
)
check = _plain("check", CHECK.name, "5 6-20 * * *", "Looks hourly at what is wrong, also where nothing was pulled.")
SCHEDULES = [refresh_today, close_yesterday, late_truth, pull_lists, erase, retain, rebuild, deliver, check]
