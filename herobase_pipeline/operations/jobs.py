"""What is run by itself: the pull of a day, the refresh of today, the lists, and what is derived from all days."""

import dagster as dg

from herobase_pipeline.assets.board import NAME as BOARD
from herobase_pipeline.assets.derived import ANEW
from herobase_pipeline.assets.erasures import GONE
from herobase_pipeline.assets.pulled import REFRESH, WHOLE_DAYS
from herobase_pipeline.assets.reports import report_keys
from herobase_pipeline.assets.retention import NAME as RETENTION
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.workbook import NAME as WORKBOOK
from herobase_pipeline.operations.dagster_internals import AssetJob
from herobase_pipeline.pulling.services import DAY_SERVICES, LIST_SERVICES
from herobase_pipeline.tables import (
    ACCOUNT,
    AGENT_DAYS,
    CALL_HOURS,
    CALL_OUTCOMES,
    CUMULATIVE_INCIDENCE,
    DELIVERIES,
    DELIVERY_PAYLOADS,
    DELIVERY_PLAN,
    DROP_RATES,
    ERASED,
    ERASURES,
    HEALTH,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEAD_FIELDS,
    LEADS,
    METRIC_REGISTRY,
    ORG_HISTORY,
    TABLES,
    Table,
)

REFRESH_TODAY, PULL_DAYS, PULL_LISTS = "refresh_today", "pull_days", "pull_lists"
COUNT_DAYS, DERIVE, READ_FIELDS, REBUILD = "count_days", "derive", "read_fields", "rebuild"
ERASE, RETAIN, DELIVER, CHECK, REPORT = "erase", "retain", "deliver", "check", "report"
"""What the jobs of an only account are called."""
COUNTED = (CALL_OUTCOMES, CALL_HOURS)
"""What counts the calls of a day as soon as they were pulled."""
LISTS = (*(table for service in LIST_SERVICES for table in service.tables), ACCOUNT)
FROM_ALL_DAYS = (
    LEADS,
    LEAD_CONVERSION,
    LEAD_COHORTS,
    AGENT_DAYS,
    CUMULATIVE_INCIDENCE,
    DROP_RATES,
    ORG_HISTORY,
    METRIC_REGISTRY,
)
"""What follows at once what was pulled."""


def by_day(site: Site) -> list[Table]:
    """Return the tables by day that a site's settings name, with what is counted of them."""
    wanted = [service for service in DAY_SERVICES if service.is_wanted(site.settings)]
    return [*(table for service in wanted for table in service.tables), *COUNTED]


def jobs(site: Site) -> list[AssetJob]:
    """Return the jobs of a site."""

    def selection(*tables: Table) -> dg.AssetSelection:
        """Return tables with their checks: Dagster shows what is not checked since it was written as not checked at all."""
        return dg.AssetSelection.assets(*map(site.key, tables))

    def job(name: str, selected: dg.AssetSelection, description: str, tags: dict[str, str] | None = None) -> AssetJob:
        return dg.define_asset_job(site.called(name), selected, description=description, tags=tags)

    every_check = dg.AssetSelection.checks_for_assets(*(site.key(table) for table in TABLES))
    proof = dg.AssetSelection.checks(dg.AssetCheckKey(site.key(ERASURES), GONE))  # reads everything: once a night
    return [
        job(
            REFRESH_TODAY,
            selection(*by_day(site)),
            "What is new since the last pull of today.",
            {REFRESH: "true", "dagster/priority": "10"},  # before a backfill's runs
        ),
        job(
            PULL_DAYS,
            selection(*by_day(site)),
            "Days pulled whole: yesterday once it is over, and the days before for what changed late.",
            {"dagster/priority": "5", WHOLE_DAYS: site.called("whole_days")},  # one at a time (dagster.yaml)
        ),
        job(PULL_LISTS, selection(*LISTS), "The small lists, and what the account may do."),
        job(
            DERIVE,
            selection(*FROM_ALL_DAYS) | dg.AssetSelection.assets(site.key_of([BOARD])),
            "What is made from all days, and the live board.",
        ),
        job(READ_FIELDS, selection(LEAD_FIELDS), "The declared fields of all leads."),
        job(
            REBUILD,
            selection(*FROM_ALL_DAYS, LEAD_FIELDS),
            "What is made from all days, anew, and whether it is what changes had made of it.",
            {ANEW: "true"},
        ),
        job(COUNT_DAYS, selection(*COUNTED), "The outcomes of days whose calls were pulled anew."),
        job(
            ERASE,
            selection(ERASED, ERASURES),
            "Whoever asked to be forgotten is erased, and it is proven that they are gone.",
        ),
        job(RETAIN, dg.AssetSelection.assets(site.key_of([RETENTION])), "What is past its time is deleted."),
        job(
            DELIVER,
            selection(DELIVERY_PLAN, DELIVERIES, DELIVERY_PAYLOADS),
            "What is planned is sent, of the deliveries that are live.",
        ),
        job(
            REPORT,
            dg.AssetSelection.assets(*report_keys(site), site.key_of([WORKBOOK])),
            "What people are handed once a week: each notebook that is a report, as a page and as PDF, and the workbook.",
        ),
        job(
            CHECK,
            (every_check - proof) | selection(HEALTH),
            "All asset checks but the proof of erasures, and health: what is wrong, in words.",
        ),
    ]
