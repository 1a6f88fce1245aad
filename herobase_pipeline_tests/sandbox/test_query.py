"""Reading queries."""

import contextlib
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.sandbox.query import BadQueryError, Query, matches

ZONE = ZoneInfo("Europe/Copenhagen")


def query(text: str, *, honour: bool = True) -> Query:
    return Query(text.encode(), ZONE, honour_offsets=honour)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-29", "2026-03-28T23:00:00"),
        ("2026-03-30", "2026-03-29T22:00:00"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00"),
        ("2026-10-25T02:30:00%2B01:00", "2026-10-25T01:30:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00"),
        ("2026-10-25T02:30:00-0100", "2026-10-25T03:30:00"),
        ("2026-10-25%2002:30", "2026-10-25T00:30:00"),
        ("2026-01-05T08:00:00.1234567Z", "2026-01-05T08:00:00.123456"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert query(f"T={text}").time("t") == dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT2H", 7200),
        ("P1DT2H", 93_600),
        ("P3Y", 3 * 365 * 86_400),
        ("P2M", 60 * 86_400),
        ("PT12M42.5S", 762.5),
        ("7.00:00:00", 604_800),
        ("02:00", 7200),
        ("-PT1H", -3600),
        ("PT0S", 0),
    ],
)
def test_spans(text: str, seconds: float) -> None:
    span = query(f"TimeSpan={text}").span("timespan")
    assert span is not None
    assert span.total_seconds() == seconds


@pytest.mark.parametrize("text", ["P", "PT", "pt2h", "2h", "P1H", "1:2:3:4", "2026-01-01"])
def test_bad_spans(text: str) -> None:
    with pytest.raises(BadQueryError, match="span"):
        query(f"span={text}").span("span")


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=30))
def test_any_text_is_a_time_or_a_clear_error(text: str) -> None:
    asked = query("")
    asked.params["x"] = [text]
    for read in (asked.time, asked.span):
        with contextlib.suppress(BadQueryError):
            read("x")


def test_lists_and_names() -> None:
    asked = query("projects=a,b&PROJECTS=+c+&Projects=&include=Data,%20user&flag=TRUE")
    assert asked.many("projects") == ["a", "b", "c"]
    assert asked.include() == {"data", "user"}
    assert asked.flag("flag")
    assert not asked.flag("other")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("*", True), ("nysalg*", True), ("Nysalg ?st/Vest", True), ("Nysalg", False), ("[N]ysalg*", False), ("", False)],
)
def test_patterns(pattern: str, fits: bool) -> None:
    assert matches("Nysalg Øst/Vest", [pattern]) is fits
