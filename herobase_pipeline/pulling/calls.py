"""A day's calls, each with its place in the hierarchy that it carries."""

import datetime as dt
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Any

import duckdb

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.errors import HeroBaseError, NotFoundError, RightMissingError
from herobase_pipeline.herobase.organisation import OrgTree, code_of
from herobase_pipeline.herobase.quota import quoted_for
from herobase_pipeline.lake.engine import define_token, number
from herobase_pipeline.lake.gone import is_back
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.pulling.day import WHOLE, Asked, Day, Mode, Pulling, last_seen, pull
from herobase_pipeline.pulling.placement import evidence, find, place, raw, recall, remember
from herobase_pipeline.settings import Settings
from herobase_pipeline.spelling import meant
from herobase_pipeline.tables import CALL_PHONES, CALLS, Table

_SHRINKAGE = 0.2  # of a day's calls
# in progress or in wrap-up when seen last; what stays without an outcome for longer waits for the night's pull
_UNSETTLED = """if(
    NOT settled AND started_at > last_seen - INTERVAL 2 HOURS
        AND coalesce(ended_at, last_seen) > last_seen - INTERVAL 15 MINUTES,
    started_at, NULL)"""
# once an hour what may have been listed only when it ended: from three hours back, or from as far as the longest call lasted
_HOURLY = """if(
    date_trunc('hour', $now) > date_trunc('hour', last_seen),
    last_seen - greatest(INTERVAL 3 HOURS, INTERVAL 10 MINUTES + coalesce(max(ended_at - started_at) OVER (), INTERVAL 0 HOURS)),
    NULL)"""
_KEPT_FREE = 0.3  # of the daily requests for calls: what a sweep leaves for everything else
_SORTED = 50_000  # calls of a day; to sort more takes the memory that landing them has left, and then twice the time
_KEPT = {
    CALLS: """UNION ALL BY NAME
        SELECT * REPLACE ($day AS call_date, kinds(extra) AS extra) FROM seen ANTI JOIN pulled USING (call_id)""",
    CALL_PHONES: """UNION ALL BY NAME
        SELECT call_id, phone, coalesce(seen.extra, of_calls.extra) AS extra
        FROM seen FULL JOIN seen_calls AS of_calls USING (call_id)
        ANTI JOIN pulled USING (call_id)""",
}
"""What a refresh keeps of a day's file."""


class _Sweep(Enum):
    """Whether each unit was asked for its own calls, as calls do not say where they belong."""

    NONE = auto()
    DONE = auto()
    PUT_OFF = auto()


class ShrunkError(Exception):
    """A pull brought far fewer calls than the day had before, which is a fault more often than the truth (trap T2)."""


def pull_calls(
    day: dt.date,
    herobase: HeroBase,
    lake: Lake,
    settings: Settings,
    mode: Mode = WHOLE,
) -> Pulling:
    """Pull the calls that started on a local day and put them in place of the day's files.

    A refresh asks only for what is new since the last pull and for calls that were not settled then, and keeps the rest:
    it costs as much as there is new, however large the day. What changes otherwise is found by the night's pull.

    Raises:
        HeroBaseError: a window failed; the files are as they were.
        ShrunkError: the day would lose more than a fifth of its calls, and ``mode`` does not say that this is
            right; the files are as they were.
        UnreadableError: the calls cannot be read; the files are as they were.

    """
    now = herobase.budget.utcnow()
    since = last_seen(lake, CALLS, day, settings, f"least({_UNSETTLED}, {_HOURLY})", now) if mode.refresh else None
    with pull("calls", day, herobase, lake, settings, (CALLS, CALL_PHONES), since, raw_fields=("user",)) as day_pull:
        landing, con = day_pull.landing, day_pull.landing.con
        define_token(con, settings.phone_key)
        tree = _tree(herobase, settings)
        units_set_aside = len(herobase.unreadable)
        asked = _asked(tree, settings)
        for code in asked:
            day_pull.ask(partial(herobase.calls, code), code)
        yield from day_pull.pause(Asked.FOR_NOW)
        day_pull.gather()
        known = recall(lake)
        hierarchy = find(con, landing.wire_fields(), tree, settings.call_org_field, known)
        sweep = _Sweep.NONE
        if not hierarchy.fields and not mode.refresh:
            sweep = _sweep(day_pull, herobase, lake, day, [unit.given for unit in tree.units.values()], asked)
        yield from day_pull.pause(Asked.ALL)
        account = day_pull.account()
        place(con, hierarchy, asked)
        unknown = landing.unknown(without=hierarchy.fields)
        con.execute(
            f"CREATE TEMP VIEW pulled_calls AS SELECT *, {raw(hierarchy.fields)} AS hierarchy_raw, {unknown} FROM pulled"
        )
        # as they are before they are written: files of older versions have the content of unknown fields there
        con.execute(
            f"CREATE TEMP TABLE seen_calls AS SELECT call_id, extra FROM ({stored(lake, CALLS, day)}) WHERE NOT is_kinds(extra)"
        )
        if since is None:
            _refuse_to_shrink(con, lake, day, day_pull.params, accepted=mode.accept_shrunk)
        day_pull.set_aside(anew=True)
        observed = {"day": day, "observed_at": day_pull.asked_at, "swept": sweep is _Sweep.DONE}
        # a day that is refreshed is written again in minutes, and whole in the night
        sort = since is None and landing.records <= _SORTED

        def query(table: Table) -> str:
            return table.query if since is None else f"({table.query}) {_KEPT[table]}"

        rows = {
            CALLS.name: write(
                lake,
                con,
                CALLS,
                query(CALLS),
                day=day,
                params=day_pull.params | observed,
                complete=day_pull.complete,
                asked=day_pull.asked_at,
                sort=sort,
            ),
            # last, as what lead a number is of stands in calls
            CALL_PHONES.name: write(
                lake, con, CALL_PHONES, query(CALL_PHONES), day=day, params=day_pull.params, sort=sort
            ),
        }
        if since is None:
            is_back(lake, CALLS, day)
        calls = stored(lake, CALLS, day)
        without_org = number(con, f"SELECT count(*) FROM ({calls}) WHERE org_source = 'missing'")
        newest = f"SELECT max(started_at) FROM ({calls})"
        details: dict[str, int | str] = {"calls_without_hierarchy": without_org}
        if landing.records:  # without a call nothing is known of it
            details["hierarchy_field"] = ", ".join(hierarchy.fields) or "(none)"
        if units_set_aside:
            details["units_set_aside"] = units_set_aside
        if sweep is _Sweep.PUT_OFF:
            details["sweep_put_off"] = 1
        if since is None and settings.call_org_field is None:
            remember(lake, hierarchy, day, evidence(con, hierarchy.fields))
        return day_pull.pulled(rows, account, newest, details)


