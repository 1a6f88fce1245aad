"""``make account``: an account as it is, read right by a newcomer, without a value of anybody's."""

import datetime as dt
import json
import re
from collections import Counter

import dagster as dg
import pytest

from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.pulling.account_page import as_json, main, page
from herobase_pipeline.pulling.examination import State, examine
from herobase_pipeline.settings import Settings
from herobase_pipeline_tests.conftest import failure
from herobase_pipeline_tests.hostile import hostile, serving
from herobase_pipeline_tests.test_exports import given

WEEKDAY = "2026-11-19"  # the last one that is over by the tests' clock
NAMED = {"saved_searches": ("api_import_export",), "saved_searches_csv": ("api_import_export",), "raw_leads": True}


def examined(here):
    return examine(herobase(here.settings, attempts=1), here.settings).examination


def states(found):
    return {each.service: each.state for each in found.asked}


FORMS = {
    "all rights": ({}, {}),
    "no Organization": (
        {"resource_rights": ("Account:Get", "Calls:Get", "Campaigns:Get", "Leads:Get")},
        {"org_codes": ("Nord Salg A/S",)},
    ),
    "no hierarchy": ({"hierarchy": "none"}, {}),
    "project rights cut": ({"project_rights": ("Nysalg*", "client C*"), "lead_entry_access": "Partner"}, {}),
}


@pytest.fixture
def form(centre, request):
    sandbox, settings = FORMS[request.param]
    here = centre(calls_per_day=400, **sandbox)
    if "org_codes" in settings:
        root = next(unit.code for unit in here.world.org_units(here.now) if unit.parent is None)
        settings = {"org_codes": (root,)}
    here.settings = here.settings.model_copy(update={**NAMED, **settings})
    return here


@pytest.mark.parametrize("form", FORMS, indirect=True)
def test_each_service_is_asked_once_and_nothing_is_kept(form):
    found = examined(form)
    asked = Counter(served.path for served in form.sandbox.requests)
    assert max(asked.values()) == 1
    assert found.requests == asked.total() == len({each.service for each in found.asked})
    assert form.files() == {}
    assert form.leftovers() == []


@pytest.mark.parametrize("form", FORMS, indirect=True)
def test_neither_the_page_nor_its_json_holds_a_value_of_the_world(form):
    found = examined(form)
    world, now = form.world, form.now
    bounds = form.window(WEEKDAY)
    values = {text for lead in given(form, WEEKDAY).values() for text in (lead.get("data") or {}).values()}
    for lead in world.leads(now, bounds.start, bounds.end):
        values |= {
            lead.id,
            lead.campaign_code,
            lead.campaign_id,
            lead.project,
            lead.first_processed_by,
            lead.uploaded_by,
        }
    for call in form.truth(WEEKDAY):
        values |= {call.id, call.phone, call.agent, *call.org_path, *call.org_names}
    values |= {value for user in world.users(now) for value in (user.id, user.code, user.name, user.email)}
    values |= {value for unit in world.org_units(now) for value in (unit.id, unit.code, unit.name)}
    values |= {value for c in world.campaigns(now) for value in (c.id, c.code, c.name, c.project)}
    values |= {form.sandbox.username, form.sandbox.password, *form.settings.org_codes}
    telling = {str(v) for v in values if v and (re.search(r"[^\W\d]{3}", str(v)) or re.search(r"\d{6}", str(v)))}
    assert len(telling) > 500
    for text in (page(found), as_json(found)):
        assert not [value for value in telling if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)]


@pytest.mark.parametrize("form", ["all rights"], indirect=True)
def test_an_account_with_all_rights_lacks_nothing(form):
    found = examined(form)
    assert {service for service, state in states(found).items() if state is not State.WORKS} == {"leadpools"}
    looked = {each.service: each.records for each in found.asked}
    start, end = (
        dt.datetime.combine(dt.date.fromisoformat(WEEKDAY), dt.time(hour), form.settings.zone) for hour in (9, 15)
    )
    calls = list(form.world.calls(start, end, form.now))
    leads = list(form.world.leads(form.now, start, end))
    assert (looked["calls"], looked["simpleleads"], looked["leads"]) == (len(calls), len(leads), len(leads))
    with_agent = sum(call.agent is not None for call in calls)
    assert (found.hierarchy.calls, found.hierarchy.carrying) == (with_agent, with_agent)
    assert (list(found.hierarchy.fields), found.hierarchy.shape) == (["orgHierarchy"], "a list of objects, root first")
    told = page(found)
    assert "To send to" not in told
    assert "Nothing: each field and value is known." in told
    assert "* 2,980, 2,980 left: /projects, /campaigns" in told
    limits = {limit.service: limit.limit for limit in found.limits}
    assert limits["calls"] == limits["leads/csv"] == 2_980


