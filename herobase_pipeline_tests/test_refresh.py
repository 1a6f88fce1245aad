"""Today, refreshed while it runs: what is new costs what is new, and the day is what HeroBase has."""

import dataclasses
import datetime as dt
import json
from collections import Counter

import dagster as dg
import pytest

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.partitions import Window
from herobase_pipeline_tests.conftest import NOW, failure
from herobase_pipeline_tests.hostile import hostile
from herobase_pipeline_tests.test_days import assert_is_the_truth

UTC = dt.UTC
TODAY = "2026-11-18"
REFRESH = {"herobase/refresh": "true"}


def asked(here) -> Counter:
    found = Counter(request.path for request in here.sandbox.requests)
    here.sandbox.requests.clear()
    return found


@pytest.mark.parametrize("shape", [{}, {"start_time_z": "dropped"}, {"hierarchy": "none"}], ids=str)
def test_a_day_that_is_refreshed_as_it_runs_is_what_herobase_has(centre, shape):
    here = centre(calls_per_day=1_500, now=dt.datetime(2026, 11, 18, 7, tzinfo=UTC), **shape)
    for minute in range(0, 8 * 60, 37):
        here.clock[0] = dt.datetime(2026, 11, 18, 7, tzinfo=UTC) + dt.timedelta(minutes=minute)
        assert here.materialize("calls,simple_leads", TODAY, tags=REFRESH).success
    if not shape:
        assert_is_the_truth(here, TODAY)
    truth = {call.id for call in here.truth(TODAY)}
    assert {call_id for (call_id,) in here.rows("SELECT call_id FROM calls")} == truth
    assert here.rows("SELECT count(*), count(DISTINCT call_id) FROM calls") == [(len(truth), len(truth))]
    window = Window(here.window(TODAY).start, here.now)
    leads = {(here.called(lead), lead.last_modified) for lead in here.world.leads(here.now, window.start, window.end)}
    assert set(here.rows("SELECT lead_id, last_modified_at FROM simple_leads")) >= leads


def test_a_refresh_asks_once_and_for_little(centre):
    here = centre(calls_per_day=20_000, now=dt.datetime(2026, 11, 18, 12, tzinfo=UTC))
    here.load("calls,simple_leads", TODAY)
    asked(here)
    here.clock[0] += dt.timedelta(minutes=1)
    result = here.materialize("calls,simple_leads", TODAY, tags=REFRESH)
    assert result.success
    assert asked(here) == {"/calls": 1, "/organizationalunits": 1, "/simpleleads": 1}
    made = here.instance.get_latest_materialization_event(dg.AssetKey("calls")).asset_materialization
    assert made.metadata["bytes"].value < 2_000_000  # the day has 12 MB by now


def test_a_pull_without_calls_does_not_say_that_they_have_no_hierarchy(centre):
    here = centre(calls_per_day=0)
    here.load("calls", TODAY)
    made = here.instance.get_latest_materialization_event(dg.AssetKey("calls")).asset_materialization
    assert made.metadata["dagster/partition_row_count"].value == 0
    assert "hierarchy_field" not in made.metadata


def test_calls_in_progress_are_finished_by_the_next_refresh(centre):
    here = centre(calls_per_day=3_000, now=dt.datetime(2026, 11, 18, 10, tzinfo=UTC))
    here.load("calls", TODAY)
    unsettled = {call_id for (call_id,) in here.rows("SELECT call_id FROM calls WHERE ended_at IS NULL")}
    assert unsettled
    here.clock[0] += dt.timedelta(minutes=45)
    assert here.materialize("calls", TODAY, tags=REFRESH).success
    still = {call_id for (call_id,) in here.rows("SELECT call_id FROM calls WHERE ended_at IS NULL")}
    assert not still & unsettled
    assert_is_the_truth(here, TODAY)


def test_what_changes_while_a_slow_answer_comes_is_asked_for_by_the_next_refresh(centre, monkeypatch):
    here, ask = centre(calls_per_day=3_000, now=dt.datetime(2026, 11, 18, 10, tzinfo=UTC)), HeroBase.simple_leads

    def slow(*arguments):
        segments = list(ask(*arguments))
        here.clock[0] += dt.timedelta(minutes=40)
        return iter(segments)

    monkeypatch.setattr(HeroBase, "simple_leads", slow)
    here.load("simple_leads", TODAY)
    monkeypatch.setattr(HeroBase, "simple_leads", ask)
    assert here.materialize("simple_leads", TODAY, tags=REFRESH).success
    window = Window(here.window(TODAY).start, here.now)
    leads = {(here.called(lead), lead.last_modified) for lead in here.world.leads(here.now, window.start, window.end)}
    assert set(here.rows("SELECT lead_id, last_modified_at FROM simple_leads")) >= leads


