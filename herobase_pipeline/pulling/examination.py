"""What an account really gives: each service is asked once, a little of it is looked at, and nothing of it is kept.

Nobody outside knows an account's rights, the field of its hierarchy or the zone of its stamps before the first question. What is
found here holds names of fields and of enum values, kinds, and counts; never what stands in a record (DESIGN, "The account,
examined").
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import duckdb

from herobase_pipeline.enums import LOOKS_LIKE_ONE
from herobase_pipeline.herobase import errors
from herobase_pipeline.herobase.client import HeroBase, Record
from herobase_pipeline.herobase.documents import Segment
from herobase_pipeline.herobase.organisation import OrgTree
from herobase_pipeline.herobase.quota import quoted_for
from herobase_pipeline.herobase.records import member, text
from herobase_pipeline.lake.engine import connect, define_token, literal, quoted
from herobase_pipeline.lake.landing import WIRE, WITHHELD, Landing, shown_name
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.partitions import Window, day_bounds, local_day
from herobase_pipeline.pulling.lists import pools_of
from herobase_pipeline.pulling.placement import evidence, find
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALLS, LEAD_DATA, SEARCH_LEAD_DATA, SEARCH_LEADS, SIMPLE_LEADS, Table

_LOOKED_AT = 20_000  # records of a service: more say the same
_BUSY = dt.time(9), dt.time(15)  # local: stamps in another zone than the one that they are read in are seen to leave it
_CERTAIN = 0.99
_WEEKEND = 5


class State(StrEnum):
    """What came of asking a service."""

    WORKS = "works"
    NO_RIGHT = "right missing"
    UNKNOWN = "not known here"
    FAILED = "failed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Asked:
    """A service and what it answered.

    Attributes:
        service: its path below the API's root.
        right: the resource whose GET it needs, as far as is known.
        state: what came of it.
        records: how many were looked at.
        detail: what else is to be said of it.

    """

    service: str
    right: str
    state: State
    records: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Hierarchy:
    """Where calls carry the org hierarchy.

    Attributes:
        fields: the fields that hold it; none where calls carry none, or no call could be looked at.
        shape: how it is written, in words.
        calls: calls with an agent that were looked at.
        carrying: those of them that carry it.

    """

    fields: Sequence[str] = ()
    shape: str = ""
    calls: int = 0
    carrying: int = 0


@dataclass(frozen=True)
class Sample:
    """What was seen in the records of a service.

    Attributes:
        stamps: forms of stamps, with 9 for each digit, the most frequent first.
        zone: what zone they are in, as far as that shows.
        unknown_fields: fields that this version does not know.
        undocumented: by column, enum values that are in no documentation.
        unreadable: values and records that could not be read.

    """

    stamps: Sequence[str] = ()
    zone: str = ""
    unknown_fields: Sequence[str] = ()
    undocumented: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unreadable: int = 0


class Limit(NamedTuple):
    """What a service may be asked a day, and has been, as HeroBase says; None where it does not."""

    service: str
    limit: int | None
    spent: int | None


@dataclass(frozen=True)
class Examination:
    """What an account gives.

    Attributes:
        examined_at: when.
        is_sandbox: whether it is the invented HeroBase.
        from_time: from when on calls and leads were looked at.
        to_time: until when.
        timezone: the zone that the settings say.
        asked: the services, in the order in which they were asked.
        resource_rights: verbs by resource, as the account says; None where it does not.
        all_projects: whether the project rights are ``*``; None where the account does not say.
        project_rights: how many patterns they are.
        lead_entry_access: which lead fields come out, as the account says.
        lead_fields: how many fields the leads that were looked at have, at least and at most.
        hierarchy: where calls carry the org hierarchy.
        samples: what was seen in calls and leads, by service.
        limits: requests a day.
        requests: how many were made for this.

    """

    examined_at: dt.datetime
    is_sandbox: bool
    from_time: dt.datetime
    to_time: dt.datetime
    timezone: str
    asked: Sequence[Asked]
    resource_rights: Mapping[str, Sequence[str]] | None
    all_projects: bool | None
    project_rights: int
    lead_entry_access: str | None
    lead_fields: tuple[int, int] | None
    hierarchy: Hierarchy
    samples: Mapping[str, Sample]
    limits: Sequence[Limit]
    requests: int

    def state(self, service: str) -> State:
        """Return what came of a service."""
        return next((each.state for each in self.asked if each.service == service), State.NOT_ASKED)


class Examined(NamedTuple):
    """An examination, and the account's own record with its limits and counts, for the table ``account``."""

    examination: Examination
    record: Record


