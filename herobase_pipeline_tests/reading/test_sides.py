"""A rate of which one side is not loaded is none, whatever days are: never one of what happens to be known."""

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import herobase_pipeline as hb
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import refresh
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import (
    CALL_OUTCOMES,
    CALLS,
    DROP_RATES,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEADS,
    ORG_HISTORY,
    SIMPLE_LEADS,
)
from herobase_pipeline.tables.metrics import CALLS as OF_CALLS
from herobase_pipeline.tables.metrics import CLOSINGS, COHORTS, DROPS, METRICS, POOLS, YIELD, Metric
from herobase_pipeline_tests.tables.making import (
    NORTH,
    ZONE,
    Row,
    after,
    at,
    call,
    closing,
    contact,
    day,
    dropped,
    fill,
    make,
    read,
    temporary_lake,
    version,
)

pytestmark = pytest.mark.slow
DAYS = range(9)
WON, LOST, TALKED, MISSED = 2, 3, 4, 5
"""Of each day: leads won and lost, contacts that closed nothing, dials that reached nobody; and one dropped call."""


def of_day(on: int) -> tuple[list[Row], list[Row]]:
    """The calls of a day, and the lead versions that they made; a lead is uploaded the day before it is called."""
    calls: list[Row] = []
    versions: list[Row] = []
    kinds = ["Success"] * WON + ["NotInterested"] * LOST + ["talk"] * TALKED + ["miss"] * MISSED + ["drop"]
    for n, kind in enumerate(kinds):
        start, lead = after(at("10:00", on), minutes=n), f"{on}-{n}"
        make_call = {"talk": contact, "miss": call, "drop": dropped}.get(kind, closing)
        columns = {} if make_call is not closing else {"lead_closure": kind}
        calls.append(make_call(start, lead, conversation_s=60.0, **columns))
        status = "UserProcessed" if make_call is closing else "RedialAutomatic"
        closure = kind if make_call is closing else "NotSet"
        versions.append(
            version(after(start, minutes=2), lead, status, closure=closure, uploaded_at=at("08:00", on - 1))
        )
    return calls, versions


@contextmanager
def loaded(calls: set[int], leads: set[int]) -> Iterator[Lake]:
    """A lake of some days of calls and some of leads, with all that is made of them."""
    with temporary_lake() as lake:
        for on in sorted(calls):
            fill(lake, CALLS, of_day(on)[0], day(on), [day(on)])
        for on in sorted(leads):
            fill(lake, SIMPLE_LEADS, of_day(on)[1], day(on), [day(on)])
        make(lake, CALL_OUTCOMES, LEADS, LEAD_CONVERSION, LEAD_COHORTS, DROP_RATES, ORG_HISTORY)
        refresh(lake, ZONE)
        yield lake


def frames(lake: Lake) -> dict[str, pd.DataFrame]:
    """What each metric is made from, of everything: by the table or view that gives it."""
    found = {}
    with warnings.catch_warnings(action="ignore"):
        for name in {metric.basis.found_in for metric in METRICS}:
            by_node = name in ("outcome_rates", "conversion_rates", "cohort_rates")
            frame = hb.read(name, level=0 if by_node else None, data_dir=lake.root)
            if name == "cohort_rates":
                frame = frame[frame["age_days"] == 0]
            found[name] = frame[frame["regime"] == "none"] if name == "drop_rates" else frame
    return found


def rates(read: dict[str, pd.DataFrame], metric: Metric, by: str = "") -> pd.DataFrame:
    """A metric of everything."""
    with warnings.catch_warnings(action="ignore"):
        return hb.metrics(read[metric.basis.found_in], metric.name, by=[by] if by else ())


