"""Where assets, checks, jobs, schedules, sensors and resources meet; nothing else is in it."""

import dagster as dg

from herobase_pipeline.assets.deliveries import deliveries
from herobase_pipeline.assets.derived import derived
from herobase_pipeline.assets.erasures import erasures
from herobase_pipeline.assets.fields import lead_fields
from herobase_pipeline.assets.liveness import working_settings
from herobase_pipeline.assets.pulled import pulled
from herobase_pipeline.assets.retention import retention
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.sources import sources
from herobase_pipeline.operations.checks import checks
from herobase_pipeline.operations.emergency_stop import emergency_stop
from herobase_pipeline.operations.health import health
from herobase_pipeline.operations.jobs import jobs
from herobase_pipeline.operations.old_runs import old_runs
from herobase_pipeline.operations.recovery import recovery
from herobase_pipeline.operations.schedules import schedules
from herobase_pipeline.operations.sensors import sensors
from herobase_pipeline.settings import Settings


def of_site(site: Site) -> dg.Definitions:
    """Return all that there is for one account."""
    assets = [lead_fields(site), deliveries(site), erasures(site), retention(site), health(site)]
    runs = jobs(site)
    return dg.Definitions(
        assets=[*sources(site), *pulled(site), *derived(site), *assets],
        asset_checks=checks(site),
        jobs=[*runs, *emergency_stop(site)],
        schedules=schedules(site),
        sensors=sensors(site, runs),
        resources={site.resource: working_settings(site)},
    )


SITES = [Site(Settings.load())]
OF_ALL = dg.Definitions(
    sensors=[recovery(SITES), old_runs(SITES)],
    executor=dg.in_process_executor,  # steps share one budget of requests, and DuckDB uses all cores by itself
)
defs = dg.Definitions.merge(*map(of_site, SITES), OF_ALL)
