"""A sign of life of each process that works on a run, so that one that was killed is told from one that takes long.

Dagster's launcher knows no health check: a run whose process died with the whole stack would stay "started", with its slot.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from herobase_pipeline.lake.layout import make_folder
from herobase_pipeline.settings import Settings


def _sign(settings: Settings, run_id: str) -> Path:
    return settings.data_dir.absolute() / "private" / ".working" / run_id


@contextmanager
def at_work(settings: Settings, run_id: str) -> Iterator[None]:
    """Hold a run's sign; the system lets go of it when the process ends, however it ends."""
    sign = _sign(settings, run_id)
    make_folder(sign.parent, private=True)
    with sign.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield
        finally:
            sign.unlink(missing_ok=True)


def was_killed(settings: Settings, run_id: str) -> bool:
    """Whether a run's sign is there and nobody holds it."""
    try:
        held = os.open(_sign(settings, run_id), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True


def killed(settings: Settings) -> list[str]:
    """Return the runs whose sign is there and nobody holds it."""
    signs = sorted(_sign(settings, "").glob("*"))
    return [sign.name for sign in signs if was_killed(settings, sign.name)]


def forget(settings: Settings, run_id: str) -> None:
    """Take away the sign of a run that has been ended."""
    _sign(settings, run_id).unlink(missing_ok=True)


@dg.resource(description="The settings, read once a run; whoever holds them is at work on it.")
def working_settings(context: dg.InitResourceContext) -> Iterator[Settings]:
    """Give the settings to a run's steps, and show that the run is being worked on."""
    settings = Settings.load()
    if context.run_id is None:
        yield settings
        return
    with at_work(settings, context.run_id):
        yield settings
