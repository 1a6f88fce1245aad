"""The systems that successes are handed on to, in the box: what each takes, and what it was given."""

import hmac
import json
import re
import threading
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from herobase_pipeline.sandbox.answers import ApiError
from herobase_pipeline.sandbox.faults import Fault
from herobase_pipeline.settings import SANDBOX_HERO_KEY, SANDBOX_HERON_KEY

HERO, HERON = "/hero", "/heron"
HERON_ID = "crm_sandbox"
"""The CRM integration that Heron has in the box."""
_CREATE = f"{HERO}/api/v1/projects/create"
_INTEGRATIONS, _END_USERS = f"{HERON}/api/crm_integrations", f"{HERON}/api/end_users"
_CONFIG = {
    "data_source_accounts_config": {"external_name": "Account", "key": "Account", "field_mappings": []},
    "object_configs": [{"external_name": "Opportunity", "key": "Opportunity", "field_mappings": []}],
    "sync_file_classes": {},
    "value_mappings": [],
}
Answer = tuple[int, dict[str, Any]]


def _config() -> dict[str, dict[str, Any]]:
    return {HERON_ID: {"heron_id": HERON_ID, "provider": "salesforce", "config": deepcopy(_CONFIG)}}


@dataclass
class Destinations:
    """What was handed on.

    Attributes:
        projects: HERO's projects, in order of arrival.
        end_users: Heron's end users, by their ``end_user_id``.
        integrations: Heron's CRM integrations, by their ``heron_id``.
        leads: the leads that were imported into HeroBase, as they were given. The world has none of them: it is a function of
            seed and clock.

    """

    projects: list[dict[str, Any]] = field(default_factory=list)
    end_users: dict[str, dict[str, Any]] = field(default_factory=dict)
    integrations: dict[str, dict[str, Any]] = field(default_factory=_config)
    leads: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes, fault: Fault) -> Answer:
        """Answer a request to HERO or Heron; returns the status and the JSON.

        A fault comes before anything is done, or if it ``commits`` after it.
        """
        is_hero = path.lower().startswith(f"{HERO}/")
        name, key = ("authorization", f"Bearer {SANDBOX_HERO_KEY}") if is_hero else ("x-api-key", SANDBOX_HERON_KEY)
        if not hmac.compare_digest(headers.get(name, "").encode(), key.encode()):
            return 401, {"status": "error", "message": "Unauthorized"}
        scripted = {"status": "error", "message": "Scripted fault"}
        if fault.status is not None and not fault.commits:
            return fault.status, scripted
        status, told = (self._hero if is_hero else self._heron)(method, path, body, refuses=fault.error)
        return (status, told) if fault.status is None else (fault.status, scripted)

    def _hero(self, method: str, path: str, body: bytes, *, refuses: bool) -> Answer:
        if path.lower() != _CREATE:
            return 404, {"status": "error", "message": "Not found"}
        if method != "POST":
            return 405, {"status": "error", "message": "Method not allowed"}
        given = _object(body)
        if given is None:
            return 422, {"status": "error", "message": "The body is no JSON"}
        customer = given.get("customer")
        email = customer.get("email") if isinstance(customer, dict) else None
        if not isinstance(email, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
            return 200, {"status": "error", "message": f"customer.email: {email!r} is no address"}
        if refuses:
            return 200, {"status": "error", "message": f"{email} cannot be taken now"}
        with self._lock:
            self.projects.append(given)
            return 200, {"status": "success", "id": 70_000 + len(self.projects)}

    def _heron(self, method: str, path: str, body: bytes, *, refuses: bool) -> Answer:
        if refuses:
            return 200, {"status": "error", "message": "Not now"}
        for of, handled in ((_INTEGRATIONS, self._integrations), (_END_USERS, self._end_users)):
            if path.lower().startswith(of):
                with self._lock:
                    return handled(method, path[len(of) :].strip("/"), _object(body) or {})
        return 404, {"error": "Not found"}

    def _integrations(self, method: str, heron_id: str, given: dict[str, Any]) -> Answer:
        if method == "GET" and not heron_id:
            return 200, {"crm_integrations": list(self.integrations.values())}
        if method != "PATCH":
            return 405, {"error": "Method not allowed"}
        if heron_id not in self.integrations:
            return 404, {"error": f"There is no CRM integration {heron_id}"}
        config = given.get("config", {})
        account = config.get("data_source_accounts_config", {}) if isinstance(config, dict) else {}
        if not {"external_name", "key"} <= account.keys():
            return 422, {"error": "config.data_source_accounts_config: external_name and key are required"}
        # as the documentation does not say otherwise, what comes takes the place of what was there
        self.integrations[heron_id] = {**self.integrations[heron_id], **given}
        return 200, self.integrations[heron_id]

    def _end_users(self, method: str, end_user_id: str, given: dict[str, Any]) -> Answer:
        if method == "GET" and end_user_id:
            found = self.end_users.get(end_user_id)
            return (200, {"end_user": found}) if found else (404, {"error": "There is no such end user"})
        if method != "POST" or end_user_id:
            return 405, {"error": "Method not allowed"}
        end_user = given.get("end_user")
        if not isinstance(end_user, dict) or not end_user.get("end_user_id"):
            return 422, {"error": "end_user.end_user_id is required"}
        its = str(end_user["end_user_id"])
        if its in self.end_users:
            return 409, {"error": "There is such an end user: use PUT"}
        self.end_users[its] = {**end_user, "heron_id": f"eus_{len(self.end_users):022d}", "status": "new"}
        return 201, {"end_user": self.end_users[its]}

    def import_lead(self, body: bytes, campaigns: list[str], *, refuses: bool) -> dict[str, Any]:
        """Take a lead for one of ``campaigns`` (API page, "Importing a lead"); returns the answer's object.

        Raises:
            ApiError: the request is wrong.

        """
        given = {name.lower(): value for name, value in (_object(body) or {}).items()}
        code, data = given.get("campaigncode"), given.get("data")
        if not isinstance(code, str) or code.casefold() not in [campaign.casefold() for campaign in campaigns]:
            raise ApiError(400, "ArgumentException", "CampaignCode is missing, or no campaign has it.")
        if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
            raise ApiError(400, "ArgumentException", "Data has to be a map of texts.")
        if refuses or not any(value.strip() for value in data.values()):
            return {"success": False, "message": "The lead has no data, or cannot be taken now."}
        with self._lock:
            self.leads.append({"CampaignCode": code, "Data": data} | {n: v for n, v in given.items() if "pool" in n})
            return {"success": True, "uniqueId": f"{90_000 + len(self.leads)}S3064"}


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
