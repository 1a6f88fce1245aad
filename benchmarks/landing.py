"""One day landed by everyone in turn, several rounds: the medians, the spread and the ratios of one run.

``python -m benchmarks.landing`` lands calls; ``--leads`` leads with 60 fields of their own; ``--megabytes`` holds the wire to
so many a second, and then the bare download is what all are compared with.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import contestants, material
from benchmarks.report import show

OURS = ("ours", "ours_first")
PEERS = ("obvious", "pandas", "dlt_arrow", "dlt_dicts", "singer")
SLOW = {"pandas", "dlt_arrow", "dlt_dicts", "singer"}  # so slow that one round shows it
_Runs = dict[str, list[dict[str, float]]]


@contextmanager
def canned(folder: Path, megabytes: float = 0) -> Iterator[int]:
    """Serve the material in a process of its own; yields the port."""
    command = [sys.executable, "-m", "benchmarks.canned", str(folder), "--megabytes", str(megabytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield json.loads(next(iter(server.stdout or ())))["port"]
        finally:
            server.terminate()


@contextmanager
def with_material(folder: Path) -> Iterator[Path]:
    """Make a folder of its own for what one run makes, with the material in it."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        for path in folder.glob("*.*json"):
            (Path(made) / path.name).symlink_to(path)
        yield Path(made)


def run(name: str, what: str, folder: Path, port: int) -> dict[str, float]:
    """Run one contestant in a fresh process, with folders of its own for what it makes."""
    with with_material(folder) as made:
        command = [sys.executable, "-m", "benchmarks.contestants", name, what, str(made), str(port)]
        environment = {**os.environ, "DLT_TELEMETRY": "false", "RUNTIME__DLTHUB_TELEMETRY": "false"}
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def rounds(folder: Path, what: str, names: list[str], times: int, megabytes: float = 0) -> _Runs:
    """Let everyone land the day, in turn, so that a slow minute of the machine is everybody's."""
    results: _Runs = {name: [] for name in names}
    with canned(folder, megabytes) as port:
        for turn in range(times):
            for name in names:
                if not turn or name not in SLOW:
                    results[name].append(run(name, what, folder, port))
    return results


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.landing", description=__doc__)
    options.add_argument("--calls", type=int, default=100_000)
    options.add_argument("--leads", type=int, default=0)
    options.add_argument("--megabytes", type=float, default=0)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", nargs="*", choices=PEERS, default=PEERS)
    options.add_argument("--goal", default="–", help="what ours is meant to reach, to stand in the table")
    asked = options.parse_args()
    what = material.LEADS if asked.leads else material.CALLS
    bases = ["download"] if asked.megabytes else ["tuned_floor", "floor"]
    names = [*bases, *OURS, *asked.only]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = [str(folder), "--calls", str(1_000 if asked.leads else asked.calls), "--leads", str(asked.leads)]
        command = [sys.executable, "-m", "benchmarks.material", *made]
        records = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)[what]
        megabytes = (folder / what).stat().st_size / 1e6
        results = rounds(folder, what, names, asked.rounds, asked.megabytes)
    for name, runs in results.items():
        if name != "download" and {each["rows"] for each in runs} != {records}:
            raise SystemExit(f"{name} landed {runs[0]['rows']} of {records}")
    wire = f", over a wire held to {asked.megabytes:.0f} MB/s" if asked.megabytes else ""
    kind = "leads with 60 fields of their own" if asked.leads else "calls"
    show(
        f"{records:,} {kind}, {megabytes:.0f} MB of JSON{wire}",
        [
            "",
            "seconds",
            "from – to",
            *(f"× {_shown(base)}" for base in bases),
            "goal",
            "ours is faster ×",
            "peak MB",
            "rounds",
        ],
        [_row(name, results, bases, asked.goal) for name in names],
        [f"{_shown(name)}: {getattr(contestants, name).__doc__.splitlines()[0]}" for name in names],
    )


def _shown(name: str) -> str:
    return name.replace("_", " ")


def _row(name: str, results: _Runs, bases: list[str], goal: str) -> list[str]:
    seconds = [each["seconds"] for each in results[name]]
    median = {of: statistics.median(each["seconds"] for each in runs) for of, runs in results.items()}
    paired = (
        statistics.median(a / b["seconds"] for a, b in zip(seconds, results[base], strict=False)) for base in bases
    )
    return [
        _shown(name),
        f"{median[name]:.2f}",
        f"{min(seconds):.2f} – {max(seconds):.2f}",
        *(f"{ratio:.2f}" for ratio in paired),
        goal if name in OURS else "",
        f"{median[name] / median['ours']:.1f}" if name in PEERS else "",
        f"{max(each['peak_mb'] for each in results[name]):.0f}",
        str(len(seconds)),
    ]


if __name__ == "__main__":
    main()
