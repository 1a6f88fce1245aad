"""A day of the call centre: who is on duty, which session falls into whose hands, and the calls that come of it.

The sessions of a campaign on a day are numbered 0 .. R-1 without looking at a single lead: cohort by cohort, and within
a cohort by index, where prefix sums over the book of lives give the rank. A session's place in the day (agent, time) is
a permutation of its number, each agent's shift being cut into equally long slots: so an agent's calls do not overlap,
and any lead's calls can be found without making the day.
"""

import math
from dataclasses import dataclass

import numpy as np

from herobase_pipeline.sandbox.world.calendar import DAYS, Calendar
from herobase_pipeline.sandbox.world.campaigns import INBOUND, SLOTS, Campaigns
from herobase_pipeline.sandbox.world.chance import Array, below, bits, many
from herobase_pipeline.sandbox.world.lives import (
    BOOKS,
    DIAL_S,
    EVENTS,
    HORIZON,
    INBOUND_BOOK,
    LEGS,
    LIVES,
    QUANTILES,
    SESSIONS,
    TALK_S,
    WRAP_TENTHS,
    By,
    Kind,
    Library,
    Mode,
)
from herobase_pipeline.sandbox.world.organisation import HOLDERS, INTEGRATIONS, NEVER, Organisation

NOBODY = -1
INTEGRATION = -2
"""Person numbers below zero: nobody, and ``INTEGRATION - n`` for the n-th API user."""
CALLS_A_LEAD = 32
UNITS = 4096
"""A path is numbered ``epoch * UNITS + unit``."""
NO_DAY = 1 << 24
_SESSION, _OFFICE, _NIGHT, _INCOMING = (int(m) for m in (Mode.SESSION, Mode.OFFICE, Mode.NIGHT, Mode.INCOMING))

_SHIFT_S = 27_000
_LUNCH_S = 1_800
_WEEKEND_SHIFT_S = 21_600
_EARLY, _LATE, _WEEKEND = 30_600, 43_200, 36_000  # 08:30, 12:00, 10:00
# which weekend flags of a life's session are dialled on such a day, by mode
_MODES = ((0, 1, 2), (0,), (0, 1), (0, 2), (1,), (2,))
_SATURDAY, _SUNDAY = 4, 5


@dataclass
class Rows:
    """Leads, one a row: day of upload, slot of the campaign, index in the cohort, life."""

    day: Array
    slot: Array
    index: Array
    life: Array

    def __len__(self) -> int:
        return len(self.index)

    def at(self, which: Array) -> "Rows":
        """Take some of the rows."""
        return Rows(self.day[which], self.slot[which], self.index[which], self.life[which])

    @classmethod
    def joined(cls, parts: list["Rows"]) -> "Rows":
        """Several lists of leads as one."""
        return cls(
            *(
                np.concatenate(columns)
                for columns in zip(*((p.day, p.slot, p.index, p.life) for p in parts), strict=True)
            )
        )


@dataclass
class Placed:
    """Sessions placed in a day: durations by leg (s; wrap-up in tenths), Unix times, person, receiver of a transfer."""

    start: Array
    end: Array
    dial: Array
    talk: Array
    wrap: Array
    gap: Array
    person: Array
    closer: Array


@dataclass
class Plan:
    """The staffing of a local day. By slot: sessions, agents, slots a shift, permutation, where its agents begin."""

    day: int
    mode: int
    first_workday: int
    offsets: Array
    sessions: Array
    agents: Array
    slots: Array
    factor: Array
    shift: Array
    begin: Array
    persons: Array
    shift_start: Array
    work_s: int
    midnight: int
    length: int
    service: Array
    closers: Array


