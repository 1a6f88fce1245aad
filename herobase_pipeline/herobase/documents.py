"""A JSON array that arrives in pieces, cut into segments of whole records as it comes.

A cut is guessed near the segment's end and then proven: the segment is taken only if it parses as an array by itself.
A cut inside a string or a nested array cannot pass that, as the text before it would be left open. Where the guess
fails, every bracket is counted. Thus memory depends on the segment and not on the document, and no record is lost
whatever the key order, the white space or the text inside strings (performance reference, "The cut"). Where a segment
does not parse, its records are read one by one, and those at fault are set aside.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from herobase_pipeline.herobase import formats, salvage
from herobase_pipeline.herobase.errors import BrokenOffError, NotJsonError
from herobase_pipeline.herobase.salvage import Unreadable

SEGMENT_BYTES = 16 << 20
_FIRST_SEGMENT_BYTES = 4 << 20  # keys are learnt from the first one, and parsing starts with it

_FIRST_KEY = re.compile(rb'\s*\[\s*\{\s*"((?:[^"\\]|\\.)*)"\s*:')
_NO_FIELD_NAME = re.compile(r'["\\\x00-\x1f]')  # what msgspec refuses in a field's name


@dataclass(frozen=True)
class Segment:
    """Whole records of a document.

    Attributes:
        json: a JSON array of them, by itself.
        records: how many there are.
        keys: every key that a record of the document has had so far, in the spelling of the wire.
        unreadable: records that came among these and cannot be read; they are in none of the above.

    """

    json: bytes
    records: int
    keys: frozenset[str]
    unreadable: tuple[Unreadable, ...] = ()

    def checked(self) -> "Segment":
        """Return the records that stand every check, one by one: each member once and in one spelling, whole characters."""
        spelling: dict[str, str] = {}
        for key in sorted(self.keys):
            if key and "\0" not in key:
                spelling.setdefault(key.casefold(), key)
        read = [salvage.checked(record, spelling) for record in salvage.records(self.json) or ()]
        good = [record for record in read if not isinstance(record, Unreadable)]
        bad = [record for record in read if isinstance(record, Unreadable)]
        return Segment(salvage.joined(good), len(good), frozenset(spelling.values()), (*self.unreadable, *bad))


class _Records:
    """Counts a segment's records and learns their keys; a segment without new keys is read at full speed."""

    def __init__(self) -> None:
        self.keys: frozenset[str] = frozenset()
        self._decoder: msgspec.json.Decoder[Any] | None = None

    def read(self, array: bytes) -> Segment:
        """Prove that ``array`` is a JSON array of objects.

        Raises:
            msgspec.DecodeError: it is not.

        """
        try:
            array.decode()  # as what is skipped over unread is not looked at
            return self._read(array)
        except (UnicodeDecodeError, RecursionError) as error:  # no text, or nested beyond all reason
            raise msgspec.DecodeError(type(error).__name__) from None

    def salvage(self, array: bytes) -> Segment | None:
        """Read an array's records one by one and set aside those at fault; None if the array is not whole."""
        texts = salvage.records(array)
        if texts is None:
            return None
        faults = [(salvage.fault(text), text) for text in texts]
        good = self._read(b"[" + b",".join(text for reason, text in faults if reason is None) + b"]")
        return replace(good, unreadable=tuple(Unreadable.of(reason, text) for reason, text in faults if reason))

    def _read(self, array: bytes) -> Segment:
        if self._decoder is not None:
            try:
                return Segment(array, len(self._decoder.decode(array)), self.keys)
            except msgspec.ValidationError:
                pass  # a key not seen before, or a record that is no object: the slow way finds out which
        records = msgspec.json.decode(array, type=list[dict[str, msgspec.Raw]])
        self.keys = self.keys.union(*records)
        if any(_NO_FIELD_NAME.search(key) for key in self.keys):  # then every segment is read the slow way
            self._decoder = None
            return Segment(array, len(records), self.keys)
        fields = [
            (f"f{i}", msgspec.Raw, msgspec.field(name=key, default=msgspec.Raw())) for i, key in enumerate(self.keys)
        ]
        record = msgspec.defstruct("Record", fields, forbid_unknown_fields=True, gc=False)
        self._decoder = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]  # a type made at run time
        return Segment(array, len(records), self.keys)


