"""Every row of every derived table and view against the second computation, over stretches in which much happens."""

import datetime as dt
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from herobase_pipeline.enums import OPEN_LEAD_STATUSES, CallEndCause, CallStatus, LeadStatus
from herobase_pipeline_tests import second
from herobase_pipeline_tests.conftest import Centre, alias

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
RATED = ("metric", "category")
KEYS = {
    "leads": ("lead_id",),
    "call_outcomes": ("date", "node", "campaign_id", "end_cause"),
    "call_hours": ("date", "node", "campaign_id", "hour", "end_cause"),
    "agent_days": second.AGENT_KEYS,
    "lead_conversion": ("closed_date", "node", "campaign_id", "closure"),
    "lead_cohorts": ("cohort_date", "node", "campaign_id", "age_days"),
    "drop_rates": ("regime", "campaign_id", "window_start"),
    "org_history": ("org_code", "valid_from"),
    "cumulative_incidence": ("cohort_week", "campaign_id", "age_days"),
    "outcome_rates": ("date", "node", "campaign_id", *RATED),
    "hour_rates": ("date", "node", "campaign_id", "hour", *RATED),
    "agent_rates": (*second.AGENT_KEYS, *RATED),
    "conversion_rates": ("date", "node", "campaign_id", *RATED),
    "cohort_rates": ("cohort_date", "node", "campaign_id", "age_days", *RATED),
}
FOLLOWED = "leads,lead_conversion,lead_cohorts,agent_days,org_history"
DERIVED = f"{FOLLOWED},drop_rates,cumulative_incidence"


