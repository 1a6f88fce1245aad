"""What the fields of leads are, in numbers only: how often each is there and read, and what no declaration fits."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from herobase_pipeline.fields.columns import keeps_raw
from herobase_pipeline.fields.declarations import RAW, Declaration, DeclaredField, Kind, normal
from herobase_pipeline.lake.engine import literal, number, quoted

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
class Seen:
    """A key as it is spelled in the data of a file's leads."""

    key: str
    leads: int
    last_day: dt.date


# A relation of leads has, for each: declaration, campaign, last_modified_at, keys (the names of its fields), has_fields,
# is_unreadable, and unread: the columns that could not be read, and have none for what they say. ``lead_fields`` has the values.


def spellings(con: duckdb.DuckDBPyConnection, leads: str) -> dict[str, list[Seen]]:
    """Return the keys in the data of each file's leads; of those without one under an empty name."""
    found: dict[str, list[Seen]] = defaultdict(list)
    for declaration, *seen in con.execute(f"""
        SELECT coalesce(declaration, ''), key, count(*), local_day(max(last_modified_at))
        FROM (SELECT declaration, last_modified_at, unnest(keys) AS key FROM {leads})
        GROUP BY ALL ORDER BY ALL
    """).fetchall():
        found[declaration].append(Seen(*seen))
    return found


def by_name(seen: Sequence[Seen]) -> Mapping[str, Sequence[str]]:
    """Return how each field is spelled, by what the spellings have in common."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in seen:
        found[normal(each.key)].append(each.key)
    return found


def unread_of(declaration: Declaration, read: str) -> str:
    """Return a SELECT of a file's leads with the columns that could not be read, and have no column for what they say."""
    columns = [
        each.column for each in declaration.fields.values() if each.type is not Kind.TEXT and not keeps_raw(each)
    ]
    found = ", ".join(f"CASE WHEN {quoted(name + RAW)} IS NOT NULL THEN {literal(name)} END" for name in columns)
    return f"SELECT lead_id, list_filter([{found}]::VARCHAR[], lambda name: name IS NOT NULL) AS unread FROM {read}"


def counted(con: duckdb.DuckDBPyConnection, rows: str, leads: str, declaration: Declaration) -> list[Census]:
    """Return a line for each declared field, from a SELECT of the rows of ``lead_fields``, and from the leads."""
    fields = list(declaration.fields.items())
    of_leads = (
        f"SELECT count(*) FROM {leads} WHERE declaration = {literal(declaration.name)} AND list_contains(unread, {{}})"
    )

    def unread(field: DeclaredField) -> str:
        if field.type is Kind.TEXT:
            return "0"
        return (
            f"count({quoted(field.column + RAW)})"
            if keeps_raw(field)
            else f"({of_leads.format(literal(field.column))})"
        )

    if not fields:
        return []
    counts = [f"count({quoted(field.column)}), {unread(field)}" for _, field in fields]
    query = f"SELECT {', '.join(counts)} FROM ({rows}) WHERE declaration = {literal(declaration.name)}"
    ((*numbers,),) = con.execute(query).fetchall()
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return [
        Census(declaration.name, name, field.column, field.type, read + not_read, not_read)
        for (name, field), (read, not_read) in zip(fields, pairs, strict=True)
    ]


def campaigns(con: duckdb.DuckDBPyConnection, leads: str) -> list[Finding]:
    """Return the campaigns that no file is for."""
    rows = con.execute(f"""
        SELECT local_day(max(last_modified_at)), coalesce(campaign, '(none)'), count(*)
        FROM {leads} WHERE declaration IS NULL GROUP BY campaign ORDER BY ALL
    """).fetchall()
    return [Finding(day, "campaign", "", campaign, leads) for day, campaign, leads in rows]


def misfits(
    con: duckdb.DuckDBPyConnection, leads: str, declaration: Declaration, seen: Sequence[Seen]
) -> list[Finding]:
    """Return a file's new fields, its vanished ones, and how many leads' fields are no JSON object."""
    found = []
    its = f"FROM {leads} WHERE declaration = {literal(declaration.name)}"
    ((unreadable, day),) = con.execute(
        f"SELECT count(*), local_day(max(last_modified_at)) {its} AND is_unreadable"
    ).fetchall()
    if unreadable:
        found.append(Finding(day, "unreadable", declaration.name, "", unreadable))
    ((last_day,),) = con.execute(f"SELECT local_day(max(last_modified_at)) {its} AND has_fields").fetchall()
    if last_day is None:
        return found
    by_name: dict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        by_name[normal(each.key)].append(each)
    for name, spelled in by_name.items():
        if name not in declaration.known:
            having, day = _with_any(con, leads, declaration, spelled), max(each.last_day for each in spelled)
            found.append(Finding(day, "new", declaration.name, shown_name(spelled[0].key), having))
    for name, field in declaration.fields.items():
        spelled = [each for other in (name, *field.formerly) for each in by_name.get(normal(other), [])]
        last_seen = max((each.last_day for each in spelled), default=None)
        if last_seen is None or last_seen <= last_day - dt.timedelta(days=RECENT):
            having = _with_any(con, leads, declaration, spelled)
            found.append(Finding(last_seen or last_day, "vanished", declaration.name, name, having))
    return found


def _with_any(con: duckdb.DuckDBPyConnection, leads: str, declaration: Declaration, spelled: Sequence[Seen]) -> int:
    """Return how many of a file's leads have a field in any of its spellings; some have several."""
    if len(spelled) <= 1:
        return sum(each.leads for each in spelled)
    return number(
        con,
        f"SELECT count(*) FROM {leads} WHERE declaration = $name AND list_has_any(keys, $keys)",
        {"name": declaration.name, "keys": [each.key for each in spelled]},
    )


def shown_name(name: str) -> str:
    """Return a field's name as it may be shown: what looks like a number or an address was a value once."""
    digits = sum(sign.isdigit() for sign in name)
    return WITHHELD if digits >= _MANY or "@" in name or len(name) > _LISTED else " ".join(name.split())
