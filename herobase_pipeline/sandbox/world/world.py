"""The world behind the sandbox, in plain Python: what is true at a time, whatever the HTTP server makes of it."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure, LeadStatus
from herobase_pipeline.sandbox.world import truth
from herobase_pipeline.sandbox.world.calendar import DAYS, FOUNDED, Calendar, date_of, ordinal, unix, utc
from herobase_pipeline.sandbox.world.campaigns import PROJECTS, SITE, Campaigns
from herobase_pipeline.sandbox.world.chance import Array
from herobase_pipeline.sandbox.world.days import INTEGRATION, NOBODY, UNITS, Day, Days, Rows
from herobase_pipeline.sandbox.world.leads import Leads, States
from herobase_pipeline.sandbox.world.lives import CONNECTED, END_CAUSE, Library
from herobase_pipeline.sandbox.world.organisation import BACK_OFFICE, INTEGRATIONS, Organisation
from herobase_pipeline.settings import SandboxSettings

_KEPT_CALLS, _KEPT_DAYS = 1_500_000, 64
_FAR = 1 << 50


@lru_cache(maxsize=4)
def _library(seed: int) -> Library:
    return Library(seed)


@lru_cache(maxsize=4)
def _calendar(timezone: str) -> Calendar:
    return Calendar(ZoneInfo(timezone))


class World:
    """A call centre. Same settings and same ``now``: the same world, in any process, in any order of asking.

    Args of the methods: ``start``/``end``/``now`` are aware datetimes of any zone; spans are half-open, ``start <= t <
    end``. Answers carry aware UTC times and seconds. Nothing that starts after ``now`` is known. ``clock`` says what
    ``now`` is where none is given.

    """

    def __init__(self, settings: SandboxSettings | None = None, clock: Callable[[], dt.datetime] | None = None) -> None:
        self.settings = settings = settings if settings is not None else SandboxSettings()
        self.clock = clock or clock_of(settings)
        self.zone = ZoneInfo(settings.timezone)
        self.calendar = _calendar(settings.timezone)
        library = _library(settings.seed)
        self.campaign_book = Campaigns(settings.seed, self.calendar, library, settings.calls_per_day)
        agents = settings.agents or max(60, settings.calls_per_day // 100)
        service = 3 * max(1, -(-self.campaign_book.inbound * 600 // 86_400))
        self.organisation = Organisation(settings.seed, self.calendar, agents, service)
        self.days = Days(
            settings.seed,
            self.calendar,
            self.organisation,
            self.campaign_book,
            library,
            dropped_have_team=settings.dropped_calls == "campaign_unit",
        )
        self.lead_book = Leads(self.days)
        self._kept: dict[int, Day] = {}
        self._lock, self._making = threading.Lock(), threading.Lock()

    def now(self) -> dt.datetime:
        """Give the time on the world's clock."""
        return self.clock()

    # -- calls -----------------------------------------------------------------------------------------------

    def day(self, number: int) -> Day:
        """Give the compact table of a local day's calls; the last ones asked for are kept, up to 1.5 million calls."""
        with self._lock:
            day = self._kept.pop(number, None)
            if day is not None:
                self._kept[number] = day
                return day
        with self._making:  # one at a time: a large day takes a second and 300 MB while it is made
            kept_day = self._kept.get(number)
            day = self.days.make(number) if kept_day is None else kept_day
        with self._lock:
            kept = self._kept
            kept.pop(number, None)
            while kept and (len(kept) >= _KEPT_DAYS or sum(map(len, kept.values())) + len(day) > _KEPT_CALLS):
                kept.pop(next(iter(kept)))
            kept[number] = day
        return day

    def spans(self, start: int, end: int, now: int) -> Iterator[Day]:
        """Yield calls that start in ``start <= t < end``, not after ``now`` (Unix s), one table a local day."""
        end = min(end, now + 1)
        if start >= end:
            return
        # a call belongs to the day of its plan; those placed in the last seconds of a day never start on the next
        first, last = (
            self.calendar.day_of(max(start, unix(dt.datetime.combine(FOUNDED, dt.time(), dt.UTC)) - 86_400)),
            self.calendar.day_of(end - 1),
        )
        for number in range(max(0, first), min(DAYS, last + 1)):
            day = self.day(number)
            a, b = np.searchsorted(day.start, [start, end])
            if b > a:
                yield day.cut(slice(a, b))

    def calls(self, start: dt.datetime, end: dt.datetime, now: dt.datetime | None = None) -> Iterator[truth.Call]:
        """Yield calls that start in ``start <= t < end``, by start, as they stand at ``now``."""
        moment = unix(now or self.now())
        for day in self.spans(ceil_unix(start), ceil_unix(end), moment):
            for row in range(len(day)):
                yield self._call(day, row, moment)

    def _call(self, day: Day, row: int, now: int) -> truth.Call:
        start, kind = int(day.start[row]), int(day.kind[row])
        dial, talk, wrap = int(day.dial[row]), int(day.talk[row]), int(day.wrap[row])
        answered = bool(CONNECTED[kind])
        connect, end = start + dial, start + dial + talk
        wrapped = max(end + -(-wrap // 10), int(day.settled_at[row]))
        connected = answered and connect <= now
        ended = end <= now
        campaign = self.campaign_book.of(int(day.slot[row]), int(day.cohort[row]))
        person = int(day.person[row])
        path = self.path(int(day.path[row]))
        lead = int(day.lead[row])
        return truth.Call(
            id=f"{day.call[row]}{SITE}",
            start=utc(start),
            connect=utc(connect) if connected else None,
            end=utc(end) if ended else None,
            connected=connected,
            incoming=bool(day.incoming[row]),
            end_cause=CallEndCause(int(END_CAUSE[kind])) if ended else CallEndCause.NotApplicable,
            status=CallStatus(int(day.status[row])) if wrapped <= now else CallStatus.NotSet,
            closure=LeadClosure(int(day.closure[row])) if wrapped <= now else LeadClosure.NotSet,
            dialing_s=float(dial) if connected or ended else None,
            conversation_s=float(talk) if ended and answered else None,
            wrap_up_s=wrap / 10 if end + -(-wrap // 10) <= now else None,
            agent=self.person_code(person),
            org_path=tuple(code for code, _ in path),
            org_names=tuple(name for _, name in path),
            campaign_id=campaign.id,
            campaign_code=campaign.code,
            project=campaign.project_name,
            lead_id=f"{lead}{SITE}" if lead >= 0 else None,
            phone=f"+45{day.phone[row]}" if day.erased_at[row] > now else None,
        )

    def path(self, key: int) -> tuple[tuple[str, str], ...]:
        """(code, name) from the root down, for a path number of a ``Day``; empty for -1."""
        return self.organisation.named_path(*divmod(key, UNITS)) if key >= 0 else ()

    def person_code(self, person: int) -> str | None:
        """Org code of a person number; ``None`` for nobody."""
        if person == NOBODY:
            return None
        return INTEGRATIONS[INTEGRATION - person] if person < 0 else self.organisation.code(person)

    @staticmethod
    def is_integration(folded: str) -> bool:
        """Whether a case-folded code is that of an API user."""
        return folded in {code.casefold() for code in INTEGRATIONS}

    # -- leads -----------------------------------------------------------------------------------------------

    def states(self, first: int, last: int, now: int, statuses: Array | None = None) -> Iterator[States]:
        """Yield leads whose current last modification lies in ``first <= t < last`` (Unix s), as tables.

        ``statuses``: flags by status; leads that never have one of them may be left out.
        """
        last = min(last, now + 1)
        if first < last:
            yield from (states for states in self.lead_book.changed(first, last, now, statuses) if len(states))

    def leads(
        self,
        now: dt.datetime | None = None,
        modified_from: dt.datetime | None = None,
        modified_to: dt.datetime | None = None,
    ) -> Iterator[truth.Lead]:
        """Yield leads as they stand at ``now``, last modified in ``modified_from <= t < modified_to``."""
        moment = unix(now or self.now())
        first = ceil_unix(modified_from) if modified_from else 0
        last = ceil_unix(modified_to) if modified_to else _FAR
        for states in self.states(first, last, moment):
            yield from self._leads(states)

    def lead(self, lead_id: str, now: dt.datetime | None = None) -> truth.Lead | None:
        """One lead as it stands at ``now``."""
        rows = self.find(lead_id)
        if rows is None:
            return None
        return next(self._leads(self.lead_book.state(rows, unix(now or self.now()))), None)

    def find(self, lead_id: str) -> Rows | None:
        """Where a lead's id leads to; ``None`` if it never can be a lead of this world."""
        number = lead_id.removesuffix(SITE)
        if not lead_id.endswith(SITE) or not (number.isascii() and number.isdigit()) or len(number) > 18:
            return None
        return self.days.find_lead(int(number))

    def _leads(self, states: States) -> Iterator[truth.Lead]:
        for n in range(len(states)):
            campaign = self.campaign_book.of(int(states.rows.slot[n]), int(states.rows.day[n]))
            processed = int(states.processed[n])
            yield truth.Lead(
                id=f"{states.number[n]}{SITE}",
                status=LeadStatus(int(states.status[n])),
                closure=LeadClosure(int(states.closure[n])),
                campaign_id=campaign.id,
                campaign_code=campaign.code,
                project=campaign.project_name,
                uploaded=utc(int(states.uploaded[n])),
                uploaded_by=self.person_code(int(states.uploaded_by[n])),
                first_processed=utc(processed) if processed else None,
                first_processed_by=self.person_code(int(states.processed_by[n])),
                last_modified=utc(int(states.modified[n])),
                last_modified_by=self.person_code(int(states.modified_by[n])),
                versions=int(states.event[n]) + 1,
                erased=bool(states.erased[n]),
            )

    def lead_versions(self, lead_id: str, now: dt.datetime | None = None) -> list[truth.LeadVersion]:
        """All versions of one lead up to ``now``, oldest first; empty for an unknown lead."""
        rows = self.find(lead_id)
        return sorted(self._versions(rows, unix(now or self.now())), key=_modified) if rows is not None else []

    def versions(self, first: dt.date, last: dt.date, now: dt.datetime | None = None) -> Iterator[truth.LeadVersion]:
        """Yield all versions up to ``now`` of leads uploaded on local days ``first <= day < last``, lead by lead."""
        moment = unix(now or self.now())
        for day in range(max(0, ordinal(first)), min(DAYS, ordinal(last))):
            yield from sorted(self._versions(self.days.uploaded(day), moment), key=_id_and_modified)

    def _versions(self, rows: Rows, now: int) -> Iterator[truth.LeadVersion]:
        number = self.days.lead_number(rows)
        for which, time, status, closure, person in self.lead_book.versions(rows, now):
            for n in range(len(which)):
                yield truth.LeadVersion(
                    f"{number[which[n]]}{SITE}",
                    utc(int(time[n])),
                    LeadStatus(int(status[n])),
                    LeadClosure(int(closure[n])),
                    self.person_code(int(person[n])),
                )

    # -- the organisation ------------------------------------------------------------------------------------

    def org_units(self, now: dt.datetime | None = None) -> list[truth.OrgUnit]:
        """Units that exist at ``now``, parents first by number."""
        moment = unix(now or self.now())
        org = self.organisation
        phases = [org.unit_at(n, moment) for n in range(len(org.units))]
        return [
            truth.OrgUnit(
                org.unit_ids[n], phase.code, phase.name, phases[phase.parent].code if phase.parent >= 0 else None
            )
            for n, phase in enumerate(phases)
            if phase.alive
        ]

    def users(self, now: dt.datetime | None = None) -> list[truth.User]:
        """Everyone who has joined by ``now``: those who left are not ``active``. API users come last."""
        moment = unix(now or self.now())
        org = self.organisation
        found = []
        for number in org.people(moment):
            person = org.person(number)
            moves = [(at, org.unit_at(unit, at).code) for at, unit in person.moves if at <= moment]
            unit = next((unit for at, unit in reversed(person.moves) if at <= moment), BACK_OFFICE)
            found.append(
                truth.User(
                    id=f"USR{number}{SITE}",
                    code=person.code,
                    name=person.name,
                    email=person.email,
                    active=person.until > moment,
                    since=utc(person.since),
                    until=utc(person.until) if person.until <= moment else None,
                    unit=org.unit_at(unit, moment).code,
                    moves=tuple((utc(at), code) for at, code in moves),
                )
            )
        start, office = utc(self.calendar.midnight(0)), org.unit_at(BACK_OFFICE, moment).code
        if moment >= self.calendar.midnight(0):
            found += [
                truth.User(f"USR{9_000_000 + n}{SITE}", code, code, "", True, start, None, office, ())
                for n, code in enumerate(INTEGRATIONS)
            ]
        return found

    def campaigns(self, now: dt.datetime | None = None) -> list[truth.Campaign]:
        """Campaigns that have begun by ``now``; those that ended are not ``active``."""
        calendar = self.calendar
        today = calendar.day_of(unix(now or self.now()))
        return [
            truth.Campaign(
                id=c.id,
                code=c.code,
                name=c.name,
                project=c.project_name,
                project_id=c.project_id,
                active=c.last > today,
                begins=utc(calendar.midnight(c.first)),
                ends=utc(calendar.midnight(c.last)) if c.last < DAYS else None,
            )
            for c in self.campaign_book.all(today)
        ]

    def projects(self) -> list[truth.Project]:
        """All projects; the last one has no campaign any more."""
        return [truth.Project(f"PRJ{number}{SITE}", name, number != PROJECTS[-1][0]) for number, name in PROJECTS]

    def date(self, number: int) -> dt.date:
        """Give the local date with a day number."""
        return date_of(number)


def clock_of(settings: SandboxSettings) -> Callable[[], dt.datetime]:
    """Give the clock the settings ask for: standing at ``HEROBASE_SANDBOX_NOW``, or the machine's."""
    fixed = settings.now
    if fixed is not None:
        return lambda: fixed
    return lambda: dt.datetime.now(dt.UTC)


def ceil_unix(moment: dt.datetime) -> int:
    """Whole Unix seconds of an aware time, rounded up: the first whole second that is not before it."""
    whole = unix(moment)
    return whole if moment.microsecond == 0 else whole + 1


def _modified(version: truth.LeadVersion) -> dt.datetime:
    return version.modified


def _id_and_modified(version: truth.LeadVersion) -> tuple[int, str, dt.datetime]:
    return len(version.lead_id), version.lead_id, version.modified
