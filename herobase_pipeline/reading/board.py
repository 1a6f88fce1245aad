"""The live board: today so far beside the same weekday of the weeks before, up to the same time of day, as one page.

What is counted is counted by the tables' own SQL, over the calls that had begun and the leads that had been closed by then, and
divided as the registry of metrics says. Nobody who is called, calls or is a lead is on it: teams and campaigns only.
"""

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
from jinja2 import Environment, StrictUndefined

from herobase_pipeline.deriving.made import made_from
from herobase_pipeline.deriving.sources import macros
from herobase_pipeline.lake.catalogue import named, view
from herobase_pipeline.lake.completeness import asked_at, define_complete_days, known_in_full
from herobase_pipeline.lake.engine import ROOMY, connect, define
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import empty
from herobase_pipeline.partitions import UTC, local_day, utc_offset
from herobase_pipeline.reading.labels import labelled
from herobase_pipeline.reading.leaves import NO_TEAM, leaves
from herobase_pipeline.reading.whole import keep_files_whole, whole
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, CAMPAIGNS, DROP_RATES, LEAD_CONVERSION, LEADS, VERSIONS
from herobase_pipeline.tables.drops import REGIMES, Regime
from herobase_pipeline.tables.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

WEEKS = 4
"""Today is compared with its weekday of so many weeks before."""
OLD = dt.timedelta(minutes=20)
"""A page that ends longer ago says that it is old."""
AGAIN_S = 60
"""The page looks so often whether there is a newer one."""
MOST_TEAMS, MOST_CAMPAIGNS, ONE_COLUMN = 40, 12, 14
CONTACTS, CONVERSION, DROPS = (
    next(metric for metric in METRICS if metric.name == name)
    for name in ("contact_rate_per_dial", "conversion_net", "drop_rate_live_conservative")
)
"""The rates on it."""
RULE = next(regime for regime in REGIMES if regime.limit_rate is not None and regime.state == "in force")
"""The rule whose limit dropped calls are held against."""


class Share(NamedTuple):
    """So many of so many, and where the share may lie (Wilson, 95 %); without ends where there is nothing to divide by."""

    numerator: int
    denominator: int
    low: float | None
    high: float | None

    @property
    def rate(self) -> float | None:
        """The share itself."""
        return self.numerator / self.denominator if self.denominator else None


NOTHING = Share(0, 0, None, None)


@dataclass(frozen=True)
class Pair:
    """A number of today beside that of the days before.

    Attributes:
        now: today so far; None while it is not known.
        before: the days before together; None where none of them is.
        days: how many days that are.

    """

    now: Share | None
    before: Share | None
    days: int

    @property
    def usual(self) -> float | None:
        """The numerator of a day before, on average."""
        return self.before.numerator / self.days if self.before and self.days else None

    @property
    def verdict(self) -> tuple[str, str]:
        """Whether the share of today is another than before, as a sign and in words: it is where the intervals do not touch."""
        now, before = self.now, self.before
        if now is None or before is None or now.low is None or before.low is None:
            return "", ""
        if now.low > (before.high or 0):
            return "▲", "higher"
        if (now.high or 0) < before.low:
            return "▼", "lower"
        return "≈", "no clear difference"

    def against(self, limit: float) -> tuple[str, str, str]:
        """Return how the share of today stands to a limit that it must not pass: a sign, words, and how bad it is."""
        if self.now is None or self.now.rate is None or self.now.low is None or self.now.high is None:
            return "", "no live call yet", "unknown"
        if self.now.low > limit:
            return "✖", "above the limit", "bad"
        if self.now.rate > limit:
            return "▲", "above so far, too few to tell", "doubtful"
        return (
            ("✔", "below the limit", "good")
            if self.now.high <= limit
            else ("●", "below so far, too few to tell", "doubtful")
        )


@dataclass(frozen=True)
class Row:
    """A team, a campaign, or all of them.

    Attributes:
        name: what it is called.
        dials: dials; a count, so without a denominator.
        contacts: contacts of completed dials.
        conversion: successes of closed leads that said yes or no.
        drops: dropped of live calls; of a team nothing, as a dropped call is in none.

    """

    name: str
    dials: Pair
    contacts: Pair
    conversion: Pair
    drops: Pair | None = None


