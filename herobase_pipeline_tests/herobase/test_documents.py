"""Documents: whatever the records and however the bytes are cut, all of them come out or an error does."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.herobase.documents import segments
from herobase_pipeline.herobase.errors import BrokenOffError, HeroBaseError, NotJsonError

BOM = b"\xef\xbb\xbf"
FAST = settings(max_examples=150, deadline=None)

# Few keys, so that those of a record repeat in what is nested in it, and texts that look like the seam of two records.
KEYS = st.sampled_from(["uniqueId", "a", "", 'a"b', "æ\\ø"]) | st.text(max_size=3).filter(lambda k: k.isprintable())
SEAMS = st.sampled_from(
    ['},{"uniqueId":', '}, {"a":"', '"},{"', "}]", "[{", "\\", '\\"', '"', "æøå", "\n", "\U0001f600", ","]
)
TEXTS = st.lists(SEAMS, max_size=4).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
RECORDS = st.lists(
    st.dictionaries(KEYS, VALUES, max_size=4).flatmap(lambda d: st.permutations(list(d.items())).map(dict)), max_size=8
)
WRITERS = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"separators": (" ,\r\n", " :\t")},
        {"indent": 2},
        {"indent": 40, "ensure_ascii": True},
        {"separators": ("\n,\n", ":"), "ensure_ascii": True},
    ]
)
SPACE = st.sampled_from(["", " ", "\r\n\t", " " * 200])


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[dict[str, Any]], bytes]:
    records = draw(RECORDS)
    writer = {"ensure_ascii": False, **draw(WRITERS)}
    before, after = draw(SPACE), draw(SPACE)
    text = before + json.dumps(records, **writer) + after
    return records, (BOM if draw(st.booleans()) else b"") + text.encode()


def pieces(body: bytes, lengths: list[int]) -> list[bytes]:
    """The body in pieces of these lengths, over and over."""
    cut, at = [], 0
    while at < len(body):
        step = lengths[len(cut) % len(lengths)]
        cut.append(body[at : at + step])
        at += step
    return cut


def read(body: bytes, size: int = 1 << 20, lengths: list[int] | None = None) -> list[Any]:
    """The records of all segments, read by Python's own JSON reader."""
    return [
        record
        for segment in segments(pieces(body, lengths or [1 << 16]), "calls", size)
        for record in json.loads(segment.json)
    ]


@given(documents(), st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(1, 200))
@FAST
def test_all_records_come_out_in_order_whatever_the_cuts(document, lengths, size):
    records, body = document
    found: list[Any] = []
    keys: set[str] = set()
    for segment in segments(pieces(body, lengths), "calls", size):
        part = json.loads(segment.json)
        found += part
        keys.update(*part)
        assert segment.records == len(part)
        assert segment.keys == keys
    assert found == records


@given(documents(), st.integers(1, 40))
@FAST
def test_a_byte_at_a_time(document, size):
    records, body = document
    assert read(body, size, [1]) == records


@given(documents(), st.data())
@FAST
def test_t13_no_beginning_of_a_document_passes_for_a_whole(document, data):
    records, body = document
    body = body.rstrip()
    end = data.draw(st.integers(0, len(body) - 1))
    size = data.draw(st.integers(1, 80))
    came: list[Any] = []

    def read_on() -> None:
        for segment in segments(pieces(body[:end], [7]), "calls", size):
            came.extend(json.loads(segment.json))

    with pytest.raises((BrokenOffError, NotJsonError)):
        read_on()
    assert came == records[: len(came)]


