"""What a delivery does with each lead, and with what: the plan, which is made without asking anybody anything."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from herobase_pipeline.delivering.declarations import Delivery
from herobase_pipeline.delivering.destinations import DESTINATIONS
from herobase_pipeline.delivering.destinations.file import flat
from herobase_pipeline.delivering.destinations.herobase import CAMPAIGN
from herobase_pipeline.delivering.ledger import DELIVERED, NEEDS_ACTION, REJECTED, SENDING, SETTLED, Event, Ledger
from herobase_pipeline.delivering.mapping import Lead, Mapped, mapped
from herobase_pipeline.deriving.sources import macros
from herobase_pipeline.fields.columns import MACROS
from herobase_pipeline.fields.declarations import pattern
from herobase_pipeline.fields.projection import SOURCES as FIELDS_FROM
from herobase_pipeline.lake.arrow import as_written
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.engine import ROOMY, connect, define, define_token, literal
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.tables import CAMPAIGNS, DELIVERY_PLAN, LEAD_FIELDS, LEADS, RAW_LEADS

_CLOSED = """
    closed_at IS NOT NULL AND closure IN (SELECT unnest($closures::VARCHAR[]))
    AND status NOT IN ('Removed', 'Anonymized', 'DoNotCall', 'GlobalDoNotCall')
