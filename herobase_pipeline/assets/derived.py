"""The assets that are made from other tables."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from herobase_pipeline.assets import pictures
from herobase_pipeline.assets.causes import cause
from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.pulled import REFRESH, WHOLE_DAY
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.specs import spec
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.deriving.by_day import derive_by_day
from herobase_pipeline.deriving.history import derive_history
from herobase_pipeline.deriving.leads import derive_leads
from herobase_pipeline.deriving.rebuilding import rebuild
from herobase_pipeline.deriving.restating import Run
from herobase_pipeline.deriving.session import Derived, NotDerivedError
from herobase_pipeline.deriving.sources import Source, tables_of
from herobase_pipeline.deriving.tables import derive, derive_days
from herobase_pipeline.erasing.looked import days_to_look_at
from herobase_pipeline.erasing.procedure import NotErasedError, erase
from herobase_pipeline.lake import catalogue
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import (
    AGENT_DAYS,
    AGENT_RATES,
    CALL_HOURS,
    CALL_OUTCOMES,
    CALLS,
    COHORT_RATES,
    CONVERSION_RATES,
    CUMULATIVE_INCIDENCE,
    DROP_RATES,
    HOUR_RATES,
    KNOWN_DAYS,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEADS,
    LOADED_DAYS,
    METRIC_REGISTRY,
    ORG_HISTORY,
    OUTCOME_RATES,
    POOL_RATES,
    RESTATEMENTS,
    VERSIONS,
    Table,
)
from herobase_pipeline.tables.drops import regimes
from herobase_pipeline.tables.metrics import DROPS, version
from herobase_pipeline.tables.rates import registry

ANEW = "herobase/anew"
"""A run with this tag makes its tables anew from all days, whatever has changed."""


def _counted(site: Site, table: Table) -> dg.AssetsDefinition:
    """Return the asset of a table that counts the calls of each day."""

    @dg.multi_asset(
        name=site.called(table.name),
        specs=[spec(site, table, group="counts", deps=[CALLS])],
        backfill_policy=site.chunks,
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def count(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        """Count the calls of each day of the run, all days in one query."""
        lake = own_lake(settings)
        days = [dt.date.fromisoformat(key) for key in context.partition_keys]
        try:
            run = Run(context.run.run_id, lambda day: cause(context, site, table, [CALLS], str(day)))
            made = derive_days(lake, settings.zone, table, [CALLS], days, run)
        except NotDerivedError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        catalogue.refresh(lake, settings.zone)
        for day, derived in made.items():
            metadata: dict[str, Any] = {"loaded": WHOLE_DAY if derived.is_whole else "in part"}
            if table is CALL_OUTCOMES and day == days[-1]:
                metadata |= _pictures_of_outcomes(context, site, lake, settings, day)
            metadata |= {"dagster/partition_row_count": derived.rows, "restated_numbers": derived.restated}
            context.add_asset_metadata(metadata, partition_key=str(day))
        _tell_restated(context, site, sum(derived.restated for derived in made.values()))
        return dg.MaterializeResult()

    return count


def _pictures_of_outcomes(
    context: dg.AssetExecutionContext, site: Site, lake: Lake, settings: Settings, day: dt.date
) -> dict[str, Any]:
    """Return the pictures of the days up to this one; a refresh of today repeats yesterday's, which ended with the same day."""
    if context.run.tags.get(REFRESH) == "true":
        return _shown_before(context, site, day - dt.timedelta(days=1))
    teams = pictures.teams(lake, CALL_OUTCOMES, "contact_rate_per_dial", settings.teams)
    return teams | pictures.outcomes(lake, day, _shown_before(context, site, day))


def _shown_before(context: dg.AssetExecutionContext, site: Site, day: dt.date) -> dict[str, Any]:
    """Return the pictures that were shown last of a day of call_outcomes."""
    asked = dg.AssetRecordsFilter(site.key(CALL_OUTCOMES), [str(day)])
    made = context.instance.fetch_materializations(asked, limit=1).records
    return pictures.of_runs_before(
        made[0].asset_materialization.metadata if made and made[0].asset_materialization else {}
    )


