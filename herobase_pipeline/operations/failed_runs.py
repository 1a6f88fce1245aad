"""Runs that failed for good, and whose work no later run has done: what Dagster's list of runs does not tell at a glance."""

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

import dagster as dg
import msgspec

from herobase_pipeline.operations.dagster_internals import BACKFILL, RETRIED_BY, WILL_RETRY
from herobase_pipeline.operations.rules import Look, failure
from herobase_pipeline.partitions import local_day

SETTLED = dt.timedelta(minutes=1)  # Dagster says after a failure that it will make the run again, in some seconds
FORGOTTEN = dt.timedelta(minutes=15)  # what Dagster was to make again, and `recover` has reminded it of
LOOKBACK = dt.timedelta(days=7)  # failed runs of before the first look
_OVERLAP = dt.timedelta(minutes=5)  # between two looks, for what was stored late
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_OF_DAYS = ("dagster/partition", *_RANGE)
_NAMED = 3  # assets of a run that was started by hand


class Failed(msgspec.Struct):
    """The latest failure of a run, of those of one job or selection for the same days.

    Attributes:
        run_id: the run.
        created: when it was.
        since: when the first of them failed.
        group: what it is told together with: a backfill's runs, and those of one job that failed first on one day.
        days: the days that it was for; none where it has no partition.
        is_final: whether Dagster did not make it again, or one before it.

    """

    run_id: str
    created: dt.datetime
    since: dt.datetime
    group: str
    days: list[dt.date] = []
    is_final: bool = False


class Group(NamedTuple):
    """Failed runs that are told together: a right that is missing fails all that a night pulls.

    Attributes:
        key: what it is known by as long as it lasts.
        name: the job, or the assets.
        sentence: what the latest says.
        days: the days that they were for.
        run_ids: the runs.
        since: when the first failed.

    """

    key: str
    name: str
    sentence: str
    days: list[dt.date]
    run_ids: list[str]
    since: dt.datetime


def failed_for_good(look: Look, known: dict[str, Failed], seen: dt.datetime | None) -> list[Group]:
    """Return the runs of a site that failed for good.

    Args:
        look: the site, and Dagster's memory.
        known: the failures that no later run has made good, as of the last look; brought up to date.
        seen: when the last look was; None at the first.

    """
    now = dt.datetime.now(dt.UTC)  # Dagster's clock
    since = seen - _OVERLAP if seen else now - LOOKBACK
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    for record in look.instance.get_run_records(failed, ascending=True):
        if look.site.has_part_in(record.dagster_run):
            _remember(look, known, record)
    groups: dict[str, list[tuple[Failed, dg.DagsterRun]]] = {}
    for thing, each in list(known.items()):
        found = look.instance.get_run_record_by_id(each.run_id)
        if found is None or _is_made_good(look.instance, found):
            del known[thing]
            continue
        each.is_final = each.is_final or _is_final(found, now)
        groups.setdefault(each.group, []).append((each, found.dagster_run))
    return [_group(look.instance, key, runs) for key, runs in groups.items() if any(each.is_final for each, _ in runs)]


def _remember(look: Look, known: dict[str, Failed], record: dg.RunRecord) -> None:
    run, ended = record.dagster_run, _ended(record)
    name = _called(look.instance, run)
    thing = "|".join([name, *_days_by_tag(run).values()])
    before = known.get(thing)
    if before is None:
        day = local_day(ended, look.settings.zone)
        group = f"backfill {run.tags[BACKFILL]}" if BACKFILL in run.tags else f"{name} of {day}"
        known[thing] = Failed(run.run_id, record.create_timestamp, ended, group, _days_of(run))
    elif record.create_timestamp >= before.created:
        before.run_id, before.created = run.run_id, record.create_timestamp


def _called(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Return what a run is called: its job, or the assets or checks of one that was started by hand."""
    if not run.job_name.startswith("__"):
        return run.job_name
    assets = sorted({key.to_user_string() for key, _ in _planned(instance, run)})
    checks = sorted(f"{key.name} of {key.asset_key.to_user_string()}" for key in run.asset_check_selection or ())
    return ", ".join(assets or checks) or run.job_name


def _planned(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[tuple[dg.AssetKey, str | None]]:
    """Yield what a run was to make: assets, each with a partition where it has some."""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED):
        planned = entry.get_dagster_event().asset_materialization_planned_data
        days = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [planned.partition]
        yield from ((planned.asset_key, day) for day in days)


def _days_by_tag(run: dg.DagsterRun) -> dict[str, str]:
    """Return the tags that say which days a run is for."""
    return {tag: run.tags[tag] for tag in _OF_DAYS if tag in run.tags}


def _days_of(run: dg.DagsterRun) -> list[dt.date]:
    """Return the days that a run is for."""
    first, last = (run.tags.get(tag) or run.tags.get("dagster/partition") for tag in _RANGE)
    if not first or not last:
        return []
    start, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    return [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]


def _ended(record: dg.RunRecord) -> dt.datetime:
    return dt.datetime.fromtimestamp(record.end_time, dt.UTC) if record.end_time else record.create_timestamp


def _is_final(record: dg.RunRecord, now: dt.datetime) -> bool:
    """Whether Dagster will not make a failed run again; just after its end nobody knows."""
    tags, age = record.dagster_run.tags, now - _ended(record)
    if RETRIED_BY in tags:  # the end of that one decides
        return False
    return age >= (FORGOTTEN if tags.get(WILL_RETRY) == "true" else SETTLED)


def _is_made_good(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether a later run of the same has succeeded, or all that the failed one was to make was made since."""
    run, since = record.dagster_run, record.create_timestamp
    later = dg.RunsFilter(
        job_name=run.job_name,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        tags=_days_by_tag(run),
        created_after=since,
    )
    is_named = not run.job_name.startswith("__")
    for each in instance.get_runs(later, limit=100):
        if is_named or (run.asset_check_selection and each.asset_check_selection == run.asset_check_selection):
            return True
    by_another = False
    for asset, day in _planned(instance, run):
        made = dg.AssetRecordsFilter(asset, [day] if day else None, after_timestamp=since.timestamp())
        latest = instance.fetch_materializations(made, limit=1).records
        if not latest:
            return False
        by_another = by_another or latest[0].run_id != run.run_id
    return by_another


def _group(instance: dg.DagsterInstance, key: str, runs: list[tuple[Failed, dg.DagsterRun]]) -> Group:
    latest, run = max(runs, key=lambda each: each[0].created)
    names = _called(instance, run).split(", ")
    name = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return Group(
        key,
        f"a backfill of {name}" if BACKFILL in run.tags else name,
        failure(instance, latest.run_id)[1],
        sorted({day for each, _ in runs for day in each.days}),
        [each.run_id for each, _ in runs],
        min(each.since for each, _ in runs),
    )
