"""What the refreshes of a whole day ask of HeroBase, by where calls carry their hierarchy.

``python -m benchmarks.simulated_day`` refreshes both services every ten minutes of a simulated day from 08:00 to 20:00,
and pulls it whole the next night. It prints requests; nothing is timed.
"""

import argparse
import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.report import show
from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.quota import Budget
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.day import Mode
from herobase_pipeline.pulling.overlap import finish
from herobase_pipeline.pulling.services import DAY_SERVICES
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings, Settings

DAY = dt.date(2026, 11, 18)
EVERY = dt.timedelta(minutes=10)
SHAPES = ("objects", "strings", "nested", "nested_user", "columns", "none")
PATHS = {"/calls": "calls", "/simpleleads": "leads", "/organizationalunits": "units"}


def requests(shape: str, folder: str) -> tuple[list[Counter[str]], Counter[str]]:
    """Return the requests of each tick of the day, and of the night's pull, by path."""
    settings = Settings(data_dir=Path(folder), saved_searches=())
    clock = [dt.datetime.combine(DAY, dt.time(8), settings.zone).astimezone(dt.UTC)]
    end = dt.datetime.combine(DAY, dt.time(20), settings.zone)
    ticks = []
    with Sandbox(SandboxSettings(calls_per_day=1_000, hierarchy=shape), now=lambda: clock[0]) as sandbox:

        def pull(mode: Mode) -> Counter[str]:
            sandbox.requests.clear()
            for service in (service for service in DAY_SERVICES if service.is_wanted(settings)):
                budget = Budget(utcnow=lambda: clock[0])
                client = HeroBase(sandbox.url, sandbox.username, sandbox.password, settings.zone, budget=budget)
                finish(service.pull(DAY, client, Lake(settings.data_dir), settings, mode))
            return Counter(served.path for served in sandbox.requests)

        while clock[0] <= end:
            ticks.append(pull(Mode(refresh=True)))
            clock[0] += EVERY
        clock[0] = dt.datetime.combine(DAY, dt.time(3), settings.zone) + dt.timedelta(days=1)
        return ticks, pull(Mode())


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.simulated_day", description=__doc__)
    options.add_argument("--shapes", nargs="*", choices=SHAPES, default=SHAPES)
    heads = [f"{name}, {when}" for name in PATHS.values() for when in ("a tick at most", "in the day", "at night")]
    rows = []
    for shape in options.parse_args().shapes:
        with tempfile.TemporaryDirectory() as folder:
            (first, *ticks), night = requests(shape, folder)
        cells = []
        for path in PATHS:
            cells += [max(t[path] for t in ticks), sum(t[path] for t in (first, *ticks)), night[path]]
        rows.append([shape, *(f"{cell:,}" for cell in cells)])
    show(f"Requests of a day of refreshes, every {EVERY.seconds // 60} minutes", ["hierarchy", *heads], rows)


if __name__ == "__main__":
    main()
