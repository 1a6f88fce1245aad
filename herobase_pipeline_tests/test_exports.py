"""The other ways of exporting leads: saved searches as JSON and as CSV, and RawLeads; row by row against the world."""

import datetime as dt
import json
from collections import Counter

import dagster as dg
import pytest
import requests

from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.tables import RAW_LEADS, SEARCH_LEADS, SEARCH_ROWS
from herobase_pipeline_tests.conftest import failure
from herobase_pipeline_tests.hostile import hostile, serving

DAY = "2026-11-18"
SEARCH = "api_import_export"
ALL = {"saved_searches": (SEARCH, "mysearch"), "saved_searches_csv": (SEARCH,), "raw_leads": True}
EXPORTS = {
    "search_leads": "/leads",
    "private/search_rows": "/leads/csv",
    "private/raw_leads": "/rawleads",
}
DIALECTS = [
    {"csv_delimiter": ";"},
    {"csv_delimiter": ",", "csv_bom": True},
    {"csv_delimiter": "tab", "csv_line_end": "lf"},
    {"csv_delimiter": ",", "csv_quoted": True, "csv_line_end": "lf"},
    {"csv_delimiter": ";", "csv_header": False},
]


def given(here, day=DAY):
    """The leads of a day that are not anonymized with their fields, as plain Python reads them off the wire."""
    start = dt.date.fromisoformat(day)
    params = {
        "Projects": "*",
        "ModifiedFrom": day,
        "ModifiedTo": str(start + dt.timedelta(days=1)),
        "AllOpenStatuses": "true",
        "AllClosedStatuses": "true",
    }
    login = (here.sandbox.username, here.sandbox.password)
    return {
        lead["uniqueId"]: lead
        for lead in requests.get(f"{here.sandbox.url}/simpleleads", params, auth=login, timeout=60).json()
        if lead["status"] != "Anonymized"
    }


def world(here, day=DAY):
    bounds = day_bounds(dt.date.fromisoformat(day), here.settings.zone)
    return {here.called(lead): lead for lead in here.world.leads(here.now, bounds.start, bounds.end)}


def test_a_saved_search_gives_the_versions_and_the_fields_of_the_world(centre):
    here = centre(settings=ALL)
    here.load("search_leads", DAY)
    truth = world(here)
    closed = {name for name, lead in truth.items() if lead.status.name in here.closed_statuses()}
    columns = (
        "lead_id, last_modified_at, status, closure, campaign_id, campaign_code, uploaded_at, uploaded_by, "
        "first_processed_at, first_processed_by, last_modified_by"
    )
    expected = {
        (
            name, lead.last_modified, lead.status.name, lead.closure.name, lead.campaign_id, lead.campaign_code,
            lead.uploaded, lead.uploaded_by, lead.first_processed, lead.first_processed_by, lead.last_modified_by,
        )
        for name, lead in truth.items()
    }  # fmt: skip
    for search, ids in ((SEARCH, truth.keys()), ("mysearch", closed)):
        found = here.rows(f"SELECT {columns} FROM search_leads WHERE search = '{search}'")
        assert len(found) == len(ids)
        assert set(found) == {row for row in expected if row[0] in ids}
    fields = dict(here.rows(f"SELECT lead_id, data FROM search_lead_data WHERE search = '{SEARCH}'"))
    assert {lead: json.loads(data) for lead, data in fields.items()} == {
        lead: {name.lower(): text for name, text in of["data"].items()} for lead, of in given(here).items()
    }
    assert 0 < len(closed) < len(truth)


