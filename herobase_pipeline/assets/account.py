"""The HeroBase that a process asks: the account of the settings, or the sandbox inside this process."""

import atexit
from functools import cache

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.quota import Budget
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings, Settings

_BUDGET = Budget()


def herobase(settings: Settings) -> HeroBase:
    """Return a client for the account, or for the sandbox where no URL is set. One budget serves the whole process."""
    if settings.url is None:
        zone = {} if "timezone" in settings.sandbox.model_fields_set else {"timezone": settings.timezone}
        sandbox = _sandbox(settings.sandbox.model_copy(update=zone))
        return HeroBase(sandbox.url, sandbox.username, sandbox.password, settings.zone, budget=_BUDGET)
    return HeroBase(
        settings.url, settings.username, settings.password.get_secret_value(), settings.zone, budget=_BUDGET
    )


@cache
def _sandbox(settings: SandboxSettings) -> Sandbox:
    """Start the sandbox once a process; it ends with the process."""
    sandbox = Sandbox(settings).start()
    atexit.register(sandbox.stop)
    return sandbox
