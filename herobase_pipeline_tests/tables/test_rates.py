"""The rates: vectors of the field, maturity, and that each metric of the registry is what it says; from hand-made rows."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import count

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from herobase_pipeline.enums import CallEndCause, LeadClosure
from herobase_pipeline.tables import (
    CALL_OUTCOMES,
    COHORT_RATES,
    CUMULATIVE_INCIDENCE,
    DROP_RATES,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEADS,
    METRIC_REGISTRY,
    VIEWS,
)
from herobase_pipeline.tables.drops import REGIMES
from herobase_pipeline.tables.metrics import DROPS, METRICS
from herobase_pipeline_tests import second
from herobase_pipeline_tests.tables.making import (
    DAY,
    NORTH,
    SOUTH,
    Row,
    after,
    ask,
    at,
    call,
    closing,
    contact,
    day,
    dropped,
    fill,
    load,
    make,
    outcomes_of,
    rates,
    read,
    span,
    temporary_lake,
    version,
)

NODE = {"org_level": 0, "org_path": [], "org_key": "", "org_code": None, "org_name": "(all)", "campaign_id": "C1"}


@cache
def con() -> duckdb.DuckDBPyConnection:
    """A connection with the macros that the tables' SQL shares."""
    con = duckdb.connect()
    for name in ("interval.sql", "counting.sql"):
        con.execute(files("herobase_pipeline.tables").joinpath(name).read_text(encoding="utf-8"))
    return con


def close(value: object) -> object:
    """A value to compare a computed one with."""
    return pytest.approx(value, rel=1e-9, abs=1e-12)


# -- intervals -------------------------------------------------------------------------------------------------------


def wilson(k: float, n: float) -> tuple[float, float]:
    ((low, high),) = con().execute("SELECT wilson($k, $n, -1), wilson($k, $n, 1)", {"k": k, "n": n}).fetchall()
    return low, high


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0, 0.277533), (1, 3, 0.061492, 0.792340), (7, 20, 0.181192, 0.567146), (10, 10, 0.722467, 1),
     (3, 100, 0.010255, 0.084519), (30, 1000, 0.021094, 0.042503)],
)  # fmt: skip
def test_t36_intervals_of_the_field(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-7)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_t36_an_interval_is_within_0_and_1_and_holds_its_share(share):
    k, n = share
    low, high = wilson(float(k), float(n))
    assert 0 <= low <= k / n <= high <= 1
    assert low < high
    assert (low == 0) == (k == 0)
    assert (high == 1) == (k == n)
    assert (low, high) == pytest.approx(second.wilson(k, n), abs=1e-11)


