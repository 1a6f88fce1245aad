"""The company: units that are renamed, moved and founded, and people who join, leave and change teams.

All of it follows from the seed and the date. What changes when (local time), in every year Y the world knows:

* 1 January: the name of unit ``Kampagneteam`` becomes "Kampagneteam Y" (code kept);
* 2 February to 30 June: the team ``Pilot`` exists, with half of the people of ``Team Rød/Hvid``;
* 15 May 12:30: ``t14-aalborg`` moves, to ``AKASSE-afd.`` in even years, back to ``Nord Forsikring A/S`` in odd ones.

And once: 2025-07-01 the root's name; 2026-03-01 the name of ``Mødebooking Øst``; 2026-05-18 ``team grøn`` moves from
``Telemarketing - Outbound`` to ``Nord Forsikring A/S``; 2026-08-01 the unit ``Team Å`` gets the code ``Team Aa -
Ringkøbing`` (same unit, T26).

Every chair is held by one person after another. A person is numbered ``chair * HOLDERS + holder``; four in ten change
team once, some at noon (T25).
"""

import datetime as dt
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from herobase_pipeline.sandbox.world.calendar import DAYS, END, FOUNDED, Calendar, ordinal
from herobase_pipeline.sandbox.world.chance import Array, below, bits, many

HOLDERS = 64
NEVER = 1 << 60
MAIL = "nord-salg.dk"

FIRST_NAMES = [
    "Mette",
    "Anne",
    "Søren",
    "Lars",
    "Kirsten",
    "Åse",
    "Bjørn",
    "Jørgen",
    "Pia",
    "Øjvind",
    "Camilla",
    "Mikkel",
    "Nanna",
    "Rasmus",
    "Signe",
    "Frederik",
    "Ida",
    "Emil",
    "Freja",
    "Oliver",
    "Sofie",
    "Noah",
    "Laura",
    "Malthe",
    "Josefine",
    "Victor",
    "Clara",
    "Magnus",
    "Karla",
    "Anton",
    "Zainab",
    "Yusuf",
    "Agnieszka",
    "Henning",
    "Birthe",
    "Poul",
]
LAST_NAMES = [
    "Hansen",
    "Jensen",
    "Nielsen",
    "Pedersen",
    "Andersen",
    "Christensen",
    "Larsen",
    "Sørensen",
    "Rasmussen",
    "Jørgensen",
    "Petersen",
    "Madsen",
    "Kristensen",
    "Olsen",
    "Thomsen",
    "Møller",
    "Østergaard",
    "Ågård",
    "Kjær",
    "Bæk",
    "Lund",
    "Holm",
    "Krogh",
    "Friis",
    "Vestergaard",
    "Nørgaard",
]
_PLAIN = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "Æ": "Ae", "Ø": "Oe", "Å": "Aa"})


@dataclass(frozen=True)
class Phase:
    """What a unit was from an instant (Unix s) on; ``alive`` is false where it does not exist."""

    since: int
    code: str
    name: str
    parent: int
    alive: bool = True


@dataclass(frozen=True)
class Person:
    """A user, there from ``since`` (Unix s) to ``until``; ``moves`` is (Unix s, unit), oldest first."""

    number: int
    code: str
    name: str
    email: str
    since: int
    until: int
    moves: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Moves:
    """One change of team for each person: the day (``NEVER``: none), seconds after its midnight, and the new team."""

    day: Array
    second: Array
    team: Array


ROOT, OUTBOUND_TEAMS_FROM = 0, 9
SERVICE, CLOSERS, BACK_OFFICE, PILOT = 18, 19, 20, 21
_SPLIT_TEAM = 12
INTEGRATIONS = ("API_Import@nord-salg.dk", "Vendor_API")


