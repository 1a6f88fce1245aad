"""Every service over HTTP, compared with the world it serves."""

import csv
import datetime as dt
import io
import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from herobase_pipeline.enums import OPEN_LEAD_STATUSES, LeadStatus
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.sandbox.services import HOOK_KEY
from herobase_pipeline_tests.sandbox.conftest import NOW, ROOT, Ask

Boxed = Callable[..., tuple[Sandbox, Ask]]
DAY = dt.timedelta(days=1)
TUESDAY = {"StartTime": "2026-11-17", "TimeSpan": "P1D"}
ALL = {"AllClosedStatuses": "true", "AllOpenStatuses": "true"}
MIDNIGHT = dt.datetime(2026, 11, 16, 23, tzinfo=dt.UTC)  # of Tuesday the 17th in Copenhagen


def ids(response: requests.Response) -> list[str]:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    return [record["uniqueId"] for record in response.json()]


# -- calls ---------------------------------------------------------------------------------------------------------


def test_calls_are_those_of_the_world(sandbox: Sandbox, ask: Ask) -> None:
    records = {r["uniqueId"]: r for r in ask("/calls", OrgCode=ROOT, **TUESDAY).json()}
    truth = list(sandbox.world.calls(MIDNIGHT, MIDNIGHT + DAY))
    assert set(records) == {c.id for c in truth}
    for call in truth:
        record = records[call.id]
        assert record["startTime"] == f"{call.start + dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.0000000"
        assert record["endCause"] == call.end_cause.name
        assert record["leadStatus"] == call.status.name
        assert record["leadClosure"] == call.closure.name
        assert record.get("user", {}).get("orgCode") == call.agent
        assert record.get("leadPhoneNumber") == call.phone
        assert record.get("uniqueLeadId") == call.lead_id
        assert record["campaign"] == {"code": call.campaign_code, "uniqueId": call.campaign_id}
        assert [u["orgCode"] for u in record.get("orgHierarchy", [])] == list(call.org_path)
        assert record["connected"] is call.connected
        assert record["incoming"] is call.incoming


def test_an_org_code_selects_its_subtree_at_call_time(sandbox: Sandbox, ask: Ask) -> None:
    truth = list(sandbox.world.calls(MIDNIGHT, MIDNIGHT + DAY))
    agent = next(c.agent for c in truth if c.agent)
    for code in ("Region Øst", "region vest", "Salg", "Svendborg/Ærøskøbing", "Mødebooking Øst"):
        for spelling in (code, code.upper()):
            expected = [c.id for c in truth if code in c.org_path]
            assert ids(ask("/calls", OrgCode=spelling, **TUESDAY)) == expected != []
    assert ids(ask("/calls", OrgCode=agent, **TUESDAY)) == [c.id for c in truth if c.agent == agent]
    assert ids(ask("/calls", OrgCode="Team Å", **TUESDAY)) == []  # the code it had until August
    assert ids(ask("/calls", OrgCode="Team Å", StartTime="2026-07-01", TimeSpan="P1D"))
    assert any(not c.org_path for c in truth), "dropped calls are found under the root only"


@pytest.mark.parametrize(
    "window",
    [
        {"StartTime": "2026-11-17T09:00:00", "TimeSpan": "PT2H"},
        {"starttime": "2026-11-17 09:00:00", "TIMESPAN": "PT120M"},
        {"StartTime": "2026-11-17T09:00:00.000000", "TimeSpan": "0.02:00:00"},
        {"StartTime": "2026-11-17T08:00:00Z", "TimeSpan": "02:00:00"},
        {"StartTime": "2026-11-17T10:00:00+02:00", "TimeSpan": "PT7200S"},
        {"StartTime": "2026-11-17T10:00:00 02:00", "TimeSpan": "PT2H0M0.0S"},
    ],
)
def test_windows_in_every_notation(sandbox: Sandbox, ask: Ask, window: dict[str, str]) -> None:
    start = MIDNIGHT + dt.timedelta(hours=9)
    expected = [c.id for c in sandbox.world.calls(start, start + dt.timedelta(hours=2))]
    assert ids(ask("/calls", orgcode=ROOT, Limit=3, PageSize=2, skip=5, **window)) == expected


