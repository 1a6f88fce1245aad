"""A day's calls, each with its place in the hierarchy that it carries."""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import Any

import duckdb

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.errors import NotFoundError, RightMissingError
from herobase_pipeline.herobase.organisation import OrgTree
from herobase_pipeline.lake.engine import define_token, number
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.pulling.day import WHOLE, Mode, Pulled, last_seen, pull
from herobase_pipeline.pulling.placement import find, place, raw
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_PHONES, CALLS, Table

_SHRINKAGE = 0.2  # of a day's calls
# in progress or in wrap-up when seen last; what stays without an outcome for longer waits for the night's pull
_UNSETTLED = """if(
    NOT settled AND started_at > last_seen - INTERVAL 2 HOURS
        AND coalesce(ended_at, last_seen) > last_seen - INTERVAL 15 MINUTES,
    started_at, NULL)"""
_SORTED = 50_000  # calls of a day; to sort more takes the memory that landing them has left, and then twice the time
_KEPT = "UNION ALL BY NAME SELECT * FROM seen ANTI JOIN pulled USING (call_id)"


class ShrunkError(Exception):
    """A pull brought far fewer calls than the day had before, which is a fault more often than the truth (trap T2)."""


def pull_calls(
    day: dt.date,
    herobase: HeroBase,
    lake: Lake,
    settings: Settings,
    mode: Mode = WHOLE,
) -> Pulled:
    """Pull the calls that started on a local day and put them in place of the day's files.

    A refresh asks only for what is new since the last pull and for calls that were not settled then, and keeps the rest:
    it costs as much as there is new, however large the day. What changes otherwise is found by the night's pull.

    Raises:
        HeroBaseError: a window failed; the files are as they were.
        ShrunkError: the day would lose more than a fifth of its calls, and ``mode`` does not say that this is
            right; the files are as they were.
        UnreadableError: the calls cannot be read; the files are as they were.

    """
    since = last_seen(lake, CALLS, day, settings, _UNSETTLED) if mode.refresh else None
    with pull(day, herobase, lake, settings, (CALLS, CALL_PHONES), since, raw_fields=("user",)) as day_pull:
        landing, con = day_pull.landing, day_pull.landing.con
        define_token(con, settings.phone_key)
        tree = _tree(herobase, settings)
        asked = list(settings.org_codes or tree.roots())
        if not asked:
            raise NotFoundError(
                "organizationalunits: HeroBase lists no org unit, so there is none whose calls could be asked for. Ask "
                "HeroBase's support to let the account see the organisation, or set HEROBASE_ORG_CODES."
            )
        for code in asked:
            day_pull.ask(partial(herobase.calls, code), code)
        landing.gather()
        hierarchy = find(con, landing.wire_fields(), tree, settings.call_org_field)
        swept = not hierarchy.fields and landing.records > 0
        if swept:  # the calls do not say where they belong: ask each unit for its own (API reference, section 3)
            for code in [unit.code for unit in tree.units.values() if unit.code not in asked]:
                day_pull.ask(partial(herobase.calls, code), code)
                asked.append(code)
            landing.gather()
        account = day_pull.account("calls")
        place(con, hierarchy, asked)
        extra = landing.extra(without=hierarchy.fields)
        con.execute(
            f"CREATE TEMP VIEW pulled_calls AS SELECT *, {raw(hierarchy.fields)} AS hierarchy_raw, {extra} AS extra FROM pulled"
        )
        if since is None:
            _refuse_to_shrink(con, lake, day, day_pull.params, accepted=mode.accept_shrunk)
        day_pull.set_aside(lake, "calls", anew=True)
        observed = {"observed_at": herobase.budget.utcnow(), "swept": swept}
        # a day that is refreshed is written again in minutes, and whole in the night
        sort = since is None and landing.records <= _SORTED

        def query(table: Table) -> str:
            return table.query if since is None else f"({table.query}) {_KEPT}"

        rows = {
            CALL_PHONES.name: write(
                lake, con, CALL_PHONES, query(CALL_PHONES), day=day, params=day_pull.params, sort=sort
            ),
            CALLS.name: write(
                lake,
                con,
                CALLS,
                query(CALLS),
                day=day,
                params=day_pull.params | observed,
                complete=day_pull.complete,
                sort=sort,
            ),
        }
        calls = stored(lake, CALLS, day)
        without_org = number(con, f"SELECT count(*) FROM ({calls}) WHERE org_source = 'missing'")
        newest = f"SELECT max(started_at) FROM ({calls})"
        details: dict[str, int | str] = {"calls_without_hierarchy": without_org}
        if landing.records:  # without a call nothing is known of it
            details["hierarchy_field"] = ", ".join(hierarchy.fields) or "(none)"
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


def _tree(herobase: HeroBase, settings: Settings) -> OrgTree:
    """Return today's units; none where the account may not see them, if the settings say whom to ask for."""
    try:
        return OrgTree.of(herobase.org_units())
    except (RightMissingError, NotFoundError):
        if not settings.org_codes:
            raise
        return OrgTree({})
