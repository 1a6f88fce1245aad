"""From the world's numbers to the API's JSON, under the shape switches of ``SandboxSettings`` (API 2 and 5).

A block of records is made column by column: each column is a list of ready pieces (``,"key":value`` or nothing), each
record their concatenation.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure, LeadStatus
from herobase_pipeline.sandbox.fields import data_objects
from herobase_pipeline.sandbox.world.campaigns import SITE
from herobase_pipeline.sandbox.world.chance import Array, below, bits, many
from herobase_pipeline.sandbox.world.days import Day
from herobase_pipeline.sandbox.world.leads import States
from herobase_pipeline.sandbox.world.lives import CONNECTED, END_CAUSE
from herobase_pipeline.sandbox.world.world import World

BLOCK = 4096
POOL_NAME = "Manually created leads {:%Y-%m}"
"""Name of the pool of a month's leads (API 2.8)."""
Pieces = list[str]
_HIERARCHY_FIELD = {
    "objects": "orgHierarchy",
    "strings": "orgHierarchy",
    "columns": "orgLevel",
    "nested": "orgUnit",
    "nested_user": "orgUnit",
}
_CAMPAIGN_TYPE = "Outbound", "Inbound"  # the real list of values is unknown (API 2.1)


@lru_cache(maxsize=1)
def _clock_texts() -> Array:
    return np.array([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)], object)