def test_start_is_in_and_end_is_out(sandbox: Sandbox, ask: Ask) -> None:
    call = next(c for c in sandbox.world.calls(MIDNIGHT + dt.timedelta(hours=10), MIDNIGHT + DAY))
    at = f"{call.start:%Y-%m-%dT%H:%M:%SZ}"
    before = f"{call.start - dt.timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"
    assert call.id in ids(ask("/calls", OrgCode=ROOT, StartTime=at, TimeSpan="PT1S"))
    assert call.id not in ids(ask("/calls", OrgCode=ROOT, StartTime=before, TimeSpan="PT5S"))
    assert ids(ask("/calls", OrgCode=ROOT, StartTime=at, TimeSpan="PT0S")) == []


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"OrgCode": " "}, 400),
        ({"OrgCode": ROOT, "StartTime": "2026-11-17"}, 400),
        ({"OrgCode": ROOT, "TimeSpan": "P1D"}, 400),
        ({"OrgCode": ROOT, "StartTime": "yesterday", "TimeSpan": "P1D"}, 400),
        ({"OrgCode": ROOT, "StartTime": "2026-02-30", "TimeSpan": "P1D"}, 400),
        ({"OrgCode": ROOT, "StartTime": "2026-11-17", "TimeSpan": "pt2h"}, 400),
        ({"OrgCode": ROOT, "StartTime": "2026-11-17", "TimeSpan": "P"}, 400),
        ({"OrgCode": "Nobody", **TUESDAY}, 404),
        ({"OrgCode": "Vendor_API", **TUESDAY}, 200),
        ({"OrgCode": ROOT, "StartTime": "0001-01-01", "TimeSpan": "P1D"}, 400),
        ({"OrgCode": ROOT, "StartTime": "1850-01-01", "TimeSpan": "P1D"}, 200),
        ({"OrgCode": ROOT, "StartTime": "9999-12-31", "TimeSpan": "P99999999D"}, 200),
        ({"OrgCode": ROOT, "StartTime": "2026-11-17", "TimeSpan": "P99999999999999D"}, 200),
        ({"OrgCode": "Team Ærø", "StartTime": "2026-11-17", "TimeSpan": "-PT2H"}, 200),
    ],
)
def test_bad_and_odd_windows(boxed: Boxed, params: dict[str, str], status: int) -> None:
    _, ask = boxed(calls_per_day=5)
    response = ask("/calls", **params)
    assert response.status_code == status
    assert isinstance(response.json(), list) if status == 200 else response.json()["responseStatus"]["message"]


def test_calls_as_csv(ask: Ask) -> None:
    response = ask("/calls/csv", OrgCode=ROOT, **TUESDAY)
    assert response.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text), delimiter=";"))
    records = ask("/calls", OrgCode=ROOT, **TUESDAY).json()
    assert [r["uniqueId"] for r in rows] == [r["uniqueId"] for r in records]
    assert [r["user"] for r in rows] == [r.get("user", {}).get("orgCode", "") for r in records]


def test_recordings(ask: Ask) -> None:
    call = ids(ask("/calls", OrgCode=ROOT, **TUESDAY))[0]
    assert ask(f"/calls/{call}/recordings").json() == []
    for unknown in ("1S3064", "xS3064", "99999999999999999999999S3064", call.replace("S3064", "S3012")):
        assert ask(f"/calls/{unknown}/recordings").status_code == 404


# -- leads ---------------------------------------------------------------------------------------------------------


def test_simple_leads_are_those_of_the_world(sandbox: Sandbox, ask: Ask) -> None:
    records = {
        r["uniqueId"]: r
        for r in ask("/simpleleads", Projects="*", ModifiedFrom="2026-11-17", ModifiedTo="2026-11-18", **ALL).json()
    }
    truth = list(sandbox.world.leads(NOW, MIDNIGHT, MIDNIGHT + DAY))
    assert set(records) == {lead.id for lead in truth}
    for lead in truth:
        record = records[lead.id]
        assert (record["status"], record["closure"]) == (lead.status.name, lead.closure.name)
        assert record.get("lastModifiedByUser", {}).get("orgCode") == lead.last_modified_by
        assert record.get("firstProcessedByUser", {}).get("orgCode") == lead.first_processed_by
        assert ("firstProcessedTime" in record) == (lead.first_processed is not None)
        assert record["campaign"]["uniqueId"] == lead.campaign_id
        assert bool(record["data"]) == (not lead.erased)
        assert all(isinstance(v, str) for v in record["data"].values())
    names = {name for r in records.values() for name in r["data"]}
    assert {"Mødedato", "Telefon Abo1", "Nuværende a-kasse", "Årsag til opkald", "cusTELEFONNR_MOBIL"} <= names