def examine(client: HeroBase, settings: Settings, day: dt.date | None = None) -> Examined:
    """Ask each service once, within the quota, and say what it gives.

    Args:
        client: whom to ask; with one attempt a request, so that each service is asked once.
        settings: what is asked for: saved searches and RawLeads only where they are named.
        day: the local day whose calls and leads are looked at; by default the last weekday that is over.

    Raises:
        LoginRefusedError: the login is wrong, so nothing else can be said.
        UnreachableError: there is no connection.

    """
    before = client.budget.total
    ask = _Asking(client)
    account = ask.one("myaccount", "Account", client.account) or {}
    ask.limits = ask.one("myaccount/request/limits", "Account", client.request_limits)
    ask.counts = ask.one("myaccount/request/counts", "Account", client.request_counts)
    ask.list("projects", "Campaigns", client.projects)
    campaigns = ask.list("campaigns", "Campaigns", lambda: client.campaigns(["leadPools"]))
    ask.list("leaddefinitions", "Campaigns", client.lead_definitions)
    ask.list("leadsegments", "Campaigns", client.lead_segments)
    pools = ask.list("leadpools", "Campaigns", client.lead_pools)
    if pools is None and (told := pools_of(campaigns or [])):
        ask.amend("leadpools", f"the campaigns list {len(told)} pools")
    ask.list("hooks", "Campaigns", client.hooks)
    units = ask.list("organizationalunits", "Organization", client.org_units)
    ask.list("users", "Organization", client.users)
    window = _window(client, settings, day)
    look = _Look(ask, client, settings, window, OrgTree.of(units or []))
    look.calls()
    look.leads()
    names = [each.service for each in ask.asked if "/request/" not in each.service]
    rights = member(account, "resourceRights")
    projects = member(account, "projectRights")
    return Examined(
        Examination(
            examined_at=client.budget.utcnow().replace(microsecond=0),
            is_sandbox=settings.url is None,
            from_time=window.start,
            to_time=window.end,
            timezone=settings.timezone,
            asked=ask.asked,
            resource_rights=_rights(rights) if isinstance(rights, dict) else None,
            all_projects="*" in projects if isinstance(projects, list) else None,
            project_rights=len(projects) if isinstance(projects, list) else 0,
            lead_entry_access=_known_word(text(account, "leadDefinitionEntryAccess")),
            lead_fields=look.lead_fields,
            hierarchy=look.hierarchy,
            samples=look.samples,
            limits=[ask.limit(name) for name in names],
            requests=client.budget.total - before,
        ),
        account | {"limits": ask.limits, "counts": ask.counts},
    )


