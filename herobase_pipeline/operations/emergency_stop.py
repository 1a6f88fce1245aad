"""Two buttons: one stops all deliveries at once, also those of a run that is under way; the other lets them go on."""

import dagster as dg

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.pulled import SettingsResource
from herobase_pipeline.delivering.stop import resume, stop


@dg.op(name="stop")
def _stop(context: dg.OpExecutionContext, settings: SettingsResource) -> None:
    """Let nothing be sent."""
    stop(own_lake(settings))
    context.log.warning("Nothing is sent from now on. resume_deliveries lets deliveries go on.")


@dg.op(name="resume")
def _resume(context: dg.OpExecutionContext, settings: SettingsResource) -> None:
    """Let deliveries be sent again."""
    resume(own_lake(settings))
    context.log.info("Deliveries are sent again from the next run on.")


@dg.job(description="Stops all deliveries at once: nothing is sent until resume_deliveries is run.")
def stop_deliveries() -> None:
    """Stop all deliveries."""
    _stop()


@dg.job(description="Lets deliveries be sent again, after stop_deliveries.")
def resume_deliveries() -> None:
    """Let deliveries go on."""
    _resume()
