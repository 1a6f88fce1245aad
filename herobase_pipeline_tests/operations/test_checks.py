"""Each check on a lake that is as it should be and on one that is not, run by Dagster."""

import datetime as dt
import json
import shutil

import dagster as dg
import duckdb
import pytest

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import mark
from herobase_pipeline.lake.writing import write
from herobase_pipeline.operations import rules
from herobase_pipeline.tables import ACCOUNT, CALL_OUTCOMES, CALLS, ERASURES, LEAD_CONVERSION, PROJECTS, SIMPLE_LEADS
from herobase_pipeline.tables.erasures import FOUND
from herobase_pipeline_tests.conftest import ASSETS, CHECKS, writer
from herobase_pipeline_tests.hostile import hostile, on_the_wire

KEYS = [key for definition in CHECKS for key in definition.check_keys]
OK, NOTHING = "As it should be.", "Nothing is loaded yet."
PULLED = "calls,simple_leads"
UNASKED = ("search_", "raw_leads", "lead_definitions", "lead_pools", "lead_segments", "hooks")
"""Tables that no setting names, and lists that the test does not load."""


def run(here, *names):
    """Run checks by ``table:name``, all by default; what they tell never has an agent, a lead or a number in it."""
    keys = [key for key in KEYS if not names or told(key) in names]
    assert len(keys) == (len(names) or len(KEYS))
    result = dg.materialize(
        [*ASSETS, *CHECKS],
        selection=dg.AssetSelection.checks(*keys),
        resources={"settings": here.settings},
        instance=here.instance,
    )
    found = {told(e.asset_check_key): e for e in result.get_asset_check_evaluations()}
    assert len(found) == len(keys)
    texts = " ".join(f"{e.description} {[value.value for value in e.metadata.values()]}" for e in found.values())
    private = "SELECT agent FROM calls UNION SELECT lead_id FROM calls UNION SELECT phone FROM call_phones"
    assert not [value for (value,) in here.rows(private) if value and value in texts]
    return found


def told(key):
    return f"{'/'.join(key.asset_key.path)}:{key.name}"


def passes(here, name):
    found = run(here, name)[name]
    assert found.passed, found.metadata
    assert found.metadata["offending_days"].value == 0
    return found.description == OK


def fails(here, name, severity="ERROR"):
    """The days that a check lists, with what it found."""
    found = run(here, name)[name]
    assert not found.passed
    assert found.severity.value == severity
    head, rule, *rows = found.metadata["days"].value.splitlines()
    assert (head, rule) == ("| day | found |", "|---|---|")
    listed = dict(row.strip("| ").split(" | ") for row in rows if row.startswith("| "))
    assert found.description.startswith(
        f"{found.metadata['offending_days'].value} to look at, the latest {max(listed)}: "
    )
    return listed


def doctor(here, table, query, day=None):
    """Write a table's file anew from ``seen``, what it holds."""
    on = dt.date.fromisoformat(day) if day else None
    with connect(here.settings.zone, here.lake.root) as con:
        write(writer(here.lake.root), con, table, query, day=on, complete=[on] if on else [])


def test_nothing_is_wrong_where_nothing_is_loaded(watched):
    found = run(watched())
    assert all(e.passed for e in found.values())
    assert {e.description for e in found.values()} == {NOTHING}


def test_nothing_is_wrong_where_all_is_well(watched):
    here = watched(calls_per_day=100)
    here.load(PULLED, "2026-11-18", "2026-11-20")
    here.load("call_outcomes,call_hours", "2026-11-18", "2026-11-20")
    here.load("leads,lead_conversion,agent_days,account,projects,org_units,users,campaigns,private/lead_fields")
    here.load("delivery_plan,deliveries,private/delivery_payloads")
    found = run(here)
    assert {name: e.metadata for name, e in found.items() if not e.passed} == {}
    assert {e.description for name, e in found.items() if not any(other in name for other in UNASKED)} == {OK}


