"""The services of the API: what each GET of API 1.2 reads and gives back. Knows the world and its shapes, not HTTP."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from herobase_pipeline.enums import OPEN_LEAD_STATUSES, LeadClosure, LeadStatus
from herobase_pipeline.sandbox.answers import ApiError, Records, Table, Value
from herobase_pipeline.sandbox.fields import DEFINITIONS, visible
from herobase_pipeline.sandbox.limits import Limits
from herobase_pipeline.sandbox.query import BadQueryError, Query, matches
from herobase_pipeline.sandbox.shapes import POOL_NAME, Shapes
from herobase_pipeline.sandbox.world import truth
from herobase_pipeline.sandbox.world.calendar import unix
from herobase_pipeline.sandbox.world.campaigns import SITE, SLOTS
from herobase_pipeline.sandbox.world.chance import Array
from herobase_pipeline.sandbox.world.days import CALLS_A_LEAD, Day
from herobase_pipeline.sandbox.world.leads import States
from herobase_pipeline.sandbox.world.lives import LEGS
from herobase_pipeline.sandbox.world.world import World, ceil_unix

Answer = Value | Records | Table
_FAR = 1 << 50
HOOK_KEY = "hemmelig-7f3a91"
"""What the addresses of the invented hooks hold, and no table may."""
SAVED_SEARCHES = {"mysearch": True, "api_import_export": False}
"""Saved searches of the linked user: name to "closed leads only"."""


@dataclass(frozen=True)
class Asked:
    """A request to a service: its query, the rest of its path, and the time."""

    query: Query
    argument: str
    now: dt.datetime

    @property
    def moment(self) -> int:
        """The time in whole Unix seconds."""
        return unix(self.now)


@dataclass(frozen=True)
class Service:
    """One service: its name (also that of its rate limit), its path, and the resource whose ``Get`` it needs."""

    name: str
    path: re.Pattern[str]
    resource: str
    answer: Callable[[Asked], Answer]


class Services:
    """Everything that can be asked for."""

    def __init__(self, world: World, shapes: Shapes, limits: Limits) -> None:
        self.world, self.shapes, self.limits, self.settings = world, shapes, limits, world.settings
        account, calls, campaigns, leads, organization = "Account", "Calls", "Campaigns", "Leads", "Organization"
        units_missing = self.settings.units == "missing"
        table: list[tuple[str, str, Callable[[Asked], Answer]]] = [
            ("/myaccount", account, self.account),
            ("/myaccount/request/limits", account, self.request_limits),
            ("/myaccount/request/counts", account, self.request_counts),
            ("/projects", campaigns, self.projects),
            ("/campaigns", campaigns, self.campaigns),
            ("/leaddefinitions", campaigns, self.lead_definitions),
            ("/leadsegments", campaigns, self.lead_segments),
            ("/simpleleads", leads, self.simple_leads),
            ("/rawleads", leads, self.raw_leads),
            ("/rawleads/csv", leads, self.raw_leads),
            ("/leads", leads, self.saved_search),
            ("/leads/csv", leads, self.saved_search_csv),
            ("/leads/export_example", leads, self.export_example),
            ("/leads/{}", leads, self.lead),
            ("/calls", calls, self.calls),
            ("/calls/csv", calls, self.calls_csv),
            ("/calls/{}/recordings", calls, self.recordings),
            ("/users", organization, self.users),
            ("/users/{}", organization, self.user),
            ("/orgunits", organization, self.units),
            ("/orgunits/{}", organization, self.unit),
            ("/reporting/examples", account, self.reporting_examples),
            ("/hooks", campaigns, self.hooks),
            ("/hooks/meta", campaigns, self.hooks_meta),
        ]
        if not units_missing:
            table += [
                ("/organizationalunits", organization, self.units),
                ("/organizationalunits/{}", organization, self.unit),
            ]
        self.all = [Service(path, _compiled(path), resource, answer) for path, resource, answer in table]

    def find(self, path: str) -> tuple[Service, str] | None:
        """Give the service for a path (any case, without ``/api``) and the variable part of that path."""
        for service in self.all:
            match = service.path.fullmatch(path)
            if match:
                return service, next(iter(match.groups()), "")
        return None

    # -- account ---------------------------------------------------------------------------------------------

    def account(self, _: Asked) -> Answer:
        """Give the account and its rights (API 2.9)."""
        rights: dict[str, list[str]] = {}
        for right in self.settings.resource_rights:
            resource, verb = right.split(":")
            rights.setdefault(resource, []).append(verb.upper())
        return Value(
            self.shapes.members(
                username=self.settings.username,
                logRequestData=False,
                projectRights=list(self.settings.project_rights),
                resourceRights=rights,
                leadDefinitionEntryAccess=self.settings.lead_entry_access,
            )
        )

    def request_limits(self, _: Asked) -> Answer:
        """Give the daily limit of each service."""
        return Value(
            [self.shapes.members(service=s.name, limit=self.limits.daily(s.name)) for s in self.all], invented=True
        )

    def request_counts(self, _: Asked) -> Answer:
        """Give what each service has counted in its running 24 hours."""
        counts = self.limits.counts()
        return Value(
            [self.shapes.members(service=s.name, count=counts.get(s.name, 0)) for s in self.all], invented=True
        )

    # -- projects and campaigns ------------------------------------------------------------------------------

    def _sees(self, project: str) -> bool:
        return matches(project, self.settings.project_rights)

    def projects(self, _: Asked) -> Answer:
        """Give the projects that the account may see."""
        members = self.shapes.members
        return Value(
            [members(uniqueId=p.id, name=p.name, active=p.active) for p in self.world.projects() if self._sees(p.name)]
        )

    def campaigns(self, asked: Asked) -> Answer:
        """Give campaigns: ``Project`` is a pattern of project names; ended ones with ``Active=All``."""
        patterns, active = asked.query.many("project"), (asked.query.text("active") or "true").lower()
        found = [
            c
            for c in self.world.campaigns(asked.now)
            if self._sees(c.project) and (not patterns or matches(c.project, patterns))
        ]
        if active != "all":
            found = [c for c in found if c.active == (active not in ("false", "0"))]
        return Value([self._campaign(c, asked.query.include(), asked.now) for c in found])

    def importable(self, now: dt.datetime) -> list[str]:
        """Give the codes of the campaigns that leads can be imported for."""
        return [c.code for c in self.world.campaigns(now) if c.active and self._sees(c.project)]

    def _campaign(self, c: truth.Campaign, include: frozenset[str], now: dt.datetime) -> dict[str, Any]:
        extra: dict[str, Any] = (
            {"leadDefinition": self.shapes.members(name=DEFINITIONS[self._book_of(c.id)][0])}
            if "leaddefinition" in include
            else {}
        )
        if "leadpools" in include and self.settings.lead_pools:
            extra["leadPools"] = [self.shapes.members(name=name) for name in self._pools(c, now)]
        return self.shapes.members(uniqueId=c.id, code=c.code, name=c.name, project=c.project, active=c.active, **extra)

    def _pools(self, c: truth.Campaign, now: dt.datetime) -> list[str]:
        """Give the pools of a campaign: one a month, as leads made by hand have them."""
        first, last = (t.astimezone(self.world.zone) for t in (c.begins, min(c.ends or now, now)))
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        return [POOL_NAME.format(dt.date(month // 12, month % 12 + 1, 1)) for month in months]

    def _book_of(self, campaign_id: str) -> int:
        number = int(campaign_id[4 : -len(SITE)])
        book = self.world.campaign_book
        slot = 11 if number == 10_001 else (number - 10_062) // 5 if number < 20_000 else 5 + (number - 20_000) // 1_000
        return int(book.book[slot])

    def lead_definitions(self, _: Asked) -> Answer:
        """Give the lead definitions and the entries that the account may see. No member's name is documented."""
        members = self.shapes.members
        return Value(
            [
                members(
                    uniqueId=f"LDEF{100 + n}{SITE}",
                    name=name,
                    entries=[
                        members(
                            name=f.name,
                            importName=f.name,
                            type=f.kind,
                            sortOrder=10 * (m + 1),
                            editable=True,
                            access=f.access,
                            closure=LeadClosure.Success.name if f.name == "Ja - Afdeling" else None,
                        )
                        for m, f in enumerate(visible(n, self.settings.lead_entry_access))
                    ],
                )
                for n, (name, _) in enumerate(DEFINITIONS)
            ],
            invented=True,
        )

    def lead_segments(self, _: Asked) -> Answer:
        """Give a segment of each lead definition. No member's name is documented."""
        names = (name for name, _ in DEFINITIONS)
        return Value(
            [self.shapes.members(uniqueId=f"LSEG{n}{SITE}", name=name) for n, name in enumerate(names)], invented=True
        )

    # -- leads -----------------------------------------------------------------------------------------------

    def _simple(self, asked: Asked) -> Iterator[States]:
        query = asked.query
        statuses = set(query.enums("statuses", LeadStatus))
        if query.flag("allclosedstatuses"):
            statuses |= {s for s in LeadStatus if s not in OPEN_LEAD_STATUSES}
        if query.flag("allopenstatuses"):
            statuses |= OPEN_LEAD_STATUSES
        closures = query.enums("leadclosures", LeadClosure)
        return self._filtered(asked, statuses, closures, query.many("projects"))

    def _filtered(
        self,
        asked: Asked,
        statuses: set[LeadStatus],
        closures: frozenset[LeadClosure],
        projects: list[str],
        earliest: str = "modifiedfrom",
    ) -> Iterator[States]:
        first, last = asked.query.time(earliest), asked.query.time("modifiedto")
        good_status, good_closure = _flags(statuses, 1000), _flags(closures or set(LeadClosure), 10)
        start, end = ceil_unix(first) if first else 0, ceil_unix(last) if last else _FAR

        def blocks() -> Iterator[States]:
            for states in self.world.states(start, end, asked.moment, good_status):
                wanted = good_status[states.status] & good_closure[states.closure] & self._in_projects(states, projects)
                which = wanted.nonzero()[0]
                if len(which):
                    yield states.cut(which)

        return blocks() if statuses else iter(())

    def _in_projects(self, states: States, patterns: list[str]) -> Array:
        """Whether each lead is in a project the account may see and asks for; others are just missing (API 1.1)."""
        # every campaign of a slot lies in one project
        campaigns = [self.world.campaign_book.of(slot, 0).project_name for slot in range(SLOTS)]
        seen = np.array([self._sees(name) and (not patterns or matches(name, patterns)) for name in campaigns])
        good: Array = seen[states.rows.slot]
        return good

    def simple_leads(self, asked: Asked) -> Answer:
        """Give leads by current modification time; without a status filter none (API 1.2.1)."""
        return Records(block for states in self._simple(asked) for block in self.shapes.leads(states))

    def raw_leads(self, asked: Asked) -> Answer:
        """Give one row a lead's field, filtered as simple leads are."""
        found = self._simple(asked)

        def rows() -> Iterator[list[str]]:
            for states in found:
                for block in self.shapes.leads(states):
                    for record in block:
                        lead = json.loads(record)
                        data = lead.get(self.shapes.key("data")) or {}
                        yield from ([lead[self.shapes.key("uniqueId")], name, value] for name, value in data.items())

        return Table(["UniqueLeadId", "FieldName", "FieldValue"], rows())

    def _search(self, asked: Asked) -> Iterator[States]:
        query = asked.query
        name = (query.text("searchname") or "").lower()
        if name not in SAVED_SEARCHES:
            raise ApiError(
                500, "NullReferenceException", f"No such saved search. This account's are: {', '.join(SAVED_SEARCHES)}."
            )
        earliest = "modifiedfrom" if query.text("modifiedfrom") else "dialtimefrom"
        if query.text(earliest) is None:
            raise ApiError(500, "NullReferenceException", "ModifiedFrom or DialTimeFrom is needed beside SearchName.")
        closed_only = SAVED_SEARCHES[name]
        statuses = {s for s in LeadStatus if not closed_only or s not in OPEN_LEAD_STATUSES}
        return self._filtered(asked, statuses, frozenset(), query.many("projects") or query.many("project"), earliest)

    def saved_search(self, asked: Asked) -> Answer:
        """Give the result of a saved search: complex members only with ``Include``, lower-case ``data`` keys (API 2.3).

        ``DialTimeFrom`` is taken as ``ModifiedFrom``.
        """
        include = asked.query.include()
        return Records(block for states in self._search(asked) for block in self.shapes.leads(states, include))

    def saved_search_csv(self, asked: Asked) -> Answer:
        """Give the result of a saved search as a table, one column a field."""
        fields = [
            f.name.lower() for book in range(len(DEFINITIONS)) for f in visible(book, self.settings.lead_entry_access)
        ]
        names = list(dict.fromkeys(fields))
        plain = ["uniqueId", "status", "closure", "priority", "uploadTime", "firstProcessedTime", "lastModifiedTime"]
        key, found = self.shapes.key, self._search(asked)

        def rows() -> Iterator[list[str]]:
            for states in found:
                for block in self.shapes.leads(states, frozenset({"data"})):
                    for record in block:
                        lead = json.loads(record)
                        data = lead.get(key("data")) or {}
                        yield [_text(lead.get(key(n))) for n in plain] + [data.get(n, "") for n in names]

        return Table([key(n) for n in plain] + names, rows())

    def lead(self, asked: Asked) -> Answer:
        """Give one lead with everything; 403 where a project right is missing, 404 where there is none."""
        rows = self.world.find(asked.argument)
        states = self.world.lead_book.state(rows, asked.moment) if rows is not None else None
        if states is None or not len(states):
            raise ApiError(404, "NotFound", f"Lead {asked.argument} was not found.")
        if not self._in_projects(states, []).all():
            raise ApiError(403, "Forbidden", "No right to the project of this lead.")
        return Value(json.loads(next(self.shapes.leads(states))[0]))

    def export_example(self, asked: Asked) -> Answer:
        """Give an empty lead of a campaign: the names of its fields."""
        code = asked.query.text("campaigncode")
        for campaign in self.world.campaigns(asked.now):
            if campaign.code == code and self._sees(campaign.project):
                fields = visible(self._book_of(campaign.id), self.settings.lead_entry_access)
                return Value(self.shapes.members(campaignCode=code, data={f.name: "" for f in fields}), invented=True)
        raise ApiError(404, "NotFound", f"Campaign {code} was not found.")

    # -- calls -----------------------------------------------------------------------------------------------

    def _calls(self, asked: Asked) -> Iterator[list[str]]:
        query = asked.query
        code = query.text("orgcode")
        if code is None:
            raise ApiError(400, "ArgumentNullException", "OrgCode is required.")
        start, length = query.time("starttime"), query.span("timespan")
        if start is None or length is None:
            raise ApiError(400, "ArgumentNullException", "StartTime and TimeSpan are required.")
        wanted = self._org_filter(code, asked.moment)
        if wanted is None:
            raise ApiError(404, "NotFound", f"Organizational unit or user {code} was not found.")
        try:
            end = start + length
        except OverflowError:
            end = dt.datetime.max.replace(tzinfo=dt.UTC)
        include = query.include()

        def blocks() -> Iterator[list[str]]:
            for day in self.world.spans(ceil_unix(start), ceil_unix(end), asked.moment):
                keep = wanted(day)
                some = day if keep is None else day.cut(keep.nonzero()[0])
                yield from self.shapes.calls(some, asked.moment, include)

        return blocks()

    def _org_filter(self, code: str, now: int) -> Callable[[Day], Array | None] | None:
        """Which calls belong to an org code, by the hierarchy at call time: ``None`` for an unknown code.

        The root has all calls, also those without a hierarchy. Codes are compared without case (T30b).
        """
        org, folded = self.world.organisation, code.casefold()
        units = {
            n
            for n, phases in enumerate(org.units)
            for phase in phases
            if phase.code.casefold() == folded and phase.since <= now
        }
        if 0 in units:
            return lambda _: None
        if units:

            def by_unit(day: Day) -> Array:
                paths, where = np.unique(day.path, return_inverse=True)
                inside = [any(c.casefold() == folded for c, _ in self.world.path(int(p))) for p in paths]
                good: Array = np.array(inside, bool)[where]
                return good

            return by_unit
        person = org.find(folded, now)
        if person is not None:
            return lambda day: day.person == person
        return (lambda day: np.zeros(len(day), bool)) if self.world.is_integration(folded) else None

    def calls(self, asked: Asked) -> Answer:
        """Give calls with ``StartTime <= start < StartTime + TimeSpan`` of a unit's subtree or a user (API 1.2.3)."""
        return Records(self._calls(asked))

    def calls_csv(self, asked: Asked) -> Answer:
        """Give the same as a table, with codes for user and campaign."""
        names = [
            "uniqueId",
            "startTime",
            "connectTime",
            "endTime",
            "connected",
            "incoming",
            "endCause",
            "leadStatus",
            "leadClosure",
            "campaignType",
            "dialingDuration",
            "conversationDuration",
            "wrapUpDuration",
            "leadPhoneNumber",
            "uniqueLeadId",
            "user",
            "campaign",
        ]
        key, blocks = self.shapes.key, self._calls(asked)

        def rows() -> Iterator[list[str]]:
            for block in blocks:
                for record in block:
                    call = json.loads(record)
                    yield [_reference(call.get(key(n)), key) for n in names]

        return Table([key(n) for n in names], rows())

    def recordings(self, asked: Asked) -> Answer:
        """Give the recordings of a call: none is kept here."""
        number = asked.argument.removesuffix(SITE)
        if asked.argument.endswith(SITE) and number.isascii() and number.isdigit() and len(number) < 19:
            lead, rest = divmod(int(number), CALLS_A_LEAD)
            session, leg = divmod(rest, LEGS)
            rows = self.world.days.find_lead(lead)
            library = self.world.days.lib
            if rows is not None and session < library.legs.shape[1] and leg < library.legs[rows.life[0], session]:
                return Value([], invented=True)
        raise ApiError(404, "NotFound", f"Call {asked.argument} was not found.")

    # -- organisation ----------------------------------------------------------------------------------------

    def users(self, asked: Asked) -> Answer:
        """Give everyone who ever had a login (API 2.6); ``Include=parent,campaigns``."""
        return Value([self._user(u, asked, loop="") for u in self.world.users(asked.now)])

    def user(self, asked: Asked) -> Answer:
        """Give one user by org code."""
        folded = asked.argument.casefold()
        for user in self.world.users(asked.now):
            if user.code.casefold() == folded:
                return Value(self._user(user, asked, loop=""))
        raise ApiError(404, "NotFound", f"User {asked.argument} was not found.")

    def _user(self, u: truth.User, asked: Asked, loop: str) -> dict[str, Any]:
        include = asked.query.include()
        extra: dict[str, Any] = {}
        if "parent" in include and loop != "users":
            extra["parent"] = self.shapes.members(orgCode=u.unit)
        if "campaigns" in include:
            extra["campaigns"] = [
                self.shapes.members(code=c.code, uniqueId=c.id)
                for c in self.world.campaigns(asked.now)
                if c.active and self._sees(c.project)
            ]
        return self.shapes.members(
            uniqueId=u.id, orgCode=u.code, username=u.code, name=u.name, email=u.email, active=u.active, **extra
        )

    def units(self, asked: Asked) -> Answer:
        """Give the org units that exist now: a list, or a tree (API 2.5); ``Include=parent,children,users``."""
        units = self.world.org_units(asked.now)
        if self.settings.units == "tree":
            return Value([self._unit_tree(u, units, asked) for u in units if u.parent is None])
        return Value([self._unit(u, units, asked) for u in units])

    def unit(self, asked: Asked) -> Answer:
        """Give one org unit by code."""
        units = self.world.org_units(asked.now)
        for unit in units:
            if unit.code.casefold() == asked.argument.casefold():
                return Value(self._unit(unit, units, asked))
        raise ApiError(404, "NotFound", f"Organizational unit {asked.argument} was not found.")

    def _unit_tree(self, u: truth.OrgUnit, units: list[truth.OrgUnit], asked: Asked) -> dict[str, Any]:
        children = [self._unit_tree(c, units, asked) for c in units if c.parent == u.code]
        return {**self._unit(u, units, asked), self.shapes.key("children"): children}

    def _unit(self, u: truth.OrgUnit, units: list[truth.OrgUnit], asked: Asked) -> dict[str, Any]:
        include, members = asked.query.include(), self.shapes.members
        extra: dict[str, Any] = {}
        if "parent" in include:
            extra["parent"] = members(orgCode=u.parent) if u.parent else None
        if "children" in include:
            extra["children"] = [members(orgCode=c.code, name=c.name) for c in units if c.parent == u.code]
        if "users" in include:
            extra["users"] = [
                self._user(p, asked, loop="users") for p in self.world.users(asked.now) if p.active and p.unit == u.code
            ]
        return members(uniqueId=u.id, orgCode=u.code, name=u.name, active=True, **extra)

    # -- the rest --------------------------------------------------------------------------------------------

    def reporting_examples(self, _: Asked) -> Answer:
        """Give no examples."""
        return Value([], invented=True)

    def hooks(self, _: Asked) -> Answer:
        """Give the hooks of the company's integrations: none can be made here. Their addresses hold secrets, as real ones do."""
        members = self.shapes.members
        return Value(
            [
                members(
                    id=n,
                    name=name,
                    urlTemplate=url,
                    campaignCode=code,
                    leadStatus=LeadStatus.UserProcessed.name,
                    method="POST",
                    format="Json",
                    contentTemplate='{"token": "' + HOOK_KEY + '"}',
                    isActive=is_active,
                )
                for n, name, url, code, is_active in (
                    (
                        41,
                        "Til CRM",
                        f"https://hook:{HOOK_KEY}@crm.nord-salg.example/leads?key={HOOK_KEY}",
                        None,
                        True,
                    ),
                    (42, "Zapier", f"https://hooks.zapier.example/{HOOK_KEY}/{{uniqueId}}", "XX_MB_LEJL", False),
                )
            ]
        )

    def hooks_meta(self, _: Asked) -> Answer:
        """Give what a hook may be made of (API 2.11)."""
        return Value(
            self.shapes.members(
                methods=["POST"],
                formats=["Json"],
                standardTemplates=["StandardTemplate.PostJson", "StandardTemplate.Zapier"],
                leadStatuses=[s.name for s in LeadStatus],
                leadClosures=[c.name for c in LeadClosure],
            ),
            invented=True,
        )


def window_of(service: str, query: Query, now: dt.datetime) -> dt.timedelta | None:
    """How long a span a request asks for; ``None`` where it has none or cannot be read."""
    try:
        if service.startswith("/calls"):
            return query.span("timespan")
        start = query.time("modifiedfrom")
        return (query.time("modifiedto") or now) - start if start else None
    except BadQueryError:
        return None


def _compiled(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path).replace(re.escape("{}"), "(.+)"), re.IGNORECASE)


def _flags(members: set[Any] | frozenset[Any], size: int) -> Array:
    flags = np.zeros(size, bool)
    flags[[int(m) for m in members]] = True
    return flags


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _reference(value: Any, key: Callable[[str], str]) -> str:
    if isinstance(value, dict):
        return _text(value.get(key("orgCode")) or value.get(key("code")))
    return str(value).lower() if isinstance(value, bool) else _text(value)
