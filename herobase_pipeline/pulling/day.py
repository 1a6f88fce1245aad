"""The pull of one local day: asked for with a margin, landed, and summed up."""

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.documents import Segment
from herobase_pipeline.herobase.quota import quota_of
from herobase_pipeline.herobase.windows import Pull, Source, margin, recent
from herobase_pipeline.lake.disk import DiskError, in_words
from herobase_pipeline.lake.engine import connect, instant, literal
from herobase_pipeline.lake.erased import forget, register
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.landing import Landing, UnreadableError
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.registering import expand
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import stored
from herobase_pipeline.partitions import Window, day_bounds, repeated_hour, utc_offset
from herobase_pipeline.pulling import values
from herobase_pipeline.pulling.accounting import Account, set_aside
from herobase_pipeline.pulling.answers import Answers
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import Table

_OVERLAP = dt.timedelta(minutes=10)  # asked for again at a refresh, as a record may turn up later than its time says
_SHORT = dt.timedelta(hours=4)  # what a refresh asks for, but the first after a pause


class Mode(NamedTuple):
    """How a day is pulled.

    Attributes:
        refresh: only what is new since the last pull of it.
        accept_shrunk: an operator says that the day may lose records (trap T2).

    """

    refresh: bool = False
    accept_shrunk: bool = False


WHOLE = Mode()


@dataclass(frozen=True)
class Pulled:
    """What a pull of one day brought.

    Attributes:
        rows: rows of the day's file, by table.
        account: where the records that were received went.
        requests: requests made.
        of_quota: those of them that count for the daily quota of the service.
        bytes: bytes received.
        unreadable: values that had none of the known forms and became NULL, by field.
        seconds: that it took, waits for the account's limit per minute included, but not while it let another day go first.
        lag_s: seconds from the end of the day, or from the newest record of a day that still runs, to now; None for a
            running day without any.
        until: when a day that was not over, or was only refreshed, was asked for; None for one that was pulled whole.
        details: what else is shown of the service's first table, by name.

    """

    rows: Mapping[str, int]
    account: Account
    requests: int
    of_quota: int
    bytes: int
    unreadable: Mapping[str, int]
    seconds: float
    lag_s: int | None
    until: dt.datetime | None
    details: Mapping[str, int | str] = field(default_factory=dict)


class Asked(Enum):
    """What a pull has asked for as it pauses."""

    FOR_NOW = auto()  # all that it can before the day before is in the lake
    ALL = auto()  # all that it will


Pulling = Generator[Asked, None, Pulled]
"""A pull that pauses, at last when it has asked for all; until it has paused for the first time it reads and writes only what
is its own day's, so that the day before may be written meanwhile (see ``overlap``)."""


class _Spent(NamedTuple):
    """What had been asked of a client at some time: requests, those of a service's quota, and bytes received."""

    requests: int
    of_quota: int
    bytes: int