def test_a_run_of_several_days_brings_its_checks(watched):
    here = watched(calls_per_day=50)
    result = dg.materialize(
        [*ASSETS, *CHECKS],
        selection=dg.AssetSelection.assets("calls", "private/call_phones"),
        resources={"settings": here.settings},
        tags={"dagster/asset_partition_range_start": "2026-11-17", "dagster/asset_partition_range_end": "2026-11-19"},
        instance=here.instance,
    )
    found = result.get_asset_check_evaluations()
    assert {told(e.asset_check_key) for e in found} == {told(key) for key in KEYS if told(key).startswith("calls:")}
    assert all(e.passed for e in found)
    latest = here.instance.event_log_storage.get_latest_asset_check_execution_by_key(KEYS)
    assert {record.status.value for record in latest.values()} == {"SUCCEEDED"}


@pytest.mark.parametrize("table", ["calls", "simple_leads"])
def test_a_day_that_was_skipped_or_is_known_in_part_is_a_gap(watched, table):
    here = watched(now=dt.datetime(2026, 11, 17, 11, tzinfo=dt.UTC), calls_per_day=50)
    here.load(table, "2026-11-16", "2026-11-17")
    assert passes(here, f"{table}:no_gap_days")  # the 17th is not over
    here.clock[0] = dt.datetime(2026, 11, 20, 11, tzinfo=dt.UTC)
    here.load(table, "2026-11-19", "2026-11-20")
    assert fails(here, f"{table}:no_gap_days") == {
        "2026-11-18": "not loaded",
        "2026-11-17": "loaded before the day was over, and not again since",
    }
    here.load(table, "2026-11-17", "2026-11-18")
    assert passes(here, f"{table}:no_gap_days")


def test_of_many_days_the_latest_are_listed(watched):
    here = watched(calls_per_day=20)
    here.load("calls", "2026-10-01")
    here.load("calls", "2026-11-19")
    found = run(here, "calls:no_gap_days")["calls:no_gap_days"]
    assert found.metadata["offending_days"].value == 48
    days = [line.split("|")[1].strip() for line in found.metadata["days"].value.splitlines()[2:] if "|" in line]
    assert days == [str(dt.date(2026, 11, 18) - dt.timedelta(days=back)) for back in range(31)]
    assert found.metadata["days"].value.endswith("\n\nand 17 more")


@pytest.mark.parametrize("table", ["calls", "simple_leads"])
def test_yesterday_is_due_at_six_in_the_business_zone(watched, table):
    here = watched(calls_per_day=50)
    here.load(table, "2026-11-18")
    here.clock[0] = dt.datetime(2026, 11, 20, 4, 59, tzinfo=dt.UTC)
    assert passes(here, f"{table}:yesterday_is_loaded")
    here.clock[0] += dt.timedelta(minutes=1)
    assert fails(here, f"{table}:yesterday_is_loaded").keys() == {"2026-11-19"}
    here.load(table, "2026-11-19")
    assert passes(here, f"{table}:yesterday_is_loaded")


@pytest.mark.parametrize("table", ["calls", "simple_leads"])
def test_a_failed_partition_is_told_with_what_to_do_until_it_succeeds(watched, table):
    here = watched(calls_per_day=50)
    name = f"{table}:no_partition_left_failed"
    here.load(table, "2026-11-16", "2026-11-19")
    here.sandbox.script(f"/{table.replace('_', '')} status=403")
    here.materialize(table, "2026-11-17", "2026-11-18")
    listed = fails(here, name)
    assert listed.keys() == {"2026-11-17", "2026-11-18"}  # the second was not even asked for
    assert all(sentence.startswith("2026-11-17 was not loaded.") for sentence in listed.values())
    assert "Ask HeroBase's support" in listed["2026-11-18"]
    here.sandbox.heal()
    here.load(table, "2026-11-17", "2026-11-18")
    assert passes(here, name)


def test_a_failed_count_is_told(watched):
    here = watched(calls_per_day=50)
    here.materialize("call_outcomes", "2026-11-18")
    assert "Materialize calls first" in fails(here, "call_outcomes:no_partition_left_failed")["2026-11-18"]
    here.load("calls", "2026-11-18")
    here.load("call_outcomes", "2026-11-18")
    assert passes(here, "call_outcomes:no_partition_left_failed")


