"""Landing: whatever the bytes were cut into, the same rows; whatever is not known, kept."""

import datetime as dt
import json
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.herobase.documents import segments
from herobase_pipeline.herobase.errors import BrokenOffError
from herobase_pipeline.lake.engine import connect, define_token
from herobase_pipeline.lake.landing import Landing
from herobase_pipeline.tables import CALL_PHONES, CALLS

ZONE = ZoneInfo("Europe/Copenhagen")

text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
unknown = st.dictionaries(
    st.sampled_from(["unknownA", "unknownB", "unknown C"]), st.one_of(text, st.integers(), st.lists(text))
)
call = st.builds(
    lambda number, seconds, agent, more: {
        "uniqueId": f"{number}S1",
        "startTime": f"2026-01-05T09:00:{seconds % 60:02d}.0000000",
        "dialingDuration": f"PT{seconds}S",
        **({"user": {"orgCode": agent}} if agent else {}),
        **more,
    },
    st.integers(0, 10**6),
    st.integers(0, 5000),
    text,
    unknown,
)


def land(documents: list[tuple[bytes, int, int]]) -> tuple[list[tuple], list[str]]:
    """Land documents (body, bytes a chunk, bytes a segment); return what ``pulled`` holds, and the unknown fields."""
    with tempfile.TemporaryDirectory() as folder, connect(ZONE, Path(folder)) as con:
        define_token(con, b"key")
        with Landing(con, Path(folder), (CALLS, CALL_PHONES)) as landing:
            for body, chunk, size in documents:
                chunks = (body[start : start + chunk] for start in range(0, len(body), chunk))
                landing.document(segments(chunks, "calls", size))
            landing.gather()
        columns = ", ".join(column.name for column in landing.columns)
        rows = con.execute(f"SELECT {columns}, {landing.unknown(without=())} FROM pulled ORDER BY ALL").fetchall()
        assert list(Path(folder).glob("*.json")) == []
        return rows, landing.wire_fields()


@settings(max_examples=25, deadline=None)
@given(st.lists(call, max_size=20), st.integers(1, 200), st.integers(1, 4000), st.booleans())
def test_landing_is_independent_of_how_the_bytes_were_cut(calls, chunk, size, pretty):
    body = json.dumps(calls, ensure_ascii=False, indent=2 if pretty else None).encode()
    assert land([(body, chunk, size)]) == land([(body, len(body), 1 << 30)])
    rows, _ = land([(body, chunk, size)])
    assert [(row[0], row[7]) for row in rows] == sorted((record["uniqueId"], None) for record in calls) or len(
        rows
    ) == len(calls)
    kept = [json.loads(row[-1]) if row[-1] else {} for row in rows]
    assert sum(map(len, kept)) == sum(
        value != "" for record in calls for key, value in record.items() if key.startswith("unknown")
    )


def test_a_document_that_breaks_off_takes_its_parts_with_it():
    whole = json.dumps([{"uniqueId": f"{n}S1", "startTime": "2026-01-05T09:00:00"} for n in range(50)]).encode()
    with tempfile.TemporaryDirectory() as folder, connect(ZONE, Path(folder)) as con:
        define_token(con, b"key")
        with Landing(con, Path(folder), (CALLS, CALL_PHONES)) as landing:
            assert landing.document(segments([whole], "calls", 200)) == 50
            with pytest.raises(BrokenOffError):
                landing.document(segments([whole[:-30]], "calls", 200))
            landing.gather()
            assert con.execute("SELECT count(*), count(DISTINCT call_id) FROM pulled").fetchall() == [(50, 50)]
            query = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'own'"
            tables = {name for (name,) in con.execute(query).fetchall()}
            assert {name.split("-")[0] for name in tables} == {"part_0"}
            assert list(Path(folder).glob("*.json")) == []


@pytest.mark.parametrize(
    "record", [{"startTime": "2026-01-05T09:00:00"}, {"uniqueId": "1S1"}, {"uniqueId": "1S1", "startTime": "yesterday"}]
)
def test_a_record_without_id_or_readable_start_is_set_aside_with_the_reason(record):
    with tempfile.TemporaryDirectory() as folder, connect(ZONE, Path(folder)) as con:
        define_token(con, b"key")
        with Landing(con, Path(folder), (CALLS, CALL_PHONES)) as landing:
            assert landing.document(segments([json.dumps([record]).encode()], "calls")) == 1
    ((reason, text),) = landing.unreadable
    assert reason.startswith("no readable")
    assert json.loads(text) == record


def test_keys_in_several_spellings_are_one_field():
    records = [
        {"uniqueId": "1S1", "startTime": "2026-01-05T09:00:00"},
        {"UniqueId": "2S1", "STARTTIME": "2026-01-05T09:00:00Z"},
    ]
    rows, _ = land([(json.dumps(records).encode(), 1000, 1000)])
    assert [(row[0], row[1]) for row in rows] == [
        ("1S1", dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)),
        ("2S1", dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)),
    ]