class Day:
    """The pull of one local day into a landing of its own.

    Attributes:
        day: the day.
        landing: where the answers land.
        bounds: from when to when the day lasts.
        params: the same, as parameters of the tables' SQL.
        whole: whether the day is asked for whole; a refresh asks only for what is new.
        complete: the day, if it was over and is pulled whole; else nothing.
        asked_at: when the first request left, in UTC: what comes later is not known, however long the answers take.

    """

    def __init__(
        self,
        service: str,
        day: dt.date,
        herobase: HeroBase,
        lake: Lake,
        landing: Landing,
        settings: Settings,
        since: dt.datetime | None,
    ) -> None:
        self.landing = landing
        self.bounds = day_bounds(day, settings.zone)
        self.params: dict[str, Any] = {"day_start": self.bounds.start, "day_end": self.bounds.end}
        now = herobase.budget.utcnow()
        latest = max(now, dt.datetime.now(dt.UTC), self.bounds.end) + dt.timedelta(days=1)
        landing.con.execute(f"CREATE OR REPLACE MACRO tomorrow() AS {literal(latest.isoformat())}::TIMESTAMPTZ")
        if steady := happened_then(self.bounds, settings.zone):
            landing.con.execute(f"CREATE OR REPLACE MACRO happened_then(clock) AS {steady}")
        self.complete = [day] if now >= self.bounds.end and since is None else []
        self.day, self.asked_at = day, now
        self._service, self._herobase, self._lake, self.whole = service, herobase, lake, since is None
        self._short = since is not None and now - since <= _SHORT
        self._answers: list[Answers] = []
        self._erased = 0
        self._zone = settings.zone
        self._margin = margin(self.bounds, settings.zone) if landing.time else dt.timedelta()
        self._asked = self.bounds.widened(self._margin) if since is None else recent(since, now, settings.zone)
        if landing.time is None:  # what lies outside would be taken for the day's
            self._asked = Window(max(self._asked.start, self.bounds.start), min(self._asked.end, self.bounds.end))
        self._began, self._before = time.monotonic(), self._spent()
        self._cost = _Spent(0, 0, 0)

    def _spent(self) -> _Spent:
        budget = self._herobase.budget
        return _Spent(budget.total, budget.requests.get(quota_of(self._service), 0), self._herobase.bytes_received)

    def ask(self, answer: Callable[[Window], Iterator[Segment]], asked: str = "", *, one_of_many: bool = False) -> None:
        """Land all that ``answer`` yields for the day and its margins, in smaller windows where that is needed.

        Args:
            answer: asks for a window.
            asked: kept with the rows.
            one_of_many: what is ``asked`` for has answers of a size of its own, as a saved search has.

        """
        landing = self.landing
        if one_of_many or not self._answers:
            of = f"{self._service} {asked}" if one_of_many else self._service
            self._answers.append(Answers(self._lake, of, self.day, self.asked_at, short=self._short))
        answers = self._answers[-1]
        source = Source(
            ask=lambda window: self._herobase.retrying(lambda: landing.document(answer(window), asked)),
            strays=lambda window: landing.strays(window.widened(self._margin)),
            edges=self._edges,
            known=lambda: landing.different(self.asked_at - _OVERLAP),
            doubted=answers.doubted,
            found=answers.found,
        )
        Pull(source).run(self._asked)

    def _edges(self, window: Window) -> list[list[Window]]:
        """Return the windows between either end of ``window`` and the nearest records of the last document.

        There are two for each end, as there are two readings of a stamp (see ``windows.margin``), the wider one first. A refresh
        costs two requests at most, so only its end is looked at; the night's pull looks at both.
        """
        if self.landing.time is None:
            return [[half] for half in window.halves()]
        spread = self.landing.spread(window)
        if spread is None:
            return []
        early, late = spread
        nothing = dt.timedelta()
        earlier = [early + max(utc_offset(early, self._zone), nothing), early]
        later = [late + min(utc_offset(late, self._zone), nothing), late]
        heads = [Window(window.start, min(end, window.end)) for end in dict.fromkeys(earlier)]
        tails = [Window(max(start, window.start), window.end) for start in dict.fromkeys(later)]
        return [
            [edge for edge in edges if edge.start < edge.end] for edges in ((tails,) if self._short else (heads, tails))
        ]

    def pause(self, asked: Asked) -> Iterator[Asked]:
        """Let the day before be finished first, and the next one be asked for once ``asked`` is all."""
        if asked is Asked.ALL:
            for answers in self._answers:
                answers.keep()  # now, as the next day's are judged by it
            self._cost = _Spent(*(now - before for now, before in zip(self._spent(), self._before, strict=True)))
        paused = time.monotonic()
        yield asked
        self._began += time.monotonic() - paused

    def gather(self) -> None:
        """Make ``pulled`` of what has landed, without what tells an erased person."""
        expand(self._lake, self.landing.con, self.landing.parts, self.landing.tables)
        found = register(self.landing.con, self._lake)
        self._erased += forget(self.landing.con, self.landing.parts, self.landing.tables[0], found)
        self.landing.gather()

    def account(self) -> Account:
        """Say where the records went, once they are gathered.

        Raises:
            UnreadableError: too few of them can be kept.

        """
        reasons = Counter(reason for reason, _ in self.landing.unreadable)
        if self.landing.time is None:
            of_the_day = self.landing.records - reasons.total() - self._erased
            return self._accepted(Account(self.landing.records, of_the_day, 0, 0, reasons, erased=self._erased))
        table = self.landing.tables[0]
        key, time = (column.name for column in table if column.required)
        margins = self._asked.widened(self._margin)
        query = f"""
            SELECT
                count(*) FILTER (of_the_day),
                count(*) FILTER (NOT of_the_day AND {time} BETWEEN $start AND $end),
                count(*) FILTER (outside),
                count(DISTINCT {key}) FILTER (outside),
                count(DISTINCT {key}) FILTER (of_the_day)
            FROM (
                SELECT *,
                    {time} >= $day_start AND {time} < $day_end AS of_the_day,
                    NOT of_the_day AND {time} NOT BETWEEN $start AND $end AS outside
                FROM pulled
            )"""
        params = self.params | {"start": margins.start, "end": margins.end}
        ((inside, near, stray, outside, kept),) = self.landing.con.execute(query, params).fetchall()
        again = stray - outside + self.landing.repeated_unreadable
        return self._accepted(
            Account(self.landing.records, inside + again, near, outside, reasons, kept, erased=self._erased)
        )

    def _accepted(self, account: Account) -> Account:
        if refusal := account.refusal(self._service, self.day):
            raise UnreadableError(refusal)
        return account

    def set_aside(self, *, anew: bool) -> None:
        """Keep what could not be read; ``anew``: in place of what a whole pull of the day left before."""
        set_aside(
            self._lake,
            self.landing.con,
            self._service,
            self.day,
            self.landing.unreadable,
            self._herobase.budget.utcnow(),
            anew=anew and self.whole,
        )

    def pulled(
        self, rows: Mapping[str, int], account: Account, newest: str, details: Mapping[str, int | str] | None = None
    ) -> Pulled:
        """Sum up, once the files are written. ``newest`` is the query for the time of the newest record of the day's file."""
        for answers in self._answers:
            answers.written()
        unreadable = self.landing.unreadable_values()
        at = self.landing.time
        of_the_day = f"{at} >= $day_start AND {at} < $day_end" if at else "true"
        given = self.landing.given(of_the_day, self.params if at else {})
        values.keep(
            self._lake, self._service, self.day, values.Given(given.pop(""), given, unreadable), anew=self.whole
        )
        reached = self.bounds.end if self.complete else instant(self.landing.con, newest)
        return Pulled(
            rows,
            account,
            *self._cost,
            unreadable,
            round(time.monotonic() - self._began, 2),
            None if reached is None else round((self._herobase.budget.utcnow() - reached).total_seconds()),
            None if self.complete else self.asked_at,
            details or {},
        )


