"""Where assets, checks, jobs, schedules, sensors and resources meet; nothing else is in it."""

import dagster as dg

from herobase_pipeline.assets import derived, fields, pulled
from herobase_pipeline.assets.deliveries import deliveries
from herobase_pipeline.assets.erasures import erasures
from herobase_pipeline.assets.liveness import working_settings
from herobase_pipeline.assets.retention import retention
from herobase_pipeline.assets.sources import SOURCES
from herobase_pipeline.operations.checks import CHECKS
from herobase_pipeline.operations.emergency_stop import resume_deliveries, stop_deliveries
from herobase_pipeline.operations.health import health
from herobase_pipeline.operations.jobs import JOBS
from herobase_pipeline.operations.schedules import SCHEDULES
from herobase_pipeline.operations.sensors import SENSORS

defs = dg.Definitions(
    assets=[*SOURCES, *pulled.PULLED, *derived.DERIVED, fields.lead_fields, deliveries, erasures, retention, health],
    asset_checks=CHECKS,
    jobs=[*JOBS, stop_deliveries, resume_deliveries],
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={"settings": working_settings},
    executor=dg.in_process_executor,  # steps share one budget of requests, and DuckDB uses all cores by itself
)
