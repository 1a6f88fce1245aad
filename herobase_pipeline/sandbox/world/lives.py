"""The lives a lead can have: who answers when, how it is closed, what is edited later.

A *book* holds ``LIVES`` lives for one kind of campaign. A lead takes the life ``(base + index) mod LIVES`` of its
campaign's book, so that which leads are dialled on a day, and their rank among them, is arithmetic and needs no search
(``days``). A life says what happens and on which day, in workdays after the upload; clock times and agents come from
the day.

A life is a list of *sessions* (one agent busy with one lead: up to ``LEGS`` calls in a row) and of *events* (changes of
the lead).
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure, LeadStatus
from herobase_pipeline.sandbox.world.chance import Array, Draws

LIVES = 1024
SESSIONS = 9
LEGS = 3
EVENTS = 16
HORIZON = 22
"""A lead is dialled on workdays 0 .. HORIZON-1 after its upload."""
MAX_LIFE = 130
"""After so many days nothing happens to a lead any more."""


class Kind(IntEnum):
    """What a call was like; decides end cause and durations."""

    NONE = 0
    NO_RESPONSE = 1
    BUSY = 2
    VOICE_MAIL = 3
    CANCELLED = 4
    DROPPED = 5
    REFUSAL = 6
    SALE = 7
    CALLBACK = 8
    WRONG_NUMBER = 9
    TRANSFER = 10
    SILENCE = 11
    FAILED = 12
    SERVICE = 13


class Mode(IntEnum):
    """When an event happens."""

    NONE = 0
    SESSION = 1  # when the session on this workday is wrapped up
    OFFICE = 2  # in office hours of this workday
    NIGHT = 3  # in the night, so many calendar days after the event before
    INCOMING = 4  # when the session on the day of upload itself is wrapped up


class By(IntEnum):
    """Who changed the lead."""

    NOBODY = 0
    AGENT = 1
    BACK_OFFICE = 2
    INTEGRATION = 3
    ADMINISTRATOR = 4


END_CAUSE = np.array(
    [
        CallEndCause.NotApplicable,
        CallEndCause.NoResponse,
        CallEndCause.Busy,
        CallEndCause.VoiceMail,
        CallEndCause.DialingCancelled,
        CallEndCause.DroppedCall,
        *[CallEndCause.NormalDisconnect] * 6,
        CallEndCause.NoResponse,
        CallEndCause.NormalDisconnect,
    ],
    np.int16,
)
"""By ``Kind``."""
CONNECTED: Array = np.equal(END_CAUSE, int(CallEndCause.NormalDisconnect))

# seconds, by Kind: (median, spread of the logarithm, least, most)
_DIAL = {
    Kind.NO_RESPONSE: (26, 0.2, 12, 45),
    Kind.BUSY: (4, 0.3, 2, 9),
    Kind.VOICE_MAIL: (19, 0.3, 6, 40),
    Kind.CANCELLED: (12, 0.5, 2, 30),
    Kind.DROPPED: (9, 0.5, 3, 30),
    Kind.FAILED: (2, 0.4, 1, 5),
    Kind.TRANSFER: (3, 0.4, 1, 8),
    Kind.SERVICE: (7, 0.7, 1, 90),
}
_DIAL_ANSWERED = (10, 0.5, 2, 32)
_TALK = {
    Kind.REFUSAL: (55, 0.8, 4, 700),
    Kind.SALE: (390, 0.45, 90, 1500),
    Kind.CALLBACK: (48, 0.6, 8, 400),
    Kind.WRONG_NUMBER: (24, 0.5, 4, 120),
    Kind.TRANSFER: (210, 0.5, 30, 700),
    Kind.SERVICE: (150, 0.8, 5, 1500),
}
_WRAP = {
    Kind.SALE: (70, 0.5, 15, 300),
    Kind.REFUSAL: (16, 0.5, 3, 90),
    Kind.CALLBACK: (25, 0.5, 5, 90),
    Kind.SERVICE: (30, 0.6, 2, 200),
    Kind.TRANSFER: (20, 0.5, 2, 100),
    Kind.DROPPED: None,
}
_WRAP_OTHER = (6, 0.5, 1, 30)
QUANTILES = 1024


def _table(by_kind: dict[Kind, tuple[int, float, int, int] | None], other: tuple[int, float, int, int] | None) -> Array:
    """Make whole units by (Kind, quantile): log-normal, cut at both ends; 0 where a kind has no such part."""
    u = (np.arange(QUANTILES) + 0.5) / QUANTILES
    z = np.log(u / (1 - u)) * 0.5513  # the logistic stands in for the normal quantile
    table = np.zeros((len(Kind), QUANTILES), np.int32)
    for kind in Kind:
        spec = by_kind.get(kind, other) if kind else None
        if spec is not None:
            median, spread, least, most = spec
            table[kind] = np.clip(np.rint(median * np.exp(spread * z)), least, most)
    return table


DIAL_S = _table(dict(_DIAL), _DIAL_ANSWERED)
TALK_S = _table(dict(_TALK), None)
WRAP_TENTHS = _table(dict(_WRAP), _WRAP_OTHER) * 10


@dataclass(frozen=True)
class Temper:
    """How leads of one kind of campaign behave: chances of one dial being answered, and of each result of a contact."""

    answered: float
    sale: float
    unqualified: float
    wrong: float
    most_tries: int


TEMPERS = (
    Temper(answered=0.36, sale=0.13, unqualified=0.08, wrong=0.05, most_tries=7),
    Temper(answered=0.31, sale=0.08, unqualified=0.04, wrong=0.06, most_tries=6),
    Temper(answered=0.40, sale=0.19, unqualified=0.11, wrong=0.03, most_tries=8),
)
INBOUND_BOOK = len(TEMPERS)
BOOKS = INBOUND_BOOK + 1


class Library:
    """All lives of a world as arrays by life number ``book * LIVES + life``.

    Sessions: ``session_day`` (workday, -1: none), ``session_shift`` (0 none, 1 to Saturday, 2 to Sunday where the
    workday is a Friday), ``incoming``, ``legs``, ``kind``/``status``/``closure``/``gap_class``/``number`` by leg,
    ``late`` (status comes a week later, T9). Events: ``event_mode``, ``event_day``, ``event_status``,
    ``event_closure``, ``event_by``, ``event_session``; ``events`` counts them; ``first_processed`` is the event that
    closed the lead first (-1: none), ``anonymized`` the one that erased it (-1). ``mean_calls`` by book.
    """

    def __init__(self, seed: int) -> None:
        n = BOOKS * LIVES
        self.session_day = np.full((n, SESSIONS), -1, np.int16)
        self.session_shift = np.zeros((n, SESSIONS), np.int8)
        self.incoming = np.zeros((n, SESSIONS), bool)
        self.late = np.zeros((n, SESSIONS), bool)
        self.legs = np.zeros((n, SESSIONS), np.int8)
        self.kind = np.zeros((n, SESSIONS, LEGS), np.int8)
        self.status = np.zeros((n, SESSIONS, LEGS), np.int16)
        self.closure = np.zeros((n, SESSIONS, LEGS), np.int8)
        self.gap = np.zeros((n, SESSIONS, LEGS), np.int16)
        self.number = np.zeros((n, SESSIONS, LEGS), np.int8)
        self.has_lead = np.ones(n, bool)
        self.event_mode = np.zeros((n, EVENTS), np.int8)
        self.event_day = np.zeros((n, EVENTS), np.int16)
        self.event_status = np.zeros((n, EVENTS), np.int16)
        self.event_closure = np.zeros((n, EVENTS), np.int8)
        self.event_by = np.zeros((n, EVENTS), np.int8)
        self.event_session = np.full((n, EVENTS), -1, np.int8)
        self.event_shift = np.zeros((n, EVENTS), np.int8)
        self.events = np.zeros(n, np.int8)
        self.first_processed = np.full(n, -1, np.int8)
        self.anonymized = np.full(n, -1, np.int8)
        for book, temper in enumerate(TEMPERS):
            for life in range(LIVES):
                _Outbound(self, book * LIVES + life, temper, Draws(seed, 11, book, life)).write()
        for life in range(LIVES):
            _inbound(self, INBOUND_BOOK * LIVES + life, Draws(seed, 11, INBOUND_BOOK, life))
        row, event = (self.event_mode == Mode.SESSION).nonzero()
        self.event_shift[row, event] = self.session_shift[row, self.event_session[row, event]]
        self.events[:] = (self.event_mode > 0).sum(1)
        processed = (self.event_status == LeadStatus.UserProcessed) & (self.event_mode > 0)
        self.first_processed[:] = np.where(processed.any(1), processed.argmax(1), -1)
        erased = (self.event_status == LeadStatus.Anonymized) & (self.event_mode > 0)
        self.anonymized[:] = np.where(erased.any(1), erased.argmax(1), -1)
        self.mean_calls = self.legs.sum(1).reshape(BOOKS, LIVES).mean(1)


class _Life:
    """Writes one life into the library."""

    def __init__(self, library: Library, row: int, draws: Draws) -> None:
        self.lib, self.row, self.draws = library, row, draws
        self.sessions = 0
        self.events = 0

    def event(self, mode: Mode, day: int, status: LeadStatus, closure: LeadClosure, by: By, session: int = -1) -> None:
        lib, at = self.lib, (self.row, self.events)
        lib.event_mode[at], lib.event_day[at] = mode, day
        lib.event_status[at], lib.event_closure[at], lib.event_by[at] = status, closure, by
        lib.event_session[at] = session
        self.events += 1

    def session(self, day: int, legs: list[tuple[Kind, CallStatus, LeadClosure, int, int]], *, incoming: bool) -> int:
        lib, s = self.lib, self.sessions
        lib.session_day[self.row, s] = day
        lib.incoming[self.row, s] = incoming
        lib.legs[self.row, s] = len(legs)
        for n, (kind, status, closure, gap, number) in enumerate(legs):
            at = (self.row, s, n)
            lib.kind[at], lib.status[at], lib.closure[at], lib.gap[at], lib.number[at] = (
                kind,
                status,
                closure,
                gap,
                number,
            )
        self.sessions += 1
        return s

    def close_of_life(self, status: LeadStatus) -> None:
        """Erase some leads in the end, whatever became of them (API 4.4)."""
        if status is not LeadStatus.Anonymized and self.draws.happens(0.02):
            self.event(
                Mode.NIGHT, self.draws.between(4, 40), LeadStatus.Anonymized, LeadClosure.NotSet, By.ADMINISTRATOR
            )


_CALL_OF_LEAD = {
    LeadStatus.RedialAutomatic: CallStatus.RedialAutomatic,
    LeadStatus.RedialManualCommon: CallStatus.RedialManualCommon,
    LeadStatus.RedialManualPrivate: CallStatus.RedialManualPrivate,
    LeadStatus.VIPRedial: CallStatus.RedialManualPrivate,
    LeadStatus.UserProcessed: CallStatus.UserProcessed,
    LeadStatus.Depleted: CallStatus.Depleted,
    LeadStatus.Unresolved: CallStatus.Abandoned,
    LeadStatus.Failed: CallStatus.Failed,
}


class _Outbound(_Life):
    def __init__(self, library: Library, row: int, temper: Temper, draws: Draws) -> None:
        super().__init__(library, row, draws)
        self.temper = temper

    def write(self) -> None:
        draws = self.draws
        self.event(Mode.NONE, 0, LeadStatus.New, LeadClosure.NotSet, By.INTEGRATION)
        self.lib.event_mode[self.row, 0] = Mode.NIGHT  # the upload, on the day itself
        status = LeadStatus.New
        if draws.happens(0.03):
            status = draws.one_of(
                {LeadStatus.Removed: 3, LeadStatus.DoNotCall: 2, LeadStatus.GlobalDoNotCall: 1, LeadStatus.Expired: 4}
            )
            if status is LeadStatus.Expired:
                self.event(Mode.NIGHT, 30, status, LeadClosure.NotSet, By.NOBODY)
            else:
                self.event(Mode.OFFICE, draws.between(1, 9), status, LeadClosure.NotSet, By.ADMINISTRATOR)
            return self.close_of_life(status)
        day = draws.one_of({0: 50, 1: 22, 2: 12, 3: 8, 4: 8})
        status = self.dial(day, LeadStatus.New)
        return self.close_of_life(status)

    def dial(self, day: int, status: LeadStatus, tries: int = 0) -> LeadStatus:
        """Sessions from this workday on, until the lead is closed; gives the status it ends in."""
        draws, tries_left = self.draws, SESSIONS
        while day < HORIZON and self.sessions < SESSIONS and tries_left:
            tries += 1
            status, closure = self.one_session(day, status, tries)
            if status is LeadStatus.Unresolved:
                self.lib.late[self.row, self.sessions - 1] = True
                self.event(Mode.NIGHT, 7, LeadStatus.Abandoned, LeadClosure.NotSet, By.NOBODY)
                return LeadStatus.Abandoned
            if status is LeadStatus.UserProcessed:
                return self.after_closing(day, closure)
            if status in (LeadStatus.Depleted, LeadStatus.Failed):
                return status
            if draws.happens(0.006):
                status = draws.one_of({LeadStatus.Removed: 3, LeadStatus.DoNotCall: 3, LeadStatus.GlobalDoNotCall: 1})
                self.event(Mode.OFFICE, day + 1, status, LeadClosure.NotSet, By.ADMINISTRATOR)
                return status
            if draws.happens(0.05):
                break
            wait: dict[int, float] = (
                {1: 50, 2: 20, 3: 12, 4: 8}
                if status is LeadStatus.RedialAutomatic
                else {1: 30, 2: 20, 3: 12, 5: 14, 7: 8, 9: 4}
            )
            day += draws.one_of(wait)
        if status is not LeadStatus.VIPRedial:  # VIP redials never expire (vendor page, LeadStatus)
            status = LeadStatus.Expired
            self.event(Mode.NIGHT, 15 if draws.happens(0.3) else 21, status, LeadClosure.NotSet, By.NOBODY)
        return status

    def one_session(self, day: int, before: LeadStatus, tries: int) -> tuple[LeadStatus, LeadClosure]:
        draws, temper = self.draws, self.temper
        legs: list[tuple[Kind, CallStatus, LeadClosure, int, int]] = []
        manual = before in (LeadStatus.RedialManualCommon, LeadStatus.RedialManualPrivate, LeadStatus.VIPRedial)
        incoming = manual and draws.happens(0.06)
        answered = incoming or draws.happens(0.62 if manual else temper.answered)
        gap, number = 0, 0
        after_no_contact = before if manual else LeadStatus.RedialAutomatic
        if not incoming and draws.happens(0.035):
            # more answers than agents: hung up, then called again at once by a reserved agent (T21)
            legs.append((Kind.DROPPED, _CALL_OF_LEAD[after_no_contact], LeadClosure.NotSet, 0, 0))
            if draws.happens(0.25):
                return self.done(day, legs, after_no_contact, LeadClosure.NotSet, incoming=False)
            answered, gap = draws.happens(0.8), draws.between(4, 30)
        elif not answered and draws.happens(0.12):
            legs.append(
                (
                    draws.one_of({Kind.NO_RESPONSE: 8, Kind.BUSY: 1, Kind.VOICE_MAIL: 2}),
                    CallStatus.AlternativeNumberDialed,
                    LeadClosure.NotSet,
                    0,
                    0,
                )
            )
            gap, number, answered = draws.between(2, 12), 1, draws.happens(0.25)
            if not answered and draws.happens(0.3):
                legs.append((Kind.NO_RESPONSE, CallStatus.AlternativeNumberDialed, LeadClosure.NotSet, gap, 1))
                gap, number, answered = draws.between(2, 12), 2, draws.happens(0.2)
        if not answered:
            kind = draws.one_of(
                {
                    Kind.NO_RESPONSE: 70,
                    Kind.BUSY: 6,
                    Kind.VOICE_MAIL: 18,
                    Kind.CANCELLED: 5,
                    Kind.SILENCE: 1,
                    Kind.FAILED: 1.2,
                }
            )
            status = after_no_contact
            if kind is Kind.FAILED:
                status = LeadStatus.Failed
            elif tries >= temper.most_tries and not manual:
                status = LeadStatus.Depleted
            legs.append((kind, _CALL_OF_LEAD[status], LeadClosure.NotSet, gap, number))
            return self.done(day, legs, status, LeadClosure.NotSet, incoming=incoming)
        result = draws.one_of(
            {
                "sale": temper.sale * (2 if manual else 1),
                "refusal": 0.45,
                "unqualified": temper.unqualified,
                "wrong": temper.wrong,
                "common": 0.12,
                "private": 0.09,
                "vip": 0.02,
                "unsaved": 0.012,
            }
        )
        kind, status, closure = {
            "sale": (Kind.SALE, LeadStatus.UserProcessed, LeadClosure.Success),
            "refusal": (Kind.REFUSAL, LeadStatus.UserProcessed, LeadClosure.NotInterested),
            "unqualified": (Kind.REFUSAL, LeadStatus.UserProcessed, LeadClosure.Unqualified),
            "wrong": (Kind.WRONG_NUMBER, LeadStatus.UserProcessed, LeadClosure.InvalidLead),
            "common": (Kind.CALLBACK, LeadStatus.RedialManualCommon, LeadClosure.NotSet),
            "private": (Kind.CALLBACK, LeadStatus.RedialManualPrivate, LeadClosure.NotSet),
            "vip": (Kind.CALLBACK, LeadStatus.VIPRedial, LeadClosure.NotSet),
            "unsaved": (Kind.CALLBACK, LeadStatus.Unresolved, LeadClosure.NotSet),
        }[result]
        legs.append((kind, _CALL_OF_LEAD[status], closure, gap, number))
        if result in ("sale", "refusal") and len(legs) < LEGS and draws.happens(0.05):
            legs.append((Kind.TRANSFER, CallStatus.Transferred, LeadClosure.NotSet, draws.between(0, 3), number))  # T17
        return self.done(day, legs, status, closure, incoming=incoming)

    def done(
        self,
        day: int,
        legs: list[tuple[Kind, CallStatus, LeadClosure, int, int]],
        status: LeadStatus,
        closure: LeadClosure,
        *,
        incoming: bool,
    ) -> tuple[LeadStatus, LeadClosure]:
        session = self.session(day, legs, incoming=incoming)
        weekend = self.draws.one_of({0: 92, 1: 6, 2: 2})
        self.lib.session_shift[self.row, session] = weekend
        by = By.NOBODY if legs[-1][0] is Kind.DROPPED else By.AGENT
        self.event(Mode.SESSION, day, status, closure, by, session)
        return status, closure

    def after_closing(self, day: int, closure: LeadClosure) -> LeadStatus:
        """Write what the back office does to a closed lead (T11, T12, T28)."""
        draws, processed = self.draws, LeadStatus.UserProcessed
        success = closure is LeadClosure.Success
        if draws.happens(0.5 if success else 0.06):
            for _ in range(1 + draws.happens(0.3)):
                day += draws.between(1, 5)
                self.event(Mode.OFFICE, day, processed, closure, By.BACK_OFFICE)
        if draws.happens(0.05 if success else 0.01):
            day += draws.between(1, 8)
            other = (
                draws.one_of({LeadClosure.NotInterested: 3, LeadClosure.Unqualified: 1})
                if success
                else LeadClosure.Success
            )
            self.event(Mode.OFFICE, day, processed, other, By.BACK_OFFICE)
            if draws.happens(0.25):
                day += draws.between(1, 4)
                self.event(Mode.OFFICE, day, processed, closure, By.BACK_OFFICE)
        if draws.happens(0.012) and day + 3 < HORIZON and self.sessions < SESSIONS - 1:
            day += draws.between(1, 2)
            self.event(Mode.OFFICE, day, LeadStatus.RedialManualCommon, LeadClosure.NotSet, By.BACK_OFFICE)
            status, _ = self.one_session(day + 1, LeadStatus.RedialManualPrivate, 1)
            if status in (LeadStatus.UserProcessed, LeadStatus.Failed):
                return status
            self.lib.late[self.row, self.sessions - 1] = status is LeadStatus.Unresolved
            days, status = (7, LeadStatus.Abandoned) if status is LeadStatus.Unresolved else (21, LeadStatus.Expired)
            self.event(Mode.NIGHT, days, status, LeadClosure.NotSet, By.NOBODY)
            return status
        return processed


def _inbound(library: Library, row: int, draws: Draws) -> None:
    """Write the life of a lead made by hand during an incoming call; a quarter of the callers get no lead at all."""
    life = _Life(library, row, draws)
    if draws.happens(0.25):
        library.has_lead[row] = False
        life.session(0, [(Kind.SERVICE, CallStatus.NotSet, LeadClosure.NotSet, 0, 0)], incoming=True)
        return
    closure = draws.one_of(
        {LeadClosure.Success: 2, LeadClosure.NotInterested: 3, LeadClosure.Unqualified: 4, LeadClosure.InvalidLead: 1}
    )
    life.event(Mode.INCOMING, 0, LeadStatus.New, LeadClosure.NotSet, By.AGENT, 0)
    life.session(0, [(Kind.SERVICE, CallStatus.UserProcessed, closure, 0, 0)], incoming=True)
    life.event(Mode.INCOMING, 0, LeadStatus.UserProcessed, closure, By.AGENT, 0)
    if draws.happens(0.15):
        life.event(Mode.OFFICE, draws.between(1, 6), LeadStatus.UserProcessed, closure, By.BACK_OFFICE)
    life.close_of_life(LeadStatus.UserProcessed)
