"""From segments of JSON to typed rows, while the rest of the document is still on its way.

A pull is a number of documents (windows, units). Each segment becomes one table in the pull's own DuckDB, which spills to
the spool what does not fit in memory; a document that does not end well takes its tables with it. Together they are the
relation ``pulled``, from which the SQL beside each table makes the file of the day. Fields that no column names are kept
as ``wire:<field>``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import duckdb
import msgspec

from herobase_pipeline.lake.engine import THREADS, file_literal, literal, number, quoted
from herobase_pipeline.partitions import Window
from herobase_pipeline.tables.schema import Column, Table, Type

WIRE = "wire:"
_READ = "read:"
_READERS = {Type.INSTANT: "instant", Type.SECONDS: "seconds", Type.FLAG: "flag", Type.COUNT: "whole_number"}

_VALUE_IN_NAME = re.compile(r"@|\d([\s./()-]*\d){7,}")  # a field named by a customer's address or number
WITHHELD = "withheld"


class UnreadableError(Exception):
    """Records arrived without what makes them records of this table; the message shows no value of theirs."""


@dataclass
class Landing:
    """The documents of one pull.

    Args:
        con: the connection in which ``pulled`` will be.
        spool: the pull's own folder.
        tables: the tables that the records feed; their ``field``s are read.
        raw: fields whose text is kept beside what is read from it.
        repeated_hour: the second pass of the hour that the end of summer time repeats, if the pull touches it.

    """

    con: duckdb.DuckDBPyConnection
    spool: Path
    tables: Sequence[Table]
    raw: Sequence[str] = ()
    repeated_hour: Window | None = None
    parts: list[str] = field(default_factory=list)
    records: int = 0
    _last: list[str] = field(default_factory=list)
    _documents: int = 0
    _keys: set[str] = field(default_factory=set)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "landing"))

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what is still being parsed."""
        self._pool.shutdown()

    @property
    def columns(self) -> list[Column]:
        """The columns that are read from a field, once each; of equal names, the first table's."""
        found: dict[str, Column] = {}
        for column in (column for table in self.tables for column in table if column.field):
            found.setdefault(column.name, column)
        return list(found.values())

    def document(self, segments: Iterable[Any], asked: str = "") -> int:
        """Land one document.

        Args:
            segments: its segments (``herobase.documents.Segment``) as they arrive.
            asked: the org code that was asked for, kept with the rows.

        Returns:
            The number of its records.

        Raises:
            Exception: whatever ``segments`` raises, and what DuckDB says of a record it cannot read. Nothing of the
                document is kept then.

        """
        number, self._documents = self._documents, self._documents + 1
        jobs: list[Future[str]] = []
        records = 0
        keys: frozenset[str] = frozenset()
        try:
            for i, segment in enumerate(segments):
                if segment.records == 0:
                    continue
                source = self.spool / f"{number}-{i}.json"
                spelled = _spelled_once(segment.json, segment.keys)
                source.write_bytes(spelled[0])
                keys = spelled[1]
                jobs.append(self._pool.submit(self._land, source, keys, asked, segment.records))
                records += segment.records
            parts = [job.result() for job in jobs]
        except BaseException:
            for job in jobs:
                if not job.cancel() and job.exception() is None:
                    self.con.execute(f"DROP TABLE {quoted(job.result())}")
            for leftover in self.spool.glob(f"{number}-*"):
                leftover.unlink()
            raise
        self._keys |= keys
        self._last = parts
        self.parts += parts
        self.records += records
        return records

    def strays(self, window: Window) -> int:
        """Return how many records of the last document lie outside a window, by the time that names their day."""
        if not self._last:
            return 0
        time = quoted(next(column.name for column in self.columns if column.required and column.type is Type.INSTANT))
        start, end = (f"{literal(edge.isoformat())}::TIMESTAMPTZ" for edge in window)
        return number(
            self.con, f"SELECT count(*) FROM ({_together(self._last)}) WHERE {time} < {start} OR {time} >= {end}"
        )

    def _land(self, source: Path, keys: frozenset[str], asked: str, records: int) -> str:
        part = f"part_{source.stem}"
        with self.con.cursor() as con:
            con.execute(f"CREATE TABLE {quoted(part)} AS {self._reading(source, keys, asked)}")
            landed = number(con, f"SELECT count(*) FROM {quoted(part)}")
        source.unlink()
        if landed != records:
            raise AssertionError(f"{records} records were parsed and {landed} landed: a defect of this program")
        return part

    def _reading(self, source: Path, keys: frozenset[str], asked: str) -> str:
        """Return the SELECT that reads a segment whose records have ``keys``."""
        spelling = {key.casefold(): key for key in keys}
        texts = {key: "VARCHAR" if key.casefold() in self._known else "JSON" for key in sorted(keys)}
        wire = ", ".join(f"{literal(key)}: '{kind}'" for key, kind in texts.items())
        values = [f"{self._value(column, spelling)} AS {quoted(_READ + column.name)}" for column in self.columns]
        names = [f"{quoted(_READ + column.name)} AS {quoted(column.name)}" for column in self.columns]
        unreadable = [
            f"(coalesce({quoted(key)}, '') <> '' AND {quoted(_READ + column.name)} IS NULL)::INTEGER"
            for column in self.columns
            if column.type in _READERS and (key := spelling.get(str(column.field).casefold()))
        ]
        kept = [key for key in texts if key.casefold() not in self._known]
        kept += [spelling[name.casefold()] for name in self.raw if name.casefold() in spelling]
        return f"""
            SELECT {", ".join(names)}, {" + ".join(unreadable) or "0"} AS unreadable, {literal(asked)} AS asked
                {"".join(f", {quoted(key)}::VARCHAR AS {quoted(WIRE + key)}" for key in kept)}
            FROM (
                SELECT *, {", ".join(values)}
                FROM read_json({file_literal(source)}, format = 'array', columns = {{{wire}}},
                    maximum_object_size = {source.stat().st_size + 1})
            )"""

    def _value(self, column: Column, spelling: Mapping[str, str]) -> str:
        """Return the SQL that reads a column from its field, however spelled; NULL where no record has the field."""
        name, _, inner = str(column.field).partition(".")
        key = spelling.get(name.casefold())
        if key is None:
            return f"NULL::{column.type}"
        if inner:
            return _member(quoted(key), inner)
        value = f"nullif({quoted(key)}, '')"
        if column.enum is not None:
            return _enum(value, column.enum)
        if column.type is Type.INSTANT and self.repeated_hour is not None:
            return _first_pass(value, self.repeated_hour)
        reader = column.read_by or _READERS.get(column.type)
        return f"{reader}({value})" if reader else value

    @property
    def _known(self) -> set[str]:
        return {str(column.field).split(".")[0].casefold() for column in self.columns}

    def wire_fields(self) -> list[str]:
        """Return the fields that no column names, and those kept raw, by their spelling on the wire."""
        known = self._known - {name.casefold() for name in self.raw}
        return sorted(key for key in self._keys if key.casefold() not in known)

    def gather(self) -> None:
        """Make ``pulled`` from the parts.

        Raises:
            UnreadableError: a record has no readable id or time.

        """
        typed = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in self.columns)
        wired = "".join(f", NULL::VARCHAR AS {quoted(WIRE + key)}" for key in self.wire_fields())
        empty = f"SELECT {typed}, 0 AS unreadable, '' AS asked{wired} WHERE false"
        everything = " UNION ALL BY NAME ".join([empty, *(f"FROM {quoted(part)}" for part in self.parts)])
        self.con.execute(f"CREATE OR REPLACE TEMP VIEW pulled AS {everything}")
        for column in self.columns:
            if column.required:
                self._require(column)

    def _require(self, column: Column) -> None:
        lacking = number(self.con, f"SELECT count(*) FROM pulled WHERE {quoted(column.name)} IS NULL")
        if lacking:
            raise UnreadableError(
                f"{lacking} of {self.records} records from HeroBase have no readable {column.field}, so they cannot be "
                f"kept as {self.tables[0].name}. Nothing was changed. Compare one answer with the field's forms in "
                "lake/reading.sql, and report it."
            )

    def unknown(self, without: Iterable[str]) -> str:
        """Return the SQL of two columns for the fields that no column names; NULL for a record without any.

        ``extra`` is a JSON object of their names and the kind of value each has, for ``lake/``; ``extra_private`` one of
        their names and values, which may identify a customer, for ``private/``.
        """
        left_out = {name.casefold() for name in (*without, *self.raw)}
        unknown = [key for key in self.wire_fields() if key.casefold() not in left_out]
        kinds, values = [], []
        for key in unknown:
            value = quoted(WIRE + key)
            name = WITHHELD if _VALUE_IN_NAME.search(key) else key
            kind = f"kind({value})" if name == key else literal("text")
            is_given = f"nullif(nullif({value}, 'null'), '\"\"') IS NOT NULL"
            kinds.append(f"CASE WHEN {is_given} THEN {_named(name)} || '\"' || {kind} || '\"' END")
            values.append(f"CASE WHEN {is_given} THEN {_named(key)} || {value} END")
        return f"{_object(kinds, once=True)} AS extra, {_object(values)} AS extra_private"


