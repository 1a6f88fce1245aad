"""One request to a destination, and what is known of it afterwards: arrived, refused, not sent, or nobody knows."""

import datetime as dt
import math
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

from herobase_pipeline.herobase.errors import MinuteSpentError, QuotaSpentError
from herobase_pipeline.herobase.quota import FAIR_USE, Budget
from herobase_pipeline.settings import is_loopback

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_BUSY = (423, 425, 429, 503)
# the key, the address, the right or the program is wrong, so no lead is at fault; 302 and 303 may follow something that was done
_NOT_LOOKED_AT = (301, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426, 451)
_NO_BUNDLE = "TLS CA certificate"  # how requests says so, before anything leaves
_ID = re.compile(r"[\w-]{1,60}")
_MALFORMED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_WORDS = 2_000  # signs of a destination's own words that are kept


class What(Enum):
    """What is known of a request."""

    DELIVERED = auto()
    REJECTED = auto()
    UNKNOWN = auto()
    NOT_DONE = auto()  # nothing was done: worth trying again
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


@dataclass(frozen=True)
class Address:
    """Where a system is, and what lets a delivery in.

    Attributes:
        url: its address.
        headers: with the key or the login; in no message and no repr.
        budget: the requests that may be made, where the system counts them.

    """

    url: str
    headers: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    budget: Budget | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Where it is, as people are told."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class Target:
    """Where a delivery goes.

    Attributes:
        account: whose system it is, as keys name it: another one is sent to anew.
        send: sends a body under a key.
        look_up: returns whether what was sent under a key at a time is there, where it can be looked up; None: nobody knows.
        hand_over: gives mappings of fields of a CRM to an integration, where the system fills them.

    """

    account: str
    send: Callable[[Mapping[str, Any], str], Outcome]
    look_up: Callable[[str, dt.datetime], Outcome | None] | None = None
    hand_over: Callable[[str, Mapping[str, Any]], Outcome] | None = None


def change(to: Address, method: str, path: str, body: Mapping[str, Any]) -> requests.Response | Outcome:
    """Send a body as JSON; returns the answer, or what is known where there is none that says more."""
    answer = ask(to, method, path, body)
    return answer if isinstance(answer, Outcome) else _known(to.host, answer) or answer


def ask(to: Address, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response | Outcome:
    """Make one request; returns the answer, whatever its status, or what is known where none came.

    A new connection each time, as one that was kept may be closed by the other side just as the request leaves.
    """
    service = path.strip("/").split("/")[0]
    try:
        if to.budget:
            to.budget.spend(service)
        with requests.Session() as session:
            session.trust_env = not is_loopback(to.host)  # this machine is never reached through a proxy
            answer = session.request(
                method,
                f"{to.url}{path}",
                json=body,
                headers={
                    **to.headers,
                    **(FAIR_USE if to.budget else {}),
                    "Accept": "application/json",
                    "Connection": "close",
                },
                auth=lambda request: request,  # else a login in .netrc would take the place of the key
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                allow_redirects=False,
            )
        if to.budget and answer.status_code == requests.codes.too_many_requests:
            raise to.budget.refused(service, answer.headers)
    except MinuteSpentError:  # the budget waits for the next minute
        return Outcome(What.NOT_DONE, f"{to.host} answered 429", wait_s=0.0)
    except QuotaSpentError as error:
        return Outcome(What.NOT_LOOKED_AT, str(error).rstrip("."))
    except _MALFORMED as error:
        return Outcome(What.NOT_LOOKED_AT, f"nothing could be sent to {to.host} ({type(error).__name__})")
    except requests.exceptions.RequestException as error:
        if _never_left(error):
            return Outcome(What.NOT_DONE, f"{to.host} cannot be reached ({type(error).__name__})")
        return Outcome(What.UNKNOWN, f"no answer came from {to.host} ({type(error).__name__})")
    except OSError as error:
        if _NO_BUNDLE not in str(error):
            raise
        return Outcome(What.NOT_LOOKED_AT, "REQUESTS_CA_BUNDLE names no file of certificates, so nothing could be sent")
    if to.budget:
        to.budget.learn(service, answer.headers)
    return answer


def words(answer: requests.Response) -> str:
    """Return what an answer says, as far as it is kept, in whatever encoding it came."""
    return answer.content[: 4 * _WORDS].decode("utf-8", "replace")[:_WORDS]


def told(answer: requests.Response) -> dict[str, Any]:
    """Return an answer's object by its members in lower case, as systems differ in that; empty where it is none."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return {}
    return {str(name).lower(): value for name, value in found.items()} if isinstance(found, dict) else {}


def id_in(found: Mapping[str, Any], *names: str) -> str | None:
    """Return what a system calls what it made, the first of some members that looks like an id; no address is one."""
    ids = [str(found[name]) for name in names if isinstance(found.get(name), str | int)]
    return next((each for each in ids if _ID.fullmatch(each)), None)


def _known(host: str, answer: requests.Response) -> Outcome | None:
    """Return what a status says of a request that changes something, whatever the system; None where the body says it."""
    status, said = answer.status_code, words(answer)
    if status in _BUSY:
        wait_s = _seconds(answer.headers.get("Retry-After"))
        return Outcome(What.NOT_DONE, f"{host} answered {status}", said, wait_s=wait_s)
    if status in _NOT_LOOKED_AT:
        return Outcome(What.NOT_LOOKED_AT, f"{host} answered {status}: check its address, key and rights", said)
    if status >= 500 or status == 408 or 300 <= status < 400:
        return Outcome(What.UNKNOWN, f"{host} answered {status}", said)
    return None


def _never_left(error: requests.exceptions.RequestException) -> bool:
    """Whether an error came before the request could have left."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    inner = error.args[0] if error.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    causes = [reason, getattr(reason, "__cause__", None), *(getattr(reason, "args", ()) or ())]
    return any(
        isinstance(cause, NewConnectionError | ConnectTimeoutError | ProxyError | ssl.SSLCertVerificationError)
        for cause in causes
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None for a date, or for none."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return max(seconds, 0) if math.isfinite(seconds) else None
