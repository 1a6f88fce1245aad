"""Why a published number changed: whose runs brought what it is made from."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from herobase_pipeline.assets.site import Site
from herobase_pipeline.tables import Table

_LAUNCHED_BY = {
    "dagster/backfill": "backfill",
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
}
_MANY = 1_000


def cause(
    context: dg.AssetExecutionContext, site: Site, table: Table, pulled: Sequence[Table], day: str | None = None
) -> str:
    """Return in words what a run of a derived table has that the run before had not.

    Args:
        context: the run's.
        site: whose tables they are.
        table: the derived table.
        pulled: the pulled tables that it is made from, by way of others too.
        day: the day, for a table by day.

    """
    days = [day] if day else None
    before = _records(context.instance, site.key(table), days, limit=1)
    after = before[0].storage_id if before else None
    new = {source.name: _records(context.instance, site.key(source), days, after, _MANY) for source in pulled}
    names = [name for name, records in new.items() if records]
    if not names:
        return f"made anew from the same {' and '.join(new)}"
    runs_of_it = {record.run_id for records in new.values() for record in records}
    launches = Counter(_launch(context.instance, run) for run in runs_of_it)
    told = ", ".join(f"{how} ({runs} runs)" if runs > 1 else how for how, runs in launches.most_common())
    return f"{' and '.join(names)} pulled by {told}"


def _records(
    instance: dg.DagsterInstance, key: dg.AssetKey, days: Sequence[str] | None, after: int | None = None, limit: int = 1
) -> Sequence[dg.EventLogRecord]:
    wanted = dg.AssetRecordsFilter(key, asset_partitions=days, after_storage_id=after)
    return instance.fetch_materializations(wanted, limit=limit).records


def _launch(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return what launched a run, as the UI calls it."""
    run = instance.get_run_by_id(run_id)
    tags = run.tags if run else {}
    return next(_by(tags), "hand")


def _by(tags: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{what} {tags[tag]}" for tag, what in _LAUNCHED_BY.items() if tag in tags)