def test_t13_every_beginning_of_a_document():
    body = BOM + b' [ {"a":1,"b":[{"a":2},{"a":"},{\\"a\\":"}]} , {"a":3} ,{"b":{}}]'
    for size in (1, 20, 1000):
        for end in range(len(body)):
            with pytest.raises((BrokenOffError, NotJsonError)):
                read(body[:end], size, [3])
        assert len(read(body, size, [3])) == 3


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    "rest", ["x", "{}", ",", "]", '[{"a":1}]', "null", '\n[{"a":1}]', "<html>", ',{"a":2}', "\x00"]
)
def test_what_follows_the_array_is_not_passed_over(rest, size):
    with pytest.raises(HeroBaseError):
        read(b'[{"a":1},{"a":2}]' + rest.encode(), size, [4])


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    "body",
    [
        b"[1,2]", b'["a"]', b"[null]", b"[[]]", b'[[{"a":1}]]', b"{}",
        b'{"a":[{"b":1}]}', b"null", b'"text"', b"12", b"",  b"   ", BOM, b"\xef\xbb", b"<html></html>",
        b" \n<!DOCTYPE html>", b"Service Unavailable",
    ],
)  # fmt: skip
def test_t13_what_is_no_array_of_records_is_not_json(body, size):
    with pytest.raises(NotJsonError):
        read(body, size, [2])


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    "body",
    [
        b'[{"a":1},]', b'[{"a":1},{"a":2},]', b'[,{"a":1}]', b'[{"a":1},,{"a":2}]', b'[{"a":1}}]', b'[{"a":[1}]}]', b"[}",
    ],
)  # fmt: skip
def test_an_array_that_is_not_whole_is_an_error_at_any_segment_size(body, size):
    with pytest.raises((BrokenOffError, NotJsonError)):
        read(body, size, [3])


def test_a_mark_or_white_space_before_the_array_may_come_in_pieces():
    body = BOM + b" " * 300 + b'[{"a":1}]'
    assert read(body, lengths=[1]) == [{"a": 1}]
    assert read(body, lengths=[2, 100]) == [{"a": 1}]


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    "body",
    [
        b'[{"a":1,}]', b'[{"a":NaN}]', b'[{"a":01}]', b"[{'a':1}]", b'[{a:1}]', b'[{"a":"\x01"}]', b'[{"a":"\\q"}]',
        b'[{"a"}]', b'[{"a":"\xff"}]', b'[{"\xff":1}]', b'[{"a":1},{"b":"\xc3"}]', b'[{"a":1},2]',
        b'[2,{"a":1},{"a":2}]', b'[{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}]",
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_set_aside_at_any_segment_size(body, size):
    found = list(segments([body[at : at + 3] for at in range(0, len(body), 3)], "calls", size))
    assert sum(segment.records for segment in found) == body.count(b'{"a":1}') + body.count(b'{"a":2}')
    assert sum(len(segment.unreadable) for segment in found) == 1


def test_t13_no_beginning_of_a_document_with_an_unescaped_quote_passes_for_a_whole():
    body = (
        b'[{"a":1,"t":"x"},{"a":2,"t":"12" wide","legs":[{"b":1},{"b":2}],"e":{}},{"a":3,"t":"y"},{"a":4,"t":"1" z"}]'
    )
    for end in range(len(body)):
        with pytest.raises(BrokenOffError if end else NotJsonError):
            read(body[:end], lengths=[7])
    (segment,) = segments([body], "calls")
    assert (segment.records, len(segment.unreadable)) == (2, 2)


def test_an_empty_array_is_one_segment_without_records():
    (segment,) = segments([b" [ ] "], "calls")
    assert (segment.records, segment.keys) == (0, frozenset())


def test_a_record_larger_than_a_segment_stays_whole():
    records = [{"id": "x" * 5_000}, {"id": "y"}, {"id": "z" * 9_000}]
    assert read(json.dumps(records).encode(), 100, [64]) == records


def test_segments_come_while_the_document_is_still_arriving():
    taken = 0

    def arriving():
        nonlocal taken
        yield b"["
        for i in range(1_000):
            taken = i
            yield b'{"id":%d},' % i
        yield b'{"id":1000}]'

    stream = segments(arriving(), "calls", 200)
    first = next(stream)
    assert taken < 100
    assert sum(s.records for s in stream) + first.records == 1_001
    assert len(first.json) < 400


def test_a_segment_is_cut_where_records_meet_though_their_first_key_is_nested_in_them():
    records = [{"id": i, "legs": [{"id": j} for j in range(20)]} for i in range(50)]
    found = list(segments([json.dumps(records).encode()], "calls", 500))
    assert [r for s in found for r in json.loads(s.json)] == records
    assert len(found) > 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "a web page instead of JSON"),
        (b"", "empty body"),
        (b"{}", "an object instead of a list"),
        (b"oops", "something that is not JSON"),
        (b"[1]", "something other than records"),
        (b'[{"a":1}', "broke off in the middle"),
    ],
)
def test_the_error_says_what_was_asked_and_what_came(body, says):
    with pytest.raises(HeroBaseError) as raised:
        read(body)
    assert str(raised.value).startswith("calls: ")
    assert says in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
