"""The wire in every shape that the API reference's section 5 lists: the tables are the same."""

import json

import pytest

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline_tests.conftest import failure
from herobase_pipeline_tests.test_days import assert_is_the_truth

DAY = "2026-11-18"
HIERARCHIES = [
    {"hierarchy": shape, "hierarchy_order": order}
    for shape in ("objects", "strings", "columns")
    for order in ("root_first", "leaf_first")
] + [{"hierarchy": "nested"}, {"hierarchy": "nested_user"}, {"hierarchy_field": "Ødelagt felt"}]
SHAPES = [
    {"key_case": "pascal"},
    {"enums": "number"},
    *({"stamps": stamps} for stamps in ("seconds", "utc", "offset", "ms_date", "danish")),
    *({"durations": durations} for durations in ("clock", "seconds")),
    *({"absent": absent} for absent in ("null", "empty")),
    {"user_ref": "string"},
    {"pretty": True},
    {"units": "tree"},
    {"units": "missing"},
    {"start_time_z": "dropped"},
    {"duplicates": 0.3},
    {"unknown_fields": True},
]


@pytest.mark.parametrize("shape", HIERARCHIES, ids=str)
def test_t24_t27_the_hierarchy_is_found_whatever_its_shape(centre, shape):
    here = centre(**shape)
    here.load("calls", DAY)
    assert_is_the_truth(here, DAY)
    sources = {bool(call.org_path): "call" if call.org_path else "missing" for call in here.truth(DAY)}
    assert dict(here.rows("SELECT DISTINCT len(org_path) > 0, org_source FROM calls")) == sources


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_calls_are_the_same_in_every_shape_of_the_wire(centre, shape):
    here = centre(**shape)
    here.load("calls", DAY)
    assert_is_the_truth(here, DAY)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_lead_versions_are_the_same_in_every_shape_of_the_wire(centre, shape):
    plain, shaped = centre(data="plain"), centre(data="shaped", **shape)
    query = "SELECT * EXCLUDE (extra) FROM simple_leads ORDER BY ALL"
    for here in (plain, shaped):
        here.load("simple_leads", DAY)
    assert shaped.rows(query) == plain.rows(query)
    assert len(plain.rows(query)) > 50


def test_a_campaign_given_as_text_is_its_code(centre):
    here = centre(campaign_ref="string")
    here.load("calls", DAY)
    found = dict(here.rows("SELECT call_id, campaign_code FROM calls"))
    assert found == {call.id: call.campaign_code for call in here.truth(DAY)}


def test_t27_without_a_hierarchy_the_units_are_asked_one_by_one(centre):
    here = centre(hierarchy="none")
    here.load("calls", DAY)
    found = {
        call_id: (source, path)
        for call_id, source, path in here.rows("SELECT call_id, org_source, org_path FROM calls")
    }
    truth = {call.id: call for call in here.truth(DAY)}
    assert found.keys() == truth.keys()
    assert {source for source, _ in found.values()} == {"sweep"}
    # nobody has moved since, so the tree of today gives the path of then
    assert all(path == list(truth[call_id].org_path) for call_id, (_, path) in found.items() if truth[call_id].org_path)


def test_t27_a_server_that_does_not_tell_units_apart_is_not_believed_to(centre, monkeypatch):
    here = centre(hierarchy="none")
    root = here.truth(DAY)[0].org_path[0]
    ask = HeroBase.calls
    monkeypatch.setattr(HeroBase, "calls", lambda client, _, window: ask(client, root, window))
    here.load("calls", DAY)
    assert here.rows("SELECT DISTINCT org_source, org_path FROM calls") == [("missing", [])]
    assert here.rows("SELECT count(*) FROM calls") == [(len(here.truth(DAY)),)]


def test_t30b_codes_in_another_case_are_one_unit_and_keep_their_spelling(centre):
    here = centre()
    here.load("calls,call_outcomes", DAY)
    mixed = [
        code for (code,) in here.rows("SELECT DISTINCT org_code FROM call_outcomes WHERE org_code <> lower(org_code)")
    ]
    assert mixed
    per_level = here.rows(
        "SELECT org_level, count(DISTINCT lower(org_key)), count(DISTINCT org_key) FROM call_outcomes GROUP BY 1"
    )
    assert all(folded == spelled for _, folded, spelled in per_level)


def test_unknown_fields_are_kept_and_their_content_is_private(centre):
    here = centre(unknown_fields=True)
    here.load("calls,simple_leads", DAY)
    names = {
        "calls": {"dialerNode": "text", "trace": "object"},
        "simple_leads": {"scoreModel": "text", "score": "number"},
    }
    for table, kinds in names.items():
        extras = here.rows(f"SELECT extra FROM {table} WHERE coalesce(NOT starts_with(lead_id, 'erased-'), true)")
        assert all(json.loads(extra) == kinds for (extra,) in extras)
    calls = dict(here.rows("SELECT call_id, extra FROM call_phones"))
    assert calls.keys() == {call.id for call in here.truth(DAY)}
    assert all(
        json.loads(extra) == {"dialerNode": f"d{int(call_id.split('S')[0]) % 7}", "trace": {"hop": 1}}
        for call_id, extra in calls.items()
    )
    leads = here.rows("SELECT extra FROM lead_data")
    assert leads
    assert all(json.loads(extra) == {"scoreModel": "v2", "score": 0.25} for (extra,) in leads)


def test_the_hierarchys_field_can_be_named(centre):
    here = centre(settings={"call_org_field": "orghierarchy"})
    here.load("calls", DAY)
    assert_is_the_truth(here, DAY)
    elsewhere = centre(data="elsewhere", settings={"call_org_field": "noSuchField"})
    elsewhere.load("calls", DAY)
    assert elsewhere.rows("SELECT DISTINCT org_source FROM calls WHERE agent IS NOT NULL") == [("sweep",)]


def test_no_right_to_the_organisation_and_no_org_codes_says_what_to_do(centre):
    here = centre(resource_rights=("Account:Get", "Calls:Get", "Leads:Get"))
    assert "Ask HeroBase's support to grant" in failure(here.materialize("calls", DAY))
    root = here.truth(DAY)[0].org_path[0]
    named = centre(
        data="named",
        resource_rights=("Account:Get", "Calls:Get", "Leads:Get"),
        settings={"org_codes": (root,), "call_org_field": "orgHierarchy"},
    )
    named.load("calls", DAY)
    assert_is_the_truth(named, DAY)
