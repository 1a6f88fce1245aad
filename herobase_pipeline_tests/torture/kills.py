"""kill -9 at any moment of whatever writes: what is done again afterwards comes to what it would have come to."""

import datetime as dt
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from herobase_pipeline.lake.catalogue import INTERVAL, selection
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import SANDBOX_HERO_KEY
from herobase_pipeline.tables import TABLES
from herobase_pipeline_tests.conftest import Centre, centres
from herobase_pipeline_tests.torture.children import Work
from herobase_pipeline_tests.torture.outcome import RECOVERED, Outcome, WrongError

BY_DAY = "calls,private/call_phones,simple_leads,private/lead_data,call_outcomes"
DERIVED = "leads,lead_conversion,lead_cohorts,cumulative_incidence,drop_rates,org_history"
_FIRST, _LAST, _NEW = "2026-11-16", "2026-11-18", "2026-11-19"
_BY_RUN = (
    "restatements",
    "delivery_plan",
    "erasures",
    "account",
    "deliveries",
    "delivery_payloads",
    "health",
    "metrics",
)
"""Tables that tell runs and times; what they say is looked at otherwise."""
_TIMES = {"erased": "asked_at, seen_at"}
"""Columns that say when something was done, by the machine's own clock."""
_DELIVERY = """
destination = "hero"
is_live = true
deliver_from = 2026-11-16
max_per_run = 1000
[[field_mappings]]
field_name = "customer.email"
lead_field = "Email"
required = true
"""


@dataclass
class Scene:
    """A lake that was loaded, and what each kind of work makes of it undisturbed.

    Attributes:
        here: the centre.
        whole: the lake, as every trial finds it.
        kinds: the kinds of work.
        after: what each makes of it.
        seconds: how long each takes.

    """

    here: Centre
    whole: Path
    kinds: dict[str, Work]
    after: dict[str, Path] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def scene(folder: Path, *names: str) -> Iterator[Scene]:
    """A scene for the kinds of work that are named; all by default."""
    with pytest.MonkeyPatch.context() as patch, centres(folder, patch) as start:
        (folder / "deliveries").mkdir(parents=True)
        (folder / "deliveries" / "hero.toml").write_text(_DELIVERY)
        here = start(data="whole", calls_per_day=600)
        reached = {"hero_url": here.sandbox.hero_url, "hero_api_key": SANDBOX_HERO_KEY}
        here.settings = type(here.settings)(
            **{name: getattr(here.settings, name) for name in here.settings.model_fields_set},
            **reached,
            deliveries_dir=folder / "deliveries",
            start_date=dt.date(2026, 11, 1),
        )
        here.load(BY_DAY, _FIRST, _LAST)
        here.load(DERIVED)
        kinds = _kinds(here, folder)
        made = Scene(here, here.lake.root, {name: kinds[name] for name in names or kinds})
        for name, work in made.kinds.items():
            made.after[name] = folder / f"after {name}"
            _prepare(made, name, made.after[name])
            made.seconds[name] = _timed(
                lambda work=work, name=name: _done(replace(work, settings=_at(work, made.after[name])))
            )
        here.sandbox.destinations.projects.clear()
        yield made


def _kinds(here: Centre, folder: Path) -> dict[str, Work]:
    settings = {name: getattr(here.settings, name) for name in here.settings.model_fields_set}
    common: dict[str, Any] = {"settings": settings, "now": here.now, "aside": folder / "aside"}
    today = here.now.date().isoformat()
    return {
        "backfill": Work(BY_DAY, first=_NEW, last=today, **common),
        "a day again": Work(BY_DAY, first=_LAST, **common),
        "refresh": Work(BY_DAY, first=today, tags=(("herobase/refresh", "true"),), **common),
        "derive": Work(DERIVED, **common),
        "erase": Work("private/erased,erasures", **common),
        "deliver": Work("delivery_plan,deliveries,private/delivery_payloads", **common),
    }


def _prepare(made: Scene, kind: str, to: Path) -> None:
    """Copy the lake for a trial, with what the kind of work has to do."""
    shutil.copytree(made.whole, to)
    if kind == "derive":
        new = made.whole.with_name("a new day")
        if not new.exists():
            shutil.copytree(made.whole, new)
            _done(replace(made.kinds[kind], select=BY_DAY, first=_NEW, settings=_at(made.kinds[kind], new)))
        shutil.rmtree(to)
        shutil.copytree(new, to)
    if kind == "erase":
        (to / "erase").mkdir()
        leads = made.here.rows("SELECT lead_id FROM leads ORDER BY hash(lead_id) LIMIT 5")
        (to / "erase" / "some.txt").write_text("".join(f"{lead}\n" for (lead,) in leads))