@pytest.mark.parametrize("form", ["no Organization"], indirect=True)
def test_without_organization_it_says_what_to_ask_for_and_looks_at_calls_all_the_same(form):
    found = examined(form)
    assert states(found)["users"] is states(found)["organizationalunits"] is State.NO_RIGHT
    assert found.hierarchy.fields
    told = page(found)
    assert "> * GET on Organization: we get 403 from /organizationalunits and /users" in told
    assert "set HEROBASE_ORG_CODES" in told
    alone = form.settings.model_copy(update={"org_codes": ()})
    without_codes = examine(herobase(alone, attempts=1), alone).examination
    assert states(without_codes)["calls"] is State.NOT_ASKED
    assert "no org unit is known to ask for: set HEROBASE_ORG_CODES" in page(without_codes)


@pytest.mark.parametrize("form", ["no hierarchy"], indirect=True)
def test_without_a_hierarchy_it_says_so(form):
    found = examined(form)
    assert found.hierarchy.calls > 100
    assert not found.hierarchy.fields
    assert f"None of {found.hierarchy.calls:,} calls with an agent carries it." in page(found)


@pytest.mark.parametrize("form", ["project rights cut"], indirect=True)
def test_rights_that_cut_data_away_without_an_error_are_named(form):
    found = examined(form)
    assert (found.all_projects, found.project_rights, found.lead_entry_access) == (False, 2, "Partner")
    told = page(found)
    assert "those that 2 patterns match, not all" in told
    assert "> * project rights to all projects (`*`)" in told
    assert "> * lead definition entry access `Full`" in told


ZONES = [
    ({}, "local time of Europe/Copenhagen"),
    ({"stamps": "seconds"}, "local time of Europe/Copenhagen"),
    ({"stamps": "danish"}, "local time of Europe/Copenhagen"),
    ({"stamps": "utc"}, "each stamp says its own"),
    ({"stamps": "offset"}, "each stamp says its own"),
    ({"stamps": "ms_date"}, "each stamp says its own"),
    ({"start_time_z": "dropped"}, "UTC, or HeroBase takes what is asked for as time of Europe/Copenhagen"),
]


@pytest.mark.parametrize(("shape", "zone"), ZONES, ids=str)
def test_the_zone_of_stamps_shows_by_the_hours_that_were_asked_for(centre, shape, zone):
    found = examined(centre(calls_per_day=400, **shape))
    assert found.samples["calls"].zone == zone
    assert len(found.samples["calls"].stamps) == 1


@pytest.mark.parametrize("hierarchy", ["strings", "nested", "nested_user", "columns"])
@pytest.mark.parametrize("order", ["root_first", "leaf_first"])
def test_the_hierarchy_is_found_in_every_shape(centre, hierarchy, order):
    here = centre(calls_per_day=400, hierarchy=hierarchy, hierarchy_order=order)
    found = examined(here).hierarchy
    assert found.carrying == found.calls > 100
    words = {
        "strings": "a list of texts",
        "nested": "nested objects",
        "nested_user": "nested objects",
        "columns": "numbered fields",
    }
    assert found.shape.startswith(words[hierarchy])
    if hierarchy in ("strings", "columns"):
        assert found.shape.endswith(order.replace("_", " "))


def test_fields_and_values_that_nobody_documented_are_named_and_values_are_not(centre):
    here = centre(calls_per_day=400, unknown_fields=True)

    def other(path, _, records):
        if path == "/calls":
            records = [{**r, "endCause": "Ascended", "kunde +45 12345678": "x"} for r in records[:2]] + records[2:]
            records[3] = {**records[3], "endCause": "Hr. Jensen, 12345678"}
        return records

    with hostile(here.sandbox.url, other) as url:
        found = examined(here.at(url))
    sample = found.samples["calls"]
    assert list(sample.unknown_fields) == ["dialerNode", "trace", "withheld"]
    assert sample.undocumented == {"end_cause": ["Ascended", "withheld"]}
    assert "score" in found.samples["simpleleads"].unknown_fields
    assert "`Ascended`" in page(found)
    assert "Jensen" not in page(found) + as_json(found)


@pytest.mark.parametrize("data", ["Jens Hansen 12345678", "", ["Jens Hansen"], None])
def test_fields_of_leads_in_no_form_that_is_known_are_no_reason_to_stop(centre, data):
    here = centre(calls_per_day=400)

    def other(path, _, records):
        return [{**r, "data": data} for r in records] if path == "/simpleleads" else records

    with hostile(here.sandbox.url, other) as url:
        found = examined(here.at(url))
    assert "Leads come without their fields." in page(found)
    assert "Jens" not in page(found) + as_json(found)


