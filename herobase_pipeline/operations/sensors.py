"""What is noticed: derived tables that are behind what was pulled, and what is wrong since the last look."""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg

from herobase_pipeline.assets.site import Site
from herobase_pipeline.deriving.following import followed_at
from herobase_pipeline.fields.projection import FIELDS_OF_LEADS
from herobase_pipeline.lake import gaps
from herobase_pipeline.lake.gone import gone_days
from herobase_pipeline.lake.layout import Lake, written
from herobase_pipeline.lake.store import is_newer
from herobase_pipeline.operations.dagster_internals import AssetJob
from herobase_pipeline.operations.jobs import (
    CHECK,
    COUNT_DAYS,
    COUNTED,
    DERIVE,
    FROM_ALL_DAYS,
    PULL_DAYS,
    READ_FIELDS,
    REBUILD,
    REFRESH_TODAY,
)
from herobase_pipeline.operations.schedules import UNFINISHED, is_running
from herobase_pipeline.partitions import stretches
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, HEALTH, LEAD_FIELDS, TABLES, VERSIONS, Table

CALM = dt.timedelta(seconds=30)
"""What is made from all days is made again at most so often: it costs what has changed since."""
PATIENCE = dt.timedelta(minutes=15)
"""The same while more is being pulled, as each day touches leads of the days before; and of what reads all leads."""
LOOK_AGAIN = dt.timedelta(minutes=2)
"""All is checked again at most so often, though a backfill writes a day every few seconds."""
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_AT_ONCE = 20  # runs of a tick; the next tick goes on