def segments(chunks: Iterable[bytes], asked: str, size: int = SEGMENT_BYTES) -> Iterator[Segment]:
    """Cut a JSON array of records into segments of about ``size`` bytes.

    Args:
        chunks: the body as it arrives, cut anywhere.
        asked: what was asked for, for the error's sentence.
        size: a segment's size in bytes, at least one record.

    Yields:
        Each segment as soon as it is whole. All records are out only once the iterator ends without an error.

    Raises:
        BrokenOffError: the body ends before the array does.
        NotJsonError: the body is not a JSON array of objects.

    """
    records = _Records()
    buffer = bytearray()
    begun = continued = readable = False
    full = min(size, _FIRST_SEGMENT_BYTES)
    arriving = iter(chunks)
    for chunk in arriving:
        buffer += chunk
        if not begun and (start := _start(buffer)):
            if start != b"[":
                raise formats.not_a_list(formats.head(bytes(buffer), arriving), asked)
            begun = True
        while begun and len(buffer) >= full:
            cut = _cut(buffer, records)
            if cut is None:
                full = 2 * len(buffer)  # one record larger than a segment
                break
            segment, end = cut
            readable = readable or _has_objects(segment)
            yield segment
            buffer[:end] = b"["
            full, continued = size, True
    if not begun:
        raise NotJsonError(_empty(asked))
    segment = _last(bytes(buffer), records, asked, continued=continued)
    if segment.unreadable and not (readable or _has_objects(segment)):
        raise NotJsonError(
            f"{asked}: HeroBase answered with a list of something other than records. Ask HeroBase what changed."
        )
    yield segment


def _has_objects(segment: Segment) -> bool:
    return segment.records > 0 or any(record.reason != salvage.NO_OBJECT for record in segment.unreadable)


def _start(buffer: bytearray) -> bytes:
    """Return the sign that the body begins with, the array's bracket if all is well; drops what may stand before it."""
    if buffer.startswith(formats.BOM):
        del buffer[: len(formats.BOM)]
    start = bytes(buffer.lstrip()[: len(formats.BOM)])
    is_half_a_bom = len(start) < len(formats.BOM) and formats.BOM.startswith(start)
    return b"" if is_half_a_bom else start[:1]


def _cut(buffer: bytearray, records: _Records) -> tuple[Segment, int] | None:
    """Return a proven segment from the buffer's start, and where the next record begins; None if no record ends yet."""
    cuts = []
    for find in (_guess, _count_brackets):
        if (at := find(buffer)) is not None:
            comma, end = at
            with memoryview(buffer) as view:
                array = b"".join((view[:comma], b"]"))
            try:
                segment = records.read(array)
            except msgspec.DecodeError:
                cuts.append((array, end))
                continue
            if segment.records:  # none before a comma is no JSON
                return segment, end
    for array, end in cuts:
        salvaged = records.salvage(array)
        if salvaged and (salvaged.records or salvaged.unreadable):
            return salvaged, end
    return None


def _guess(buffer: bytearray) -> tuple[int, int] | None:
    """Find the last place where a record like the first one seems to begin: (its comma, its brace)."""
    first = _FIRST_KEY.match(buffer)
    if first is None:
        return None
    begins = re.compile(rb'\}\s*(,)\s*(?=\{\s*"' + re.escape(first[1]) + rb'"\s*:)')
    for tail in (1 << 16, 1 << 20):
        found = None
        for match in begins.finditer(buffer, max(0, len(buffer) - tail)):
            found = match
        if found:
            return found.start(1), found.end()
    return None


def _count_brackets(buffer: bytearray) -> tuple[int, int] | None:
    """Find the last comma between records by counting every bracket outside strings: exact, but slow."""
    depth, comma = 0, None
    for token in salvage.TOKENS.finditer(buffer):
        match token[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
            case b"," if depth == 1:
                comma = token.start()
    return None if comma is None else (comma, comma + 1)


def _last(rest: bytes, records: _Records, asked: str, *, continued: bool) -> Segment:
    """Return the segment that the array's closing bracket ends."""
    segment: Segment | None
    try:
        segment = records.read(rest)
    except msgspec.DecodeError:
        segment = records.salvage(rest)
    # a comma, and nothing after it, is half a list too
    if segment is None or (continued and not segment.records and not segment.unreadable):
        raise BrokenOffError(_broken_off(asked))
    return segment


def _broken_off(asked: str) -> str:
    return (
        f"{asked}: HeroBase's answer broke off in the middle of the list, so none of it was kept. "
        "Run it again; if it stays, ask for fewer days at a time."
    )


def _empty(asked: str) -> str:
    return (
        f"{asked}: HeroBase answered 200 with an empty body, which is not an empty list, so nothing was changed. "
        "Run it again; if it stays, report it to HeroBase."
    )
