"""A record that cannot be read is set aside, and the rest of its day lands."""

import json
import re

import dagster as dg
import pytest

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.documents import segments
from herobase_pipeline_tests.conftest import failure
from herobase_pipeline_tests.hostile import hostile

DAY = "2026-11-18"
STAMP = f'"lastModifiedTime":"{DAY}T10:00:00"'
SPOILT = {
    "half an emoji": (rb'{"uniqueId":"66S1",%s,"data":{"note":"x \ud83d"}}', "half a character"),
    "the other half": (rb'{"uniqueId":"66S1",%s,"data":{"note":"\udc00 x"}}', "half a character"),
    "bytes that are no text": (b'{"uniqueId":"66S1",%s,"data":{"note":"x \xff"}}', "bytes that are not UTF-8"),
    "a tab": (b'{"uniqueId":"66S1",%s,"data":{"note":"x\ty"}}', "not JSON"),
    "a line's end": (b'{"uniqueId":"66S1",%s,"data":{"note":"x\ny"}}', "not JSON"),
    "no number": (b'{"uniqueId":"66S1",%s,"data":{"note":NaN}}', "not JSON"),
    "infinity": (b'{"uniqueId":"66S1",%s,"data":{"note":-Infinity}}', "not JSON"),
    "a member twice": (b'{"uniqueId":"66S1",%s,"status":"New","status":"Closed"}', "a member given twice"),
    "twice in two spellings": (b'{"uniqueId":"66S1",%s,"status":"New","Status":"Closed"}', "a member given twice"),
    "a member without a name": (b'{"uniqueId":"66S1",%s,"":"x"}', "a member without a name"),
    "a null id": (b'{"uniqueId":null,%s}', "no readable uniqueId"),
    "no id": (b"{%s}", "no readable uniqueId"),
    "an empty id": (b'{"uniqueId":"",%s}', "no readable uniqueId"),
    "a list for an id": (b'{"uniqueId":[],%s}', "no readable uniqueId"),
    "null": (b"null", "not an object"),
    "a text": (b'"text"', "not an object"),
    "nested without end": (b'{"uniqueId":"66S1",%s,"data":' + b"[" * 3000 + b"]" * 3000 + b"}", "nested too deeply"),
    "an unescaped quote": (b'{"uniqueId":"66S1",%s,"data":{"note":"12" wide"}}', "not JSON"),
    "two unescaped quotes": (b'{"uniqueId":"66S1",%s,"data":{"note":"say "hi" now"}}', "not JSON"),
    "an unreadable time": (
        b'{"uniqueId":"66S1","lastModifiedTime":"18-11-26 09:00:00"}',
        "no readable lastModifiedTime",
    ),
    "a time to come": (b'{"uniqueId":"66S1","lastModifiedTime":"2031-01-01T09:00:00"}', "no readable lastModifiedTime"),
}
GOOD = [json.dumps({"uniqueId": f"{n}S1", "lastModifiedTime": f"{DAY}T09:00:0{n}"}).encode() for n in range(10)]


def answering(monkeypatch, service: str, body: bytes) -> list[object]:
    """Answer every request of a service with a body; return the list of what was asked."""
    asked: list[object] = []

    def answer(_self: HeroBase, *what: object):
        asked.append(what)
        return segments([body[at : at + 100] for at in range(0, len(body), 100)], service)

    monkeypatch.setattr(HeroBase, service, answer)
    return asked


def metadata(here, table: str) -> dict[str, object]:
    (record,) = here.instance.fetch_materializations(dg.AssetKey(table), limit=1).records
    return {name: entry.value for name, entry in record.asset_materialization.metadata.items()}


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("at", [0, 5, 10])
def test_one_lead_that_cannot_be_read_is_set_aside_and_the_others_land(centre, monkeypatch, kind, at):
    record, reason = SPOILT[kind]
    record = record.replace(b"%s", STAMP.encode())
    here = centre()
    asked = answering(monkeypatch, "simple_leads", b"[" + b" , ".join([*GOOD[:at], record, *GOOD[at:]]) + b"]")
    result = here.load("simple_leads", DAY)
    assert [lead for (lead,) in here.rows("SELECT lead_id FROM simple_leads ORDER BY 1")] == [
        f"{n}S1" for n in range(10)
    ]
    ((service, why, text),) = here.rows(f"SELECT service, reason, text FROM unreadable WHERE date = '{DAY}'")
    assert (service, text) == ("simpleleads", record.decode(errors="backslashreplace"))
    assert why.startswith(reason)
    shown = metadata(here, "simple_leads")
    assert (shown["records_kept"], shown["records_set_aside"]) == (10, 1)
    assert shown["records"] == 11 * len(asked) == 11 + shown["records_repeated"]
    assert shown["set_aside_reasons"] == f"* 1 {why}"
    assert len(asked) <= 5  # every answer is the same, so it may be cut
    logged = "\n".join(entry.user_message for entry in here.instance.all_logs(result.run_id))
    assert not re.search("66S1|wide|x y", logged)


def test_a_member_given_in_two_spellings_has_the_value_that_is_not_null(centre, monkeypatch):
    here = centre()
    calls = [
        b'{"uniqueId":"1S1","startTime":"2026-11-18T09:00:00","EndCause":"BusyNumber","endCause":null}',
        b'{"uniqueId":"2S1","startTime":"2026-11-18T09:00:00","EndCause":null,"endCause":"BusyNumber"}',
    ]
    answering(monkeypatch, "calls", b"[" + b",".join(calls) + b"]")
    here.load("calls", DAY)
    assert len({cause for (cause,) in here.rows("SELECT end_cause FROM calls")} - {None}) == 1
    assert here.rows("SELECT count(*) FROM calls WHERE end_cause IS NULL") == [(0,)]


