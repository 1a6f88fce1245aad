"""The assets that are pulled from HeroBase: calls and lead versions by day, the small lists whole."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg

from herobase_pipeline.assets.days import CHUNKS
from herobase_pipeline.assets.describing import POOL, spec
from herobase_pipeline.assets.sources import service_of, source_of
from herobase_pipeline.assets.waiting import done_before, foretell, wait_for_quota
from herobase_pipeline.herobase.client import HeroBase, Record
from herobase_pipeline.herobase.errors import HeroBaseError, NotFoundError, QuotaSpentError, RightMissingError
from herobase_pipeline.herobase.organisation import flat
from herobase_pipeline.lake import catalogue
from herobase_pipeline.lake.landing import UnreadableError
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.pulling.days import Pulled, ShrunkError, pull_calls, pull_list, pull_simple_leads
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import (
    ACCOUNT,
    CALL_PHONES,
    CALLS,
    CAMPAIGNS,
    LEAD_DATA,
    ORG_UNITS,
    PROJECTS,
    SIMPLE_LEADS,
    USERS,
    Table,
)

PullDay = Callable[[dt.date, HeroBase, Lake, Settings], Pulled]
Results = Iterator[dg.MaterializeResult[None]]
ACCEPT_SHRUNK = "herobase/accept_shrunk"  # run tag by which an operator says that a day may lose calls
REFRESH = "herobase/refresh"  # run tag of the runs that ask only for what is new
SettingsResource = dg.ResourceParam[Settings]


@dg.multi_asset(
    specs=[spec(table, group="calls", deps=[source_of(table)]) for table in (CALLS, CALL_PHONES)],
    can_subset=True,
    pool=POOL,
    backfill_policy=CHUNKS,
)
def calls(context: dg.AssetExecutionContext, settings: SettingsResource) -> Results:
    """Pull the calls of each day of the run, and the private table of their numbers with them."""
    accept_shrunk, refresh = (context.run.tags.get(tag) == "true" for tag in (ACCEPT_SHRUNK, REFRESH))
    pull_day = partial(pull_calls, accept_shrunk=accept_shrunk, refresh=refresh)
    yield from _pull_days(context, settings, (CALLS, CALL_PHONES), pull_day)


@dg.multi_asset(
    specs=[spec(table, group="leads", deps=[source_of(table)]) for table in (SIMPLE_LEADS, LEAD_DATA)],
    can_subset=True,
    pool=POOL,
    backfill_policy=CHUNKS,
)
def simple_leads(context: dg.AssetExecutionContext, settings: SettingsResource) -> Results:
    """Pull the lead versions of each day of the run, and the private table of their fields with them."""
    refresh = context.run.tags.get(REFRESH) == "true"
    yield from _pull_days(context, settings, (SIMPLE_LEADS, LEAD_DATA), partial(pull_simple_leads, refresh=refresh))


def _pull_days(
    context: dg.AssetExecutionContext, settings: Settings, tables: Sequence[Table], pull_day: PullDay
) -> Results:
    """Pull each day of the run; days that were finished before another failed are recorded as done.

    Where the account's daily quota is spent the step ends, and goes on by itself with the rest once the quota starts anew.
    """
    client, lake, service = herobase(settings), Lake(settings.data_dir), service_of(tables[0])
    if resets_at := client.budget.spent_until(service):
        raise wait_for_quota(context, client, service, resets_at)
    before = done_before(context, tables)
    # a refresh says nothing of the quota, which would double its requests
    is_refresh = context.run.tags.get(REFRESH) == "true"
    left = None if is_refresh else foretell(context, client, service, len(context.partition_keys) - len(before))
    asked_before = client.budget.requests.get(service, 0)
    done: dict[str, dict[Table, dict[str, Any]]] = {}
    for key in context.partition_keys:
        if key in before:
            continue
        try:
            pulled = pull_day(dt.date.fromisoformat(key), client, lake, settings)
        except (HeroBaseError, UnreadableError, ShrunkError) as error:
            for table in tables:
                _record(context, table, done)
            catalogue.refresh(lake, settings.zone)
            if isinstance(error, QuotaSpentError):
                raise wait_for_quota(context, client, service, error.resets_at) from error
            raise dg.Failure(f"{key} was not loaded. {error}", allow_retries=False) from error
        quota = {} if left is None else {"quota_left": left - client.budget.requests[service] + asked_before}
        done[key] = {table: _metadata(table, pulled) | quota for table in tables}
        context.log.info(f"{key}: {pulled.rows} from {pulled.requests} requests")
    catalogue.refresh(lake, settings.zone)
    for table in tables:
        asset = dg.AssetKey(table.key)
        if asset in context.selected_asset_keys:
            for key in context.partition_keys:
                metadata = done[key][table] if key in done else before[key][asset]
                context.add_asset_metadata(metadata, asset_key=asset, partition_key=key)
            yield dg.MaterializeResult(asset_key=asset)
        else:  # the two are always written together, so both are told
            _record(context, table, done)


def _record(
    context: dg.AssetExecutionContext, table: Table, done: Mapping[str, Mapping[Table, Mapping[str, Any]]]
) -> None:
    for key, metadata in done.items():
        context.log_event(dg.AssetMaterialization(dg.AssetKey(table.key), partition=key, metadata=metadata[table]))


def _metadata(table: Table, pulled: Pulled) -> dict[str, Any]:
    """Return the numbers of one day that the UI shows and plots."""
    told: dict[str, Any] = {
        "dagster/partition_row_count": pulled.rows[table.name],
        "requests": pulled.requests,
        "bytes": pulled.bytes,
        "seconds": pulled.seconds,
        "unreadable_values": pulled.unreadable,
    }
    if pulled.lag_s is not None:
        told["lag_s"] = pulled.lag_s
    if table is CALLS:
        told["calls_without_hierarchy"] = pulled.without_org
        if pulled.org_field is not None:
            told["hierarchy_field"] = pulled.org_field or "(none)"
    return told


def _list_asset(table: Table, records: Callable[[HeroBase], Sequence[Record]]) -> dg.AssetsDefinition:
    """Return the asset of a list that is pulled whole and kept by the day of the pull."""

    @dg.multi_asset(
        name=table.name, specs=[spec(table, group="directory", deps=[source_of(table)], partitioned=False)], pool=POOL
    )
    def pull_whole(settings: SettingsResource) -> dg.MaterializeResult[None]:
        lake = Lake(settings.data_dir)
        try:
            rows = pull_list(table, records(herobase(settings)), lake, settings)
        except HeroBaseError as error:
            raise dg.Failure(f"{table.name} was not loaded. {error}", allow_retries=False) from error
        catalogue.refresh(lake, settings.zone)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows})

    return pull_whole


def _account(client: HeroBase) -> list[Record]:
    """Return the account's record with its limits and counts, where it may read them."""
    record = client.account()
    for name, ask in (("limits", client.request_limits), ("counts", client.request_counts)):
        try:
            record[name] = ask()
        except (RightMissingError, NotFoundError):
            record[name] = None
    return [record]


LISTS = [
    _list_asset(ORG_UNITS, lambda client: list(flat(client.org_units()))),
    _list_asset(USERS, lambda client: client.users()),
    _list_asset(CAMPAIGNS, lambda client: client.campaigns()),
    _list_asset(PROJECTS, lambda client: client.projects()),
    _list_asset(ACCOUNT, _account),
]
