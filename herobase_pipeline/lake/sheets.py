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
_ID_NAMES = ("uniqueid", "uniqueleadid", "leadid", "leaduniqueid", "id")
_DELIMITERS = (";", ",", "\t", "|")
_BATCH = 5_000  # rows
_CERTAIN = 0.9  # of the cells that a column has: as many are lead ids in the column of lead ids
_LINE_ENDS = ("\n", "\r")
_HINT = re.compile("sep=(.)")  # how a file tells Excel
_LONGEST = 1 << 24  # signs in a cell

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

    """

    path: Path
    dialect: type[csv.Dialect]
    names: Sequence[str]
    header: Sequence[str] | None
    skipped: int
    is_ended: bool

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
                    yield Broken("a quote within a cell", "".join(taken))
                    continue
                if row is None:
                    return
                number += bool(row)
                if not row or number <= self.skipped:
                    continue
                is_whole = len(row) == wanted
                yield row if is_whole else Broken(f"{len(row)} cells where {wanted} are usual", "".join(taken))


def sheet(con: duckdb.DuckDBPyConnection, chunks: Iterable[bytes], path: Path) -> Sheet:
    """Write a table as it arrives into a file, and find out how it is written.

    Args:
        con: a connection, whose sniffer finds the dialect.
        chunks: the table's bytes; in UTF-8, in UTF-16 with its mark, or else in Windows-1252.
        path: where to; the file is the caller's to remove.

    """
    first, last = _as_utf8(chunks, path)
    if not first:
        return Sheet(path, csv.excel, (), header=None, skipped=0, is_ended=True)
    dialect = _dialect(con, path, first)
    is_hint = _HINT.fullmatch(first) is not None
    with path.open(encoding="utf-8", newline="") as file:
        rows = (row for row in csv.reader(file, dialect) if row)
        row = next(itertools.islice(rows, int(is_hint), None), [])
    header = None if any(map(_LEAD_ID.fullmatch, row)) else row
    skipped = is_hint + (header is not None)
    return Sheet(path, dialect, _names(row, has_header=header is not None), header, skipped, last in _LINE_ENDS)


def id_column(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """Return which column holds lead ids, by what stands in it, else by its name; None where none does."""
    plain = [re.sub(r"[^a-z]", "", name.casefold()) for name in names]
    by_name = [plain.index(name) for name in _ID_NAMES if name in plain]
    by_content = []
    for column in range(len(names)):
        cells = [row[column] for row in rows if row[column]]
        if cells and sum(map(bool, map(_LEAD_ID.fullmatch, cells))) >= _CERTAIN * len(cells):
            by_content.append(column)
    both = [column for column in by_name if column in by_content]
    return next(iter([*both, *by_content, *by_name]), None)


def _as_utf8(chunks: Iterable[bytes], path: Path) -> tuple[str, str]:
    """Write the bytes as UTF-8; return the first line and the last sign."""
    raw = path.with_suffix(".raw")
    is_utf8, decoder, start = True, codecs.getincrementaldecoder("utf-8")(), b""
    with raw.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            start = start or chunk[:2]
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                is_utf8 = False
                decoder.reset()
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig" if is_utf8 else "cp1252"
    first = last = ""
    with (
        raw.open(encoding=encoding, errors="replace", newline="") as come,
        path.open("w", encoding="utf-8", newline="") as kept,
    ):
        for line in come:
            first, last = first or line.strip(), line[-1]
            kept.write(line)
    raw.unlink()
    return first, last


def _dialect(con: duckdb.DuckDBPyConnection, path: Path, first: str) -> type[csv.Dialect]:
    query = (
        f"SELECT delimiter, quote, escape FROM sniff_csv({file_literal(path)}, all_varchar = true, sample_size = -1)"
    )
    try:
        ((delimiter, quote, escape),) = con.execute(query).fetchall()
    except duckdb.InvalidInputException:  # it was cut, or a row is broken: then reading it will say which
        delimiter, quote, escape = max(_DELIMITERS, key=first.count), '"', '"'

    class Found(csv.excel):
        pass

    hint = _HINT.fullmatch(first)
    if hint:
        Found.delimiter = hint[1]
    else:  # rows of several lengths look like one column each
        Found.delimiter = delimiter if delimiter in first else max(_DELIMITERS, key=first.count)
    if len(quote) == 1 and quote != "\0":
        Found.quotechar = quote
        is_doubled = len(escape) != 1 or escape in ("\0", quote)
        Found.doublequote, Found.escapechar = is_doubled, None if is_doubled else escape
    return Found


def _names(row: Sequence[str], *, has_header: bool) -> tuple[str, ...]:
    """Return the columns' names, each once."""
    names: list[str] = []
    for number, cell in enumerate(row, 1):
        name = cell.strip() if has_header else ""
        name = name or f"column {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return tuple(names)


def _noting(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line
