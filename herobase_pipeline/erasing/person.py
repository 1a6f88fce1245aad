"""``make person``: all that is held of one lead or phone number, for an access request (GDPR Art. 15).

``herobase-person 4711S12`` or ``herobase-person "20 12 34 56"`` prints it, table by table; ``--json`` as JSON. It holds a
customer's data: it goes to the person who asked, and nowhere else.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.erasing.procedure import HOLDING, NotErasedError, erased_errors
from herobase_pipeline.erasing.requests import named
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.engine import ROOMY, connect
from herobase_pipeline.lake.erased import register
from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.settings import Settings, SettingsError
from herobase_pipeline.tables import CALL_PHONES, ERASURES, Holds, Table

Held = dict[str, list[dict[str, Any]]]


def main(arguments: list[str] | None = None) -> int:
    """Print what is held; returns the exit code: 0, or 2 with a sentence where it could not be looked up."""
    options = argparse.ArgumentParser(prog="herobase-person", description=__doc__)
    options.add_argument("who", nargs="+", help="a lead's id or a phone number, in any spelling")
    options.add_argument("--json", action="store_true", help="print it as JSON")
    chosen = options.parse_args(arguments)
    try:
        settings = Settings.load()
        found = held(claim(Lake(settings.data_dir), settings), settings.zone, " ".join(chosen.who))
    except (SettingsError, ForeignLakeError, NotErasedError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(
        json.dumps(found, indent=2, ensure_ascii=False, default=str) + "\n" if chosen.json else page(found)
    )
    return 0


def held(lake: Lake, zone: ZoneInfo, who: str) -> Held:
    """Return the rows of every table that hold a person, by table; those of a number with the leads that it is of.

    Raises:
        ValueError: ``who`` is neither a lead's id nor a phone number.
        NotErasedError: a file cannot be read.

    """
    request = named(who)
    if request is None:
        raise ValueError("That is neither a lead's id nor a phone number with its 8 to 15 digits.")
    kind, value = request
    with spool(lake) as folder, connect(zone, folder, ROOMY) as con, erased_errors("Nothing was looked up"):
        register(con, lake)
        define_views(con, lake, (*HOLDING, ERASURES))
        con.execute("CREATE TEMP TABLE named (lead_id VARCHAR)")
        keys = "unnest(phone_keys($value))" if kind == "phone" else "lead_key($value)"
        con.execute(f"CREATE TEMP TABLE hashes AS SELECT {keys} AS hash", {"value": value})
        if kind == "lead":
            con.execute(
                "INSERT INTO named SELECT unnest([upper(spelled($value)), upper(alias_of($value))])", {"value": value}
            )
        for table in HOLDING:
            if (leads := table.holding(Holds.LEAD)) and kind == "phone":
                con.execute(
                    f"INSERT INTO named SELECT upper(spelled({leads[0]})) FROM {table.name} WHERE {_tells(table)}"
                )
        found = {table.name: _rows(con, table, _condition(table)) for table in HOLDING}
        person = "person IN (SELECT hash FROM hashes UNION SELECT lower(lead_id)[8:] FROM named)"
        if kind == "phone":
            person += " OR person = left(keyed('phone:' || e164($value)), 32)"
        found[ERASURES.name] = _rows(con, ERASURES, person, {"value": value} if kind == "phone" else None)
    return {name: rows for name, rows in found.items() if rows}


def _condition(table: Table) -> str:
    """Return the condition for the rows of a person."""
    leads = table.holding(Holds.LEAD)
    if table is CALL_PHONES:
        return "call_id IN (SELECT call_id FROM calls WHERE upper(spelled(lead_id)) IN (FROM named)) OR " + _tells(
            table
        )
    return (
        f"upper(spelled({leads[0]})) IN (FROM named) OR ({leads[0]} IS NULL AND ({_tells(table)}))"
        if leads
        else _tells(table)
    )


def _tells(table: Table) -> str:
    """Return the condition for the rows that have the number, or the id in a text."""
    texts = [f"EXISTS (FROM (SELECT unnest(identifiers_in(concat_ws(' ', {', '.join(table.holding(Holds.TEXT))}))) AS told) "
             "WHERE told IN (FROM hashes))"] if table.holding(Holds.TEXT) else []  # fmt: skip
    return " OR ".join([*(f"{name} IN (FROM hashes)" for name in table.holding(Holds.NUMBER)), *texts]) or "false"


def _rows(
    con: duckdb.DuckDBPyConnection, table: Table, condition: str, params: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    found = con.execute(f"SELECT * FROM {table.name} WHERE {condition} ORDER BY ALL", params)
    names = [name for name, *_ in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def page(found: Held) -> str:
    """Return what is held as text: a heading a table, a line a value; what is empty is left out."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Held) -> Iterator[str]:
    if not found:
        yield "Nothing is held of that lead or number."
    for name, rows in found.items():
        yield f"{name}: {len(rows)} {'row' if len(rows) == 1 else 'rows'}"
        for row in rows:
            yield ""
            yield from (f"  {column}: {value}" for column, value in row.items() if value is not None)
        yield ""