@pytest.mark.parametrize("n", [10**5, 10**10], ids=["32 bits", "64 bits"])
def test_large_counts_have_an_interval(n):
    assert wilson(n // 2, n) == close(second.wilson(n // 2, n))


@pytest.mark.parametrize(("k", "n"), [(0, 0), (1, 0), (None, 0), (3, 2), (-1, 2), (None, None), (1, None)])
def test_what_is_no_share_has_no_interval(k, n):
    assert wilson(k, n) == (None, None)


# -- drop rates ------------------------------------------------------------------------------------------------------


def drops(rows: Sequence[Row], complete: Sequence[dt.date] = ()) -> dict[tuple[str, str | None, dt.date], Row]:
    """The rows of ``drop_rates`` that rows of ``call_outcomes`` make, by regime, campaign and window."""
    with temporary_lake() as lake:
        days = {row["date"] for row in rows} | {DAY}
        for on in days:
            fill(
                lake, CALL_OUTCOMES, [row for row in rows if row["date"] == on], on, complete if on == min(days) else ()
            )
        make(lake, DROP_RATES)
        return {(row["regime"], row["campaign_id"], row["window_start"]): row for row in read(lake, DROP_RATES)}


def outcome(cause: str, number: int, on: dt.date = DAY, /, **columns: object) -> Row:
    """A row of ``call_outcomes`` of all units: settled dials."""
    dials = {"calls": number, "dials": number, "settled_dials": number}
    return {**NODE, **dials, "date": on, "end_cause": cause, "is_mature": True, **columns}


def test_t20_t30a_drops_of_nobody_are_in_the_rates_of_the_field():
    minutes = count()

    def several(number: int, made: object = call, **columns: object) -> list[Row]:
        return [made(after(at("08:00"), seconds=next(minutes)), None, **columns) for _ in range(number)]

    noise = [
        *several(40), *several(5, end_cause="DialingCancelled"), *several(3, end_cause="Busy"), *several(2, end_cause="Odd"),
        *several(4, contact, incoming=True), *several(3, contact, call_status="Transferred"),
        *several(2, dropped, settled=False), *several(2, contact, settled=False), *several(1, end_cause="NotApplicable"),
        *several(2, contact, call_status="Abandoned", campaign_id="C2"),
    ]  # fmt: skip
    calls = [*several(30, dropped), *several(700, contact), *several(100, end_cause="VoiceMail"), *noise]
    with temporary_lake() as lake:
        load(lake, calls, complete=[DAY])
        make(lake, CALL_OUTCOMES, DROP_RATES)
        found = read(lake, DROP_RATES)
        in_teams = [row["end_cause"] for row in read(lake, CALL_OUTCOMES) if row["org_level"] > 0]
    assert "DroppedCall" not in in_teams
    assert "NormalDisconnect" in in_teams
    assert {row["regime"] for row in found} == {regime.name for regime in REGIMES}
    for row in found:
        if row["campaign_id"] == "C1":
            assert (row["dropped"], row["contacts"], row["voicemails"]) == (30, 700, 100)
            assert row["drop_rate_live_conservative"] == pytest.approx(0.0410959, abs=5e-8)
            assert row["drop_rate_reasoned"] == pytest.approx(0.0361446, abs=5e-8)
            assert (row["conservative_ci_low"], row["conservative_ci_high"]) == close(second.wilson(30, 730))
            assert (row["reasoned_ci_low"], row["reasoned_ci_high"]) == close(second.wilson(30, 830))
        else:  # trap T19: left unsaved by their agents
            assert (row["dropped"], row["contacts"], row["drop_rate_live_conservative"]) == (0, 2, 0)


def test_a_drop_rate_over_nothing_is_null():
    found = drops([
        outcome("DroppedCall", 3, campaign_id="only drops"), outcome("NoResponse", 9, campaign_id="only drops"),
        outcome("NoResponse", 9, campaign_id="no answer"),
        outcome("VoiceMail", 2, campaign_id="only voice mail"),
        outcome("DroppedCall", 1, campaign_id="no contact"), outcome("VoiceMail", 3, campaign_id="no contact"),
        outcome("NormalDisconnect", 4, campaign_id=None),
        outcome("NormalDisconnect", 4, campaign_id="no dial", dials=0, settled_dials=0),
    ])  # fmt: skip
    columns = ("dropped", "drop_rate_live_conservative", "drop_rate_reasoned")
    by_campaign = {campaign: row for (regime, campaign, _), row in found.items() if regime == "none"}
    assert {campaign: tuple(row[name] for name in columns) for campaign, row in by_campaign.items()} == {
        "only drops": (3, 1, None),
        "no answer": (0, None, None),
        "only voice mail": (0, None, 0),
        "no contact": (1, 1, 0.25),
        None: (0, 0, 0),
    }
    assert by_campaign["only drops"]["reasoned_ci_low"] is None
    assert by_campaign["only drops"]["conservative_ci_high"] == 1
    assert by_campaign["no answer"]["conservative_ci_low"] is None
    assert by_campaign["only voice mail"]["reasoned_ci_low"] == 0


def test_the_ftc_counts_thirty_days_from_the_first_dial_of_each_campaign():
    rows = [
        outcome("NormalDisconnect", 5, day(-9), dials=0, settled_dials=0),  # incoming: begins nothing
        outcome("NormalDisconnect", 9, day(0)), outcome("DroppedCall", 1, day(29)),
        outcome("DroppedCall", 2, day(30)), outcome("NormalDisconnect", 8, day(40)),
        outcome("DroppedCall", 4, day(95)),  # nothing in the window before
        outcome("DroppedCall", 1, day(29), campaign_id="C2"), outcome("NoResponse", 1, day(58), campaign_id="C2"),
    ]  # fmt: skip
    found = drops(rows, complete=span(-9, 63))
    windows = {
        (campaign, start): (row["window_end"], row["dropped"], row["contacts"], row["limit_rate"], row["is_mature"])
        for (regime, campaign, start), row in found.items()
        if regime == "us_ftc_30d_campaign"
    }
    assert windows == {
        ("C1", day(0)): (day(30), 1, 9, 0.03, True),
        ("C1", day(30)): (day(60), 2, 8, 0.03, True),
        ("C1", day(90)): (day(120), 4, 0, 0.03, False),
        ("C2", day(29)): (day(59), 1, 0, 0.03, True),
    }


@pytest.mark.parametrize(
    ("complete", "mature"),
    [
        pytest.param(span(0, 29), True, id="all its days"),
        pytest.param(span(-5, 60), True, id="more than its days"),
        pytest.param(span(0, 28), False, id="the running one"),
        pytest.param(span(1, 40), False, id="not its first day"),
        pytest.param([*span(0, 14), *span(16, 40)], False, id="a day is missing"),
    ],
)
def test_a_window_is_mature_when_each_of_its_days_is_complete(complete, mature):
    found = drops([outcome("NormalDisconnect", 1), outcome("NoResponse", 1, day(10))], complete)
    assert found["us_ftc_30d_campaign", "C1", DAY]["is_mature"] is mature


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(outcome("NotApplicable", 1, day(10), settled_dials=0, is_mature=False), id="a dial"),
        pytest.param(outcome("NormalDisconnect", 1, day(10), dials=0, settled_dials=0, is_mature=False), id="no dial that day"),
    ],
)  # fmt: skip
def test_a_window_with_an_unsettled_call_is_not_mature(row):
    found = drops([outcome("NormalDisconnect", 1), row], span(0, 40))
    assert found["us_ftc_30d_campaign", "C1", DAY]["is_mature"] is False
    assert found["uk_legacy_24h_campaign", "C1", DAY]["is_mature"] is True
    others = drops([outcome("NormalDisconnect", 1), row | {"campaign_id": "C2"}], span(0, 40))
    assert others["us_ftc_30d_campaign", "C1", DAY]["is_mature"] is True