class Organisation:
    """Units and people. ``agents`` is the number of chairs in sales teams, ``service`` that on the incoming line."""

    def __init__(self, seed: int, calendar: Calendar, agents: int, service: int) -> None:
        self.seed, self.calendar = seed, calendar
        self.units: list[list[Phase]] = self._found_units(agents)
        self.unit_ids = [f"ORG{1000 + 7 * n}S3064" for n in range(len(self.units))]
        changes = sorted({phase.since for unit in self.units for phase in unit[1:]})
        self.changes = np.array(changes, np.int64)
        self._since = [[phase.since for phase in unit] for unit in self.units]
        sales = [*range(OUTBOUND_TEAMS_FROM, SERVICE), *range(PILOT + 1, len(self.units))]
        self.sales_teams = np.array(sales, np.int64)
        closers, office = 4 + agents // 50, 4 + agents // 200
        self.agents = agents
        self.service_chairs = range(agents, agents + service)
        self.closer_chairs = range(agents + service, agents + service + closers)
        self.office_chairs = range(self.closer_chairs.stop, self.closer_chairs.stop + office)
        chairs = self.office_chairs.stop
        number = np.arange(chairs)
        self.home = np.concatenate(
            [
                self.sales_teams[number[:agents] % len(sales)],
                np.full(service, SERVICE),
                np.full(closers, CLOSERS),
                np.full(office, BACK_OFFICE),
            ]
        ).astype(np.int64)
        random = many(bits(seed, 21), number)
        self.tenure = 420 + below(random, 1080)
        self.phase = below(random, self.tenure, 20)

    # -- units -----------------------------------------------------------------------------------------------

    def _found_units(self, agents: int) -> list[list[Phase]]:
        at = self.calendar.instant
        start = at(0)

        def day(year: int, month: int, number: int) -> int:
            return ordinal(dt.date(year, month, number))

        def unit(code: str, parent: int, name: str | None = None) -> list[Phase]:
            return [Phase(start, code, name or code, parent)]

        units = [
            [
                Phase(start, "Nord-Salg A/S", "Nord-Salg A/S", -1),
                Phase(at(day(2025, 7, 1)), "Nord-Salg A/S", "Nordlys Salg A/S", -1),
            ],
            unit("Region Øst", 0),
            unit("region vest", 0, "Region Vest"),
            unit("Salg", 0, "Salg Fyn/Syd"),
            unit("Kundeservice", 0),
            [
                Phase(start, "Mødebooking Øst", "Mødebooking Øst", 1),
                Phase(at(day(2026, 3, 1)), "Mødebooking Øst", "Mødebooking & Leads Øst", 1),
            ],
            unit("Telemarketing - Outbound", 1),
            unit("Nord Forsikring A/S", 2),
            unit("AKASSE-afd.", 2, "A-kasse"),
            unit("Team Ærø", 5),
            unit("TEAM BLÅ", 5, "Team Blå"),
            [Phase(start, "team grøn", "Team Grøn", 6), Phase(at(day(2026, 5, 18)), "team grøn", "Team Grøn", 7)],
            unit("Team Rød/Hvid", 6),
            [
                Phase(at(max(0, day(y, 1, 1))), "Kampagneteam", f"Kampagneteam {y}", 7)
                for y in range(FOUNDED.year, END.year)
            ],
            [
                Phase(start, "t14-aalborg", "Team Aalborg", 7),
                *(
                    Phase(at(day(y, 5, 15), 45_000), "t14-aalborg", "Team Aalborg", 8 if y % 2 == 0 else 7)
                    for y in range(FOUNDED.year + 1, END.year)
                ),
            ],
            [Phase(start, "Team Å", "Team Å", 8), Phase(at(day(2026, 8, 1)), "Team Aa - Ringkøbing", "Team Å", 8)],
            unit("Odense Mødebooking", 3),
            unit("Svendborg/Ærøskøbing", 3),
            unit("Kundeservice Dag/Nat", 4),
            unit("Kvalitet & Lukning", 4),
            unit("BACKOFFICE", 0, "Back office"),
            [
                Phase(start, "Pilot", "Pilot", 6, alive=False),
                *(
                    phase
                    for y in range(FOUNDED.year, END.year)
                    for phase in (
                        Phase(at(day(y, 2, 2)), "Pilot", f"Pilot {y}", 6),
                        Phase(at(day(y, 7, 1)), "Pilot", f"Pilot {y}", 6, alive=False),
                    )
                ),
            ],
        ]
        extra = max(0, agents // 15 - 9)
        units += [unit(f"Team {n + 1:03d}", (5, 6, 7, 8, 3)[n % 5]) for n in range(extra)]
        return units

    def unit_at(self, unit: int, instant: int) -> Phase:
        """Give what a unit is at a Unix time."""
        return self.units[unit][max(0, bisect_right(self._since[unit], instant) - 1)]

    def epochs(self, instants: Array) -> Array:
        """How many changes of the tree lie at or before each Unix time: within one epoch no path changes."""
        return np.searchsorted(self.changes, instants, side="right")

    @lru_cache(maxsize=65536)  # noqa: B019  an organisation lives as long as its world
    def path(self, epoch: int, unit: int) -> tuple[int, ...]:
        """Units from the root to ``unit`` in an epoch."""
        instant = self._epoch_instant(epoch)
        path: list[int] = []
        while unit >= 0:
            path.append(unit)
            unit = self.unit_at(unit, instant).parent
        return tuple(reversed(path))

    @lru_cache(maxsize=65536)  # noqa: B019  an organisation lives as long as its world
    def named_path(self, epoch: int, unit: int) -> tuple[tuple[str, str], ...]:
        """(code, name) from the root to ``unit`` in an epoch."""
        instant = self._epoch_instant(epoch)
        phases = [self.unit_at(u, instant) for u in self.path(epoch, unit)]
        return tuple((phase.code, phase.name) for phase in phases)

    def _epoch_instant(self, epoch: int) -> int:
        return int(self.changes[epoch - 1]) if epoch else self.units[0][0].since

    # -- people ----------------------------------------------------------------------------------------------

    def holder(self, chairs: Array, day: int) -> Array:
        """Who sits on each chair on a day; -1 while it is vacant."""
        shifted = day + self.phase[chairs]
        holder, into = np.divmod(shifted, self.tenure[chairs])
        vacancy = self._vacancy(chairs, holder)
        return np.where((into < vacancy) & (holder > 0), -1, chairs * HOLDERS + holder)

    def _vacancy(self, chairs: Array, holder: Array) -> Array:
        vacancy = below(many(bits(self.seed, 22), chairs * HOLDERS + holder), 25)
        return np.where(chairs < self.agents, vacancy, 0)

    def teams(self, persons: Array, day: int) -> tuple[Array, Array, Array]:
        """Team of each person as a day begins, when it changes that day (Unix s or ``NEVER``), and the team after."""
        chairs = persons // HOLDERS
        before = self.home[chairs].copy()
        moves = self._moves(persons)
        moved = (moves.day < day) | ((moves.day == day) & (moves.second == 0))
        before[moved] = moves.team[moved]
        today = (moves.day == day) & (moves.second > 0)
        after = np.where(today, moves.team, before)
        change = np.where(today, self.calendar.midnight(day) + moves.second, NEVER)
        if self._pilot_runs(day):
            loaned = chairs % 2 == 0
            before[loaned & (before == _SPLIT_TEAM)] = PILOT
            after[loaned & (after == _SPLIT_TEAM)] = PILOT
        return before, change, after

    def _moves(self, persons: Array) -> "_Moves":
        chairs, holders = np.divmod(persons, HOLDERS)
        random = many(bits(self.seed, 23), persons)
        moves = (below(random, 100) < 40) & (chairs < self.agents)
        tenure = self.tenure[chairs]
        day = holders * tenure - self.phase[chairs] + (tenure * (30 + below(random, 50, 32))) // 100
        at_noon = (random & np.uint64(3)) > 1
        return _Moves(
            day=np.where(moves, day, NEVER),
            second=np.where(at_noon, 11 * 3600 + below(random, 4 * 3600, 8), 0),
            team=self.sales_teams[below(random, len(self.sales_teams), 16)],
        )

    @cached_property
    def _every_move(self) -> "_Moves":
        return self._moves(np.arange(len(self.home) * HOLDERS))

    @cached_property
    def _every_vacancy(self) -> Array:
        chairs, holders = np.divmod(np.arange(len(self.home) * HOLDERS), HOLDERS)
        return np.where(holders > 0, self._vacancy(chairs, holders), 0)

    def _pilot_runs(self, day: int) -> bool:
        return self.unit_at(PILOT, self.calendar.midnight(day)).alive

    @lru_cache(maxsize=1 << 18)  # noqa: B019  an organisation lives as long as its world
    def code(self, person: int) -> str:
        """Org code of a person: e-mail-shaped, ``t01abcd`` or ``T02ABCD``; unique, whatever the case."""
        chair = person // HOLDERS
        style = bits(self.seed, 24, person) % 10
        if chair in self.office_chairs or style < 5:
            first, last = self._name(person)
            return f"{first}.{last}{person}@{MAIL}".translate(_PLAIN).lower()
        letters, rest = "", person * 7 + 3
        while rest or len(letters) < 4:
            rest, letter = divmod(rest, 26)
            letters = chr(97 + letter) + letters
        code = f"t{chair % 100:02d}{letters}"
        return code if style < 8 else code.upper()

    def _name(self, person: int) -> tuple[str, str]:
        random = bits(self.seed, 25, person)
        return FIRST_NAMES[random % len(FIRST_NAMES)], LAST_NAMES[(random >> 20) % len(LAST_NAMES)]

    def person(self, number: int) -> Person:
        """Everything about a person."""
        chair, holder = divmod(number, HOLDERS)
        tenure, phase = int(self.tenure[chair]), int(self.phase[chair])
        begin = holder * tenure - phase
        first_day, last_day = max(0, begin + int(self._every_vacancy[number])), min(DAYS, begin + tenure)
        code, (first, last) = self.code(number), self._name(number)
        return Person(
            number,
            code,
            f"{first} {last}",
            code.lower()
            if "@" in code
            else (
                ""
                if bits(self.seed, 26, number) % 8 == 0
                else f"{first}.{last}{number}@{MAIL}".translate(_PLAIN).lower()
            ),
            self.calendar.midnight(first_day),
            self.calendar.midnight(last_day),
            self._memberships(number, first_day, last_day),
        )

    def _memberships(self, number: int, first_day: int, last_day: int) -> tuple[tuple[int, int], ...]:
        """(instant, unit) from joining on, one for each change; a loan to the pilot team is one."""
        midnight, moves = self.calendar.midnight, self._every_move
        chair, move_day = number // HOLDERS, int(moves.day[number])
        teams = [(midnight(first_day), int(self.home[chair]))]
        if first_day <= move_day < last_day:
            teams.append((midnight(move_day) + int(moves.second[number]), int(moves.team[number])))
        loaned = chair % 2 == 0
        instants = {at for at, _ in teams}
        if loaned and any(team == _SPLIT_TEAM for _, team in teams):
            instants |= {p.since for p in self.units[PILOT] if midnight(first_day) <= p.since < midnight(last_day)}
        found: list[tuple[int, int]] = []
        for instant in sorted(instants):
            team = [unit for at, unit in teams if at <= instant][-1]
            if loaned and team == _SPLIT_TEAM and self.unit_at(PILOT, instant).alive:
                team = PILOT
            if not found or found[-1][1] != team:
                found.append((instant, team))
        return tuple(found)

    def find(self, folded: str, instant: int) -> int | None:
        """Find the number of the person with this case-folded code who has joined by a Unix time."""
        return next((n for n in self.people(instant) if self.code(n).casefold() == folded), None)

    def people(self, instant: int) -> list[int]:
        """Everyone who has joined by a Unix time, whether still there or not."""
        day = self.calendar.day_of(instant)
        if day < 0:
            return []
        chairs = np.arange(len(self.home))
        last = (day + self.phase) // self.tenure
        numbers = []
        for chair, holders in zip(chairs.tolist(), last.tolist(), strict=True):
            numbers += [chair * HOLDERS + h for h in range(holders + 1)]
        vacant = (self.holder(chairs, day) < 0).nonzero()[0]
        missing = {int(c) * HOLDERS + int(last[c]) for c in vacant}
        return [n for n in numbers if n not in missing]
