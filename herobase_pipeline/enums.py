"""The documented enumerations of HeroBase, name to number (API documentation, "About resources and related types").

JSON usually carries the name; the number is accepted as well (trap T23). What is in neither list is kept as it came.
"""

from enum import IntEnum

LOOKS_LIKE_ONE = r"[A-Za-z_]\w{0,39}|-?\d{1,4}"
"""What a value of an enumeration looks like: anything else may be a customer's text, and is not shown."""


class CallEndCause(IntEnum):
    """Why a call ended."""

    NotApplicable = 0
    NormalDisconnect = 1
    NoResponse = 2
    Busy = 3
    VoiceMail = 4
    DroppedCall = 5
    DialingCancelled = 6


class CallStatus(IntEnum):
    """What a call left its lead in. ``Abandoned`` means that the agent left the page unsaved, not a dropped call (T19)."""

    NotSet = 0
    RedialAutomatic = 1
    RedialManualCommon = 2
    RedialManualPrivate = 3
    AlternativeNumberDialed = 199
    UserProcessed = 200
    Depleted = 210
    Transferred = 220
    Abandoned = 300
    Failed = 400


class LeadStatus(IntEnum):
    """Where a lead stands."""

    New = 0
    RedialAutomatic = 1
    RedialManualCommon = 2
    RedialManualPrivate = 3
    VIPRedial = 10
    Unresolved = 150
    UserProcessed = 200
    Depleted = 210
    Abandoned = 300
    Failed = 400
    Expired = 500
    Removed = 600
    Anonymized = 610
    DoNotCall = 700
    GlobalDoNotCall = 750


class LeadClosure(IntEnum):
    """How a lead was closed. A lead closed by the system, not by an agent, stays ``NotSet``."""

    NotSet = 0
    Success = 1
    NotInterested = 2
    InvalidLead = 3
    Unqualified = 4


OPEN_LEAD_STATUSES = frozenset(
    {
        LeadStatus.New,
        LeadStatus.RedialAutomatic,
        LeadStatus.RedialManualCommon,
        LeadStatus.RedialManualPrivate,
        LeadStatus.VIPRedial,
        LeadStatus.Unresolved,
    }
)
