"""One request to a destination, and what is known of it afterwards: arrived, refused, not sent, or nobody knows."""

import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from herobase_pipeline.settings import is_loopback

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_BUSY = (429, 503)
# the key, the address or the right is wrong, so no lead is at fault; 302 and 303 may follow something that was done
_NOT_LOOKED_AT = (301, 307, 308, 401, 403, 404, 405, 407, 421)
_MALFORMED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class What(Enum):
    """What is known of a request."""

    DELIVERED = auto()
    REJECTED = auto()
    UNKNOWN = auto()
    BUSY = auto()  # nothing was done: worth trying again
    NOT_LOOKED_AT = auto()  # nothing was done, nor will be for any other lead


@dataclass(frozen=True)
class Outcome:
    """What came of a request.

    Attributes:
        what: what is known.
        reason: in words, without anything of the customer.
        said: the destination's own words; private.
        remote_id: what it calls what it made.
        wait_s: of one that is busy, how long it asks to wait, in seconds.

    """

    what: What
    reason: str | None = None
    said: str | None = None
    remote_id: str | None = None
    wait_s: float | None = None


def post(url: str, headers: Mapping[str, bytes], body: Mapping[str, Any]) -> requests.Response | Outcome:
    """Post a body as JSON; returns the answer, or what is known where there is none worth reading.

    A new connection each time, as one that was kept may be closed by the other side just as the request leaves.
    """
    host = urlsplit(url).hostname or ""
    try:
        with requests.Session() as session:
            session.trust_env = not is_loopback(host)  # this machine is never reached through a proxy
            answer = session.post(
                url,
                json=body,
                headers={**headers, "Accept": "application/json", "Connection": "close"},
                auth=lambda request: request,  # else a login in .netrc would take the place of the key
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                allow_redirects=False,
            )
    except _MALFORMED as error:
        return Outcome(What.NOT_LOOKED_AT, f"nothing could be sent to {host} ({type(error).__name__})")
    except requests.exceptions.RequestException as error:
        if _never_left(error):
            return Outcome(What.BUSY, f"{host} cannot be reached ({type(error).__name__})")
        return Outcome(What.UNKNOWN, f"no answer came from {host} ({type(error).__name__})")
    status, said = answer.status_code, answer.text[:2_000]
    if status in _BUSY:
        return Outcome(What.BUSY, f"{host} answered {status}", said, wait_s=_seconds(answer.headers.get("Retry-After")))
    if status in _NOT_LOOKED_AT:
        return Outcome(What.NOT_LOOKED_AT, f"{host} answered {status}", said)
    if status >= 500 or status == 408 or 300 <= status < 400:
        return Outcome(What.UNKNOWN, f"{host} answered {status}", said)
    return answer


def _never_left(error: requests.exceptions.RequestException) -> bool:
    """Whether an error came before the request could have left."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    inner = error.args[0] if error.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    causes = [reason, getattr(reason, "__cause__", None), *(getattr(reason, "args", ()) or ())]
    return any(
        isinstance(cause, NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError) for cause in causes
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None for a date, or for none."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return max(seconds, 0) if math.isfinite(seconds) else None