def test_filters_of_simple_leads(sandbox: Sandbox, ask: Ask) -> None:
    window = {"ModifiedFrom": "2026-11-17", "ModifiedTo": "2026-11-18"}
    truth = list(sandbox.world.leads(NOW, MIDNIGHT, MIDNIGHT + DAY))

    def found(**params: Any) -> set[str]:
        return set(ids(ask("/simpleleads", **window, **params)))

    def true(test: Callable[[Any], bool]) -> set[str]:
        return {lead.id for lead in truth if test(lead)}

    closed = true(lambda x: x.status not in OPEN_LEAD_STATUSES)
    assert found() == found(Projects="*") == set()
    assert found(AllClosedStatuses="true") == found(allclosedstatuses="True") == closed
    assert found(AllOpenStatuses="true") == {lead.id for lead in truth} - closed
    assert (
        found(Statuses="UserProcessed,depleted")
        == found(statuses=["UserProcessed", "210"])
        == true(lambda x: x.status.name in ("UserProcessed", "Depleted"))
    )
    assert found(Statuses="UserProcessed", LeadClosures="Success") == true(
        lambda x: x.closure.name == "Success" and x.status == LeadStatus.UserProcessed
    )
    assert found(AllClosedStatuses="true", Campaigns="CAMP10062S3064", Limit=1, take=1) == closed  # ignored, T30c
    assert found(Projects="client C - Mødebooking", **ALL) == true(lambda x: x.project == "client C - Mødebooking")
    assert found(Projects="Nysalg*,A-kasse ? *", **ALL) == true(lambda x: x.project[0] in "NA")
    assert found(Projects="PRJ2340S3064", **ALL) == set()
    assert ids(ask("/simpleleads", ModifiedFrom="2026-11-17", ModifiedTo="2026-11-17", **ALL)) == []
    assert ask("/simpleleads", Statuses="Callback").status_code == 400


def test_raw_leads(ask: Ask) -> None:
    params = {"ModifiedFrom": "2026-11-17T09:00", "ModifiedTo": "2026-11-17T11:00", "Statuses": "UserProcessed"}
    leads = ask("/simpleleads", **params).json()
    for path in ("/rawleads", "/rawleads/csv"):
        rows = list(csv.reader(io.StringIO(ask(path, **params).text), delimiter=";"))
        assert rows[0] == ["UniqueLeadId", "FieldName", "FieldValue"]
        assert rows[1:] == [[lead["uniqueId"], k, v] for lead in leads for k, v in lead["data"].items()]
    assert ask("/rawleads", Statuses="Callback").status_code == 400


def test_saved_searches(ask: Ask) -> None:
    params = {"SearchName": "mysearch", "ModifiedFrom": "2026-11-17", "ModifiedTo": "2026-11-18"}
    simple = {
        r["uniqueId"]: r
        for r in ask(
            "/simpleleads", AllClosedStatuses="1", **{k: v for k, v in params.items() if k != "SearchName"}
        ).json()
    }
    bare = ask("/leads", **params).json()
    assert {r["uniqueId"] for r in bare} == set(simple)
    assert not {"data", "campaign", "lastModifiedByUser"} & {k for r in bare for k in r}
    for record in ask("/leads", Include="data,campaign", include="lastModifiedByUser", **params).json():
        assert record["data"] == {k.lower(): v for k, v in simple[record["uniqueId"]]["data"].items()}
        assert record["campaign"] == simple[record["uniqueId"]]["campaign"]
    one = ask("/leads", Project="client D*", **params).json()
    assert 0 < len(one) < len(bare)
    rows = list(csv.DictReader(io.StringIO(ask("/leads/csv", **params).text), delimiter=";"))
    assert {r["uniqueId"] for r in rows} == set(simple)
    assert "mødedato" in rows[0]
    assert len(ask("/leads", **{**params, "SearchName": "api_import_export"}).json()) > len(bare)
    for bad in ({}, {"Projects": "*"}, {"ModifiedFrom": "2026-11-17"}, {"SearchName": "*"}, {"SearchName": "mysearch"}):
        assert ask("/leads", **bad).status_code == 500
    assert ask("/leads", SearchName="mysearch", DialTimeFrom="2026-11-20").json()


