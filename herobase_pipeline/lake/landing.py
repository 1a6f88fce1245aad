"""From segments of JSON to typed rows, while the rest of the document is still on its way.

A pull is a number of documents (windows, units). Each segment becomes one table in the pull's own DuckDB, which spills to
the spool what does not fit in memory; a document that does not end well takes its tables with it. Together they are the
relation ``pulled``, from which the SQL beside each table makes the file of the day. Fields that no column names are kept
as ``wire:<field>``.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

import duckdb
import msgspec

from herobase_pipeline.lake.engine import THREADS, beside, file_literal, literal, number, quoted
from herobase_pipeline.partitions import Window
from herobase_pipeline.tables.schema import Column, Holds, Table, Type

WIRE = "wire:"
_READ = "read:"
_READERS = {Type.INSTANT: "happened", Type.SECONDS: "seconds", Type.FLAG: "flag", Type.COUNT: "whole_number"}

_VALUE_IN_NAME = re.compile(r"@|\d([\s./()-]*\d){7,}")  # a field named by a customer's address or number
_NUMBER = "#"
_AT_AN_END, _AT_MOST = 0.05, 1_000  # of a document's records, at either end
WITHHELD = "withheld"


SetAside = tuple[str, str]
"""A record that cannot be read: why, and its text."""


class UnreadableError(Exception):
    """Too many records arrived that cannot be kept as records of this table; the message shows no value of theirs."""


class _Origin(NamedTuple):
    """What a record was asked for by, and the number of the answer that it came in."""

    asked: str
    document: int


@dataclass(frozen=True)
class _Landed:
    """What became of a segment: its table, the rows of it, its keys, and what was set aside."""

    part: str
    records: int
    keys: frozenset[str]
    unreadable: list[SetAside]


@dataclass
class Landing:
    """The documents of one pull.

    Args:
        con: the connection in which ``pulled`` will be.
        spool: the pull's own folder.
        tables: the tables that the records feed; their ``field``s are read.
        raw: fields whose text is kept beside what is read from it.
        repeated_hour: the second pass of the hour that the end of summer time repeats, if the pull touches it.

    Attributes:
        records: how many came, those that cannot be read included.
        unreadable: those that cannot be read: why, and their text; each once, in however many answers it came.
        repeated_unreadable: how often one of those came again.

    """

    con: duckdb.DuckDBPyConnection
    spool: Path
    tables: Sequence[Table]
    raw: Sequence[str] = ()
    repeated_hour: Window | None = None
    parts: list[str] = field(default_factory=list)
    records: int = 0
    unreadable: list[SetAside] = field(default_factory=list)
    repeated_unreadable: int = 0
    _aside: set[SetAside] = field(default_factory=set)
    _last: list[str] = field(default_factory=list)
    _documents: int = 0
    _keys: set[str] = field(default_factory=set)
    _spelled: dict[str, str] = field(default_factory=dict)  # one spelling of a key, where answers have several
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "landing"))

    def __enter__(self) -> Self:
        """Start. Each segment is one thread's: more of them in DuckDB would only change places."""
        self.con.execute("SET threads = 1")
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
            The number of its records, those that are set aside included.

        Raises:
            Exception: whatever ``segments`` raises. Nothing of the document is kept then.

        """
        number, self._documents = self._documents, self._documents + 1
        jobs: list[Future[_Landed]] = []
        try:
            for i, segment in enumerate(segments):
                if segment.records == 0 and not segment.unreadable:
                    continue
                source = self.spool / f"{number}-{i}.json"
                read = segment if _is_plain(segment.keys) else segment.checked()
                source.write_bytes(read.json)
                jobs.append(self._pool.submit(self._land, source, replace(read, json=b""), _Origin(asked, number)))
            landed = [job.result() for job in jobs]
        except BaseException:
            for job in jobs:
                if not job.cancel() and job.exception() is None:
                    self.con.execute(f"DROP TABLE IF EXISTS {quoted(job.result().part)}")
            for leftover in self.spool.glob(f"{number}-*"):
                leftover.unlink()
            raise
        self._keys.update(*(one.keys for one in landed))
        self._last = [one.part for one in landed if one.records]
        self.parts += self._last
        aside = [record for one in landed for record in one.unreadable]
        new = [record for record in dict.fromkeys(aside) if record not in self._aside]
        self.unreadable += new
        self._aside.update(new)
        self.repeated_unreadable += len(aside) - len(new)
        records = sum(one.records for one in landed) + len(aside)
        self.records += records
        return records

    def strays(self, window: Window) -> int:
        """Return how many records of the last document lie outside a window, by the time that names their day."""
        if not self._last or self.time is None:
            return 0
        query = f"SELECT count(*) FROM ({_together(self._last)}) WHERE {self.time} < $start OR {self.time} >= $end"
        return number(self.con, query, window._asdict())

    def spread(self, window: Window) -> tuple[dt.datetime, dt.datetime] | None:
        """Return from when to when the records of the last document lie in a window, but for some at either end.

        These are asked for again where the answer may have been cut: a twentieth of it, or a thousand, which show it as well.

        Where an end has more than half of them at once, it is the time beyond all of them. None where they tell no time.
        """
        if not self._last or self.time is None:
            return None
        query = f"""
            WITH times AS (
                SELECT date_trunc('second', {self.time}) AS t
                FROM ({_together(self._last)}) WHERE {self.time} >= $start AND {self.time} < $end
            ),
            ends AS (SELECT quantile_disc(t, $share) AS early, quantile_disc(t, 1 - $share) AS late FROM times)
            SELECT
                if(2 * count(*) FILTER (t <= early) > count(*), min(t), any_value(early) + INTERVAL 1 SECOND),
                if(2 * count(*) FILTER (t >= late) > count(*), max(t) + INTERVAL 1 SECOND, any_value(late))
            FROM times, ends"""
        rows = max(1, number(self.con, f"SELECT count(*) FROM ({_together(self._last)})"))
        params = window._asdict() | {"share": min(_AT_AN_END, _AT_MOST / rows)}
        ((early, late),) = self.con.execute(query, params).fetchall()
        return None if early is None else (early.astimezone(dt.UTC), late.astimezone(dt.UTC))

    def different(self, before: dt.datetime) -> int:
        """Return how many different records have come of before a time; where they tell none, how many at all."""
        if not self.parts:
            return 0
        if self.time is None:
            kept = ", ".join(quoted(column.name) for column in self.columns)
            return number(self.con, f"SELECT count(DISTINCT hash(asked, {kept})) FROM ({_together(self.parts)})")
        key = quoted(next(column.name for column in self.columns if column.required and column.type is Type.TEXT))
        query = f"SELECT count(DISTINCT hash(asked, {key})) FROM ({_together(self.parts)}) WHERE {self.time} < $before"
        return number(self.con, query, {"before": before})

    @property
    def time(self) -> str | None:
        """The column with the time that names a record's day; None where records have none."""
        return next((column.name for column in self.columns if column.required and column.type is Type.INSTANT), None)

    def _land(self, source: Path, segment: Any, origin: _Origin) -> _Landed:
        """Make a table of a segment whose JSON lies in ``source``, and set aside the records that do not fit in."""
        part = f"part_{source.stem}"
        with beside(self.con) as con:
            try:
                self._make(con, part, source, segment, origin)
            except duckdb.InvalidInputException:  # DuckDB insists on more than the segment was proven to have
                segment = replace(segment, json=source.read_bytes()).checked()
                source.write_bytes(segment.json)
                self._make(con, part, source, segment, origin)
            landed, lacking = self._count(con, part)
            if lacking:
                segment = self._without_lacking(con, source, segment, origin)
                source.write_bytes(segment.json)
                self._make(con, part, source, segment, origin)
                landed, _ = self._count(con, part)
        source.unlink()
        if landed != segment.records:
            raise AssertionError(f"{segment.records} records were parsed and {landed} landed: a defect of this program")
        return _Landed(part, landed, segment.keys, [*segment.unreadable])

    def _count(self, con: duckdb.DuckDBPyConnection, part: str) -> tuple[int, int]:
        """Return how many records a part has, and how many of them lack what each must have."""
        ((rows, lacking),) = con.execute(f"SELECT count(*), count({self._lacking}) FROM {quoted(part)}").fetchall()
        return int(rows), int(lacking)

    def _make(self, con: duckdb.DuckDBPyConnection, part: str, source: Path, segment: Any, origin: _Origin) -> None:
        if segment.records:
            con.execute(f"CREATE OR REPLACE TABLE {quoted(part)} AS {self._reading(source, segment.keys, origin)}")
        else:  # it may be that none has any key
            nothing = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in self.columns)
            con.execute(f"CREATE OR REPLACE TABLE {quoted(part)} AS SELECT {nothing} WHERE false")

    def _without_lacking(self, con: duckdb.DuckDBPyConnection, source: Path, segment: Any, origin: _Origin) -> Any:
        """Return a segment without the records that lack what each must have; they are told apart by a number."""
        texts = [bytes(text).strip() for text in msgspec.json.decode(source.read_bytes(), type=list[msgspec.Raw])]
        key = _NUMBER
        while key in segment.keys:
            key += _NUMBER
        numbered = [
            b'{"%s":%d' % (key.encode(), i) + (b"," if t[1:].strip() != b"}" else b"") + t[1:]
            for i, t in enumerate(texts)
        ]
        source.write_bytes(b"[" + b",".join(numbered) + b"]")
        query = (
            f"SELECT {quoted(WIRE + key)}::INTEGER, {self._lacking} AS reason "
            f"FROM ({self._reading(source, segment.keys | {key}, origin)}) WHERE reason IS NOT NULL ORDER BY ALL"
        )
        lacking = dict(con.execute(query).fetchall())
        kept = [text for i, text in enumerate(texts) if i not in lacking]
        aside = [(reason, texts[i].decode()) for i, reason in lacking.items()]
        return replace(
            segment,
            json=b"[" + b",".join(kept) + b"]",
            records=len(kept),
            unreadable=(*segment.unreadable, *aside),
        )

    @property
    def _lacking(self) -> str:
        """The SQL for what a record lacks that each must have, as a reason; NULL if nothing."""
        cases = [
            f"WHEN {quoted(column.name)} IS NULL THEN {literal(f'no readable {column.field}')}"
            for column in self.columns
            if column.required
        ]
        return f"CASE {' '.join(cases)} END" if cases else "NULL"

    def _reading(self, source: Path, keys: frozenset[str], origin: _Origin) -> str:
        """Return the SELECT that reads a segment whose records have ``keys``."""
        spelling = {key.casefold(): key for key in keys}
        texts = {key: "VARCHAR" if key.casefold() in self._known else "JSON" for key in sorted(keys)}
        wire = ", ".join(f"{literal(key)}: '{kind}'" for key, kind in texts.items())
        values = [f"{self._value(column, spelling)} AS {quoted(_READ + column.name)}" for column in self.columns]
        names = [f"{quoted(_READ + column.name)} AS {quoted(column.name)}" for column in self.columns]
        judged = self._judged
        bits = [
            f"{_is_unreadable(judged[name], quoted(spelling[name.casefold()]))} * {1 << n}::BIGINT"
            for n, name in enumerate(judged)
            if name.casefold() in spelling
        ]
        members = {
            _READ + str(column.field): _member(quoted(key), inner)
            for column in self.columns
            for name, _, inner in [str(column.field).partition(".")]
            if inner and (key := spelling.get(name.casefold()))
        }
        kept = [key for key in texts if key.casefold() not in self._known]
        kept += [spelling[name.casefold()] for name in self.raw if name.casefold() in spelling]
        return f"""
            SELECT {", ".join(names)}, {" + ".join(bits) or "0::BIGINT"} AS unreadable,
                {literal(origin.asked)} AS asked, {origin.document} AS document
                {"".join(f", {quoted(key)}::VARCHAR AS {quoted(WIRE + self._one_spelling(key))}" for key in kept)}
            FROM (
                SELECT *, {", ".join(values)}
                FROM (
                    SELECT *{"".join(f", {value} AS {quoted(name)}" for name, value in members.items())}
                    FROM read_json({file_literal(source)}, format = 'array', columns = {{{wire}}},
                        maximum_object_size = {source.stat().st_size + 1})
                )
            )"""

    def _value(self, column: Column, spelling: Mapping[str, str]) -> str:
        """Return the SQL that reads a column from its field, however spelled; NULL where no record has the field."""
        name, _, inner = str(column.field).partition(".")
        key = spelling.get(name.casefold())
        if key is None:
            return f"NULL::{column.type}"
        if inner:  # in a layer of its own, as a macro repeats what it is given
            return f"spelled({quoted(_READ + str(column.field))})"
        value = f"nullif({quoted(key)}, '')"
        if _is_plain_text(column):  # an object may hold whatever, a customer's name too
            read = f"{column.read_by}({quoted(key)})" if column.read_by else f"spelled({quoted(key)})"
            text = _enum(value, column.enum) if column.enum is not None else read
            rest = f"CASE WHEN NOT regexp_matches({value}, '^\\s*[\\[{{]') THEN {text} END"
            return rest if column.read_by else f"coalesce({_usual(column, quoted(key))}, {rest})"
        if column.type is Type.INSTANT and self.repeated_hour is not None:
            return _first_pass(value, self.repeated_hour)
        reader = column.read_by or _READERS.get(column.type)
        return f"{reader}({quoted(key)})" if reader else value

    @property
    def _judged(self) -> dict[str, Column | None]:
        """The fields of which ``unreadable`` has a bit each, set where a record's value had none of the known forms.

        With the column that is read from each; None for a reference, of which several may be.
        """
        plain = {str(c.field): c for c in self.columns if c.type in _READERS or (_is_plain_text(c) and not c.required)}
        return plain | dict.fromkeys(str(c.field).split(".")[0] for c in self.columns if "." in str(c.field))

    def unreadable_values(self) -> dict[str, int]:
        """Return in how many records a field's value had none of the known forms and became NULL, by field, once gathered."""
        counts = ", ".join(f"count(*) FILTER (unreadable & {1 << n} > 0)" for n in range(len(self._judged)))
        ((*found,),) = self.con.execute(f"SELECT {counts or 0} FROM pulled").fetchall()
        return {name: number for name, number in zip(self._judged, found, strict=False) if number}

    def given(self, within: str, params: Mapping[str, Any]) -> dict[str, int]:
        """Return in how many records each column could be read, by its field, and of how many records (the empty name).

        Args:
            within: SQL of the condition for the records that count.
            params: its named parameters.

        """
        fields = {str(column.field): column.name for column in self.columns if not column.required}
        counts = ", ".join(f"count({quoted(name)})" for name in fields.values())
        ((*found,),) = self.con.execute(
            f"SELECT count(*), {counts} FROM pulled WHERE {within}", dict(params)
        ).fetchall()
        return dict(zip(["", *fields], map(int, found), strict=True))

    @property
    def _known(self) -> set[str]:
        return {str(column.field).split(".")[0].casefold() for column in self.columns}

    def wire_fields(self) -> list[str]:
        """Return the fields that no column names, and those kept raw, by their spelling on the wire."""
        known = self._known - {name.casefold() for name in self.raw}
        return sorted({self._one_spelling(key) for key in self._keys if key.casefold() not in known})

    def _one_spelling(self, key: str) -> str:
        return self._spelled.setdefault(key.casefold(), key)

    def gather(self) -> None:
        """Make ``pulled`` from the parts."""
        typed = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in self.columns)
        wired = "".join(f", NULL::VARCHAR AS {quoted(WIRE + key)}" for key in self.wire_fields())
        empty = f"SELECT {typed}, 0::BIGINT AS unreadable, '' AS asked, 0 AS document{wired} WHERE false"
        everything = " UNION ALL BY NAME ".join([empty, *(f"FROM {quoted(part)}" for part in self.parts)])
        self.con.execute(f"SET threads = {THREADS}")
        self.con.execute(f"CREATE OR REPLACE TEMP VIEW pulled AS {everything}")

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
            name = shown_name(key)
            kind = f"kind({value})" if name == key else literal("text")
            is_given = f"nullif(nullif({value}, 'null'), '\"\"') IS NOT NULL"
            kinds.append(f"CASE WHEN {is_given} THEN {_named(name)} || '\"' || {kind} || '\"' END")
            values.append(f"CASE WHEN {is_given} THEN {_named(key)} || {value} END")
        return f"{_object(kinds, once=True)} AS extra, {_object(values)} AS extra_private"


