"""Back into HeroBase: a success becomes a lead of another campaign (API page, "Importing a lead": ``POST /leads``)."""

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from herobase_pipeline.delivering.destinations.answers import Outcome, Target, What, post, told, words
from herobase_pipeline.delivering.destinations.reached import IN_THE_BOX
from herobase_pipeline.pulling.account import herobase, sandbox
from herobase_pipeline.settings import Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery

CAMPAIGN = "CampaignCode"
FIELDS = frozenset({CAMPAIGN, "Data.*", "LeadPool", "LeadPoolName"})
"""How the lead pool is called is not documented (API reference, 1.2): ask HeroBase's support, and name it so in the file."""
REQUIRED = frozenset({CAMPAIGN})


def target(settings: Settings, delivery: "Delivery") -> Target:
    """Return the account that leads are pulled from, in whose budget they are sent.

    One lead may be sent to several campaigns, where each has a file of its own that names it.
    """
    budget = herobase(settings).budget
    if settings.url is None:
        box = sandbox(settings)
        account, url, login = IN_THE_BOX, box.url, f"{box.username}:{box.password}"
    else:
        account, url = settings.url.partition("://")[2].casefold(), settings.url
        login = f"{settings.username}:{settings.password.get_secret_value()}"
    named = [
        each.static_value for each in delivery.field_mappings if each.field_name == CAMPAIGN and not each.is_picked
    ]
    where = f"{account} {str(named[0]).casefold()}" if named else account
    return Target(where, url, {"Authorization": b"Basic " + base64.b64encode(login.encode())}, budget)


def send(target: Target, body: Mapping[str, Any], key: str) -> Outcome:  # noqa: ARG001  # it has no field for a key
    """Import a lead. A status of 200 is not success: only ``success: true`` is. HeroBase takes texts alone as data."""
    data = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in body.get("Data", {}).items()
    }
    answer = post(target, "/leads", {**body, "Data": data})
    if isinstance(answer, Outcome):
        return answer
    said, found = words(answer), told(answer)
    if answer.status_code in (200, 201) and found.get("success") is True:
        return Outcome(What.DELIVERED, said=said, remote_id=_id(found))
    if found.get("success") is False:
        return Outcome(What.REJECTED, "HeroBase did not take it (success: false)", said)
    if 400 <= answer.status_code < 500:
        return Outcome(What.REJECTED, f"HeroBase refused it with {answer.status_code}", said)
    return Outcome(What.UNKNOWN, f"HeroBase answered {answer.status_code} without saying what came of it", said)


def _id(found: Mapping[str, Any]) -> str | None:
    """Return what HeroBase calls the lead, if it says so: the answer's other members are not documented."""
    ids = [found[name] for name in ("uniqueid", "uniqueleadid", "leadid", "id") if found.get(name)]
    return str(ids[0])[:100] if ids and isinstance(ids[0], str | int) else None