def test_windows_of_a_local_day_and_of_a_calendar_month():
    first_of_march = dt.date(2026, 3, 1)
    rows = [
        outcome("NormalDisconnect", 3, day(0)),
        outcome("DroppedCall", 1, day(29)),
        outcome("DroppedCall", 1, day(30)),
    ]
    found = drops(rows, [first_of_march, *span(0, 29)])
    days = {start: row["window_end"] for (regime, _, start), row in found.items() if regime == "uk_legacy_24h_campaign"}
    assert days == {day(n): day(n + 1) for n in (0, 29, 30)}
    months = {start: row for (regime, _, start), row in found.items() if regime == "none"}
    assert {start: (row["window_end"], row["contacts"], row["dropped"]) for start, row in months.items()} == {
        first_of_march: (dt.date(2026, 4, 1), 3, 1),
        dt.date(2026, 4, 1): (dt.date(2026, 5, 1), 0, 1),
    }
    assert [row["is_mature"] for _, row in sorted(months.items())] == [True, False]
    assert {row["limit_rate"] for row in months.values()} == {None}
    without_the_first = drops(rows, span(0, 29))
    assert without_the_first["none", "C1", first_of_march]["is_mature"] is False


def test_the_regimes_say_which_are_in_force():
    assert {regime.name: (regime.window_days, regime.limit_rate, regime.state) for regime in REGIMES} == {
        "us_ftc_30d_campaign": (30, 0.03, "in force"),
        "uk_legacy_24h_campaign": (1, 0.03, "former"),
        "none": (None, None, "no number"),
    }
    told = next(column.description for column in DROP_RATES if column.name == "regime")
    assert all(f"{regime.name} ({regime.state})" in told for regime in REGIMES)


def test_the_drop_rates_are_what_the_registry_says():
    rows = [outcome("DroppedCall", 3, campaign_id=f"{n}") for n in range(4)]
    rows += [outcome("NormalDisconnect", 7 * n, campaign_id=f"{n}") for n in (1, 2)]
    rows += [outcome("VoiceMail", 5 * n, campaign_id=f"{n}") for n in (2, 3)]
    rows += [outcome("NoResponse", 5, campaign_id="nothing")]
    metrics = [metric for metric in METRICS if metric.basis is DROPS]
    assert {metric.name for metric in metrics} <= set(DROP_RATES.names)
    with temporary_lake() as lake:
        fill(lake, CALL_OUTCOMES, rows, DAY)
        make(lake, DROP_RATES)
        columns = ", ".join(
            f"coalesce({m.numerator}, 0) AS {m.name}_above, coalesce({m.denominator}, 0) AS {m.name}_below, "
            f"any_value({m.name}) AS {m.name}"
            for m in metrics
        )
        found = ask(
            lake, f"SELECT {columns} FROM {DROPS.source} GROUP BY {', '.join(DROPS.keys.values())}, {DROPS.day}"
        )
        versions = {row["metric_version"] for row in read(lake, DROP_RATES)}
    assert versions == {max(metric.version for metric in metrics)}
    assert len(found) == 5 * len(REGIMES)
    for row in found:
        for metric in metrics:
            above, below = int(row[f"{metric.name}_above"]), int(row[f"{metric.name}_below"])
            assert row[metric.name] == (close(above / below) if below else None)
    assert sum(row[metric.name] is None for row in found for metric in metrics) == 3 * len(REGIMES)


# -- rates -----------------------------------------------------------------------------------------------------------


def closed(number: int, closure: str | None, path: Sequence[str], **columns: object) -> list[Row]:
    """Leads that were closed by an outbound call of a unit on ``DAY``."""
    return [
        {
            "lead_id": f"{path}{closure}{n}", "closed_at": at("12:00"), "closed_date": DAY, "closure": closure,
            "campaign_id": "C1", "attribution": "closing_call", "credited_incoming": False, "attempts_to_close": 2,
            "org_path": list(path), "org_names": [f"Team {code}" for code in path], **columns,
        }
        for n in range(number)
    ]  # fmt: skip


def test_t30_a_rate_above_is_the_sum_of_counts_divided_last():
    leads = [
        *closed(1, "Success", SOUTH), *closed(1, "NotInterested", SOUTH),
        *closed(10, "Success", NORTH), *closed(90, "NotInterested", NORTH),
    ]  # fmt: skip
    with temporary_lake() as lake:
        fill(lake, LEADS, leads, complete=[DAY])
        make(lake, LEAD_CONVERSION)
        found = ask(lake, "FROM conversion_rates WHERE metric IN ('conversion_per_lead_closed', 'conversion_net')")
    told = {(row["metric"], row["org_key"]): row for row in found}
    for metric in ("conversion_per_lead_closed", "conversion_net"):
        for key, won, of in (("Root › South", 1, 2), ("Root › North", 10, 100), ("Root", 11, 102), ("", 11, 102)):
            row = told.pop((metric, key))
            assert (row["numerator"], row["denominator"]) == (won, of)
            assert (row["rate"], row["ci_low"], row["ci_high"]) == close((won / of, *second.wilson(won, of)))
            assert row["is_mature"]
    assert not told


def test_a_rate_over_nothing_is_null():
    shown = {}
    with temporary_lake() as lake:
        fill(lake, CALL_OUTCOMES, [outcome("NotApplicable", 2, settled_dials=0)], DAY, [DAY])
        fill(
            lake,
            LEAD_CONVERSION,
            [{**NODE, "closed_date": DAY, "closure": "Unqualified", "leads": 0, "by_system": 0, "is_mature": True}],
        )
        fill(
            lake,
            LEAD_COHORTS,
            [{**NODE, "cohort_date": DAY, "age_days": 0, "leads": 0, "completed": 0, "is_mature": True}],
        )
        for view in ("outcome_rates", "conversion_rates", "cohort_rates"):
            shown |= rates(lake, view)  # fmt: skip
    expected = {
        metric.name
        for metric in METRICS
        if metric.basis.found_in in ("outcome_rates", "conversion_rates", "cohort_rates")
    }
    assert {metric for metric, _ in shown} == expected
    for row in shown.values():
        assert (row["numerator"], row["denominator"]) == (0, 0)
        assert (row["rate"], row["ci_low"], row["ci_high"]) == (None, None, None)


