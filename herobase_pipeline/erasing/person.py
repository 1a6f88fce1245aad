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

from herobase_pipeline.erasing.procedure import HOLDING, NotErasedError, errors_in_words
from herobase_pipeline.erasing.requests import named
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.damage import DamagedError
from herobase_pipeline.lake.engine import ROOMY, connect
from herobase_pipeline.lake.erased import register, tells, text_of
from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.settings import SettingsError
from herobase_pipeline.sites import ONLY, add_option, chosen, headed
from herobase_pipeline.tables import CALL_PHONES, ERASURES, Holds, Table

Held = dict[str, list[dict[str, Any]]]


def main(arguments: list[str] | None = None) -> int:
    """Print what is held; returns the exit code: 0, or 2 with a sentence where it could not be looked up."""
    options = argparse.ArgumentParser(prog="herobase-person", description=__doc__)
    options.add_argument("who", nargs="+", help="a lead's id or a phone number, in any spelling")
    options.add_argument("--json", action="store_true", help="print it as JSON")
    add_option(options)
    given = options.parse_args(arguments)
    try:
        sites = chosen(given.site)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    found: dict[str, Held] = {}
    for name, settings in sites.items():
        try:
            found[name] = held(claim(Lake(settings.data_dir), settings), settings.zone, " ".join(given.who))
        except (ForeignLakeError, NotErasedError, DamagedError, ValueError) as error:
            sys.stderr.write(f"{name}: {error}\n" if name else f"{error}\n")
    if given.json and found:
        shown: Any = found.get(ONLY, found)
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        sys.stdout.write("\n".join(headed(name, page(of_site)) for name, of_site in found.items()))
    return 0 if found.keys() == sites.keys() else 2


def held(lake: Lake, zone: ZoneInfo, who: str) -> Held:
    """Return the rows of every table that hold a person, by table; those of a number with the leads that it is of.

    Raises:
        ValueError: ``who`` is neither a lead's id nor a phone number.
        DamagedError: a file is damaged.
        NotErasedError: a file cannot be read.

    """
    request = named(who)
    if request is None:
        raise ValueError("That is neither a lead's id nor a phone number with its 8 to 15 digits.")
    kind, value = request
    with spool(lake) as folder, connect(zone, folder, ROOMY) as con, errors_in_words(lake, "Nothing was looked up"):
        register(con, lake)
        define_views(con, lake, (*HOLDING, ERASURES))
        keys, person = (
            ("unnest(phone_keys($who))", "person_of_number($who)") if kind == "phone" else (("lead_key($who)",) * 2)
        )
        con.execute(f"CREATE TEMP TABLE hashes AS SELECT {keys} AS hash", {"who": value})
        con.execute(
            "CREATE TEMP TABLE named AS SELECT unnest([plain_id($who), plain_id(alias_of($who))]) AS lead_id",
            {"who": value},
        )
        if kind == "phone":  # the leads that it is of
            for table in (table for table in HOLDING if table.holding(Holds.LEAD)):
                con.execute(f"INSERT INTO named SELECT plain_id(lead_id) FROM {table.name} WHERE {_tells(table)}")
        found = {table.name: _rows(con, table, _condition(table)) for table in HOLDING}
        con.execute(
            f"CREATE TEMP TABLE persons AS SELECT {person} AS person UNION SELECT lower(key_of(lower(lead_id))) FROM named",
            {"who": value},
        )
        found[ERASURES.name] = _rows(con, ERASURES, "person IN (FROM persons)")
    return {name: rows for name, rows in found.items() if rows}


def _condition(table: Table) -> str:
    """Return the condition for the rows of a person."""
    if table is CALL_PHONES:
        return f"call_id IN (SELECT call_id FROM calls WHERE plain_id(lead_id) IN (FROM named)) OR {_tells(table)}"
    if not table.holding(Holds.LEAD):
        return _tells(table)
    return f"plain_id(lead_id) IN (FROM named) OR (lead_id IS NULL AND ({_tells(table)}))"


def _tells(table: Table) -> str:
    """Return the condition for the rows that have the number, or the id in a text."""
    numbers = [f"{name} IN (FROM hashes)" for name in table.holding(Holds.NUMBER)]
    texts = [tells(text_of(table), "FROM hashes")] if table.holding(Holds.TEXT) else []
    return " OR ".join([*numbers, *texts]) or "false"


def _rows(con: duckdb.DuckDBPyConnection, table: Table, condition: str) -> list[dict[str, Any]]:
    found = con.execute(f"SELECT * FROM {table.name} WHERE {condition} ORDER BY ALL")
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
