"""Where the graph begins: the services of HeroBase that are asked. Nothing here is run."""

import dagster as dg

_SERVICES = {
    "calls": "GET /calls: the calls of a unit and its subtree in a span of time, with the hierarchy captured on each.",
    "simpleleads": "GET /simpleleads: the leads by the time of their last modification, as they stand now.",
    "organizationalunits": "GET /organizationalunits: the org units of today.",
    "users": "GET /users: the users of today.",
    "campaigns": "GET /campaigns: the campaigns of today, closed ones included.",
    "projects": "GET /projects: the projects that the account may see.",
    "myaccount": "GET /myaccount: the account's rights, and its limits and counts of requests.",
}


def service(name: str) -> dg.AssetKey:
    """Return the asset key of a service of HeroBase."""
    return dg.AssetKey(["herobase", name])


SOURCES = [
    dg.AssetSpec(service(name), description=description, group_name="herobase", kinds={"api"})
    for name, description in _SERVICES.items()
]
