"""One day of calls or of leads, or one small list: from HeroBase through the spool into the lake. No Dagster here."""

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.documents import Segment
from herobase_pipeline.herobase.errors import NotFoundError, RightMissingError
from herobase_pipeline.herobase.organisation import OrgTree
from herobase_pipeline.herobase.records import member, reference
from herobase_pipeline.herobase.windows import Pull, margin, recent
from herobase_pipeline.lake import arrow
from herobase_pipeline.lake.engine import connect, define_token, instant, number
from herobase_pipeline.lake.landing import Landing, UnreadableError
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.partitions import Window, day_bounds, local_day, repeated_hour
from herobase_pipeline.pulling.placement import find, place, raw
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_PHONES, CALLS, LEAD_DATA, SIMPLE_LEADS, Column, Table, Type

_SHRINKAGE = 0.2  # of a day's calls
_OVERLAP = dt.timedelta(minutes=10)  # asked for again at a refresh, as a record may turn up later than its time says
# in progress or in wrap-up when seen last; what stays without an outcome for longer waits for the night's pull
_UNSETTLED = """if(
    NOT settled AND started_at > last_seen - INTERVAL 2 HOURS
        AND coalesce(ended_at, last_seen) > last_seen - INTERVAL 15 MINUTES,
    started_at, NULL)"""
_SORTED = 50_000  # calls of a day; to sort more takes the memory that landing them has left, and then twice the time
_KEPT = {
    CALLS: """UNION ALL BY NAME
        SELECT * REPLACE ($day AS call_date, kinds(extra) AS extra) FROM seen ANTI JOIN pulled USING (call_id)""",
    # files of older versions have the content of unknown fields in calls
    CALL_PHONES: """UNION ALL BY NAME
        SELECT call_id, phone, coalesce(seen.extra, of_calls.extra) AS extra
        FROM seen FULL JOIN (SELECT call_id, extra FROM seen_calls WHERE NOT is_kinds(extra)) AS of_calls USING (call_id)
        ANTI JOIN pulled USING (call_id)""",
}
"""What a refresh keeps of a day's file."""


@dataclass(frozen=True)
class Pulled:
    """What a pull of one day brought.

    Attributes:
        rows: rows of the day's file, by table.
        requests: requests made.
        bytes: bytes received.
        unreadable: values that had none of the known forms and became NULL.
        seconds: that it took, waits for the account's limit per minute included.
        lag_s: seconds from the end of the day, or from the newest record of a day that still runs, to now; None for a
            running day without any.
        without_org: calls without a hierarchy.
        org_field: the field in which the hierarchy was found; empty where no field has it, None where no call came.

    """

    rows: Mapping[str, int]
    requests: int
    bytes: int
    unreadable: int
    seconds: float
    lag_s: int | None
    without_org: int = 0
    org_field: str | None = None


class _Day:
    """The pull of one local day into a landing of its own."""

    def __init__(
        self, day: dt.date, herobase: HeroBase, landing: Landing, settings: Settings, since: dt.datetime | None
    ) -> None:
        self.landing = landing
        self.bounds = day_bounds(day, settings.zone)
        self.params: dict[str, Any] = {"day_start": self.bounds.start, "day_end": self.bounds.end}
        now = herobase.budget.utcnow()  # before anything is asked: what comes later is not known
        self.complete = [day] if now >= self.bounds.end and since is None else []
        self._herobase = herobase
        self._margin = margin(self.bounds, settings.zone)
        self._asked = self.bounds.widened(self._margin) if since is None else recent(since, now, settings.zone)
        self._before = herobase.budget.total, herobase.bytes_received, time.monotonic()

    def ask(self, answer: Callable[[Window], Iterator[Segment]], asked: str = "") -> None:
        """Land all that ``answer`` yields for the day and its margins, in smaller windows where that is needed."""

        def land(window: Window) -> int:
            return self._herobase.retrying(lambda: self.landing.document(answer(window), asked))

        def strays(window: Window) -> int:
            return self.landing.strays(window.widened(self._margin))

        Pull(land, strays).run(self._asked)

    def pulled(self, rows: Mapping[str, int], newest: str, **more: Any) -> Pulled:
        """Sum up. ``newest`` is the query for the time of the newest record of the day's file."""
        requests, received, began = self._before
        reached = self.bounds.end if self.complete else instant(self.landing.con, newest)
        return Pulled(
            rows,
            self._herobase.budget.total - requests,
            self._herobase.bytes_received - received,
            number(self.landing.con, "SELECT coalesce(sum(unreadable), 0) FROM pulled"),
            round(time.monotonic() - began, 2),
            None if reached is None else round((self._herobase.budget.utcnow() - reached).total_seconds()),
            **more,
        )


