"""What is true in a world, for tests to compare with: frozen records; times are aware and UTC, durations in seconds."""

import datetime as dt
from dataclasses import dataclass

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure, LeadStatus


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it stands at the time asked for. ``None`` is "not known yet" or "there is none".

    ``org_path``/``org_names`` run from the root to the agent's team at the start of the call; both are empty where no
    agent took part. A call in progress has no end, ``NotApplicable`` and ``NotSet``.
    """

    id: str
    start: dt.datetime
    connect: dt.datetime | None
    end: dt.datetime | None
    connected: bool
    incoming: bool
    end_cause: CallEndCause
    status: CallStatus
    closure: LeadClosure
    dialing_s: float | None
    conversation_s: float | None
    wrap_up_s: float | None
    agent: str | None
    org_path: tuple[str, ...]
    org_names: tuple[str, ...]
    campaign_id: str
    campaign_code: str
    project: str
    lead_id: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class LeadVersion:
    """A lead from ``modified`` until its next version; ``by`` is the code of who changed it, ``None``: the system."""

    lead_id: str
    modified: dt.datetime
    status: LeadStatus
    closure: LeadClosure
    by: str | None


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as it stands at the time asked for."""

    id: str
    status: LeadStatus
    closure: LeadClosure
    campaign_id: str
    campaign_code: str
    project: str
    uploaded: dt.datetime
    uploaded_by: str | None
    first_processed: dt.datetime | None
    first_processed_by: str | None
    last_modified: dt.datetime
    last_modified_by: str | None
    versions: int
    erased: bool


@dataclass(frozen=True, slots=True)
class OrgUnit:
    """A unit of the tree; ``parent`` is a code, ``None`` at the root. ``id`` stays when code, name or parent change."""

    id: str
    code: str
    name: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class User:
    """A person or API user. ``moves``: (from when, code of the unit then), oldest first; empty for API users."""

    id: str
    code: str
    name: str
    email: str
    active: bool
    since: dt.datetime
    until: dt.datetime | None
    unit: str
    moves: tuple[tuple[dt.datetime, str], ...]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign; ``ends`` is ``None`` where no end is planned."""

    id: str
    code: str
    name: str
    project: str
    project_id: str
    active: bool
    begins: dt.datetime
    ends: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Project:
    """A project: a group of campaigns."""

    id: str
    name: str
    active: bool
