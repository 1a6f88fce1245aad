"""``lead_fields``: the declared fields of every lead as typed columns, and what is new or gone among the fields."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.deriving.session import NotDerivedError, deriving
from herobase_pipeline.deriving.sources import Source, define_sources, require_loaded
from herobase_pipeline.fields.columns import MACROS, covering, texts, typed, values
from herobase_pipeline.fields.declarations import RAW, Declaration, Kind, normal
from herobase_pipeline.lake.engine import literal, number, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables import (
    CALLS,
    CAMPAIGNS,
    LEAD_DATA,
    LEAD_FIELDS,
    RAW_LEADS,
    SEARCH_LEAD_DATA,
    VERSIONS,
)

FIELDS_OF_LEADS = (LEAD_DATA, SEARCH_LEAD_DATA, RAW_LEADS)
"""Where the fields of leads are; any of them will do."""
SOURCES = (*FIELDS_OF_LEADS, *VERSIONS, CAMPAIGNS, CALLS)

RECENT = 35  # days: a field that no lead changed in them has, has vanished
_LISTED = 80  # signs of a name
_MANY = 8  # digits: a phone number has as many
WITHHELD = "(withheld)"


@dataclass(frozen=True)
class Census:
    """How often a declared field was there, and read; numbers only, so it may be shown."""

    declaration: str
    field: str
    column: str
    type: str
    filled: int
    unreadable: int


@dataclass(frozen=True)
class Finding:
    """A field or a campaign that the declarations do not fit.

    Attributes:
        day: the last local day on which it was seen; of what was never seen, that of the file's latest lead.
        what: ``new``: not declared; ``vanished``: declared, and no longer there; ``unreadable``: fields that are no JSON
            object; ``campaign``: without a file.
        declaration: the file it is about; empty for a campaign.
        name: the field's name, or the campaign's code; withheld where a new one looks like a customer's data.
        leads: how many leads have it.

    """

    day: dt.date
    what: str
    declaration: str
    name: str
    leads: int


@dataclass(frozen=True)
class Projected:
    """What came of it: rows, those that no file was for, a line a declared field, and what does not fit."""

    rows: int
    undeclared_rows: int
    fields: Sequence[Census]
    findings: Sequence[Finding]


@dataclass(frozen=True)
class Seen:
    """A key as it is spelled in the data of a file's leads."""

    key: str
    leads: int
    last_day: dt.date


def project(lake: Lake, zone: ZoneInfo, declarations: Sequence[Declaration]) -> Projected:
    """Make ``lead_fields`` from all lead versions.

    Raises:
        NotLoadedError: there are no leads, or a file is for projects and the campaigns, which name them, are not loaded.
        NotDerivedError: two files are for the same campaign.

    """
    with deriving(lake, zone, LEAD_FIELDS) as con:
        gather(con, lake, declarations)
        seen = spellings(con)
        made = [
            "SELECT lead_id, last_modified_at, declaration, declaration_version FROM latest WHERE declaration IS NULL"
        ]
        for n, each in enumerate(declarations):  # texts first: to plan both at once takes minutes for 300 fields
            con.execute(f"CREATE TEMP TABLE texts_{n} AS {texts(each, _by_name(seen[each.name]))}")
            con.execute(f"CREATE TEMP TABLE values_{n} AS {values(each, f'texts_{n}')}")
            con.execute(f"DROP TABLE texts_{n}")
            made.append(f"FROM values_{n}")
        con.execute(f"CREATE TEMP VIEW made AS {' UNION ALL BY NAME '.join(made)}")
        fields = [line for each in declarations for line in _counted(con, each)]
        findings = [*_campaigns(con)] if declarations else []
        findings += [found for each in declarations for found in _misfits(con, each, seen[each.name])]
        ((undeclared,),) = con.execute("SELECT count(*) FROM made WHERE declaration IS NULL").fetchall()
        rows = write(lake, con, typed(declarations), "FROM made")
        return Projected(rows, undeclared, fields, findings)


def gather(con: duckdb.DuckDBPyConnection, lake: Lake, declarations: Sequence[Declaration]) -> None:
    """Make ``latest``, every lead with its fields as they came and the file that is for it, and the macros to read them."""
    needed: list[Source] = [FIELDS_OF_LEADS, *([CAMPAIGNS] if any(each.projects for each in declarations) else [])]
    require_loaded(lake, LEAD_FIELDS, needed)
    define_sources(con, lake, SOURCES)
    con.execute(MACROS)
    con.execute(f"CREATE TEMP TABLE latest AS {LEAD_FIELDS.query}", {"declared": covering(declarations)})
    for campaign, names in con.execute(
        "SELECT coalesce(campaign, '(none)'), declarations FROM latest WHERE len(declarations) > 1 ORDER BY 1 LIMIT 1"
    ).fetchall():
        raise NotDerivedError(
            f"The campaign {campaign} is in {' and '.join(f'{name}.toml' for name in names)}, so which of them reads its leads "
            "is not clear. Make their patterns of campaigns and projects apart."
        )