def _refuse_to_shrink(
    con: duckdb.DuckDBPyConnection, lake: Lake, day: dt.date, params: Mapping[str, Any], *, accepted: bool
) -> None:
    before = number(con, f"SELECT count(*) FROM ({stored(lake, CALLS, day)})")
    if accepted or not before:
        return
    found = "SELECT count(DISTINCT call_id) FROM pulled WHERE started_at >= $day_start AND started_at < $day_end"
    now = number(con, found, params)
    if now < (1 - _SHRINKAGE) * before:
        raise ShrunkError(
            f"HeroBase now has {now} calls of {day} where it had {before}, so the {before} were kept. Find out why (a right "
            "withdrawn? a unit removed?); if it is right, run the day again with the tag herobase/accept_shrunk=true."
        )


def _asked(tree: OrgTree, settings: Settings) -> list[str]:
    """Return the units to ask for: those of the settings, each checked against the tree where there is one, or its roots."""
    for code in settings.org_codes if tree.units else ():
        if code not in tree:
            raise NotFoundError(
                f"HEROBASE_ORG_CODES: HeroBase has no org unit {code}, so nothing was asked for. "
                f"{meant(code, [unit.code for unit in tree.units.values()])}"
            )
    codes = settings.org_codes or tree.roots()
    asked = [tree.units[code_of(code).casefold()].given if tree.units else code for code in codes]
    if not asked:
        raise NotFoundError(
            "organizationalunits: HeroBase lists no org unit, so there is none whose calls could be asked for. Ask "
            "HeroBase's support to let the account see the organisation, or set HEROBASE_ORG_CODES."
        )
    return list(dict.fromkeys(asked))


def _sweep(
    day_pull: Day, herobase: HeroBase, lake: Lake, day: dt.date, units: Sequence[str], asked: list[str]
) -> _Sweep:
    """Ask each unit for its own calls, as the calls do not say where they belong (API reference, section 3).

    A call that was placed before keeps its place, as a sweep finds the units of today (trap T24). So a day is swept once, and
    again only for calls that have an agent and no place. Where it would take what other pulls need, it waits for the next night.

    Args:
        day_pull: the pull of the day, which has the calls of the units in ``asked``.
        herobase: whom to ask.
        lake: what is known of the day.
        day: the day.
        units: all units.
        asked: those that were asked already; the others are added.

    """
    placed = f"SELECT call_id FROM ({stored(lake, CALLS, day)}) WHERE org_source <> 'missing'"
    lacking = f"""
        SELECT count(*) FROM pulled
        WHERE agent IS NOT NULL AND started_at >= $day_start AND started_at < $day_end AND call_id NOT IN ({placed})
    """
    rest = [code for code in units if code not in asked]
    if not rest or not number(day_pull.landing.con, lacking, day_pull.params):
        return _Sweep.NONE
    if not _affords(herobase, len(rest)):
        return _Sweep.PUT_OFF
    for code in rest:
        day_pull.ask(partial(herobase.calls, code), code)
        asked.append(code)
    day_pull.gather()
    return _Sweep.DONE


def _affords(herobase: HeroBase, requests: int) -> bool:
    """Whether so many requests leave enough of the day's quota of calls; where HeroBase does not say, they do."""
    try:
        limit, count = (quoted_for("calls", ask()) for ask in (herobase.request_limits, herobase.request_counts))
    except HeroBaseError:
        return True
    return limit is None or count is None or limit - count - requests >= _KEPT_FREE * limit


def _tree(herobase: HeroBase, settings: Settings) -> OrgTree:
    """Return today's units; none where the account may not see them, if the settings say whom to ask for."""
    try:
        return OrgTree.of(herobase.org_units())
    except (RightMissingError, NotFoundError):
        if not settings.org_codes:
            raise
        return OrgTree({})
