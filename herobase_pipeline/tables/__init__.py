"""The tables: columns, grain and SQL of each, declared once. Pure: no files, no HTTP, no Dagster.

For notebooks this package is a function too, ``herobase_pipeline.tables()``, as its name is in the place of one.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from herobase_pipeline.tables.agents import AGENT_DAYS
from herobase_pipeline.tables.calls import CALL_PHONES, CALLS
from herobase_pipeline.tables.cohorts import CUMULATIVE_INCIDENCE, LEAD_COHORTS
from herobase_pipeline.tables.conversion import LEAD_CONVERSION
from herobase_pipeline.tables.deliveries import DELIVERIES, DELIVERY_PAYLOADS, DELIVERY_PLAN
from herobase_pipeline.tables.directory import (
    ACCOUNT,
    CAMPAIGNS,
    HOOKS,
    LEAD_DEFINITION_FIELDS,
    LEAD_DEFINITIONS,
    LEAD_POOLS,
    LEAD_SEGMENTS,
    ORG_UNITS,
    PROJECTS,
    USERS,
)
from herobase_pipeline.tables.drops import DROP_RATES
from herobase_pipeline.tables.erasures import ERASED, ERASURES
from herobase_pipeline.tables.health import HEALTH
from herobase_pipeline.tables.history import ORG_HISTORY
from herobase_pipeline.tables.lead_fields import LEAD_FIELDS
from herobase_pipeline.tables.leads import (
    LEAD_DATA,
    LEADS,
    RAW_LEADS,
    SEARCH_LEAD_DATA,
    SEARCH_LEADS,
    SEARCH_ROWS,
    SIMPLE_LEADS,
    VERSIONS,
)
from herobase_pipeline.tables.outcomes import CALL_HOURS, CALL_OUTCOMES
from herobase_pipeline.tables.rates import (
    AGENT_RATES,
    COHORT_RATES,
    CONVERSION_RATES,
    HOUR_RATES,
    KNOWN_DAYS,
    LOADED_DAYS,
    METRIC_REGISTRY,
    OUTCOME_RATES,
    POOL_RATES,
)
from herobase_pipeline.tables.restatements import RESTATEMENTS
from herobase_pipeline.tables.schema import Column, Holds, Table, Type
from herobase_pipeline.tables.unreadable import UNREADABLE

TABLES = (
    CALLS,
    CALL_PHONES,
    SIMPLE_LEADS,
    LEAD_DATA,
    SEARCH_LEADS,
    SEARCH_LEAD_DATA,
    SEARCH_ROWS,
    RAW_LEADS,
    UNREADABLE,
    LEAD_FIELDS,
    ORG_UNITS,
    USERS,
    CAMPAIGNS,
    PROJECTS,
    LEAD_DEFINITIONS,
    LEAD_DEFINITION_FIELDS,
    LEAD_POOLS,
    LEAD_SEGMENTS,
    HOOKS,
    ACCOUNT,
    LEADS,
    CALL_OUTCOMES,
    CALL_HOURS,
    AGENT_DAYS,
    LEAD_CONVERSION,
    LEAD_COHORTS,
    CUMULATIVE_INCIDENCE,
    DROP_RATES,
    ORG_HISTORY,
    RESTATEMENTS,
    METRIC_REGISTRY,
    ERASED,
    ERASURES,
    HEALTH,
    DELIVERY_PLAN,
    DELIVERIES,
    DELIVERY_PAYLOADS,
)
"""Those with files."""

VIEWS = (
    KNOWN_DAYS,
    LOADED_DAYS,
    OUTCOME_RATES,
    HOUR_RATES,
    CONVERSION_RATES,
    AGENT_RATES,
    COHORT_RATES,
    POOL_RATES,
)
"""Those that the catalogue computes from the others as they are read."""

__all__ = [
    "ACCOUNT",
    "AGENT_DAYS",
    "AGENT_RATES",
    "CALLS",
    "CALL_HOURS",
    "CALL_OUTCOMES",
    "CALL_PHONES",
    "CAMPAIGNS",
    "COHORT_RATES",
    "CONVERSION_RATES",
    "CUMULATIVE_INCIDENCE",
    "DELIVERIES",
    "DELIVERY_PAYLOADS",
    "DELIVERY_PLAN",
    "DROP_RATES",
    "ERASED",
    "ERASURES",
    "HEALTH",
    "HOOKS",
    "HOUR_RATES",
    "KNOWN_DAYS",
    "LEADS",
    "LEAD_COHORTS",
    "LEAD_CONVERSION",
    "LEAD_DATA",
    "LEAD_DEFINITIONS",
    "LEAD_DEFINITION_FIELDS",
    "LEAD_FIELDS",
    "LEAD_POOLS",
    "LEAD_SEGMENTS",
    "LOADED_DAYS",
    "METRIC_REGISTRY",
    "ORG_HISTORY",
    "ORG_UNITS",
    "OUTCOME_RATES",
    "POOL_RATES",
    "PROJECTS",
    "RAW_LEADS",
    "RESTATEMENTS",
    "SEARCH_LEADS",
    "SEARCH_LEAD_DATA",
    "SEARCH_ROWS",
    "SIMPLE_LEADS",
    "TABLES",
    "UNREADABLE",
    "USERS",
    "VERSIONS",
    "VIEWS",
    "Column",
    "Holds",
    "Table",
    "Type",
]


class _Callable(ModuleType):
    """A module that can be called, as the function of its name for notebooks."""

    def __call__(self, data_dir: Any = None, *, site: str | None = None) -> Any:
        """Return what can be read, a row a table: see ``herobase_pipeline.reading.guide.tables``."""
        return import_module("herobase_pipeline.reading.guide").tables(data_dir, site=site)


sys.modules[__name__].__class__ = _Callable