def test_mixes_list_every_documented_category_and_sum_to_1():
    with temporary_lake() as lake:
        rows = [outcome(cause, n) for n, cause in enumerate(("Busy", "NormalDisconnect", "NotApplicable", "Odd"), 1)]
        fill(lake, CALL_OUTCOMES, rows, DAY)
        leads = [{**NODE, "closed_date": DAY, "closure": closure, "leads": n, "by_system": 0}
                 for n, closure in enumerate(("Success", "NotSet", "Maybe", None), 1)]  # fmt: skip
        fill(lake, LEAD_CONVERSION, leads)
        causes = {category: row for (metric, category), row in rates(lake, "outcome_rates").items() if category}
        closures = {category: row for (metric, category), row in rates(lake, "conversion_rates").items() if category}
    assert causes.keys() == {cause.name for cause in CallEndCause} - {"NotApplicable"}
    assert {cause: row["rate"] for cause, row in causes.items() if row["rate"]} == close(
        {"Busy": 1 / 3, "NormalDisconnect": 2 / 3}
    )
    assert closures.keys() == {*(closure.name for closure in LeadClosure), "(undocumented)"}
    assert {closure: row["numerator"] for closure, row in closures.items() if row["rate"]} == {
        "Success": 1, "NotSet": 2, "(undocumented)": 7,
    }  # fmt: skip
    for mix in (causes, closures):
        assert sum(row["rate"] for row in mix.values()) == close(1)
        assert {(row["metric"], row["denominator"]) for row in mix.values()} in (
            {("end_cause_mix", 3)},
            {("closure_mix", 10)},
        )


def dialled(number: int, on: dt.date = DAY, path: Sequence[str] = (), **columns: object) -> list[Row]:
    """Leads that were first dialled on a day, and tell nothing more."""
    noon = dt.datetime.combine(on, dt.time(11), dt.UTC)
    return [
        {
            "lead_id": f"{on}{path}{columns}{n}", "cohort_date": on, "first_dial_at": noon, "first_completed_at": noon,
            "first_dial_path": list(path), "first_dial_names": list(path), "first_dial_campaign_id": "C1", "dials": 1,
            "attempt_dates": [on], "attribution": "open", "versions": 1, **columns,
        }
        for n in range(number)
    ]  # fmt: skip


def won(days: float, **columns: object) -> Row:
    """What tells of a lead that was reached and closed by a call so many days after ``DAY``."""
    moment = after(at("12:00"), days=days)
    return {
        "closed_at": moment, "closed_date": moment.date(), "closure": "Success", "attribution": "closing_call",
        "first_contact_at": moment, "attempt_dates": [DAY, moment.date()], **columns,
    }  # fmt: skip


COHORT = [
    *dialled(3),
    *dialled(2, **won(0)), *dialled(1, **won(3)), *dialled(1, **won(45)), *dialled(1, **won(91)),
    *dialled(1, **won(2, closure="NotInterested")), *dialled(1, **won(3, closure="Unqualified")),
    *dialled(1, **won(3, closure="NotInterested", attribution="lead_user")),
    *dialled(1, closed_at=at("12:00", -5), closed_date=day(-5), closure="Success", attribution="system"),  # closed, then dialled
    *dialled(1, first_completed_at=None), *dialled(1, first_completed_at=at("12:00", 7)),
]  # fmt: skip


def test_the_age_at_which_things_happen_to_a_cohort():
    with temporary_lake() as lake:
        fill(lake, LEADS, [*COHORT, *dialled(5, versions=0), *dialled(5, day(1))], complete=span(0, 100))
        make(lake, LEAD_COHORTS)
        found = [row for row in read(lake, LEAD_COHORTS) if row["cohort_date"] == DAY]
    assert [row["age_days"] for row in found] == [*range(31), 60, 90]
    columns = ("leads", "completed", "contacted", "closed", "successes", "rpc", "attempts")
    told = {row["age_days"]: tuple(row[name] for name in columns) for row in found}
    steps = {0: (14, 12, 2, 3, 3, 2, 16), 2: (14, 12, 3, 4, 3, 3, 17), 3: (14, 12, 6, 7, 4, 4, 20),
             7: (14, 13, 6, 7, 4, 4, 20), 60: (14, 13, 7, 8, 5, 5, 21)}  # fmt: skip
    assert told == {age: steps[max(step for step in steps if step <= age)] for age in told}
    assert all(row["is_mature"] for row in found)