def test_one_lead(sandbox: Sandbox, ask: Ask) -> None:
    lead = next(sandbox.world.leads(NOW, MIDNIGHT, MIDNIGHT + DAY))
    record = ask(f"/leads/{lead.id}").json()
    assert (record["uniqueId"], record["status"]) == (lead.id, lead.status.name)
    for unknown in ("82549084S3012", "1S3064", "S3064", "x", "99999999S3064"):
        assert ask(f"/leads/{unknown}").status_code == 404


def test_export_example(ask: Ask) -> None:
    assert "Mødedato" in ask("/leads/export_example", CampaignCode="XX_MB_LEJL").json()["data"]
    assert ask("/leads/export_example", CampaignCode="nope").status_code == 404


# -- the organisation and the rest ---------------------------------------------------------------------------------


def test_users(sandbox: Sandbox, ask: Ask) -> None:
    records = ask("/users", Limit=5).json()
    truth = sandbox.world.users(NOW)
    assert [r["orgCode"] for r in records] == [u.code for u in truth]
    assert "parent" not in records[0]
    one = ask(f"/users/{quote(truth[5].code.upper())}", include="parent,campaigns,nonsense").json()
    assert one["parent"] == {"orgCode": truth[5].unit}
    assert one["campaigns"]
    assert ask("/users/nobody").status_code == 404


@pytest.mark.parametrize("path", ["/organizationalunits", "/orgunits"])
def test_units(sandbox: Sandbox, ask: Ask, path: str) -> None:
    truth = sandbox.world.org_units(NOW)
    records = ask(path, include=["parent", "children"]).json()
    assert [(r["orgCode"], r["name"], r.get("parent", {}).get("orgCode")) for r in records] == [
        (u.code, u.name, u.parent) for u in truth
    ]
    assert [c["orgCode"] for c in records[0]["children"]] == [u.code for u in truth if u.parent == ROOT]
    assert "parent" not in ask(path).json()[3]
    team = ask(f"{path}/{quote('Svendborg/Ærøskøbing', safe='')}", Include="users,parent,campaigns").json()
    assert team["parent"]["orgCode"] == "Salg"
    assert team["users"]
    assert team["users"][0]["campaigns"]
    assert "parent" not in team["users"][0]  # it would lead back to the unit
    assert ask(f"{path}/nowhere").status_code == 404


def test_campaigns_and_projects(sandbox: Sandbox, ask: Ask) -> None:
    active = ask("/campaigns").json()
    everything = ask("/campaigns", Active="All").json()
    truth = sandbox.world.campaigns(NOW)
    assert {r["uniqueId"] for r in everything} == {c.id for c in truth}
    assert {r["uniqueId"] for r in active} == {c.id for c in truth if c.active}
    assert {r["project"] for r in ask("/campaigns", Project="nysalg*").json()} == {
        "Nysalg Forsikring",
        "Nysalg Øst/Vest",
    }
    assert [r["name"] for r in ask("/projects").json()] == [p.name for p in sandbox.world.projects()]
    assert "leadDefinition" in ask("/campaigns", Include="leadDefinition").json()[0]


def test_account(sandbox: Sandbox, ask: Ask) -> None:
    account = ask("/myaccount").json()
    assert account["username"] == sandbox.username
    assert account["projectRights"] == ["*"]
    assert account["resourceRights"]["Calls"] == ["GET"]
    limits = {r["service"]: r["limit"] for r in ask("/myaccount/request/limits").json()}
    counts = {r["service"]: r["count"] for r in ask("/myaccount/request/counts").json()}
    assert set(limits) == set(counts)
    assert limits["/calls"] == 1_000_000
    assert counts["/myaccount"] >= 1


@pytest.mark.parametrize(
    "path", ["/leaddefinitions", "/leadsegments", "/reporting/examples", "/hooks/meta", "/myaccount/request/limits"]
)
def test_invented_shapes_say_so(ask: Ask, path: str) -> None:
    response = ask(path)
    assert response.status_code == 200
    assert "invented" in response.headers["X-Sandbox-Note"]


