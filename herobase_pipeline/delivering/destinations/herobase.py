"""Back into HeroBase: a success becomes a lead of another campaign (API page, "Importing a lead": ``POST /leads``)."""

import base64
import datetime as dt
import json
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
from herobase_pipeline.delivering.destinations.reached import IN_THE_BOX
from herobase_pipeline.pulling.account import herobase, sandbox
from herobase_pipeline.settings import Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery

CAMPAIGN = "CampaignCode"
FIELDS = frozenset({CAMPAIGN, "Data.*", "LeadPool", "LeadPoolName"})
"""How the lead pool is called is not documented (API reference, 1.2): ask HeroBase's support, and name it so in the file."""
REQUIRED = frozenset({CAMPAIGN})


def target(settings: Settings, delivery: "Delivery", _: dt.datetime) -> Target:
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
    campaign = next(str(each.static_value) for each in delivery.field_mappings if each.field_name == CAMPAIGN)
    to = Address(url, {"Authorization": b"Basic " + base64.b64encode(login.encode())}, budget)
    return Target(f"{account} {campaign.strip().casefold()}", partial(send, to))


def send(to: Address, body: Mapping[str, Any], _: str) -> Outcome:
    """Import a lead. A status of 200 is not success: only ``success: true`` is.

    HeroBase takes texts alone as data, and has no field for a key.
    """
    data = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in body.get("Data", {}).items()
    }
    answer = change(to, "POST", "/leads", {**body, "Data": data})
    if isinstance(answer, Outcome):
        return answer
    said, found = words(answer), told(answer)
    if answer.status_code in (200, 201) and found.get("success") is True:
        return Outcome(What.DELIVERED, said=said, remote_id=id_in(found, "uniqueid", "uniqueleadid", "leadid", "id"))
    if found.get("success") is False:
        return Outcome(What.REJECTED, "HeroBase did not take it (success: false)", said)
    if 400 <= answer.status_code < 500:
        return Outcome(What.REJECTED, f"HeroBase refused it with {answer.status_code}", said)
    return Outcome(What.UNKNOWN, f"HeroBase answered {answer.status_code} without saying what came of it", said)