@dataclass(frozen=True)
class Board:
    """What the page shows.

    Attributes:
        site: whose it is; empty for an only account.
        day: today.
        made_at: when it was made, in the business zone.
        as_of: the moment up to which today is known, in the business zone; None while it is not loaded.
        is_current: whether the leads are made from what was pulled of today; else the next run makes the page.
        closings: why there are no closings of today; empty where there are.
        days: the days before that are compared.
        left_out: those that are not, with why.
        clocks: what a change of the clocks does to today or a day before; empty without one.
        everything: all teams.
        teams: the largest first; what is in no team stands last.
        other_teams: how many are left out, and how many dials of today they have.
        campaigns: those with a live call today, the largest first; only ``drops`` is of interest.
        other_campaigns: how many are left out.

    """

    site: str
    day: dt.date
    made_at: dt.datetime
    as_of: dt.datetime | None
    is_current: bool
    closings: str
    days: Sequence[dt.date]
    left_out: Sequence[tuple[dt.date, str]]
    clocks: str
    everything: Row
    teams: Sequence[Row]
    other_teams: tuple[int, int]
    campaigns: Sequence[Row]
    other_campaigns: int


def look(lake: Lake, zone: ZoneInfo, now: dt.datetime, site: str = "") -> Board:
    """Return what the board shows at a moment.

    Args:
        lake: where.
        zone: the business time zone.
        now: the moment.
        site: whose it is, where there are several accounts.

    """
    return whole(lake, {CALLS, LEADS, CAMPAIGNS, *VERSIONS}, lambda: _look(lake, zone, now, site))


def _look(lake: Lake, zone: ZoneInfo, now: dt.datetime, site: str) -> Board:
    today = local_day(now, zone)
    with spool(lake) as folder, connect(zone, folder, ROOMY) as con:
        keep_files_whole(con)
        as_of, closings = _as_of(con, lake, today)
        known = known_in_full(con, lake.footers(LEADS) or lake.footers(CALLS))
        days, left_out = [], []
        for day in (today - dt.timedelta(weeks=n) for n in range(1, WEEKS + 1)):
            if not lake.is_there(lake.file(CALLS, day)):
                left_out.append((day, "not loaded"))
            elif day not in known:
                left_out.append((day, "not loaded whole"))
            else:
                days.append(day)
        until = {day: _same_time(as_of or now, day, zone) for day in days} | ({today: as_of} if as_of else {})
        calls, leads, drops = _counts(con, lake, until)
        numbers = _Numbers(con, today, len(days), has_today=as_of is not None, has_closings=not closings)
        teams, everything = numbers.rows(calls, leads, "unit"), numbers.all_of(calls, leads, drops)
        campaigns = numbers.rows(None, None, "campaign", drops)
        current = [lake.file(table, today) for table in (CALLS, *VERSIONS) if lake.is_there(lake.file(table, today))]
    some = [row for row in teams if any(share and share != NOTHING for share in _shares(row))]
    some.sort(key=lambda row: (row.name == NO_TEAM, -_size(row), row.name))
    live = [row for row in campaigns if row.drops and row.drops.now and row.drops.now.denominator]
    live.sort(key=lambda row: (-(row.drops.now.denominator if row.drops and row.drops.now else 0), row.name))
    rest = some[MOST_TEAMS:]
    return Board(
        site=site,
        day=today,
        made_at=now.astimezone(zone),
        as_of=as_of and as_of.astimezone(zone),
        is_current=made_from(lake, LEADS, current) == set(current),
        closings=closings,
        days=days,
        left_out=left_out,
        clocks=_clocks(as_of or now, [today, *days], zone),
        everything=everything,
        teams=some[:MOST_TEAMS],
        other_teams=(len(rest), sum((row.dials.now or NOTHING).numerator for row in rest)),
        campaigns=live[:MOST_CAMPAIGNS],
        other_campaigns=len(live[MOST_CAMPAIGNS:]),
    )


# -- what is counted -----------------------------------------------------------------------------------------------------


def _as_of(con: duckdb.DuckDBPyConnection, lake: Lake, today: dt.date) -> tuple[dt.datetime | None, str]:
    """Return up to when today is known, by its calls and its leads, and why there are no closings of it; None if not loaded."""
    calls = lake.file(CALLS, today)
    called = asked_at(con, calls) if lake.is_there(calls) else None
    if called is None:
        return None, "not loaded yet"
    since = today - dt.timedelta(days=1)  # what was not pulled yesterday either is not asked for any more
    told = [lake.file(table, today) for table in VERSIONS if any(day >= since for day in lake.days(table)[-1:])]
    asked = [asked_at(con, file) if lake.is_there(file) else None for file in told]
    if not told or None in asked:
        return called, "the leads of today are not loaded yet"
    if not lake.files(LEADS):
        return called, "leads has not been made yet"
    return min([called, *(at for at in asked if at)]), ""