class _Asking:
    """Asks services one after the other, and notes what came of each."""

    def __init__(self, client: HeroBase) -> None:
        self.asked: list[Asked] = []
        self.limits: Any = None
        self.counts: Any = None
        self._client = client

    def one(self, service: str, right: str, ask: Callable[[], Any], count: Callable[[Any], int] = lambda _: 0) -> Any:
        """Return a service's answer; None where there is none. What has no request of its day left is not asked."""
        limit = self.limit(service)
        if limit.limit is not None and limit.spent is not None and limit.spent >= limit.limit:
            self.not_asked(service, right, "its requests of the day are spent")
            return None
        try:
            answer = ask()
        except (errors.LoginRefusedError, errors.UnreachableError):
            raise
        except errors.HeroBaseError as error:
            self.asked.append(Asked(service, right, *_came(error)))
            return None
        self.asked.append(Asked(service, right, State.WORKS, count(answer)))
        return answer

    def list(self, service: str, right: str, ask: Callable[[], Sequence[Record]]) -> Sequence[Record] | None:
        """Return the records of a list; None where there is none."""
        found: Sequence[Record] | None = self.one(service, right, ask, len)
        if found is not None and self._client.unreadable:
            self.amend(service, f"{len(self._client.unreadable)} records could not be read")
        return found

    def limit(self, service: str) -> Limit:
        """Return what a service may be asked, and has been, as far as HeroBase says."""
        return Limit(service, quoted_for(service, self.limits), quoted_for(service, self.counts))

    def not_asked(self, service: str, right: str, why: str) -> None:
        """Note that a service was not asked."""
        self.asked.append(Asked(service, right, State.NOT_ASKED, detail=why))

    def fail(self, service: str, right: str, why: str) -> None:
        """Note that a service answered, and that nothing can be made of it."""
        self.asked = [each for each in self.asked if each.service != service]
        self.asked.append(Asked(service, right, State.FAILED, detail=why))

    def amend(self, service: str, detail: str) -> None:
        """Say more of a service."""
        self.asked = [replace(each, detail=detail) if each.service == service else each for each in self.asked]


def _came(error: errors.HeroBaseError) -> tuple[State, int, str]:
    """Return what an error says without what was asked for, which may name a unit."""
    match error:
        case errors.RightMissingError():
            return State.NO_RIGHT, 0, ""
        case errors.NotFoundError():
            return State.UNKNOWN, 0, ""
        case errors.NotJsonError():
            return State.FAILED, 0, f"it answered with {error.what}"
        case errors.SearchFailedError() | errors.ServerFailedError() | errors.RequestRefusedError():
            return State.FAILED, 0, "it answered with an error"
        case errors.QuotaSpentError() | errors.MinuteSpentError():
            return State.FAILED, 0, "its requests for the day or the minute are spent"
        case _:
            return State.FAILED, 0, "its answer broke off, or did not come"