def test_an_error_that_has_no_sentence_is_not_quoted(watched, monkeypatch):
    here = watched(calls_per_day=50)

    def crash(*_):
        raise RuntimeError("Hans Hemmelig +4528282828")

    monkeypatch.setattr("herobase_pipeline.herobase.client.HeroBase.org_units", crash)
    failed = here.materialize("calls", "2026-11-18")
    assert fails(here, "calls:no_partition_left_failed") == {
        "2026-11-18": f"Run {failed.run_id.split('-')[0]} failed; its page says why."
    }


def test_t2_only_the_day_that_shrank_is_told_as_such(watched):
    here = watched()
    here.load("calls", "2026-11-17", "2026-11-18")
    here.sandbox.script("/calls max_rows=7")
    here.materialize("calls", "2026-11-17", "2026-11-18")
    here.sandbox.heal()
    here.sandbox.script("/calls status=403")
    here.materialize("calls", "2026-11-13")
    listed = fails(here, "calls:no_day_shrunk")
    assert listed.keys() == {"2026-11-17"}
    assert "so the 3" in listed["2026-11-17"]
    assert fails(here, "calls:no_partition_left_failed").keys() == {"2026-11-13", "2026-11-17", "2026-11-18"}
    here.sandbox.heal()
    here.load("calls", "2026-11-17", "2026-11-18")
    assert passes(here, "calls:no_day_shrunk")


def test_t14_a_day_that_was_cut_is_named_until_it_is_pulled_again(watched):
    here = watched(calls_per_day=600)
    here.load("calls", "2026-11-16")
    here.sandbox.script(f"/calls max_rows={len(here.truth('2026-11-16')) - 10}")
    here.load("calls", "2026-11-17")
    assert passes(here, "calls:answers_whole")
    here.load("calls", "2026-11-18")
    assert fails(here, "calls:answers_whole").keys() == {"2026-11-17"}
    here.load("calls", "2026-11-17")
    assert passes(here, "calls:answers_whole")


def test_records_that_were_set_aside_are_counted_by_reason(watched):
    here = watched(calls_per_day=50)

    spoilt = [call.id for call in here.truth("2026-11-18")][10:12]

    def spoil(_path, _query, records):
        return [record | ({"startTime": "at noon"} if record["uniqueId"] in spoilt else {}) for record in records]

    with hostile(here.sandbox.url, spoil) as url:
        there = here.at(url)
        there.load("calls", "2026-11-18")
    assert fails(here, "calls:nothing_set_aside", "WARN") == {"2026-11-18": "2 no readable startTime"}
    here.load("calls", "2026-11-18")
    assert passes(here, "calls:nothing_set_aside")


def test_t9_calls_without_an_outcome_are_told_by_the_age_of_their_day(watched):
    here = watched(now=dt.datetime(2026, 11, 13, 3, tzinfo=dt.UTC), calls_per_day=800)
    name = "calls:calls_settled"
    here.load("calls", "2026-11-12")
    here.clock[0] = dt.datetime(2026, 11, 21, 4, tzinfo=dt.UTC)
    assert passes(here, name)  # nine days old, but not yet pulled that night
    here.clock[0] += dt.timedelta(hours=2)
    listed = fails(here, name, "WARN")
    unsettled, calls = here.rows("SELECT count(*) FILTER (NOT settled), count(*) FROM calls")[0]
    assert listed == {
        "2026-11-12": f"{unsettled} of {calls} calls ({100 * unsettled / calls:.1f} %) unsettled, 9 days old"
    }
    here.load("calls", "2026-11-12")
    assert passes(here, name)
    here.load("calls", "2026-11-18", "2026-11-19")
    for day in ("2026-11-18", "2026-11-19"):
        doctor(here, CALLS, "SELECT * REPLACE (row_number() OVER () % 10 < 7 AS settled) FROM seen", day)
    assert fails(here, name, "WARN").keys() == {"2026-11-18"}  # the 19th is young


