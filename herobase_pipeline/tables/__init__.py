"""The tables: columns, grain and SQL of each, declared once. Pure: no files, no HTTP, no Dagster."""

from herobase_pipeline.tables.calls import CALL_PHONES, CALLS
from herobase_pipeline.tables.conversion import LEAD_CONVERSION
from herobase_pipeline.tables.directory import ACCOUNT, CAMPAIGNS, ORG_UNITS, PROJECTS, USERS
from herobase_pipeline.tables.leads import LEAD_DATA, LEADS, SIMPLE_LEADS
from herobase_pipeline.tables.outcomes import CALL_OUTCOMES
from herobase_pipeline.tables.schema import Column, Table, Type

TABLES = (
    CALLS,
    CALL_PHONES,
    SIMPLE_LEADS,
    LEAD_DATA,
    ORG_UNITS,
    USERS,
    CAMPAIGNS,
    PROJECTS,
    ACCOUNT,
    LEADS,
    CALL_OUTCOMES,
    LEAD_CONVERSION,
)

__all__ = [
    "ACCOUNT",
    "CALLS",
    "CALL_OUTCOMES",
    "CALL_PHONES",
    "CAMPAIGNS",
    "LEADS",
    "LEAD_CONVERSION",
    "LEAD_DATA",
    "ORG_UNITS",
    "PROJECTS",
    "SIMPLE_LEADS",
    "TABLES",
    "USERS",
    "Column",
    "Table",
    "Type",
]
