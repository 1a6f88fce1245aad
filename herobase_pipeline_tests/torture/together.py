"""Whatever writes, all at once on one lake, while somebody reads: nobody meets half of anything."""

import random
import shutil
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb

import herobase_pipeline as hb
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline_tests.torture.children import busy
from herobase_pipeline_tests.torture.kills import DERIVED, Scene, _at, _done, _prepare, _rows, differences
from herobase_pipeline_tests.torture.outcome import RECOVERED, Outcome, WrongError

_PATIENCE_S = 180
_FAILURES = 5  # in a row
_COUNTS = """
    SELECT calls.date, calls.n, outcomes.n
    FROM (SELECT date, count(*) AS n FROM calls GROUP BY ALL) AS calls
    JOIN (SELECT date, sum(calls)::BIGINT AS n FROM call_outcomes WHERE org_level = 0 GROUP BY ALL) AS outcomes USING (date)
    WHERE date <= DATE '2026-11-17'
"""


def run(made: Scene, chance: random.Random, folder: Path) -> Outcome:
    """Do several kinds of work at once, the same one twice at times, with a reader beside them; then all of them once more.

    Raises:
        WrongError: a reader met what was never so, one is stuck, or the lake does not come to what it should.

    """
    kinds = [chance.choice(sorted(made.kinds)) for _ in range(3)]
    made.here.sandbox.destinations.projects.clear()
    _prepare(made, "erase" if "erase" in kinds else kinds[0], folder)
    works = [replace(made.kinds[kind], settings=_at(made.kinds[kind], folder)) for kind in kinds]
    met: list[str] = []
    done = threading.Event()
    reader = threading.Thread(target=_read, args=(folder, done, met))
    reader.start()
    try:
        if busy([work.start() for work in works], _PATIENCE_S):
            raise WrongError(f"{' and '.join(kinds)} at once: one is not done after {_PATIENCE_S} seconds")
    finally:
        done.set()
        reader.join()
    if met:
        raise WrongError(f"{' and '.join(kinds)} at once: a reader met {met[0]}")
    emails = Counter(project["customer"]["email"] for project in made.here.sandbox.destinations.projects)
    if max(emails.values(), default=0) > 1:
        raise WrongError("a success was delivered twice")
    one_by_one = folder.with_name(f"{folder.name} one by one")
    shutil.copytree(folder, one_by_one)
    for root in (folder, one_by_one):
        for work in works:
            _done(replace(work, settings=_at(work, root)))
        _done(replace(works[0], select=DERIVED, first=None, last=None, tags=(), settings=_at(works[0], root)))
    if found := differences(Lake(folder), Lake(one_by_one)):
        raise WrongError(f"{' and '.join(kinds)} at once: not the same twice: {found}")
    doubled = _rows(Lake(folder), "SELECT date, call_id FROM calls GROUP BY ALL HAVING count(*) > 1")
    if doubled:
        raise WrongError(f"{len(doubled)} calls are doubled")
    shutil.rmtree(one_by_one)
    return Outcome(RECOVERED, Counter(f"{kind}, with others" for kind in kinds))


def _read(folder: Path, done: threading.Event, met: list[str]) -> None:
    """Query again and again, as an open notebook does."""
    with hb.connect(folder) as con:
        was = con.execute(_COUNTS).fetchall()
        failures = 0
        while not done.is_set():
            try:
                now = con.execute(_COUNTS).fetchall()
            except duckdb.Error as error:  # a file was replaced in that moment; asked again it answers
                failures += 1
                if failures > _FAILURES:
                    met.append(f"{type(error).__name__}: {error}"[:300])
                    return
                continue
            failures = 0
            if sorted(now) != sorted(was):
                met.append(f"counts of days that nobody changed: {now} after {was}")
                return
