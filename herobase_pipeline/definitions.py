"""Where assets and resources meet; nothing else is in it."""

import dagster as dg

from herobase_pipeline.assets import derived, pulled
from herobase_pipeline.settings import Settings

defs = dg.Definitions(
    assets=[pulled.calls, pulled.simple_leads, *pulled.LISTS, *derived.DERIVED],
    resources={"settings": Settings.load()},
    executor=dg.in_process_executor,  # steps share one budget of requests, and DuckDB uses all cores by itself
)