any_days = st.sets(st.sampled_from(DAYS), min_size=1)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example({0, 1, 2, 3}, {0, 1})
@example({1}, {0})
@given(any_days, any_days)
def test_each_rate_of_the_registry_is_of_days_with_both_sides_or_null_with_the_reason(calls, leads):
    with loaded(calls, leads) as lake:
        of_lake = frames(lake)
        for metric in METRICS:
            column = {"pool_rates": "uploaded_date", "cohort_rates": "cohort_date"}.get(metric.basis.found_in, "date")
            by_day = rates(of_lake, metric, "" if metric.basis is DROPS else column)
            if metric.basis is DROPS:
                assert by_day["denominator"].item() == len(calls) * (WON + LOST + TALKED + 1)
                continue
            for row in by_day[by_day["category"].isna() | (by_day["category"] == "Success")].to_dict("records"):
                on = (row[column].date() - day(0)).days
                lacking = {(True, False): "leads", (False, True): "calls"}.get((on in calls, on in leads))
                if metric.basis in (CLOSINGS, YIELD) and lacking:
                    assert row["reason"] == f"{lacking} not loaded"
                elif metric.basis is POOLS and lacking == "leads":
                    assert row["reason"] == "leads not loaded"
                elif metric.basis is COHORTS and lacking:
                    assert row["reason"] == "too young, or not all days loaded"
                if lacking and metric.basis not in (OF_CALLS, POOLS):
                    assert math.isnan(row["rate"])
                    assert not row["is_mature"]
                assert (row["reason"] is None or pd.isna(row["reason"])) != math.isnan(row["rate"])
                if metric.basis in (CLOSINGS, YIELD) and math.isnan(row["rate"]) and lacking:
                    assert math.isnan(row["numerator"])
        both = len(calls & leads)
        for name, above, below in (
            ("conversion_per_contact", WON, WON + LOST + TALKED),
            ("conversion_net", WON, WON + LOST),
            ("closed_by_call_share", WON + LOST, WON + LOST),
        ):
            (metric,) = (metric for metric in METRICS if metric.name == name)
            (row,) = rates(of_lake, metric).to_dict("records")
            if both:
                assert (row["numerator"], row["denominator"]) == (both * above, both * below)
                assert row["rate"] == pytest.approx(above / below)
                assert row["is_mature"] is (calls == leads and max(calls) - min(calls) + 1 == len(calls))
            else:
                assert math.isnan(row["rate"])
                assert row["reason"] in ("leads not loaded", "calls not loaded")
        found = Counter(lead["attribution"] for lead in read(lake, LEADS))
        assert found["open"] == len(leads) * (TALKED + MISSED + 1)
        assert found[None] == len(calls - leads) * (WON + LOST + TALKED + MISSED + 1)


def test_days_without_leads_are_warned_of_and_are_in_no_rate_of_a_table_either():
    with loaded({0, 1, 2}, {0, 2}) as lake:
        later = version(at("12:00", 2), "edit", closure="Success", first_processed_at=at("09:00", 1))
        fill(lake, SIMPLE_LEADS, [*of_day(2)[1], later], day(2), [day(2)])
        make(lake, LEADS, LEAD_CONVERSION)
        with pytest.warns(hb.NotLoadedWarning, match=f"not since the day was over, for {day(1)}"):
            closings = hb.read("lead_conversion", level=0, data_dir=lake.root)
        with pytest.warns(
            hb.NotLoadedWarning, match=f"leads not loaded, or not counted since, for {day(1)}: these days"
        ):
            by_day = hb.metrics(closings, "conversion_net", by="closed_date")
        assert by_day["reason"].tolist()[1] == "leads not loaded"
        assert by_day["denominator"].fillna(-1).tolist() == [WON + LOST, -1, WON + LOST]
        with pytest.warns(hb.NotLoadedWarning):
            (total,) = hb.metrics(closings, "conversion_net").to_dict("records")
        assert (total["numerator"], total["denominator"], total["is_mature"]) == (2 * WON, 2 * (WON + LOST), False)


def test_a_week_is_whole_only_with_all_its_days_also_after_some_were_cut_off():
    week = set(range(7))
    with loaded(week, week) as lake:
        frame = hb.read("call_outcomes", level=0, data_dir=lake.root)
        rate = "contact_rate_per_dial"

        def is_mature(rows, **of: object) -> bool:
            (found,) = hb.metrics(rows, rate, by="week", **of)["is_mature"]
            return bool(found)

        assert is_mature(frame)
        assert is_mature(frame[frame["end_cause"] != "Busy"])
        assert not is_mature(frame[frame["date"] > frame["date"].min()])
        assert not is_mature(frame[frame["date"] < frame["date"].max()])
        assert not is_mature(hb.read("call_outcomes", day(1), level=0, data_dir=lake.root))
        plain = hb.read("call_outcomes", level=0, to="polars", data_dir=lake.root)
        assert is_mature(plain)
        without = plain.filter(plain["date"] != day(3))  # a day without a row: quiet, or not loaded
        assert not is_mature(without)
        assert is_mature(without, data_dir=lake.root)
        assert hb.metrics(frame, rate)["is_mature"].item()


def test_what_has_no_rate_is_told_in_the_title():
    points = pd.DataFrame(
        {
            "day": pd.to_datetime([day(0), day(7), day(14)]), "metric": "m", "category": None, "rate": [0.5, None, None],
            "ci_low": 0.4, "ci_high": 0.6, "is_mature": True, "reason": [None, "leads not loaded", "nothing counted"],
        }
    )  # fmt: skip
    told = "t\n2 of 3 points have no rate: 1 leads not loaded, 1 nothing counted"
    (axes,) = hb.charts.rate(points, "t").axes
    assert axes.get_title(loc="left") == told
    assert len(axes.lines[0].get_xdata()) == 1
    assert hb.charts.rates(points[["day", *points.columns[1:]]], "t").get_suptitle() == told


