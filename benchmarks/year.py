"""A year of a large call centre in a lake, written straight from the sandbox's arrays: what the derived tables are timed on.

``python -m benchmarks.year FOLDER`` makes it. Each call stands as it ended up, as if its day had been pulled again once
all was settled; of the leads there are all versions, where a nightly pull sees the last one of a day only (trap T1).
"""

import argparse
import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure, LeadStatus
from herobase_pipeline.lake.engine import connect, literal, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.sandbox.world import World
from herobase_pipeline.sandbox.world.calendar import date_of, ordinal
from herobase_pipeline.sandbox.world.campaigns import INBOUND, SITE
from herobase_pipeline.sandbox.world.chance import Array, below, bits, many
from herobase_pipeline.sandbox.world.days import NOBODY, Day, Rows
from herobase_pipeline.sandbox.world.lives import CONNECTED, END_CAUSE, MAX_LIFE
from herobase_pipeline.settings import SandboxSettings
from herobase_pipeline.tables import CALLS, SIMPLE_LEADS, Table

LAST = dt.date(2026, 9, 30)
_EVER = 1 << 50  # Unix s: all that will happen is known
_TOGETHER = 32  # days of upload; their leads have sessions on the same days, and each such day is planned once
_TEXTS = pa.list_(pa.string())
_Columns = dict[str, pa.Array]


def make(folder: Path, days: int, calls: int) -> dict[str, int]:
    """Write ``days`` days of some ``calls`` calls each into ``folder/lake``; returns how much of what there is."""
    world, lake, first = World(SandboxSettings(calls_per_day=calls)), Lake(folder), ordinal(LAST) - days + 1
    called, versions, leads = 0, 0, [np.zeros(0, np.int64)]
    with spool(lake) as aside, connect(world.zone, aside) as con:
        for number, seen in zip(range(first, first + days), _days_of_versions(world, first, days), strict=True):
            day = world.day(number)
            _write(lake, con, CALLS, date_of(number), _calls(world, day))
            _write(lake, con, SIMPLE_LEADS, date_of(number), _leads(world, seen))
            called, versions = called + len(day), versions + len(seen)
            leads.append(np.unique(seen["number"]))
    return {"days": days, "calls": called, "leads": len(np.unique(np.concatenate(leads))), "versions": versions}


def _write(lake: Lake, con: duckdb.DuckDBPyConnection, table: Table, day: dt.date, columns: _Columns) -> None:
    """Write a file as the pull of the night after its day would have."""
    pulled_at = literal(dt.datetime.combine(day + dt.timedelta(days=1), dt.time(0, 30), dt.UTC).isoformat())
    same = {"call_date": literal(str(day)), "modified_date": literal(str(day)), "observed_at": pulled_at}
    same |= {"settled": "true", "origin": "'observed'"}
    same |= {"phone_token": "sha256('+45' || phone)", "closure_data": "NULL", "extra": "NULL", "lead_pool": "NULL"}
    con.register("made", pa.table(columns))
    chosen = ", ".join(f"{same.get(column.name, quoted(column.name))} AS {quoted(column.name)}" for column in table)
    write(lake, con, table, f"SELECT {chosen} FROM made", day=day, complete=[day])


def _calls(world: World, day: Day) -> _Columns:
    answered, connect_at = CONNECTED[day.kind], day.start + day.dial
    return {
        "call_id": _ids(day.call),
        "started_at": _instants(day.start),
        "connected_at": _instants(connect_at, ~answered),
        "ended_at": _instants(connect_at + day.talk),
        "end_cause": _names(CallEndCause, END_CAUSE[day.kind]),
        "call_status": _names(CallStatus, day.status),
        "lead_closure": _names(LeadClosure, day.closure),
        "connected": pa.array(answered),
        "incoming": pa.array(day.incoming.astype(bool)),
        "campaign_type": _each(day.slot, lambda slot: "Inbound" if slot == INBOUND else "Outbound"),
        "dialing_s": pa.array(day.dial.astype(float)),
        "conversation_s": pa.array(day.talk.astype(float), mask=~answered),
        "wrap_up_s": pa.array(day.wrap / 10),
        "lead_id": _ids(day.lead, day.lead < 0),
        **_campaigns(world, day.slot, day.cohort),
        "agent": _each(day.person, world.person_code),
        "org_path": _each(day.path, lambda key: [code for code, _ in world.path(key)], _TEXTS),
        "org_key": _each(day.path, lambda key: " › ".join(code for code, _ in world.path(key))),
        "org_names": _each(day.path, lambda key: [name for _, name in world.path(key)], _TEXTS),
        "org_source": _each(day.path, lambda key: "missing" if key < 0 else "call"),
        "phone": pa.array(day.phone),  # a lead is erased days after its last call, so the night after has them all
    }


