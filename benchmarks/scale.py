"""What many accounts cost: one is measured, and fifty are computed from it. Numbers for planning, not a promise.

``python -m benchmarks.scale --docs docs`` measures an account of 20,000 calls a workday and writes the table and the plot of
``docs/scale.md``: requests, bytes, CPU and disk of a day, and how long the derived tables of a year take.
"""

import argparse
import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from math import ceil
from pathlib import Path
from typing import NamedTuple

from benchmarks import derived
from benchmarks.report import RESULTS, show

DAY = dt.date(2026, 9, 30)
REFRESHES = 12 * 60 // 5  # from 08:00 to 20:00, every five minutes
PULLED_AGAIN = 10  # days a night: yesterday, and those of late truth
WORKDAYS = 250
SITES = (1, 10, 50)
BUSY = 0.5  # of a core, in the twelve hours in which today is refreshed: what is asked for at the same minute waits for less


class Site(NamedTuple):
    """What one account costs.

    Attributes:
        requests: of HeroBase in a day, of the service that is asked most.
        megabytes: that come over the wire in a day.
        cpu_s: of all runs of a day.
        disk_mb: of a year.
        derive_s: after a new day, of a year of data.
        rebuild_s: of everything anew, of a year of data.

    """

    requests: int
    megabytes: float
    cpu_s: float
    disk_mb: float
    derive_s: float
    rebuild_s: float


def pull(calls: int) -> dict[str, float]:
    """Pull a day whole; returns requests, bytes, CPU seconds and the bytes on the disk."""
    from herobase_pipeline.assets.own_lake import own_lake
    from herobase_pipeline.pulling.account import herobase
    from herobase_pipeline.pulling.day import Mode
    from herobase_pipeline.pulling.overlap import finish
    from herobase_pipeline.pulling.services import DAY_SERVICES
    from herobase_pipeline.settings import Settings

    settings = Settings.load()
    lake, client = own_lake(settings), herobase(settings)
    before = time.process_time()
    done = [finish(s.pull(DAY, client, lake, settings, Mode())) for s in DAY_SERVICES if s.is_wanted(settings)]
    on_disk = sum(path.stat().st_size for path in lake.root.rglob("part.parquet"))
    return {
        "requests": max(client.budget.requests.values()),
        "bytes": sum(each.bytes for each in done),
        "cpu_s": time.process_time() - before,
        "disk": on_disk,
        "calls": calls,
    }


def measure(calls: int, days: int) -> Site:
    """Measure an account of so many calls on a workday."""
    from herobase_pipeline.sandbox import Sandbox
    from herobase_pipeline.settings import SandboxSettings

    now = dt.datetime.combine(DAY, dt.time(3), dt.UTC) + dt.timedelta(days=1)
    with (
        Sandbox(SandboxSettings(calls_per_day=calls, now=now, daily_limit=1_000_000)) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        login = {"HEROBASE_URL": sandbox.url, "HEROBASE_USERNAME": sandbox.username}
        login |= {"HEROBASE_PASSWORD": sandbox.password, "HEROBASE_PII_KEY": "benchmark", "HEROBASE_DATA_DIR": folder}
        day = json.loads(_run("benchmarks.scale", "--do", "--calls", str(calls), **login).splitlines()[-1])
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page"
        _run("benchmarks.refresh", "--calls", str(calls), "--rounds", "1", **{RESULTS: str(page)})
        found = re.search(r"\| a refresh \| ([\d.]+)", page.read_text())
        refresh_s = float(found[1]) if found else 0.0
    with tempfile.TemporaryDirectory() as folder:
        _run("benchmarks.year", folder, "--days", str(days), "--calls", str(calls))
        results = derived.measure(Path(folder))
        made = sum(
            p.stat().st_size for p in Path(folder).rglob("*") if p.is_file() and p.parent.parent.name not in _PULLED
        )
    new_day, after_refresh = (results[of]["seconds"]["the run"] for of in (derived.NEW_DAY, derived.NEW_CALLS))
    a_day = REFRESHES * (refresh_s + after_refresh) + PULLED_AGAIN * day["cpu_s"] + 2 * new_day
    return Site(
        requests=int(REFRESHES + PULLED_AGAIN * day["requests"]),
        megabytes=PULLED_AGAIN * day["bytes"] / 1e6 * 1.1,  # and a tenth for refreshes, which overlap
        cpu_s=a_day,
        disk_mb=day["disk"] / 1e6 * WORKDAYS + made / 1e6 * 365 / days,
        derive_s=derived.beyond(results, derived.NEW_DAY),
        rebuild_s=derived.beyond(results, derived.WHOLE),
    )


_PULLED = ("calls", "simple_leads")


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    options.add_argument("--calls", type=int, default=20_000, help="of a site, on an ordinary workday")
    options.add_argument("--days", type=int, default=365, help="of the lake that is derived from")
    options.add_argument(
        "--docs", type=Path, help="the folder in which scale.md gets the table, and scale.svg is drawn"
    )
    options.add_argument("--do", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.do:
        print(json.dumps(pull(asked.calls)))
        return
    site = measure(asked.calls, asked.days)
    heads, rows = table(site)
    show(f"Accounts of {asked.calls:,} calls a workday", heads, rows)
    if asked.docs:
        lines = ["| " + " | ".join(cells) + " |" for cells in (heads, [":--", *["--:"] * len(SITES)], *rows)]
        page = asked.docs / "scale.md"
        before, _, after = page.read_text("utf-8").partition("<!-- measured -->")
        rest = after.partition("<!-- /measured -->")[2]
        page.write_text(f"{before}<!-- measured -->\n\n" + "\n".join(lines) + f"\n\n<!-- /measured -->{rest}", "utf-8")
        plot(site, asked.docs / "scale.svg")


def table(site: Site) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of the table: what one site costs, and what several do."""
    return ["", *(f"{n} site{'s' if n > 1 else ''}" for n in SITES)], [
        ["requests a day, of an account's service asked most", *(f"{site.requests:,}" for _ in SITES)],
        ["GB a day over the wire", *(f"{site.megabytes * n / 1e3:,.1f}" for n in SITES)],
        ["CPU hours a day", *(f"{site.cpu_s * n / 3600:,.1f}" for n in SITES)],
        ["cores, half busy while today is refreshed", *(f"{ceil(site.cpu_s * n / 43_200 / BUSY)}" for n in SITES)],
        ["GB of disk a year", *(f"{site.disk_mb * n / 1e3:,.0f}" for n in SITES)],
        ["seconds to derive after a new day, one site after the other", *(f"{site.derive_s * n:,.0f}" for n in SITES)],
        ["minutes to rebuild a year, one site after the other", *(f"{site.rebuild_s * n / 60:,.0f}" for n in SITES)],
    ]


def plot(site: Site, target: Path) -> None:
    """Draw CPU hours a day and the disk of a year by the number of sites."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = range(SITES[-1] + 1)
    left.plot(numbers, [site.cpu_s * n / 3600 for n in numbers])
    for cores in (2, 8):
        left.axhline(cores * 12 * BUSY, color="#999999", linewidth=0.8)
        left.text(0, cores * 12 * BUSY, f"{cores} cores, half busy", fontsize=8, va="bottom")
    left.set(xlabel="sites", ylabel="CPU hours a day", ylim=0)
    right.plot(numbers, [site.disk_mb * n / 1e3 for n in numbers])
    right.set(xlabel="sites", ylabel="GB of a year", ylim=0)
    figure.savefig(target)


def _run(module: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env={**os.environ, **environment})
    return done.stdout


if __name__ == "__main__":
    main()