@pytest.mark.parametrize(("table", "column"), [(CALLS, "end_cause"), (SIMPLE_LEADS, "status")])
def test_t23_a_value_that_is_not_documented_is_named(watched, table, column):
    here = watched(calls_per_day=50)
    name = f"{table.name}:values_documented"
    here.load(table.name, "2026-11-17", "2026-11-18")
    assert passes(here, name)
    values = f"['Teleported', '17', '17', '+45 28282828', {column}][least(row_number() OVER (), 5)]"
    doctor(here, table, f"SELECT * REPLACE ({values} AS {column}) FROM seen", "2026-11-18")
    assert fails(here, name, "WARN") == {
        "2026-11-18": f"{column} 17 ×2, {column} (withheld) ×1, {column} Teleported ×1"
    }


def test_t15_calls_without_a_hierarchy_are_told(watched):
    here = watched()
    name = "calls:hierarchy_captured"
    here.load("calls", "2026-11-17", "2026-11-18")
    assert here.rows("SELECT DISTINCT end_cause FROM calls WHERE org_source = 'missing'") == [("DroppedCall",)]
    assert passes(here, name)
    missing = "if(row_number() OVER (ORDER BY end_cause = 'DroppedCall', call_id) <= {}, 'missing', org_source)"
    for day, calls in (("2026-11-17", 2), ("2026-11-18", 9)):
        doctor(here, CALLS, f"SELECT * REPLACE ({missing.format(calls)} AS org_source) FROM seen", day)
    listed = fails(here, name, "WARN")
    assert listed.keys() == {"2026-11-18"}
    assert listed["2026-11-18"].startswith("9 of ")


def test_t15_a_hierarchy_that_calls_no_longer_tell_is_told(watched):
    without = watched(hierarchy="none", calls_per_day=50)
    without.load("calls", "2026-11-18")
    assert passes(without, "calls:hierarchy_captured")  # they never told it
    watched(calls_per_day=50).load("calls", "2026-11-17")
    assert fails(without, "calls:hierarchy_captured", "WARN").keys() == {"2026-11-18"}


def test_t5_a_call_that_is_on_two_days_is_told_on_both(watched):
    here = watched(calls_per_day=50)
    here.load("calls", "2026-11-17", "2026-11-19")
    assert passes(here, "calls:calls_once")
    other = here.lake.file(CALLS, dt.date(2026, 11, 17))
    doctor(
        here,
        CALLS,
        f"FROM seen UNION ALL (FROM read_parquet('{other}', hive_partitioning = false) LIMIT 3)",
        "2026-11-18",
    )
    rows = "3 rows of calls that are there more than once"
    assert fails(here, "calls:calls_once") == {"2026-11-17": rows, "2026-11-18": rows}


@pytest.mark.parametrize("calls_per_day", [100, 900])
def test_a_day_unlike_its_weekday_is_told(watched, calls_per_day):
    here = watched()
    for day in ("2026-11-05", "2026-11-12", "2026-11-11"):
        here.load("calls", day)
    assert passes(here, "calls:calls_as_usual")  # one week is not enough to say what is usual
    other = watched(calls_per_day=calls_per_day)
    other.load("calls", "2026-11-19")
    usual = other.rows("SELECT count(*) / 2 FROM calls WHERE date IN ('2026-11-05', '2026-11-12')")[0][0]
    (calls,) = other.rows("SELECT count(*) FROM calls WHERE date = '2026-11-19'")[0]
    assert fails(other, "calls:calls_as_usual", "WARN") == {
        "2026-11-19": f"{calls} calls, where {usual:.0f} are usual on a Thursday"
    }


def test_a_day_like_its_weekday_is_not_told(watched):
    here = watched()
    for day in ("2026-11-05", "2026-11-12", "2026-11-19"):
        here.load("calls", day)
    assert passes(here, "calls:calls_as_usual")


