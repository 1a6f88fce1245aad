"""The HeroBase that a process asks: the account of the settings, or the sandbox inside this process."""

import atexit
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.quota import Budget
from herobase_pipeline.settings import SandboxSettings, Settings

if TYPE_CHECKING:
    from herobase_pipeline.sandbox import Sandbox


def herobase(settings: Settings, attempts: int = 3) -> HeroBase:
    """Return a client for the account, or for the sandbox where no URL is set. One budget serves all that ask it.

    Args:
        settings: whom to ask.
        attempts: how often a request is made before its error counts.

    """
    if settings.url is None:
        box = sandbox(settings)
        login = box.url, box.username, box.password
        return HeroBase(*login, settings.zone, budget=_budget(None), attempts=attempts)
    account = hashlib.sha256(f"{settings.url} {settings.username}".encode()).hexdigest()[:8]
    budget = _budget(settings.data_dir.absolute() / f".requests-{account}")
    login = settings.url, settings.username, settings.password.get_secret_value()
    return HeroBase(*login, settings.zone, budget=budget, attempts=attempts)


def sandbox(settings: Settings) -> "Sandbox":
    """Return the sandbox inside this process."""
    zone = {} if "timezone" in settings.sandbox.model_fields_set else {"timezone": settings.timezone}
    return _sandbox(settings.sandbox.model_copy(update=zone))


@cache
def _budget(file: Path | None) -> Budget:
    """Return the budget that is kept in a file, or in memory for the sandbox inside this process."""
    return Budget(file)


@cache
def _sandbox(settings: SandboxSettings) -> "Sandbox":
    """Start the sandbox once a process; it ends with the process."""
    from herobase_pipeline.sandbox import Sandbox  # here, as a real account needs nothing of it, nor NumPy

    box = Sandbox(settings).start()
    atexit.register(box.stop)
    return box
