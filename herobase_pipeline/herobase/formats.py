"""What came instead of what was asked for: a login page, the records as a page for browsers, XML, CSV, JSON (trap T13).

"Linking directly from a browser gives HTML", says the API page of the services themselves: so a page may hold the records, and
then the login is right and the format is wrong.
"""

import re
from collections.abc import Iterable, Iterator

from herobase_pipeline.herobase.errors import NotJsonError, WrongFormatError

BOM = b"\xef\xbb\xbf"
CSV = "text/csv"
_LOOKED_AT = 1 << 18  # bytes: a login page has its form by then
_IS_PAGE = re.compile(rb"<!doctype html|<html[\s>]", re.IGNORECASE)
_IS_LOGIN = re.compile(rb"<form|type\s*=\s*.?password", re.IGNORECASE)
_HAS_RECORDS = re.compile(rb"<table|<pre", re.IGNORECASE)
_HEADER = re.compile(r'"?\w+"?([;,\t|])"?\w[\w .-]*"?(\1"?\w[\w .-]*"?)+')
_SAYS_CSV = re.compile("csv|excel", re.IGNORECASE)
_SAYS_JSON = re.compile("json", re.IGNORECASE)
_IS_JSON = re.compile(rb"\[\s*[\[{\]\"]|\{|null\s*\Z")
_DELIMITERS = re.compile(rb"[;,\t|]")
_NAME = re.compile(r'"?\w[\w-]*( \w[\w-]*){0,3}"?')  # of a single column: a few words, and no sentence


def head(beginning: bytes, rest: Iterator[bytes]) -> bytes:
    """Return as much of a body as is needed to say what it is."""
    found = bytearray(beginning)
    while len(found) < _LOOKED_AT and (chunk := next(rest, None)) is not None:
        found += chunk
    return bytes(found)


def not_a_list(body: bytes, asked: str) -> NotJsonError:
    """Return the error for a body that is no JSON list, in a sentence that says what it is instead and what to do."""
    text = body.removeprefix(BOM).lstrip()
    if text.startswith(b"<"):
        return _markup(text, asked, "JSON")
    if _is_table(text):
        return _in_another_format(asked, "CSV", "JSON")
    what = "an object instead of a list" if text.startswith(b"{") else "something that is not JSON"
    return NotJsonError(
        f"{asked}: HeroBase answered with {what}. Run it again; if it stays, ask HeroBase what changed in their API.",
        what,
    )


def _markup(text: bytes, asked: str, wanted: str) -> NotJsonError:
    if not _IS_PAGE.search(text[:2048]):
        return _in_another_format(asked, "XML", wanted)
    if _HAS_RECORDS.search(text) and not _IS_LOGIN.search(text):
        return _in_another_format(asked, "the records as a page for browsers", wanted)
    return NotJsonError(
        f"{asked}: HeroBase answered with a web page instead of {wanted}. Check that HEROBASE_URL is the API's address "
        "(https://yoursite.herobase.com); if it is, HeroBase is probably being serviced: run it again later.",
        "a web page, such as one to log in",
    )


def _in_another_format(asked: str, what: str, wanted: str) -> WrongFormatError:
    return WrongFormatError(
        f"{asked}: HeroBase answered with {what} where {wanted} was asked for. The login is right. Ask whoever runs the proxy "
        "between this machine and HeroBase whether it changes the header Accept; if there is none, ask HeroBase's support to "
        f"let the web-service account answer with {wanted}.",
        what,
    )


def _is_table(text: bytes) -> bool:
    """Whether the first line is a header: three names or more, with one kind of sign between them."""
    return bool(_HEADER.fullmatch(text.split(b"\n", 1)[0].decode(errors="replace").strip()))


def table(chunks: Iterable[bytes], content_type: str, asked: str) -> Iterator[bytes]:
    """Pass a CSV answer on as it arrives.

    Args:
        chunks: the body as it arrives.
        content_type: what HeroBase says that it is.
        asked: what was asked for, for the error's sentence.

    Raises:
        NotJsonError: it is a page, JSON, or nothing that HeroBase calls a table. An empty body that HeroBase calls CSV is a
            table without rows (API reference, 2.4).

    """
    rest = iter(chunks)
    beginning = b""
    while not beginning.removeprefix(BOM).strip() and (chunk := next(rest, None)) is not None:
        beginning += chunk
    beginning = head(beginning, rest)
    text = beginning.removeprefix(BOM).strip()
    if text.startswith(b"<"):
        raise _markup(text, asked, "CSV")
    if _IS_JSON.match(text) or (text and _SAYS_JSON.search(content_type)):
        raise WrongFormatError(
            f"{asked}: HeroBase answered with JSON where CSV was asked for. Ask HeroBase's support whether the account may "
            "export CSV; a saved search can be exported as JSON too (HEROBASE_SAVED_SEARCHES).",
            "JSON",
        )
    if not text and not _SAYS_CSV.search(content_type):
        raise NotJsonError(
            f"{asked}: HeroBase answered 200 with an empty body that it does not call CSV, which is not an empty table, so "
            "nothing was changed. Run it again; if it stays, report it to HeroBase.",
            "an empty body",
        )
    lines = text.splitlines()
    is_sentence = (
        bool(lines) and not _DELIMITERS.search(lines[0]) and not _NAME.fullmatch(lines[0].decode(errors="replace"))
    )
    if is_sentence or (len(lines) == 1 and not _SAYS_CSV.search(content_type) and not _is_table(text)):
        raise NotJsonError(
            f"{asked}: HeroBase answered with a text that is no table. Run it again; if it stays, report it to HeroBase.",
            "a text that is no table",
        )
    yield beginning
    yield from rest