"""
SEND, DONE, INVALID, NOT_YET, NOT_ELIGIBLE = "send", "done", "invalid", "not_yet", "not_eligible"
_PHONE = re.compile(r"[+(]?\d[\d ./()-]*")
_ELIGIBLE = files("herobase_pipeline.delivering").joinpath("eligible.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Planned:
    """What is done with a lead.

    Attributes:
        delivery: name of the file.
        lead_id: the lead.
        key: what is sent once: a keyed hash of destination, account, lead and closure.
        decision: one of the constants.
        reason: why, without anything of the customer.
        body: what is sent, of those that are.

    """

    delivery: str
    lead_id: str
    key: str
    decision: str
    reason: str | None
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Planner:
    """Plans deliveries of a lake, one after the other.

    Attributes:
        lake: the lake.
        zone: the business time zone.
        phone_key: the key of keyed hashes (``HEROBASE_PII_KEY``).
        utcnow: returns the time, in UTC.
        names: the deliveries that there are.

    """

    lake: Lake
    zone: ZoneInfo
    phone_key: bytes
    utcnow: Callable[[], dt.datetime]
    names: Collection[str]

    def plan(self, delivery: Delivery, account: str, ledger: Ledger) -> list[Planned]:
        """Return what a delivery does with each lead that was closed as it asks for, those closed first at the front.

        Args:
            delivery: the file.
            account: whose system it goes to, as its address names it; another one is sent to anew.
            ledger: what was sent before.

        """
        now = self.utcnow()
        with spool(self.lake) as folder, connect(self.zone, folder, ROOMY) as con:
            define_token(con, self.phone_key)
            states = [{"key": key, "state": event.state} for key, event in ledger.latest.items()]
            of_states = pa.schema([("key", pa.string()), ("state", pa.string())])
            con.register("ledger", pa.Table.from_pylist(states, of_states))
            con.execute(f"CREATE TEMP VIEW leads AS {view(self.lake, LEADS)}")
            con.execute(f"CREATE TEMP VIEW known AS {_keys(delivery.destination, account)}")
            rows = con.execute(
                _ELIGIBLE,
                {
                    "closures": list(delivery.closures),
                    "statuses": list(delivery.statuses),
                    "campaigns": pattern(delivery.campaigns),
                    "deliver_from": delivery.deliver_from,
                    "settle_minutes": delivery.settle_minutes,
                    "now": now,
                },
            ).fetchall()
            found = [
                Planned(delivery.name, lead, key, decided["decision"], decided["reason"], {})
                for lead, key, decided, _ in rows
            ]
            leads = self._leads(con, [each.lead_id for each in found if each.decision == SEND])
        today = now.astimezone(self.zone).date()
        return list(_filled(delivery, found, leads, today, _customers(delivery, ledger)))

    def _leads(self, con: duckdb.DuckDBPyConnection, wanted: Sequence[str]) -> dict[str, Lead]:
        """Return what some leads may be sent with."""
        con.register("asked", pa.table({"lead_id": pa.array(wanted, pa.string())}))
        con.execute("CREATE TEMP TABLE wanted AS FROM asked")
        ((days,),) = con.execute(
            "SELECT list_sort(list_distinct(flatten(list(active_dates)))) FROM leads SEMI JOIN wanted USING (lead_id)"
        ).fetchall()
        define(con, macros())
        con.execute(MACROS)
        for table in FIELDS_FROM:
            some = None if table in (CAMPAIGNS, RAW_LEADS) else (days or [])
            its = "" if table is CAMPAIGNS else "SEMI JOIN wanted USING (lead_id)"
            con.execute(f"CREATE TEMP VIEW {table.name} AS SELECT * FROM ({view(self.lake, table, some)}) {its}")
        fields = {
            lead: json.loads(data or "{}") | json.loads(custom or "{}")
            for lead, data, custom in con.execute(
                f"SELECT lead_id, custom_data, data FROM ({LEAD_FIELDS.query})", {"declared": []}
            ).fetchall()
        }
        columns: dict[str, dict[str, Any]] = {lead: {} for lead in wanted}
        known: dict[str, None] = {}
        for rows in ("FROM leads", *([self._typed()] if self.lake.has(LEAD_FIELDS) else [])):
            found = con.execute(f"SELECT * FROM ({rows}) SEMI JOIN wanted USING (lead_id)")
            names = [column[0] for column in found.description]
            known |= dict.fromkeys(names)
            for row in found.fetchall():
                of_lead = dict(zip(names, row, strict=True))
                columns[of_lead["lead_id"]] = of_lead | columns[of_lead["lead_id"]]
        return {lead: Lead(lead, fields.get(lead, {}), known | columns[lead]) for lead in wanted}

    def _typed(self) -> str:
        """Return a SELECT of the declared fields of leads, as they were made."""
        return stored(self.lake, as_written(LEAD_FIELDS, self.lake.file(LEAD_FIELDS)))

    def changed(self, delivery: Delivery, ledger: Ledger) -> Iterator[Event]:
        """Yield what to record of what was delivered and is another since: that a person is needed, and for what (trap T12).

        Only leads that something happened to since they were sent are looked at; a file whose mappings changed changes no lead.
        What a person has settled is as it was then.
        """
        sent = {event.key: event for event in ledger.events if event.state in (SENDING, NEEDS_ACTION) and event.body}
        delivered = [
            event
            for event in ledger.latest.values()
            if event.state == DELIVERED
            and event.lead_id
            and not is_erased(event.lead_id)
            and (event.delivery == delivery.name or self._is_renamed(event, sent.get(event.key), delivery))
        ]
        if not delivered:
            return
        with spool(self.lake) as folder, connect(self.zone, folder, ROOMY) as con:
            days = [event.happened_at.astimezone(self.zone).date() for event in delivered]
            rows = {
                "lead_id": [event.lead_id for event in delivered],
                "key": [event.key for event in delivered],
                "day": days,
            }
            types = pa.schema([("lead_id", pa.string()), ("key", pa.string()), ("day", pa.date32())])
            con.register("delivered", pa.table(rows, types))
            con.execute(f"CREATE TEMP VIEW leads AS {view(self.lake, LEADS)}")
            # of a lead that is not in the lake, as after a restore, nothing is known
            found = con.execute(
                f"SELECT lead_id, key, ({_CLOSED}) FROM delivered JOIN leads USING (lead_id) "
                "WHERE coalesce(list_max(active_dates) >= day, true)",
                {"closures": list(delivery.closures)},
            ).fetchall()
            leads = self._leads(con, [lead for lead, _, is_closed in found if is_closed])
        for lead, key, is_closed in found:
            event = replace(ledger.latest[key], happened_at=self.utcnow(), state=NEEDS_ACTION)
            was, is_settled = sent.get(key), (event.reason or "").startswith(SETTLED)
            if not is_closed:
                reason = f"the lead is no longer closed as {' or '.join(delivery.closures)}"
                if event.reason != f"{SETTLED}: {reason}":
                    yield replace(event, reason=reason)
            elif is_closed and was and was.body and (is_settled or was.reason == mapped_by(delivery)):
                now = mapped(delivery, leads[lead], was.happened_at.astimezone(self.zone).date())
                if other := _differing(delivery, json.loads(was.body), now):
                    reason = f"the lead has another {', '.join(other)} since"
                    yield replace(event, reason=reason, body=json.dumps(now.body, ensure_ascii=False, sort_keys=True))

    def _is_renamed(self, event: Event, sent: Event | None, delivery: Delivery) -> bool:
        """Whether an event is of a file that is called otherwise now."""
        is_gone = event.delivery not in self.names and event.destination == delivery.destination
        return is_gone and sent is not None and sent.reason == mapped_by(delivery)

    def mappings_key(self, delivery: Delivery, account: str) -> str:
        """Return the key under which a file's mappings of CRM fields are handed over to an integration."""
        what = chr(31).join(("mappings", delivery.destination, account, delivery.heron_id or ""))
        with spool(self.lake) as folder, connect(self.zone, folder) as con:
            define_token(con, self.phone_key)
            ((key,),) = con.execute(f"SELECT keyed({literal(what)})").fetchall()
        return str(key)

    def keep(self, planned: Sequence[Planned]) -> int:
        """Write the plan; returns its rows."""
        rows = [
            {"delivery": p.delivery, "lead_id": p.lead_id, "decision": p.decision, "reason": p.reason} for p in planned
        ]
        types = pa.schema([(name, pa.string()) for name in DELIVERY_PLAN.names])
        with spool(self.lake) as folder, connect(self.zone, folder) as con:
            con.register("planned", pa.Table.from_pylist(rows, types))
            return write(self.lake, con, DELIVERY_PLAN, "FROM planned")


