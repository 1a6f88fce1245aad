"""One day of calls or of leads: from HeroBase through the spool into the lake. No Dagster here."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.errors import RightMissingError
from herobase_pipeline.herobase.organisation import UNKNOWN, Hierarchy, Level, OrgTree, candidates, find_hierarchy
from herobase_pipeline.herobase.records import member, reference
from herobase_pipeline.herobase.windows import margin, pull
from herobase_pipeline.lake.engine import connect, literal, number, quoted
from herobase_pipeline.lake.landing import WIRE, Landing
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.partitions import Window, day_bounds, local_day, repeated_hour
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_PHONES, CALLS, LEAD_DATA, SIMPLE_LEADS, Column, Table, Type

_FREQUENT = 2_000  # distinct values of a field that are looked at to find the hierarchy
_BLOCK = 64
_ARROW = {
    Type.TEXT: pa.string(),
    Type.TEXTS: pa.list_(pa.string()),
    Type.INSTANT: pa.timestamp("us", "UTC"),
    Type.FLAG: pa.bool_(),
}


@dataclass(frozen=True)
class Pulled:
    """What a pull of one day brought.

    Attributes:
        rows: rows of the day's file, by table.
        received: records received, margins and repetitions included.
        requests: requests made.
        bytes: bytes received.
        unreadable: values that had none of the known forms and became NULL.
        without_org: calls without a hierarchy.
        org_field: the field in which the hierarchy was found.

    """

    rows: Mapping[str, int]
    received: int
    requests: int
    bytes: int
    unreadable: int
    without_org: int = 0
    org_field: str = ""


def pull_calls(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings) -> Pulled:
    """Pull the calls that started on a local day and put them in place of the day's files.

    Raises:
        HeroBaseError: a window failed; the files are as they were.
        UnreadableError: the calls cannot be read; the files are as they were.

    """
    with _landing(day, herobase, lake, settings, (CALLS, CALL_PHONES), raw=("user",)) as (landing, bounds, con):
        before = sum(herobase.budget.requests.values()), herobase.bytes_received
        tree = _tree(herobase, settings)
        wanted = bounds.widened(margin(bounds, settings.zone))

        def ask(code: str) -> None:
            def one_window(window: Window) -> int:
                return herobase.retrying(lambda: landing.document(herobase.calls(code, window), asked=code))

            pull(wanted, one_window, landing.different)

        asked = list(settings.org_codes or tree.roots())
        for code in asked:
            ask(code)
        landing.gather()
        hierarchy = _hierarchy(con, landing, tree, settings.call_org_field)
        swept = not hierarchy.fields and landing.records > 0
        if swept:  # the calls do not say where they belong: ask each unit for its own (API reference, section 3)
            for code in [unit.code for unit in tree.units.values() if unit.code not in asked]:
                asked.append(code)
                ask(code)
            landing.gather()
        _describe(con, hierarchy, [(code, tree.path(code)) for code in asked])
        con.execute(
            f"CREATE TEMP VIEW pulled_calls AS SELECT *, {_raw(hierarchy.fields)} AS hierarchy_raw, "
            f"{landing.extra(without=hierarchy.fields)} AS extra FROM pulled"
        )
        _set_phone_key(con, settings.phone_key)
        params = {
            "day_start": bounds.start,
            "day_end": bounds.end,
            "observed_at": herobase.budget.utcnow(),
            "swept": swept,
        }
        con.execute(f"CREATE TEMP TABLE calls_of_the_day AS {CALLS.query}", params)
        phones = "SELECT call_id, phone FROM calls_of_the_day WHERE phone IS NOT NULL"
        rows = {
            CALL_PHONES.name: write(lake, con, CALL_PHONES, phones, day=day, order="call_id"),
            CALLS.name: write(lake, con, CALLS, "FROM calls_of_the_day", day=day, order="started_at, call_id"),
        }
        return Pulled(
            rows,
            landing.records,
            sum(herobase.budget.requests.values()) - before[0],
            herobase.bytes_received - before[1],
            number(con, "SELECT coalesce(sum(unreadable), 0) FROM pulled"),
            number(con, "SELECT count(*) FROM calls_of_the_day WHERE org_source = 'missing'"),
            ", ".join(hierarchy.fields),
        )


def pull_simple_leads(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings) -> Pulled:
    """Pull the leads last modified on a local day and add their versions to the day's files (trap T1).

    Raises:
        HeroBaseError: a window failed; the files are as they were.
        UnreadableError: the leads cannot be read; the files are as they were.

    """
    with _landing(day, herobase, lake, settings, (SIMPLE_LEADS, LEAD_DATA)) as (landing, bounds, con):
        before = sum(herobase.budget.requests.values()), herobase.bytes_received

        def one_window(window: Window) -> int:
            return herobase.retrying(lambda: landing.document(herobase.simple_leads(settings.projects, window)))

        pull(bounds.widened(margin(bounds, settings.zone)), one_window, landing.different)
        landing.gather()
        con.execute(
            f"CREATE TEMP VIEW pulled_simple_leads AS SELECT *, {landing.extra(without=())} AS extra FROM pulled"
        )
        params = {"day_start": bounds.start, "day_end": bounds.end}
        order = "last_modified_at, lead_id, "
        fields = write(lake, con, LEAD_DATA, LEAD_DATA.query, day=day, order=order + "data", params=params)
        params["observed_at"] = herobase.budget.utcnow()
        versions = write(
            lake, con, SIMPLE_LEADS, SIMPLE_LEADS.query, day=day, order=order + "observed_at", params=params
        )
        rows = {LEAD_DATA.name: fields, SIMPLE_LEADS.name: versions}
        return Pulled(
            rows,
            landing.records,
            sum(herobase.budget.requests.values()) - before[0],
            herobase.bytes_received - before[1],
            number(con, "SELECT coalesce(sum(unreadable), 0) FROM pulled"),
        )


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
    schema = pa.schema({column.name: _ARROW[column.type] for column in table})
    with spool(lake) as folder, connect(settings.zone, folder) as con:
        con.register("records", pa.Table.from_pylist(rows, schema))
        return write(lake, con, table, "FROM records", day=local_day(now, settings.zone), order="ALL")


def _plain(record: Mapping[str, Any], column: Column) -> Any:
    name, _, key = str(column.field).partition(".")
    value = reference(record, name, key) if key else member(record, name)
    if column.type is Type.FLAG:
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).casefold())
    if column.type is Type.TEXTS:
        return [str(item) for item in value] if isinstance(value, list) else None
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@contextmanager
def _landing(
    day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, tables: Sequence[Table], raw: Sequence[str] = ()
) -> Iterator[tuple[Landing, Window, duckdb.DuckDBPyConnection]]:
    bounds = day_bounds(day, settings.zone)
    wide = bounds.widened(margin(bounds, settings.zone))
    with (
        spool(lake) as folder,
        connect(settings.zone, folder) as con,
        Landing(con, folder, tables, raw, repeated_hour(wide, settings.zone)) as landing,
    ):
        yield landing, bounds, con


def _tree(herobase: HeroBase, settings: Settings) -> OrgTree:
    """Return today's units; none where the account may not see them, if the settings say whom to ask for."""
    try:
        return OrgTree.of(herobase.org_units())
    except RightMissingError:
        if not settings.org_codes:
            raise
        return OrgTree({})