def test_what_no_setting_names_is_not_asked_for(centre):
    here = centre()
    found = examined(here)
    assert states(found)["leads"] is states(found)["leads/csv"] is states(found)["rawleads"] is State.NOT_ASKED
    assert not {"/leads", "/leads/csv", "/rawleads"} & {served.path for served in here.sandbox.requests}


def test_a_service_without_a_request_left_is_not_asked(centre):
    here = centre(service_limits=("/users=1",))
    assert states(examined(here))["users"] is State.WORKS
    assert states(examined(here))["users"] is State.NOT_ASKED
    assert "its requests of the day are spent" in page(examined(here))


def test_a_day_without_calls_says_so_instead_of_guessing(centre):
    here = centre(calls_per_day=0)
    found = examined(here)
    assert "It does not show, as no call with an agent could be looked at" in page(found)
    assert found.state("calls") is State.WORKS


_PAGE, _LOGIN = "the records as a page for browsers", "a web page, such as one to log in"
FORMATS = {
    "a page for browsers": (b"<html><body><table><tr><td>1S3064</td></tr></table></body></html>", _PAGE),
    "XML": (b'<?xml version="1.0"?><ArrayOfCall><Call><uniqueId>1S3064</uniqueId></Call></ArrayOfCall>', "XML"),
    "CSV": (b"uniqueId;startTime;endTime\r\n1S3064;2026-11-19;x\r\n", "CSV"),
    "a login page": (b"<!doctype html><html><form action=/login><input type=password></form></html>", _LOGIN),
    "an XHTML login page": (b'<?xml version="1.0"?><!DOCTYPE html><html><body><form></form></body></html>', _LOGIN),
}


@pytest.mark.parametrize("name", FORMATS)
def test_an_account_that_answers_in_another_format_is_told_from_a_login_page(centre, name):
    body, what = FORMATS[name]
    with serving(lambda *_: (200, "text/html", body)) as url:
        here = centre().at(url)
        found = examined(here)
        told = {
            asset: failure(here.materialize(asset, day)) for asset, day in (("simple_leads", WEEKDAY), ("users", None))
        }
    assert {each.detail for each in found.asked if each.state is State.FAILED} == {f"it answered with {what}"}
    for sentence in told.values():
        assert ("a web page instead of JSON" if "login" in name else f"{what} where JSON was asked for") in sentence
        assert ("The login is right" in sentence) is ("login" not in name)


def test_a_wrong_login_ends_it_at_once(centre, monkeypatch, capsys):
    here = centre()
    here.settings = here.settings.model_copy(update={"username": "nobody"})
    monkeypatch.setattr(Settings, "load", classmethod(lambda _: here.settings))
    assert main([]) == 2
    assert "refused the login (401)" in capsys.readouterr().err
    assert len(here.sandbox.requests) == 1


def test_the_command_prints_the_page_or_its_json(centre, monkeypatch, capsys):
    here = centre()
    monkeypatch.setattr(Settings, "load", classmethod(lambda _: here.settings))
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("# The account, examined on 2026-11-20 at 13:00 with 13 requests")
    assert main(["--json", "--day", "2026-11-16"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["from_time"] == "2026-11-16T08:00:00Z"
    assert told["hierarchy"]["fields"] == ["orgHierarchy"]


def test_the_asset_shows_the_page_and_keeps_the_accounts_record(centre):
    here = centre()
    here.load("account")
    event = here.instance.get_latest_materialization_event(dg.AssetKey("account"))
    metadata = event.asset_materialization.metadata
    assert metadata["examination"].value.startswith("# The account, examined on")
    assert (metadata["rights_missing"].value, metadata["requests"].value) == (0, 13)
    assert here.rows("SELECT username, project_rights, limits IS NOT NULL, counts IS NOT NULL FROM account") == [
        (here.sandbox.username, ["*"], True, True)
    ]


def test_without_the_right_to_the_account_the_asset_says_so_and_shows_the_rest(centre):
    here = centre(resource_rights=("Calls:Get", "Leads:Get", "Organization:Get", "Campaigns:Get"))
    result = here.materialize("account")
    assert "GET on Account" in failure(result)
    (shown,) = (e.step_failure_data.user_failure_data for e in result.all_events if e.is_step_failure)
    assert "the account's rights, /myaccount: right missing" in shown.metadata["examination"].value
    assert here.files() == {}
