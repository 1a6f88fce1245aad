"""History does not move: neither by the order in which days are pulled, nor by what the organisation becomes later."""

import datetime as dt
import random
import shutil
from collections import defaultdict
from typing import Any

import pytest

from herobase_pipeline.tables import SIMPLE_LEADS
from herobase_pipeline_tests.conftest import WHOLE, Centre

UTC = dt.UTC
LATE = dt.datetime(2026, 6, 10, 9, tzinfo=UTC)
LATER = dt.datetime(2026, 7, 3, 9, tzinfo=UTC)
MADE_OF_LEADS = "leads,lead_conversion,lead_cohorts,cumulative_incidence"
DERIVED = f"{MADE_OF_LEADS},drop_rates,org_history"


def derived_rows(here: Centre) -> dict[str, list[Any]]:
    tables = (*DERIVED.split(","), "call_outcomes", "outcome_rates", "conversion_rates", "cohort_rates", "pool_rates")
    return {table: here.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}


@pytest.mark.slow
def test_days_pulled_in_any_order_and_again_weeks_later_give_the_same_tables(centre):
    first = dt.date(2026, 5, 13)  # a unit moves on the 15th, another on the 18th
    days = [str(first + dt.timedelta(days=n)) for n in range(6)]
    results = []
    for seed in (None, 1, 2):
        here = centre(calls_per_day=150, data=f"order {seed}", now=LATE)
        order = random.Random(seed)
        for now in (LATE, LATER):
            for select in ("calls", "simple_leads"):
                here.clock[0] = now
                if seed is None:
                    here.load(select, days[0], days[-1])  # one after the other
                for day in order.sample(days, len(days)) if seed else ():
                    here.load(select, day)
                if seed == 2 and here.lake.files(SIMPLE_LEADS):
                    here.load("leads,lead_conversion,lead_cohorts,org_history")  # then only what changes from here on
        if seed is None:
            here.load("call_outcomes", days[0], days[-1])
        for day in order.sample(days, len(days)) if seed else ():
            here.load("call_outcomes", day)
        here.load(DERIVED)
        results.append(derived_rows(here))
    assert all(results[0].values())
    for other in results[1:]:
        assert other == results[0]


@pytest.mark.slow
def test_t24_last_months_files_are_the_same_to_the_byte_after_people_and_units_moved(centre):
    here = centre(calls_per_day=200, now=LATE)
    first, last = "2026-05-12", "2026-05-20"
    here.load("calls,simple_leads,call_outcomes", first, last)
    here.load(WHOLE)
    before = here.files()
    units = {unit.id: unit for unit in here.world.org_units(here.now)}
    teams = {user.id: user.unit for user in here.world.users(here.now)}
    here.clock[0] += dt.timedelta(days=400)
    assert any(units[unit.id] != unit for unit in here.world.org_units(here.now) if unit.id in units)
    assert any(teams[user.id] != user.unit for user in here.world.users(here.now) if user.id in teams)

    here.load("calls,simple_leads,call_outcomes", first, last)
    here.load(WHOLE)
    after = here.files()
    derived = [path for path in before if path.split("/")[1] in (*DERIVED.split(","), "call_outcomes")]
    assert len(derived) > 14
    (month,) = (path for path in derived if before[path] != after[path])
    assert month == "lake/leads/month=2026-05/part.parquet"
    erased = "starts_with(lead_id, 'erased-')"  # whom HeroBase anonymized in the meantime
    assert here.rows(f"SELECT count(*) FROM leads WHERE {erased}") > here.rows("SELECT 0")
    copy = here.lake.root / "leads of before.parquet"
    copy.write_bytes(before[month])
    both = (here.lake.root / month, copy)
    theirs = f"SELECT lead_id FROM leads WHERE NOT {erased}"
    now, then = (
        here.rows(f"FROM read_parquet('{file}', hive_partitioning = false) WHERE lead_id IN ({theirs}) ORDER BY 1")
        for file in both
    )
    assert now == then
    assert here.rows("SELECT * FROM restatements") == []


