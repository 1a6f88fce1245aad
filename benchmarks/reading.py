"""What a notebook waits for and reads, on a year of a large call centre.

``python -m benchmarks.reading FOLDER``, where ``benchmarks.derived`` has derived a year, prints how long the README's five
lines take from a cold start, and which share of a year's bytes is read for a month of each team.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import herobase_pipeline as hb
from benchmarks.report import show
from herobase_pipeline.lake.catalogue import refresh
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, Table

MONTH = ("2026-09-01", "2026-09-30")  # the last of what benchmarks.year makes
_TEAM_LEVEL = 4
_TIMES = 5


def five_lines(folder: Path) -> list[float]:
    """Return the seconds of the README's five lines, each time in a process of its own, with no file in memory."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    seconds = []
    for _ in range(_TIMES):
        for path in folder.rglob("*.*"):
            forget(path)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as nowhere:
            where = {**os.environ, "HEROBASE_DATA_DIR": str(folder)}
            subprocess.run([sys.executable, "-c", lines], cwd=nowhere, env=where, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return seconds


def forget(path: Path) -> None:
    """Have the system drop a file from memory."""
    if path.is_file():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def shares(folder: Path, table: Table, **asked: int) -> list[float]:
    """Return the share of a year's bytes of a table that is read for a month of each team."""
    year = sum(path.stat().st_size for path in Lake(folder).files(table))
    teams = hb.read("call_outcomes", *MONTH, level=_TEAM_LEVEL, columns=["org_key"], data_dir=folder)
    found = []
    for team in sorted({key.rpartition(" › ")[2] for key in teams["org_key"]}):
        before = _bytes_read()
        hb.read(table.name, *MONTH, org=team, data_dir=folder, **asked)
        found.append((_bytes_read() - before) / year)
    return found


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().partition("rchar: ")[2].split()[0])


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    options.add_argument("folder", type=Path, help="where benchmarks.derived has derived a year")
    folder = options.parse_args().folder
    refresh(Lake(folder), ZoneInfo(Settings().timezone))
    seconds = five_lines(folder)
    rows = [["the five lines, cold, seconds", *(f"{of(seconds):.2f}" for of in (min, median, max)), ""]]
    for table, asked, goal in ((CALLS, {}, "≤ 2 %"), (CALL_OUTCOMES, {"level": _TEAM_LEVEL}, "≤ 9 %")):
        read = shares(folder, table, **asked)
        shown = (f"{of(read):.1%}" for of in (min, median, max))
        rows.append([f"a team's month: share of a year's bytes of {table.name}", *shown, goal])
    show("Reading the year in a notebook", ["", "least", "median", "most", "goal"], rows)


if __name__ == "__main__":
    main()