def test_a_search_and_simple_leads_have_the_same_columns_and_values(centre):
    here = centre(settings=ALL)
    here.load("simple_leads,search_leads", DAY)
    query = "SELECT * EXCLUDE (observed_at) FROM {} ORDER BY ALL"
    searched = f"(SELECT * EXCLUDE (search) FROM search_leads WHERE search = '{SEARCH}')"
    assert here.rows(query.format("simple_leads")) == here.rows(query.format(searched))


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_csv_is_the_world_in_every_dialect(centre, dialect):
    here = centre(settings=ALL, **dialect)
    here.load("private/search_rows,private/raw_leads", DAY)
    leads = given(here)
    raw = here.rows("SELECT lead_id, field_name, field_value FROM raw_leads")
    assert len(raw) == len(set(raw))
    assert set(raw) == {(lead, name, text) for lead, of in leads.items() for name, text in of["data"].items()}
    rows = {lead: json.loads(fields) for lead, fields in here.rows("SELECT lead_id, fields FROM search_rows")}
    assert rows.keys() == leads.keys()
    assert len(here.rows("SELECT * FROM search_rows")) == len(leads)
    if dialect.get("csv_header", True):
        for lead, of in leads.items():
            assert rows[lead]["uniqueId"] == lead
            assert rows[lead]["lastModifiedTime"] == of["lastModifiedTime"]
            assert {name: text for name, text in rows[lead].items() if text and name in map(str.lower, of["data"])} == {
                name.lower(): text for name, text in of["data"].items() if text
            }
    else:
        assert all(fields["column 1"] == lead for lead, fields in rows.items())


