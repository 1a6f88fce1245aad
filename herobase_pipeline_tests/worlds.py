"""Worlds whose parts are made once in a process, however many sandboxes invent the same call centre.

A world is a function of some settings and the clock, and holds nothing but what it has computed of it: plans of days, and
their calls. Two sandboxes that differ in what they answer, or in their time, compute the same again.
"""

from functools import lru_cache

from herobase_pipeline.sandbox import World
from herobase_pipeline.sandbox.world.days import Plan
from herobase_pipeline.settings import SandboxSettings

_KINDS = 8
_SHARED = ("campaign_book", "organisation", "days", "lead_book", "_kept", "_lock", "_making")
_MADE_OF = ("seed", "timezone", "calls_per_day", "agents", "dropped_calls")


class _Plans(dict[int, Plan]):
    """Plans that are kept: those of some years are asked for again with each erasure, and are small."""

    def clear(self) -> None:
        """Keep them."""


@lru_cache(_KINDS)
def _parts(**made_of: str | int) -> dict[str, object]:
    world = World(SandboxSettings(_env_file=None, **made_of))
    world.days._plans = _Plans()
    return {name: getattr(world, name) for name in _SHARED}


class SharedWorld(World):
    """A world that has its settings and its clock for itself, and computes the rest together with its likes."""

    def __init__(self, settings: SandboxSettings, clock) -> None:
        super().__init__(settings, clock)
        vars(self).update(_parts(**{name: getattr(settings, name) for name in _MADE_OF}))