def test_what_a_refresh_cannot_know_the_nights_pull_brings(centre):
    here = centre(calls_per_day=1_000, now=dt.datetime(2026, 11, 18, 12, tzinfo=UTC))
    here.load("calls,simple_leads,call_outcomes", TODAY)
    here.clock[0] += dt.timedelta(hours=3)
    assert here.materialize("calls,simple_leads,call_outcomes", TODAY, tags=REFRESH).success
    assert here.rows("SELECT DISTINCT is_mature FROM call_outcomes") == [(False,)]
    here.clock[0] = dt.datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
    here.load("calls,simple_leads,call_outcomes", TODAY)
    assert_is_the_truth(here, TODAY)
    assert here.rows("SELECT DISTINCT is_mature FROM call_outcomes") == [(True,)]


@pytest.mark.parametrize("hierarchy", ["none", "objects", "nested_user", "columns"])
def test_a_refresh_never_asks_unit_by_unit_and_the_night_places_what_it_could_not(centre, hierarchy):
    here = centre(calls_per_day=400, hierarchy=hierarchy, now=dt.datetime(2026, 11, 18, 7, tzinfo=UTC))
    for minutes in range(0, 600, 30):
        here.clock[0] = dt.datetime(2026, 11, 18, 7, tzinfo=UTC) + dt.timedelta(minutes=minutes)
        assert here.materialize("calls", TODAY, tags=REFRESH).success
        assert max(asked(here).values()) <= 3  # the first has no day before to compare its size with
    here.clock[0] = dt.datetime(2026, 11, 19, 0, 20, tzinfo=UTC)
    here.load("calls", TODAY)
    spent = asked(here)["/calls"]
    units = len(here.world.org_units(here.now))
    assert spent >= units if hierarchy == "none" else spent <= 3
    found = dict(here.rows("SELECT call_id, org_path FROM calls WHERE org_source <> 'missing'"))
    assert found.keys() >= {call.id for call in here.truth(TODAY) if call.org_path}
    if hierarchy != "none":
        assert_is_the_truth(here, TODAY)


def test_t24_a_sweep_is_made_once_and_its_places_stay_when_units_move(centre):
    here = centre(hierarchy="none", calls_per_day=200)
    here.load("calls", TODAY)
    places = here.rows("SELECT call_id, org_source, org_path, org_names FROM calls ORDER BY ALL")
    assert {source for _, source, *_ in places} == {"sweep"}
    asked(here)
    here.clock[0] += dt.timedelta(days=5)
    here.sandbox.script("/organizationalunits max_rows=3")  # most units are gone since
    here.load("calls", TODAY)
    assert asked(here)["/calls"] <= 3
    assert here.rows("SELECT call_id, org_source, org_path, org_names FROM calls ORDER BY ALL") == places


def test_t24_a_hierarchy_that_calls_no_longer_carry_stays_on_those_that_had_it(centre):
    here = centre(calls_per_day=200)
    here.load("calls", TODAY)
    places = here.rows("SELECT call_id, org_source, org_path, org_names FROM calls ORDER BY ALL")
    withdrawn = centre(calls_per_day=200, hierarchy="none")
    withdrawn.load("calls", TODAY)
    assert withdrawn.rows("SELECT call_id, org_source, org_path, org_names FROM calls ORDER BY ALL") == places


def test_a_sweep_that_would_take_what_others_need_waits(centre):
    here = centre(hierarchy="none", calls_per_day=200, service_limits=("/calls=29",))
    here.load("calls", TODAY)
    assert asked(here)["/calls"] <= 3
    assert here.rows("SELECT DISTINCT org_source FROM calls") == [("missing",)]
    made = here.instance.get_latest_materialization_event(dg.AssetKey("calls")).asset_materialization
    assert made.metadata["sweep_put_off"].value == 1
    roomy = centre(hierarchy="none", calls_per_day=200)
    roomy.load("calls", TODAY)
    assert ("sweep",) in roomy.rows("SELECT DISTINCT org_source FROM calls")


