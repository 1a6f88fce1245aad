"""What a service hands back, before HTTP: a plain value, a stream of records, rows of CSV, or an error."""

import csv
import html
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from herobase_pipeline.sandbox.shapes import Shapes
from herobase_pipeline.settings import SandboxSettings

PIECE = 1 << 18
"""Size of the pieces of a stream, in bytes, at least."""


class ApiError(Exception):
    """An error status with ServiceStack's body (reference 1.4)."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


@dataclass
class Value:
    """A plain value: JSON, or HTML for a browser. ``invented``: nobody has published its shape."""

    value: Any
    invented: bool = False


@dataclass
class Records:
    """A JSON array that may be large, a block of ready JSON objects at a time."""

    blocks: Iterable[list[str]]


@dataclass
class Table:
    """CSV that may be large."""

    header: list[str]
    rows: Iterable[list[str]]


@dataclass
class Body:
    """An answer ready for HTTP. ``pieces`` are its bytes, in order."""

    status: int
    media_type: str
    pieces: Iterator[bytes]
    headers: list[tuple[str, str]] = field(default_factory=list)


def json_array(records: Records, *, pretty: bool) -> Iterator[bytes]:
    """Write the array in pieces of at least ``PIECE`` bytes (but for the last)."""
    comma, kept = (",\n" if pretty else ","), bytearray(b"[")
    first = True
    for block in records.blocks:
        if block:
            if not first:
                kept += comma.encode()
            kept += comma.join(block).encode()
            first = False
        if len(kept) >= PIECE:
            yield bytes(kept)
            kept.clear()
    kept += b"]"
    yield bytes(kept)


def csv_text(table: Table, settings: SandboxSettings) -> Iterator[bytes]:
    """Write a header and rows in UTF-8, in the dialect of the settings."""
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter="\t" if settings.csv_delimiter == "tab" else settings.csv_delimiter,
        lineterminator="\r\n" if settings.csv_line_end == "crlf" else "\n",
        quoting=csv.QUOTE_ALL if settings.csv_quoted else csv.QUOTE_MINIMAL,
    )
    if settings.csv_bom:
        yield b"\xef\xbb\xbf"
    if settings.csv_header:
        writer.writerow(table.header)
    for row in table.rows:
        writer.writerow(row)
        if text.tell() >= PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def capped(records: Records, most: int) -> Records:
    """Give the first ``most`` records only (T14)."""

    def blocks() -> Iterator[list[str]]:
        left = most
        for block in records.blocks:
            yield block[:left]
            left -= len(block[:left])
            if not left:
                return

    return Records(blocks())


def repeated(records: Records, share: float) -> Records:
    """Give a share of the records twice (T5)."""

    def blocks() -> Iterator[list[str]]:
        owed = 0.0
        for block in records.blocks:
            again = []
            for record in block:
                owed += share
                if owed >= 1:
                    again.append(record)
                    owed -= 1
            yield block + again

    return Records(blocks())


def page(title: str, value: Any) -> bytes:
    """Write a value for a browser: a table for a list of objects, else the JSON."""
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        names = list(dict.fromkeys(name for v in value for name in v))
        head = "".join(f"<th>{html.escape(n)}</th>" for n in names)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(v.get(n)))}</td>" for n in names) + "</tr>" for v in value
        )
        body = f"<table border=1><tr>{head}</tr>{rows}</table>"
    else:
        body = f"<pre>{html.escape(json.dumps(value, ensure_ascii=False, indent=2))}</pre>"
    title = html.escape(title)
    head = f"<head><meta charset=utf-8><title>{title}</title></head>"
    return f"<!doctype html><html>{head}<body><h1>{title}</h1>{body}</body></html>".encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


LOGIN_PAGE = (
    b"<!doctype html><html><head><title>HeroBase</title></head><body><form action=/login>Log on</form></body></html>"
)
"""What an expired session or a proxy answers, with status 200 (T13)."""


def error_body(error: ApiError, shapes: Shapes) -> bytes:
    """Write ``{"responseStatus":{"errorCode","message","errors"}}``."""
    status = {shapes.key("errorCode"): error.code, shapes.key("message"): error.message, shapes.key("errors"): []}
    return shapes.dump({shapes.key("responseStatus"): status}).encode()