def test_which_lake_it_is_whose_and_up_to_which_day_is_said_first():
    with loaded({0, 1, 3}, {0, 1}) as lake:
        fill(lake, CALLS, of_day(4)[0], day(4))
        lines = hb.about(lake.root).splitlines()
        assert lines[0] == f"Lake:     {lake.root}"
        assert lines[1:] == [
            "Of:       nobody yet; the next run says whose it is",
            "Days of:  Europe/Copenhagen",
            f"calls:    whole for {day(0)} to {day(1)}, {day(3)}; in part for {day(4)}",
            f"leads:    whole for {day(0)} to {day(1)}",
            f"outcomes: whole for {day(0)} to {day(1)}, {day(3)}",
            f"closings: whole for {day(0)} to {day(1)}",
        ]
        with notes.updating(lake, "identity") as note:
            note.update(account="the sandbox, seed 7", timezone="Europe/Copenhagen", pii_key="")
        assert hb.about(lake.root).splitlines()[1] == "Of:       the sandbox, seed 7"


def test_units_and_campaigns_have_one_label_each_by_code_and_latest_name():
    closings = pd.DataFrame(
        {
            "closed_date": pd.to_datetime([day(0), day(1), day(1), day(1), day(1)]),
            "org_code": ["A1", "a1", "B", "C", None],
            "org_name": ["Old", "New", "Team", "Team", "(no team)"],
            "campaign_id": ["1", "1", "2", None, "3"],
            "campaign_code": ["K1", "K1", "K2", None, None],
            "campaign_name": ["Sale", "Sale", "Sale", None, None],
        }
    )
    dials = pd.DataFrame(
        {"date": pd.to_datetime([day(2), day(0)]), "org_code": ["B", "D"], "org_name": ["Blue", "(no team)"]}
    )
    one, other = hb.labelled(closings, dials)
    assert one["unit"].tolist() == ["New", "New", "Blue", "Team", "(no team)"]
    assert one["campaign"].tolist() == ["Sale (K1)", "Sale (K1)", "Sale (K2)", "(no campaign)", "3"]
    assert other["unit"].tolist() == ["Blue", "(no team) (D)"]
    assert "campaign" not in other
    assert "unit" not in closings
    assert hb.labelled(closings)["unit"].tolist() == ["New", "New", "Team (B)", "Team (C)", "(no team)"]


def test_the_view_says_so_to_whoever_asks_in_sql():
    with loaded({0, 1}, {0}) as lake, hb.connect(lake.root) as con:
        query = """
            SELECT date, numerator, denominator, rate, reason FROM conversion_rates
            WHERE metric = 'conversion_per_contact' AND org_level = 0 ORDER BY date
        """
        contacts = WON + LOST + TALKED
        assert con.execute(query).fetchall() == [
            (day(0), WON, contacts, WON / contacts, None),
            (day(1), None, None, None, "leads not loaded"),
        ]
        assert con.execute("FROM loaded_days ORDER BY day").fetchall() == [
            (day(0), True, True, None),
            (day(1), True, False, "leads"),
        ]


def test_a_unit_is_a_leaf_for_the_calls_made_in_it_and_not_for_those_below_it():
    with temporary_lake() as lake:
        paths = [NORTH] * 3 + [[*NORTH, "Team"]] * 4 + [["Root"]] * 2 + [["root", "NORTH", "team"]]
        calls = [
            call(after(at("10:00"), minutes=n), f"{n}", org_path=path, dialing_s=0.1) for n, path in enumerate(paths)
        ]
        calls += [dropped(at("12:00"), "d1"), dropped(at("12:01"), "d2", settled=False)]
        fill(lake, CALLS, calls, day(0), [day(0)])
        make(lake, CALL_OUTCOMES, ORG_HISTORY)
        refresh(lake, ZONE)
        leaves = hb.read("call_outcomes", level="leaf", data_dir=lake.root)
        by_code = dict(leaves.groupby(leaves["org_code"].str.lower(), dropna=False)["calls"].sum().items())
        assert {code if isinstance(code, str) else None: n for code, n in by_code.items()} == {
            "north": 3, "team": 5, "root": 2, None: 2,
        }  # fmt: skip
        assert set(leaves.loc[leaves["org_level"] == 0, "org_name"]) == {"(no team)"}
        seconds = dict(zip(leaves["org_code"].str.lower(), leaves["dialing_s"], strict=True))
        assert (seconds["north"], seconds["team"], seconds["root"]) == (0.3, 0.5, 0.2)
        assert (
            hb.read("outcome_rates", level="leaf", data_dir=lake.root)
            .query("metric == 'contact_rate_per_dial' and org_code != ''")["denominator"]
            .sum()
            == 10 + 1
        )
        assert hb.read("call_outcomes", level="leaf", org="north", data_dir=lake.root)["calls"].sum() == 8
        with pytest.warns(
            hb.NotAllUnitsWarning, match="level 3 has 5 of 12 calls; 5 in units that are not so deep and 2 in no unit"
        ):
            assert hb.read("call_outcomes", level=3, data_dir=lake.root)["calls"].sum() == 5
        with pytest.warns(hb.NotAllUnitsWarning, match="level 1 has 10 of 12 calls; 2 in no unit"):
            hb.read("outcome_rates", level=1, data_dir=lake.root)
        with pytest.raises(ValueError, match="or leaf, for the unit"):
            hb.read("call_outcomes", level="leaves", data_dir=lake.root)
