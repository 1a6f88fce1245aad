"""The services of HeroBase that are pulled. A new one is a declaration here, with its table, and a method of the client."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from herobase_pipeline.herobase.client import HeroBase, Record
from herobase_pipeline.herobase.organisation import flat
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.calls import pull_calls
from herobase_pipeline.pulling.day import Mode, Pulled
from herobase_pipeline.pulling.leads import pull_search_leads, pull_simple_leads
from herobase_pipeline.pulling.lists import account_with_limits
from herobase_pipeline.pulling.sheets import pull_raw_leads, pull_search_rows
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import (
    ACCOUNT,
    CALL_PHONES,
    CALLS,
    CAMPAIGNS,
    LEAD_DATA,
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

PullDay = Callable[[dt.date, HeroBase, Lake, Settings, Mode], Pulled]


@dataclass(frozen=True)
class DayService:
    """A service that is asked for the records of a day.

    Attributes:
        name: its path below the API's root, which is also that of its quota.
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

    def is_wanted(self, settings: Settings) -> bool:
        """Whether the settings say that it is asked for."""
        return self.named_by is None or bool(getattr(settings, self.named_by))


@dataclass(frozen=True)
class ListService:
    """A service whose answer is a small list, pulled whole and kept by the day of the pull.

    Attributes:
        name: its path below the API's root, which is also that of its quota.
        description: what it gives, for the UI.
        table: what it is read into.
        records: asks for all of them.

    """

    name: str
    description: str
    table: Table
    records: Callable[[HeroBase], Sequence[Record]]


DAY_SERVICES = (
    DayService(
        "calls",
        "GET /calls: the calls of a unit and its subtree in a span of time, with the hierarchy captured on each.",
        "calls",
        (CALLS, CALL_PHONES),
        pull_calls,
    ),
    DayService(
        "simpleleads",
        "GET /simpleleads: the leads by the time of their last modification, as they stand now.",
        "leads",
        (SIMPLE_LEADS, LEAD_DATA),
        pull_simple_leads,
    ),
    DayService(
        "leads",
        "GET /leads: the leads of the saved searches in HEROBASE_SAVED_SEARCHES by the time of their last modification.",
        "leads",
        (SEARCH_LEADS, SEARCH_LEAD_DATA),
        pull_search_leads,
        named_by="saved_searches",
    ),
    DayService(
        "leads/csv",
        "GET /leads/csv: the same of those in HEROBASE_SAVED_SEARCHES_CSV, with the columns that the search has.",
        "leads",
        (SEARCH_ROWS,),
        pull_search_rows,
        named_by="saved_searches_csv",
    ),
    DayService(
        "rawleads",
        "GET /rawleads: a row for each field of a lead, asked for where HEROBASE_RAW_LEADS says so.",
        "leads",
        (RAW_LEADS,),
        pull_raw_leads,
        named_by="raw_leads",
    ),
)
LIST_SERVICES = (
    ListService(
        "organizationalunits",
        "GET /organizationalunits: the org units of today.",
        ORG_UNITS,
        lambda client: list(flat(client.org_units())),
    ),
    ListService("users", "GET /users: the users of today.", USERS, HeroBase.users),
    ListService(
        "campaigns", "GET /campaigns: the campaigns of today, closed ones included.", CAMPAIGNS, HeroBase.campaigns
    ),
    ListService("projects", "GET /projects: the projects that the account may see.", PROJECTS, HeroBase.projects),
    ListService(
        "myaccount",
        "GET /myaccount: the account's rights, and its limits and counts of requests.",
        ACCOUNT,
        account_with_limits,
    ),
)
