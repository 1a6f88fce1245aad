"""Where each pulled call belongs: the hierarchy that it carries, or the units it was found under.

What thousands of calls have shown of the hierarchy is kept in the lake (note ``hierarchy``) and used again: a refresh brings
a handful of calls, and a handful may show another field or another direction.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import duckdb
import msgspec

from herobase_pipeline.herobase.organisation import (
    UNKNOWN,
    Form,
    Hierarchy,
    Level,
    OrgTree,
    candidates,
    find_hierarchy,
    with_separators,
)
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.engine import literal, number, quoted
from herobase_pipeline.lake.landing import WIRE
from herobase_pipeline.lake.layout import Lake

ENOUGH = 200
"""Calls with an agent: as many settle where the hierarchy is, and fewer do not unsettle it."""
_NOTE = "hierarchy"
_LOOKED_AT = 20_000  # calls whose fields are looked at to find the hierarchy


@dataclass(frozen=True)
class Remembered:
    """What a lake knows of its calls' hierarchy.

    Attributes:
        form: where it is and how it is written; without fields, calls carry none.
        calls: the calls with an agent that showed it on a day.
        day: the latest day that showed it.
        codes: codes with a separator in them that were units at some time, in lower case.

    """

    form: Form
    calls: int
    day: dt.date
    codes: tuple[str, ...] = ()


def recall(lake: Lake) -> Remembered | None:
    """Return what the lake remembers of the hierarchy; None where it has none, or cannot be read."""
    return _of(notes.read(lake, _NOTE))


def _of(note: notes.Note | None) -> Remembered | None:
    try:
        return msgspec.convert(note, Remembered, strict=False)
    except msgspec.ValidationError:
        return None


def remember(lake: Lake, hierarchy: Hierarchy, day: dt.date, calls: int) -> None:
    """Keep what a whole pull has shown of the hierarchy.

    A day before the latest one that showed another field says how it was then, and a day without any hierarchy does not
    make the lake forget where it is: it may have been left out of the answers (trap T15).

    Args:
        lake: where.
        hierarchy: what was found.
        day: the day that was pulled.
        calls: how many calls with an agent showed it.

    """
    with notes.updating(lake, _NOTE) as note:
        before = _of(note)
        codes = tuple(sorted({*hierarchy.codes, *(before.codes if before else ())}))
        if before is None:
            now = Remembered(hierarchy.form, calls, day, codes)
        elif before.form == hierarchy.form:
            now = Remembered(before.form, max(calls, before.calls), max(day, before.day), codes)
        elif calls and day >= before.day and (hierarchy.fields or not before.form.fields):
            now = Remembered(hierarchy.form, calls, day, codes)
        else:
            now = replace(before, codes=codes)
        if calls or before is not None:
            note.update(asdict(now) | {"day": str(now.day)})


def find(
    con: duckdb.DuckDBPyConnection,
    fields: Iterable[str],
    tree: OrgTree,
    forced: str | None,
    known: Remembered | None,
) -> Hierarchy:
    """Find the hierarchy of the calls in ``pulled``: the one that is known, or by what the first of them have.

    Args:
        con: the connection that has ``pulled``.
        fields: the fields of the wire that may hold it.
        tree: today's units.
        forced: the field's name where it must not be sought.
        known: what the lake remembers. It is used where the calls carry its fields, and where they are too few to say
            otherwise.

    """
    ways = candidates(fields)
    if forced is None and known is not None and known.form.fields:
        there = _as_spelled(ways, known.form.fields)
        calls, carrying = evidence(con, ()), evidence(con, there) if there else 0
        is_settled = known.calls >= ENOUGH or calls <= known.calls
        if (carrying and is_settled) or calls < min(known.calls, ENOUGH):
            return Hierarchy(replace(known.form, fields=there), tree, with_separators(tree, known.codes))
    of_them = ["agent", *dict.fromkeys(quoted(WIRE + name) for way in ways for name in way)]
    con.execute(f"CREATE OR REPLACE TEMP TABLE looked_at AS SELECT {', '.join(of_them)} FROM pulled LIMIT {_LOOKED_AT}")
    values = {}
    for way in ways:
        frequent = con.execute(f"SELECT {raw(way)} AS raw, count(*) FROM looked_at GROUP BY raw").fetchall()
        values[way] = {tuple(texts): calls for texts, calls in frequent}
    agents = con.execute("SELECT DISTINCT agent FROM looked_at WHERE agent IS NOT NULL").fetchall()
    return find_hierarchy(
        values, tree, forced, agents=[agent for (agent,) in agents], codes=known.codes if known else ()
    )


def evidence(con: duckdb.DuckDBPyConnection, fields: Sequence[str]) -> int:
    """Return how many of the pulled calls with an agent have something in some fields; of no fields, all of them.

    A call that was dropped has no agent, and by nature no hierarchy.
    """
    filled = " OR ".join(
        f"nullif(nullif(nullif({quoted(WIRE + name)}, ''), 'null'), '[]') IS NOT NULL" for name in fields
    )
    return number(con, f"SELECT count(DISTINCT call_id) FROM pulled WHERE agent IS NOT NULL AND ({filled or 'true'})")


def _as_spelled(ways: Sequence[tuple[str, ...]], fields: Sequence[str]) -> tuple[str, ...]:
    """Return the fields as these calls spell them, deeper numbered ones included; none where they have none of them."""
    wanted = {field.casefold() for field in fields}
    alike = [
        way for way in ways if wanted & {field.casefold() for field in way} and (len(way) > 1) == (len(fields) > 1)
    ]
    alone = [way for way in ways if len(way) == 1 and way[0].casefold() in wanted]
    return next(iter([*alike, *alone]), ())


def place(con: duckdb.DuckDBPyConnection, hierarchy: Hierarchy, asked: Sequence[str]) -> None:
    """Make the relations ``hierarchy``, the place of each raw value with each agent, and ``asked_units``, that of each unit.

    A place is NULL where there is none. Some hierarchies have the agent at an end, who is no unit.
    """
    values = []
    if hierarchy.fields:
        values = con.execute(f"SELECT DISTINCT {raw(hierarchy.fields)}, agent FROM pulled").fetchall()
    paths = {texts: hierarchy.path(texts) for texts in {tuple(texts) for texts, _ in values}}
    found = [(texts, agent, *_columns(paths[tuple(texts)], hierarchy.tree, agent)) for texts, agent in values]
    units = [(code, *_columns(hierarchy.tree.path(code), hierarchy.tree)) for code in asked]
    _relation(con, "hierarchy", {"raw": ["VARCHAR"], "agent": "VARCHAR"}, "call", found)
    _relation(con, "asked_units", {"asked": "VARCHAR"}, "sweep", units)


def raw(fields: Sequence[str]) -> str:
    """Return the SQL of a call's raw texts in some fields of the wire."""
    return "[" + ", ".join(quoted(WIRE + name) for name in fields) + "]::VARCHAR[]"


