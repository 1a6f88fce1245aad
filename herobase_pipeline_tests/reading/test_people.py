"""What notebooks ask of agents, hours and lead fields, in a lake around the end of summer time; and how they find their way."""

import datetime as dt
import sys
import warnings
from collections import Counter
from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import herobase_pipeline as hb
from herobase_pipeline.enums import CallEndCause
from herobase_pipeline.reading.progress import show_progress
from herobase_pipeline.tables import TABLES, VIEWS
from herobase_pipeline_tests import second
from herobase_pipeline_tests.conftest import Centre, centres

FIRST, LAST = "2026-10-23", "2026-10-26"
SUNDAY = dt.date(2026, 10, 25)
NOW = dt.datetime(2026, 11, 5, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with pytest.MonkeyPatch.context() as patch, centres(tmp_path_factory.mktemp("people"), patch) as start:
        here = start(now=NOW, calls_per_day=900)
        here.load("calls,simple_leads,call_outcomes,call_hours", FIRST, LAST)
        here.load("users,campaigns,leads,lead_conversion,agent_days,metrics")
        yield here


def read(here: Centre, table: str, **asked: object) -> pd.DataFrame:
    """Rows of the days that are loaded; leads are closed on others too, as versions of them tell."""
    days = (FIRST, LAST) if table in ("agent_days", "agent_rates", "lead_conversion") else ()
    return hb.read(table, *days, data_dir=here.lake.root, **asked)


def closed(here: Centre) -> list[second.Row]:
    """The leads that were closed on these days."""
    seen = truth(here)
    return [lead for lead in second.leads(seen) if lead["closed_date"] in seen.calls]


def truth(here: Centre) -> second.Seen:
    days = [dt.date(2026, 10, n) for n in range(23, 27)]
    return second.observed(here.world, here.settings.zone, [(day, NOW) for day in days])


def test_contacts_by_hour_are_those_of_the_clock_on_the_wall_also_where_an_hour_repeats(here):
    rates = hb.metrics(read(here, "call_hours", level=0), "contact_rate_per_dial", by=["date", "hour"])
    found = {(row.date.date(), row.hour): (row.numerator, row.denominator) for row in rates.itertuples()}
    seen, counted = truth(here), Counter()
    for call in seen.all_calls:
        if second.is_dial(call) and seen.settled(call) and call.end_cause in second.COMPLETED:
            local = call.start.astimezone(here.settings.zone)
            counted[local.date(), local.hour, "of"] += 1
            counted[local.date(), local.hour, "reached"] += call.end_cause is CallEndCause.NormalDisconnect
    expected = {
        (day, hour): (counted[day, hour, "reached"], n) for (day, hour, what), n in counted.items() if what == "of"
    }
    assert {key: value for key, value in found.items() if value[1]} == expected
    assert {hour for _, hour in expected} <= set(range(24))
    by_day = hb.metrics(read(here, "call_outcomes", level=0), "contact_rate_per_dial", by="date")
    sums = rates.groupby("date")[["numerator", "denominator"]].sum()
    assert sums.to_numpy().tolist() == by_day[["numerator", "denominator"]].to_numpy().tolist()


def test_conversion_by_agent_adds_up_to_that_of_the_centre(here):
    agents = read(here, "agent_days")
    by_agent = hb.metrics(agents, "conversion_net", by="agent")
    whole = hb.metrics(read(here, "lead_conversion", level=0), "conversion_net")
    assert by_agent["numerator"].sum() == whole["numerator"].item() > 0
    assert by_agent["denominator"].sum() == whole["denominator"].item()
    counted = Counter()
    for lead in closed(here):
        if lead["attribution"] != "system" and lead["closure"] in ("Success", "NotInterested"):
            counted[lead["agent"], lead["closure"]] += 1
    found = by_agent.set_index("agent")
    assert dict(found["numerator"][found["numerator"] > 0]) == {
        agent: n for (agent, closure), n in counted.items() if closure == "Success"
    }
    shown = read(here, "agent_rates").query("metric == 'conversion_net'")
    again = hb.metrics(shown, "conversion_net", by="agent")
    pd.testing.assert_frame_equal(again, by_agent, check_dtype=False)
    assert hb.metrics(agents, "avg_talk")["rate"].item() == pytest.approx(
        hb.metrics(read(here, "call_outcomes", level=0), "avg_talk")["rate"].item()
    )


def test_a_unit_chooses_its_agents_and_each_has_the_name_of_its_user(here):
    agents = hb.labelled(read(here, "agent_days"))
    team = agents[agents["org_code"].notna() & (agents["dials"] > 0)]["org_name"].iloc[0]
    of_team = hb.labelled(read(here, "agent_days", org=team))
    assert set(of_team["org_name"]) == {team}
    assert of_team["dials"].sum() == agents.loc[agents["org_name"] == team, "dials"].sum() > 0
    names = dict(here.rows("SELECT lower(org_code), name FROM users WHERE date = (SELECT max(date) FROM users)"))
    for row in agents.drop_duplicates("agent").itertuples():
        name = "(no agent)" if pd.isna(row.agent) else names.get(row.agent.lower(), row.agent)
        assert row.person in (name, f"{name} ({row.agent})")


def test_rates_by_what_is_known_of_a_lead(here):
    every = read(here, "leads")
    assert not hb.metrics(every, "conversion_net")["is_mature"].any()  # some were closed before the first day
    leads = every[every["closed_date"] >= FIRST]
    fields = pd.DataFrame({"lead_id": leads["lead_id"], "kind": leads["lead_id"].str[-1].isin(list("02468"))})
    by_kind = hb.metrics(leads.merge(fields), "conversion_net", by="kind", data_dir=here.lake.root)
    of_days = closed(here)
    expected = {
        kind: tuple(
            sum(lead["closure"] in closures and (lead["lead_id"][-1] in "02468") == kind for lead in of_days)
            for closures in (("Success",), ("Success", "NotInterested"))
        )
        for kind in (False, True)
    }
    assert {row.kind: (row.numerator, row.denominator) for row in by_kind.itertuples()} == expected
    assert by_kind["is_mature"].all()
    mix = hb.metrics(leads, "closure_mix")
    assert mix["numerator"].sum() == len(of_days)
    with pytest.raises(hb.NotAddableError, match="rows are of a lead that the frame has already"):
        hb.metrics(pd.concat([leads, leads]), "conversion_net")
    with pytest.raises(hb.NotAddableError, match="named outbound, as counts are: rename them"):
        hb.metrics(leads.assign(outbound=1), "conversion_net")
    per_week = hb.metrics(leads, "attempts_to_success", by="week")
    assert per_week["numerator"].sum() == sum(
        lead["attempts_to_close"]
        for lead in of_days
        if lead["closure"] == "Success" and lead["credited_incoming"] is False
    )


def test_a_ranking_draws_few_towards_the_mean_so_that_three_lucky_calls_do_not_lead(here):
    agents = read(here, "agent_days")
    ranked = hb.ranking(agents, "conversion_net")
    plain = hb.metrics(agents, "conversion_net", by="agent").dropna(subset="agent")
    told = ranked.dropna(subset="rank")
    assert set(told["agent"]) == set(plain.loc[plain["denominator"] > 0, "agent"])
    assert told["rank"].tolist() == sorted(told["rank"])
    mean = told["numerator"].sum() / told["denominator"].sum()
    assert told["shrunk"].std() < told["rate"].std()
    assert ((told["shrunk"] - mean).abs() <= (told["rate"] - mean).abs() + 0.05).all()
    assert ((told["shrunk_low"] < told["shrunk"]) & (told["shrunk"] < told["shrunk_high"])).all()
    lucky = pd.DataFrame(
        [("lucky", 3, 3)] + [(f"agent {n}", 20 + 2 * n, 100) for n in range(12)], columns=["agent", "k", "n"]
    )
    frame = frame_of(lucky)
    best = hb.ranking(frame, "conversion_net")
    assert best["agent"].iloc[0] == "agent 11"
    assert hb.metrics(frame, "conversion_net", by="agent").set_index("agent")["rate"].idxmax() == "lucky"


def test_an_interval_holds_what_is_true_of_about_95_in_100():
    draw = np.random.default_rng(1)
    held = []
    for agents in (3, 10, 60):
        for _ in range(200 // agents + 3):
            truth_of = draw.beta(28, 72, agents)
            tries = draw.integers(20, 200, agents)
            people = pd.DataFrame({"agent": range(agents), "k": draw.binomial(tries, truth_of), "n": tries})
            ranked = hb.ranking(frame_of(people), "conversion_net").sort_values("agent")
            held += list((ranked["shrunk_low"] <= truth_of) & (truth_of <= ranked["shrunk_high"]))
    assert 0.91 < np.mean(held) < 0.99


def frame_of(people: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": pd.Timestamp("2026-10-23"),
            "agent": people["agent"],
            "successes": people["k"],
            "not_interested": people["n"] - people["k"],
            "is_mature": True,
        }
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8))
def test_whatever_the_counts_a_ranking_stays_between_none_and_all(counts):
    people = pd.DataFrame([(f"a{n}", k, k + rest) for n, (k, rest) in enumerate(counts)], columns=["agent", "k", "n"])
    ranked = hb.ranking(frame_of(people), "conversion_net")
    told = ranked.dropna(subset="rank")
    assert len(told) == sum(k + rest > 0 for k, rest in counts)
    assert told["shrunk"].between(0, 1).all()
    assert (told["shrunk_low"] <= told["shrunk"] + 1e-9).all()
    assert (told["shrunk_high"] >= told["shrunk"] - 1e-9).all()


