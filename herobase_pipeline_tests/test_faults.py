"""What HeroBase does wrong: the pipeline recovers if it can, else says in a sentence what to do and changes nothing."""

import datetime as dt
import json
import re
from collections import Counter

import dagster as dg
import pytest

from herobase_pipeline.assets import daily_quota
from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.documents import segments
from herobase_pipeline.tables import CALLS
from herobase_pipeline_tests.conftest import NOW, failure
from herobase_pipeline_tests.test_days import assert_is_the_truth

DAY = "2026-11-18"
PASSING = [
    "/calls status=500 times=2",
    "/calls status=429 reset=20 times=1",
    "/calls status=429 no_headers times=1",
    "/calls html times=1",
    "/calls empty times=1",
    "/calls truncate=0.5 times=2",
    "/calls cut=0.5 times=2",
    "/organizationalunits status=503 times=2",
    "/organizationalunits truncate times=1",
    "/calls max_window=3h",
    "/calls max_rows=100",
    "/calls duplicates=0.2",
]
LASTING = {
    "status=500": "HeroBase failed (500)",
    "status=429 reset=30": "limit per minute is spent",
    "html": "a web page instead of JSON. Check that HEROBASE_URL",
    "empty": "200 with an empty body, which is not an empty list",
    "truncate=0.5": "broke off in the middle of the list",
    "cut=0.5": "the connection to HeroBase broke off in mid-answer",
    "deny": "Ask HeroBase's support to grant",
    "status=401": "Check HEROBASE_USERNAME and HEROBASE_PASSWORD",
    "status=404": "Check HEROBASE_URL and HEROBASE_ORG_CODES",
    "status=302": "HeroBase answered 302, which was not expected",
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_recovered_from(centre, fault):
    here = centre(calls_per_day=1_000)
    here.sandbox.script(fault)
    here.load("calls", DAY)
    assert_is_the_truth(here, DAY)
    assert here.leftovers() == []


@pytest.mark.parametrize(("fault", "sentence"), LASTING.items())
@pytest.mark.parametrize("table", ["calls", "simple_leads"])
def test_t13_a_lasting_fault_says_what_to_do_and_leaves_the_day_as_it_was(centre, fault, sentence, table):
    here = centre()
    here.load(table, DAY)
    before = here.files()
    here.sandbox.script(f"/{table.replace('_', '')} {fault}")
    told = failure(here.materialize(table, DAY))
    assert told.startswith(f"{DAY} was not loaded.")
    assert table.replace("_", "") in told
    assert sentence in told
    assert here.sandbox.password not in told
    assert here.files() == before
    assert here.leftovers() == []


@pytest.mark.parametrize(
    ("table", "service"),
    [("calls", "/calls"), ("simple_leads", "/simpleleads"), ("private/search_rows", "/leads/csv")],
)
def test_t16_a_run_that_spends_the_daily_quota_goes_on_by_itself_when_it_starts_anew(
    centre, table, service, monkeypatch
):
    monkeypatch.setattr(daily_quota, "NAP", dt.timedelta(hours=5))  # it asks nothing when it wakes up too early
    here = centre(
        calls_per_day=60, service_limits=(f"{service}=12",), settings={"saved_searches_csv": ("api_import_export",)}
    )
    first, last, name = "2026-11-09", "2026-11-18", table.split("/")[-1]
    here.load(table, first, last)
    asked = Counter(request.path for request in here.sandbox.requests)
    assert 10 < asked[service] <= 10 * 3 + 3  # each day once and looked at for a cut at most, and a day begun anew
    assert here.now >= NOW + dt.timedelta(days=1)
    assert [day for (day,) in here.rows(f"SELECT DISTINCT date FROM {name} ORDER BY date")] == [
        dt.date(2026, 11, day) for day in range(9, 19)
    ]
    shown = here.rows_shown(table)
    counted = {str(day): rows for day, rows in here.rows(f"SELECT date, count(*) FROM {name} GROUP BY date")}
    assert shown.keys() == counted.keys()
    assert shown == counted or name == "search_rows"  # whose rows leave it with a person who is erased
    made = here.instance.fetch_materializations(dg.AssetKey(table.split("/")), limit=20).records
    assert min(int(str(each.asset_materialization.metadata["quota_left"].value)) for each in made) >= 0


def told_by(here, result) -> str:
    return "\n".join(entry.user_message for entry in here.instance.all_logs(result.run_id))


def test_t16_a_run_of_several_days_says_beforehand_what_it_costs_and_what_is_left(centre):
    here = centre(calls_per_day=60, service_limits=("/calls=5",))
    said = told_by(here, here.load("calls", "2026-11-09", "2026-11-11"))
    assert "3 days of calls take about 3 requests; the account has 5 of 5 left." in said
    said = told_by(here, here.load("calls", "2026-11-12", "2026-11-14"))
    assert "the account has 2 of 5 left: the run will wait for the next quota." in said
    here.sandbox.script("/myaccount/request/limits status=403")
    assert "does not say what this account has left" in told_by(here, here.load("calls", "2026-11-15", "2026-11-16"))


def test_a_wrong_password_says_what_to_check(centre):
    here = centre(settings={"password": "not the password"})
    told = failure(here.materialize("calls", DAY))
    assert "Check HEROBASE_USERNAME and HEROBASE_PASSWORD" in told
    assert "not the password" not in told


def test_t15_no_unit_to_ask_for_is_not_an_empty_day(centre):
    here = centre()
    here.load("calls", DAY)
    before = here.files()
    here.sandbox.script("/organizationalunits max_rows=0")
    assert "lists no org unit" in failure(here.materialize("calls", DAY))
    assert here.files() == before


def test_nobody_there(centre):
    here = centre()
    here.sandbox.stop()
    assert "Check HEROBASE_URL and this machine's network" in failure(here.materialize("calls", DAY))


def test_t2_a_day_that_would_lose_many_calls_is_kept_until_an_operator_accepts_it(centre):
    here = centre()
    here.load("calls", DAY)
    before = here.files()
    here.sandbox.script("/calls max_rows=7")
    told = failure(here.materialize("calls", DAY))
    assert re.search(rf"has [1-7] calls of {DAY} where it had {len(here.truth(DAY))}, so the", told)
    assert here.files() == before
    assert here.materialize("calls", DAY, tags={"herobase/accept_shrunk": "true"}).success
    assert 0 < here.rows("SELECT count(*) FROM calls")[0][0] <= 7


def test_what_duckdb_says_of_a_record_is_not_repeated(centre, capfd):
    here = centre()
    rows = [{"uniqueId": "1S1", "startTime": f"{DAY}T10:00:00", "": "Hans Hemmelig +4528282828"}]
    here.sandbox.script("/calls html")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HeroBase, "calls", lambda *_: segments([json.dumps(rows).encode()], "calls"))
        told = failure(here.materialize("calls", DAY))
    assert "cannot be kept (1 a member without a name), so nothing was changed" in told
    assert "Hemmelig" not in told + "".join(capfd.readouterr())


