"""What is run by itself: the pull of a day, the refresh of today, the lists, and what is derived from all days."""

import dagster as dg

from herobase_pipeline.assets.derived import ANEW
from herobase_pipeline.assets.erasures import GONE
from herobase_pipeline.assets.pulled import REFRESH
from herobase_pipeline.assets.retention import RETENTION
from herobase_pipeline.pulling.services import DAY_SERVICES, LIST_SERVICES
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import (
    ACCOUNT,
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
    Table,
)

_WANTED = [service for service in DAY_SERVICES if service.is_wanted(Settings.load())]
BY_DAY = (*(table for service in _WANTED for table in service.tables), CALL_OUTCOMES)
LISTS = (*(table for service in LIST_SERVICES for table in service.tables), ACCOUNT)
FROM_ALL_DAYS = (
    LEADS,
    LEAD_CONVERSION,
    LEAD_COHORTS,
    CUMULATIVE_INCIDENCE,
    DROP_RATES,
    ORG_HISTORY,
    METRIC_REGISTRY,
)
"""What follows at once what was pulled."""


def _selection(*tables: Table) -> dg.AssetSelection:
    """Return tables with their checks: Dagster shows what is not checked since it was written as not checked at all."""
    return dg.AssetSelection.assets(*(dg.AssetKey(table.key) for table in tables))


REFRESH_TODAY = dg.define_asset_job(
    "refresh_today",
    _selection(*BY_DAY),
    description="What is new since the last pull of today.",
    tags={REFRESH: "true", "dagster/priority": "10"},  # before a backfill's runs
)
PULL_DAYS = dg.define_asset_job(
    "pull_days",
    _selection(*BY_DAY),
    description="Days pulled whole: yesterday once it is over, and the days before for what changed late.",
    tags={"dagster/priority": "5", "herobase/whole_days": "true"},  # one at a time (dagster.yaml)
)
PULL_LISTS = dg.define_asset_job(
    "pull_lists",
    _selection(*LISTS),
    description="The small lists, and what the account may do.",
)
DERIVE = dg.define_asset_job(
    "derive",
    _selection(*FROM_ALL_DAYS),
    description="What is made from all days.",
)
READ_FIELDS = dg.define_asset_job(
    "read_fields",
    _selection(LEAD_FIELDS),
    description="The declared fields of all leads.",
)
REBUILD = dg.define_asset_job(
    "rebuild",
    _selection(*FROM_ALL_DAYS, LEAD_FIELDS),
    description="What is made from all days, anew, and whether it is what changes had made of it.",
    tags={ANEW: "true"},
)
COUNT_DAYS = dg.define_asset_job(
    "count_days",
    _selection(CALL_OUTCOMES),
    description="The outcomes of days whose calls were pulled anew.",
)
ERASE = dg.define_asset_job(
    "erase",
    _selection(ERASED, ERASURES),
    description="Whoever asked to be forgotten is erased, and it is proven that they are gone.",
)
RETAIN = dg.define_asset_job(
    "retain",
    dg.AssetSelection.assets(RETENTION),
    description="What is past its time is deleted.",
)
_PROOF = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(ERASURES.key), GONE))  # reads everything: once a night
CHECK = dg.define_asset_job(
    "check",
    (dg.AssetSelection.all_asset_checks() - _PROOF) | _selection(HEALTH),
    description="All asset checks but the proof of erasures, and health: what is wrong, in words.",
)
DELIVER = dg.define_asset_job(
    "deliver",
    _selection(DELIVERY_PLAN, DELIVERIES, DELIVERY_PAYLOADS),
    description="What is planned is sent, of the deliveries that are live.",
)
JOBS = [
    REFRESH_TODAY,
    PULL_DAYS,
    PULL_LISTS,
    DERIVE,
    READ_FIELDS,
    REBUILD,
    COUNT_DAYS,
    ERASE,
    RETAIN,
    DELIVER,
    CHECK,
]