def test_what_is_no_share_cannot_be_ranked(here):
    agents = read(here, "agent_days")
    with pytest.raises(ValueError, match="avg_talk is no share"):
        hb.ranking(agents, "avg_talk")
    with pytest.raises(ValueError, match="several categories"):
        hb.ranking(read(here, "call_outcomes", level="leaf"), "end_cause_mix", by="org_code")


def test_every_wrong_word_gets_a_suggestion(here):
    closings = read(here, "lead_conversion", level="leaf")
    with pytest.raises(KeyError, match=r"no column campaign\. Perhaps campaign.* hb.labelled\(frame\) adds it"):
        hb.metrics(closings, "conversion_net", by="campaign")
    with pytest.raises(KeyError, match="Perhaps month"):
        hb.metrics(closings, "conversion_net", by="months")
    with pytest.raises(ValueError, match=r"There is no frame csv\. .*pandas.* to_csv"):
        read(here, "calls", to="csv")
    with pytest.raises(ValueError, match="columns must be a list"):
        read(here, "calls", columns=[])
    with pytest.raises(hb.NoSuchNameError, match="Perhaps call_hours"):
        hb.describe("call_hour")


def test_tables_and_columns_are_found_and_said_in_words(here):
    found = hb.tables(here.lake.root).set_index("table")
    assert list(found.index) == [table.name for table in (*TABLES, *VIEWS)]
    assert (found.loc["calls", "first"].date(), found.loc["calls", "last"].date()) == (
        dt.date(2026, 10, 23),
        dt.date(2026, 10, 26),
    )
    assert found.loc["lead_data", "kind"] == "private"
    assert found.loc["outcome_rates", "kind"] == "view"
    assert found["what"].str.len().min() > 10
    columns = hb.describe("call_outcomes")
    assert list(columns["column"]) == list(read(here, "call_outcomes").columns)
    assert columns.set_index("column").loc["dials", "adds_up"]
    assert not columns.set_index("column").loc["org_level", "adds_up"]
    assert hb.describe("agent_days").set_index("column").loc["talk_s", "made_from"] == "calls.conversation_s"
    assert hb.tables.__name__ == "herobase_pipeline.tables"


def test_without_a_lake_the_tables_are_listed_all_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hb.tables(tmp_path / "none")["first"].isna().all()


def test_it_has_a_version():
    assert hb.__version__.count(".") == 2
    assert "__version__" in dir(hb)


@pytest.mark.parametrize(
    "table", ["agent_days", "call_hours", "call_outcomes", "lead_conversion", "known_days", "leads"]
)
def test_frames_go_into_polars_and_excel_without_a_warning(here, table, tmp_path):
    frame = read(here, table)
    with warnings.catch_warnings(action="error"):
        assert pl.from_pandas(frame).height == len(frame)
        naive = frame.select_dtypes(exclude="datetimetz")
        naive.to_excel(tmp_path / "frame.xlsx", index=False)
        assert frame.to_json(orient="records", date_format="iso")  # as charts on a page take it


@pytest.mark.parametrize(("watched", "shown"), [(True, True), (False, False)])
def test_a_read_that_somebody_watches_shows_how_far_it_is(monkeypatch, watched, shown):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: watched, raising=False)
    with duckdb.connect() as con:
        show_progress(con)
        assert con.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(shown,)]
