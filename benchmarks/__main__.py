"""``make bench``: everything that is measured, in turn, as one page: ``benchmarks/RESULTS.md`` and the plot beside it.

``--short`` runs the same with so little that it only shows that all of it runs; its numbers say nothing, and are not kept.
"""

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks.report import RESULTS

_PAGE = Path(__file__).with_name("RESULTS.md")
_PLOT = Path(__file__).with_name("growth.svg")
_PACKAGES = ("dagster", "duckdb", "pyarrow", "msgspec", "pandas", "dlt", "target-duckdb")
_FULL = (
    ("landing", "--calls", "100000", "--goal", "≤ 1.8"),
    ("landing", "--calls", "1000000", "--rounds", "3", "--only", "obvious", "--goal", "≤ 1.8, ≤ 450 MB"),
    ("landing", "--leads", "100000", "--rounds", "3", "--goal", "≤ 1.8"),
    ("landing", "--megabytes", "25", "--rounds", "3", "--only", "obvious", "--goal", "≤ 1.05"),
    ("landing", "--megabytes", "125", "--rounds", "3", "--only", "obvious", "--goal", "≤ 1.25"),
    ("steps",),
    ("refresh",),
    ("backfill",),
    ("simulated_day",),
    ("growth", "--days", "365", "--with-reading"),
    ("growth", "--calls", "10000", "--plot", str(_PLOT)),
)
_SHORT = (
    ("landing", "--calls", "2000", "--rounds", "1", "--only", "obvious", "pandas"),
    ("landing", "--leads", "2000", "--rounds", "1", "--only", "obvious"),
    ("landing", "--calls", "2000", "--megabytes", "25", "--rounds", "1", "--only", "obvious"),
    ("steps", "--calls", "2000", "--rounds", "1"),
    ("refresh", "--calls", "1000", "--rounds", "1"),
    ("backfill", "--days", "2", "--calls", "200", "--rounds", "1"),
    ("simulated_day", "--shapes", "objects"),
    ("growth", "--days", "40", "--calls", "500", "--with-reading"),
)


def main() -> None:
    """Run all, and write the page."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--short", action="store_true")
    is_short = options.parse_args().short
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "results.md" if is_short else _PAGE.with_suffix(".part")  # stays if one of them fails
        if not is_short:
            page.write_text(_head(), encoding="utf-8")
        for module, *arguments in _SHORT if is_short else _FULL:
            command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
            subprocess.run(command, check=True, env={**os.environ, RESULTS: str(page)})
        if is_short:
            return
        if _PLOT.exists():
            with page.open("a", encoding="utf-8") as file:
                file.write(f"![The derived tables as the lake grows]({_PLOT.name})\n")
        page.replace(_PAGE)


def _head() -> str:
    models = [line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        "# What was measured\n\n"
        "The output of `make bench`. Ratios of one run count; seconds are this machine's on that day.\n\n"
        f"- {dt.datetime.now(dt.UTC):%Y-%m-%d}; {os.cpu_count()} cores, {models[0] if models else platform.machine()}, "
        f"{memory:.0f} GB; {platform.system()} {platform.release()}\n"
        f"- Python {platform.python_version()}, {packages}\n\n"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