def test_hooks_have_addresses_with_secrets(ask: Ask) -> None:
    hooks = ask("/hooks").json()
    assert [hook["id"] for hook in hooks] == [41, 42]
    assert all(HOOK_KEY in hook["urlTemplate"] for hook in hooks)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/sales",
        "/agents",
        "/sessions",
        "/calls/",
        "/leads/csv/more/of/it",
        "/hooks/7/example",
        "/%00%ff",
        "/../etc",
    ],
)
def test_unknown_paths(ask: Ask, path: str) -> None:
    response = ask(path)
    assert response.status_code == (400 if path == "/calls/" else 404)
    assert response.json()["responseStatus"]["errorCode"]


def test_no_path_outside_the_api(sandbox: Sandbox) -> None:
    response = requests.get(
        sandbox.url.removesuffix("/api") + "/projects", auth=(sandbox.username, sandbox.password), timeout=5
    )
    assert response.status_code == 404
    assert requests.get(
        sandbox.url.removesuffix("/api") + "/API/Projects", auth=(sandbox.username, sandbox.password), timeout=5
    ).ok


# -- HTTP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, "Basic", "Basic !!!", "Bearer abc", "Basic YTpi", "Basic /w=="])
def test_bad_logins(sandbox: Sandbox, header: str | None) -> None:
    response = requests.get(sandbox.url + "/projects", headers={"Authorization": header} if header else {}, timeout=5)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    assert response.headers["X-Rate-Limit-Limit"]


def test_other_methods(ask: Ask) -> None:
    asked = [(method, "/leads") for method in ("PUT", "DELETE", "PATCH", "OPTIONS")]
    for method, path in [*asked, ("POST", "/calls"), ("POST", "/leads/csv")]:
        response = ask(path, method=method)
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, HEAD"
    head = ask("/calls", method="HEAD", OrgCode=ROOT, **TUESDAY)
    assert (head.status_code, head.content) == (200, b"")


def test_a_browser_gets_html_but_not_of_large_services(ask: Ask) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    page = ask("/users", headers=browser)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<table" in page.text
    assert "<pre" in ask("/myaccount", headers=browser).text
    assert ids(ask("/calls", headers=browser, OrgCode=ROOT, **TUESDAY))
    for accept in ("*/*", "application/json", "text/html, application/json"):
        assert ask("/users", headers={"Accept": accept}).json()


def test_junk_is_survived(ask: Ask, sandbox: Sandbox) -> None:
    for junk in (
        "?",
        "?&&&==&%zz&%ff=%fe",
        "?Projects=%00[a-",
        "?Projects=[[[&AllClosedStatuses=true&ModifiedFrom=2026-11-20",
        "?" + "x" * 5_000,
    ):
        assert ask("/simpleleads" + junk).json() == []
    assert len(sandbox.requests) > 3


def test_requests_are_kept_for_tests(boxed: Boxed) -> None:
    box, ask = boxed()
    ask("/calls", OrgCode=ROOT, **TUESDAY)
    ask("/nope")
    served = box.requests
    assert [(r.path, r.status, r.cost) for r in served] == [("/calls", 200, 1), ("/nope", 404, 1)]
    assert served[0].params["orgcode"] == [ROOT]


def test_fifty_at_once(boxed: Boxed) -> None:
    sandbox, _ = boxed()
    expected = [c.id for c in sandbox.world.calls(MIDNIGHT, MIDNIGHT + DAY)]
    failures: list[object] = []

    def one(n: int) -> None:
        path, params = (
            ("/calls", {"OrgCode": ROOT, **TUESDAY})
            if n % 2
            else ("/simpleleads", {"ModifiedFrom": "2026-11-17", "ModifiedTo": "2026-11-18", **ALL})
        )
        response = requests.get(
            sandbox.url + path, params=params, auth=(sandbox.username, sandbox.password), timeout=20
        )
        found = ids(response)
        if not found or (n % 2 and found != expected):
            failures.append(n)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_year_at_once_is_a_stream(boxed: Boxed) -> None:
    box, ask = boxed(calls_per_day=100)
    calls = ask("/calls", OrgCode=ROOT, StartTime="2025-11-20", TimeSpan="P1Y")
    assert calls.headers["Transfer-Encoding"] == "chunked"
    end = dt.datetime(2026, 11, 19, 23, tzinfo=dt.UTC)
    found = ids(calls)
    assert len(set(found)) == len(found) > 20_000
    last_month = [c.id for c in box.world.calls(end - 30 * DAY, end)]
    assert found[-len(last_month) :] == last_month
    leads = ask("/simpleleads", ModifiedFrom="2025-11-20", **ALL)
    assert leads.headers["Transfer-Encoding"] == "chunked"
    assert len(set(ids(leads))) == len(leads.json()) > 6_000


