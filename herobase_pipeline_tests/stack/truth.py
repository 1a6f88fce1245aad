"""What is in the lake of a stack, against the world of its sandbox."""

import datetime as dt
from collections import Counter
from collections.abc import Collection

import duckdb

from herobase_pipeline.enums import LeadStatus
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.tables import CALL_PHONES, CALLS, LEAD_DATA, SIMPLE_LEADS, Table
from herobase_pipeline_tests.conftest import alias
from herobase_pipeline_tests.stack.stack import PULLED, Stack

DAYS = [f"2026-03-{number:02}" for number in range(1, 32)]


def ids(lake: Lake, table: Table, column: str, day: str) -> Counter[str]:
    path = lake.file(table, dt.date.fromisoformat(day))
    if not path.exists():
        return Counter()
    with duckdb.connect() as con:
        return Counter(row[0] for row in con.execute(f"SELECT {column} FROM read_parquet('{path}')").fetchall())


def assert_is_the_world(stack: Stack, days: Collection[str]) -> None:
    """Each day holds each of the world's calls and leads once, and nothing lies beside it."""
    world = stack.sandbox.world
    known = 0
    for day in days:
        start, end = day_bounds(dt.date.fromisoformat(day), stack.settings.zone)
        calls = Counter(call.id for call in world.calls(start, end, world.now()))
        known += calls.total()
        assert ids(stack.lake, CALLS, "call_id", day) == calls
        assert ids(stack.lake, CALL_PHONES, "call_id", day).keys() <= calls.keys()
        is_erased = {lead.id: lead.status is LeadStatus.Anonymized for lead in world.leads(world.now(), start, end)}
        leads = Counter(alias(lead) if erased else lead for lead, erased in is_erased.items())
        assert ids(stack.lake, SIMPLE_LEADS, "lead_id", day) == leads
        assert ids(stack.lake, LEAD_DATA, "lead_id", day) == Counter(lead for lead in leads if lead in is_erased)
    assert known
    assert stack.leftovers() == []


def assert_all_done(stack: Stack, days: Collection[str]) -> None:
    """What people see in the UI is done, and true; nothing is left hanging."""
    assert stack.missing(PULLED, days) == []
    assert stack.unfinished() == []
    stack.wait_for(
        lambda: stack.slots() == {"held": [], "waiting": []}, "the end of all claims on the pool", seconds=15
    )
    assert_is_the_world(stack, days)
