"""Records taken one by one out of a list that does not parse as a whole; what cannot be read is set aside with a reason.

Whether a list is whole is decided by its brackets and strings, not by whether it parses: no smaller window mends a record.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
NO_OBJECT = "not an object"
NO_JSON = "not JSON"
NO_TEXT = "bytes that are not UTF-8"
TOO_DEEP = "nested too deeply"
HALF_A_CHARACTER = "half a character"
NO_NAME = "a member without a name"
TWICE = "a member given twice, with different values"

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_FIRST_KEY = re.compile(rb'\s*\[\s*\{\s*("(?:[^"\\]|\\.)*")\s*:')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_END = re.compile(rb"\}\s*(\])\s*\Z")


class Unreadable(NamedTuple):
    """A record that is set aside: why, and its text as it came."""

    reason: str
    text: str

    @classmethod
    def of(cls, reason: str, record: bytes) -> "Unreadable":
        """Keep a record's text; bytes that are no text are written as backslash escapes."""
        return cls(reason, record.decode(errors="backslashreplace"))


def records(array: bytes) -> list[bytes] | None:
    """Return the texts of an array's records, readable or not; None if the array is not whole.

    A quote that is missing its backslash turns strings inside out; then the record ends where the next one seems to begin.
    """
    if not array.lstrip().startswith(b"["):
        return None
    first = _FIRST_KEY.match(array)
    key = re.escape(first[1]) if first else rb'"[^"\\]+"'
    seam = re.compile(rb"\}\s*(,)\s*(?=\{\s*" + key + rb"\s*:)")  # in no string, as a quote is escaped there
    found: list[bytes] = []
    begin = array.index(b"[") + 1
    if not array[begin:].strip().removeprefix(b"]"):
        return found if array.rstrip().endswith(b"]") and begin < len(array.rstrip()) else None
    while True:
        end = _end(array, begin)
        if (end is None or fault(array[begin:end].strip())) and not _is_sound(array, begin, end):
            cut = seam.search(array, begin) or _END.search(array, begin)
            end = cut.start(1) if cut else None
            if end is not None and array[end : end + 1] == b"]" and not _is_balanced(array[begin:end]):
                return None  # it may as well be the end of a list within the record, where the answer broke off
        if end is None or not (record := array[begin:end].strip()):
            return None
        found.append(record)
        if array[end : end + 1] == b"]":
            return None if array[end + 1 :].strip() else found
        begin = end + 1


def fault(record: bytes) -> str | None:
    """Return why a text is no JSON object; None if it is one."""
    try:
        record.decode()
        msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError:
        return NO_TEXT
    except RecursionError:
        return TOO_DEEP
    except msgspec.ValidationError:
        return NO_OBJECT
    except msgspec.DecodeError:
        return _half(record) or NO_JSON
    return None


def checked(record: bytes, spelling: dict[str, str]) -> dict[str, bytes] | Unreadable:
    """Read a record with all that other readers of JSON insist on.

    Args:
        record: its text.
        spelling: how each member is spelled, by its name in lower case; new names are added.

    Returns:
        The texts of its members, each once: of a member given twice, the value that is not null.

    """
    if reason := fault(record) or _half(record):
        return Unreadable.of(reason, record)
    found: dict[str, bytes] = {}
    for name, value in _members(record):
        if not name or "\0" in name:
            return Unreadable.of(NO_NAME, record)
        name = spelling.setdefault(name.casefold(), name)
        before = found.get(name, b"null")
        if before not in (b"null", value) and value != b"null":
            return Unreadable.of(TWICE, record)
        found[name] = value if before == b"null" else before
    return found


def mended(array: bytes) -> tuple[list[dict[str, Any]], list[Unreadable]] | None:
    """Read the records of a small list, whose texts are labels: what is no character becomes ``\N{REPLACEMENT CHARACTER}``.

    Returns:
        The records, and those that cannot be read even so; None if the list is not whole.

    """
    texts = records(array)
    if texts is None:
        return None
    good: list[dict[str, Any]] = []
    bad: list[Unreadable] = []
    for text in texts:
        try:
            value = json.loads(text.decode(errors="replace"), strict=False, parse_constant=lambda _: None)
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            good.append(msgspec.json.decode(whole, type=dict[str, Any]))
        except (ValueError, RecursionError):
            bad.append(Unreadable.of(fault(text) or NO_JSON, text))
    return good, bad


def joined(members: Sequence[dict[str, bytes]]) -> bytes:
    """Return an array of records, given by their members."""
    texts = [
        b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in record.items()) + b"}"
        for record in members
    ]
    return b"[" + b",".join(texts) + b"]"


def _end(array: bytes, begin: int) -> int | None:
    """Return where the record that begins somewhere ends: at its comma, or at the array's bracket."""
    depth = 0
    for token in TOKENS.finditer(array, begin):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif depth == 0 and mark in (b",", b"]"):
            return token.start()
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth < 0:
                return None
    return None


def _is_sound(array: bytes, begin: int, end: int | None) -> bool:
    """Whether every string that ends stands where JSON has strings; else a quote within one has no backslash."""
    text = array[begin:end]
    for string in _STRING.finditer(text):
        before, after = text[: string.start()].rstrip()[-1:], _next(text, string.end())
        if before not in (b"{", b"[", b",", b":", b"") or after not in (b"}", b"]", b",", b":", b""):
            return False
    return True


def _is_balanced(record: bytes) -> bool:
    """Whether as many brackets close as open; those in its texts count too, as nobody knows where these end."""
    return record.count(b"{") == record.count(b"}") and record.count(b"[") == record.count(b"]")


def _next(text: bytes, at: int) -> bytes:
    while text[at : at + 1].isspace():
        at += 1
    return text[at : at + 1]


def _half(record: bytes) -> str | None:
    if _SURROGATE.search(record):
        try:
            json.dumps(json.loads(record), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return HALF_A_CHARACTER
        except RecursionError:
            return TOO_DEEP
    return None


def _members(record: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a record that is known to be JSON, each as often as it is given."""
    depth, name, begin = 0, None, 0
    for token in TOKENS.finditer(record):
        mark = token[0]
        if depth == 1 and mark in (b",", b"}") and name is not None:
            yield name, record[begin : token.start()].strip()
            name = None
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        elif depth == 1 and name is None and mark != b",":
            name = msgspec.json.decode(mark, type=str)
            begin = record.index(b":", token.end()) + 1
