"""Faults in combinations: after each the day is HeroBase's, or says what it set aside, or failed and is as it was."""

import datetime as dt
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from herobase_pipeline_tests.conftest import NOW, Centre, centres, failure
from herobase_pipeline_tests.torture.outcome import FAILED, RECOVERED, SET_ASIDE, Outcome, WrongError
from herobase_pipeline_tests.torture.wire import BODIES, BROKEN, RECORDS, SERVICES, UNREADABLE, Spoil, Wire

PULLED = "calls,private/call_phones,simple_leads,private/lead_data,call_outcomes"
DAYS = ("2026-11-18", "2026-03-29", "2026-10-25", "2026-11-14", NOW.date().isoformat())
"""An ordinary day, those of 23 and 25 hours, a Saturday, and today."""
TWICE, TOLD_APART = "2026-10-25", ["utc", "offset", "ms_date"]
"""A stamp without an offset does not tell the two hours between 02:00 and 03:00 apart, and what does."""
SHAPES: dict[str, list[Any]] = {
    "key_case": ["pascal"],
    "enums": ["number"],
    "absent": ["null", "empty"],
    "hierarchy": ["strings", "columns", "nested", "nested_user"],
    "user_ref": ["string"],
    "pretty": [True],
    "units": ["tree", "missing"],
    "duplicates": [0.2],
    "unknown_fields": [True],
    "durations": ["clock", "seconds"],
    "stamps": ["utc", "offset", "ms_date"],
}
SCRIPTED = (
    "/calls max_window=3h",
    "/calls max_window=20m",
    "/calls max_rows=100",
    "/simpleleads max_rows=60",
    "/calls status=429 reset=20 times=1",
    "/calls status=500 times=2",
    "/calls delay=0.05",
    "/simpleleads cut=0.3 times=1",
    "/organizationalunits status=503 times=2",
    "/calls deny",
    "/simpleleads deny times=1",
)
_ROWS = {
    "/calls": """
        SELECT call_id, started_at, ended_at, end_cause, call_status, lead_closure, connected, incoming, dialing_s,
            conversation_s, wrap_up_s, lead_id, campaign_id, agent, org_path
        FROM calls WHERE date = '{day}'
    """,
    "/simpleleads": """
        SELECT lead_id, last_modified_at, status, closure, campaign_id FROM simple_leads WHERE date = '{day}'
    """,
}


@dataclass(frozen=True)
class Scenario:
    """A combination of faults.

    Attributes:
        day: the day that is pulled.
        shapes: the form in which HeroBase answers.
        scripted: what HeroBase does wrong, as the sandbox has it.
        spoils: what happens on the wire.
        was_loaded: whether the day was pulled well before.

    """

    day: str
    shapes: dict[str, Any] = field(default_factory=dict)
    scripted: tuple[str, ...] = ()
    spoils: tuple[Spoil, ...] = ()
    was_loaded: bool = False

    def __str__(self) -> str:
        told = [self.day, "loaded before" if self.was_loaded else "loaded first", json.dumps(self.shapes)]
        return "; ".join([*told, *self.scripted, *map(str, self.spoils)])


def drawn(chance: random.Random) -> Scenario:
    """Return a combination."""
    shapes = {name: chance.choice(SHAPES[name]) for name in chance.sample(sorted(SHAPES), chance.randrange(4))}
    day = chance.choice(DAYS)
    if day == TWICE:
        shapes["stamps"] = chance.choice(TOLD_APART)
    spoils = []
    for _ in range(chance.randrange(1, 4)):
        kind = chance.choice([RECORDS, BODIES, BROKEN, BROKEN, UNREADABLE])
        service = chance.choice(SERVICES[:2] if kind is UNREADABLE else SERVICES)
        times = 1_000 if kind is UNREADABLE else chance.choice([1, 1, 2, 1_000])
        name = chance.choice(sorted(kind))
        spoils.append(Spoil(name, service, chance.randrange(1 << 30), chance.choice([0, 0, 1, 2]), times))
    scripted = tuple(chance.sample(SCRIPTED, chance.choice([0, 0, 1, 2])))
    return Scenario(day, shapes, scripted, tuple(spoils), chance.random() < 0.5)