@pytest.mark.slow
def test_t29_a_closure_on_calls_that_is_todays_credits_the_same_calls(centre, tmp_path):
    told, leads, stretch = {}, tmp_path / "leads", ("2026-04-27", "2026-05-20")
    for mode in ("historic", "current"):
        here = centre(calls_per_day=400, data=mode, closure_on_calls=mode, now=LATE)
        if not leads.exists():  # which have no closure of a call, so that both have the same
            here.load("simple_leads", *stretch)
            shutil.copytree(here.lake.root, leads)
        shutil.copytree(leads, here.lake.root, dirs_exist_ok=True)
        here.load("calls", *stretch)
        here.load("leads")
        told[mode] = here.rows("SELECT * FROM leads ORDER BY lead_id")
        closures = here.rows("SELECT call_id, lead_closure FROM calls ORDER BY 1")
        told[mode, "calls"] = closures
    assert told["historic", "calls"] != told["current", "calls"]
    assert told["historic"] == told["current"]


@pytest.mark.slow
def test_t12_restatements_tell_what_changed_on_published_days_and_nothing_else(centre):
    """Leads are re-opened and classified anew while the days go on; each published number that moves is noted once."""
    here = centre(calls_per_day=400)
    first = dt.date(2026, 10, 5)
    seen: list[dict[tuple, tuple]] = []
    noted: dict[tuple, list[tuple]] = defaultdict(list)
    for n in range(26):
        day = first + dt.timedelta(days=n)
        here.clock[0] = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(0, 30), UTC)
        here.load("calls,simple_leads", str(day))
        if n % 5 == 0:
            here.load("leads,lead_conversion")
            before = seen[-1] if seen else {}
            seen.append(numbers(here))
            for key in before.keys() | seen[-1].keys():
                old, new = before.get(key, 0), seen[-1].get(key, 0)
                if first <= key[0] <= first + dt.timedelta(days=n - 5) and old != new:
                    noted[key].append((old, new))
    found = defaultdict(list)
    columns = "day, org_level, lower(org_key), campaign_id, category, measure, old_value, new_value"
    for *key, old, new in here.rows(f"SELECT {columns} FROM restatements ORDER BY restated_at"):
        found[tuple(key)].append((old, new))
    assert found == noted
    assert len(found) > 20
    assert {name for (name,) in here.rows("SELECT DISTINCT table_name FROM restatements")} == {"lead_conversion"}
    runs = {run.run_id for run in here.instance.get_runs()}
    assert {run for (run,) in here.rows("SELECT DISTINCT run_id FROM restatements")} <= runs
    causes = here.rows("SELECT DISTINCT cause FROM restatements")
    assert causes == [("simple_leads and calls pulled by hand (5 runs)",)]
    here.load("lead_conversion")
    assert here.rows("SELECT count(*) FROM restatements") == [(sum(map(len, found.values())),)]


def numbers(here: Centre) -> dict[tuple, int]:
    """Every number of ``lead_conversion`` by what it is known by."""
    measures = (
        "leads", "by_closing_call", "by_last_contact", "by_lead_user", "by_system", "outbound", "attempts",
    )  # fmt: skip
    key = "closed_date, org_level, lower(org_key), campaign_id, closure"
    rows = here.rows(f"SELECT {key}, {', '.join(measures)} FROM lead_conversion")
    return {
        (*row[:5], measure): value for row in rows for measure, value in zip(measures, row[5:], strict=True) if value
    }


def test_a_day_pulled_before_it_was_over_is_not_mature_and_an_empty_day_is(centre):
    here = centre(calls_per_day=200, now=dt.datetime(2026, 4, 2, 13, tzinfo=UTC))
    here.load("calls,simple_leads,call_outcomes", "2026-04-02")
    assert here.rows("SELECT DISTINCT is_mature FROM call_outcomes") == [(False,)]
    here.clock[0] = dt.datetime(2026, 4, 16, tzinfo=UTC)
    here.load("calls,simple_leads,call_outcomes", "2026-04-01", "2026-04-14")  # Good Friday is the 3rd
    here.load("leads,lead_cohorts")
    settled = "SELECT DISTINCT is_mature FROM call_outcomes WHERE date BETWEEN '2026-04-01' AND '2026-04-07'"
    assert here.rows(settled) == [(True,)]  # later ones have calls that wait for an outcome
    ages = here.rows("SELECT max(age_days) FROM lead_cohorts WHERE cohort_date = '2026-04-01' AND is_mature")
    assert ages == [(13,)]
    assert here.rows("SELECT count(*) FROM calls WHERE date = '2026-04-03'") == [(0,)]