def test_outcomes_that_do_not_add_up_to_the_calls_are_told(watched):
    here = watched(calls_per_day=100)
    name = "call_outcomes:roll_up_equals_total"
    here.load("calls", "2026-11-16", "2026-11-19")
    here.load("call_outcomes", "2026-11-16", "2026-11-18")
    calls = dict(here.rows("SELECT date, count(*) FROM calls GROUP BY 1"))
    assert fails(here, name).keys() == {"2026-11-19"}
    here.load("call_outcomes", "2026-11-19")
    assert passes(here, name)
    doctor(here, CALLS, "FROM seen LIMIT 50", "2026-11-17")
    doctor(here, CALL_OUTCOMES, "FROM seen WHERE org_level <> 2", "2026-11-18")
    listed = fails(here, name)
    assert listed.keys() == {"2026-11-17", "2026-11-18"}
    assert listed["2026-11-17"].startswith(f"{calls[dt.date(2026, 11, 17)]} calls in call_outcomes, 50 in calls; ")
    assert listed["2026-11-18"].startswith(
        "{0} calls in call_outcomes, {0} in calls; ".format(calls[dt.date(2026, 11, 18)])
    )


def test_t37_closures_that_do_not_add_up_to_the_closed_leads_are_told(watched):
    here = watched()
    name = "lead_conversion:closure_mix_sums"
    here.load(PULLED, "2026-11-17", "2026-11-18")
    here.load("leads,lead_conversion")
    assert passes(here, name)
    doctor(here, LEAD_CONVERSION, "FROM seen WHERE closed_date <> '2026-11-18' OR closure <> 'NotSet'")
    assert here.rows("SELECT count(*) FROM lead_conversion WHERE closed_date = '2026-11-18'") > [(0,)]
    listed = fails(here, name)
    assert listed.keys() == {"2026-11-18"}
    (closed,) = here.rows("SELECT count(*) FROM leads WHERE closed_date = '2026-11-18'")[0]
    assert f" {closed} in leads; 1 sums by level and closure differ" in listed["2026-11-18"]


def test_t15_rights_and_projects_that_went_are_told(watched):
    here = watched(project_rights="client*,Other*")
    here.load("account,projects")
    before, after = here.lake.days(ACCOUNT)[0] - dt.timedelta(days=1), str(here.lake.days(ACCOUNT)[0])
    for table in (ACCOUNT, PROJECTS):
        shutil.move(here.lake.file(table, dt.date.fromisoformat(after)).parent, here.lake.file(table, before).parent)
    here.load("account,projects")
    assert passes(here, "account:rights_unchanged")
    assert passes(here, "projects:no_project_vanished")
    gone = [
        name for (name,) in here.rows("SELECT DISTINCT name FROM projects WHERE name NOT ILIKE 'client C%' ORDER BY 1")
    ]
    less = watched(project_rights="client C*,Other*", resource_rights="Account:Get,Campaigns:Get")
    less.load("account,projects")
    assert fails(less, "account:rights_unchanged", "WARN") == {
        after: r"lost Calls GET, lost Leads GET, lost Organization GET, gained projects client C\*, lost projects client\*"
    }
    assert gone
    assert fails(less, "projects:no_project_vanished", "WARN") == {after: ", ".join(f"lost {name}" for name in gone)}


def test_t16_a_service_whose_requests_are_nearly_spent_is_told(watched):
    here = watched(calls_per_day=50, service_limits="/calls=5")
    here.load("account")
    assert passes(here, "account:quota_left")
    (day,) = here.lake.days(ACCOUNT)
    for _ in range(4):  # each pulled anew, as one request; the account's own look was one too
        here.load("calls", "2026-11-15")
    here.load("account")
    assert fails(here, "account:quota_left", "WARN") == {str(day): "/calls: 0 of 5 requests left"}


