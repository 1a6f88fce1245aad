"""Who was erased, as keyed hashes, and what each writer leaves out because of it (GDPR Art. 17; trap T38).

The register comes first, so whoever writes a file after a person was registered writes it without the person: a pull, a
backfill, a saved search, a file that was restored from a backup and is written again.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb

from herobase_pipeline.lake.engine import READING, define, define_token, file_literal, literal, number, quoted
from herobase_pipeline.lake.layout import Lake, exists, mark
from herobase_pipeline.lake.store import look_again
from herobase_pipeline.tables import CALL_PHONES, CALLS, DELIVERIES, ERASED, Holds, Table
from herobase_pipeline.tables.schema import HASH

_HERE = files("herobase_pipeline.lake")
_RULES = _HERE.joinpath("erased.sql").read_text(encoding="utf-8")
_ALL_RULES = _RULES + READING + _HERE.joinpath("erased.py").read_text(encoding="utf-8")
_LEAD, _CALL = '"its lead is erased"', '"its number is forgotten"'
_NEW_LEAD, _NEW_TEXT = '"a lead to judge"', '"a text to judge"'
_KEY = "without_erased"  # of a file's footer: by what register and rules its rows were judged


@dataclass(frozen=True)
class Register:
    """The register as a connection has it.

    Attributes:
        con: the connection.
        lake: whose it is.
        identifiers: how many there are.
        asked_numbers: how many numbers were asked for: whatever has one of them is erased.
        digest: the same for the same register.

    """

    con: duckdb.DuckDBPyConnection
    lake: Lake
    identifiers: int
    asked_numbers: int
    digest: str

    def footer(self, table: Table) -> dict[str, str]:
        """Return what the footer of a table's file says of the register and the rules that its rows were judged by."""
        if not self.identifiers or not table.identifies:
            return {}
        holds = [f"{column.name} {column.holds}" for column in table]
        rules = [self.digest, _ALL_RULES, str(self.lake.deletes_rows), *holds]
        return {_KEY: hashlib.sha256("\n".join(rules).encode()).hexdigest()}

    def has_judged(self, table: Table, file: Path) -> bool:
        """Whether a file was written without the erased persons of this register; a restored one has the footer of before."""
        if not self.lake.is_there(file):
            return False
        query = f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({file_literal(file)})"
        return self.footer(table).items() <= dict(self.con.execute(query).fetchall()).items()

    def without(self, table: Table, rows: str, day: dt.date | None = None, judged: str = "") -> str:
        """Return a SELECT of a table's rows without what tells an erased person.

        Args:
            table: the table.
            rows: a SELECT of its rows.
            day: their day, for a daily table.
            judged: a SELECT of rows of the table that are without; their leads and texts are not judged again, as the keyed
                hash of each is what a write takes longest for.

        """
        if not self.identifiers or not table.identifies:
            return rows
        leads, text = table.holding(Holds.LEAD), text_of(table)
        of_private = self._kept(table, _NEW_LEAD, _NEW_TEXT, day) if table.private else ""
        news = {_NEW_LEAD: leads[0]} if leads else {}
        news |= {_NEW_TEXT: text} if _NEW_TEXT in of_private else {}
        # a text without a lead is judged by more than one with a lead
        known = {_NEW_TEXT: f"{{'without': {leads[0]} IS NULL, 'text': {text}}}"} if leads else {}
        judging = [
            f"CASE WHEN {known.get(name, told)} IN (SELECT {known.get(name, told)} FROM ({judged})) "
            f"THEN NULL ELSE {told} END AS {name}"
            if judged
            else f"{told} AS {name}"
            for name, told in news.items()
        ]
        rows = f"SELECT {', '.join(['*', *judging])} FROM ({rows})"
        if table.private:
            shown = f"* EXCLUDE ({', '.join(news)})" if news else "*"
            return f"SELECT {shown} FROM ({rows}) AS it WHERE {of_private}"
        (lead,), tokens = leads, table.holding(Holds.NUMBER)
        forgotten = f"is_number_forgotten({lead}, {tokens[0]})" if tokens else "false"
        flags = f"is_alias({lead}) OR is_erased({_NEW_LEAD}) AS {_LEAD}, {forgotten} AS {_CALL}"
        members = [f"CASE WHEN {_LEAD} AND NOT is_alias({lead}) THEN alias_of({lead}) ELSE {lead} END AS {lead}"]
        members += [f"CASE WHEN NOT ({_LEAD} OR {_CALL}) THEN {name} END AS {name}" for name in tokens]
        members += [f"CASE WHEN NOT {_LEAD} THEN {name} END AS {name}" for name in table.holding(Holds.TEXT)]
        deletes = self.lake.deletes_rows and table.name != DELIVERIES.name  # that it was sent stays known
        kept = f"NOT {_LEAD} OR is_alias({lead})" if deletes else "true"  # who was anonymised before stays so
        return (
            f"SELECT * EXCLUDE ({_NEW_LEAD}, {_LEAD}, {_CALL}) REPLACE ({', '.join(members)}) "
            f"FROM (SELECT *, {flags} FROM ({rows})) AS it WHERE {kept}"
        )

    def kept(self, table: Table, day: dt.date | None = None) -> str:
        """Return the condition for the rows of a private table that stay, of a day for a daily one."""
        return self._kept(table, "".join(table.holding(Holds.LEAD)), text_of(table), day)

    def _kept(self, table: Table, lead: str, text: str, day: dt.date | None) -> str:
        """Return that condition, where ``lead`` and ``text`` are what of a row is judged."""
        if table.name == CALL_PHONES.name:
            return self._kept_phones(text, day)
        if not (leads := table.holding(Holds.LEAD)):
            return _tells_nobody(text)
        kept = f"NOT is_alias({leads[0]}) AND NOT is_erased({lead})"
        if not any(column.required for column in table if column.holds is Holds.LEAD):  # to look into texts is dear
            kept += f" AND ({leads[0]} IS NOT NULL OR {_tells_nobody(text)})"
        return f"{kept} AND {_tells_nobody(text, 'is_asked')}" if self.asked_numbers else kept

    def _kept_phones(self, text: str, day: dt.date | None) -> str:
        """Return the condition for the numbers of a day that stay: what lead a call is of stands in ``calls``."""
        kept = _tells_nobody(text, "is_asked") if self.asked_numbers else "true"
        file = self.lake.file(CALLS, day)
        if not self.lake.is_there(file):
            return f"{kept} AND {_tells_nobody(text_of(CALL_PHONES))}"
        calls = f"read_parquet({file_literal(file)}, hive_partitioning = false)"
        forgotten = f"is_forgotten(lead_id, left(phone_token, {HASH}))"
        if self.has_judged(CALLS, file):
            forgotten = "is_alias(lead_id)"
        # where no call says any more whose it is, the number itself is looked at
        known = f"SELECT call_id FROM {calls} WHERE lead_id IS NOT NULL OR phone_token IS NOT NULL"
        orphan = f"CASE WHEN call_id IN ({known}) THEN NULL ELSE {text_of(CALL_PHONES)} END"
        return f"{kept} AND call_id NOT IN (SELECT call_id FROM {calls} WHERE {forgotten}) AND {_tells_nobody(orphan)}"


