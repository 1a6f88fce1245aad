"""A sign of life of each process that works on a run, to tell one that was killed from one that takes long.

Dagster's launcher knows no health check: a run whose process died with the whole stack would stay "started", with its slot.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import dagster as dg

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.assets.site import Site
from herobase_pipeline.lake.layout import Lake, locked, make_folder
from herobase_pipeline.lake.store import alive, is_held
from herobase_pipeline.settings import Settings


def _signs(settings: Settings) -> Path:
    folder = Lake(settings.data_dir).under_way("working")
    make_folder(folder, private=True)
    return folder


@contextmanager
def at_work(settings: Settings, run_id: str) -> Iterator[None]:
    """Hold a run's sign; the system lets go of it when the process ends, however it ends."""
    folder = _signs(settings)
    if is_remote(folder):
        with alive(folder / run_id):
            yield
        return
    with ExitStack() as stack:
        with locked(folder):  # so that nobody takes the new sign for one that was left behind
            sign = stack.enter_context((folder / run_id).open("w"))
            fcntl.flock(sign, fcntl.LOCK_EX)
        stack.callback((folder / run_id).unlink, missing_ok=True)
        yield


def signs(settings: Settings) -> dict[str, bool]:
    """Return the runs that have a sign, and whether a process still holds it."""
    folder = _signs(settings)
    with nullcontext() if is_remote(folder) else locked(folder):
        return {sign.name: is_held(sign) for sign in sorted(folder.glob("[!.]*"))}


def forget(settings: Settings, run_id: str) -> None:
    """Take away the sign of a run that has been ended."""
    (_signs(settings) / run_id).unlink(missing_ok=True)


def working_settings(site: Site) -> dg.ResourceDefinition:
    """Return the resource that gives a site's settings to a run's steps, and shows that the run is being worked on."""

    @dg.resource(description="The settings, read once a run; whoever holds them is at work on it.")
    def settings_at_work(context: dg.InitResourceContext) -> Iterator[Settings]:
        settings = site.load()
        if context.run_id is None:
            yield settings
            return
        with at_work(settings, context.run_id):
            yield settings

    return settings_at_work