class _Look:
    """Looks at some calls and leads."""

    def __init__(self, ask: _Asking, client: HeroBase, settings: Settings, window: Window, tree: OrgTree) -> None:
        self.hierarchy = Hierarchy()
        self.samples: dict[str, Sample] = {}
        self.lead_fields: tuple[int, int] | None = None
        self._ask, self._client, self._settings, self._window, self._tree = ask, client, settings, window, tree

    def calls(self) -> None:
        """Look at the calls of a unit, a root if there is one."""
        codes = self._settings.org_codes or self._tree.roots()
        if not codes:
            self._ask.not_asked("calls", "Calls", "no org unit is known to ask for: set HEROBASE_ORG_CODES")
            return
        asked = self._tree.units[codes[0].casefold()].given if codes[0] in self._tree else codes[0]
        self._sample("calls", "Calls", (CALLS,), partial(self._client.calls, asked, self._window), self._placed)
        if self._ask.asked[-1].state is State.UNKNOWN:
            self._ask.amend("calls", "HeroBase knows no unit of the first code in HEROBASE_ORG_CODES")

    def leads(self) -> None:
        """Look at the leads of each export that is named."""
        projects = self._settings.projects
        simple = partial(self._client.simple_leads, projects, self._window)
        self._sample("simpleleads", "Leads", (SIMPLE_LEADS, LEAD_DATA), simple, self._filled)
        search, search_csv = (
            next(iter(of), "") for of in (self._settings.saved_searches, self._settings.saved_searches_csv)
        )
        if search:
            saved = partial(self._client.saved_search, search, self._window)
            self._sample("leads", "Leads", (SEARCH_LEADS, SEARCH_LEAD_DATA), saved, self._filled)
        else:
            self._ask.not_asked("leads", "Leads", "HEROBASE_SAVED_SEARCHES names no saved search")
        if search_csv:
            self._bytes("leads/csv", partial(self._client.saved_search_csv, search_csv, self._window))
        else:
            self._ask.not_asked("leads/csv", "Leads", "HEROBASE_SAVED_SEARCHES_CSV names no saved search")
        if self._settings.raw_leads:
            self._bytes("rawleads", partial(self._client.raw_leads, projects, self._window))
        else:
            self._ask.not_asked("rawleads", "Leads", "HEROBASE_RAW_LEADS is not set")

    def _bytes(self, service: str, ask: Callable[[], Iterator[bytes]]) -> None:
        self._ask.one(service, "Leads", lambda: next(ask(), b""))

    def _sample(
        self,
        service: str,
        right: str,
        tables: Sequence[Table],
        ask: Callable[[], Iterator[Segment]],
        more: Callable[[duckdb.DuckDBPyConnection, Landing], None],
    ) -> None:
        table = tables[0]
        stamp = next(column.field or "" for column in table if column.name in ("started_at", "last_modified_at"))
        settings = self._settings
        with (
            spool(Lake(settings.data_dir)) as folder,
            connect(settings.zone, folder) as con,
            Landing(con, folder, tables, ("user", "data", stamp)) as landing,
        ):
            define_token(con, settings.phone_key)
            try:
                if self._ask.one(service, right, lambda: landing.document(_some(ask())), int) is None:
                    return
                landing.gather()
                more(con, landing)
                self.samples[service] = self._seen(con, landing, table, stamp)
            except duckdb.Error:  # what it says may quote a customer's data
                self._ask.fail(service, right, "its records could not be read")
                return
            if not landing.records:
                self._ask.amend(service, "nothing in the hours that were looked at")

    def _seen(self, con: duckdb.DuckDBPyConnection, landing: Landing, table: Table, stamp: str) -> Sample:
        raw = _spelled(landing, stamp)
        known = {name.casefold() for name in ("user", "data", stamp, *self.hierarchy.fields)}
        unknown = [name for name in landing.wire_fields() if name.casefold() not in known]
        values = sum(landing.unreadable_values().values())
        return Sample(
            stamps=_forms(con, raw) if raw else (),
            zone=self._zone(con, landing, raw) if raw else "",
            unknown_fields=sorted({shown_name(name) for name in unknown}),
            undocumented={
                column.name: found
                for column in table
                if column.enum and (found := _undocumented(con, column.name, column.enum))
            },
            unreadable=values + len(landing.unreadable),
        )

    def _zone(self, con: duckdb.DuckDBPyConnection, landing: Landing, raw: str) -> str:
        """Say in which zone stamps are: under the right reading they lie in the hours that were asked for."""
        name = self._settings.timezone
        query = f"""
            SELECT
                count(*),
                count(*) FILTER (has_zone({quoted(WIRE + raw)})),
                count(*) FILTER ({landing.time} >= $start AND {landing.time} < $end),
                count(*) FILTER (as_utc >= $start AND as_utc < $end)
            FROM (SELECT *, timezone('UTC', timezone({literal(name)}, {landing.time})) AS as_utc FROM pulled)
        """
        ((stamps, zoned, local, utc),) = con.execute(query, self._window._asdict()).fetchall()
        if not stamps:
            return ""
        if zoned >= _CERTAIN * stamps:
            return "each stamp says its own"
        is_local, is_utc = (inside >= _CERTAIN * stamps for inside in (local, utc))
        if is_local == is_utc:
            return "the hours that were looked at do not show it"
        return f"local time of {name}" if is_local else f"UTC, or HeroBase takes what is asked for as time of {name}"

    def _placed(self, con: duckdb.DuckDBPyConnection, landing: Landing) -> None:
        calls = evidence(con, ())
        fields = [name for name in landing.wire_fields() if name.casefold() not in ("data", "starttime")]
        found = find(con, fields, self._tree, self._settings.call_org_field, None)
        carrying = evidence(con, found.fields) if found.fields else 0
        shape = ""
        if found.fields:
            order = "leaf first" if found.form.leaf_first else "root first"
            shape = f"{_shape(con, found.fields)}, {order}"
        self.hierarchy = Hierarchy([shown_name(name) for name in found.fields], shape, calls, carrying)

    def _filled(self, con: duckdb.DuckDBPyConnection, landing: Landing) -> None:
        data = _spelled(landing, "data")
        if data is None:
            self.lead_fields = self.lead_fields or ((0, 0) if landing.records else None)
            return
        keys = f"CASE WHEN {_is_object(quoted(WIRE + data))} THEN len(json_keys({quoted(WIRE + data)})) END"
        query = f"SELECT min(keys), max(keys) FROM (SELECT {keys} AS keys FROM pulled) WHERE keys > 0"
        ((least, most),) = con.execute(query).fetchall()
        self.lead_fields = (least or 0, most or 0)


