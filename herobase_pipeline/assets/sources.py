"""Where the graph begins: the services of HeroBase that are asked. Nothing here is run."""

import dagster as dg

from herobase_pipeline.tables import (
    ACCOUNT,
    CALL_PHONES,
    CALLS,
    CAMPAIGNS,
    LEAD_DATA,
    ORG_UNITS,
    PROJECTS,
    SIMPLE_LEADS,
    USERS,
    Table,
)

_SERVICES = {
    "calls": "GET /calls: the calls of a unit and its subtree in a span of time, with the hierarchy captured on each.",
    "simpleleads": "GET /simpleleads: the leads by the time of their last modification, as they stand now.",
    "organizationalunits": "GET /organizationalunits: the org units of today.",
    "users": "GET /users: the users of today.",
    "campaigns": "GET /campaigns: the campaigns of today, closed ones included.",
    "projects": "GET /projects: the projects that the account may see.",
    "myaccount": "GET /myaccount: the account's rights, and its limits and counts of requests.",
}
_READ_INTO = {
    "calls": (CALLS, CALL_PHONES),
    "simpleleads": (SIMPLE_LEADS, LEAD_DATA),
    "organizationalunits": (ORG_UNITS,),
    "users": (USERS,),
    "campaigns": (CAMPAIGNS,),
    "projects": (PROJECTS,),
    "myaccount": (ACCOUNT,),
}


def service_of(table: Table) -> str:
    """Return the name of the service that a table is read from."""
    return next(name for name, tables in _READ_INTO.items() if table in tables)


def source_of(table: Table) -> dg.AssetKey:
    """Return the asset key of that service."""
    return _key(service_of(table))


def _key(service: str) -> dg.AssetKey:
    return dg.AssetKey(["herobase", service])


def _fields(name: str) -> dg.TableSchema:
    """Return the fields of a service's answer that are read, and what they become."""
    read: dict[str, list[str]] = {}
    for table in _READ_INTO[name]:
        for column in table:
            if column.field:
                read.setdefault(column.field, []).append(f"{table.name}.{column.name}")
    return dg.TableSchema(
        [dg.TableColumn(field, "JSON", "read as " + " and ".join(columns)) for field, columns in read.items()]
    )


SOURCES = [
    dg.AssetSpec(
        _key(name),
        description=description,
        group_name="herobase",
        kinds={"api"},
        metadata={"dagster/column_schema": _fields(name)},
    )
    for name, description in _SERVICES.items()
]