@pytest.mark.parametrize(
    ("complete", "through"),
    [
        pytest.param(span(0, 100), 90, id="old"),
        pytest.param(span(-3, 3), 3, id="young"),
        pytest.param([*span(0, 4), *span(6, 100)], 4, id="a day is missing"),
        pytest.param(span(1, 100), -1, id="its own day is missing"),
        pytest.param(span(0, 89), 60, id="a day too young"),
        pytest.param([], -1, id="nothing is complete"),
    ],
)
def test_t36_what_a_cohort_is_too_young_for_is_null(complete, through):
    with temporary_lake() as lake:
        fill(lake, LEADS, COHORT, complete=complete)
        make(lake, LEAD_COHORTS)
        found = ask(lake, f"FROM {COHORT_RATES.name} WHERE org_level = 0")
    assert Counter(row["metric"] for row in found) == {
        metric.name: 33 for metric in METRICS if metric.basis.found_in == "cohort_rates"
    }
    for row in found:
        known = row["age_days"] <= through
        assert row["is_mature"] is known
        assert (row["rate"] is not None) is known
        assert (
            (row["ci_low"] is not None)
            is (row["ci_high"] is not None)
            is (known and row["metric"] != "attempts_per_lead")
        )
        if known:
            assert row["rate"] == close(row["numerator"] / row["denominator"])
    worked = {row["age_days"]: row["rate"] for row in found if row["metric"] == "conversion_per_lead_worked"}
    assert worked[3] == (close(4 / 14) if through >= 3 else None)


def test_t30_a_lead_that_two_teams_called_counts_once():
    with temporary_lake() as lake:
        calls = [contact(at("10:00")), closing(at("11:00"), org_path=NORTH, agent="bo")]
        load(lake, calls, [version(at("11:05"))], complete=[DAY])
        make(lake, LEADS, LEAD_CONVERSION, LEAD_COHORTS)
        conversion = {row["org_key"]: (row["leads"], row["attempts"]) for row in read(lake, LEAD_CONVERSION)}
        cohorts = {
            row["org_key"]: (row["leads"], row["successes"]) for row in read(lake, LEAD_COHORTS) if row["age_days"] == 0
        }
    assert conversion == {"": (1, 2), "Root": (1, 2), "Root › North": (1, 2)}
    assert cohorts == {"": (1, 1), "Root": (1, 1), "Root › South": (1, 1)}


def test_t37_lead_conversion_counts_closed_leads_by_whom_they_are_credited_to():
    nobody = {"org_path": [], "org_names": [], "credited_incoming": None}
    leads = [
        *closed(3, "Success", SOUTH), *closed(2, "Success", SOUTH, attribution="last_contact", lead_id="x"),
        *closed(1, "Success", SOUTH, credited_incoming=True, attempts_to_close=3),
        *closed(4, "Success", [], attribution="lead_user", **nobody), *closed(5, "NotSet", [], attribution="system", **nobody),
        *closed(6, "NotSet", SOUTH, closed_at=None, attribution="open"),
    ]  # fmt: skip
    with temporary_lake() as lake:
        fill(lake, LEADS, leads)
        make(lake, LEAD_CONVERSION)
        found = read(lake, LEAD_CONVERSION)
    columns = (
        "leads",
        "by_closing_call",
        "by_last_contact",
        "by_lead_user",
        "by_system",
        "outbound",
        "attempts",
        "is_mature",
    )
    assert {(row["org_key"], row["closure"]): tuple(row[name] for name in columns) for row in found} == {
        ("", "Success"): (10, 4, 2, 4, 0, 5, 10, False),
        ("Root", "Success"): (6, 4, 2, 0, 0, 5, 10, False),
        ("Root › South", "Success"): (6, 4, 2, 0, 0, 5, 10, False),
        ("", "NotSet"): (5, 0, 0, 0, 5, 0, 0, False),
    }


def test_what_of_a_call_is_a_dial_is_settled_and_is_handled():
    seconds = {"dialing_s": 1.5, "conversation_s": 10.25, "wrap_up_s": 100.1}
    cases = {
        "dial": {}, "no status": {"call_status": None}, "not settled": {"settled": False}, "incoming": {"incoming": True},
        "transfer": {"call_status": "Transferred"}, "transfer not settled": {"call_status": "Transferred", "settled": False},
        "no lead": {"lead_id": None}, "silent": dict.fromkeys(seconds),
    }  # fmt: skip
    calls = [
        contact(at("10:00"), campaign_id=case, call_id=case, **{**seconds, **columns})
        for case, columns in cases.items()
    ]
    found = {row["campaign_id"]: row for row in outcomes_of(calls, [DAY]) if row["org_level"] == 0}
    columns = ("calls", "dials", "settled_dials", "is_mature")
    assert {case: tuple(row[name] for name in columns) for case, row in found.items()} == {
        "dial": (1, 1, 1, True),
        "no status": (1, 1, 1, True),
        "not settled": (1, 1, 0, False),
        "incoming": (1, 0, 0, True),
        "transfer": (1, 0, 0, True),
        "transfer not settled": (1, 0, 0, False),
        "no lead": (1, 1, 1, True),
        "silent": (1, 1, 1, True),
    }
    told = {case: [row[name] or 0 for name in seconds] for case, row in found.items()}
    assert told == {case: [0, 0, 0] if case == "silent" else close([1.5, 10.25, 100.1]) for case in cases}
    handled = {
        case: [row[f"handled_{name}_s"] or 0 for name in ("dialing", "talk", "wrap_up")] for case, row in found.items()
    }
    assert {case for case, lengths in handled.items() if any(lengths)} == {"dial", "no status", "transfer", "no lead"}
    assert handled["transfer"] == close([1.5, 10.25, 100.1])
    assert not any(row["is_mature"] for row in outcomes_of(calls))


