"""The assets that are pulled from HeroBase, one for each service: daily data by day, the small lists whole."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from herobase_pipeline.assets.daily_quota import done_before, foretell, wait_for_quota
from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.sources import source_key
from herobase_pipeline.assets.specs import spec
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.erasing.procedure import NotErasedError, erase
from herobase_pipeline.herobase.client import Record
from herobase_pipeline.herobase.errors import HeroBaseError, NotFoundError, QuotaSpentError
from herobase_pipeline.lake import catalogue
from herobase_pipeline.lake.damage import DamagedError, name_of, without_damaged
from herobase_pipeline.lake.disk import DiskError
from herobase_pipeline.lake.landing import UnreadableError
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.pulling.account_page import page
from herobase_pipeline.pulling.calls import ShrunkError
from herobase_pipeline.pulling.day import Mode, Pulled, Pulling
from herobase_pipeline.pulling.examination import State, examine
from herobase_pipeline.pulling.lists import pull_list
from herobase_pipeline.pulling.overlap import overlapped
from herobase_pipeline.pulling.services import ACCOUNT_SERVICE, DAY_SERVICES, LIST_SERVICES, DayService, ListService
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import ACCOUNT, UNREADABLE, Table

Results = Iterator[dg.MaterializeResult[None]]
ACCEPT_SHRUNK = "herobase/accept_shrunk"  # run tag by which an operator says that a day may lose calls
REFRESH = "herobase/refresh"  # run tag of the runs that ask only for what is new
WHOLE_DAYS = "herobase/whole_days"  # run tag of those that pull days whole: of a site one at a time
WHOLE_DAY = "the whole day"


def _day_asset(site: Site, service: DayService) -> dg.AssetsDefinition:
    """Return the asset of a service that is asked by day; its tables are always written together."""

    @dg.multi_asset(
        name=site.called(service.tables[0].name),
        specs=[
            spec(
                site,
                table,
                group=service.group,
                deps=[source_key(site, service)],
                skippable=service.named_by is not None,
            )
            for table in service.tables
        ],
        can_subset=True,
        pool=site.pool,
        backfill_policy=site.chunks,
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def pull_by_day(context: dg.AssetExecutionContext, settings: Settings) -> Results:
        yield from _pull_days(context, site, settings, service)

    return pull_by_day


def _pull_days(context: dg.AssetExecutionContext, site: Site, settings: Settings, service: DayService) -> Results:
    """Pull each day of the run; days that were finished before another failed are recorded as done.

    Where the account's daily quota is spent the step ends, and goes on by itself with the rest once the quota starts anew.
    """
    if not service.is_wanted(settings):
        named_by = f"HEROBASE_{str(service.named_by).upper()}"
        context.log.warning(
            f"{named_by} is not set, so nothing was asked for and nothing is loaded. Set it, and run this again."
        )
        return
    lake, client, tables = own_lake(settings), herobase(settings), service.tables
    mode = Mode(*(context.run.tags.get(tag) == "true" for tag in (REFRESH, ACCEPT_SHRUNK)))
    if resets_at := client.budget.spent_until(service.quota):
        raise wait_for_quota(context, client, service.quota, resets_at)
    before = done_before(context, [site.key(table) for table in tables])
    # a refresh says nothing of the quota, which would double its requests
    left = None if mode.refresh else foretell(context, client, service.quota, len(context.partition_keys) - len(before))
    keys = [key for key in context.partition_keys if key not in before]
    damaged: dict[str, dict[str, Any]] = {}

    def pulling(key: str) -> Pulling:
        day = dt.date.fromisoformat(key)
        undamaged = without_damaged(lake, tables, [day])
        damaged[key] = _told_damaged(context, undamaged)
        return (yield from service.pull(day, client, undamaged, settings, mode))

    done: dict[str, dict[Table, dict[str, Any]]] = {}
    try:
        with closing(overlapped(map(pulling, keys))) as pulls:
            for key, pulled in zip(keys, pulls, strict=True):
                left = None if left is None else left - pulled.of_quota
                shown = damaged[key] | ({} if left is None else {"quota_left": left})
                done[key] = {table: _metadata(service, table, pulled, settings.zone) | shown for table in tables}
                context.log.info(f"{key}: {pulled.rows} from {pulled.requests} requests")
    except (HeroBaseError, UnreadableError, ShrunkError, DiskError, DamagedError) as error:
        _forget(context, lake, settings, done)
        for table in tables:
            _record(context, site.key(table), table, done)
        catalogue.refresh(lake, settings.zone)
        if isinstance(error, QuotaSpentError):
            raise wait_for_quota(context, client, service.quota, error.resets_at) from error
        raise dg.Failure(f"{keys[len(done)]} was not loaded. {error}", allow_retries=False) from error
    _forget(context, lake, settings, done)
    catalogue.refresh(lake, settings.zone)
    for table in tables:
        asset = site.key(table)
        if asset in context.selected_asset_keys:
            for key in context.partition_keys:
                metadata = done[key][table] if key in done else before[key][asset]
                context.add_asset_metadata(metadata, asset_key=asset, partition_key=key)
            yield dg.MaterializeResult(asset_key=asset)
        else:  # they are always written together, so each is recorded
            _record(context, asset, table, done)


def _told_damaged(context: dg.AssetExecutionContext, lake: Lake) -> dict[str, Any]:
    """Say which files of a day are damaged, and are pulled anew as if they were not there; return what is shown."""
    found = ", ".join(sorted(name_of(lake, path) for path in lake.hidden))
    if not found:
        return {}
    context.log.warning(f"Damaged on the disk, and pulled anew: {found}.")
    return {"damaged_files": found}


def _forget(context: dg.AssetExecutionContext, lake: Lake, settings: Settings, days: Collection[str]) -> None:
    """Erase the leads that HeroBase calls Anonymized in the days that were pulled, from all days (docs/privacy.md)."""
    try:
        erased = erase(lake, settings.zone, days=[dt.date.fromisoformat(day) for day in days])
    except NotErasedError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if erased.persons:
        context.log.info(
            f"{erased.persons} persons whom HeroBase anonymized were erased; {erased.files} files rewritten."
        )


def _record(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    table: Table,
    done: Mapping[str, Mapping[Table, Mapping[str, Any]]],
) -> None:
    for day, metadata in done.items():
        context.log_event(dg.AssetMaterialization(key, partition=day, metadata=metadata[table]))


def _metadata(service: DayService, table: Table, pulled: Pulled, zone: ZoneInfo) -> dict[str, Any]:
    """Return the numbers of one day that the UI shows and plots, and whether it is loaded whole."""
    shown: dict[str, Any] = {
        "loaded": f"in part, until {pulled.until.astimezone(zone):%Y-%m-%d %H:%M}" if pulled.until else WHOLE_DAY,
        "dagster/partition_row_count": pulled.rows[table.name],
        "requests": pulled.requests,
        "bytes": pulled.bytes,
        "seconds": pulled.seconds,
        "unreadable_values": sum(pulled.unreadable.values()),
        **{f"unreadable/{field}": number for field, number in pulled.unreadable.items()},
        **pulled.account.shown(),
    }
    if reasons := pulled.account.set_aside:
        shown["set_aside_reasons"] = dg.MetadataValue.md("\n".join(f"* {n} {why}" for why, n in reasons.most_common()))
    if pulled.lag_s is not None:
        since = "the newest record" if pulled.until else "the end of the day"
        shown |= {"pulled": f"{_in_words(pulled.lag_s)} after {since}", "lag_s": pulled.lag_s}
    return shown | (dict(pulled.details) if table is service.tables[0] else {})


def _in_words(seconds: int) -> str:
    """Return a length of time as people say it: 9 h 29 min."""
    hours, minutes = divmod(round(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "less than a minute"


def _list_asset(site: Site, service: ListService) -> dg.AssetsDefinition:
    """Return the asset of a list that is pulled whole and kept by the day of the pull; its tables are always written together."""
    specs = [
        spec(site, table, group="directory", deps=[source_key(site, service)], partitioned=False)
        for table in service.tables
    ]

    @dg.multi_asset(
        name=site.called(service.table.name),
        specs=specs,
        can_subset=len(specs) > 1,
        pool=site.pool,
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def pull_whole(context: dg.AssetExecutionContext, settings: Settings) -> Results:
        lake, client = own_lake(settings), herobase(settings)
        unknown: dict[str, Any] = {}
        try:
            records: Sequence[Record] = service.records(client)
        except HeroBaseError as error:
            if not (service.may_be_missing and isinstance(error, NotFoundError)):
                raise dg.Failure(f"{service.table.name} was not loaded. {error}", allow_retries=False) from error
            context.log.info(f"This HeroBase knows no /{service.name} (404), so the list is empty.")
            records, unknown = [], {"service": f"this HeroBase knows no /{service.name} (404)"}
        aside = [
            record._replace(text="(withheld)") if service.holds_secrets else record for record in client.unreadable
        ]
        rows = pull_list(service.name, service.tables, records, aside, lake, settings)
        catalogue.refresh(lake, settings.zone)
        for table in service.tables:
            asset = site.key(table)
            shown = {"dagster/row_count": rows[table.name], "records_set_aside": len(client.unreadable), **unknown}
            if asset in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=asset, metadata=shown)
            else:
                context.log_event(dg.AssetMaterialization(asset, metadata=shown))

    return pull_whole


def _account_asset(site: Site) -> dg.AssetsDefinition:
    """Return the asset of the account itself."""

    @dg.multi_asset(
        name=site.called(ACCOUNT.name),
        specs=[spec(site, ACCOUNT, group="directory", deps=[source_key(site, ACCOUNT_SERVICE)], partitioned=False)],
        pool=site.pool,
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def account(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        """Ask each service once, and keep the account's own record."""
        lake = own_lake(settings)
        try:
            examination, record = examine(herobase(settings, attempts=1), settings)
        except HeroBaseError as error:
            raise dg.Failure(f"{ACCOUNT.name} was not loaded. {error}", allow_retries=False) from error
        shown = page(examination)
        if (state := examination.state(ACCOUNT_SERVICE.name)) is not State.WORKS:
            ask_support = "Ask HeroBase's support to grant the web-service account GET on Account"
            raise dg.Failure(
                f"{ACCOUNT.name} was not loaded. myaccount: {state}. "
                f"{ask_support if state is State.NO_RIGHT else 'Run it again later'}; what the account gives all the same is in "
                "the metadata of this failure.",
                metadata={"examination": dg.MetadataValue.md(shown)},
                allow_retries=False,
            )
        rows = pull_list(ACCOUNT_SERVICE.name, ACCOUNT_SERVICE.tables, [record], [], lake, settings)
        catalogue.refresh(lake, settings.zone)
        context.log.info(f"Examined with {examination.requests} requests; the page is in the metadata.")
        missing = sum(each.state is State.NO_RIGHT for each in examination.asked)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows[ACCOUNT.name],
                "examination": dg.MetadataValue.md(shown),
                "rights_missing": missing,
                "requests": examination.requests,
            }
        )

    return account


def pulled(site: Site) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return what is pulled of a site, and what the runs that pull write beside it."""
    services = (*DAY_SERVICES, *LIST_SERVICES)
    return [
        *(_day_asset(site, service) for service in DAY_SERVICES),
        *(_list_asset(site, service) for service in LIST_SERVICES),
        _account_asset(site),
        spec(site, UNREADABLE, group="directory", deps=[source_key(site, service) for service in services]),
    ]