class ShrunkError(Exception):
    """A pull brought far fewer calls than the day had before, which is a fault more often than the truth (trap T2)."""


def pull_calls(
    day: dt.date,
    herobase: HeroBase,
    lake: Lake,
    settings: Settings,
    *,
    accept_shrunk: bool = False,
    refresh: bool = False,
) -> Pulled:
    """Pull the calls that started on a local day and put them in place of the day's files.

    A refresh asks only for what is new since the last pull and for calls that were not settled then, and keeps the rest:
    it costs as much as there is new, however large the day. What changes otherwise is found by the night's pull.

    Raises:
        HeroBaseError: a window failed; the files are as they were.
        ShrunkError: the day would lose more than a fifth of its calls, and ``accept_shrunk`` does not say that this is
            right; the files are as they were.
        UnreadableError: the calls cannot be read; the files are as they were.

    """
    since = _last_seen(lake, CALLS, day, settings, _UNSETTLED) if refresh else None
    with _pull(day, herobase, lake, settings, (CALLS, CALL_PHONES), since, raw_fields=("user",)) as pull:
        landing, con = pull.landing, pull.landing.con
        define_token(con, settings.phone_key)
        tree = _tree(herobase, settings)
        asked = list(settings.org_codes or tree.roots())
        if not asked:
            raise NotFoundError(
                "organizationalunits: HeroBase lists no org unit, so there is none whose calls could be asked for. Ask "
                "HeroBase's support to let the account see the organisation, or set HEROBASE_ORG_CODES."
            )
        for code in asked:
            pull.ask(partial(herobase.calls, code), code)
        landing.gather()
        hierarchy = find(con, landing.wire_fields(), tree, settings.call_org_field)
        swept = not hierarchy.fields and landing.records > 0
        if swept:  # the calls do not say where they belong: ask each unit for its own (API reference, section 3)
            for code in [unit.code for unit in tree.units.values() if unit.code not in asked]:
                pull.ask(partial(herobase.calls, code), code)
                asked.append(code)
            landing.gather()
        place(con, hierarchy, asked)
        unknown = landing.unknown(without=hierarchy.fields)
        con.execute(
            f"CREATE TEMP VIEW pulled_calls AS SELECT *, {raw(hierarchy.fields)} AS hierarchy_raw, {unknown} FROM pulled"
        )
        con.execute(f"CREATE TEMP VIEW seen_calls AS {stored(lake, CALLS, day)}")
        if since is None:
            _refuse_to_shrink(con, lake, day, pull.params, accepted=accept_shrunk)
        observed = {"day": day, "observed_at": herobase.budget.utcnow(), "swept": swept}
        # a day that is refreshed is written again in minutes, and whole in the night
        sort = since is None and landing.records <= _SORTED

        def query(table: Table) -> str:
            return table.query if since is None else f"({table.query}) {_KEPT[table]}"

        rows = {
            CALL_PHONES.name: write(lake, con, CALL_PHONES, query(CALL_PHONES), day=day, params=pull.params, sort=sort),
            CALLS.name: write(
                lake,
                con,
                CALLS,
                query(CALLS),
                day=day,
                params=pull.params | observed,
                complete=pull.complete,
                sort=sort,
            ),
        }
        calls = stored(lake, CALLS, day)
        without_org = number(con, f"SELECT count(*) FROM ({calls}) WHERE org_source = 'missing'")
        newest = f"SELECT max(started_at) FROM ({calls})"
        field = ", ".join(hierarchy.fields) if landing.records else None
        return pull.pulled(rows, newest, without_org=without_org, org_field=field)


