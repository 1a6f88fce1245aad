"""Where landing's time goes: CPU seconds of the steps of one day's calls, each done alone, beside the whole and the tuned floor.

``python -m benchmarks.steps`` prints the table. All steps together, by the number of cores, are the least that this way of
landing can take; what the whole takes beyond that is waiting.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from benchmarks import contestants
from benchmarks.landing import canned, with_material
from benchmarks.material import CALLS, DAY
from benchmarks.report import show
from herobase_pipeline.herobase.documents import Segment, segments
from herobase_pipeline.lake.engine import ROOMY, connect, define_token, literal
from herobase_pipeline.lake.landing import Landing
from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.pulling.day import happened_then
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_PHONES
from herobase_pipeline.tables import CALLS as TABLE

_CHUNK = 1 << 20
_WHOLE, _CLOCK, _FLOOR = "the whole", "the whole, by the clock", "the tuned floor"
_Seconds = dict[str, float]


def measure(folder: Path, port: int) -> _Seconds:
    """Return the CPU seconds of the whole, of the floor and of each step, and what the whole took by the clock."""
    body = (folder / CALLS).read_bytes()
    work, began = contestants.ours(CALLS, folder, port), time.perf_counter()
    seconds = {_WHOLE: _cpu(work), _CLOCK: time.perf_counter() - began}
    seconds[_FLOOR] = _cpu(contestants.tuned_floor(CALLS, folder, port))

    def cut() -> list[Segment]:
        return list(segments((body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK)), "calls"))

    steps = {
        "the bytes over HTTP": _cpu(contestants.download(CALLS, folder, port)),
        "cutting, with a proof of each segment": _cpu(cut),
    }
    parts = cut()
    with _landing() as landing:
        steps["a plan for each segment"] = _cpu(lambda: landing.document([_first(part) for part in parts]))
    with _landing() as landing:
        reading = _cpu(lambda: landing.document(parts)) - steps["a plan for each segment"]
        landing.gather()
        landing.con.execute("CREATE TEMP TABLE numbers AS SELECT phone FROM pulled")
        hashes = _cpu(lambda: landing.con.execute("SELECT count(token(phone)) FROM numbers").fetchall())
        columns = ", ".join(f"{literal(key)}: 'VARCHAR'" for key in sorted(parts[0].keys))
        array = f"{literal(str(folder / CALLS))}, format = 'array', columns = {{{columns}}}"
        query = f"CREATE TEMP TABLE texts AS FROM read_json({array}, maximum_object_size = {len(body) + 1})"
        texts = _cpu(lambda: landing.con.execute(query))
    steps |= {"JSON to texts": texts, "texts to values": reading - texts - hashes, "keyed hashes of numbers": hashes}
    return seconds | steps | {"places, checks and the day's files": seconds[_WHOLE] - sum(steps.values())}


@contextmanager
def _landing() -> Iterator[Landing]:
    """Yield a landing as a pull of the day has it, with room for all of it."""
    zone = Settings().zone
    with tempfile.TemporaryDirectory() as folder, connect(zone, Path(folder), ROOMY) as con:
        define_token(con, b"k")
        con.execute(f"CREATE OR REPLACE MACRO happened_then(clock) AS {happened_then(day_bounds(DAY, zone), zone)}")
        with Landing(con, Path(folder), (TABLE, CALL_PHONES), ("user",)) as landing:
            yield landing


def _first(segment: Segment) -> Segment:
    """Return a segment of the first record alone."""
    record = msgspec.json.decode(segment.json, type=list[msgspec.Raw])[0]
    return replace(segment, json=b"[" + bytes(record) + b"]", records=1)


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Measure some rounds, each in a process of its own, and print the medians."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.steps", description=__doc__)
    options.add_argument("--calls", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.run:
        folder, port = asked.run
        print(json.dumps(measure(Path(folder), int(port))))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = [sys.executable, "-m", "benchmarks.material", folder, "--calls", str(asked.calls)]
        calls = json.loads(subprocess.run(made, stdout=subprocess.PIPE, check=True, text=True).stdout)[CALLS]
        with canned(Path(folder)) as port:
            rounds = [_in_a_process_of_its_own(folder, port) for _ in range(asked.rounds)]
    median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    show(
        f"Where the time of landing {calls:,} calls goes",
        ["", "CPU seconds", "× tuned floor"],
        [[name, f"{taken:.2f}", f"{taken / median[_FLOOR]:.2f}"] for name, taken in median.items()],
        [
            f"Medians of {asked.rounds} rounds on {os.cpu_count()} cores. After the floor: the steps of the whole, each alone"
        ],
    )


def _in_a_process_of_its_own(folder: str, port: int) -> _Seconds:
    with with_material(Path(folder)) as made:
        command = [sys.executable, "-m", "benchmarks.steps", "--run", str(made), str(port)]
        return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout))


if __name__ == "__main__":
    main()
