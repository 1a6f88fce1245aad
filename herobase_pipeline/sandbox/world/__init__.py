"""An invented call centre that is a function of a seed and the clock: any day of any year, nothing stored."""

from herobase_pipeline.sandbox.world.world import World

__all__ = ["World"]
