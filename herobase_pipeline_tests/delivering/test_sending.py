"""Many successes through a destination that does everything wrong (trap T39): none twice, none lost, counts that agree."""

import datetime as dt
import itertools
import os
import random
from collections import Counter
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from herobase_pipeline.delivering.declarations import delivery
from herobase_pipeline.delivering.destinations import answers, hero
from herobase_pipeline.delivering.destinations.answers import Address, Target
from herobase_pipeline.delivering.ledger import ledger
from herobase_pipeline.delivering.planning import SEND, Planned
from herobase_pipeline.delivering.sending import Sender
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SANDBOX_HERO_KEY, SandboxSettings
from herobase_pipeline.tables import LEADS
from herobase_pipeline_tests.conftest import writer
from herobase_pipeline_tests.delivering.files import declared

MANY = 10_000 if os.environ.get("LONG_TESTS") else 1_000
FAULTS = [
    "cut=0",
    "cut",
    "status=500 commits",
    "status=500",
    "error",
    "status=422",
    "status=429",
    "status=503",
    "delay=0.3",
]


@pytest.mark.slow
def test_t39_of_many_successes_none_is_sent_twice_and_none_is_lost(tmp_path, monkeypatch, request):
    sandbox = Sandbox(SandboxSettings(calls_per_day=0)).start()
    request.addfinalizer(sandbox.stop)
    monkeypatch.setattr(answers, "_READ_SECONDS", 0.2)  # it hangs for longer
    chance = random.Random(1)
    ill = chance.sample(range(1, MANY), MANY // 5)
    for n, fault in enumerate(FAULTS):
        nth = ",".join(map(str, ill[n :: len(FAULTS)]))
        sandbox.script(f"/hero/* {fault} nth={nth}")
    text = declared({"customer.email": 'lead_field = "Email"'}, max_per_run=str(MANY), stop_after_failures=str(MANY))
    file = delivery("hero", text.encode(), "hero.toml", LEADS.names)
    to = Address(sandbox.hero_url, {"Authorization": f"Bearer {SANDBOX_HERO_KEY}".encode()})
    target = Target("here", partial(hero.send, to))
    planned = [
        Planned("hero", f"L{n}", f"key{n:07d}", SEND, None, {"customer": {"email": f"p{n}@example.dk"}})
        for n in range(MANY)
    ]
    ticks = itertools.count()

    def now() -> dt.datetime:
        return dt.datetime(2026, 11, 20, tzinfo=dt.UTC) + dt.timedelta(milliseconds=next(ticks))

    lake, zone = writer(tmp_path), ZoneInfo("Europe/Copenhagen")
    for _ in range(2):  # what could not be sent comes with the next run; nothing else does
        with ledger(lake, zone, now) as book:
            sent, planned = Sender(book, now, lambda _: None, lambda: False).send(file, target, planned)
            states = {key: event.state for key, event in book.latest.items()}
    there = Counter(project["customer"]["email"] for project in sandbox.destinations.projects)
    by_state = {
        state: {f"p{int(key[3:])}@example.dk" for key, its in states.items() if its == state}
        for state in set(states.values())
    }
    assert sent.stopped is None
    assert max(there.values()) == 1
    assert set(by_state) == {"delivered", "rejected", "unknown"}
    assert sum(map(len, by_state.values())) == MANY
    assert by_state["delivered"] <= there.keys() <= by_state["delivered"] | by_state["unknown"]
    assert not by_state["rejected"] & there.keys()
    assert 0 < len(there.keys() & by_state["unknown"]) < len(by_state["unknown"])
    assert {event.key for event in book.events} == set(states)