def test_one_failed_half_fails_the_day(centre):
    here = centre()
    here.load("calls", DAY)
    before = here.files()
    here.sandbox.script("/calls max_window=3h", "/calls?StartTime=*T1* status=500")
    assert "HeroBase failed (500)" in failure(here.materialize("calls", DAY))
    assert here.files() == before


def test_t14_more_calls_in_a_minute_than_the_cap_fail_the_day(centre):
    here = centre(calls_per_day=100_000)
    here.sandbox.script("/calls max_rows=100")
    assert "it seems to cap its answers" in failure(here.materialize("calls", DAY))


def test_days_finished_before_another_failed_are_recorded_as_done(centre):
    here = centre()
    here.sandbox.script("/calls?StartTime=2026-11-18T21* status=403")
    result = here.materialize("calls", "2026-11-17", "2026-11-20")
    assert failure(result).startswith("2026-11-19 was not loaded.")
    for table in ("calls", "private/call_phones"):
        assert here.rows_shown(table).keys() == {"2026-11-17", "2026-11-18"}
    assert here.lake.days(CALLS) == [dt.date(2026, 11, 17), dt.date(2026, 11, 18)]


def test_t16_a_backfill_over_a_spent_minute_waits_and_completes(centre):
    here = centre(calls_per_day=50, service_limits=("/calls=2980",))
    here.load("calls", "2026-06-01", "2026-06-30")
    assert len(here.lake.days(CALLS)) == 30
    assert all(served.status == 200 and served.cost == 1 for served in here.sandbox.requests)