def shown_name(name: str) -> str:
    """Return a field's name as it may be shown: withheld where a customer's address or number is in it."""
    return WITHHELD if _VALUE_IN_NAME.search(name) else name


def _named(name: str) -> str:
    return literal(msgspec.json.encode(name).decode() + ":")


def _object(members: Sequence[str], *, once: bool = False) -> str:
    """Return the SQL for a JSON object of those members that are not NULL; ``once``: equal ones are one."""
    if not members:
        return "NULL::VARCHAR"
    listed = f"list_filter([{', '.join(members)}], lambda member: member IS NOT NULL)"
    distinct = f"list_sort(list_distinct({listed}))" if once else listed
    return f"'{{' || nullif(array_to_string({distinct}, ','), '') || '}}'"


def _usual(column: Column, key: str) -> str:
    """Return the SQL of a text in its usual form, which is most of them and takes half the work; NULL for any other."""
    if column.enum is not None:
        names = ", ".join(literal(member.name) for member in column.enum)
        return f"try_cast({key} AS ENUM({names}))::VARCHAR"
    return f"CASE WHEN regexp_full_match({key}, '[A-Za-z0-9+._@-]+') THEN {key} END"


def _together(parts: Sequence[str]) -> str:
    return " UNION ALL BY NAME ".join(f"FROM {quoted(part)}" for part in parts)