def _same_time(moment: dt.datetime, day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Return when clocks showed the same time on another day; where they showed it twice, the first time."""
    return dt.datetime.combine(day, moment.astimezone(zone).time(), zone).astimezone(UTC)


def _clocks(moment: dt.datetime, days: Sequence[dt.date], zone: ZoneInfo) -> str:
    """Return in words on which days an hour was skipped or came twice before a time of day."""
    told = []
    for day in days:
        begin = dt.datetime.combine(day, dt.time(), zone)
        end = moment if local_day(moment, zone) == day else _same_time(moment, day, zone)
        if change := utc_offset(end, zone) - utc_offset(begin, zone):
            told.append(f"{day} is an hour {'shorter' if change > dt.timedelta() else 'longer'} up to then")
    return f"The clocks changed: {'; '.join(told)}." if told else ""


def _counts(
    con: duckdb.DuckDBPyConnection, lake: Lake, until: Mapping[dt.date, dt.datetime]
) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    """Return calls by end cause and closings by closure of each team and day up to a moment, and drops by campaign and day."""
    define(con, macros())
    define_complete_days(con, [])  # whether a day is over is of no interest here
    con.execute("CREATE TEMP TABLE until (day DATE, moment TIMESTAMPTZ)")
    if until:
        con.executemany("INSERT INTO until VALUES (?, ?)", [list(each) for each in until.items()])
    con.execute(
        f"CREATE TEMP VIEW calls AS SELECT calls.* FROM ({view(lake, CALLS, list(until))}) AS calls "
        "JOIN until ON day = date WHERE started_at < moment"
    )
    con.execute(
        f"CREATE TEMP VIEW leads AS SELECT leads.* FROM ({view(lake, LEADS)}) AS leads "
        "JOIN until ON day = closed_date WHERE closed_at < moment"
    )
    con.execute(f"CREATE TEMP VIEW kept AS {empty(LEAD_CONVERSION)}")
    edges = {"first_day": min(until, default=dt.date.min), "last_day": max(until, default=dt.date.min)}
    con.execute(f"CREATE TEMP TABLE call_outcomes AS {CALL_OUTCOMES.query}", edges)
    con.execute(f"CREATE TEMP TABLE lead_conversion AS {LEAD_CONVERSION.query}")
    by_day = asdict(Regime("of a day", 1, RULE.limit_rate, RULE.state, RULE.source))
    con.execute(f"CREATE TEMP TABLE drop_rates AS {DROP_RATES.query}", {"regimes": [by_day], "version": DROPS.version})
    found = [con.execute(leaves(table, f"FROM {table.name}")).df() for table in (CALL_OUTCOMES, LEAD_CONVERSION)]
    drops = con.execute(named(lake, DROP_RATES, "FROM drop_rates")).df()
    calls, leads = labelled(*found)
    return calls, leads, labelled(drops)


class _Numbers:
    """Frames of counts, as numbers of today beside those of the days before."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, today: dt.date, days: int, *, has_today: bool, has_closings: bool
    ) -> None:
        self._con, self._today, self._days = con, today, days
        self._has_today, self._has_closings = has_today, has_closings

    def all_of(self, calls: "pd.DataFrame", leads: "pd.DataFrame", drops: "pd.DataFrame") -> Row:
        """Return the numbers of everything."""
        (row,) = self.rows(calls.assign(of=""), leads.assign(of=""), "of", drops.assign(of="")) or [self._row("", {})]
        return row

    def rows(
        self,
        calls: "pd.DataFrame | None",
        leads: "pd.DataFrame | None",
        by: str,
        drops: "pd.DataFrame | None" = None,
    ) -> list[Row]:
        """Return the numbers of each team or campaign that has any."""
        found: dict[str, dict[tuple[str, bool], Share]] = {}
        for frame, day, what, numerator, denominator in (
            (calls, "date", "dials", "sum(dials)", "0"),
            (calls, "date", CONTACTS.name, CONTACTS.numerator, CONTACTS.denominator),
            (leads, "closed_date", CONVERSION.name, CONVERSION.numerator, CONVERSION.denominator),
            (drops, "window_start", DROPS.name, DROPS.numerator, DROPS.denominator),
        ):
            if frame is None:
                continue
            self._con.register("frame", frame)
            query = f"""
                SELECT name, is_today, k, n, wilson(k, n, -1), wilson(k, n, 1)
                FROM (
                    SELECT {by} AS name, {day}::DATE = $today AS is_today,
                        coalesce({numerator}, 0)::BIGINT AS k, coalesce({denominator}, 0)::BIGINT AS n
                    FROM frame GROUP BY ALL
                )
            """
            for name, is_today, *share in self._con.execute(query, {"today": self._today}).fetchall():
                found.setdefault(name, {})[what, is_today] = Share(*share)
            self._con.unregister("frame")
        return [self._row(name, shares) for name, shares in found.items()]

    def _row(self, name: str, shares: Mapping[tuple[str, bool], Share]) -> Row:
        def pair(what: str, *, is_known: bool) -> Pair:
            now = shares.get((what, True), NOTHING) if is_known else None
            return Pair(now, shares.get((what, False), NOTHING) if self._days else None, self._days)

        return Row(
            name,
            pair("dials", is_known=self._has_today),
            pair(CONTACTS.name, is_known=self._has_today),
            pair(CONVERSION.name, is_known=self._has_today and self._has_closings),
            pair(DROPS.name, is_known=self._has_today),
        )


