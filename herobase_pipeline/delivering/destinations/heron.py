"""Heron: a success becomes an end user, and the CRM's fields are filled as the file says (Heron Data API, 2021-07-19).

``POST /api/end_users`` creates the end user under the key itself, so that ``GET /api/end_users/{end_user_id}`` says later whether
it arrived. ``PATCH /api/crm_integrations/{heron_id}`` hands the file's mappings of CRM fields over, by which Heron fills them.
"""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from herobase_pipeline.delivering.destinations.answers import (
    Address,
    Outcome,
    Target,
    What,
    ask,
    change,
    id_in,
    told,
    words,
)
from herobase_pipeline.delivering.destinations.reached import by_key
from herobase_pipeline.settings import SANDBOX_HERON_KEY, Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery

FIELDS = frozenset({"end_user.name", "end_user.is_portfolio"})
REQUIRED = frozenset({"end_user.name"})
_SETTLES = dt.timedelta(minutes=10)  # what Heron does not have then was never taken


def target(settings: Settings, delivery: "Delivery", now: dt.datetime) -> Target:
    """Return the Heron of ``HERON_URL``, or the one in the sandbox's box; ``now`` is when the run looks up what is unknown."""
    account, to = by_key(
        settings,
        system="HERON",
        url=settings.heron_url,
        key=settings.heron_api_key,
        in_the_box=lambda box: (box.heron_url, SANDBOX_HERON_KEY),
        header=lambda key: ("x-api-key", key),
        is_live=delivery.is_live,
    )
    return Target(
        account, partial(send, to), lambda key, sent_at: look_up(to, key, now - sent_at), partial(hand_over, to)
    )


def send(to: Address, body: Mapping[str, Any], key: str) -> Outcome:
    """Create an end user under the key. What Heron has under it already did arrive."""
    answer = change(to, "POST", "/api/end_users", {"end_user": {**body["end_user"], "end_user_id": key}})
    if isinstance(answer, Outcome):
        return answer
    said, made = words(answer), told(answer).get("end_user")
    if answer.status_code in (200, 201) and isinstance(made, dict):
        return Outcome(What.DELIVERED, said=said, remote_id=id_in(made, "heron_id"))
    if answer.status_code == 409 and (found := look_up(to, key, dt.timedelta(0))) is not None:
        return found
    if 400 <= answer.status_code < 500:
        return Outcome(What.REJECTED, f"Heron refused it with {answer.status_code}", said)
    return Outcome(What.UNKNOWN, f"Heron answered {answer.status_code} without saying what came of it", said)


def look_up(to: Address, key: str, age: dt.timedelta) -> Outcome | None:
    """Return whether what was sent under a key is there; None where nobody knows yet.

    Args:
        to: where.
        key: under which it was sent.
        age: how long ago: what was sent just now may still be on its way.

    """
    answer = ask(to, "GET", f"/api/end_users/{key}")
    if isinstance(answer, Outcome):
        return None
    if answer.status_code == 404 and age >= _SETTLES:
        return Outcome(What.NOT_DONE, "Heron has no such end user")
    return _there(key, told(answer)) if answer.status_code == 200 else None


def _there(key: str, found: Mapping[str, Any]) -> Outcome | None:
    made = found.get("end_user", found)
    if not isinstance(made, dict) or made.get("end_user_id") != key:
        return None
    return Outcome(What.DELIVERED, "Heron has it", remote_id=id_in(made, "heron_id"))


def mappings(delivery: "Delivery") -> dict[str, Any]:
    """Return what a file says of the CRM's fields, in Heron's words."""
    used = {each.value_mapping_name for each in delivery.of_crm}
    return {
        "field_mappings": [each.model_dump(mode="json", exclude={"lead_field", "column"}) for each in delivery.of_crm],
        "value_mappings": [
            {"name": name, "mapping": dict(table)} for name, table in delivery.value_mappings.items() if name in used
        ],
    }


def hand_over(to: Address, heron_id: str, wanted: Mapping[str, Any]) -> Outcome:
    """Give mappings to an integration; all else of its configuration stays as Heron has it.

    Whether Heron replaces a configuration or fills it up is not documented, so it is read first and sent whole.

    Args:
        to: where.
        heron_id: the integration.
        wanted: as ``mappings`` returns them.

    """
    path = "/api/crm_integrations"
    listed = ask(to, "GET", path)
    if isinstance(listed, Outcome):
        return Outcome(What.NOT_DONE, listed.reason)
    found = told(listed).get("crm_integrations")
    if listed.status_code != 200 or not isinstance(found, list):
        reason = f"{to.host} answered {listed.status_code} to the list of CRM integrations"
        return Outcome(What.NOT_LOOKED_AT, reason, words(listed))
    its = [each for each in found if isinstance(each, dict) and each.get("heron_id") == heron_id]
    if not its:
        return Outcome(What.NOT_LOOKED_AT, f"Heron lists no CRM integration {heron_id}: check heron_id")
    config = _merged(its[0].get("config"), wanted)
    if config is None:
        reason = f"the configuration of {heron_id} has another shape than Heron documents, so it was left alone"
        return Outcome(What.NOT_LOOKED_AT, reason, words(listed))
    answer = change(to, "PATCH", f"{path}/{heron_id}", {"config": config})
    if isinstance(answer, Outcome):
        return answer
    said, back = words(answer), told(answer)
    if answer.status_code in (200, 204) and back.get("status") != "error" and "error" not in back:
        return Outcome(What.DELIVERED, said=said, remote_id=heron_id)
    what = What.REJECTED if 400 <= answer.status_code < 500 else What.UNKNOWN
    return Outcome(what, f"{to.host} answered {answer.status_code}", said)


def _merged(config: Any, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a configuration with other mappings; None where it is not of the documented shape."""
    config = {} if config is None else config
    if not isinstance(config, dict):
        return None
    company, tables = config.get("data_source_accounts_config") or {}, config.get("value_mappings") or []
    if not isinstance(company, dict) or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        return None
    new = {each["name"] for each in wanted["value_mappings"]}
    return {
        **config,
        "data_source_accounts_config": {**company, "field_mappings": wanted["field_mappings"]},
        "value_mappings": [*(each for each in tables if each.get("name") not in new), *wanted["value_mappings"]],
    }
