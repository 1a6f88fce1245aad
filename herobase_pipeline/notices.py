"""Where alerts go, and how they are sent: by Apprise, which knows mail, Teams, Slack, webhooks and many more by an address each.

An address holds secrets. Of one nothing is ever said but its place in the list and its scheme, and what Apprise would log of it
is not logged.
"""

import logging
import re
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from apprise import NotifyBase

Kind = Literal["info", "success", "warning", "failure"]
"""What a message is about, as far as what shows it has colours."""
TIMEOUT_S = 20.0
"""So long is waited for an answer. What became of the message is not known after."""
NO_ANSWER = f"it did not answer within {TIMEOUT_S:.0f} seconds, so it may have come"
"""Why a message counts as sent of which nobody knows whether it was taken: once more each minute would be worse."""
PAUSE_S = 30.0
"""One that has just failed is not waited for again at once: the sensors of many sites take turns, and may name the same one."""
_failed: dict[str, float] = {}


def scheme(address: str) -> str:
    """Return the kind of an address, such as ``mailto``; empty where it has none."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]{0,20})://", address)
    return found[1].lower() if found else ""


def is_understood(address: str) -> bool:
    """Whether something can be sent to an address, so far as can be seen without trying."""
    return bool(scheme(address)) and _service(address) is not None


def send(address: str, title: str, text: str, kind: Kind) -> str:
    """Send a message to an address; returns why it was not taken, or an empty text.

    Nobody knows whether a message that was not taken in time arrives all the same.
    """
    if time.monotonic() - _failed.get(address, -PAUSE_S) < PAUSE_S:
        return "it has failed within the last half minute"
    from apprise import Apprise, AppriseResultStatus

    service = _service(address)
    sender = Apprise([service] if service else [])
    result = sender.notify(text, title, notify_type=kind, body_format="text", timeout=TIMEOUT_S)
    if result:
        _failed.pop(address, None)
        return ""
    _failed[address] = time.monotonic()
    if result.status == AppriseResultStatus.TIMEOUT:
        return NO_ANSWER
    return "it refused the message, or could not be reached"


def _service(address: str) -> "NotifyBase | None":
    import apprise  # takes half a second, and most processes send nothing

    logging.getLogger("apprise").disabled = True  # it quotes addresses
    service = apprise.Apprise.instantiate(address)
    if service is not None:
        service.socket_read_timeout = 2 * TIMEOUT_S  # else who takes a message slowly would count as refusing it
    return service
