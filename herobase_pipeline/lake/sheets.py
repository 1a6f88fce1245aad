"""Reading a table of CSV of which nobody has said how it is written: DuckDB finds the dialect, Python's csv reads it."""

import codecs
import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from herobase_pipeline.lake.engine import file_literal

_LEAD_ID = re.compile(r"\d+S\d+")  # 82549084S3064 (API reference, 2)
_VALUE = re.compile(r"\d[\d\s.,:/T+-]*(S\d+)?")  # an id, a number or a stamp: what no column is called
_ID_NAMES = ("uniqueid", "uniqueleadid", "leadid", "leaduniqueid", "id")
_DELIMITERS = (";", ",", "\t", "|")
_BATCH = 5_000  # rows
_CERTAIN = 0.9  # of the cells that a column has: as many are lead ids in the column of lead ids
_LINE_ENDS = ("\n", "\r")
_HINT = re.compile("sep=(.)")  # how a file tells Excel
_LONGEST = 1 << 24  # characters in a cell
_REPLACED = "\N{REPLACEMENT CHARACTER}"

csv.field_size_limit(_LONGEST)


@dataclass(frozen=True)
class Broken:
    """A row that cannot be read: why, and its text."""

    reason: str
    text: str


class CutSheetError(Exception):
    """A table ends within a quoted cell."""


@dataclass(frozen=True)
class Sheet:
    """A table in a file.

    Attributes:
        path: the file, in UTF-8 without a mark.
        names: its columns, by its header or by number; none where the file is empty.
        header: its first row, if that is one.
        skipped: how many rows stand before the first that counts.
        is_ended: whether the last line ends as lines do; else it may have been cut.
        is_broken: whether bytes that are no text were replaced in it.

    """

    path: Path
    dialect: type[csv.Dialect]
    names: Sequence[str]
    header: Sequence[str] | None
    skipped: int
    is_ended: bool
    is_broken: bool = False

    def batches(self) -> Iterator[tuple[list[list[str]], list[Broken]]]:
        """Yield the rows, some at a time, and those among them that cannot be read.

        Raises:
            CutSheetError: the file ends in the middle of a cell.

        """
        good: list[list[str]] = []
        broken: list[Broken] = []
        for row in self._rows():
            if isinstance(row, Broken):
                broken.append(row)
            else:
                good.append(row)
            if len(good) + len(broken) >= _BATCH:
                yield good, broken
                good, broken = [], []
        if good or broken:
            yield good, broken

    def _rows(self) -> Iterator[list[str] | Broken]:
        taken: list[str] = []
        with self.path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(_noting(file, taken), self.dialect, strict=True)
            number, wanted = 0, len(self.names)
            while True:
                taken.clear()
                try:
                    row = next(rows, None)
                except csv.Error as error:
                    if "unexpected end of data" in str(error):
                        raise CutSheetError from None
                    is_large = "field larger" in str(error)
                    yield Broken("a cell that is too large" if is_large else "a quote within a cell", "".join(taken))
                    continue
                if row is None:
                    return
                number += bool(row)
                if not row or number <= self.skipped:
                    continue
                if len(row) != wanted:
                    yield Broken(f"{len(row)} cells where {wanted} are usual", "".join(taken))
                elif self.is_broken and any(_REPLACED in cell for cell in row):
                    yield Broken("bytes that are not UTF-8", "".join(taken))
                else:
                    yield row


def sheet(con: duckdb.DuckDBPyConnection, chunks: Iterable[bytes], path: Path) -> Sheet:
    """Write a table as it arrives into a file, and find out how it is written.

    Args:
        con: a connection, whose sniffer finds the dialect.
        chunks: the table's bytes; in UTF-8, in UTF-16 with its mark, or else in Windows-1252.
        path: where to; the file is the caller's to remove.

    """
    first, last, is_broken = _as_utf8(chunks, path)
    if not first:
        return Sheet(path, csv.excel, (), header=None, skipped=0, is_ended=True)
    dialect = _dialect(con, path, first)
    is_hint = _HINT.fullmatch(first) is not None
    with path.open(encoding="utf-8", newline="") as file:
        rows = (row for row in csv.reader(file, dialect) if row)
        row = next(itertools.islice(rows, int(is_hint), None), [])
    header = row if _is_header(row) else None
    skipped = is_hint + (header is not None)
    names = _names(row, has_header=header is not None)
    return Sheet(path, dialect, names, header, skipped, last in _LINE_ENDS, is_broken)