def test_a_call_that_is_listed_only_once_it_has_ended_is_there_within_the_hour(centre, monkeypatch):
    """A long call that begins at 10:05 and ends at 10:55 is in no answer until then, and its start is past the overlap."""
    here = centre(calls_per_day=300, now=dt.datetime(2026, 11, 18, 10, 0, tzinfo=UTC))
    here.load("calls", TODAY)
    late = min(
        (
            call
            for call in here.world.calls(here.now, here.now + dt.timedelta(hours=2), here.now + dt.timedelta(hours=3))
        ),
        key=lambda call: call.start,
    )
    ends = late.start + dt.timedelta(minutes=50)
    ask = HeroBase.calls

    def hidden(client, code, window):
        for segment in ask(client, code, window):
            records = [r for r in json.loads(segment.json) if r["uniqueId"] != late.id or here.now >= ends]
            yield dataclasses.replace(segment, json=json.dumps(records).encode(), records=len(records))

    monkeypatch.setattr(HeroBase, "calls", hidden)
    seen = []
    for minutes in range(5, 180, 5):
        here.clock[0] = dt.datetime(2026, 11, 18, 10, 0, tzinfo=UTC) + dt.timedelta(minutes=minutes)
        assert here.materialize("calls", TODAY, tags=REFRESH).success
        seen.append((here.now, here.rows(f"SELECT count(*) FROM calls WHERE call_id = '{late.id}'") == [(1,)]))
    first = next(now for now, is_there in seen if is_there)
    assert first <= ends + dt.timedelta(minutes=65)


def test_a_window_with_few_calls_overrides_neither_field_nor_direction(centre):
    """What a day has shown stays, though the few calls of a refresh show a field of one more unit, written the other way."""
    here = centre(calls_per_day=600, hierarchy="strings", now=dt.datetime(2026, 11, 18, 12, tzinfo=UTC))
    here.load("calls", TODAY)
    here.clock[0] += dt.timedelta(minutes=10)
    with hostile(here.sandbox.url, _with_another_field) as url:
        there = here.at(url)
        assert there.materialize("calls", TODAY, tags=REFRESH).success
    assert_is_the_truth(here, TODAY)


def _with_another_field(path, _, records):
    if path != "/calls":
        return records
    few = [record for record in records if "user" in record][:3]
    return [record | {"anOrgTrail": ["Nord-Salg A/S", *record["orgHierarchy"][::-1], "x"]} for record in few] + [
        record for record in records if record not in few
    ]


@pytest.mark.parametrize("shape", ["objects", "strings", "nested", "nested_user", "columns", "path"])
def test_t24_a_unit_that_is_deleted_from_the_tree_changes_no_past(centre, shape):
    here = centre(calls_per_day=400, hierarchy="strings" if shape == "path" else shape)
    gone: list[str] = []

    def change(path, _, records):
        if path == "/organizationalunits":
            return [unit for unit in records if unit["orgCode"] not in gone]
        if path == "/calls" and shape == "path":
            return [
                {**record, "orgHierarchy": "/".join(record["orgHierarchy"])} if record.get("orgHierarchy") else record
                for record in records
            ]
        return records

    with hostile(here.sandbox.url, change) as url:
        there = here.at(url)
        there.load("calls", TODAY)
        assert_is_the_truth(there, TODAY)
        units = {unit for call in there.truth(TODAY) for unit in call.org_path[1:]}
        gone += sorted(units)[::2]
        if shape != "path":  # where a code with the separator in it has to be remembered
            (there.lake.root / "lake" / ".notes" / "hierarchy.json").unlink()
        there.load("calls", TODAY)
    paths = {call.id: list(call.org_path) for call in here.truth(TODAY)}
    assert dict(here.rows("SELECT call_id, org_path FROM calls")) == paths


def test_an_org_code_that_is_not_in_the_tree_is_refused_with_those_that_come_close(centre):
    code = max((unit.code for unit in centre(data="other").world.org_units(NOW)), key=len)
    typo = code[:2] + code[3:]
    here = centre(settings={"org_codes": (typo,)})
    sentence = failure(here.materialize("calls", TODAY))
    assert f"HeroBase has no org unit {typo}, so nothing was asked for. Perhaps" in sentence
    assert code in sentence
    assert "/calls" not in asked(here)
    assert here.files() == {}
    spelled = centre(data="spelled", settings={"org_codes": (f" {code.upper()} ",)})
    assert spelled.materialize("calls", TODAY).success