def _named(name: str) -> str:
    return literal(msgspec.json.encode(name).decode() + ":")


def _object(members: Sequence[str], *, once: bool = False) -> str:
    """Return the SQL for a JSON object of those members that are not NULL; ``once``: equal ones are one."""
    if not members:
        return "NULL::VARCHAR"
    listed = f"list_filter([{', '.join(members)}], lambda member: member IS NOT NULL)"
    distinct = f"list_sort(list_distinct({listed}))" if once else listed
    return f"'{{' || nullif(array_to_string({distinct}, ','), '') || '}}'"


def _together(parts: Sequence[str]) -> str:
    return " UNION ALL BY NAME ".join(f"FROM {quoted(part)}" for part in parts)


def _first_pass(value: str, second_pass: Window) -> str:
    """Return the SQL for an instant; a stamp without a zone in the hour that occurs twice is the first one (T6)."""
    start, end = (literal(edge.isoformat()) for edge in second_pass)
    twice = (
        f"NOT has_zone({value}) AND instant({value}) >= {start}::TIMESTAMPTZ AND instant({value}) < {end}::TIMESTAMPTZ"
    )
    shift = f"INTERVAL {second_pass.length.total_seconds():.0f} SECONDS"  # half an hour on Lord Howe Island
    return f"CASE WHEN {twice} THEN instant({value}) - {shift} ELSE instant({value}) END"