@pytest.mark.parametrize(
    ("settled", "outcomes", "closings"),
    [(True, True, True), (False, True, True), (True, False, True), (True, True, False)],
)
def test_t30b_a_rate_of_closings_per_call_is_mature_when_both_are(settled, outcomes, closings):
    south = {"org_level": 1, "org_code": "South", "org_name": "Blue"}
    told = outcome("NormalDisconnect", 4, **south, org_path=["South"], org_key="South") | {"is_mature": settled}
    sold = {
        **NODE,
        **south,
        "org_path": ["SOUTH"],
        "org_key": "SOUTH",
        "closed_date": DAY,
        "closure": "Success",
        "outbound": 1,
    }
    with temporary_lake() as lake:
        fill(lake, CALL_OUTCOMES, [told, outcome("Busy", 1, is_mature=False)], DAY, [DAY] if outcomes else [])
        fill(lake, LEAD_CONVERSION, [sold | {"is_mature": closings}], complete=[DAY] if closings else [])
        row = rates(lake, "conversion_rates", "org_level = 1")["conversion_per_contact", None]
        contacts = rates(lake, "outcome_rates", "org_level = 1")["contact_rate_per_dial", None]
    assert (row["numerator"], row["denominator"], row["rate"]) == (1, 4, 0.25)
    assert row["is_mature"] is (settled and outcomes and closings)
    assert contacts["is_mature"] is settled
    assert row["org_key"] in ("South", "SOUTH")
    assert row["org_path"] == [row["org_key"]] == [row["org_code"]]


@pytest.mark.parametrize("known", [True, False])
def test_a_day_without_a_closing_is_a_quiet_one_only_where_closings_are_known(known):
    with temporary_lake() as lake:
        fill(lake, CALL_OUTCOMES, [outcome("NormalDisconnect", 4)], DAY, [DAY])
        fill(lake, LEAD_CONVERSION, [], complete=[DAY] if known else [])
        row = rates(lake, "conversion_rates")["conversion_per_contact", None]
    assert (row["numerator"], row["denominator"], row["rate"], row["is_mature"]) == (0, 4, 0, known)


@pytest.mark.parametrize("known", [True, False])
def test_a_day_without_a_call_is_a_quiet_one_only_where_calls_are_known(known):
    sold = {
        **NODE,
        "closed_date": DAY,
        "closure": "Success",
        "leads": 1,
        "by_system": 0,
        "outbound": 1,
        "is_mature": True,
    }
    with temporary_lake() as lake:
        fill(lake, CALL_OUTCOMES, [], DAY, [DAY] if known else [])
        fill(lake, LEAD_CONVERSION, [sold], complete=[DAY])
        found = rates(lake, "conversion_rates")
    row = found["conversion_per_contact", None]
    assert (row["numerator"], row["denominator"], row["rate"], row["is_mature"]) == (1, 0, None, known)
    row = found["conversion_net", None]  # made of closings alone
    assert (row["numerator"], row["denominator"], row["rate"], row["is_mature"]) == (1, 1, 1, True)


# -- the registry ----------------------------------------------------------------------------------------------------


def counted(cause: str, dials: int, seconds: int) -> Row:
    """A row of ``call_outcomes`` whose lengths are told apart from each other, and from those of other rows."""
    lengths = {"handled_dialing_s": seconds, "handled_talk_s": 10 * seconds, "handled_wrap_up_s": 100 * seconds}
    return outcome(cause, 1000 * dials, settled_dials=dials, **lengths)


def converted(closure: str, *counts: int) -> Row:
    """A row of ``lead_conversion``."""
    names = ("leads", "by_closing_call", "by_last_contact", "by_lead_user", "by_system", "outbound", "attempts")
    return {**NODE, "closed_date": DAY, "closure": closure, **dict(zip(names, counts, strict=True)), "is_mature": True}


def pooled(number: int, *, of_calls: int = 0, closed_at: dt.datetime | None = None, **columns: object) -> list[Row]:
    """Leads that were uploaded on ``DAY``."""
    row = {
        "uploaded_date": DAY,
        "campaign_id": "C1",
        "status": "New",
        "versions": 1,
        "dials": of_calls,
        "closed_at": closed_at,
    }
    return [{"lead_id": f"{columns}{n}{of_calls}", **row, **columns} for n in range(number)]