def _leads(world: World, seen: Array) -> _Columns:
    draws = below(many(bits(world.settings.seed, 91), seen["number"]), 3)
    return {
        "lead_id": _ids(seen["number"]),
        "last_modified_at": _instants(seen["at"]),
        "status": _names(LeadStatus, seen["status"]),
        "closure": _names(LeadClosure, seen["closure"]),
        "priority": pa.array(np.array([10, 10, 5])[draws]),
        **_campaigns(world, seen["slot"], seen["day"]),
        "uploaded_at": _instants(seen["uploaded"]),
        "first_processed_at": _instants(seen["processed"], seen["processed"] == 0),
        "owner_org_code": pa.repeat(world.path(0)[0][0], len(seen)),
        "uploaded_by": _each(seen["uploaded_by"], world.person_code),
        "first_processed_by": _each(seen["processed_by"], world.person_code),
        "last_modified_by": _each(seen["person"], world.person_code),
    }


def _days_of_versions(world: World, first: int, days: int) -> Iterator[Array]:
    """Yield the versions that came to be on each day, in turn, also those of leads uploaded long before the first."""
    edges = np.array([world.calendar.midnight(day) for day in range(first, first + days + 1)])
    waiting: list[list[Array]] = [[] for _ in range(days)]
    for begin in range(first - MAX_LIFE, first + days, _TOGETHER):
        end = min(begin + _TOGETHER, first + days)
        versions = _versions(world, Rows.joined([world.days.uploaded(day) for day in range(begin, end)]))
        cuts = np.searchsorted(versions["at"], edges)
        for day in range(days):
            waiting[day].append(versions[cuts[day] : cuts[day + 1]])
        for day in range(max(0, begin - first), max(0, end - first)):  # leads uploaded later have no version by then
            yield np.concatenate(waiting[day])
            waiting[day] = []


def _versions(world: World, rows: Rows) -> Array:
    """Return all versions of some leads, in order: what changed, and what the lead's earlier versions say."""
    found = world.lead_book.versions(rows, _EVER)
    event = np.repeat(np.arange(len(found)), [len(which) for which, *_ in found])
    which, at, status, closure, person = (np.concatenate(parts) for parts in zip(*found, strict=True))
    closing = world.days.lib.first_processed[rows.life][which]
    is_closed = (closing >= 0) & (event >= closing)

    def of_lead(chosen: Array, values: Array) -> Array:
        """Return, for each version, the value that one version of its lead has."""
        by_lead = np.zeros(len(rows), np.int64)
        by_lead[which[chosen]] = values[chosen]
        return by_lead[which]

    columns = {
        "at": at,
        "number": world.days.lead_number(rows)[which],
        "slot": rows.slot[which],
        "day": rows.day[which],
        "status": status,
        "closure": closure,
        "person": person,
        "uploaded": of_lead(event == 0, at),
        "uploaded_by": of_lead(event == 0, person),
        "processed": np.where(is_closed, of_lead(event == closing, at), 0),
        "processed_by": np.where(is_closed, of_lead(event == closing, person), NOBODY),
    }
    order = np.lexsort((event, at))
    return np.rec.fromarrays([column[order] for column in columns.values()], names=list(columns)).view(np.ndarray)


def _each(values: Array, write: Callable[[int], Any], kind: pa.DataType | None = None) -> pa.Array:
    """Write each different value once, and point the rows to it."""
    unique, where = np.unique(values, return_inverse=True)
    return pa.array([write(int(value)) for value in unique], kind or pa.string()).take(pa.array(where))


def _names(kind: type[IntEnum], values: Array) -> pa.Array:
    return _each(values, lambda value: kind(value).name)


def _campaigns(world: World, slots: Array, days: Array) -> _Columns:
    key, of = slots.astype(np.int64) << 32 | days, world.campaign_book.of
    return {
        "campaign_id": _each(key, lambda value: of(value >> 32, value & 0xFFFFFFFF).id),
        "campaign_code": _each(key, lambda value: of(value >> 32, value & 0xFFFFFFFF).code),
    }


def _instants(seconds: Array, missing: Array | None = None) -> pa.Array:
    return pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC"), mask=missing)


def _ids(numbers: Array, missing: Array | None = None) -> pa.Array:
    return pc.binary_join_element_wise(pc.cast(pa.array(numbers, mask=missing), pa.string()), SITE, "")


def main() -> None:
    """Make it and print what there is, as one JSON object."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--days", type=int, default=365, help="the last of them is in September 2026")
    options.add_argument(
        "--calls", type=int, default=29_000, help="on an ordinary workday; the year has 250 times as many"
    )
    asked = options.parse_args()
    start = time.perf_counter()
    made = make(asked.folder, asked.days, asked.calls)
    print(json.dumps(made | {"seconds": round(time.perf_counter() - start, 1)}))


if __name__ == "__main__":
    main()
