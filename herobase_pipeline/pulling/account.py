"""The HeroBase that a process asks: the account of the settings, or the sandbox inside this process."""

import atexit
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.quota import Budget
from herobase_pipeline.lake.store import shared
from herobase_pipeline.settings import SandboxSettings, Settings
from herobase_pipeline.sites import common_data_dir

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
        return HeroBase(*login, settings.zone, budget=_budget(settings.quota or box.url), attempts=attempts)
    whose, folder = f"{settings.url} {settings.username}", settings.data_dir.absolute()
    if settings.quota:  # of several accounts, so it lies where all of them look
        whose, folder = f"{settings.host} {settings.quota}", common_data_dir()
    account = hashlib.sha256(whose.encode()).hexdigest()[:8]
    budget = _budget(folder / f".requests-{account}")
    login = settings.url, settings.username, settings.password.get_secret_value()
    return HeroBase(*login, settings.zone, budget=budget, attempts=attempts)


def sandbox(settings: Settings) -> "Sandbox":
    """Return the sandbox inside this process."""
    zone = {} if "timezone" in settings.sandbox.model_fields_set else {"timezone": settings.timezone}
    return _sandbox(settings.sandbox.model_copy(update=zone))


@cache
def _budget(kept: Path | str) -> Budget:
    """Return the budget that is kept in a file, or under a name in memory for a sandbox inside this process."""
    if isinstance(kept, str):
        return Budget()
    return Budget(kept, shared) if is_remote(kept) else Budget(kept)


@cache
def _sandbox(settings: SandboxSettings) -> "Sandbox":
    """Start the sandbox once a process; it ends with the process."""
    from herobase_pipeline.sandbox import Sandbox  # here, as a real account needs nothing of it, nor NumPy

    box = Sandbox(settings).start()
    atexit.register(box.stop)
    return box