def test_today_grows_over_http(boxed: Boxed) -> None:
    clock = [NOW]
    _, ask = boxed(now=lambda: clock[0])
    today = {"OrgCode": ROOT, "StartTime": "2026-11-20", "TimeSpan": "P1D"}
    noon = ids(ask("/calls", **today))
    clock[0] += dt.timedelta(hours=3)
    assert len(ids(ask("/calls", **today))) > len(noon)


# -- rights --------------------------------------------------------------------------------------------------------


def test_resource_rights(boxed: Boxed) -> None:
    _, ask = boxed(resource_rights=("Campaigns:Get", "Leads:Post"))
    statuses = {
        p: ask(p).status_code
        for p in ("/campaigns", "/projects", "/calls", "/simpleleads", "/users", "/myaccount", "/organizationalunits")
    }
    assert statuses == {
        "/campaigns": 200,
        "/projects": 200,
        "/calls": 403,
        "/simpleleads": 403,
        "/users": 403,
        "/myaccount": 403,
        "/organizationalunits": 403,
    }


def test_project_rights_make_leads_just_missing(boxed: Boxed) -> None:
    """T15."""
    box, ask = boxed(project_rights=("Nysalg*",))
    truth = list(box.world.leads(NOW, NOW - 3 * DAY))
    seen = ids(ask("/simpleleads", Projects="*", ModifiedFrom=(NOW - 3 * DAY).isoformat(), **ALL))
    assert set(seen) == {lead.id for lead in truth if lead.project.startswith("Nysalg")}
    assert 0 < len(seen) < len(truth)
    assert len(ask("/projects").json()) == 2
    hidden = next(lead for lead in truth if not lead.project.startswith("Nysalg"))
    assert ask(f"/leads/{hidden.id}").status_code == 403
    assert len(ids(ask("/calls", OrgCode=ROOT, **TUESDAY))) > 250


@pytest.mark.parametrize(("access", "least", "most"), [("None", 0, 0), ("Partner", 3, 14), ("Full", 5, 21)])
def test_lead_definition_entry_access(boxed: Boxed, access: str, least: int, most: int) -> None:
    _, ask = boxed(lead_entry_access=access)
    leads = ask("/simpleleads", ModifiedFrom="2026-11-19", ModifiedTo="2026-11-20", Statuses="UserProcessed").json()
    sizes = {len(lead.get("data", {})) for lead in leads}
    assert least <= min(sizes)
    assert max(sizes) <= most
    phones = [k for lead in leads for k in lead.get("data", {}) if "elefon" in k.lower()]
    assert bool(phones) == (access == "Full")


# -- what is handed on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "success"),
    [
        ({"CampaignCode": "{code}", "Data": {"Phone": "12345678"}}, 200, True),
        ({"campaignCode": "{code}", "data": {"Phone": "12345678"}}, 200, True),
        ({"CampaignCode": "{code}", "Data": {"Phone": ""}}, 200, False),
        ({"CampaignCode": "NO_SUCH", "Data": {"Phone": "12345678"}}, 400, None),
        ({"Data": {"Phone": "12345678"}}, 400, None),
        ({"CampaignCode": "{code}", "Data": {"Calls": 3}}, 400, None),
        ([], 400, None),
    ],
)
def test_leads_are_imported_as_the_page_says(
    sandbox: Sandbox, body: dict[str, object], status: int, success: bool | None
) -> None:
    code = sandbox.application.services.importable(NOW)[0]
    text = json.dumps(body).replace("{code}", code)
    before = len(sandbox.destinations.leads)
    answer = requests.post(
        sandbox.url + "/leads", data=text.encode(), auth=(sandbox.username, sandbox.password), timeout=5
    )
    assert (answer.status_code, answer.json().get("success")) == (status, success)
    assert len(sandbox.destinations.leads) - before == (1 if success else 0)


def test_the_systems_in_the_box_want_their_own_keys(sandbox: Sandbox) -> None:
    for url in (sandbox.hero_url + "/api/v1/Projects/create", sandbox.heron_url + "/api/end_users"):
        answer = requests.post(url, json={}, headers={"Authorization": "Bearer x", "x-api-key": "x"}, timeout=5)
        assert answer.status_code == 401