def _keys(destination: str, account: str) -> str:
    """Return a SELECT of each lead and the key under which it is sent, in a connection that has ``keyed``."""
    what = (
        f"{literal(destination)} || chr(31) || {literal(account)} || chr(31) || plain_id(lead_id) || chr(31) || closure"
    )
    return f"SELECT lead_id, keyed('delivery' || chr(31) || {what}) AS key FROM leads WHERE closure IS NOT NULL"


def _customers(delivery: Delivery, ledger: Ledger) -> set[str]:
    """Return who was sent to a destination, as far as the field for the customer says.

    What a system has is one for all files; where only the file says what a customer is, it is so within the file.
    """
    of_file = DESTINATIONS[delivery.destination].customer is None
    there = {
        key
        for key, event in ledger.latest.items()
        if event.destination == delivery.destination
        and event.state != REJECTED
        and (event.delivery == delivery.name or not of_file)
    }
    kept = (json.loads(event.body) for event in ledger.events if event.key in there and event.body)
    return {customer for body in kept if (customer := _customer(body, delivery.customer))}


def _customer(body: Mapping[str, Any], field: str | None) -> str:
    """Return whom a body is about; a phone number is the same in whatever spelling, with a country's code and without."""
    value = _said(body, field)
    digits = re.sub(r"\D", "", value)
    return digits[-8:] if _PHONE.fullmatch(value) and len(digits) >= 8 else value


def _said(body: Mapping[str, Any], field: str | None) -> str:
    """Return what a body has in a field, in one spelling; empty for nothing."""
    value: Any = body
    for part in (field or "").split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return "" if value is None else str(value).strip().casefold()


def _unread(delivery: Delivery, lead: Lead) -> str | None:
    """Return a declared field that a mapping names and that is not made yet; None if there is none."""
    named = (each.column for each in delivery.of_leads if each.column)
    return next((column for column in named if column not in lead.columns), None)


def is_erased(lead_id: str | None) -> bool:
    """Whether a lead was erased, by how it is called."""
    return (lead_id or "").startswith("erased-")


def mapped_by(delivery: Delivery) -> str:
    """Return by which mappings a lead is mapped, as a short hash."""
    told = [each.model_dump(mode="json", exclude_defaults=True) for each in delivery.of_leads]
    whole = json.dumps([delivery.destination, told, delivery.value_mappings], sort_keys=True, default=dict)
    return f"mapped by {hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def erased(ledger: Ledger, now: dt.datetime) -> Iterator[Event]:
    """Yield what to record of persons who were erased here and are in another system, whatever file sent them there."""
    for event in list(ledger.latest.values()):
        reason = f"the person was erased here: erase them in {event.destination} too"
        is_there = is_erased(event.lead_id) and event.state in (DELIVERED, NEEDS_ACTION)
        if is_there and event.reason not in (reason, f"{SETTLED}: {reason}"):
            yield replace(event, happened_at=now, state=NEEDS_ACTION, reason=reason, body=None)


def _differing(delivery: Delivery, was: Mapping[str, Any], now: Mapped) -> list[str]:
    """Return the fields in which what was sent is not what would be now, but for those of the day."""
    of_the_day = {each.field_name for each in delivery.of_leads if each.static_value_key}
    old, new = dict(flat(was)), dict(flat(now.body))
    broken = {rule.partition(":")[0] for rule in now.broken}
    return sorted(({name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} | broken) - of_the_day)


def _filled(
    delivery: Delivery, found: Sequence[Planned], leads: Mapping[str, Lead], today: dt.date, customers: set[str]
) -> Iterator[Planned]:
    """Give those that are sent their body, or say which rule they break."""
    destination = DESTINATIONS[delivery.destination]
    for each in found:
        if each.decision != SEND:
            yield each
            continue
        if unread := _unread(delivery, leads[each.lead_id]):
            yield replace(each, decision=NOT_YET, reason=f"lead_fields has no column {unread} yet: materialize it")
            continue
        its = mapped(delivery, leads[each.lead_id], today)
        campaign = _said(its.body, CAMPAIGN) if delivery.destination == "herobase" else ""
        if campaign and campaign == str(leads[each.lead_id].columns.get("campaign_code") or "").casefold():
            yield replace(each, decision=NOT_ELIGIBLE, reason="it is of the campaign that it would be imported for")
            continue
        broken = [*its.broken]
        for field in sorted(destination.required):
            if not broken and not _said(its.body, field):
                broken.append(f"{field}: {delivery.destination} takes nothing without it")
        customer = _customer(its.body, delivery.customer)
        if not broken and customer and customer in customers:
            broken.append(f"{delivery.customer}: another lead with the same was sent, or is planned")
        if broken:
            yield replace(each, decision=INVALID, reason="; ".join(broken))
            continue
        customers |= {customer} - {""}
        yield replace(each, body=its.body, reason=None if delivery.is_live else "the delivery is not live")