# what each metric is of the rows below: numerator and denominator
CAUSES = {"NormalDisconnect": 2, "NoResponse": 3, "Busy": 5, "VoiceMail": 7, "DroppedCall": 11, "DialingCancelled": 13}
EXPECTED: dict[tuple[str, str, str | None], tuple[float, float]] = {
    ("outcome_rates", "answer_rate_per_dial", None): (2 + 11, 28),
    ("outcome_rates", "contact_rate_per_dial", None): (2, 28),
    ("outcome_rates", "voicemail_rate_per_dial", None): (7, 41),
    **{("outcome_rates", "end_cause_mix", cause): (dials, 41) for cause, dials in CAUSES.items()},
    ("outcome_rates", "aht_talk_wrap", None): (110 * 36, 2),
    ("outcome_rates", "aht_incl_dialing", None): (111 * 36, 2),
    ("outcome_rates", "avg_talk", None): (10 * 36, 2),
    ("outcome_rates", "avg_wrap", None): (100 * 36, 2),
    ("conversion_rates", "conversion_per_lead_closed", None): (40 - 3, 40 - 3 + 50 - 4 + 5 - 1),
    ("conversion_rates", "conversion_net", None): (40, 90),
    ("conversion_rates", "closure_mix", "NotSet"): (60, 155),
    ("conversion_rates", "closure_mix", "Success"): (40, 155),
    ("conversion_rates", "closure_mix", "NotInterested"): (50, 155),
    ("conversion_rates", "closure_mix", "InvalidLead"): (0, 155),
    ("conversion_rates", "closure_mix", "Unqualified"): (5, 155),
    ("conversion_rates", "closure_mix", "(undocumented)"): (0, 155),
    ("conversion_rates", "closed_by_call_share", None): (21 + 30 + 2, 155),
    ("conversion_rates", "closed_by_last_contact_share", None): (9 + 10 + 1, 155),
    ("conversion_rates", "closed_outside_calls_share", None): (7 + 6 + 1, 155),
    ("conversion_rates", "closed_by_system_share", None): (3 + 4 + 1 + 60, 155),
    ("conversion_rates", "attempts_to_success", None): (77, 29),
    ("conversion_rates", "conversion_per_contact", None): (29, 2),
    ("conversion_rates", "conversion_per_dial", None): (29, 28),
    ("conversion_rates", "success_per_talk_hour", None): (29, 10 * 216 / 3600),
    ("conversion_rates", "success_per_handled_hour", None): (29, 111 * 216 / 3600),
    ("cohort_rates", "conversion_per_lead_worked", None): (3, 19),
    ("cohort_rates", "contact_rate_per_lead", None): (11, 17),
    ("cohort_rates", "rpc_rate_per_lead", None): (7, 19),
    ("cohort_rates", "attempts_per_lead", None): (23, 19),
    ("pool_rates", "penetration_gross", None): (2 + 3 + 4, 14),
    ("pool_rates", "penetration_net", None): (2 + 4, 11),
}  # fmt: skip


def test_every_metric_is_found_with_what_the_registry_says_is_above_and_below_the_line():
    names = ("leads", "completed", "contacted", "closed", "successes", "rpc", "attempts")
    with temporary_lake() as lake:
        rows = [counted(cause, dials, 36) for cause, dials in CAUSES.items()]
        fill(
            lake,
            CALL_OUTCOMES,
            [*rows, outcome("NotApplicable", 17), outcome("Odd", 19), outcome("Busy", 99, org_level=1)],
            DAY,
        )
        fill(lake, LEAD_CONVERSION, [
            converted("Success", 40, 21, 9, 7, 3, 29, 77), converted("NotInterested", 50, 30, 10, 6, 4, 39, 88),
            converted("NotSet", 60, 0, 0, 0, 60, 0, 0), converted("Unqualified", 5, 2, 1, 1, 1, 3, 9),
        ])  # fmt: skip
        cohort = {**NODE, "cohort_date": DAY, "age_days": 3, "is_mature": True}
        fill(lake, LEAD_COHORTS, [cohort | dict(zip(names, (19, 17, 11, 5, 3, 7, 23), strict=True))])
        fill(lake, LEADS, [
            *pooled(5), *pooled(2, of_calls=1, closed_at=at("10:00")), *pooled(4, closed_at=at("10:00"), status="UserProcessed"),
            *pooled(3, closed_at=at("10:00"), status="Removed"), *pooled(9, versions=0), *pooled(9, campaign_id="C2"),
        ])  # fmt: skip
        shown = {}
        for view in (view for view in VIEWS if "metric" in view.names):
            where = "campaign_id = 'C1'" + (" AND org_level = 0" if "org_level" in view.names else "")
            shown |= {(view.name, *key): row for key, row in rates(lake, view.name, where).items()}
    found = {key: (row["numerator"], row["denominator"]) for key, row in shown.items()}
    assert found == {key: close(value) for key, value in EXPECTED.items()}
    assert {(view, metric) for view, metric, _ in found} == {
        (metric.basis.found_in, metric.name) for metric in METRICS if metric.basis is not DROPS
    }
    by_name = {metric.name: metric for metric in METRICS}
    for (_, metric, _), row in shown.items():
        assert row["rate"] == close(row["numerator"] / row["denominator"])
        interval = (
            second.wilson(row["numerator"], row["denominator"]) if by_name[metric].unit == "share" else (None, None)
        )
        assert (row["ci_low"], row["ci_high"]) == (interval if interval[0] is None else close(interval))
        assert row["metric_version"] == by_name[metric].version


def test_each_metric_is_described_once():
    with temporary_lake() as lake:
        make(lake, METRIC_REGISTRY)
        found = read(lake, METRIC_REGISTRY)
    assert sorted(row["metric"] for row in found) == sorted({metric.name for metric in METRICS})
    for row in found:
        words = [
            row[name] for name in ("metric", "found_in", "numerator", "denominator", "unit", "date_basis", "grain")
        ]
        assert all(word.strip() for word in words)
        assert not row["numerator"].startswith("sum(")
        assert row["metric_version"] >= 1
    assert not {row["metric"] for row in found} & {"hit_rate", "drop_rate_naive", "contact_rate", "conversion_rate"}


# -- cumulative incidence --------------------------------------------------------------------------------------------

CAUSE = {0: None, 1: "success", 2: "other"}
VECTOR = [(0, 1), (0, 2), (1, 2), (1, 1), (2, 0), (2, 2), (3, 1), (3, 2), (5, 0), (7, 1)]

Lives = list[tuple[int, int]]
lives = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0, 0, 1, 2])), min_size=1, max_size=40)