def run(scenario: Scenario, folder: Path) -> Outcome:
    """Pull a day in which all of it happens, and once more when it is over.

    Raises:
        WrongError: the lake has something that is not so, and nobody was told; or it does not recover.

    """
    with pytest.MonkeyPatch.context() as patch, centres(folder, patch) as start:
        return _run(scenario, start(**scenario.shapes))


def _run(scenario: Scenario, real: Centre) -> Outcome:
    wire = Wire()
    with wire.before(real.sandbox.url) as url:
        here = real.at(url)
        if scenario.was_loaded:
            here.load(PULLED, scenario.day)
        before = here.files()
        real.sandbox.script(*scenario.scripted)
        wire.spoils += scenario.spoils
        result = here.materialize(PULLED, scenario.day)
        what = (
            _judged(here, scenario.day, wire) if result.success else _failed(here, scenario.day, wire, result, before)
        )
        hits = Counter(wire.hits)
        wire.heal()
        real.sandbox.heal()
        again = here.materialize(PULLED, scenario.day)
        if not again.success:
            raise WrongError(f"it does not recover: {failure(again)}")
        for service in _ROWS:
            if lacking := _lacking(here, service, scenario.day):
                raise WrongError(f"{len(lacking)} of {service} are lacking once it is over")
        if left := here.leftovers():
            raise WrongError(f"left over: {left}")
    return Outcome(what, hits + Counter(rule.split(maxsplit=1)[1] for rule in scenario.scripted))


def _failed(here: Centre, day: str, wire: Wire, result: Any, before: dict[str, bytes]) -> str:
    told = failure(result)
    if not told:
        raise WrongError("it failed without a word")
    if here.sandbox.password in told.split() or "@" in told:
        raise WrongError(f"it told a secret: {told}")
    changed = {name for name, content in here.files().items() if before.get(name) != content}
    # the calls may have landed before the leads failed: each is whole, or as it was
    for service, table in (("/calls", "calls"), ("/simpleleads", "simple_leads")):
        if any(f"/{table}/" in name for name in changed):
            _judged(here, day, wire, service)
    return FAILED


def _judged(here: Centre, day: str, wire: Wire, *services: str) -> str:
    aside = dict(here.rows("SELECT '/' || service, count(*) FROM unreadable GROUP BY ALL"))
    what = RECOVERED
    for service in services or _ROWS:
        lacking = _lacking(here, service, day)
        spoiled = wire.unreadable.get(service, set())
        if not lacking:
            continue
        if not lacking <= spoiled or len(lacking) > aside.get(service, 0):
            raise WrongError(f"{len(lacking)} of {service} are lacking, of which {aside.get(service, 0)} are counted")
        what = SET_ASIDE
    return what


def _lacking(here: Centre, service: str, day: str) -> set[str]:
    """Return the ids that the world has of a day and the lake has not; all that it has must be true."""
    found = [tuple(map(_plain, row)) for row in here.rows(_ROWS[service].format(day=day))]
    truth = _calls(here, day) if service == "/calls" else _leads(here, day)
    rows = {row[0]: row for row in found}
    if len(rows) != len(found):
        raise WrongError(f"{len(found) - len(rows)} of {service} are doubled")
    if wrong := [row_id for row_id, row in rows.items() if truth.get(row_id) != row]:
        one = wrong[0]
        raise WrongError(f"{len(wrong)} of {service} are not so, such as {rows[one]} in place of {truth.get(one)}")
    return truth.keys() - rows.keys()


def _calls(here: Centre, day: str) -> dict[str, tuple[Any, ...]]:
    return {
        call.id: tuple(map(_plain, (
            call.id, call.start, call.end, call.end_cause.name, call.status.name, call.closure.name, call.connected,
            call.incoming, call.dialing_s, call.conversation_s, call.wrap_up_s, call.lead_id, call.campaign_id, call.agent,
            list(call.org_path),
        )))
        for call in here.truth(day)
    }  # fmt: skip


def _leads(here: Centre, day: str) -> dict[str, tuple[Any, ...]]:
    window = here.window(day)
    return {
        here.called(lead): tuple(
            map(_plain, (here.called(lead), lead.last_modified, lead.status.name, lead.closure.name, lead.campaign_id))
        )
        for lead in here.world.leads(here.now, window.start, window.end)
    }


def _plain(value: Any) -> Any:
    return (
        tuple(value)
        if isinstance(value, list)
        else value.astimezone(dt.UTC)
        if isinstance(value, dt.datetime)
        else value
    )