def sensors(site: Site, jobs: Sequence[AssetJob]) -> list[dg.SensorDefinition]:
    """Return what is noticed of a site, and which of its jobs then runs."""

    @dg.sensor(
        name=site.called("follow"),
        jobs=[job for job in jobs if job.name in map(site.called, (COUNT_DAYS, DERIVE, READ_FIELDS))],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes derived tables again that are older than what they are made from, also after a backfill of old days.",
    )
    def follow(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Ask for the days and tables that are behind; nothing while a run of theirs is under way."""
        lake = Lake(site.load().data_dir)
        if is_running(context.instance, site.called(COUNT_DAYS)):
            yield dg.SkipReason("Days are being counted.")
            return
        days = lake.days(CALLS)
        gone = gone_days(lake, CALLS)  # whose numbers stay as they are
        behind = [
            day
            for day in days
            if day not in gone and any(is_newer(lake.file(CALLS, day), lake.file(table, day)) for table in COUNTED)
        ]
        spans = _spans_being_counted(context.instance, site)
        behind = [day for day in behind if not any(first <= day <= last for first, last in spans)]
        if behind and not _failed_lately(context.instance, site.called(COUNT_DAYS)):
            for first, last in stretches(behind)[:_AT_ONCE]:
                yield dg.RunRequest(
                    job_name=site.called(COUNT_DAYS), tags=dict(zip(_RANGE, (str(first), str(last)), strict=True))
                )
            return
        why_not = _why_not_to_derive(context.instance, site, lake)
        wanted = [] if why_not else [site.called(DERIVE)]
        if _fields_are_behind(context.instance, site, lake):
            wanted.append(site.called(READ_FIELDS))
        yield from (dg.RunRequest(job_name=name) for name in wanted)
        if why_not and not wanted:
            yield dg.SkipReason(why_not)

    @dg.sensor(
        name=site.called("watch"),
        job_name=site.called(CHECK),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Checks all again, and says in health what is wrong, once something was written or a run has failed.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Ask for a look at everything where there is something new to see since the last one."""
        lake = Lake(site.load().data_dir)
        if is_running(context.instance, site.called(CHECK)):
            return dg.SkipReason("A look is under way.")
        last = context.instance.get_run_records(dg.RunsFilter(job_name=site.called(CHECK)), limit=1)
        # from its beginning on: what was written while it looked, it may not have seen
        looked = last[0].create_timestamp.timestamp() if last else _changed(lake, [HEALTH])
        if dt.datetime.now(dt.UTC).timestamp() - looked < LOOK_AGAIN.total_seconds():
            return dg.SkipReason("All was looked at just now.")
        changed = max(_changed(lake, [table for table in TABLES if table != HEALTH]), written(gaps.file(lake)))
        if changed <= looked and not _has_failed(context.instance, site, looked):
            return dg.SkipReason("Nothing has changed since the last look.")
        return dg.RunRequest()

    return [follow, watch]


def _spans_being_counted(instance: dg.DagsterInstance, site: Site) -> list[tuple[dt.date, dt.date]]:
    """Return the first and the last day of each run under way that counts its days itself, once it has pulled them."""
    outcomes, found = site.key(CALL_OUTCOMES), []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if outcomes in (run.asset_selection or ()) or run.job_name in (
            site.called(REFRESH_TODAY),
            site.called(PULL_DAYS),
        ):
            first, last = (run.tags.get(tag) or run.tags.get("dagster/partition") for tag in _RANGE)
            if first and last:
                found.append((dt.date.fromisoformat(first), dt.date.fromisoformat(last)))
    return found


def _why_not_to_derive(instance: dg.DagsterInstance, site: Site, lake: Lake) -> str | None:
    """Return why what is made from all days is not asked for now; None if it is."""
    if is_running(instance, site.called(DERIVE)) or is_running(instance, site.called(REBUILD)):
        return "Tables are being derived."
    if _failed_lately(instance, site.called(DERIVE)):
        return "Deriving has just failed; its run says why. It is tried again after a while."
    pulled, made = (
        _changed(lake, [CALLS, *VERSIONS, *COUNTED]),
        min(followed_at(lake, table) for table in FROM_ALL_DAYS),
    )
    if not lake.has(CALLS) or not any(map(lake.has, VERSIONS)) or pulled <= made:
        return "All is up to date."
    since = dt.datetime.now(dt.UTC).timestamp() - made
    if since < (PATIENCE if _is_pulling(instance, site) else CALM).total_seconds():
        return "Waits for what is being pulled."
    return None


def _failed_lately(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a job's last run has failed, not long ago: what a disk or a file is the cause of does not pass in seconds."""
    last = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
    waited = dt.datetime.now(dt.UTC).timestamp() - last[0].create_timestamp.timestamp() if last else 0.0
    return bool(last) and last[0].dagster_run.is_failure and waited < PATIENCE.total_seconds()


def _has_failed(instance: dg.DagsterInstance, site: Site, since: float) -> bool:
    """Whether a run that loads or makes something has failed since then."""
    ended = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    after = dt.datetime.fromtimestamp(since, dt.UTC)
    runs = instance.get_runs(dg.RunsFilter(statuses=ended, updated_after=after))
    return any(run.job_name != site.called(CHECK) and site.has_part_in(run) for run in runs)


def _fields_are_behind(instance: dg.DagsterInstance, site: Site, lake: Lake) -> bool:
    """Whether the declared fields are older than what they are read from, and were not tried lately, as they may be wrong."""
    last = instance.get_run_records(dg.RunsFilter(job_name=site.called(READ_FIELDS)), limit=1)
    tried = last[0].create_timestamp.timestamp() if last else 0.0
    waited = dt.datetime.now(dt.UTC).timestamp() - max(tried, _changed(lake, [LEAD_FIELDS])) > PATIENCE.total_seconds()
    return waited and _changed(lake, FIELDS_OF_LEADS) > _changed(lake, [LEAD_FIELDS])


def _is_pulling(instance: dg.DagsterInstance, site: Site) -> bool:
    """Whether more is about to come: days are being pulled, other than today."""
    no_pulls = (site.called(CHECK), site.called(DERIVE), site.called(READ_FIELDS), site.called(REFRESH_TODAY))
    return any(
        run.job_name not in no_pulls and site.has_part_in(run)
        for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    )


def _changed(lake: Lake, tables: Sequence[Table]) -> float:
    """When the latest of some tables' files was written; 0 where there is none."""
    return max((written(path) for table in tables for path in lake.footers(table)), default=0.0)