def iso_duration(tenths: int) -> str:
    """``PT12M42.5S`` for a number of tenths of a second."""
    if not tenths:
        return "PT0S"
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10}.{rest % 10}S" if rest % 10 else (f"{rest // 10}S" if rest else "")
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + seconds


class Shapes:
    """Renders a world. Keys, stamps, enumerations and absent values follow the settings."""

    def __init__(self, world: World) -> None:
        self.world, self.settings = world, world.settings
        self.seed = world.settings.seed
        self._durations = lru_cache(maxsize=8)(self._duration_table)
        self._campaign = lru_cache(maxsize=8192)(self._campaign_text)
        self._path = lru_cache(maxsize=8192)(self._path_text)
        self._enum_tables: dict[tuple[str, type], Array] = {}

    # -- values ----------------------------------------------------------------------------------------------

    def key(self, name: str) -> str:
        """Give a member's name in the case the settings ask for."""
        return name[:1].upper() + name[1:] if self.settings.key_case == "pascal" else name

    def member(self, name: str, value: str) -> str:
        """Give a ready piece ``,"name":value``; ``value`` is JSON."""
        return f',"{self.key(name)}":{value}'

    def nothing(self, name: str) -> str:
        """Give the piece of a member without a value."""
        absent = self.settings.absent
        return "" if absent == "omit" else self.member(name, "null" if absent == "null" else '""')

    def members(self, **values: Any) -> dict[str, Any]:
        """Make an object from members; ``None`` is an absent value. Nested objects are cased as well."""
        absent = self.settings.absent
        made: dict[str, Any] = {}
        for name, value in values.items():
            if value is None and absent == "omit":
                continue
            made[self.key(name)] = ("" if absent == "empty" else None) if value is None else value
        return made

    def stamp(self, moment: dt.datetime) -> str:
        """Write an aware time as JSON."""
        return self._stamps(np.array([int(moment.timestamp())]))[0]

    def _stamps(self, instants: Array) -> Pieces:
        form = self.settings.stamps
        if form == "ms_date":
            return [f'"/Date({t * 1000})/"' for t in instants.tolist()]
        local = instants if form == "utc" else self.world.calendar.local(instants)
        day, second = np.divmod(local, 86_400)
        days, where = np.unique(day, return_inverse=True)
        epoch = dt.date(1970, 1, 1)
        written = [
            (epoch + dt.timedelta(days=int(d))).strftime("%d-%m-%Y" if form == "danish" else "%Y-%m-%d") for d in days
        ]
        dates = np.array(written, object)[where].tolist()
        clocks = _clock_texts()[second].tolist()
        if form == "decimals7":
            return [f'"{d}T{c}.0000000"' for d, c in zip(dates, clocks, strict=True)]
        if form == "danish":
            return [f'"{d} {c}"' for d, c in zip(dates, clocks, strict=True)]
        if form == "offset":
            ahead = (local - instants).tolist()
            ends = [f"{'-' if a < 0 else '+'}{abs(a) // 3600:02d}:{abs(a) // 60 % 60:02d}" for a in ahead]
            return [f'"{d}T{c}{e}"' for d, c, e in zip(dates, clocks, ends, strict=True)]
        end = "Z" if form == "utc" else ""
        return [f'"{d}T{c}{end}"' for d, c in zip(dates, clocks, strict=True)]

    def _stamp_column(self, name: str, instants: Array, known: Array | None = None) -> Pieces:
        key, stamps = self.member(name, ""), self._stamps(instants)
        if known is None:
            return [key + s for s in stamps]
        nothing = self.nothing(name)
        return [key + s if k else nothing for s, k in zip(stamps, known.tolist(), strict=True)]

    def _duration_table(self, name: str, unit: int) -> Array:
        """Make pieces by number of ``unit`` tenths of a second; the last one is "no value"."""
        form = self.settings.durations
        texts = []
        for n in range(4096):
            tenths = n * unit
            if form == "iso":
                value = f'"{iso_duration(tenths)}"'
            elif form == "clock":
                s, fraction = divmod(tenths, 10)
                value = f'"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}' + (
                    f'.{fraction}000000"' if fraction else '"'
                )
            else:
                value = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths / 10}"
            texts.append(self.member(name, value))
        return np.array([*texts, self.nothing(name)], object)

    def _duration_column(self, name: str, values: Array, known: Array, unit: int = 10) -> Pieces:
        column: Pieces = self._durations(name, unit)[np.where(known, values, -1)].tolist()
        return column

    def _enum_column(
        self, name: str, kind: type[CallEndCause | CallStatus | LeadStatus | LeadClosure], values: Array
    ) -> Pieces:
        table = self._enum_tables.get((name, kind))
        if table is None:
            table = np.full(1000, "", object)
            for value in kind:
                table[value] = self.member(
                    name, f'"{value.name}"' if self.settings.enums == "name" else str(int(value))
                )
            self._enum_tables[name, kind] = table
        column: Pieces = table[values].tolist()
        return column

    def _each(self, values: Array, write: Callable[[int], str]) -> Pieces:
        """Write each different value once."""
        unique, where = np.unique(values, return_inverse=True)
        column: Pieces = np.array([write(int(v)) for v in unique], object)[where].tolist()
        return column

    # -- references ------------------------------------------------------------------------------------------

    def _campaign_text(self, slot: int, day: int, full: bool) -> str:
        c = self.world.campaign_book.of(slot, day)
        if self.settings.campaign_ref == "string":
            return self.member("campaign", _json(c.code))
        extra = {"name": c.name, "project": c.project_name} if full else {}
        return self.member("campaign", _json(self.members(code=c.code, uniqueId=c.id, **extra)))

    def _campaign_column(self, slot: Array, day: Array, *, full: bool) -> Pieces:
        return self._each(slot.astype(np.int64) << 32 | day, lambda v: self._campaign(v >> 32, v & 0xFFFFFFFF, full))

    def _user_text(self, name: str, person: int, *, full: bool, path: int = -1) -> str:
        code = self.world.person_code(person)
        if code is None:
            return self.nothing(name)
        if self.settings.user_ref == "string":
            return self.member(name, _json(code))
        extra: dict[str, Any] = {}
        if full and person >= 0:
            someone = self.world.organisation.person(person)
            extra = {"uniqueId": f"USR{person}{SITE}", "username": code, "name": someone.name}
        if path >= 0:
            extra["orgUnit"] = self._nested(path)
        return self.member(name, _json(self.members(orgCode=code, **extra)))

    def _user_column(self, name: str, person: Array) -> Pieces:
        return self._each(person, lambda v: self._user_text(name, v, full=False))

    def _nested(self, path: int) -> dict[str, Any]:
        unit: dict[str, Any] = {}
        for code, name in self.world.path(path):
            unit = self.members(orgCode=code, name=name, **({self.key("parent"): unit} if unit else {}))
        return unit

    def _path_text(self, path: int) -> str:
        shape, field = (
            self.settings.hierarchy,
            self.settings.hierarchy_field or _HIERARCHY_FIELD.get(self.settings.hierarchy, ""),
        )
        if shape in ("none", "nested_user"):
            return ""
        units = list(self.world.path(path))
        if not units:
            return self.nothing(field + "1" if shape == "columns" else field)
        if shape == "nested":
            return self.member(field, _json(self._nested(path)))
        if self.settings.hierarchy_order == "leaf_first":
            units.reverse()
        if shape == "columns":
            return "".join(
                self.member(f"{field}{n}", _json(code)) + self.member(f"{field}{n}Name", _json(name))
                for n, (code, name) in enumerate(units, 1)
            )
        value = (
            [self.members(orgCode=code, name=name) for code, name in units]
            if shape == "objects"
            else [code for code, _ in units]
        )
        return self.member(field, _json(value))

    # -- calls -----------------------------------------------------------------------------------------------

    def calls(self, day: Day, now: int, include: frozenset[str] = frozenset()) -> Iterator[Pieces]:
        """Yield calls as they stand at ``now`` (Unix s), as JSON objects, a block at a time."""
        for start in range(0, len(day), BLOCK):
            block = day.cut(slice(start, start + BLOCK))
            records = list(map("".join, zip(*self._call_columns(block, now, include), strict=True)))
            yield self._finished(records, block.call)

    def _call_columns(self, day: Day, now: int, include: frozenset[str]) -> list[Pieces]:
        connect = day.start + day.dial
        end = connect + day.talk
        wrapped = end - (-day.wrap.astype(np.int64) // 10)
        answered = CONNECTED[day.kind]
        connected = answered & (connect <= now)
        ended = end <= now
        settled = np.maximum(wrapped, day.settled_at) <= now
        cause = np.where(ended, END_CAUSE[day.kind], 0)
        closure = np.where(settled, day.closure, 0)
        if self.settings.closure_on_calls == "current":
            closure = np.where(settled, self._current_closure(day, now), 0)
        full_user = "user" in include
        nested_user = self.settings.hierarchy == "nested_user"
        if nested_user:
            who = day.person.astype(np.int64) << 32 | (day.path.astype(np.int64) + 1)
            users = self._each(
                who, lambda v: self._user_text("user", v >> 32, full=full_user, path=(v & 0xFFFFFFFF) - 1)
            )
        else:
            users = self._each(day.person, lambda v: self._user_text("user", v, full=full_user))
        flags = {
            name: np.array([self.member(name, "false"), self.member(name, "true")], object)
            for name in ("connected", "incoming")
        }
        types = np.array([self.member("campaignType", _json(t)) for t in _CAMPAIGN_TYPE], object)
        phone, no_phone = self.member("leadPhoneNumber", ""), self.nothing("leadPhoneNumber")
        lead, no_lead = self.member("uniqueLeadId", ""), self.nothing("uniqueLeadId")
        first = "{" + self.member("uniqueId", "")[1:]
        columns = [
            [f'{first}"{n}{SITE}"' for n in day.call.tolist()],
            self._stamp_column("startTime", day.start),
            self._stamp_column("connectTime", connect, connected),
            self._stamp_column("endTime", end, ended),
            flags["connected"][connected.astype(np.int8)].tolist(),
            flags["incoming"][day.incoming.astype(np.int8)].tolist(),
            self._enum_column("endCause", CallEndCause, cause),
            self._enum_column("leadStatus", CallStatus, np.where(settled, day.status, 0)),
            self._enum_column("leadClosure", LeadClosure, closure),
            types[(day.slot == 11).astype(np.int8)].tolist(),
            self._duration_column("dialingDuration", day.dial, ended | connected),
            self._duration_column("conversationDuration", day.talk, ended & answered),
            self._duration_column("wrapUpDuration", day.wrap, wrapped <= now, unit=1),
            [
                f'{phone}"+45{n}"' if k else no_phone
                for n, k in zip(day.phone.tolist(), (day.erased_at > now).tolist(), strict=True)
            ],
            [f'{lead}"{n}{SITE}"' if n >= 0 else no_lead for n in day.lead.tolist()],
            users,
            self._campaign_column(day.slot, day.cohort, full="campaign" in include),
            self._each(day.path, self._path),
        ]
        if self.settings.unknown_fields:
            columns.append(
                [
                    self.member("dialerNode", f'"d{n % 7}"') + self.member("trace", '{"hop":1}')
                    for n in day.call.tolist()
                ]
            )
        columns.append(["}"] * len(day))
        return columns

    def _current_closure(self, day: Day, now: int) -> Array:
        """Give what each call's lead is closed as at ``now``, for calls that closed it (T29)."""
        closure = day.closure.copy()
        which = ((day.closure > 0) & (day.lead >= 0)).nonzero()[0]
        if len(which):
            book = self.world.days
            rows = book.rows_of(day.cut(which))
            states = self.world.lead_book.state(rows, now)
            by_lead = dict(zip(states.number.tolist(), states.closure.tolist(), strict=True))
            closure[which] = [
                by_lead.get(n, c) for n, c in zip(day.lead[which].tolist(), closure[which].tolist(), strict=True)
            ]
        return closure

    # -- leads -----------------------------------------------------------------------------------------------

    def leads(self, states: States, include: frozenset[str] | None = None) -> Iterator[Pieces]:
        """Yield leads as JSON objects, in blocks. ``include``: as a saved search, with only these members (API 2.3)."""
        for start in range(0, len(states), BLOCK):
            block = states.cut(np.arange(start, min(start + BLOCK, len(states))))
            records = list(map("".join, zip(*self._lead_columns(block, include), strict=True)))
            yield self._finished(records, block.number)

    def _lead_columns(self, states: States, include: frozenset[str] | None) -> list[Pieces]:
        saved = include is not None
        wanted = (
            include
            if include is not None
            else frozenset(
                {
                    "data",
                    "campaign",
                    "closuredata",
                    "lastmodifiedbyuser",
                    "firstprocessedbyuser",
                    "uploadedbyuser",
                    "ownerorgunit",
                    "customdata",
                    "leadpool",
                }
            )
        )
        priority = below(many(bits(self.seed, 91), states.number), 3)
        first = "{" + self.member("uniqueId", "")[1:]
        columns: list[Pieces] = [
            [f'{first}"{n}{SITE}"' for n in states.number.tolist()],
            self._enum_column("status", LeadStatus, states.status),
            self._enum_column("closure", LeadClosure, states.closure),
            [self.member("priority", str((10, 10, 5)[p])) for p in priority.tolist()],
        ]
        if "campaign" in wanted:
            columns.append(self._campaign_column(states.rows.slot, states.rows.day, full=False))
        if "leadpool" in wanted and self.settings.lead_pools:
            columns.append(self._pool_column(states.uploaded))
        if "data" in wanted:
            key = self.member("data", "")
            local_day = self.world.calendar.local(states.modified) // 86_400
            access = self.settings.lead_entry_access
            if access == "None":
                columns.append([self.nothing("data")] * len(states))
            else:
                columns.append([key + d for d in data_objects(self.seed, states, local_day, access, lower=saved)])
        if "closuredata" in wanted:
            columns.append([self.member("closureData", "[]")] * len(states))
        if "customdata" in wanted:
            orders = below(many(bits(self.seed, 92), states.number), 90_000)
            has = (states.rows.slot == 2) & (states.closure == LeadClosure.Success) & ~states.erased
            key, nothing = self.member("customData", ""), self.nothing("customData")
            columns.append(
                [
                    f'{key}{{"OrderId":"{o:05d}"}}' if h else nothing
                    for o, h in zip(orders.tolist(), has.tolist(), strict=True)
                ]
            )
        columns += [
            self._stamp_column("uploadTime", states.uploaded),
            self._stamp_column("firstProcessedTime", states.processed, states.processed > 0),
            self._stamp_column("lastModifiedTime", states.modified),
        ]
        if "ownerorgunit" in wanted:
            root = self.world.path(0)[0][0]
            columns.append([self.member("ownerOrgUnit", _json(self.members(orgCode=root)))] * len(states))
        for name, person in (
            ("uploadedByUser", states.uploaded_by),
            ("firstProcessedByUser", states.processed_by),
            ("lastModifiedByUser", states.modified_by),
        ):
            if name.lower() in wanted:
                columns.append(self._user_column(name, person))
        if self.settings.unknown_fields:
            columns.append([self.member("scoreModel", '"v2"') + self.member("score", "0.25")] * len(states))
        columns.append(["}"] * len(states))
        return columns

    def _pool_column(self, uploaded: Array) -> Pieces:
        days, where = np.unique(self.world.calendar.local(uploaded) // 86_400, return_inverse=True)
        names = [POOL_NAME.format(dt.date(1970, 1, 1) + dt.timedelta(days=int(day))) for day in days]
        pools = np.array([self.member("leadPool", _json(self.members(name=name))) for name in names], object)
        found: Pieces = pools[where].tolist()
        return found

    # -- the end ---------------------------------------------------------------------------------------------

    def _finished(self, records: Pieces, numbers: Array) -> Pieces:
        share = self.settings.duplicates
        if share:
            twice = (below(many(bits(self.seed, 93), numbers), 1 << 20) < int(share * (1 << 20))).nonzero()[0]
            records += [records[n] for n in twice]
        if self.settings.pretty:
            records = [json.dumps(json.loads(r), ensure_ascii=False, indent=2) for r in records]
        return records

    def dump(self, value: Any) -> str:
        """Write a plain object as the API would."""
        return json.dumps(value, ensure_ascii=False, indent=2) if self.settings.pretty else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
