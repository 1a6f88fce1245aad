"""Heron: a success becomes an end user, and the CRM's fields are filled as the file says (Heron Data API, 2021-07-19).

``POST /api/end_users`` creates the end user under the key itself, so that ``GET /api/end_users/{end_user_id}`` says later whether
it arrived. ``PATCH /api/crm_integrations/{heron_id}`` hands the file's mappings of CRM fields over, by which Heron fills them.
"""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from herobase_pipeline.delivering.destinations.answers import Outcome, Target, What, ask, post, told, words
from herobase_pipeline.delivering.destinations.reached import by_key
from herobase_pipeline.settings import SANDBOX_HERON_KEY, Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery

FIELDS = frozenset({"end_user.name", "end_user.is_portfolio"})
REQUIRED = frozenset({"end_user.name"})
_SETTLES = dt.timedelta(minutes=10)  # what Heron does not have then was never taken


def target(settings: Settings, delivery: "Delivery") -> Target:
    """Return the Heron of ``HERON_URL``, or the one in the sandbox's box."""
    return by_key(
        settings,
        system="HERON",
        url=settings.heron_url,
        key=settings.heron_api_key,
        in_the_box=lambda box: (box.heron_url, SANDBOX_HERON_KEY),
        header=lambda key: ("x-api-key", key),
        is_live=delivery.is_live,
    )


def send(target: Target, body: Mapping[str, Any], key: str) -> Outcome:
    """Create an end user under the key. What Heron has under it already did arrive."""
    answer = post(target, "/api/end_users", {"end_user": {**body["end_user"], "end_user_id": key}})
    if isinstance(answer, Outcome):
        return answer
    said, made = words(answer), told(answer).get("end_user")
    if answer.status_code in (200, 201) and isinstance(made, dict):
        return Outcome(What.DELIVERED, said=said, remote_id=_id(made))
    if answer.status_code == 409 and (found := _found(target, key)) is not None:
        return found
    if 400 <= answer.status_code < 500:
        return Outcome(What.REJECTED, f"Heron refused it with {answer.status_code}", said)
    return Outcome(What.UNKNOWN, f"Heron answered {answer.status_code} without saying what came of it", said)


def look_up(target: Target, key: str, age: dt.timedelta) -> Outcome | None:
    """Return whether what was sent under a key is there; None where nobody knows yet.

    Args:
        target: where.
        key: under which it was sent.
        age: how long ago: what was sent just now may still be on its way.

    """
    answer = ask(target, "GET", f"/api/end_users/{key}")
    if isinstance(answer, Outcome):
        return None
    if answer.status_code == 404 and age >= _SETTLES:
        return Outcome(What.NOT_DONE, "Heron has no such end user")
    return _there(key, told(answer)) if answer.status_code == 200 else None


def _found(target: Target, key: str) -> Outcome | None:
    answer = ask(target, "GET", f"/api/end_users/{key}")
    return None if isinstance(answer, Outcome) or answer.status_code != 200 else _there(key, told(answer))


def _there(key: str, found: Mapping[str, Any]) -> Outcome | None:
    made = found.get("end_user", found)
    if not isinstance(made, dict) or made.get("end_user_id") != key:
        return None
    return Outcome(What.DELIVERED, "Heron has it", remote_id=_id(made))


def _id(made: Mapping[str, Any]) -> str | None:
    return str(made["heron_id"])[:100] if isinstance(made.get("heron_id"), str) else None


def mappings(delivery: "Delivery") -> dict[str, Any]:
    """Return what a file says of the CRM's fields, in Heron's words."""
    used = {each.value_mapping_name for each in delivery.of_crm}
    return {
        "field_mappings": [each.model_dump(mode="json", exclude={"lead_field", "column"}) for each in delivery.of_crm],
        "value_mappings": [
            {"name": name, "mapping": dict(table)} for name, table in delivery.value_mappings.items() if name in used
        ],
    }


def put(target: Target, heron_id: str, wanted: Mapping[str, Any]) -> Outcome:
    """Hand mappings over to an integration; all else of its configuration stays as Heron has it.

    Whether Heron replaces a configuration or fills it up is not documented, so it is read first and sent whole.

    Args:
        target: where.
        heron_id: the integration.
        wanted: as ``mappings`` returns them.

    """
    path = "/api/crm_integrations"
    listed = ask(target, "GET", path)
    if isinstance(listed, Outcome):
        return Outcome(What.NOT_DONE, listed.reason)
    found = told(listed).get("crm_integrations")
    its = [each for each in found or () if isinstance(each, dict) and each.get("heron_id") == heron_id]
    if listed.status_code != 200 or not its:
        answered = f"{target.host} answered {listed.status_code}"
        lacks = f"Heron lists no CRM integration {heron_id}: check heron_id" if isinstance(found, list) else answered
        return Outcome(What.NOT_LOOKED_AT, lacks, words(listed))
    config = its[0].get("config") or {}
    new = {each["name"] for each in wanted["value_mappings"]}
    kept = [each for each in config.get("value_mappings") or () if each.get("name") not in new]
    company = {**(config.get("data_source_accounts_config") or {}), "field_mappings": wanted["field_mappings"]}
    whole = {
        **config,
        "data_source_accounts_config": company,
        "value_mappings": [*kept, *wanted["value_mappings"]],
    }
    answer = ask(target, "PATCH", f"{path}/{heron_id}", {"config": whole})
    if isinstance(answer, Outcome):
        return answer
    if answer.status_code == 200:
        return Outcome(What.DELIVERED, said=words(answer), remote_id=heron_id)
    what = What.REJECTED if answer.status_code in (400, 409, 422) else What.UNKNOWN
    return Outcome(what, f"{target.host} answered {answer.status_code}", words(answer))