def _member(value: str, name: str) -> str:
    """Return the SQL for a reference's key: a member of an object in any usual case, or the text itself."""
    spellings = dict.fromkeys((name, name[0].upper() + name[1:], name.lower()))
    members = ", ".join(f"json_extract_string({value}, {literal('$.' + spelling)})" for spelling in spellings)
    is_id = f"regexp_full_match({value}, '[A-Z]+\\d+S\\d+')"
    plain = {"uniqueId": f"CASE WHEN {is_id} THEN {value} END", "code": f"CASE WHEN NOT {is_id} THEN {value} END"}
    # TRY, as a text may begin like an object and be none
    return f"nullif(CASE WHEN {value} LIKE '{{%' THEN TRY(coalesce({members})) ELSE {plain.get(name, value)} END, '')"


def _enum(value: str, enum: type[IntEnum]) -> str:
    """Return the SQL for an enumeration: name in any case, or number; anything else as given (trap T23)."""
    forms = [(form, member.name) for member in enum for form in (member.name.lower(), str(member.value))]
    cases = " ".join(f"WHEN {literal(form)} THEN {literal(name)}" for form, name in forms)
    return f"CASE lower({value}) {cases} ELSE {value} END"


def _spelled_once(array: bytes, keys: frozenset[str]) -> tuple[bytes, frozenset[str]]:
    """Return the segment with one spelling a key: records that disagree on upper and lower case are respelled."""
    first: dict[str, str] = {}
    for key in sorted(keys):
        first.setdefault(key.casefold(), key)
    if len(first) == len(keys):
        return array, keys
    records = msgspec.json.decode(array, type=list[dict[str, msgspec.Raw]])
    respelled = [{first[key.casefold()]: value for key, value in record.items()} for record in records]
    return msgspec.json.encode(respelled), frozenset(first.values())
