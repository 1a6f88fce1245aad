"""HERO: a success becomes a project (HERO Lead API, ``POST /api/v1/Projects/create``)."""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from herobase_pipeline.delivering.destinations.answers import (
    Address,
    Outcome,
    Target,
    What,
    change,
    id_in,
    told,
    words,
)
from herobase_pipeline.delivering.destinations.reached import by_key
from herobase_pipeline.delivering.ledger import short
from herobase_pipeline.settings import SANDBOX_HERO_KEY, Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery

_ADDRESS = ("street", "city", "zipcode", "country_code")
FIELDS = frozenset(
    {
        "measure",
        *(f"customer.{name}" for name in ("email", "title", "first_name", "last_name", "company_name")),
        *(f"{address}.{name}" for address in ("address", "projectaddress") for name in _ADDRESS),
        *(f"project_match.{name}" for name in ("comment", "partner_notes", "partner_source")),
    }
)
REQUIRED = frozenset({"customer.email"})
CUSTOMER = "customer.email"


def target(settings: Settings, delivery: "Delivery", _: dt.datetime) -> Target:
    """Return the HERO of ``HERO_URL``, or the one in the sandbox's box."""
    account, to = by_key(
        settings,
        system="HERO",
        url=settings.hero_url,
        key=settings.hero_api_key,
        in_the_box=lambda box: (box.hero_url, SANDBOX_HERO_KEY),
        header=lambda key: ("Authorization", f"Bearer {key}"),
        is_live=delivery.is_live,
    )
    return Target(account, partial(send, to))


def send(to: Address, body: Mapping[str, Any], key: str) -> Outcome:
    """Create a project. The key's short form stands in its notes, so that people find it there.

    A status of 200 is not success: only ``"status": "success"`` is.
    """
    match_ = dict(body.get("project_match", {}))
    noted = str(match_["partner_notes"]) if "partner_notes" in match_ else ""
    match_["partner_notes"] = "\n".join(filter(None, [noted, f"Ref. {short(key)}"]))
    answer = change(to, "POST", "/api/v1/Projects/create", {**body, "project_match": match_})
    if isinstance(answer, Outcome):
        return answer
    said, found = words(answer), told(answer)
    status = found.get("status")
    if answer.status_code in (200, 201) and status == "success":
        return Outcome(What.DELIVERED, said=said, remote_id=_id(found))
    if status == "error" or 400 <= answer.status_code < 500:
        return Outcome(What.REJECTED, f"HERO refused it with {answer.status_code}", said)
    return Outcome(What.UNKNOWN, f"HERO answered {answer.status_code} without saying what came of it", said)


def _id(found: Mapping[str, Any]) -> str | None:
    """Return what HERO calls the project, if it says so: the answer's members are not documented."""
    project = [found[name] for name in ("project", "project_match", "data") if isinstance(found.get(name), dict)]
    ids = [id_in(each, "id", "project_id", "project_match_id") for each in (found, *project)]
    return next(filter(None, ids), None)
