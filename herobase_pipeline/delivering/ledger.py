"""What became of each delivery, kept so that no success is sent twice (trap T39).

An event is durable in the journal before what it says happens: a request leaves only once ``sending`` is on the disk. The journal
lies in the private zone and lasts as long as a run of the sender; then its events are in ``delivery_payloads`` and their latest
states in ``deliveries``. What a killed run was sending is ``unknown`` from then on: it may have arrived.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from herobase_pipeline.lake import arrow
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.handed_out import journal_of
from herobase_pipeline.lake.layout import Lake, exists, locked, make_folder
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.store import append, remove
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.tables import DELIVERIES, DELIVERY_PAYLOADS

SENDING, NOT_SENT, DELIVERED, REJECTED, UNKNOWN, NEEDS_ACTION = (
    "sending",
    "not_sent",
    "delivered",
    "rejected",
    "unknown",
    "needs_action",
)
SETTLED = "by hand: settled"
"""Why a delivery that a person has settled is delivered."""
_STOPPED = "the sender was stopped before an answer came"
_LATEST = """
    SELECT
        any_value(delivery) AS delivery,
        any_value(destination) AS destination,
        arg_max(lead_id, step) AS lead_id,
        key,
        arg_max(state, step) AS state,
        max(attempts) AS attempts,
        arg_max(remote_id, step) AS remote_id,
        arg_max({'it': reason}, step).it AS reason,
        min(first_at) AS first_tried_at,
        max(happened_at) AS last_tried_at
    FROM (
        SELECT *, happened_at AS first_at, happened_at AS step FROM events
        UNION ALL BY NAME
        SELECT * RENAME (last_tried_at AS happened_at, first_tried_at AS first_at), last_tried_at AS step FROM seen
    )
    GROUP BY key
    HAVING state <> 'not_sent'
"""


def short(key: str) -> str:
    """Return the first signs of a key, by which people find what was sent under it."""
    return key[:10]


class LedgerError(Exception):
    """The ledger cannot be used, so nothing is sent; the message says what to do."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a delivery, or is about to.

    Attributes:
        happened_at: when, in UTC.
        delivery: name of the file.
        destination: where it goes.
        lead_id: whose it is; None: mappings that were handed over.
        key: what is sent once.
        state: see the constants.
        attempts: requests made for it until now.
        remote_id: what the destination calls it.
        reason: why, without anything of the customer.
        said: the destination's words; private.
        body: what is sent, as JSON; private.

    """

    happened_at: dt.datetime
    delivery: str
    destination: str
    lead_id: str | None
    key: str
    state: str
    attempts: int = 0
    remote_id: str | None = None
    reason: str | None = None
    said: str | None = None
    body: str | None = None


class Ledger:
    """The ledger of a run that has its turn.

    Attributes:
        events: all that are known, in order; of erased persons none is.
        latest: the latest event of each key, but of those that were not sent.

    """

    def __init__(self, lake: Lake, zone: ZoneInfo, journal: Path, utcnow: Callable[[], dt.datetime]) -> None:
        self._lake, self._zone, self._path = lake, zone, journal
        self.events: list[Event] = []
        self.latest: dict[str, Event] = {}
        self._times: dict[str, dt.datetime] = {}
        left = _read(journal)
        self._load()
        for event in left:
            self._know(event)
        for event in [event for event in self.latest.values() if event.state == SENDING]:
            self.record(replace(event, happened_at=utcnow(), state=UNKNOWN, reason=_STOPPED, body=None))

    def _load(self) -> None:
        """Read the two tables: either one alone still says what was sent, should the other be lost."""
        with spool(self._lake) as folder, connect(self._zone, folder) as con:
            self.events = _events(
                con, f"SELECT * FROM ({stored(self._lake, DELIVERY_PAYLOADS)}) ORDER BY happened_at, state DESC"
            )
            renamed = "SELECT * EXCLUDE (first_tried_at) RENAME (last_tried_at AS happened_at)"
            states = f"{renamed} FROM ({stored(self._lake, DELIVERIES)})"
            kept = _events(con, states)
        for event in (*self.events, *kept):
            self._settle(event)

    def record(self, event: Event) -> None:
        """Make an event durable, and then known; it is later than all of its key, also where the clock was set back."""
        if (last := self._times.get(event.key)) is not None and event.happened_at <= last:
            event = replace(event, happened_at=last + dt.timedelta(microseconds=1))
        line = json.dumps(asdict(event) | {"happened_at": event.happened_at.isoformat()}, ensure_ascii=False) + "\n"
        append(self._path, line.encode("utf-8", "replace"))
        self._know(event)

    def sent(self, key: str) -> Event | None:
        """Return the event of what was sent last under a key; None where it is not kept any more."""
        return next((event for event in reversed(self.events) if event.key == key and event.body), None)

    def _know(self, event: Event) -> None:
        self.events.append(event)
        self._settle(event)

    def _settle(self, event: Event) -> None:
        if event.key in self._times and self._times[event.key] > event.happened_at:  # from a backup
            return
        self._times[event.key] = event.happened_at
        if event.state == NOT_SENT:
            self.latest.pop(event.key, None)
        else:
            self.latest[event.key] = event

    def keep(self) -> int:
        """Move the journal's events into the tables; returns how many leads ``deliveries`` has."""
        left = _read(self._path)
        rows = [asdict(event) for event in left]
        with spool(self._lake) as folder, connect(self._zone, folder) as con:
            con.register("journal", pa.Table.from_pylist(rows, arrow.schema(DELIVERY_PAYLOADS)))
            new = f"SELECT {', '.join(DELIVERY_PAYLOADS.names)} FROM journal"
            # a run that was killed between the two writes finds the same events again
            write(self._lake, con, DELIVERY_PAYLOADS, f"FROM seen UNION ALL BY NAME ({new} EXCEPT ALL FROM seen)")
            # of all of them, so that what a backup of deliveries lacks comes back
            events = f"FROM ({stored(self._lake, DELIVERY_PAYLOADS)}) UNION ALL BY NAME ({new})"
            con.execute(f"CREATE TEMP TABLE events AS {events}")
            count = write(self._lake, con, DELIVERIES, _LATEST)
        remove(self._path)
        return count


@contextmanager
def ledger(lake: Lake, zone: ZoneInfo, utcnow: Callable[[], dt.datetime]) -> Iterator[Ledger]:
    """Wait for a turn, as only one sender is at work at a time, and hand out the ledger; what happened is kept at the end."""
    folder = lake.under_way("delivering")
    make_folder(folder, private=True)
    with locked(folder):
        journal = journal_of(lake)
        found = Ledger(lake, zone, journal, utcnow)
        try:
            yield found
        finally:
            if exists(journal):
                found.keep()


def _events(con: duckdb.DuckDBPyConnection, query: str) -> list[Event]:
    found = con.execute(query)
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return [Event(**row | {"happened_at": row["happened_at"].astimezone(dt.UTC)}) for row in rows]


def _read(journal: Path) -> list[Event]:
    """Return the events of a journal. A last line that was cut was not durable, so nothing left for it."""
    if not exists(journal):
        return []
    *lines, rest = journal.read_text(encoding="utf-8", errors="replace").split("\n")
    try:
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    except ValueError:
        raise LedgerError(
            f"{journal} cannot be read, so nothing is sent: without it a success could be sent twice. Put it back from a backup; "
            "if there is none, look in the destination what arrived last, then remove it."
        ) from None
    if rest:
        append(journal, b"", keep=sum(len(line.encode()) + 1 for line in lines))
    return [Event(**event | {"happened_at": dt.datetime.fromisoformat(event["happened_at"])}) for event in found]
