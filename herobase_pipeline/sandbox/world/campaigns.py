"""Projects, campaigns and how many leads each campaign gets a day.

A campaign sits in a *slot*. Slots 0–4 hold one long-lived campaign each, slots 5–10 a row of short ones, slot 11 the
incoming line.
"""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from herobase_pipeline.sandbox.world.calendar import DAYS, Calendar, date_of
from herobase_pipeline.sandbox.world.chance import Array, below, bits, many
from herobase_pipeline.sandbox.world.lives import INBOUND_BOOK, LIVES, Library

SITE = "S3064"
SLOTS = 12
INBOUND = 11
_LONG = 5

PROJECTS = (
    (2340, "client C - Mødebooking"),
    (2341, "Nysalg Forsikring"),
    (2342, "Nysalg Øst/Vest"),
    (2347, "A-kasse & Lønsikring"),
    (2351, "client D - Telefoni"),
    (2360, "Kundeservice"),
    (2302, "Gammelt projekt (lukket)"),
)
_LONG_CAMPAIGNS = (
    # code, name, project, book, weight
    ("XX_MB_LEJL", "Mødebooking lejligheder", 0, 0, 26),
    ("XX_MB_HUS", "Mødebooking huse", 0, 0, 16),
    ("Abo Nysalg 5G", "Abonnement nysalg 5G", 4, 1, 20),
    ("A-kasse Løn", "A-kasse og lønsikring", 3, 2, 14),
    ("NF-Genkøb", "Nord Forsikring genkøb", 1, 1, 9),
)
_SHORT_CAMPAIGNS = (
    # code, name, project, book, weight, length in days
    ("MB_KAMP", "Mødebooking kampagne", 0, 0, 7, 84),
    ("ØST-VEST", "Øst/Vest gensalg", 2, 1, 5, 91),
    ("FORS_TEST", "Forsikring test", 1, 1, 4, 98),
    ("AK_UNGE", "A-kasse for unge", 3, 2, 4, 112),
    ("TLF_FAMILIE", "Familietelefoni", 4, 1, 3, 126),
    ("sms-opf", "Opfølgning på SMS", 2, 0, 2, 140),
)
_UPLOADS = 0.4
"""Part of a short campaign's time in which leads are uploaded; the rest is for dialling them."""


@dataclass(frozen=True)
class Campaign:
    """One campaign; days are day numbers, ``last`` excluded."""

    slot: int
    number: int
    code: str
    name: str
    project: int
    book: int
    first: int
    last: int

    @property
    def id(self) -> str:
        """``CAMP10062S3064``."""
        return f"CAMP{self.number}{SITE}"

    @property
    def project_id(self) -> str:
        """``PRJ2340S3064``."""
        return f"PRJ{PROJECTS[self.project][0]}{SITE}"

    @property
    def project_name(self) -> str:
        """Name of its project: what project rights and ``Projects=`` are matched with."""
        return PROJECTS[self.project][1]


class Campaigns:
    """The campaigns of a world. ``calls_per_day`` is that of an ordinary weekday."""

    def __init__(self, seed: int, calendar: Calendar, library: Library, calls_per_day: int) -> None:
        self.seed, self.calendar = seed, calendar
        self.inbound = max(min(60, calls_per_day // 10), calls_per_day // 50)
        books = [c[3] for c in _LONG_CAMPAIGNS] + [c[3] for c in _SHORT_CAMPAIGNS] + [INBOUND_BOOK]
        self.book = np.array(books, np.int64)
        self.calls = max(0, calls_per_day - self.inbound)
        weights = [c[4] for c in _LONG_CAMPAIGNS] + [c[4] for c in _SHORT_CAMPAIGNS]
        self._weights = np.array([*weights, 0], float) / library.mean_calls[self.book]
        self._weight_calls = np.array([*weights, 0], float)
        self.capacity = int(self.calls * 0.3) + self.inbound + 64
        self._phase = [bits(seed, 31, s) % length for s, (*_, length) in enumerate(_SHORT_CAMPAIGNS)]

    @lru_cache(maxsize=4096)  # noqa: B019  its owner lives as long as its world
    def of(self, slot: int, day: int) -> Campaign:
        """Give the campaign in a slot on a day."""
        if slot < _LONG:
            code, name, project, book, _ = _LONG_CAMPAIGNS[slot]
            return Campaign(slot, 10_062 + 5 * slot, code, name, project, book, 0, DAYS)
        if slot == INBOUND:
            return Campaign(slot, 10_001, "INDGÅENDE", "Kundeservice indgående", 5, INBOUND_BOOK, 0, DAYS)
        code, name, project, book, _, length = _SHORT_CAMPAIGNS[slot - _LONG]
        run = (day + self._phase[slot - _LONG]) // length
        first = run * length - self._phase[slot - _LONG]
        start = date_of(max(0, first))
        label = f"{start:%Y}-{start.isocalendar().week:02d}"
        number = 20_000 + 1_000 * (slot - _LONG) + run
        return Campaign(
            slot, number, f"{code}_{label}", f"{name} {label}", project, book, max(0, first), first + length
        )

    @lru_cache(maxsize=2048)  # noqa: B019  its owner lives as long as its world
    def cohort(self, day: int) -> tuple[Array, Array]:
        """Leads uploaded on a day, by slot, and the life that the first of them takes."""
        slots = np.arange(SLOTS)
        random = many(bits(self.seed, 32, day), slots)
        sizes = np.zeros(SLOTS, np.int64)
        if 0 <= day < DAYS and self.calls and self.calendar.is_workday[day]:
            open_now = np.ones(SLOTS, bool)
            for slot in range(_LONG, INBOUND):
                campaign = self.of(slot, day)
                length = _SHORT_CAMPAIGNS[slot - _LONG][5]
                begin = (day + self._phase[slot - _LONG]) // length * length - self._phase[slot - _LONG]
                open_now[slot] = campaign.first <= day < begin + _UPLOADS * length
            open_now[INBOUND] = False
            weight = np.where(open_now, self._weights, 0.0)
            busy = 0.94 + 0.12 * (bits(self.seed, 33, day) % 1000) / 1000
            wanted = busy * self.calls * weight / np.where(open_now, self._weight_calls, 0.0).sum()
            sizes = np.floor(wanted).astype(np.int64)
            sizes += below(random, 1 << 20, 30) < ((wanted - sizes) * (1 << 20)).astype(np.int64)
            sizes = np.minimum(sizes, self.capacity)
        if 0 <= day < DAYS and self.calendar.open[day]:
            sizes[INBOUND] = self.inbound
        return sizes, below(random, LIVES)

    def all(self, day: int) -> list[Campaign]:
        """Every campaign that has begun by a day."""
        found = [self.of(slot, day) for slot in (*range(_LONG), INBOUND)] if day >= 0 else []
        for slot in range(_LONG, INBOUND):
            at = 0
            while at <= day:
                campaign = self.of(slot, at)
                found.append(campaign)
                at = campaign.last
        return found


def upload_pool(day: dt.date) -> str:
    """Name of the lead pool of leads imported without one (vendor page, lead pools)."""
    return f"(auto) {day:%Y-%m-%d}"