SHAPES = [
    ({"/calls": 2980, "/leads": 2980}, {"/calls": 2900, "/leads": 10}),
    ({"/calls": {"limit": 2980}}, {"/calls": {"count": 2900}}),
    ({"limits": {"/calls": {"Limit": 2980}}}, {"counts": {"/calls": {"Count": 2900}}}),
    ([{"name": "/calls", "dailyLimit": 2980, "minuteLimit": 240}], [{"name": "/calls", "requestCount": 2900}]),
    ({"limit": 2980}, {"count": 2900}),
    ([{"service": "/calls", "limit": 2980}], []),
    ([{"service": "/calls", "limit": 2980}], None),
    ("no numbers", None),
]


def test_quota_is_read_from_whatever_shape_it_has(watched):
    here = watched()
    here.lake.root.mkdir()
    nothing = ", ".join(f"NULL AS {name}" for name in ACCOUNT.names if name not in ("limits", "counts"))
    for limits, counts in SHAPES:
        texts = f"'{json.dumps(limits)}' AS limits, '{json.dumps(counts)}' AS counts"
        doctor(here, ACCOUNT, f"SELECT {texts}, {nothing}", "2026-11-19")
        if counts:
            service = "/calls" if "/calls" in str(counts) else "all services"
            assert fails(here, "account:quota_left", "WARN") == {"2026-11-19": f"{service}: 80 of 2980 requests left"}
        else:
            assert passes(here, "account:quota_left")
    doctor(here, ACCOUNT, f"SELECT '{{broken' AS limits, NULL AS counts, {nothing}", "2026-11-19")
    assert passes(here, "account:quota_left")


def test_a_zone_whose_rules_duckdb_and_python_know_otherwise_is_named(watched, monkeypatch):
    here = watched(calls_per_day=50)
    here.load("calls", "2026-11-18")
    assert passes(here, "calls:zone_rules_agree")
    found = (dt.date(2026, 11, 1), dt.date(2027, 3, 13), dt.timedelta(hours=-7), dt.timedelta(hours=-8))
    monkeypatch.setattr(rules, "zone_differences", lambda *_: (found,))
    assert fails(here, "calls:zone_rules_agree", "WARN") == {
        "2026-11-01": "Europe/Copenhagen is UTC-07:00 by Python's rules and UTC-08:00 by DuckDB's, until 2027-03-13"
    }


def test_an_erasure_that_is_left_undone_for_a_day_and_one_that_left_something_fail(watched):
    here = watched()
    here.load(PULLED, "2026-09-07")
    assert run(here, "erasures:erasures_are_finished")["erasures:erasures_are_finished"].passed
    columns = (
        "'{0}' AS person, now() AS asked_at, 'list' AS source, {1} AS seen_at, {2} AS done_at, "
        "3 AS files_rewritten, {3} AS proof"
    )
    rows = [
        columns.format("a" * 32, "TIMESTAMPTZ '2026-09-09 12:00:00+00'", "NULL", "NULL"),
        columns.format("b" * 32, "now()", "NULL", "NULL"),
        columns.format("c" * 32, "now()", "TIMESTAMPTZ '2026-09-12 12:00:00+00'", f"'{FOUND} 2 places'"),
        columns.format("d" * 32, "now()", "now()", "'nothing found'"),
    ]
    doctor(here, ERASURES, " UNION ALL ".join(f"SELECT {row}" for row in rows))
    assert fails(here, "erasures:erasures_are_finished") == {
        "2026-09-09": "1 persons are not erased yet",
        "2026-09-12": "something is left of 1 persons",
    }


def test_a_rebuild_that_finds_other_leads_than_there_were_says_where(watched):
    here = watched()
    here.load(PULLED, "2026-09-07", "2026-09-08")
    here.load("leads,lead_conversion,lead_cohorts,org_history")
    anew = {"herobase/anew": "true"}
    assert here.materialize("leads,lead_conversion,lead_cohorts,org_history", tags=anew).success
    assert passes(here, "leads:rebuild_agrees")
    file = here.lake.root / "lake" / "leads" / "month=2026-09" / "part.parquet"
    doctored = here.lake.root.with_name("doctored.parquet")
    rows = f"FROM read_parquet('{file}', hive_partitioning = false)"
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT * REPLACE (dials + 1 AS dials) {rows}) TO '{doctored}' (FORMAT parquet)")
    shutil.copyfile(doctored, file)  # as an increment that missed something would leave it, and nobody noticed
    with notes.updating(here.lake, "made_leads") as note:
        note["files"] = {path: seen | {"mark": mark(here.lake.root / path)} for path, seen in note["files"].items()}
    assert here.materialize("leads", tags=anew).success
    assert set(fails(here, "leads:rebuild_agrees").values()) == {"leads in lake/leads/month=2026-09/part.parquet"}
    assert here.materialize("leads", tags=anew).success
    assert passes(here, "leads:rebuild_agrees")