def _is_given(key: str, column: Column) -> str:
    """Return the SQL for whether a field has a value; one that stands for none is none."""
    return f"(coalesce({key}, '') <> ''{f' AND NOT no_instant({key})' if column.type is Type.INSTANT else ''})"


def _is_unreadable(column: Column | None, key: str) -> str:
    """Return the SQL for whether a field's value has none of the known forms, as 0 or 1."""
    if column is None:
        return f"coalesce(no_reference({key}) AND NOT is_empty({key}), false)::INTEGER"
    given = (
        _is_given(key, column) if column.type in _READERS else f"coalesce(regexp_matches({key}, '^\\s*[\\[{{]'), false)"
    )
    # CASE, as AND would look at each value whether it was read or not
    return f"CASE WHEN {quoted(_READ + column.name)} IS NULL THEN {given}::INTEGER ELSE 0 END"


def _first_pass(value: str, second_pass: Window) -> str:
    """Return the SQL for an instant; a stamp without a zone in the hour that occurs twice is the first one (T6)."""
    start, end = (literal(edge.isoformat()) for edge in second_pass)
    twice = f"NOT has_zone({value}) AND happened({value}) >= {start}::TIMESTAMPTZ AND happened({value}) < {end}::TIMESTAMPTZ"
    shift = f"INTERVAL {second_pass.length.total_seconds():.0f} SECONDS"  # half an hour on Lord Howe Island
    return f"CASE WHEN {twice} THEN happened({value}) - {shift} ELSE happened({value}) END"