def _at(work: Work, root: Path) -> dict[str, Any]:
    return {**work.settings, "data_dir": root}


def _done(work: Work) -> None:
    if why := work.finish():
        raise WrongError(f"it failed: {why}")


def _timed(do: Callable[[], None]) -> float:
    began = dt.datetime.now(dt.UTC)
    do()
    return (dt.datetime.now(dt.UTC) - began).total_seconds()


def run(made: Scene, chance: random.Random, folder: Path) -> Outcome:
    """Kill a kind of work, once or again and again, or let its disk be full, then do it to its end.

    Raises:
        WrongError: what it came to is not what it comes to undisturbed.

    """
    kind = chance.choice(sorted(made.kinds))
    made.here.sandbox.destinations.projects.clear()
    _prepare(made, kind, folder)
    work = replace(made.kinds[kind], settings=_at(made.kinds[kind], folder))
    kills, is_full = 0, chance.random() < 0.15
    if is_full:
        full = replace(work, largest=chance.choice([1_000, 20_000, 100_000]))
        if (told := full.finish()) and "The disk of" not in told:
            raise WrongError(f"{kind}: on a full disk it said {told}")
    for _ in range(0 if is_full else chance.choice([1, 1, 1, 2, 3])):
        kills += work.kill_after(chance.uniform(0, made.seconds[kind] * 1.1))
    _done(work)
    lake = Lake(folder)
    if found := differences(lake, Lake(made.after[kind])):
        raise WrongError(f"{kind}: after {kills} kills other rows: {found}")
    meant = ("part.parquet", "herobase.duckdb", "datapackage.json", ".requests-")
    left = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(meant) and path.parent.name != ".notes" and not _is_known(path)
    ]
    if left:
        raise WrongError(f"{kind}: left over after {kills} kills: {left}")
    if kind == "deliver":
        _look_at_deliveries(made, lake, kills + is_full)
    if kind == "erase" and (folder / "erase" / "some.txt").exists():
        raise WrongError("the list of whom to erase is still there")
    return Outcome(RECOVERED, Counter({f"full disk: {kind}": 1} if is_full else {f"kill: {kind}": kills}))


def _is_known(path: Path) -> bool:
    """Whether a file is one that is kept beside a table, or a lock."""
    return path.name in (".known", ".digests") or path.suffix == ".lock"


def _look_at_deliveries(made: Scene, lake: Lake, kills: int) -> None:
    there = Counter(project["customer"]["email"] for project in made.here.sandbox.destinations.projects)
    states = Counter(dict(_rows(lake, "SELECT state, count(*) FROM deliveries GROUP BY ALL")))
    planned = Counter(dict(_rows(lake, "SELECT decision, count(*) FROM delivery_plan GROUP BY ALL")))
    if max(there.values(), default=0) > 1:
        raise WrongError("a success was delivered twice")
    if states["unknown"] > kills or set(states) - {"unknown", "delivered"} or states.total() != planned["done"]:
        raise WrongError(f"deliveries do not add up: {states}, planned {planned}, {kills} kills")
    if not states["delivered"] <= there.total() <= states.total():
        raise WrongError(f"{there.total()} arrived, of which {states} are known")


def differences(one: Lake, other: Lake) -> dict[str, int]:
    """Return how many rows are in one lake alone, by table."""
    found = {}
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'Europe/Copenhagen'")
        con.execute(INTERVAL)
        for table in TABLES:
            if table.name in _BY_RUN:
                continue
            what = f"SELECT * EXCLUDE ({_TIMES[table.name]})" if table.name in _TIMES else "SELECT *"
            here, there = (f"{what} FROM ({selection(lake, table)})" for lake in (one, other))
            ((alone,),) = con.execute(
                f"SELECT count(*) FROM ((({here}) EXCEPT ALL ({there})) UNION ALL (({there}) EXCEPT ALL ({here})))"
            ).fetchall()
            if alone:
                found[table.name] = alone
    return found


def _rows(lake: Lake, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'Europe/Copenhagen'")
        con.execute(INTERVAL)
        for table in TABLES:
            con.execute(f'CREATE VIEW "{table.name}" AS {selection(lake, table)}')
        return con.execute(query).fetchall()
