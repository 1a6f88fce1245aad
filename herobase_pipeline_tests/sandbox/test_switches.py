"""The shape switches: the same calls and leads in every form that API reference section 5 lists."""

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.sandbox.world.truth import Call
from herobase_pipeline_tests.sandbox.conftest import NOW, ROOT, Ask

Boxed = Callable[..., tuple[Sandbox, Ask]]
ZONE = ZoneInfo("Europe/Copenhagen")
TODAY = {"OrgCode": ROOT, "StartTime": "2026-11-20", "TimeSpan": "P1D"}


def pairs(boxed: Boxed, **settings: Any) -> list[tuple[dict[str, Any], Call]]:
    box, ask = boxed(**settings)
    response = ask("/calls", **TODAY)
    records, key = response.json(), "UniqueId" if settings.get("key_case") == "pascal" else "uniqueId"
    start = dt.datetime(2026, 11, 19, 23, tzinfo=dt.UTC)
    truth = {c.id: c for c in box.world.calls(start, start + dt.timedelta(days=1))}
    assert {r[key] for r in records} == set(truth) != set()
    return [(r, truth[r[key]]) for r in records]


def chain(unit: dict[str, Any] | None) -> list[str]:
    codes = []
    while unit:
        codes.append(unit["orgCode"])
        unit = unit.get("parent")
    return codes[::-1]


HIERARCHIES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "objects": lambda r: [u["orgCode"] for u in r.get("orgHierarchy", [])],
    "strings": lambda r: r.get("orgHierarchy", []),
    "nested": lambda r: chain(r.get("orgUnit")),
    "nested_user": lambda r: chain(r.get("user", {}).get("orgUnit")),
    "columns": lambda r: [r[f"orgLevel{n}"] for n in range(1, 9) if f"orgLevel{n}" in r],
    "none": lambda _: [],
}


@pytest.mark.parametrize("hierarchy", HIERARCHIES)
def test_hierarchies(boxed: Boxed, hierarchy: str) -> None:
    for record, call in pairs(boxed, hierarchy=hierarchy):
        assert HIERARCHIES[hierarchy](record) == ([] if hierarchy == "none" else list(call.org_path))


def test_order_and_name_of_the_hierarchy(boxed: Boxed) -> None:
    for record, call in pairs(boxed, hierarchy_order="leaf_first", hierarchy_field="organisation"):
        assert [u["name"] for u in record.get("organisation", [])] == list(call.org_names)[::-1]


STAMPS: dict[str, Callable[[dt.datetime], str]] = {
    "decimals7": lambda t: f"{t.astimezone(ZONE):%Y-%m-%dT%H:%M:%S}.0000000",
    "seconds": lambda t: f"{t.astimezone(ZONE):%Y-%m-%dT%H:%M:%S}",
    "utc": lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z",
    "offset": lambda t: t.astimezone(ZONE).isoformat(),
    "ms_date": lambda t: f"/Date({int(t.timestamp()) * 1000})/",
    "danish": lambda t: f"{t.astimezone(ZONE):%d-%m-%Y %H:%M:%S}",
}


@pytest.mark.parametrize("stamps", STAMPS)
def test_stamps(boxed: Boxed, stamps: str) -> None:
    for record, call in pairs(boxed, stamps=stamps):
        write = STAMPS[stamps]
        assert record["startTime"] == write(call.start)
        assert record.get("connectTime") == (write(call.connect) if call.connect else None)
        assert record.get("endTime") == (write(call.end) if call.end else None)


def seconds(form: str, value: Any) -> float | None:
    if value is None:
        return None
    if form == "seconds":
        return float(value)
    if form == "clock":
        hours, minutes, rest = value.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", value)
    assert match
    assert value != "PT"
    return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3] or 0)


@pytest.mark.parametrize("durations", ["iso", "clock", "seconds"])
def test_durations(boxed: Boxed, durations: str) -> None:
    found = pairs(boxed, durations=durations)
    for record, call in found:
        assert seconds(durations, record.get("dialingDuration")) == call.dialing_s
        assert seconds(durations, record.get("conversationDuration")) == call.conversation_s
        assert seconds(durations, record.get("wrapUpDuration")) == call.wrap_up_s
    assert any(call.wrap_up_s and call.wrap_up_s % 1 for _, call in found)


def test_enumerations_as_numbers(boxed: Boxed) -> None:
    for record, call in pairs(boxed, enums="number"):
        assert CallEndCause(record["endCause"]) == call.end_cause
        assert CallStatus(record["leadStatus"]) == call.status
        assert LeadClosure(record["leadClosure"]) == call.closure