def _shares(row: Row) -> Sequence[Share | None]:
    """Return what a team has done, today and before: dials, and leads that it closed."""
    return (row.dials.now, row.dials.before, row.conversion.now, row.conversion.before)


def _size(row: Row) -> float:
    """Return by what teams are ordered: dials of today, and of the days before where there are none yet."""
    return (row.dials.now or NOTHING).numerator + (row.dials.usual or 0) / 1e6


# -- the page ------------------------------------------------------------------------------------------------------------


def page(board: Board) -> str:
    """Return the page: no other file, no network, and nothing of a name is run."""
    source = files("herobase_pipeline.reading").joinpath("board.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "share": _share}
    environment.globals |= {"drawn": _drawn}
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src {_hash_of(source, 'style')}",
            f"script-src {_hash_of(source, 'script')}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    half = -(-len(board.teams) // 2)
    tables = [board.teams] if len(board.teams) <= ONE_COLUMN else [board.teams[:half], board.teams[half:]]
    told: dict[str, Any] = {
        "board": board,
        "tables": tables,
        "policy": policy,
        "limit": RULE.limit_rate,
        "rule": RULE,
        "metrics": (CONTACTS, CONVERSION, DROPS),
        "again_s": AGAIN_S,
        "old_ms": int(OLD.total_seconds() * 1000),
        "ends_ms": int((board.as_of or board.made_at).timestamp() * 1000),
    }
    return environment.from_string(source).render(told)


def _hash_of(source: str, element: str) -> str:
    """Return by what the browser knows the one style or script that may be used; neither has anything put into it."""
    found = re.search(rf"<{element}>(.*?)</{element}>", source, re.DOTALL)
    if found is None or "{{" in found[1]:
        raise AssertionError(f"the page's {element} is not what is meant: a defect of this program")
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"


def _number(value: float | None) -> str:
    """Return a count as people read it; a dash for what is not known."""
    return "–" if value is None else f"{value:,.0f}".replace(",", "\N{NO-BREAK SPACE}")


def _share(value: float | None, digits: int = 1) -> str:
    """Return a share in percent; a dash for what is not known."""
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def _drawn(pair: Pair, limit: float | None = None) -> dict[str, float | None]:
    """Return where the two intervals and a limit stand on a scale of 0 to 100 that has room for all of them."""
    ends = [share.high for share in (pair.now, pair.before) if share and share.high is not None]
    scale = max([*ends, limit or 0.0], default=0.0) * 1.05
    drawn: dict[str, float | None] = {"limit": None if limit is None or not scale else 100 * limit / scale}
    for name, share in (("now", pair.now), ("before", pair.before)):
        for end in ("low", "rate", "high"):
            value = getattr(share, end) if share else None
            drawn[f"{name}_{end}"] = None if value is None or not scale else round(100 * value / scale, 2)
    return drawn