def pull_simple_leads(
    day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, *, refresh: bool = False
) -> Pulled:
    """Pull the leads last modified on a local day and add their versions to the day's files (trap T1).

    A refresh asks only for what was modified since the last pull.

    Raises:
        HeroBaseError: a window failed; the files are as they were.
        UnreadableError: the leads cannot be read; the files are as they were.

    """
    since = _last_seen(lake, SIMPLE_LEADS, day, settings) if refresh else None
    with _pull(day, herobase, lake, settings, (SIMPLE_LEADS, LEAD_DATA), since) as pull:
        landing, con = pull.landing, pull.landing.con
        pull.ask(partial(herobase.simple_leads, settings.projects))
        landing.gather()
        con.execute(f"CREATE TEMP VIEW pulled_leads AS SELECT *, {landing.unknown(without=())} FROM pulled")
        con.execute(f"CREATE TEMP VIEW seen_versions AS {stored(lake, SIMPLE_LEADS, day)}")
        observed = {"day": day, "observed_at": herobase.budget.utcnow()}
        rows = {
            LEAD_DATA.name: write(lake, con, LEAD_DATA, day=day, params=pull.params),
            SIMPLE_LEADS.name: write(
                lake,
                con,
                SIMPLE_LEADS,
                day=day,
                params=pull.params | observed,
                complete=pull.complete,
            ),
        }
        return pull.pulled(rows, f"SELECT max(last_modified_at) FROM ({stored(lake, SIMPLE_LEADS, day)})")


def pull_list(table: Table, records: Sequence[Mapping[str, Any]], lake: Lake, settings: Settings) -> int:
    """Write a small list as the file of today; a list pulled twice a day is kept as it was last.

    Args:
        table: each column with a ``field`` is read from it.
        records: the records as HeroBase gave them.
        lake: where.
        settings: the zone of today.

    Returns:
        The number of rows.

    """
    now = dt.datetime.now(dt.UTC)
    rows = [
        {column.name: _plain(record, column) for column in table if column.field}
        | {"observed_at": now, "record": json.dumps(record, ensure_ascii=False)}
        for record in records
    ]
    with spool(lake) as folder, connect(settings.zone, folder) as con:
        con.register("records", pa.Table.from_pylist(rows, arrow.schema(table)))
        return write(lake, con, table, "FROM records", day=local_day(now, settings.zone))


def _plain(record: Mapping[str, Any], column: Column) -> Any:
    name, _, key = str(column.field).partition(".")
    value = reference(record, name, key) if key else member(record, name)
    if column.type is Type.FLAG:
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).casefold())
    if column.type is Type.TEXTS:
        return [str(item) for item in value] if isinstance(value, list) else None
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@contextmanager
def _pull(
    day: dt.date,
    herobase: HeroBase,
    lake: Lake,
    settings: Settings,
    tables: Sequence[Table],
    since: dt.datetime | None,
    raw_fields: Sequence[str] = (),
) -> Iterator[_Day]:
    bounds = day_bounds(day, settings.zone)
    twice = repeated_hour(bounds.widened(margin(bounds, settings.zone)), settings.zone)
    with (
        spool(lake) as folder,
        connect(settings.zone, folder) as con,
        Landing(con, folder, tables, raw_fields, twice) as landing,
    ):
        try:
            yield _Day(day, herobase, landing, settings, since)
        except duckdb.Error as error:
            raise UnreadableError(
                f"The records of {day} from HeroBase could not be processed ({type(error).__name__}), so nothing was changed. "
                "What DuckDB says of them is withheld, as it may quote a customer's data: report the day and this sentence."
            ) from None


def _last_seen(lake: Lake, table: Table, day: dt.date, settings: Settings, also: str = "NULL") -> dt.datetime | None:
    """Return from when on a refresh has to ask, for a day of a table; None if the day has to be asked for whole."""
    with spool(lake) as folder, connect(settings.zone, folder) as con:
        seen = f"SELECT *, max(observed_at) OVER () AS last_seen FROM ({stored(lake, table, day)})"
        query = f"SELECT least(max(last_seen) - $overlap, min({also})) FROM ({seen})"
        ((since,),) = con.execute(query, {"overlap": _OVERLAP}).fetchall()
    return None if since is None else since.astimezone(dt.UTC)


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