def test_pascal_case(boxed: Boxed) -> None:
    found = pairs(boxed, key_case="pascal")
    assert all(key[0].isupper() for r, _ in found for key in r)
    record = next(r for r, c in found if c.agent)
    assert record["User"]["OrgCode"]
    assert record["OrgHierarchy"][0]["OrgCode"] == ROOT


@pytest.mark.parametrize(("absent", "value"), [("null", None), ("empty", "")])
def test_absent_values(boxed: Boxed, absent: str, value: object) -> None:
    found = pairs(boxed, absent=absent)
    assert len({tuple(sorted(r)) for r, _ in found}) == 1
    record = next(r for r, c in found if c.agent is None)
    assert [record[k] for k in ("user", "orgHierarchy", "connectTime", "conversationDuration")] == [value] * 4


def test_references_as_strings(boxed: Boxed) -> None:
    for record, call in pairs(boxed, user_ref="string", campaign_ref="string"):
        assert record.get("user") == call.agent
        assert record["campaign"] == call.campaign_code


def test_unknown_fields_and_pretty_printing(boxed: Boxed) -> None:
    _, ask = boxed(unknown_fields=True, pretty=True)
    text = ask("/calls", **TODAY).text
    assert '\n  "startTime"' in text
    assert all("dialerNode" in r for r in json.loads(text))
    leads = ask("/simpleleads", ModifiedFrom="2026-11-20", Statuses="UserProcessed").json()
    assert leads
    assert all("scoreModel" in r for r in leads)


def test_duplicates(boxed: Boxed) -> None:
    _, ask = boxed(duplicates=0.2)
    ids = [r["uniqueId"] for r in ask("/calls", **TODAY).json()]
    assert 0.05 < 1 - len(set(ids)) / len(ids) < 0.3


def test_units_as_tree_or_missing(boxed: Boxed) -> None:
    box, ask = boxed(units="tree")
    roots = ask("/organizationalunits").json()
    assert [r["orgCode"] for r in roots] == [ROOT]

    def codes(unit: dict[str, Any]) -> list[str]:
        return [unit["orgCode"], *(c for child in unit["children"] for c in codes(child))]

    assert sorted(codes(roots[0])) == sorted(u.code for u in box.world.org_units(NOW))
    _, ask = boxed(units="missing")
    assert ask("/organizationalunits").status_code == 404
    assert ask("/organizationalunits/Salg").status_code == 404
    assert ask("/orgunits").ok


def test_z_dropped(boxed: Boxed) -> None:
    """The server may read ``09:00Z`` as 09:00 local."""
    _, ask = boxed(start_time_z="dropped")
    window = {"OrgCode": ROOT, "TimeSpan": "PT2H"}
    assert (
        ask("/calls", StartTime="2026-11-20T09:00:00Z", **window).json()
        == ask("/calls", StartTime="2026-11-20T09:00:00", **window).json()
        != []
    )


def test_closure_of_a_call_is_its_own_or_the_leads(boxed: Boxed) -> None:
    """T29."""
    week = {"OrgCode": ROOT, "StartTime": "2026-10-05", "TimeSpan": "P5D"}
    box, ask = boxed(closure_on_calls="historic", calls_per_day=2_000)
    _, ask_current = boxed(closure_on_calls="current", calls_per_day=2_000)
    differ = 0
    for then, now in zip(ask("/calls", **week).json(), ask_current("/calls", **week).json(), strict=True):
        assert {k: v for k, v in then.items() if k != "leadClosure"} == {
            k: v for k, v in now.items() if k != "leadClosure"
        }
        if then["leadClosure"] != now["leadClosure"]:
            differ += 1
            lead = box.world.lead(then["uniqueLeadId"], NOW)
            assert lead is not None
            assert now["leadClosure"] == lead.closure.name
    assert differ > 5


def test_includes_on_calls(boxed: Boxed) -> None:
    _, ask = boxed()
    record = next(r for r in ask("/calls", Include="campaign,user", **TODAY).json() if "user" in r)
    assert record["campaign"]["project"]
    assert record["user"]["name"]
    assert "email" not in record["user"]


def test_csv_delimiter(boxed: Boxed) -> None:
    _, ask = boxed(csv_delimiter=",")
    assert ask("/calls/csv", **TODAY).text.startswith("uniqueId,startTime,")