def spellings(con: duckdb.DuckDBPyConnection) -> dict[str, list[Seen]]:
    """Return the keys in the data of each file's leads; of those without one under an empty name."""
    found: dict[str, list[Seen]] = defaultdict(list)
    for declaration, *seen in con.execute("""
        SELECT coalesce(declaration, ''), key, count(*), local_day(max(last_modified_at))
        FROM (
            SELECT declaration, last_modified_at, unnest(
                list_distinct(list_concat(coalesce(json_keys(data), []), coalesce(json_keys(custom_data), [])))
            ) AS key
            FROM latest
        )
        GROUP BY ALL ORDER BY ALL
    """).fetchall():
        found[declaration].append(Seen(*seen))
    return found


def _by_name(seen: Sequence[Seen]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for each in seen:
        found[normal(each.key)].append(each.key)
    return found


def _counted(con: duckdb.DuckDBPyConnection, declaration: Declaration) -> list[Census]:
    fields = list(declaration.fields.items())
    counts = [
        f"count({quoted(field.column)}), "
        + ("0" if field.type is Kind.TEXT else f"count({quoted(field.column + RAW)})")
        for _, field in fields
    ]
    if not fields:
        return []
    query = f"SELECT {', '.join(counts)} FROM made WHERE declaration = {literal(declaration.name)}"
    ((*numbers,),) = con.execute(query).fetchall()
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return [
        Census(declaration.name, name, field.column, field.type, read + unread, unread)
        for (name, field), (read, unread) in zip(fields, pairs, strict=True)
    ]


def _campaigns(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Return the campaigns that no file is for."""
    rows = con.execute("""
        SELECT local_day(max(last_modified_at)), coalesce(campaign, '(none)'), count(*)
        FROM latest WHERE declaration IS NULL GROUP BY campaign ORDER BY ALL
    """).fetchall()
    return [Finding(day, "campaign", "", campaign, leads) for day, campaign, leads in rows]


def _misfits(con: duckdb.DuckDBPyConnection, declaration: Declaration, seen: Sequence[Seen]) -> list[Finding]:
    """Return a file's new fields, its vanished ones, and how many leads' fields are no JSON object."""
    found = []
    its = f"FROM latest WHERE declaration = {literal(declaration.name)}"
    ((unreadable, day),) = con.execute(
        f"SELECT count(*), local_day(max(last_modified_at)) {its} AND is_unreadable"
    ).fetchall()
    if unreadable:
        found.append(Finding(day, "unreadable", declaration.name, "", unreadable))
    ((last_day,),) = con.execute(
        f"SELECT local_day(max(last_modified_at)) {its} AND (data IS NOT NULL OR custom_data IS NOT NULL)"
    ).fetchall()
    if last_day is None:
        return found
    by_name: dict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        by_name[normal(each.key)].append(each)
    for name, spelled in by_name.items():
        if name not in declaration.known:
            leads, day = _with_any(con, declaration, spelled), max(each.last_day for each in spelled)
            found.append(Finding(day, "new", declaration.name, shown_name(spelled[0].key), leads))
    for name, field in declaration.fields.items():
        spelled = [each for other in (name, *field.formerly) for each in by_name.get(normal(other), [])]
        last_seen = max((each.last_day for each in spelled), default=None)
        if last_seen is None or last_seen <= last_day - dt.timedelta(days=RECENT):
            leads = _with_any(con, declaration, spelled)
            found.append(Finding(last_seen or last_day, "vanished", declaration.name, name, leads))
    return found


def _with_any(con: duckdb.DuckDBPyConnection, declaration: Declaration, spelled: Sequence[Seen]) -> int:
    """Return how many of a file's leads have a field in any of its spellings; some have several."""
    if len(spelled) <= 1:
        return sum(each.leads for each in spelled)
    return number(
        con,
        "SELECT count(*) FROM latest WHERE declaration = $name AND "
        "list_has_any(list_concat(coalesce(json_keys(data), []), coalesce(json_keys(custom_data), [])), $keys)",
        {"name": declaration.name, "keys": [each.key for each in spelled]},
    )


def shown_name(name: str) -> str:
    """Return a field's name as it may be shown: what looks like a number or an address was a value once."""
    digits = sum(sign.isdigit() for sign in name)
    return WITHHELD if digits >= _MANY or "@" in name or len(name) > _LISTED else " ".join(name.split())
