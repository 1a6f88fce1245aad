"""Two buttons: one stops all deliveries at once, also those of a run that is under way; the other lets them go on."""

import dagster as dg

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.delivering.stop import resume, stop
from herobase_pipeline.settings import Settings


def emergency_stop(site: Site) -> list[dg.JobDefinition]:
    """Return both buttons of a site."""

    @dg.op(name=site.called("stop"), required_resource_keys={site.resource})
    @step_of(site)
    def stop_all(context: dg.OpExecutionContext, settings: Settings) -> None:
        """Let nothing be sent."""
        stop(own_lake(settings))
        context.log.warning(f"Nothing is sent from now on. {site.called('resume_deliveries')} lets deliveries go on.")

    @dg.op(name=site.called("resume"), required_resource_keys={site.resource})
    @step_of(site)
    def resume_all(context: dg.OpExecutionContext, settings: Settings) -> None:
        """Let deliveries be sent again."""
        resume(own_lake(settings))
        context.log.info("Deliveries are sent again from the next run on.")

    @dg.job(
        name=site.called("stop_deliveries"),
        description="Stops all deliveries at once: nothing is sent until resume_deliveries is run.",
    )
    def stop_deliveries() -> None:
        """Stop all deliveries."""
        stop_all()

    @dg.job(name=site.called("resume_deliveries"), description="Lets deliveries be sent again, after stop_deliveries.")
    def resume_deliveries() -> None:
        """Let deliveries go on."""
        resume_all()

    return [stop_deliveries, resume_deliveries]
