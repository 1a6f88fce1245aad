"""The services of HeroBase that are pulled. A new one is a declaration here, with its table, and a method of the client."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from herobase_pipeline.herobase.client import HeroBase, Record
from herobase_pipeline.herobase.organisation import flat
from herobase_pipeline.herobase.quota import quota_of
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.calls import pull_calls
from herobase_pipeline.pulling.day import Mode, Pulling
from herobase_pipeline.pulling.leads import pull_search_leads, pull_simple_leads
from herobase_pipeline.pulling.lists import (
    as_they_are,
    fields_of_definitions,
    lead_pools,
    without_secrets,
)
from herobase_pipeline.pulling.sheets import pull_raw_leads, pull_search_rows
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import (
    ACCOUNT,
    CALL_PHONES,
    CALLS,
    CAMPAIGNS,
    HOOKS,
    LEAD_DATA,
    LEAD_DEFINITION_FIELDS,
    LEAD_DEFINITIONS,
    LEAD_POOLS,
    LEAD_SEGMENTS,
    ORG_UNITS,
    PROJECTS,
    RAW_LEADS,
    SEARCH_LEAD_DATA,
    SEARCH_LEADS,
    SEARCH_ROWS,
    SIMPLE_LEADS,
    USERS,
    Table,
)

PullDay = Callable[[dt.date, HeroBase, Lake, Settings, Mode], Pulling]


@dataclass(frozen=True)
class DayService:
    """A service that is asked for the records of a day.

    Attributes:
        name: its path below the API's root.
        description: what it gives, for the UI.
        group: where its tables stand in the graph.
        tables: what it is read into, always written together; the asset has the first one's name.
        pull: pulls a day of it.
        named_by: the setting that must name it, else it is not asked for; None where it always is.

    """

    name: str
    description: str
    group: str
    tables: tuple[Table, ...]
    pull: PullDay
    named_by: str | None = None

    @property
    def quota(self) -> str:
        """The service whose quota its requests count for."""
        return quota_of(self.name)

    def is_wanted(self, settings: Settings) -> bool:
        """Whether the settings say that it is asked for."""
        return self.named_by is None or bool(getattr(settings, self.named_by))


@dataclass(frozen=True)
class ListService:
    """A service whose answer is a small list, pulled whole and kept by the day of the pull.

    Attributes:
        name: its path below the API's root, which is also that of its quota.
        description: what it gives, for the UI.
        tables: what it is read into, by what makes a table's records of the answer's; all are always written together.
        records: asks for all of them.
        may_be_missing: not every HeroBase knows it, so that a 404 is a fact: the list is empty then.
        holds_secrets: the text of a record that cannot be read is withheld.

    """

    name: str
    description: str
    tables: Mapping[Table, Callable[[Sequence[Record]], Sequence[Record]]]
    records: Callable[[HeroBase], Sequence[Record]]
    may_be_missing: bool = False
    holds_secrets: bool = False

    @property
    def table(self) -> Table:
        """The first of its tables, whose name the asset has."""
        return next(iter(self.tables))


DAY_SERVICES = (
    DayService(
        "calls",
        "GET /calls: the calls of a unit and its subtree in a span of time, with the hierarchy captured on each.",
        "call_records",
        (CALLS, CALL_PHONES),
        pull_calls,
    ),
    DayService(
        "simpleleads",
        "GET /simpleleads: the leads by the time of their last modification, as they stand now.",
        "lead_records",
        (SIMPLE_LEADS, LEAD_DATA),
        pull_simple_leads,
    ),
    DayService(
        "leads",
        "GET /leads: the leads of the saved searches in HEROBASE_SAVED_SEARCHES by the time of their last modification.",
        "lead_records",
        (SEARCH_LEADS, SEARCH_LEAD_DATA),
        pull_search_leads,
        named_by="saved_searches",
    ),
    DayService(
        "leads/csv",
        "GET /leads/csv: the same of those in HEROBASE_SAVED_SEARCHES_CSV, with the columns that the search has.",
        "lead_records",
        (SEARCH_ROWS,),
        pull_search_rows,
        named_by="saved_searches_csv",
    ),
    DayService(
        "rawleads",
        "GET /rawleads: a row for each field of a lead, asked for where HEROBASE_RAW_LEADS says so.",
        "lead_records",
        (RAW_LEADS,),
        pull_raw_leads,
        named_by="raw_leads",
    ),
)
LIST_SERVICES = (
    ListService(
        "organizationalunits",
        "GET /organizationalunits: the org units of today.",
        {ORG_UNITS: as_they_are},
        lambda client: list(flat(client.org_units())),
    ),
    ListService("users", "GET /users: the users of today.", {USERS: as_they_are}, HeroBase.users),
    ListService(
        "campaigns",
        "GET /campaigns: the campaigns of today, closed ones included.",
        {CAMPAIGNS: as_they_are},
        HeroBase.campaigns,
    ),
    ListService(
        "projects", "GET /projects: the projects that the account may see.", {PROJECTS: as_they_are}, HeroBase.projects
    ),
    ListService(
        "leaddefinitions",
        "GET /leaddefinitions: which fields the leads of a campaign have.",
        {LEAD_DEFINITIONS: as_they_are, LEAD_DEFINITION_FIELDS: fields_of_definitions},
        HeroBase.lead_definitions,
        may_be_missing=True,
    ),
    ListService(
        "leadpools",
        "GET /leadpools, or the pools that the campaigns tell: groups of leads uploaded together.",
        {LEAD_POOLS: as_they_are},
        lead_pools,
        may_be_missing=True,
    ),
    ListService(
        "leadsegments",
        "GET /leadsegments: the lead segments of today.",
        {LEAD_SEGMENTS: as_they_are},
        HeroBase.lead_segments,
        may_be_missing=True,
    ),
    ListService(
        "hooks",
        "GET /hooks: the webhooks of today.",
        {HOOKS: without_secrets},
        HeroBase.hooks,
        may_be_missing=True,
        holds_secrets=True,
    ),
)
ACCOUNT_SERVICE = ListService(
    "myaccount",
    "GET /myaccount: the account's rights, and its limits and counts of requests.",
    {ACCOUNT: as_they_are},
    lambda client: [client.account()],
)
"""What the account is; its asset asks all others too, a little of each (see ``examination``)."""