TABLES_OF_CSV = {
    "quotes and line breaks": (
        'uniqueId;Notater\r\n1S3064;"Siger ""ikke nu"""\r\n2S3064;"to\r\nlinjer; og et semikolon"\r\n',
        {("1S3064", "Notater", 'Siger "ikke nu"'), ("2S3064", "Notater", "to\r\nlinjer; og et semikolon")},
    ),
    "the id in another column, under another name": (
        "Navn,Kunde\nÅse,7S3064\nBo,8S3064\n",
        {("7S3064", "Navn", "Åse"), ("8S3064", "Navn", "Bo")},
    ),
    "a hint for Excel": ("sep=;\nuniqueId;Beløb\n1S3064;1.234,50\n", {("1S3064", "Beløb", "1.234,50")}),
    "header only": ("uniqueId;Notater\r\n", set()),
    "empty": ("", set()),
    "no line end at the end": (
        "uniqueId;Notater\n1S3064;ja\n2S3064;nej",
        {("1S3064", "Notater", "ja"), ("2S3064", "Notater", "nej")},
    ),
    "two columns of one name": ("uniqueId;N;N\n1S3064;a;b\n", {("1S3064", "N", "a"), ("1S3064", "N (3)", "b")}),
    "two columns of one name beside their new one": (
        "uniqueId;N (4);N;N\n1S3064;a;b;c\n",
        {("1S3064", "N (4)", "a"), ("1S3064", "N", "b"), ("1S3064", "N (4) (4)", "c")},
    ),
    "a cell between apostrophes": (
        "uniqueId;Note\r\n1S3064;ja\r\n2S3064;'ring igen'\r\n",
        {("1S3064", "Note", "ja"), ("2S3064", "Note", "'ring igen'")},
    ),
    "a column named by a year": ("uniqueId;2024\n1S3064;x\n", {("1S3064", "2024", "x")}),
    "a hint for Excel of a tab": ("sep=\t\nuniqueId\tN\n1S3064\tx\n", {("1S3064", "N", "x")}),
    "an apostrophe at the beginning": (
        "uniqueId;By\n1S3064;'s-Hertogenbosch\n2S3064;Vejle\n",
        {("1S3064", "By", "'s-Hertogenbosch"), ("2S3064", "By", "Vejle")},
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("name", TABLES_OF_CSV)
def test_csv_as_others_write_it(centre, name, encoding):
    text, cells = TABLES_OF_CSV[name]
    with serving(lambda *_: (200, "text/csv", text.encode(encoding) if text else b"")) as url:
        here = centre(settings=ALL).at(url)
        here.load("private/search_rows", DAY)
    rows = here.rows("SELECT lead_id, fields FROM search_rows")
    kept = {(lead, name, text) for lead, fields in rows for name, text in json.loads(fields).items()}
    assert {cell for cell in kept if cell[0] != cell[2]} == cells
    assert here.lake.days(SEARCH_ROWS) == [dt.date.fromisoformat(DAY)]


BROKEN = {
    "a sentence": ("text/plain", b"An error occurred. Try again later.", "no table"),
    "a sentence that is called CSV": ("text/csv", b"An error occurred. Try again later.", "no table"),
    "a sentence with a comma": ("text/plain", b"Sorry, an error occurred", "no table"),
    "a text of JSON": ("application/json", b'"Search is being rebuilt"', "JSON where CSV was asked for"),
    "null": ("application/json", b"null", "JSON where CSV was asked for"),
    "JSON in several lines": ("text/csv", b'[\n  {"uniqueId": "1S3064"},\n  {"uniqueId": "2S3064"}\n]\n', "JSON where"),
    "a login page": ("text/html", b"<html><form action=/login><input type=password></form></html>", "a web page"),
    "the records as a page": (
        "text/html",
        b"<html><table><tr><td>1S3064</td></tr></table></html>",
        "as a page for browsers",
    ),
    "JSON": ("application/json", b'[{"uniqueId":"1S3064"}]', "JSON where CSV was asked for"),
    "an empty body that is called JSON": ("application/json", b"", "an empty body"),
    "a cell that never ends": ("text/csv", b'a;b;c\n1S3064;"x";"ja"\n2S3064;y;"nej\n', "broke off"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("asset", ["private/search_rows", "private/raw_leads"])
def test_what_is_no_table_fails_the_day_and_says_so(centre, name, asset):
    media_type, body, words = BROKEN[name]
    with serving(lambda *_: (200, media_type, body)) as url:
        here = centre(settings=ALL).at(url)
        told = failure(here.materialize(asset, DAY))
    assert words in told, told
    assert here.lake.days(SEARCH_ROWS) == here.lake.days(RAW_LEADS) == []


@pytest.mark.parametrize("asset", ["private/search_rows", "private/raw_leads"])
@pytest.mark.parametrize("fault", ["truncate=0.5", "cut=0.5"])
def test_a_table_that_breaks_off_fails_the_day_and_leaves_what_was_there(centre, asset, fault):
    here = centre(settings=ALL)
    here.load(asset, DAY)
    before = here.files()
    here.sandbox.script(f"{EXPORTS[asset]} {fault}")
    assert "broke off" in failure(here.materialize(asset, DAY))
    assert here.files() == before


def test_a_row_that_does_not_fit_is_set_aside_and_the_others_land(centre):
    lines = ["uniqueId;Notater", *(f"{n}S3064;ok" for n in range(100)), "100S3064;et;for meget", "101S3064;ok"]
    with serving(lambda *_: (200, "text/csv", "\n".join([*lines, ""]).encode())) as url:
        here = centre(settings=ALL).at(url)
        here.load("private/search_rows", DAY)
    assert here.rows("SELECT count(*) FROM search_rows") == [(101,)]
    assert here.rows("SELECT service, text FROM unreadable") == [("leads/csv", "100S3064;et;for meget\n")]


def test_a_row_with_bytes_that_are_no_text_is_set_aside_and_the_others_keep_their_letters(centre):
    lines = [b"uniqueId;Notater", *(f"{n}S3064;æøå".encode() for n in range(100)), b"100S3064;\xe6\xf8", b""]
    with serving(lambda *_: (200, "text/csv", b"\n".join(lines))) as url:
        here = centre(settings=ALL).at(url)
        here.load("private/search_rows", DAY)
    assert {json.loads(fields)["Notater"] for (fields,) in here.rows("SELECT fields FROM search_rows")} == {"æøå"}
    assert here.rows("SELECT reason FROM unreadable") == [("bytes that are not UTF-8",)]


def test_raw_leads_without_a_header_and_with_ids_of_another_form(centre):
    with serving(lambda *_: (200, "text/csv", b"4711,Navn,Bo\n4711,By,Vejle\n4712,Navn,Eva\n")) as url:
        here = centre(settings=ALL).at(url)
        here.load("private/raw_leads", DAY)
    assert here.rows("SELECT lead_id, field_name, field_value FROM raw_leads ORDER BY ALL") == [
        ("4711", "By", "Vejle"),
        ("4711", "Navn", "Bo"),
        ("4712", "Navn", "Eva"),
    ]


def test_raw_leads_name_their_columns_in_any_order(centre):
    body = b"FIELDVALUE;FieldName;Unique Lead Id\nBo;Navn;1S3064\n;By;1S3064\n"
    with serving(lambda *_: (200, "text/csv", body)) as url:
        here = centre(settings=ALL).at(url)
        here.load("private/raw_leads", DAY)
    found = here.rows("SELECT lead_id, field_name, field_value FROM raw_leads ORDER BY ALL")
    assert found == [("1S3064", "By", ""), ("1S3064", "Navn", "Bo")]


@pytest.mark.parametrize("asset", EXPORTS)
def test_a_window_that_fails_is_halved_and_a_cap_is_noticed(centre, asset):
    here, plain = centre(settings=ALL, data="halved"), centre(settings=ALL, data="plain")
    plain.load(asset, DAY)
    here.sandbox.script(f"{EXPORTS[asset]} max_window=12h")
    here.load(asset, DAY)
    query = f"SELECT * EXCLUDE (observed_at) FROM {asset.rpartition('/')[2]} ORDER BY ALL"
    assert here.rows(query) == plain.rows(query) != []
    capped = centre(settings=ALL, data="capped")
    if asset == "search_leads":  # the sandbox cuts lists
        capped.sandbox.script(f"{EXPORTS[asset]} max_rows=20")
        capped.load(asset, DAY)
        assert capped.rows(query) == plain.rows(query)


@pytest.mark.parametrize("asset", ["private/search_rows", "private/raw_leads"])
def test_a_table_that_is_capped_is_asked_for_in_smaller_windows(centre, asset):
    plain, capped = centre(settings=ALL, data="plain"), centre(settings=ALL, data="capped")
    plain.load(asset, DAY)
    with serving(lambda path, query, headers: _capped(plain, path, query, headers)) as url:
        here = capped.at(url)
        here.load(asset, DAY)
    query = f"SELECT * EXCLUDE (observed_at) FROM {asset.rpartition('/')[2]} ORDER BY ALL"
    assert here.rows(query) == plain.rows(query)


def _capped(here, path, query, headers):
    """What the sandbox answers, without all rows after a round number of them."""
    answer = requests.get(f"{here.sandbox.url}{path}?{query}", headers=headers, timeout=60)
    lines = answer.content.split(b"\r\n")
    return (
        answer.status_code,
        answer.headers["content-type"],
        b"\r\n".join(lines[:101] + ([b""] if len(lines) > 101 else lines[101:])),
    )


def test_versions_once_seen_stay_and_what_is_seen_again_is_not_added(centre):
    here = centre(settings=ALL, now=dt.datetime(2026, 11, 5, 1, tzinfo=dt.UTC))
    day, assets = "2026-11-04", ",".join(EXPORTS)
    tables = [name.rpartition("/")[2] for name in (*EXPORTS, "private/search_lead_data")]
    here.load(assets, day)
    seen = {table: here.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}
    here.load(assets, day)
    assert {table: here.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables} == seen
    here.clock[0] = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    here.load(assets, day)
    later = {table: here.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}
    assert all(set(later[table]) >= set(seen[table]) for table in tables)
    assert len(given(here, day)) < len(seen["search_rows"])  # HeroBase has lost some of them by now


def test_what_changed_and_changed_back_is_there_three_times_and_a_field_that_went_is_null(centre):
    answers = iter(["a", "b", "b", "a", None])

    def answer(path, *_):
        if path != "/rawleads":
            return 404, "text/plain", b""
        value = next(answers)
        return 200, "text/csv", ("L;F;V\n1S1;x;y\n" + (f"1S1;felt;{value}\n" if value else "")).encode()

    with serving(answer) as url:
        here = centre(settings=ALL).at(url)
        for _ in range(5):
            here.load("private/raw_leads", DAY)
            here.clock[0] += dt.timedelta(hours=1)
    query = "SELECT field_value FROM raw_leads WHERE field_name = 'felt' ORDER BY observed_at"
    assert [value for (value,) in here.rows(query)] == ["a", "b", "a", None]
    assert here.rows("SELECT count(*) FROM raw_leads WHERE field_name = 'x'") == [(1,)]


@pytest.mark.parametrize("asset", ["private/search_rows", "private/raw_leads"])
def test_an_empty_day_of_csv_is_a_file_without_rows(centre, asset):
    here = centre(settings=ALL, calls_per_day=0)
    here.load(asset, DAY)
    table = SEARCH_ROWS if "rows" in asset else RAW_LEADS
    assert here.lake.days(table) == [dt.date.fromisoformat(DAY)]
    assert here.rows(f"SELECT count(*) FROM {table.name}") == [(0,)]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [("text/csv", b""), *((kind, b"UniqueLeadId;FieldName;FieldValue\r\n") for kind in ("text/csv", "text/plain"))],
)
def test_raw_leads_without_a_row_are_an_empty_day(centre, media_type, body):
    with serving(lambda *_: (200, media_type, body)) as url:
        here = centre(settings=ALL).at(url)
        here.load("private/raw_leads", DAY)
    assert here.lake.days(RAW_LEADS) == [dt.date.fromisoformat(DAY)]


@pytest.mark.parametrize("asset", ["private/search_rows", "private/raw_leads"])
def test_a_refresh_of_a_day_that_was_over_takes_nothing_of_the_next_for_it(centre, asset):
    here = centre(settings=ALL, now=dt.datetime(2026, 11, 19, 2, tzinfo=dt.UTC))
    here.load(asset, DAY)
    here.clock[0] = dt.datetime(2026, 11, 19, 14, tzinfo=dt.UTC)
    result = here.materialize(asset, DAY, tags={"herobase/refresh": "true"})
    assert result.success, failure(result)
    windows = {
        (s.params["modifiedfrom"][0], s.params["modifiedto"][0]) for s in here.sandbox.requests if "lead" in s.path
    }
    assert all(start >= "2026-11-18T00:00:00" and end <= "2026-11-19T00:00:00" for start, end in windows)


def raw(*answers):
    """A server that gives one table of RawLeads after the other, and the last one for ever."""
    left = list(answers)

    def answer(path, *_):
        if path != "/rawleads":
            return 404, "text/plain", b""
        lines = left.pop(0) if len(left) > 1 else left[0]
        return 200, "text/csv", "\n".join(["UniqueLeadId;FieldName;FieldValue", *lines, ""]).encode()

    return answer


def test_a_field_whose_row_cannot_be_read_is_not_taken_for_gone(centre):
    others = [f"{n}S1;Navn;Bo" for n in range(7)]  # so few that no cut is looked for
    with serving(raw(["1S1;Note;hej", *others], ["1S1;Note;hej; igen", *others])) as url:
        here = centre(settings=ALL).at(url)
        for _ in range(2):
            here.load("private/raw_leads", DAY)
            here.clock[0] += dt.timedelta(hours=1)
    assert here.rows("SELECT field_value FROM raw_leads WHERE field_name = 'Note'") == [("hej",)]
    assert len(here.rows("SELECT * FROM unreadable")) == 1


def test_a_field_that_comes_twice_adds_nothing_while_it_stays(centre):
    with serving(raw(["1S1;Tlf;1", "1S1;Tlf;2"], ["1S1;Tlf;1", "1S1;Tlf;3"])) as url:
        here = centre(settings=ALL).at(url)
        for _ in range(5):
            here.load("private/raw_leads", DAY)
            here.clock[0] += dt.timedelta(hours=1)
    found = here.rows("SELECT field_value FROM raw_leads ORDER BY observed_at, field_value")
    assert [value for (value,) in found] == ["1", "2", "1", "3"]


@pytest.mark.parametrize("member", ["status", "closure", "campaign"])
def test_a_search_that_gives_no_status_closure_or_campaign_is_refused(centre, member):
    here = centre(settings={"saved_searches": (SEARCH,)})

    def without(path, _, records):
        return [{k: v for k, v in r.items() if k != member} for r in records] if path == "/leads" else records

    with hostile(here.sandbox.url, without) as url:
        told = failure(here.at(url).materialize("search_leads", DAY))
    assert f"The saved search {SEARCH} gives " in told
    assert f"leads without {member}, so nothing was changed" in told
    assert here.lake.days(SEARCH_LEADS) == []


def test_a_refresh_asks_only_for_what_is_new(centre):
    here = centre(settings=ALL, now=dt.datetime(2026, 11, 18, 9, tzinfo=dt.UTC))
    assets = ",".join(EXPORTS)
    here.load(assets, DAY)
    here.clock[0] = dt.datetime(2026, 11, 18, 11, tzinfo=dt.UTC)
    asked = len(here.sandbox.requests)
    result = here.materialize(assets, DAY, tags={"herobase/refresh": "true"})
    assert result.success, failure(result)
    windows = [served.params["modifiedfrom"][0] for served in here.sandbox.requests[asked:]]
    assert all(start >= "2026-11-18T09:40:00" for start in windows)  # an hour ahead of UTC
    leads = given(here)
    assert {lead for (lead,) in here.rows("SELECT lead_id FROM search_leads")} >= leads.keys()
    assert {lead for (lead,) in here.rows("SELECT lead_id FROM search_rows")} >= leads.keys()
    assert {lead for (lead,) in here.rows("SELECT lead_id FROM raw_leads")} >= {
        k for k, of in leads.items() if of["data"]
    }


@pytest.mark.parametrize(
    ("setting", "asset"), [("saved_searches", "search_leads"), ("saved_searches_csv", "private/search_rows")]
)
def test_a_search_that_is_not_there_is_named_with_where_to_save_it(centre, setting, asset):
    here = centre(settings={setting: ("min søgning",)})
    told = failure(here.materialize(asset, DAY))
    assert "min søgning" in told
    assert "Lead Admin" in told
    assert "HEROBASE_SAVED_SEARCHES" in told
    assert len(here.sandbox.requests) <= 8  # no window is halved for it
    assert here.lake.days(SEARCH_LEADS) == here.lake.days(SEARCH_ROWS) == []


def test_a_window_that_is_too_large_is_not_taken_for_a_search_that_is_not_there(centre):
    here = centre(settings={"saved_searches": (SEARCH,)})
    here.sandbox.script("/leads status=500 times=4")
    here.load("search_leads", DAY)
    assert {lead for (lead,) in here.rows("SELECT lead_id FROM search_leads")} == world(here).keys()


def test_what_no_setting_names_is_not_asked_for_and_is_no_empty_day(centre):
    here = centre()
    result = here.materialize(",".join(EXPORTS), DAY)
    assert result.success
    assert not here.sandbox.requests
    assert here.files() == {}
    keys = [dg.AssetKey(name.split("/")) for name in EXPORTS]
    assert not any(here.instance.get_latest_materialization_event(key) for key in keys)


def test_requests_for_csv_count_for_a_quota_of_their_own(centre):
    here = centre(settings=ALL, service_limits=("/leads/csv=50", "/leads=70"))
    here.load("search_leads,private/search_rows", DAY)
    left = {}
    for table in ("search_leads", "private/search_rows"):
        asset = dg.AssetKey(table.split("/"))
        (made,) = here.instance.fetch_materializations(dg.AssetRecordsFilter(asset, [DAY]), limit=1).records
        left[table] = made.asset_materialization.metadata["quota_left"].value
    asked = Counter(served.path for served in here.sandbox.requests)
    assert left == {"search_leads": 70 - asked["/leads"], "private/search_rows": 50 - asked["/leads/csv"]}
    assert asked["/leads"] > 0 < asked["/leads/csv"]
