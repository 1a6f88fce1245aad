"""Who was erased, as keyed hashes, and what each writer leaves out because of it (GDPR Art. 17; trap T38).

The register comes first, so whoever writes a file after a person was registered writes it without the person: a pull, a
backfill, a saved search, a file that was restored from a backup and is written again.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import duckdb

from herobase_pipeline.lake.engine import define_token, file_literal, literal, number, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import CALL_PHONES, CALLS, ERASED, Holds, Table
from herobase_pipeline.tables.schema import HASH

_LEAD, _CALL = '"its lead is erased"', '"its number is forgotten"'


@dataclass(frozen=True)
class Register:
    """The register as a connection has it.

    Attributes:
        lake: whose it is.
        identifiers: how many there are.
        asked_numbers: how many numbers were asked for: whatever has one of them is erased.

    """

    lake: Lake
    identifiers: int
    asked_numbers: int

    def without(self, table: Table, rows: str, day: dt.date | None = None) -> str:
        """Return a SELECT of a table's rows without what tells an erased person.

        Args:
            table: the table.
            rows: a SELECT of its rows.
            day: their day, for a daily table.

        """
        if not self.identifiers or not table.identifies:
            return rows
        if table.private:
            return f"SELECT * FROM ({rows}) AS it WHERE {self.kept(table, day)}"
        (lead,), tokens = table.holding(Holds.LEAD), table.holding(Holds.NUMBER)
        forgotten = f"is_forgotten({lead}, {tokens[0]})" if tokens else "false"
        flags = f"is_erased({lead}) AS {_LEAD}, {forgotten} AS {_CALL}"
        members = [f"CASE WHEN {_LEAD} AND NOT is_alias({lead}) THEN alias_of({lead}) ELSE {lead} END AS {lead}"]
        members += [f"CASE WHEN NOT {_CALL} THEN {name} END AS {name}" for name in tokens]
        members += [f"CASE WHEN NOT {_LEAD} THEN {name} END AS {name}" for name in table.holding(Holds.TEXT)]
        deletes = self.lake.deletes_rows
        kept = f"NOT {_LEAD} OR is_alias({lead})" if deletes else "true"  # who was anonymised before stays so
        return (
            f"SELECT * EXCLUDE ({_LEAD}, {_CALL}) REPLACE ({', '.join(members)}) "
            f"FROM (SELECT *, {flags} FROM ({rows})) AS it WHERE {kept}"
        )

    def kept(self, table: Table, day: dt.date | None = None) -> str:
        """Return the condition for the rows of a private table that stay, of a day for a daily one."""
        if table.name == CALL_PHONES.name:
            return self._kept_phones(day)
        text = text_of(table)
        if not (leads := table.holding(Holds.LEAD)):
            return _tells_nobody(text)
        kept = f"NOT is_erased({leads[0]})"
        if not any(column.required for column in table if column.holds is Holds.LEAD):  # to look into texts is dear
            kept += f" AND ({leads[0]} IS NOT NULL OR {_tells_nobody(text)})"
        return f"{kept} AND {_tells_nobody(text, 'is_asked')}" if self.asked_numbers else kept

    def _kept_phones(self, day: dt.date | None) -> str:
        """Return the condition for the numbers of a day that stay: what lead a call is of stands in ``calls``."""
        kept = _tells_nobody(text_of(CALL_PHONES), "is_asked") if self.asked_numbers else "true"
        file = self.lake.file(CALLS, day)
        if not file.exists():
            return kept
        calls = f"read_parquet({file_literal(file)}, hive_partitioning = false)"
        forgotten = f"is_forgotten(lead_id, left(phone_token, {HASH}))"
        return f"{kept} AND call_id NOT IN (SELECT call_id FROM {calls} WHERE {forgotten})"


def register(con: duckdb.DuckDBPyConnection, lake: Lake) -> Register:
    """Give a connection the register as it is now, and the macros of ``erased.sql``.

    Raises:
        AssertionError: there are erased persons, and the lake was opened without the key: a defect of this program.

    """
    file = lake.file(ERASED)
    if lake.forgetting is None:
        if file.exists():
            raise AssertionError("a writer opened the lake without the key of erased persons: a defect of this program")
        return Register(lake, 0, 0)
    state = file.stat() if file.exists() else None
    mark = f"{file} {state and (state.st_ino, state.st_mtime_ns)}"
    if con.execute("SELECT getvariable('register')").fetchone() != (mark,):  # else the connection has it already
        define_token(con, lake.forgetting.key)
        columns = ", ".join(f"NULL::{column.type} AS {column.name}" for column in ERASED)
        con.execute(f"CREATE OR REPLACE TEMP TABLE erased AS SELECT {columns} WHERE false")
        if state:
            con.execute(
                f"INSERT INTO erased BY NAME SELECT * REPLACE (left(identifier, {HASH}) AS identifier) "
                f"FROM read_parquet({file_literal(file)}, hive_partitioning = false)"
            )
        con.execute(files("herobase_pipeline.lake").joinpath("erased.sql").read_text(encoding="utf-8"))
        con.execute(f"SET VARIABLE register = {literal(mark)}")
    everyone = number(con, "SELECT count(*) FROM erased")
    return Register(lake, everyone, number(con, "SELECT count(*) FROM erased WHERE is_asked AND kind <> 'lead'"))


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