def register(con: duckdb.DuckDBPyConnection, lake: Lake) -> Register:
    """Give a connection the register as it is now, and the macros of ``erased.sql``.

    Raises:
        AssertionError: there are erased persons, and the lake was opened without the key: a defect of this program.

    """
    file = lake.file(ERASED)
    if lake.forgetting is None:
        if exists(file):
            raise AssertionError("a writer opened the lake without the key of erased persons: a defect of this program")
        return Register(con, lake, 0, 0, "")
    look_again(file)
    state = mark(file)
    which = f"{file} {state}"
    if con.execute("SELECT getvariable('register')").fetchone() != (which,):  # else the connection has it already
        define_token(con, lake.forgetting.key)
        columns = ", ".join(f"NULL::{column.type} AS {column.name}" for column in ERASED)
        con.execute(f"CREATE OR REPLACE TEMP TABLE erased AS SELECT {columns} WHERE false")
        if state:
            con.execute(
                f"INSERT INTO erased BY NAME SELECT * REPLACE (left(identifier, {HASH}) AS identifier) "
                f"FROM read_parquet({file_literal(file)}, hive_partitioning = false)"
            )
        define(con, _RULES)
        con.execute(f"SET VARIABLE register = {literal(which)}")
    query = """
        SELECT count(*), count(*) FILTER (is_asked AND kind <> 'lead'), sum(hash(identifier, kind, is_asked)::HUGEINT) FROM erased
    """
    ((everyone, asked_numbers, digest),) = con.execute(query).fetchall()
    return Register(con, lake, everyone, asked_numbers, f"{everyone} {digest}")


def forget(con: duckdb.DuckDBPyConnection, parts: Sequence[str], table: Table, found: Register) -> int:
    """Call the erased leads of landed records by their alias, or delete the records; returns how many were deleted.

    They go where the service's first table is private, as it has nothing without a person, and where the settings say so.
    """
    leads = table.holding(Holds.LEAD)
    if not found.identifiers or not leads:
        return 0
    deletes = found.lake.deletes_rows
    goes = f"NOT ({found.kept(table)})" if table.private else f"is_erased({leads[0]})"
    gone = 0
    for part in parts:
        if table.private or deletes:
            gone += number(con, f"DELETE FROM {quoted(part)} AS it WHERE {goes}")
        else:
            con.execute(
                f"UPDATE {quoted(part)} SET {leads[0]} = alias_of({leads[0]}) WHERE {goes} AND NOT is_alias({leads[0]})"
            )
    return gone


def text_of(table: Table) -> str:
    """Return the SQL of all that a row of a table says in words."""
    return f"concat_ws(' ', {', '.join(table.holding(Holds.TEXT)) or literal('')})"


def tells(text: str, identifiers: str) -> str:
    """Return the condition that one of some identifiers, a SELECT of them, is in a text."""
    return f"EXISTS (FROM (SELECT unnest(identifiers_in({text})) AS told) WHERE told IN ({identifiers}))"


def _tells_nobody(text: str, which: str = "true") -> str:
    """Return the condition that no identifier of the register, or none of those that ``which`` is true of, is in a text."""
    return f"NOT {tells(text, f'SELECT identifier FROM erased WHERE {which}')}"