def _is_header(row: Sequence[str]) -> bool:
    """Whether a first row names the columns: one is known by name, or no cell is an id and the first one no number or stamp."""
    if {_plain(cell) for cell in row} & {*_ID_NAMES}:
        return True
    return not any(map(_LEAD_ID.fullmatch, row)) and not _VALUE.fullmatch("".join(row[:1]))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())


def id_column(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """Return which column holds lead ids, by what stands in it, else by its name; None where none does."""
    plain = [_plain(name) for name in names]
    by_name = [plain.index(name) for name in _ID_NAMES if name in plain]
    by_content = []
    for column in range(len(names)):
        cells = [row[column] for row in rows if row[column]]
        if cells and sum(map(bool, map(_LEAD_ID.fullmatch, cells))) >= _CERTAIN * len(cells):
            by_content.append(column)
    both = [column for column in by_name if column in by_content]
    return next(iter([*both, *by_content, *by_name]), None)


def _as_utf8(chunks: Iterable[bytes], path: Path) -> tuple[str, str, bool]:
    """Write the bytes as UTF-8; return the first line, the last sign, and whether some were no text."""
    raw = path.with_suffix(".raw")
    with raw.open("wb") as file:
        file.writelines(chunks)
    encoding, is_broken = _encoding(raw)
    first = last = ""
    with (
        raw.open(encoding=encoding, errors="replace", newline="") as come,
        path.open("w", encoding="utf-8", newline="") as kept,
    ):
        for line in come:
            first, last = first or line.strip("\r\n"), line[-1]
            kept.write(line)
    raw.unlink()
    return first, last, is_broken


def _encoding(raw: Path) -> tuple[str, bool]:
    """Return a file's encoding, and whether some of its lines are not in it: a broken one does not make the others Latin."""
    with raw.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16", False
        file.seek(0)
        good = bad = 0
        for line in file:
            if not line.isascii():
                try:
                    line.decode()
                    good += 1
                except UnicodeDecodeError:
                    bad += 1
    return ("cp1252", False) if bad > good else ("utf-8-sig", bad > 0)


def _dialect(con: duckdb.DuckDBPyConnection, path: Path, first: str) -> type[csv.Dialect]:
    options = "quote = '\"', all_varchar = true, sample_size = -1"  # an apostrophe at both ends of a cell is no quote
    query = f"SELECT delimiter, escape FROM sniff_csv({file_literal(path)}, {options})"
    try:
        ((delimiter, escape),) = con.execute(query).fetchall()
    except duckdb.InvalidInputException:  # it was cut, or a row is broken: then reading it will say which
        delimiter, escape = max(_DELIMITERS, key=first.count), '"'

    class Found(csv.excel):
        pass

    hint = _HINT.fullmatch(first)
    if hint:
        Found.delimiter = hint[1]
    else:  # rows of several lengths look like one column each
        Found.delimiter = delimiter if delimiter in first else max(_DELIMITERS, key=first.count)
    if escape == "\\":
        Found.doublequote, Found.escapechar = False, escape
    return Found


def _names(row: Sequence[str], *, has_header: bool) -> tuple[str, ...]:
    """Return the columns' names, each once."""
    names: list[str] = []
    for number, cell in enumerate(row, 1):
        name = cell.strip() if has_header else ""
        name = name or f"column {number}"
        while name in names:
            name = f"{name} ({number})"
        names.append(name)
    return tuple(names)


def _noting(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line