def _columns(path: Sequence[Level], tree: OrgTree, agent: str | None = None) -> tuple[list[str], list[str]]:
    """Return codes and names, without the agent; a gap in the hierarchy is shown as one (trap T27)."""
    codes = [level.code or UNKNOWN for level in path]
    names = [level.name or tree.name(code) for level, code in zip(path, codes, strict=True)]
    is_agent = [agent is not None and code.lower() == agent.lower() for code in codes]
    units = slice(int(is_agent[:1] == [True]), len(codes) - int(is_agent[-1:] == [True]))
    return codes[units], names[units]


def _relation(
    con: duckdb.DuckDBPyConnection,
    name: str,
    keys: Mapping[str, str | list[str]],
    source: str,
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Make a temporary table of the places of some keys.

    It goes by way of JSON, as the Arrow bridge takes longer to import than a day to land.
    """
    shape = {**keys, "path": ["VARCHAR"], "names": ["VARCHAR"]}
    records = msgspec.json.encode([dict(zip(shape, row, strict=True)) for row in rows]).decode()
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {name} AS
        SELECT {", ".join(keys)},
            CASE WHEN len(path) > 0 THEN {{source: {literal(source)}, path: path, names: names, key: org_key(path)}} END AS place
        FROM (SELECT unnest(from_json(?, {literal(msgspec.json.encode([shape]).decode())}), max_depth := 2))""",
        [records],
    )
