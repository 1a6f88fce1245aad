"""The assets that are made from other tables."""

import datetime as dt

import dagster as dg

from herobase_pipeline.assets.describing import spec
from herobase_pipeline.assets.pulled import SettingsResource
from herobase_pipeline.lake import catalogue
from herobase_pipeline.lake.deriving import NotLoadedError, derive, derive_days
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, LEAD_CONVERSION, LEADS, SIMPLE_LEADS


@dg.multi_asset(
    name=CALL_OUTCOMES.name,
    specs=[spec(CALL_OUTCOMES, group="metrics", deps=[CALLS])],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def call_outcomes(context: dg.AssetExecutionContext, settings: SettingsResource) -> dg.MaterializeResult[None]:
    """Count the calls of each day of the run, all days in one query."""
    lake = Lake(settings.data_dir)
    days = [dt.date.fromisoformat(key) for key in context.partition_keys]
    try:
        rows = derive_days(lake, settings.zone, CALL_OUTCOMES, [CALLS], days)
    except NotLoadedError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    catalogue.refresh(lake)
    for day, count in rows.items():
        context.add_asset_metadata({"dagster/partition_row_count": count}, partition_key=str(day))
    return dg.MaterializeResult()


@dg.multi_asset(name=LEADS.name, specs=[spec(LEADS, group="leads", deps=[SIMPLE_LEADS, CALLS])])
def leads(settings: SettingsResource) -> dg.MaterializeResult[None]:
    """Bring together all versions and all calls of every lead."""
    lake = Lake(settings.data_dir)
    rows = derive(lake, settings.zone, LEADS, [SIMPLE_LEADS, CALLS])
    catalogue.refresh(lake)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})


@dg.multi_asset(name=LEAD_CONVERSION.name, specs=[spec(LEAD_CONVERSION, group="metrics", deps=[LEADS])])
def lead_conversion(settings: SettingsResource) -> dg.MaterializeResult[None]:
    """Count the closed leads."""
    lake = Lake(settings.data_dir)
    rows = derive(lake, settings.zone, LEAD_CONVERSION, [LEADS])
    catalogue.refresh(lake)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})
