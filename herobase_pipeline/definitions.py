"""Where assets, checks, jobs, schedules, sensors and resources meet; nothing else is in it."""

from collections.abc import Sequence

import dagster as dg

from herobase_pipeline.assets.board import board
from herobase_pipeline.assets.deliveries import deliveries
from herobase_pipeline.assets.derived import derived
from herobase_pipeline.assets.erasures import erasures
from herobase_pipeline.assets.fields import lead_fields
from herobase_pipeline.assets.liveness import working_settings
from herobase_pipeline.assets.pulled import pulled
from herobase_pipeline.assets.reports import reports
from herobase_pipeline.assets.retention import retention
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.sources import sources
from herobase_pipeline.assets.workbook import workbook
from herobase_pipeline.operations.alerts import alert
from herobase_pipeline.operations.checks import checks
from herobase_pipeline.operations.emergency_stop import emergency_stop
from herobase_pipeline.operations.health import health
from herobase_pipeline.operations.jobs import jobs
from herobase_pipeline.operations.old_runs import old_runs
from herobase_pipeline.operations.recovery import recovery
from herobase_pipeline.operations.schedules import schedules
from herobase_pipeline.operations.sensors import sensors
from herobase_pipeline.sites import all_settings


def of_site(site: Site) -> dg.Definitions:
    """Return all that there is for one account."""
    assets = [lead_fields(site), deliveries(site), erasures(site), retention(site), health(site)]
    for_people = [*reports(site), workbook(site), board(site)]
    runs = jobs(site)
    return dg.Definitions(
        assets=[*sources(site), *pulled(site), *derived(site), *assets, *for_people],
        asset_checks=checks(site),
        jobs=[*runs, *emergency_stop(site)],
        schedules=schedules(site),
        sensors=[*sensors(site, runs), alert(site)],
        resources={site.resource: working_settings(site)},
    )


def of_sites(sites: Sequence[Site]) -> dg.Definitions:
    """Return all that there is for several accounts, or an only one."""
    common = dg.Definitions(
        sensors=[recovery(sites), old_runs(sites)],
        executor=dg.in_process_executor,  # steps share one budget of requests, and DuckDB uses all cores by itself
    )
    return dg.Definitions.merge(*map(of_site, sites), common)


SITES = [Site(settings, name) for name, settings in all_settings().items()]
defs = of_sites(SITES)