@contextmanager
def pull(
    service: str,
    day: dt.date,
    herobase: HeroBase,
    lake: Lake,
    settings: Settings,
    tables: Sequence[Table],
    since: dt.datetime | None,
    raw_fields: Sequence[str] = (),
) -> Iterator[Day]:
    """Start the pull of a day, in a connection and a spool of its own.

    Args:
        service: the service's path.
        day: the local day.
        herobase: whom to ask.
        lake: where it goes.
        settings: the zone of the day.
        tables: the tables that the records feed.
        since: from when on to ask; None for the whole day.
        raw_fields: fields whose text is kept beside what is read from it.

    Raises:
        ForeignLakeError: the lake is that of another account, zone or key.
        DiskError: the disk is full, or cannot be written to.
        UnreadableError: DuckDB fails on the records.

    """
    lake = claim(lake, settings)
    bounds = day_bounds(day, settings.zone)
    twice = repeated_hour(bounds.widened(margin(bounds, settings.zone)), settings.zone)
    with (
        spool(lake) as folder,
        connect(settings.zone, folder) as con,
        Landing(con, folder, tables, raw_fields, twice) as landing,
    ):
        try:
            yield Day(service, day, herobase, lake, landing, settings, since)
        except (duckdb.Error, OSError) as error:
            if words := in_words(lake, error):
                raise DiskError(words) from None
            if isinstance(error, OSError):
                raise
            raise UnreadableError(
                f"The records of {day} from HeroBase could not be processed ({type(error).__name__}), so nothing was changed. "
                "What DuckDB says of them is withheld, as it may quote a customer's data: report the day and this sentence."
            ) from None


def happened_then(bounds: Window, zone: ZoneInfo) -> str | None:
    """Return the SQL of the instant at which a ``clock`` of the zone showed a time in the days around ``bounds``; else NULL.

    None where the zone changes its offset in these days.
    """
    around = bounds.widened(dt.timedelta(days=1))
    hours = [
        around.start + dt.timedelta(hours=hour) for hour in range(round(around.length / dt.timedelta(hours=1)) + 1)
    ]
    offsets = {utc_offset(hour, zone) for hour in hours}
    if len(offsets) != 1:
        return None
    start, end = (f"TIMESTAMP_NS {literal(f'{edge.astimezone(zone):%Y-%m-%d %H:%M:%S}')}" for edge in around)
    microseconds = round(offsets.pop() / dt.timedelta(microseconds=1))
    return f"""CASE
        WHEN clock >= {start} AND clock < {end} THEN make_timestamptz(epoch_ns(clock) // 1000 - {microseconds})
    END"""


def last_seen(
    lake: Lake, table: Table, day: dt.date, settings: Settings, also: str = "NULL", now: dt.datetime | None = None
) -> dt.datetime | None:
    """Return from when on a refresh has to ask, for a day of a table; None if the day has to be asked for whole.

    Args:
        lake: where the day is.
        table: the table.
        day: the day.
        settings: the zone.
        also: SQL of an earlier time for a row, over the table's columns, ``last_seen`` and ``$now``; NULL for none.
        now: the time of the refresh, for ``also``.

    """
    with spool(lake) as folder, connect(settings.zone, folder) as con:
        seen = f"SELECT *, max(observed_at) OVER () AS last_seen FROM ({stored(lake, table, day)})"
        query = (
            f"SELECT least(max(last_seen) - $overlap, min(also)) FROM (SELECT last_seen, {also} AS also FROM ({seen}))"
        )
        params = {"overlap": _OVERLAP} | ({} if now is None else {"now": now})
        ((since,),) = con.execute(query, params).fetchall()
    return None if since is None else since.astimezone(dt.UTC)
