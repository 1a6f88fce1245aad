"""``make torture``: faults in combinations, kills and everything at once, bounded in time, told in a table.

Each trial is drawn by a number and can be done again by it: ``make torture ARGS="--again faults:1234"``.
"""

import argparse
import multiprocessing as mp
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from queue import Empty

from rich.console import Console
from rich.table import Table

from herobase_pipeline_tests.torture import faults, kills, together
from herobase_pipeline_tests.torture.outcome import FAILED, RECOVERED, SET_ASIDE, Outcome, WrongError

WRONG, BROKE = "silently wrong", "the trial itself broke"
_KINDS = ("faults", "kills", "together")
_OF_TEN = ("faults",) * 5 + ("kills",) * 4 + ("together",)
Told = tuple[str, int, str, Counter[str], str]


def main(arguments: list[str] | None = None) -> int:
    """Try until the time is over; returns 0 if nothing was silently wrong, else 1."""
    options = argparse.ArgumentParser(prog="make torture", description=__doc__)
    options.add_argument("--minutes", type=float, default=50, help="how long")
    options.add_argument("--seed", type=int, default=None, help="by which the trials are drawn; by default the time")
    options.add_argument("--workers", type=int, default=2, help="trials at once")
    options.add_argument("--again", help="one trial, as KIND:NUMBER")
    chosen = options.parse_args(arguments)
    console = Console(width=160)
    if chosen.again:
        kind, _, number = chosen.again.partition(":")
        with _Trials() as trials:
            told = trials.do(kind, int(number))
        console.print(f"{told[0]}:{told[1]} {told[2]}\n{told[4]}", highlight=False, markup=False)
        return int(told[2] in (WRONG, BROKE))
    seed = chosen.seed if chosen.seed is not None else int(time.time())
    console.print(f"Seed {seed}, {chosen.minutes:g} minutes, {chosen.workers} workers.", highlight=False)
    queue: mp.Queue[Told] = mp.get_context("spawn").Queue()
    workers = [
        mp.get_context("spawn").Process(target=_work, args=(seed, n, chosen.workers, chosen.minutes * 60, queue))
        for n in range(chosen.workers)
    ]
    for worker in workers:
        worker.start()
    found: list[Told] = []
    while True:
        try:
            told = queue.get(timeout=2)
        except Empty:
            if any(worker.is_alive() for worker in workers):
                continue
            break
        found.append(told)
        if told[2] in (WRONG, BROKE):
            console.print(f"{told[0]}:{told[1]} {told[2]}: {told[4]}", highlight=False, markup=False)
    died = sum(worker.exitcode != 0 for worker in workers)
    _print(console, found)
    return int(died > 0 or any(told[2] in (WRONG, BROKE) for told in found))


def _work(seed: int, n: int, workers: int, seconds: float, queue: "mp.Queue[Told]") -> None:
    ends, number = time.monotonic() + seconds, seed * 1_000_000 + n
    with _Trials() as trials:
        while time.monotonic() < ends:
            queue.put(trials.do(random.Random(number).choice(_OF_TEN), number))
            number += workers


class _Trials:
    """Trials that share the scenes that they begin with."""

    def __enter__(self) -> "_Trials":
        self._open = ExitStack()
        self._root = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        self._scene: kills.Scene | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def do(self, kind: str, number: int) -> Told:
        """Do a trial; returns what it came to."""
        chance, folder = random.Random(f"{kind} {number}"), self._root / f"{kind}-{number}"
        words = ""
        try:
            if kind == "faults":
                scenario = faults.drawn(chance)
                words = str(scenario)
                outcome = faults.run(scenario, folder)
            else:
                if self._scene is None:
                    self._scene = self._open.enter_context(kills.scene(self._root / "scene"))
                outcome = {"kills": kills.run, "together": together.run}[kind](self._scene, chance, folder)
        except WrongError as error:
            outcome = Outcome(WRONG)
            words = f"{error} [{words}]"
        except Exception:  # noqa: BLE001  # it is told, and fails the whole
            outcome = Outcome(BROKE)
            words = f"{traceback.format_exc(limit=-3)} [{words}]"
        shutil.rmtree(folder, ignore_errors=True)
        return kind, number, outcome.what, outcome.faults, words


def _print(console: Console, found: list[Told]) -> None:
    columns = (RECOVERED, SET_ASIDE, FAILED, WRONG, BROKE)
    table = Table(title=f"{len(found)} trials")
    table.add_column("what happened")
    for column in ("times", *columns):
        table.add_column(column, justify="right")
    by_fault: dict[str, Counter[str]] = {}
    times: Counter[str] = Counter()
    for kind, _, what, hits, _ in found:
        times += hits
        for fault in hits or {f"({kind})": 1}:
            by_fault.setdefault(fault, Counter())[what] += 1
    for fault, counts in sorted(by_fault.items()):
        table.add_row(fault, str(times[fault]), *(str(counts[column]) for column in columns))
    total = Counter(what for _, _, what, _, _ in found)
    table.add_section()
    table.add_row("trials", "", *(str(total[column]) for column in columns))
    console.print(table)
