"""When what is run: today as often as wished, yesterday soon after midnight, the days before for late truth."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from herobase_pipeline.assets.site import Site
from herobase_pipeline.operations.jobs import (
    CHECK,
    DELIVER,
    ERASE,
    PULL_DAYS,
    PULL_LISTS,
    REBUILD,
    REFRESH_TODAY,
    REPORT,
    RETAIN,
)
from herobase_pipeline.partitions import local_day

LATE_DAYS = 9
"""A call is settled once it is 8 days old (trap T9), so each day is pulled once more after that."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def is_running(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of a job is under way or waits for its turn."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=UNFINISHED)) > 0


def schedules(site: Site) -> list[dg.ScheduleDefinition]:
    """Return the schedules of a site."""

    def too_early(day: dt.date) -> dg.SkipReason | None:
        """Return why a day is not pulled, if it lies before the first partition."""
        start = site.settings.start_date
        return (
            dg.SkipReason(f"{day} is before HEROBASE_START_DATE, {start}: there is no such day.")
            if day < start
            else None
        )

    def scheduled(
        name: str, job: str, cron: str, description: str
    ) -> Callable[[Callable[..., Any]], dg.ScheduleDefinition]:
        """Return what makes a schedule of a function that says whether and what of a job is run."""
        return dg.schedule(
            name=site.called(name),
            job_name=site.called(job),
            cron_schedule=cron,
            execution_timezone=site.settings.timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
        )

    def plain(name: str, job: str, cron: str, description: str) -> dg.ScheduleDefinition:
        """Return a schedule that runs a job without asking whether."""
        return dg.ScheduleDefinition(
            name=site.called(name),
            job_name=site.called(job),
            cron_schedule=cron,
            execution_timezone=site.settings.timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
        )

    @scheduled(
        "refresh_today",
        REFRESH_TODAY,
        site.settings.refresh_cron,
        "Brings what is new of today (HEROBASE_REFRESH_CRON). A tick is left out while the last one's run goes on.",
    )
    def refresh_today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Refresh the running day."""
        if is_running(context.instance, site.called(REFRESH_TODAY)):
            return dg.SkipReason("The run of the last tick is not finished yet.")
        today = local_day(context.scheduled_execution_time, site.settings.zone)
        return too_early(today) or dg.RunRequest(partition_key=str(today))

    @scheduled(
        "close_yesterday",
        PULL_DAYS,
        "20 0 * * *",
        "Pulls yesterday whole, soon after midnight.",
    )
    def close_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Pull the day that has just ended."""
        yesterday = local_day(context.scheduled_execution_time, site.settings.zone) - dt.timedelta(days=1)
        return too_early(yesterday) or dg.RunRequest(partition_key=str(yesterday))

    @scheduled(
        "late_truth",
        PULL_DAYS,
        "40 2 * * *",
        f"Pulls the last {LATE_DAYS} days again, for what was settled or changed late.",
    )
    def late_truth(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Pull each of the last days again, the latest first."""
        today = local_day(context.scheduled_execution_time, site.settings.zone)
        if reason := too_early(today - dt.timedelta(days=1)):
            yield reason
        for back in range(1, LATE_DAYS + 1):
            if (day := today - dt.timedelta(days=back)) >= site.settings.start_date:
                yield dg.RunRequest(partition_key=str(day), run_key=site.called(f"late truth of {day} on {today}"))

    pull_lists = plain(
        "pull_lists", PULL_LISTS, "10 0 * * *", "Pulls units, users, campaigns, projects and the account once a day."
    )
    erase = plain(
        "erase",
        ERASE,
        "30 4 * * *",
        "Asks HeroBase once a day whom it has anonymized, erases them, and proves that all who were erased are gone.",
    )

    @scheduled(
        "retain",
        RETAIN,
        "50 4 * * *",
        "Deletes what is past its time by HEROBASE_KEEP_PRIVATE_DAYS and HEROBASE_KEEP_CALLS_DAYS.",
    )
    def retain(_: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Delete what is past its time."""
        if site.settings.keep_private_days is None and site.settings.keep_calls_days is None:
            return dg.SkipReason("All is kept: neither HEROBASE_KEEP_PRIVATE_DAYS nor HEROBASE_KEEP_CALLS_DAYS is set.")
        return dg.RunRequest()

    rebuild = plain(
        "rebuild",
        REBUILD,
        "10 5 * * 0",
        "Makes all derived tables anew on Sundays; the check rebuild_agrees says whether they were right before.",
    )
    deliver = dg.ScheduleDefinition(
        name=site.called("deliver"),
        job_name=site.called(DELIVER),
        cron_schedule="*/15 * * * *",
        execution_timezone=site.settings.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,  # until somebody has seen what it would send
        description="Sends what is planned, of the deliveries that are live. Off until it is switched on here.",
    )

    @scheduled(
        "report",
        REPORT,
        "30 6 * * 1",
        "Makes the reports and the workbook on Mondays, of the week that is over, before people come.",
    )
    def report(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Make the reports, once there is a week to report on."""
        from herobase_pipeline.reading.errors import NotLoadedError
        from herobase_pipeline.reading.weeks import known_in_full, sunday_before  # most ticks are of other schedules

        settings = site.load()
        sunday = sunday_before(local_day(context.scheduled_execution_time, settings.zone))
        try:
            known = known_in_full(with_leads=True, data_dir=settings.data_dir)
        except NotLoadedError:
            known = []
        if not any(sunday - dt.timedelta(weeks=5) < day <= sunday for day in known):
            return dg.SkipReason("Of no week that is over is a day loaded, so there is nothing to report on.")
        return dg.RunRequest()

    check = plain("check", CHECK, "5 6-20 * * *", "Looks hourly at what is wrong, also where nothing was pulled.")
    return [refresh_today, close_yesterday, late_truth, pull_lists, erase, retain, rebuild, deliver, report, check]