def test_keys_in_another_spelling_in_another_answer_are_one_field():
    documents = [
        (
            json.dumps([{"uniqueId": f"{n}S1", "startTime": "2026-01-05T09:00:00", name: ["R"], letters: n}]).encode(),
            100,
            1000,
        )
        for n, (name, letters) in enumerate(
            [("orgHierarchy", "Ægte"), ("OrgHierarchy", "ægte"), ("ORGHIERARCHY", "ÆGTE")]
        )
    ]
    rows, fields = land(documents)
    assert len(rows) == 3
    assert sorted(field.casefold() for field in fields) == ["orghierarchy", "ægte"]
    found = [json.loads(row[-1]) for row in rows]
    assert [{name.casefold(): value for name, value in each.items()} for each in found] == [
        {"orghierarchy": ["R"], "ægte": n} for n in range(3)
    ]


@pytest.mark.parametrize("around", [" {} ", "\t{}", "{}\u00a0", "\r\n{}\n"])
def test_ids_names_and_flags_are_the_same_with_blanks_around_them(around):
    plain = {
        "uniqueId": "1S1",
        "startTime": "2026-01-05T09:00:00",
        "uniqueLeadId": "L2S1",
        "campaignType": "Dialer",
        "endCause": "AgentHangup",
        "leadClosure": "2",
        "leadStatus": "of our own",
        "campaign": "C3S1",
        "user": "ANNA",
    }
    times = {"startTime"}
    spaced = {name: value if name in times else around.format(value) for name, value in plain.items()}
    assert _kept(spaced) == _kept(plain)
    assert _kept(plain | {"connected": " True ", "uniqueLeadId": "  "}) == _kept(
        plain | {"connected": "true", "uniqueLeadId": ""}
    )


def _kept(record: dict[str, str]) -> list[tuple]:
    rows, _ = land([(json.dumps([record]).encode(), 1000, 1000)])
    return rows


@pytest.mark.parametrize("value", [{"name": "Anna Hansen"}, ["Anna Hansen"], ' {"name": "Anna Hansen"}'])
@pytest.mark.parametrize("field", ["uniqueLeadId", "campaignType", "endCause", "leadPhoneNumber"])
def test_a_code_that_becomes_an_object_is_read_as_nothing_and_counted(field, value):
    """An object may hold a customer's name, which has no place outside the private zone."""
    record = {"uniqueId": "1S1", "startTime": "2026-01-05T09:00:00", field: value}
    with tempfile.TemporaryDirectory() as folder, connect(ZONE, Path(folder)) as con:
        define_token(con, b"key")
        with Landing(con, Path(folder), (CALLS,)) as landing:
            landing.document(segments([json.dumps([record]).encode()], "calls"))
            landing.gather()
            assert landing.unreadable_values() == {field: 1}
            assert landing.given("true", {})[field] == 0
        typed = [column.name for column in landing.columns]
        assert "Hansen" not in str(con.execute(f"SELECT {', '.join(typed)} FROM pulled").fetchall())


def test_t23_enums_by_name_or_number_in_any_case_and_what_is_unknown_stays():
    wire = [7, "Foo", "success", "", 1, "SUCCESS", "NotInterested", "2", None]
    records = [
        {"uniqueId": f"{n}", "startTime": "2026-01-05T09:00:00", **({} if value is None else {"leadClosure": value})}
        for n, value in enumerate(wire)
    ]
    rows, _ = land([(json.dumps(records).encode(), 1000, 1000)])
    closure = [column.name for column in CALLS if column.field].index("lead_closure")
    assert [row[closure] for row in rows] == [
        "7",
        "Foo",
        "Success",
        None,
        "Success",
        "Success",
        "NotInterested",
        "NotInterested",
        None,
    ]


@pytest.mark.parametrize(
    ("field", "value", "kinds"),
    [
        ("grade", "A", {"grade": "text"}),
        ("score", 12.5, {"score": "number"}),
        ("isHot", False, {"isHot": "flag"}),
        ("tags", ["Hans Jensen"], {"tags": "list"}),
        ("lead", {"firstName": "Hans", "more": {"lastName": "Jensen"}}, {"lead": "object"}),
        ('nøgle " og \\', "x", {'nøgle " og \\': "text"}),
        ("note", "hans@example.dk", {"note": "text"}),
        ("hans@example.dk", 1, {"withheld": "text"}),
        ("12 34 56 78", [1], {"withheld": "text"}),
    ],
)
def test_of_unknown_fields_the_names_and_kinds_are_apart_from_the_content(field, value, kinds):
    rows, fields = land(
        [(json.dumps([{"uniqueId": "1", "startTime": "2026-01-05T09:00:00", field: value}]).encode(), 1000, 1000)]
    )
    assert fields == [field]
    *_, extra, private = rows[0]
    assert json.loads(extra) == kinds
    assert json.loads(private) == {field: value}