def _followed(
    site: Site,
    table: Table,
    group: str,
    sources: Sequence[Source],
    make: Callable[[Lake, ZoneInfo, Run, bool], Derived],
    picture: Callable[[Lake, Settings], dict[str, Any]] | None = None,
) -> dg.AssetsDefinition:
    """Return the asset of a table that is made from all days; ``make`` is told whether everything is to be made anew."""

    @dg.multi_asset(
        name=site.called(table.name),
        specs=[spec(site, table, group=group, deps=tables_of(*sources))],
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def derive_whole(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        lake = own_lake(settings)
        try:
            if table.identifies:  # whom HeroBase anonymized in what it is made from, where nobody has looked yet
                erase(lake, settings.zone, days=days_to_look_at(lake))
            pulled = [source for source in (*VERSIONS, CALLS) if lake.has(source)]
            why = cache(lambda: cause(context, site, table, pulled))
            run = Run(context.run.run_id, lambda _: why())
            if context.run.tags.get(ANEW) == "true":
                derived = rebuild(lake, settings.zone, table, lambda anew: make(lake, settings.zone, run, anew))
            else:
                derived = make(lake, settings.zone, run, False)
        except (NotDerivedError, NotErasedError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        catalogue.refresh(lake, settings.zone)
        _tell_restated(context, site, derived.restated)
        metadata: dict[str, Any] = {}
        if picture:
            metadata |= _drawn_before(context, site.key(table), settings, derived) or picture(lake, settings)
            metadata["whole_days"] = derived.whole_days
        metadata |= {"dagster/row_count": derived.rows, "restated_numbers": derived.restated}
        metadata |= {f"versions_from_{name}": versions for name, versions in derived.versions.items()}
        return dg.MaterializeResult(metadata=metadata)

    return derive_whole


def _drawn_before(
    context: dg.AssetExecutionContext, key: dg.AssetKey, settings: Settings, derived: Derived
) -> dict[str, Any]:
    """Return the last pictures of a table, if no day has become whole since, and no published number or team has changed."""
    event = context.instance.get_latest_materialization_event(key)
    metadata = event.asset_materialization.metadata if event and event.asset_materialization else {}
    before = metadata.get("whole_days")
    is_same = before is not None and before.value == derived.whole_days and not derived.restated
    drawn = pictures.of_runs_before(metadata)
    return drawn if is_same and pictures.teams_in(drawn) == {team.casefold() for team in settings.teams} else {}


def _whole(
    site: Site, table: Table, group: str, sources: Sequence[Source], params: Mapping[str, Any] | None = None
) -> dg.AssetsDefinition:
    """Return the asset of a table that is small, and made from all that its sources hold once one is another."""
    return _followed(
        site,
        table,
        group,
        sources,
        lambda lake, zone, run, anew: derive(lake, zone, table, sources, params, run, anew=anew),
    )


def _by_day(
    site: Site, table: Table, group: str, picture: Callable[[Lake, Settings], dict[str, Any]] | None = None
) -> dg.AssetsDefinition:
    """Return the asset of a table that counts leads by a day of theirs."""
    return _followed(
        site,
        table,
        group,
        [LEADS],
        lambda lake, zone, run, anew: derive_by_day(lake, zone, table, run, anew=anew),
        picture,
    )


def _pictures_of_conversion(lake: Lake, settings: Settings) -> dict[str, Any]:
    """Return the pictures of closings, of the teams that a setting names and of everything."""
    return pictures.teams(lake, LEAD_CONVERSION, "conversion_net", settings.teams) | pictures.conversion(lake)


def _agents(site: Site) -> dg.AssetsDefinition:
    """Return the asset of what each agent did."""
    return _followed(
        site,
        AGENT_DAYS,
        "counts",
        [LEADS, CALLS],
        lambda lake, zone, run, anew: derive_by_day(
            lake, zone, AGENT_DAYS, run, day_of_leads="closed_date", with_calls=True, anew=anew
        ),
    )


def _tell_restated(context: dg.AssetExecutionContext, site: Site, numbers: int) -> None:
    if numbers:
        context.log_event(dg.AssetMaterialization(site.key(RESTATEMENTS), metadata={"restated_numbers": numbers}))
        context.log.warning(f"{numbers} published numbers changed; which, stands in {RESTATEMENTS.name}.")


def derived(site: Site) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return what is made of a site's tables, and the views that are computed as they are read."""
    return [
        _counted(site, CALL_OUTCOMES),
        _counted(site, CALL_HOURS),
        _followed(
            site,
            LEADS,
            "lead_records",
            [VERSIONS, CALLS],
            lambda lake, zone, _, anew: derive_leads(lake, zone, anew=anew),
        ),
        _by_day(site, LEAD_CONVERSION, "counts", _pictures_of_conversion),
        _by_day(site, LEAD_COHORTS, "counts"),
        _agents(site),
        _whole(site, CUMULATIVE_INCIDENCE, "counts", [LEADS]),
        _whole(site, DROP_RATES, "counts", [CALL_OUTCOMES], {"regimes": regimes(), "version": version(DROPS)}),
        _followed(
            site, ORG_HISTORY, "directory", [CALLS], lambda lake, zone, _, anew: derive_history(lake, zone, anew=anew)
        ),
        _whole(site, METRIC_REGISTRY, "rates", [], {"metrics": registry()}),
        # written by the runs of the tables that they are about, or computed as they are read
        spec(site, RESTATEMENTS, group="counts", deps=[CALL_OUTCOMES, LEAD_CONVERSION]),
        spec(site, KNOWN_DAYS, group="rates", deps=[CALL_OUTCOMES, LEAD_CONVERSION]),
        spec(site, LOADED_DAYS, group="rates", deps=[CALL_OUTCOMES, LEAD_CONVERSION]),
        spec(site, OUTCOME_RATES, group="rates", deps=[CALL_OUTCOMES]),
        spec(site, HOUR_RATES, group="rates", deps=[CALL_HOURS]),
        spec(site, AGENT_RATES, group="rates", deps=[AGENT_DAYS, LOADED_DAYS]),
        spec(site, CONVERSION_RATES, group="rates", deps=[LEAD_CONVERSION, CALL_OUTCOMES, KNOWN_DAYS, LOADED_DAYS]),
        spec(site, COHORT_RATES, group="rates", deps=[LEAD_COHORTS]),
        spec(site, POOL_RATES, group="rates", deps=[LEADS, LOADED_DAYS]),
    ]
