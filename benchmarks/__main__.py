"""``make bench``: one day of calls landed by everyone in turn, several rounds, the medians and the ratios of one run."""

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

from rich.console import Console
from rich.table import Table

from benchmarks import contestants, material

OURS = "herobase_pipeline"
ROUNDS = {"floor": 5, "tuned_floor": 5, OURS: 5, "obvious": 5, "pandas": 1, "dlt": 1}


@contextmanager
def canned(folder: Path) -> Iterator[int]:
    """Serve the material in a process of its own; yields the port."""
    command = [sys.executable, "-m", "benchmarks.canned", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield json.loads(server.stdout.readline())["port"]
        finally:
            server.terminate()


def run(name: str, folder: Path, port: int) -> dict[str, float]:
    """Run one contestant in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.contestants", name, str(folder), str(port)]
    environment = {**os.environ, "DLT_TELEMETRY": "false", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--calls", type=int, default=100_000)
    options.add_argument("--only", nargs="*", choices=list(ROUNDS), default=list(ROUNDS))
    asked = options.parse_args()
    names = [name for name in ROUNDS if name in {"floor", "tuned_floor", *asked.only}]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = [sys.executable, "-m", "benchmarks.material", str(folder), str(asked.calls)]
        calls = int(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
        megabytes = (folder / material.CALLS).stat().st_size / 1e6
        with canned(folder) as port:
            for turn in range(max(ROUNDS.values())):
                for name in names:
                    if turn < ROUNDS[name]:
                        results[name].append(run(name, folder, port))
                        if results[name][-1]["rows"] != calls:
                            raise SystemExit(f"{name} landed {results[name][-1]['rows']} of {calls} calls")
    table = Table(title=f"{calls:,} calls, {megabytes:.0f} MB of JSON; medians", title_justify="left")
    for head in ("", "seconds", "× floor", "× tuned floor", "peak MB", "rounds"):
        table.add_column(head, justify="left" if not head else "right")
    medians = {name: statistics.median(result["seconds"] for result in results[name]) for name in names}
    for name in names:
        ratios = (f"{medians[name] / medians[base]:.2f}" for base in ("floor", "tuned_floor"))
        peak = max(result["peak_mb"] for result in results[name])
        table.add_row(name, f"{medians[name]:.2f}", *ratios, f"{peak:.0f}", str(len(results[name])))
    console = Console(width=110)
    console.print(table)
    for name in names:
        console.print(f"{name}: {getattr(contestants, name).__doc__.splitlines()[0]}", highlight=False)


if __name__ == "__main__":
    main()