def stretch(
    here: Centre,
    first: dt.date,
    days: int,
    early_calls: dict[dt.date, dt.datetime],
    early_leads: dict[dt.date, dt.datetime],
) -> second.Seen:
    """Pull each day after it has ended (some tables earlier), one again in its week, three when all is known."""
    every = [first + n * DAY for n in range(days)]
    again = (every[2], every[days // 2], every[-3])
    nightly = [(day, dt.datetime.combine(day + DAY, dt.time(0, 30), dt.UTC)) for day in every]
    late = [(every[-6], nightly[-1][1] + DAY)]  # within the week in which a call can still get its outcome
    late += [(day, nightly[-1][1] + 21 * DAY + n * HOUR) for n, day in enumerate(again)]
    of_calls = [(day, early_calls.get(day, instant)) for day, instant in nightly] + late
    of_leads = [(day, early_leads.get(day, instant)) for day, instant in nightly] + late
    for table, pulls in (("calls", of_calls), ("simple_leads", of_leads)):
        for n, (day, instant) in enumerate(pulls):
            here.clock[0] = instant
            here.load(table, str(day))
            assert here.clock[0] == instant  # no pull had to wait, so all that it asked was answered as of one time
            if table == "simple_leads" and n % 7 == 0:
                here.load(FOLLOWED)  # so that what comes then is made from what has changed
    here.load("call_outcomes,call_hours", str(every[0]), str(every[-1]))
    here.load(DERIVED)
    pulled = dict(here.rows("SELECT DISTINCT call_date, observed_at FROM calls"))
    assert pulled == {day: instant for day, instant in of_calls if day in pulled}
    return second.observed(here.world, here.settings.zone, of_calls, of_leads)


def in_wrap_up(here: Centre, day: dt.date) -> dt.datetime:
    """A time at which an agent is about to close a lead whose call has ended, so that only the lead will tell of it."""
    after = dt.datetime.combine(day, dt.time(10), dt.UTC)
    calls = here.world.calls(after, after + 8 * HOUR, after + 30 * DAY)
    return next(
        call.end
        for call in calls
        if call.end
        and call.status is CallStatus.UserProcessed
        and call.lead_id
        and not call.incoming
        and call.wrap_up_s
    )


def rows_of(here: Centre, table: str) -> list[dict[str, Any]]:
    """A table's rows by column, a node's as the second computation has them."""
    columns = [name for name, *_ in here.rows(f"DESCRIBE {table}")]
    rows = []
    for values in here.rows(f"SELECT * FROM {table}"):
        row = {name: tuple(v) if isinstance(v, list) else v for name, v in zip(columns, values, strict=True)}
        if "org_level" in row or ("agent" in row and "org_key" in row):
            path = row["org_path"]
            row["node"] = tuple(code.lower() for code in path)
            row["who"] = row.get("agent") and row["agent"].lower()
            assert row.get("org_level", len(path)) == len(path)
            assert row["org_key"] == " › ".join(path)
            assert row["org_code"] == (path[-1] if path else None)
        rows.append(row)
    return rows


def differences(found: list[dict[str, Any]], expected: list[dict[str, Any]], keys: tuple[str, ...]) -> list[str]:
    """Where two tables differ, in words: a few of each kind."""
    one, other = ({tuple(row[key] for key in keys): row for row in rows} for rows in (expected, found))
    told = [
        f"{len(rows)} rows, {len(by)} keys" for by, rows in ((one, expected), (other, found)) if len(by) != len(rows)
    ]
    missing, surplus = one.keys() - other.keys(), other.keys() - one.keys()
    told += [f"missing {len(missing)}: {one[key]}" for key in list(missing)[:3]]
    told += [f"surplus {len(surplus)}: {other[key]}" for key in list(surplus)[:3]]
    wrong: Counter[str] = Counter()
    for key in one.keys() & other.keys():
        for name, value in one[key].items():
            if not same(name, value, other[key]):
                wrong[name] += 1
                if wrong[name] <= 3:
                    told.append(f"{name} of {key}: {other[key].get(name, 'no such column')!r}, expected {value!r}")
    return [*told, *([f"wrong: {dict(wrong)}"] if wrong else [])]


def same(name: str, value: Any, row: dict[str, Any]) -> bool:
    """Whether a row has this value; a sum of seconds of which none is known may be 0 or NULL."""
    if name == "spelled":
        return (row["org_path"], row["org_name"]) in value
    found = row.get(name, "no such column")
    if name.endswith("_s"):
        found = found or 0.0
    if isinstance(value, float) and isinstance(found, (float, int)):
        return bool(found == pytest.approx(value, rel=1e-9, abs=1e-12))
    return bool(found == value)


def has_much_of_it(seen: second.Seen, *, early: bool) -> None:
    """What the stretch is chosen for does happen in it."""
    calls = seen.all_calls
    leads = second.leads(seen)
    assert sum(call.status is CallStatus.Transferred for call in calls) > 5
    assert sum(call.status is CallStatus.AlternativeNumberDialed for call in calls) > 50
    assert sum(call.end_cause is CallEndCause.DroppedCall for call in calls) > 20
    assert sum(call.incoming for call in calls) > 20
    assert sum(not seen.settled(call) for call in calls) > 20
    assert sum(call.lead_id is None for call in calls) > 5
    assert sum(lead["attempts"] < lead["dials"] for lead in leads) > 50
    assert sum(lead["erased"] for lead in leads) > 3
    attributions = Counter(lead["attribution"] for lead in leads)
    assert attributions.pop(None, 0) > 0  # dialled, and last modified on a day that is not loaded
    assert attributions.keys() == {"open", "closing_call", "lead_user", "system"} | (
        {"last_contact"} if early else set()
    )
    histories = [[version for _, version in sorted(versions.items())] for versions in seen.versions.values()]
    steps = [(a, b) for versions in histories for a, b in pairwise(versions)]
    processed = [(a, b) for a, b in steps if a.status is b.status is LeadStatus.UserProcessed]
    assert any(a.closure is not b.closure for a, b in processed)
    assert any(a.closure is b.closure and a.last_modified_by != b.last_modified_by for a, b in processed)
    assert any(b.status in OPEN_LEAD_STATUSES and a.status not in OPEN_LEAD_STATUSES for a, b in steps)
    withdrawn = [b for a, b in steps if a.status is LeadStatus.UserProcessed and b.status in second.WITHDRAWN]
    assert withdrawn or early  # two weeks are too short for that


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "days", "early_days", "changed"),
    [
        # a unit renamed on 1 March, another there for a time only, a month and a 30-day window with end, summer time
        ("2026-02-23", 37, (), {"mødebooking øst"}),
        # a unit moved in the middle of 15 May, another on 18 May, a holiday, a day of leads and a day of calls that are
        # pulled before their end
        ("2026-05-11", 14, (dt.date(2026, 5, 12), dt.date(2026, 5, 20)), {"t14-aalborg", "team grøn"}),
    ],
)
def test_every_row_is_as_computed_again(centre, first, days, early_days, changed):
    here = centre(calls_per_day=250)
    early = {day: in_wrap_up(here, day) for day in early_days}
    early_leads, early_calls = ({day: early[day]} for day in early_days) if early_days else ({}, {})
    seen = stretch(here, dt.date.fromisoformat(first), days, early_calls, early_leads)
    has_much_of_it(seen, early=bool(early))
    expected = {table: getattr(second, table)(seen) for table in KEYS}
    for lead in expected["leads"]:
        lead["lead_id"] = alias(lead["lead_id"]) if lead["erased"] else lead["lead_id"]
    versions = Counter(row["org_code"].lower() for row in expected["org_history"])
    assert {code for code, count in versions.items() if count > 1} == changed
    assert "pilot" in versions
    told = [
        f"{table}: {what}"
        for table, rows in expected.items()
        for what in differences(rows_of(here, table), rows, KEYS[table])
    ]
    if told:
        pytest.fail("\n".join(told), pytrace=False)


def test_the_second_computation_gives_the_vectors_of_the_field():
    shares = {(0, 10): (0, 0.277533), (1, 3): (0.061492, 0.792340), (7, 20): (0.181192, 0.567146),
              (10, 10): (0.722467, 1), (3, 100): (0.010255, 0.084519), (30, 1000): (0.021094, 0.042503)}  # fmt: skip
    assert {share: pytest.approx(second.wilson(*share), abs=1e-6) for share in shares} == shares
    rates = second.drop_rate(Counter(DroppedCall=30, NormalDisconnect=700, VoiceMail=100))
    assert rates["drop_rate_live_conservative"] == pytest.approx(30 / 730)
    assert rates["drop_rate_reasoned"] == pytest.approx(26.25 / 726.25)
    success, other, still_open = "success", "other", None
    curve = second.aalen_johansen(
        [(0, success), (0, other), (1, other), (1, success), (2, still_open), (2, other), (3, success), (3, other),
         (5, still_open), (7, success)]
    )  # fmt: skip
    assert (curve[3]["success_incidence"], curve[3]["still_open"]) == pytest.approx((0.325, 0.25))
    assert (curve[7]["success_incidence"], curve[7]["other_incidence"]) == pytest.approx((0.575, 0.425))