def drifting(here, day, service, change):
    """Pull a day whose records a version of HeroBase of its own gives."""

    def spoil(path, reply):
        if path == service and reply.status == 200:
            reply.body = json.dumps([change(record) for record in json.loads(reply.body)]).encode()
        return reply

    with on_the_wire(here.sandbox.url, spoil) as url:
        here.at(url).load(PULLED, day)


TYPES = {
    "/calls": ("calls", {"dialingDuration": {"ms": 5}, "connected": "perhaps", "endTime": 7}),
    "/simpleleads": ("simple_leads", {"priority": "high", "uploadTime": [2026, 1, 5]}),
}


@pytest.mark.parametrize("service", TYPES)
def test_a_field_that_changes_its_type_is_named_on_the_day_it_happens(watched, service):
    table, values = TYPES[service]
    here = watched()
    here.load(PULLED, "2026-11-14", "2026-11-18")
    assert passes(here, f"{table}:values_readable")
    drifting(
        here, "2026-11-19", service, lambda record: record | {name: values[name] for name in values if name in record}
    )
    (found,) = fails(here, f"{table}:values_readable", "WARN").items()
    assert str(found[0]) == "2026-11-19"
    assert {part.split()[0] for part in found[1].split(", ")} == set(values)
    assert "HeroBase's support" in description(f"{table}:values_readable")
    here.load(PULLED, "2026-11-19")
    assert passes(here, f"{table}:values_readable")


@pytest.mark.parametrize(("service", "table", "field"), [
    ("/calls", "calls", "user"), ("/simpleleads", "simple_leads", "campaign"), ("/calls", "calls", "incoming"),
])  # fmt: skip
def test_a_field_that_is_given_no_more_is_named_on_the_day_it_happens(watched, service, table, field):
    here = watched()
    here.load(PULLED, "2026-11-14", "2026-11-18")
    assert passes(here, f"{table}:fields_as_usual")
    drifting(here, "2026-11-19", service, lambda record: {n: value for n, value in record.items() if n != field})
    (found,) = fails(here, f"{table}:fields_as_usual", "WARN").items()
    assert str(found[0]) == "2026-11-19"
    assert field in found[1]
    assert "HeroBase's support" in description(f"{table}:fields_as_usual")


def test_an_include_that_is_no_longer_honoured_and_a_right_that_has_gone_say_what_to_tell_support(watched):
    here = watched()
    here.load(PULLED, "2026-11-16", "2026-11-17")
    drifting(here, "2026-11-18", "/calls", lambda record: {n: v for n, v in record.items() if "ierarchy" not in n})
    assert list(fails(here, "calls:hierarchy_captured", "WARN")) == ["2026-11-18"]
    assert "HeroBase's support" in description("calls:hierarchy_captured")
    here.sandbox.script("/calls deny")
    here.materialize(PULLED, "2026-11-19")
    (found,) = fails(here, "calls:no_partition_left_failed").items()
    assert str(found[0]) == "2026-11-19"
    assert "Ask HeroBase's support to grant the web-service account GET on Calls" in found[1]
    for name in ("account:rights_unchanged", "projects:no_project_vanished"):
        assert "HeroBase's support" in description(name)


def description(name):
    table, _, check = name.partition(":")
    return next(f"{rule.rule} {rule.remedy}" for rule in rules.RULES if (rule.table.name, rule.name) == (table, check))
