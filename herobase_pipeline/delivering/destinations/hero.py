"""HERO: a success becomes a project (HERO Lead API, ``POST /api/v1/Projects/create``)."""

from collections.abc import Mapping
from typing import Any

from herobase_pipeline.delivering.destinations.answers import Outcome, What, post

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


def send(url: str, api_key: str, body: Mapping[str, Any], short_key: str) -> Outcome:
    """Create a project. The key's short form stands in its notes, so that people find it there.

    A status of 200 is not success: only ``"status": "success"`` is.
    """
    match_ = dict(body.get("project_match", {}))
    match_["partner_notes"] = "\n".join(filter(None, [match_.get("partner_notes"), f"Ref. {short_key}"]))
    answer = post(
        f"{url}/api/v1/Projects/create",
        {"Authorization": f"Bearer {api_key}".encode()},
        {**body, "project_match": match_},
    )
    if isinstance(answer, Outcome):
        return answer
    said = answer.text[:2_000]
    try:
        told = answer.json()
    except ValueError:
        told = None
    status = told.get("status") if isinstance(told, dict) else None
    if answer.status_code in (200, 201) and status == "success":
        return Outcome(What.DELIVERED, said=said, remote_id=_id(told))
    if status == "error" or 400 <= answer.status_code < 500:
        return Outcome(What.REJECTED, f"HERO refused it with {answer.status_code}", said)
    return Outcome(What.UNKNOWN, f"HERO answered {answer.status_code} without saying what came of it", said)


def _id(told: Mapping[str, Any]) -> str | None:
    """Return what HERO calls the project, if it says so: the answer's members are not documented."""
    within = [told, *(value for value in told.values() if isinstance(value, dict))]
    found = [each[name] for each in within for name in ("id", "project_id", "project_match_id") if each.get(name)]
    return str(found[0])[:100] if found and isinstance(found[0], str | int) else None