@pytest.mark.parametrize("stamp", ["18-11-26 09:00:00", "2026-11-18 09.00", "18/11/2026 09:00", "0001-01-01T00:00:00"])
def test_stamps_that_nobody_can_read_on_all_calls_fail_the_day_and_keep_the_file(centre, monkeypatch, stamp):
    here = centre()
    here.load("calls", DAY)
    before = here.files()
    calls = [{"uniqueId": f"{n}S1", "startTime": stamp} for n in range(8)]
    answering(monkeypatch, "calls", json.dumps(calls).encode())
    sentence = failure(here.materialize("calls", DAY))
    assert "8 of the 8 records that HeroBase gave of calls" in sentence
    assert "no readable startTime" in sentence
    assert here.files() == before


def test_records_of_days_that_were_not_asked_for_are_counted_and_many_fail_the_day(centre, monkeypatch):
    here = centre()
    near = {"uniqueId": "n", "lastModifiedTime": "2026-11-19T00:30:00"}
    far = [{"uniqueId": f"{n}F", "lastModifiedTime": "2026-11-10T12:00:00"} for n in range(5)]
    good = [json.loads(record) for record in GOOD]
    answering(monkeypatch, "simple_leads", json.dumps([*good, good[0], near, *far[:2]]).encode())
    here.load("simple_leads", DAY)
    shown = {name: value for name, value in metadata(here, "simple_leads").items() if name.startswith("records")}
    asked = shown["records"] // 14
    assert shown == {
        "records": 14 * asked,
        "records_kept": 10,
        "records_repeated": 11 * asked - 10 + 2 * (asked - 1),
        "records_of_other_days": asked,
        "records_outside": 2,
        "records_set_aside": 0,
    }
    before = here.files()
    answering(monkeypatch, "simple_leads", json.dumps([*good, *far]).encode())
    assert "of days that were not asked for" in failure(here.materialize("simple_leads", DAY))
    assert here.files() == before


def with_one(record_of: str, member: str):
    """Give every list with one member more in one of its records, as it stands on the wire."""

    def change(path, _query, records):
        return [
            f"{json.dumps(record, ensure_ascii=False)[:-1]},{member}}}"
            if path == record_of and at == len(records) - 1
            else record
            for at, record in enumerate(records)
        ]

    return change


@pytest.mark.parametrize("member", [r'"remark":"x \ud83d"', '"remark":"a\tb"', '"score":NaN', r'"remark":"\udc00"'])
def test_a_unit_with_a_text_that_is_half_broken_stops_nothing_and_stays_a_unit(centre, member):
    here = centre(calls_per_day=60)
    here.load("org_units")
    ((units,),) = here.rows("SELECT count(*) FROM org_units")
    with hostile(here.sandbox.url, with_one("/organizationalunits", member)) as url:
        there = here.at(url)
        there.load("calls", DAY)
        there.load("org_units")
    assert {call for (call,) in here.rows("SELECT call_id FROM calls")} == {call.id for call in here.truth(DAY)}
    assert here.rows("SELECT count(*) FROM org_units") == [(units,)]
    assert here.rows("SELECT count(*) FROM unreadable") == [(0,)]


def test_a_unit_that_cannot_be_read_is_set_aside_and_the_others_stay(centre):
    here = centre(calls_per_day=60)
    here.load("org_units")
    ((units,),) = here.rows("SELECT count(*) FROM org_units")
    with hostile(here.sandbox.url, with_one("/organizationalunits", '"remark":"12" wide"')) as url:
        there = here.at(url)
        there.load("calls", DAY)
        there.load("org_units")
    assert {call for (call,) in here.rows("SELECT call_id FROM calls")} == {call.id for call in here.truth(DAY)}
    assert metadata(here, "calls")["units_set_aside"] == metadata(here, "org_units")["records_set_aside"] == 1
    assert here.rows("SELECT count(*) FROM org_units") == [(units - 1,)]
    ((service, reason, text),) = here.rows("SELECT service, reason, text FROM unreadable")
    assert (service, reason) == ("organizationalunits", "not JSON")
    assert '12" wide' in text
    here.load("org_units")
    assert here.rows("SELECT count(*) FROM org_units") == [(units,)]
    assert here.rows("SELECT count(*) FROM unreadable") == [(0,)]


NO_AGENTS = [[], {}, 0, False, "", None]


def test_what_is_no_agent_is_none_and_one_agent_in_two_spellings_is_one(centre):
    here = centre(calls_per_day=120)
    calls = [call.id for call in here.truth(DAY) if call.agent is not None]
    nobody, spelled = dict(zip(calls, NO_AGENTS, strict=False)), calls[len(NO_AGENTS) : len(NO_AGENTS) + 3]
    spellings = dict(zip(spelled, ["A\u030arhus 1", "Århus 1", " Århus 1 "], strict=True))

    def change(path, _query, records):
        if path != "/calls":
            return list(records)
        return [
            record
            | ({"user": nobody[record["uniqueId"]]} if record["uniqueId"] in nobody else {})
            | ({"user": {"orgCode": spellings[record["uniqueId"]]}} if record["uniqueId"] in spellings else {})
            for record in records
        ]

    with hostile(here.sandbox.url, change) as url:
        here.at(url).load("calls", DAY)
    agents = dict(here.rows("SELECT call_id, agent FROM calls"))
    assert {agents[call] for call in nobody} == {None}
    assert {agents[call] for call in spellings} == {"Århus 1"}
    assert {call.id: call.agent for call in here.truth(DAY) if call.id not in nobody | spellings} == {
        call: agent for call, agent in agents.items() if call not in nobody | spellings
    }