def _spelled(landing: Landing, field: str) -> str | None:
    """Return a field as the records spell it; None where none has it."""
    return next((name for name in landing.wire_fields() if name.casefold() == field.casefold()), None)


def _some(segments: Iterator[Segment]) -> Iterator[Segment]:
    """Yield segments until there are enough records; the rest of the answer is not waited for."""
    records = 0
    for segment in segments:
        yield segment
        records += segment.records
        if records >= _LOOKED_AT:
            return


def _window(client: HeroBase, settings: Settings, day: dt.date | None) -> Window:
    """Return the busy hours of a day, by default of the last weekday that is over."""
    if day is None:
        day = local_day(client.budget.utcnow(), settings.zone) - dt.timedelta(days=1)
        while day.weekday() >= _WEEKEND:
            day -= dt.timedelta(days=1)
    start, end = (dt.datetime.combine(day, hour, settings.zone).astimezone(dt.UTC) for hour in _BUSY)
    bounds = day_bounds(day, settings.zone)
    return Window(max(start, bounds.start), min(end, bounds.end))


def _rights(rights: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return verbs by resource, of those that are words."""
    return {
        str(resource): sorted(str(verb).upper() for verb in verbs if _known_word(verb))
        for resource, verbs in rights.items()
        if _known_word(resource) and isinstance(verbs, list)
    }


def _known_word(word: Any) -> str | None:
    return str(word) if word is not None and re.fullmatch(LOOKS_LIKE_ONE, str(word)) else None


def _is_object(value: str) -> str:
    return f"json_valid({value}) AND json_type({value}) = 'OBJECT'"


def _undocumented(con: duckdb.DuckDBPyConnection, column: str, enum: Any) -> list[str]:
    names = ", ".join(literal(known.name) for known in enum)
    query = f"SELECT DISTINCT {quoted(column)} FROM pulled WHERE {quoted(column)} NOT IN ({names})"
    return sorted({_known_word(value) or WITHHELD for (value,) in con.execute(query).fetchall()})


def _forms(con: duckdb.DuckDBPyConnection, raw: str) -> list[str]:
    """Return the forms of stamps with 9 for each digit; of what is no stamp, nothing."""
    form = f"regexp_replace(trim({quoted(WIRE + raw)}, '\"'), '\\d', '9', 'g')"
    query = f"SELECT {form} AS form, count(*) FROM pulled GROUP BY form ORDER BY count(*) DESC, form LIMIT 3"
    forms = [found for found, _ in con.execute(query).fetchall() if found]
    return [found for found in forms if re.fullmatch(r"[9T:. +Z/()Date-]{1,40}", found)]


def _shape(con: duckdb.DuckDBPyConnection, fields: Sequence[str]) -> str:
    """Return how a hierarchy is written, in words."""
    if len(fields) > 1:
        return "numbered fields"
    value = quoted(WIRE + fields[0])
    query = f"SELECT {value} FROM pulled WHERE {value} NOT IN ('', '[]', 'null') LIMIT 1"
    for (text_of,) in con.execute(query).fetchall():
        if text_of.startswith("["):
            return "a list of objects" if "{" in text_of else "a list of texts"
        return "nested objects" if text_of.startswith("{") else "a text"
    return "a field"
