"""What a trial came to."""

from collections import Counter
from dataclasses import dataclass, field

RECOVERED, SET_ASIDE, FAILED = "recovered", "set aside and counted", "failed visibly"


class WrongError(AssertionError):
    """The lake says what is not so, and nobody was told: what must never be."""


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes:
        what: one of the constants.
        faults: what happened in it, and how often.

    """

    what: str
    faults: Counter[str] = field(default_factory=Counter)