def _is_plain_text(column: Column) -> bool:
    """Whether a column is a code, an id, a number or a name of HeroBase's own, and not what a customer's fields hold."""
    return column.type is Type.TEXT and column.holds is not Holds.TEXT and "." not in str(column.field)


def _member(value: str, name: str) -> str:
    """Return the SQL for a reference's key: a member of an object in any usual case, or the text itself.

    Spellings that look alike are one: without blanks around it, in one Unicode form (as ``organisation.code_of``).
    """
    spellings = dict.fromkeys((name, name[0].upper() + name[1:], name.lower()))
    members = ", ".join(f"json_extract_string({value}, {literal('$.' + spelling)})" for spelling in spellings)
    is_id = f"regexp_full_match({value}, '[\\s\\x{{00A0}}]*[A-Z]+\\d+S\\d+[\\s\\x{{00A0}}]*')"
    plain = {"uniqueId": f"CASE WHEN {is_id} THEN {value} END", "code": f"CASE WHEN NOT {is_id} THEN {value} END"}
    # TRY, as a text may begin like an object and be none
    text = f"CASE WHEN NOT no_reference({value}) THEN {plain.get(name, value)} END"
    return f"CASE WHEN {value} LIKE '{{%' THEN TRY(coalesce({members})) ELSE {text} END"


def _enum(value: str, enum: type[IntEnum]) -> str:
    """Return the SQL for an enumeration: name in any case, or number; anything else as given (trap T23)."""
    forms = {form: member.name for member in enum for form in (member.name.lower(), str(member.value))}
    names = ", ".join(f"{literal(form)}: {literal(name)}" for form, name in forms.items())
    return f"coalesce(MAP {{{names}}}[lower(spelled({value}))], spelled({value}))"  # half the work of CASE


def _is_plain(keys: frozenset[str]) -> bool:
    """Whether each key is a name that DuckDB can take, and in one spelling."""
    return len({key.casefold() for key in keys}) == len(keys) and not any(not key or "\0" in key for key in keys)