def _hierarchy(con: duckdb.DuckDBPyConnection, landing: Landing, tree: OrgTree, forced: str | None) -> Hierarchy:
    """Find the field that carries the hierarchy, by the frequent values of every field that no column names."""
    values = {
        fields: {
            tuple(raw): calls
            for raw, calls in con.execute(
                f"SELECT {_raw(fields)} AS raw, count(*) AS calls FROM pulled GROUP BY raw ORDER BY calls DESC, raw LIMIT {_FREQUENT}"
            ).fetchall()
        }
        for fields in candidates(landing.wire_fields())
    }
    return find_hierarchy(values, tree, forced)


def _raw(fields: Sequence[str]) -> str:
    return "[" + ", ".join(quoted(WIRE + name) for name in fields) + "]::VARCHAR[]"


def _describe(con: duckdb.DuckDBPyConnection, hierarchy: Hierarchy, asked: Sequence[tuple[str, list[Level]]]) -> None:
    """Make the relations ``hierarchy`` (what each raw value means) and ``asked_units`` (where each asked unit is)."""
    paths: dict[str, list[object]] = {"raw": [], "agent": [], "org_path": [], "org_names": []}
    if hierarchy.fields:
        path_of = cache(hierarchy.path)
        for raw, agent in con.execute(f"SELECT DISTINCT {_raw(hierarchy.fields)}, agent FROM pulled").fetchall():
            path = path_of(tuple(raw))
            if path and agent and path[-1].code and path[-1].code.casefold() == agent.casefold():
                path = path[:-1]  # some hierarchies end with the agent, who is no unit
            for column, value in zip(paths.values(), (raw, agent, *_columns(path, hierarchy.tree)), strict=True):
                column.append(value)
    units = [(code, *_columns(path, hierarchy.tree)) for code, path in asked]
    texts, text = pa.list_(pa.string()), pa.string()
    con.register(
        "hierarchy", pa.table(paths, pa.schema({"raw": texts, "agent": text, "org_path": texts, "org_names": texts}))
    )
    columns = dict(zip(("asked", "org_path", "org_names"), zip(*units, strict=True), strict=True)) if units else {}
    schema = pa.schema({"asked": text, "org_path": texts, "org_names": texts})
    con.register("asked_units", pa.table({name: columns.get(name, []) for name in schema.names}, schema))


def _columns(path: Sequence[Level], tree: OrgTree) -> tuple[list[str], list[str]]:
    """Return codes and names; a gap in the hierarchy is shown as one (trap T27)."""
    codes = [level.code or UNKNOWN for level in path]
    return codes, [level.name or tree.name(code) for level, code in zip(path, codes, strict=True)]


def _set_phone_key(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Give the connection the padded keys of ``token`` (RFC 2104)."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    for name, pad in (("inner_key", 0x36), ("outer_key", 0x5C)):
        con.execute(f"SET VARIABLE {name} = from_hex({literal(bytes(byte ^ pad for byte in block).hex())})")