@dataclass
class Day:
    """The calls of a local day, by start: parallel arrays. Unix times, durations in s (wrap-up in tenths); -1: none."""

    start: Array
    dial: Array
    talk: Array
    wrap: Array
    kind: Array
    status: Array
    closure: Array
    incoming: Array
    person: Array
    path: Array
    slot: Array
    cohort: Array
    index: Array
    life: Array
    lead: Array
    call: Array
    phone: Array
    settled_at: Array
    erased_at: Array

    def __len__(self) -> int:
        return len(self.start)

    def cut(self, which: Array | slice) -> "Day":
        """Take some of the calls."""
        return Day(**{name: column[which] for name, column in vars(self).items()})


class Days:
    """Makes plans and days. ``dropped_have_team``: a dropped call has the path of the team it was dialled for."""

    def __init__(
        self,
        seed: int,
        calendar: Calendar,
        organisation: Organisation,
        campaigns: Campaigns,
        library: Library,
        *,
        dropped_have_team: bool = False,
    ) -> None:
        self.seed, self.calendar, self.org, self.campaigns, self.lib = seed, calendar, organisation, campaigns, library
        self._dropped_have_team = dropped_have_team
        session_at = np.full((BOOKS - 1, HORIZON, LIVES), -1, np.int8)
        shift_at = np.full((BOOKS - 1, HORIZON, LIVES), -1, np.int8)
        for book in range(BOOKS - 1):
            for s in range(SESSIONS):
                lives = slice(book * LIVES, (book + 1) * LIVES)
                day = library.session_day[lives, s]
                has = (day >= 0).nonzero()[0]
                session_at[book, day[has], has] = s
                shift_at[book, day[has], has] = library.session_shift[lives, s][has]
        self._session_at = session_at
        member = np.stack([np.isin(shift_at, flags) for flags in _MODES])
        self._member = np.concatenate([member, member], -1)
        self._before = np.zeros((*self._member.shape[:-1], 2 * LIVES + 1), np.int32)
        np.cumsum(self._member, -1, out=self._before[..., 1:])
        self._plans: dict[int, Plan] = {}

    # -- numbering -------------------------------------------------------------------------------------------

    def lead_number(self, rows: Rows) -> Array:
        """Number leads, uniquely over all days; rises with the day of upload."""
        return (rows.day.astype(np.int64) * SLOTS + rows.slot) * self.campaigns.capacity + rows.index + 1_000_000

    def find_lead(self, number: int) -> Rows | None:
        """Find the lead with this number, if one is ever uploaded."""
        rest, index = divmod(number - 1_000_000, self.campaigns.capacity)
        day, slot = divmod(rest, SLOTS)
        if not 0 <= day < DAYS:
            return None
        sizes, base = self.campaigns.cohort(day)
        if index >= sizes[slot]:
            return None
        life = int(self.campaigns.book[slot]) * LIVES + (int(base[slot]) + index) % LIVES
        return Rows(np.array([day]), np.array([slot]), np.array([index]), np.array([life]))

    def uploaded(self, day: int) -> Rows:
        """Every lead uploaded on a day, also those of the incoming line and its calls without a lead."""
        sizes, base = self.campaigns.cohort(day)
        slot = np.repeat(np.arange(SLOTS), sizes)
        index = np.concatenate([np.arange(n) for n in sizes]) if len(slot) else np.zeros(0, np.int64)
        life = self.campaigns.book[slot] * LIVES + (base[slot] + index) % LIVES
        return Rows(np.full(len(slot), day), slot, index, life)

    @staticmethod
    def rows_of(day: Day) -> Rows:
        """Give the leads of some calls."""
        return Rows(*(column.astype(np.int64) for column in (day.cohort, day.slot, day.index, day.life)))

    # -- days of events --------------------------------------------------------------------------------------

    def event_days(self, uploaded: Array, lives: Array) -> Array:
        """Day number of each event of each lead, (leads × EVENTS); ``NO_DAY`` where a life has no such event."""
        lib, calendar = self.lib, self.calendar
        modes, offsets = lib.event_mode[lives], lib.event_day[lives]
        shifts = lib.event_shift[lives]
        days = np.full((len(lives), EVENTS), NO_DAY, np.int32)
        uploaded = uploaded.astype(np.int64)
        workdays_before = calendar.workdays_before[uploaded]
        last = len(calendar.workdays) - 1
        previous = uploaded
        for e in range(int(lib.events[lives].max(initial=0))):
            mode, offset, shift = modes[:, e], offsets[:, e], shifts[:, e]
            day = calendar.workdays[np.minimum(workdays_before + offset, last)]
            day += np.where(shift == 1, calendar.to_saturday[day], 0)
            day += np.where(shift == 2, calendar.to_sunday[day], 0)
            other = (mode == _NIGHT) | (mode == _INCOMING)
            day = np.where(other, previous + offset, day)
            day[mode == 0] = NO_DAY
            days[:, e] = previous = np.minimum(day, NO_DAY)
        return days

    def event_times(self, rows: Rows, event: Array, day: Array) -> tuple[Array, Array]:
        """Unix time of one event of each lead and the person who did it; ``day`` is the event's day."""
        lib = self.lib
        time = np.zeros(len(rows), np.int64)
        person = np.full(len(rows), NOBODY, np.int64)
        if not len(rows):
            return time, person
        mode = lib.event_mode[rows.life, event]
        by = lib.event_by[rows.life, event]
        random = many(bits(self.seed, 51), self.lead_number(rows) * EVENTS + event)
        midnight = self.calendar.midnights(day)
        upload = (event == 0) & (mode == _NIGHT)
        batch = below(many(bits(self.seed, 52), rows.day * SLOTS + rows.slot), 5400)
        time[:] = midnight + np.select(
            [upload, mode == _OFFICE],
            [20_400 + batch + rows.index % 600, 31_200 + below(random, 25_200)],
            4_500 + below(random, 5_400),
        )
        in_session = ((mode == _SESSION) | (mode == _INCOMING)).nonzero()[0]
        if len(in_session):
            some = rows.at(in_session)
            placed_end, placed_start, agent = self._sessions(
                some, lib.event_session[some.life, event[in_session]], day[in_session]
            )
            at_start = (mode[in_session] == _INCOMING) & (event[in_session] == 0)
            time[in_session] = np.where(at_start, placed_start, placed_end)
            person[in_session] = np.where(by[in_session] == int(By.AGENT), agent, NOBODY)
        for kind, chairs in (
            (int(By.BACK_OFFICE), self.org.office_chairs[1:]),
            (int(By.ADMINISTRATOR), self.org.office_chairs[:1]),
        ):
            which = (by == kind).nonzero()[0]
            if len(which):
                chair = chairs.start + below(random[which], len(chairs), 24)
                person[which] = chair * HOLDERS + (day[which] + self.org.phase[chair]) // self.org.tenure[chair]
        which = by == int(By.INTEGRATION)
        person[which] = INTEGRATION - (rows.slot[which] % len(INTEGRATIONS))
        return time, person

    def _sessions(self, rows: Rows, session: Array, day: Array) -> tuple[Array, Array, Array]:
        end, start, person = (np.zeros(len(rows), np.int64) for _ in range(3))
        order = np.argsort(day, kind="stable")
        cuts = np.flatnonzero(np.diff(day[order])) + 1
        for group in np.split(order, cuts):
            placed = self.place(self.plan(int(day[group[0]])), rows.at(group), session[group])
            end[group], start[group], person[group] = placed.end, placed.start, placed.person
        return end, start, person

    # -- plans -----------------------------------------------------------------------------------------------

    def plan(self, day: int) -> Plan:
        """Give the staffing of a day (kept for the last few hundred days asked for)."""
        plan = self._plans.get(day)
        if plan is None:
            plan = self._make_plan(day)
            if len(self._plans) > 400:
                self._plans.clear()
            self._plans[day] = plan
        return plan

    def _make_plan(self, day: int) -> Plan:
        calendar, org, seed = self.calendar, self.org, self.seed
        mode, workday = self._mode(day)
        cohort_days = []
        if mode >= 0:
            last = int(calendar.workdays_before[workday])
            cohort_days = [int(calendar.workdays[last - k]) if last >= k else -1 for k in range(HORIZON)]
        counts = np.zeros((HORIZON, SLOTS), np.int64)
        slots = np.arange(INBOUND)
        book = self.campaigns.book[:INBOUND]
        for k, cohort_day in enumerate(cohort_days):
            sizes, base = self.campaigns.cohort(cohort_day)
            counts[k, :INBOUND] = self._rank(mode, book, k, base[slots], sizes[slots])
        offsets = np.cumsum(counts, 0) - counts
        sessions = counts.sum(0)
        sessions[INBOUND] = self.campaigns.cohort(day)[0][INBOUND]
        weekend = mode in (_SATURDAY, _SUNDAY)
        agents, begin, persons = self._staff(day, sessions, weekend=weekend)
        slot_count = -(-sessions // np.maximum(agents, 1))
        factor, shift = np.ones(SLOTS, np.int64), np.zeros(SLOTS, np.int64)
        for slot in range(INBOUND):
            n = int(sessions[slot])
            if n > 2:
                a = int(n * 0.6180339887) | 1
                while math.gcd(a, n) != 1:
                    a += 1
                factor[slot], shift[slot] = a, bits(seed, 42, day, slot) % n
        late = below(many(bits(seed, 43, day), persons), 100) < 40
        midnight = calendar.midnight(day)
        length = calendar.midnight(day + 1) - midnight
        # a shift begins on the wall clock; its seconds after midnight are one hour off on a day the clocks change
        wall = calendar.instant(day, _EARLY) - midnight - _EARLY
        start = np.where(late, _LATE, _EARLY) if not weekend else np.full(len(persons), _WEEKEND)
        thirds = max(1, len(org.service_chairs) // 3)
        service = org.holder(np.array(org.service_chairs)[: 3 * thirds], day)
        return Plan(
            day=day,
            mode=mode,
            first_workday=int(calendar.workdays_before[workday]) if mode >= 0 else 0,
            offsets=offsets,
            sessions=sessions,
            agents=agents,
            slots=slot_count,
            factor=factor,
            shift=shift,
            begin=begin,
            persons=persons,
            shift_start=start + wall,
            work_s=_WEEKEND_SHIFT_S if weekend else _SHIFT_S,
            midnight=midnight,
            length=length,
            service=service,
            closers=org.holder(np.array(org.closer_chairs), day),
        )

    def _mode(self, day: int) -> tuple[int, int]:
        """How a day is dialled, and the workday whose sessions it takes; mode -1: outbound teams are off."""
        calendar = self.calendar
        if not 0 <= day < DAYS:
            return -1, day
        if calendar.is_workday[day]:
            saturday, sunday = calendar.to_saturday[day] > 0, calendar.to_sunday[day] > 0
            return {(False, False): 0, (True, True): 1, (False, True): 2, (True, False): 3}[
                bool(saturday), bool(sunday)
            ], day
        for mode, shift, friday in ((_SATURDAY, calendar.to_saturday, day - 1), (_SUNDAY, calendar.to_sunday, day - 2)):
            if friday >= 0 and calendar.is_workday[friday] and shift[friday] and friday + shift[friday] == day:
                return mode, friday
        return -1, day

    def _rank(self, mode: Array | int, book: Array, k: Array | int, base: Array, index: Array) -> Array:
        """How many leads of a cohort with a smaller index are dialled ``k`` workdays after the upload."""
        rounds, rest = np.divmod(index, LIVES)
        before = self._before
        whole = before[mode, book, k, LIVES] * rounds
        rank: Array = whole + before[mode, book, k, base + rest] - before[mode, book, k, base]
        return rank

    def _staff(self, day: int, sessions: Array, *, weekend: bool) -> tuple[Array, Array, Array]:
        """Deal the agents on duty to the campaigns: (agents by slot, where each slot's begin, person numbers)."""
        org = self.org
        agents = np.zeros(SLOTS, np.int64)
        total = int(sessions[:INBOUND].sum())
        if total:
            persons = org.holder(np.arange(org.agents), day)
            persons = persons[persons >= 0]
            random = many(bits(self.seed, 44, day), persons)
            here = persons[below(random, 100) < 88]
            persons = here if len(here) else persons
            wanted = -(-total // 18) if weekend else len(persons)
            busy = (sessions[:INBOUND] > 0).nonzero()[0]
            if wanted < len(persons):
                chosen = np.argsort(many(bits(self.seed, 45, day), persons), kind="stable")[: max(wanted, len(busy))]
                persons = persons[np.sort(chosen)]
            # people of one team stay together: the order is that of teams, turned a little from week to week
            team = org.teams(persons, day)[0]
            persons = persons[np.lexsort((persons, (team + day // 7) % len(org.units)))]
            share = sessions[busy] * (len(persons) - len(busy)) / total
            quota = 1 + np.floor(np.maximum(share, 0)).astype(np.int64)
            left = len(persons) - int(quota.sum())
            if left > 0:
                quota[np.argsort(-(share - np.floor(share)), kind="stable")[:left]] += 1
            agents[busy] = quota
            persons = np.resize(persons, int(agents.sum()))
        else:
            persons = np.zeros(0, np.int64)
        if sessions[INBOUND]:
            agents[INBOUND] = max(1, len(org.service_chairs) // 3)
        begin = np.cumsum(agents) - agents
        return agents, begin, persons

    # -- placing ---------------------------------------------------------------------------------------------

    def place(self, plan: Plan, rows: Rows, session: Array) -> Placed:
        """Agent, times and durations of one session of each lead; all of them fall on the plan's day."""
        lib = self.lib
        number = self.lead_number(rows)
        n_legs = lib.legs[rows.life, session]
        kinds = lib.kind[rows.life, session]
        dial, talk, wrap = (np.zeros((len(rows), LEGS), np.int32) for _ in range(3))
        gap = lib.gap[rows.life, session].astype(np.int32)
        for leg in range(int(n_legs.max(initial=0))):
            which = slice(None) if leg == 0 else (n_legs > leg).nonzero()[0]
            call = number[which] * CALLS_A_LEAD + session[which] * LEGS + leg
            random = many(bits(self.seed, 61), call)
            kind = kinds[which, leg]
            q = [((random >> np.uint64(s)) & np.uint64(QUANTILES - 1)).astype(np.int64) for s in (0, 12, 24)]
            dial[which, leg], talk[which, leg] = DIAL_S[kind, q[0]], TALK_S[kind, q[1]]
            tenths = ((random >> np.uint64(40)) & np.uint64(63)) < np.uint64(6)
            wrapped = WRAP_TENTHS[kind, q[2]]
            wrap[which, leg] = np.where(tenths & (wrapped > 0), wrapped + 5, wrapped)
        length, begin, person = self._slots(plan, rows, session)
        total = (dial + talk + gap - (-wrap // 10)).sum(1)
        most = np.floor(length * 0.94).astype(np.int64)
        crowded = (total > most).nonzero()[0]
        if len(crowded):
            factor = (most[crowded] / total[crowded])[:, None]
            for part, least in ((dial, 1), (talk, 0), (wrap, 0), (gap, 0)):
                squeezed = np.floor(part[crowded] * factor).astype(np.int32)
                part[crowded] = np.where(part[crowded] > 0, np.maximum(squeezed, least), 0)
            wrap[crowded] -= wrap[crowded] % 10
            total = (dial + talk + gap - (-wrap // 10)).sum(1)
        random = many(bits(self.seed, 62), number * SESSIONS + session)
        slack = np.maximum(length.astype(np.int64) - total, 0)
        start = begin + below(random, slack + 1)
        late = (rows.slot == INBOUND) & (rows.index == plan.sessions[INBOUND] - 1) & (length > 600)
        if late.any():  # the last caller of the day is still talking at midnight (T10)
            start[late] = plan.midnight + plan.length - 40 - below(random[late], 60)
            talk[late, 0] = np.maximum(talk[late, 0], 240)
            total = (dial + talk + gap - (-wrap // 10)).sum(1)
        closer = plan.closers[below(random, len(plan.closers), 32)]
        return Placed(start, start + total, dial, talk, wrap, gap, person, closer)

    def _slots(self, plan: Plan, rows: Rows, session: Array) -> tuple[Array, Array, Array]:
        """(length of the slot in s, Unix time it begins, person) for each session."""
        slot = rows.slot
        incoming = slot == INBOUND
        number = rows.index.astype(np.int64).copy()
        out = (~incoming).nonzero()[0]
        if len(out):
            some = rows.at(out)
            base = np.zeros(len(out), np.int64)
            days, where = np.unique(some.day, return_inverse=True)
            bases = np.stack([self.campaigns.cohort(int(d))[1] for d in days])
            base = bases[where, some.slot]
            k = self.lib.session_day[some.life, session[out]].astype(np.int64)
            rank = self._rank(plan.mode, some.life // LIVES, k, base, some.index)
            nth = plan.offsets[k, some.slot] + rank
            number[out] = (plan.factor[some.slot] * nth + plan.shift[some.slot]) % plan.sessions[some.slot]
        turn_of, turn = np.divmod(number, plan.agents[slot])
        span = np.where(incoming, plan.length, plan.work_s)
        length = span / plan.slots[slot]
        begin = np.floor(turn_of * length).astype(np.int64) + plan.midnight
        person = np.zeros(len(rows), np.int64)
        if len(out):
            seat = plan.begin[slot[out]] + turn[out]
            person[out] = plan.persons[seat]
            lunch = np.where(turn_of[out] >= plan.slots[slot[out]] / 2, _LUNCH_S, 0)
            begin[out] += plan.shift_start[seat] + lunch
        inside = incoming.nonzero()[0]
        if len(inside):
            crew = plan.agents[INBOUND]
            third = np.minimum(turn_of[inside] * 3 // plan.slots[INBOUND], 2)
            person[inside] = plan.service[np.minimum(third * crew + turn[inside], len(plan.service) - 1)]
        return length, begin, person

    # -- the day's calls -------------------------------------------------------------------------------------

    def dialled(self, plan: Plan) -> tuple[Rows, Array]:
        """Every lead dialled on the plan's day and the number of its session."""
        days, slots, indices, lives, sessions = [], [], [], [], []
        if plan.mode >= 0:
            for k in range(HORIZON):
                if plan.first_workday < k:
                    break
                day = int(self.calendar.workdays[plan.first_workday - k])
                sizes, base = self.campaigns.cohort(day)
                for slot in range(INBOUND):
                    n, b, book = int(sizes[slot]), int(base[slot]), int(self.campaigns.book[slot])
                    if not n:
                        continue
                    member = self._member[plan.mode, book, k, b : b + min(n, LIVES)].nonzero()[0]
                    if n > LIVES:
                        rounds = -(-n // LIVES)
                        member = (member + LIVES * np.arange(rounds)[:, None]).ravel()
                        member = member[: np.searchsorted(member, n)]
                    if len(member):
                        life = (b + member) % LIVES
                        days.append(np.full(len(member), day))
                        slots.append(np.full(len(member), slot))
                        indices.append(member)
                        lives.append(book * LIVES + life)
                        sessions.append(self._session_at[book, k, life])
        n = int(plan.sessions[INBOUND])
        if n:
            start = int(self.campaigns.cohort(plan.day)[1][INBOUND])
            days.append(np.full(n, plan.day))
            slots.append(np.full(n, INBOUND))
            indices.append(np.arange(n))
            lives.append(INBOUND_BOOK * LIVES + (start + np.arange(n)) % LIVES)
            sessions.append(np.zeros(n, np.int8))
        if not days:
            none = np.zeros(0, np.int64)
            return Rows(none, none, none, none), none
        rows = Rows(*(np.concatenate(part).astype(np.int64) for part in (days, slots, indices, lives)))
        return rows, np.concatenate(sessions).astype(np.int64)

    def make(self, day: int) -> Day:
        """All calls that start on a local day, whatever the time is now."""
        lib, plan = self.lib, self.plan(day)
        rows, session = self.dialled(plan)
        placed = self.place(plan, rows, session)
        number = self.lead_number(rows)
        n_legs = lib.legs[rows.life, session]
        which_row = np.repeat(np.arange(len(rows)), n_legs)
        leg = np.arange(len(which_row)) - np.repeat(np.cumsum(n_legs) - n_legs, n_legs)
        length = placed.gap + placed.dial + placed.talk - (-placed.wrap // 10)
        lead_in = np.cumsum(length, 1) - length + placed.gap
        start = placed.start[which_row] + lead_in[which_row, leg]
        order = np.argsort(start, kind="stable")
        which_row, leg, start = which_row[order], leg[order], start[order]
        life, sess = rows.life[which_row], session[which_row]
        kind = lib.kind[life, sess, leg]
        person = np.where(kind == Kind.TRANSFER, placed.closer[which_row], placed.person[which_row])
        person[kind == Kind.DROPPED] = NOBODY
        settled_at = np.zeros(len(start), np.int64)
        erased_at = np.full(len(start), NEVER, np.int64)
        late = (lib.late[life, sess] & (leg == n_legs[which_row] - 1)).nonzero()[0]
        if len(late):
            some = rows.at(which_row[late])
            event = (lib.event_session[some.life] == sess[late][:, None]).argmax(1) + 1
            settled_at[late] = self.event_times(some, event, np.full(len(late), day + 7))[0]
        erased = (lib.anonymized[life] >= 0).nonzero()[0]
        if len(erased):
            some = rows.at(which_row[erased])
            event = lib.anonymized[some.life].astype(np.int64)
            days = self.event_days(some.day, some.life)[np.arange(len(some)), event]
            erased_at[erased] = self.event_times(some, event, days)[0]
        has_lead = lib.has_lead[life]
        return Day(
            start=start,
            dial=placed.dial[which_row, leg].astype(np.int16),
            talk=placed.talk[which_row, leg].astype(np.int16),
            wrap=placed.wrap[which_row, leg].astype(np.int16),
            kind=kind,
            status=lib.status[life, sess, leg],
            closure=lib.closure[life, sess, leg],
            incoming=lib.incoming[life, sess],
            person=person.astype(np.int32),
            path=self._paths(day, start, placed.person[which_row] if self._dropped_have_team else person),
            slot=rows.slot[which_row].astype(np.int8),
            cohort=rows.day[which_row].astype(np.int32),
            index=rows.index[which_row].astype(np.int32),
            life=life.astype(np.int16),
            lead=np.where(has_lead, number[which_row], -1),
            call=number[which_row] * CALLS_A_LEAD + sess * LEGS + leg,
            phone=phone_numbers(self.seed, number[which_row], lib.number[life, sess, leg]),
            settled_at=settled_at,
            erased_at=erased_at,
        )

    def _paths(self, day: int, start: Array, person: Array) -> Array:
        """Each call's org path at its start: ``epoch * UNITS + unit``, -1 without a person."""
        path = np.full(len(start), -1, np.int32)
        has = (person >= 0).nonzero()[0]
        if len(has):
            people, where = np.unique(person[has], return_inverse=True)
            before, change, after = self.org.teams(people, day)
            unit = np.where(start[has] >= change[where], after[where], before[where])
            path[has] = self.org.epochs(start[has]) * UNITS + unit
        return path


def phone_numbers(seed: int, lead: Array, which: Array) -> Array:
    """Eight digits: the ``which``-th number of each lead (0, 1 or 2)."""
    return 20_000_000 + below(many(bits(seed, 71), lead * 4 + which), 79_999_999)
