"""The systems that successes are handed on to, in the box: what each takes, and what it was given."""

import hmac
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from herobase_pipeline.sandbox.faults import Fault
from herobase_pipeline.settings import SANDBOX_HERO_KEY

HERO = "/hero"
_CREATE = f"{HERO}/api/v1/projects/create"


@dataclass
class Destinations:
    """What was handed on.

    Attributes:
        projects: HERO's projects, in order of arrival.

    """

    projects: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, fault: Fault
    ) -> tuple[int, dict[str, Any]]:
        """Answer a request to one of them; returns the status and the JSON.

        A fault comes before anything is done, or if it ``commits`` after it.
        """
        if path != _CREATE:
            return 404, {"status": "error", "message": "Not found"}
        if method != "POST":
            return 405, {"status": "error", "message": "Method not allowed"}
        if not hmac.compare_digest(headers.get("authorization", "").encode(), f"Bearer {SANDBOX_HERO_KEY}".encode()):
            return 401, {"status": "error", "message": "Unauthorized"}
        if fault.status is not None and not fault.commits:
            return fault.status, {"status": "error", "message": "Scripted fault"}
        status, told = self._create(body, refuses=fault.error)
        return (
            (status, told) if fault.status is None else (fault.status, {"status": "error", "message": "Scripted fault"})
        )

    def _create(self, body: bytes, *, refuses: bool) -> tuple[int, dict[str, Any]]:
        try:
            given = json.loads(body)
        except ValueError:
            return 422, {"status": "error", "message": "The body is no JSON"}
        customer = given.get("customer") if isinstance(given, dict) else None
        email = customer.get("email") if isinstance(customer, dict) else None
        if not isinstance(email, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
            return 200, {"status": "error", "message": f"customer.email: {email!r} is no address"}
        if refuses:
            return 200, {"status": "error", "message": f"{email} cannot be taken now"}
        with self._lock:
            self.projects.append(given)
            return 200, {"status": "success", "id": 70_000 + len(self.projects)}