def incidence(lives: Lives) -> list[Row]:
    """The curve of lives (age, cause) by the macro."""
    con().execute("CREATE OR REPLACE TEMP TABLE lived (cohort VARCHAR, age INTEGER, cause INTEGER)")
    # another cohort beside it, which must not matter
    con().executemany(
        "INSERT INTO lived VALUES (?, ?, ?)", [("one", *life) for life in lives] + [("other", 20, 1), ("other", 1, 0)]
    )
    rows = con().sql("FROM incidence('lived') WHERE cohort = 'one' ORDER BY age_days").to_arrow_table().to_pylist()
    return [{name: value for name, value in row.items() if name != "cohort"} for row in rows]


def variances(rows: list[Row]) -> list[float]:
    """The variance of the share of successes by each age, by the delta method, summed as it is written in the books."""
    found = []
    for n, now in enumerate(rows):
        total, open_before = 0.0, 1.0
        for row in rows[: n + 1]:
            at_risk, wins, ends = row["at_risk"], row["successes"], row["successes"] + row["other_closed"]
            to_come = now["success_incidence"] - row["success_incidence"]
            total += to_come**2 * ends / (at_risk * (at_risk - ends)) if at_risk > ends else 0
            total += (
                open_before**2 * wins * (at_risk - wins) / at_risk**3 - 2 * to_come * open_before * wins / at_risk**2
            )
            open_before = row["still_open"]
        found.append(total)
    return found


def test_t36_the_curve_of_the_field():
    rows = {row["age_days"]: row for row in incidence(VECTOR)}
    assert list(rows) == list(range(8))
    assert (rows[7]["success_incidence"], rows[7]["other_incidence"], rows[7]["still_open"]) == close((0.575, 0.425, 0))
    assert (rows[3]["success_incidence"], rows[3]["still_open"]) == close((0.325, 0.25))
    counts = {
        age: (row["at_risk"], row["successes"], row["other_closed"], row["censored"]) for age, row in rows.items()
    }
    assert counts == {
        0: (10, 1, 1, 0), 1: (8, 1, 1, 0), 2: (6, 0, 1, 1), 3: (4, 1, 1, 0), 4: (2, 0, 0, 0), 5: (2, 0, 0, 1),
        6: (1, 0, 0, 0), 7: (1, 1, 0, 0),
    }  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(lives)
@example(VECTOR)
@example([(0, 0)])
@example([(0, 1)])
@example([(4, 2), (4, 2)])
def test_t36_the_curve_of_any_lives_is_as_computed_again(lives):
    found = incidence(lives)
    expected = second.aalen_johansen([(age, CAUSE[cause]) for age, cause in lives])
    for row, again, variance in zip(found, expected, variances(found), strict=True):
        assert {name: row[name] for name in again} == close(again)
        share, low, high = row["success_incidence"], row["success_ci_low"], row["success_ci_high"]
        assert share + row["other_incidence"] + row["still_open"] == close(1)
        assert 0 <= low <= share + 1e-9
        assert share - 1e-9 <= high <= 1
        if variance > 1e-9:
            assert share * (1 - share) / row["effective"] == pytest.approx(variance, rel=1e-6)
            assert (low, high) == pytest.approx(second.wilson(share * row["effective"], row["effective"]), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from([1, 2])), min_size=2, max_size=40))
def test_t36_where_nothing_is_censored_the_variance_is_the_binomial_one(lives):
    for row in incidence(lives):
        share = sum(cause == 1 and age <= row["age_days"] for age, cause in lives) / len(lives)
        assert row["success_incidence"] == close(share)
        if 0 < share < 1:
            assert row["effective"] == pytest.approx(len(lives), rel=1e-6)
            assert (row["success_ci_low"], row["success_ci_high"]) == pytest.approx(
                second.wilson(round(share * len(lives)), len(lives)), abs=1e-7
            )


def test_t36_open_leads_count_as_long_as_they_are_known():
    through = {"known_through": day(6)}
    leads = [
        *dialled(16, **through), *dialled(4, **through, **won(2)), *dialled(2, **through, **won(2, closure="NotInterested")),
        *dialled(3, **through, **won(9)),  # nobody was to know that yet
        *dialled(1, **through, closed_at=at("12:00", -3), closed_date=day(-3), closure="Success"),
        *dialled(5, day(5), **through),  # of the same week
        *dialled(5, known_through=None), *dialled(11, day(7), known_through=day(7)),
    ]  # fmt: skip
    with temporary_lake() as lake:
        fill(lake, LEADS, leads)
        make(lake, CUMULATIVE_INCIDENCE)
        found = read(lake, CUMULATIVE_INCIDENCE)
    columns = ("at_risk", "successes", "other_closed", "censored")
    told = {(row["cohort_week"], row["age_days"]): tuple(row[name] for name in columns) for row in found}
    assert told == {
        (DAY, 0): (31, 1, 0, 0), (DAY, 1): (30, 0, 0, 5), (DAY, 2): (25, 4, 2, 0), (DAY, 3): (19, 0, 0, 0),
        (DAY, 4): (19, 0, 0, 0), (DAY, 5): (19, 0, 0, 0), (DAY, 6): (19, 0, 0, 19), (day(7), 0): (11, 0, 0, 11),
    }  # fmt: skip
    last = next(row for row in found if row["cohort_week"] == DAY and row["age_days"] == 2)
    open_before = 30 / 31
    assert last["success_incidence"] == close(1 / 31 + open_before * 4 / 25)
    assert last["other_incidence"] == close(open_before * 2 / 25)
