"""What a new day costs as a lake grows: the derived tables of one, two and three years; and reading them in a notebook.

``python -m benchmarks.growth`` prints the tables; ``--plot FILE`` draws the growth.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import derived, frames
from benchmarks.report import show

_SHOWN = (derived.WHOLE, derived.NEW_DAY, derived.NEW_CALLS)


def main() -> None:
    """Measure each length, and print the tables."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    options.add_argument("--days", type=int, nargs="+", default=[365, 730, 1095])
    options.add_argument("--calls", type=int, default=29_000, help="on an ordinary workday")
    options.add_argument(
        "--with-reading",
        action="store_true",
        help="of the first of these lakes in a notebook, and its tables by pandas",
    )
    options.add_argument("--plot", type=Path)
    asked = options.parse_args()
    seconds, peaks = {}, {}
    for number, days in enumerate(asked.days):
        with tempfile.TemporaryDirectory() as folder:
            _run("benchmarks.year", folder, "--days", str(days), "--calls", str(asked.calls))
            results = derived.measure(Path(folder))
            derived.tell(Path(folder), results)
            if asked.with_reading and not number:
                frames.tell(Path(folder), results[derived.WHOLE]["seconds"])
                _run("benchmarks.reading", folder)
        seconds[days] = [derived.beyond(results, what) for what in _SHOWN]
        peaks[days] = [results[what]["peak"]["MB"] for what in _SHOWN]
    show(
        f"The derived tables as a lake of {asked.calls:,} calls a workday grows: seconds beyond Dagster's own run, and peak MB",
        ["days", *_SHOWN, *(f"MB, {what}" for what in _SHOWN)],
        [
            [f"{days:,}", *(f"{each:.1f}" for each in seconds[days]), *(f"{each:,.0f}" for each in peaks[days])]
            for days in asked.days
        ],
    )
    if asked.plot:
        plot(seconds, asked.plot)


def plot(seconds: dict[int, list[float]], target: Path) -> None:
    """Draw the seconds of each kind of run by the days of the lake."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for number, what in enumerate(_SHOWN):
        axes.plot(list(seconds), [each[number] for each in seconds.values()], marker="o", label=what)
    axes.set(xlabel="days in the lake", ylabel="seconds beyond Dagster's own run", yscale="log", xticks=list(seconds))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(target)


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


if __name__ == "__main__":
    main()
