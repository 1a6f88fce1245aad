"""What is wrong, in one place and in words; gaps that somebody accepted; and why a published number changed."""

import datetime as dt

import dagster as dg
import duckdb
import pytest

import herobase_pipeline as hb
from herobase_pipeline.lake import gaps
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.writing import write
from herobase_pipeline.operations.health import ALL_IS_WELL
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, HEALTH, RESTATEMENTS

PULLED = "calls,simple_leads,call_outcomes"
EVERY = "leads,lead_conversion,account,projects,org_units,users,campaigns,private/lead_fields"


def look(here):
    """Materialize health; returns its rows, its metadata and what its check says."""
    result = here.load("health")
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.asset_check_key == dg.AssetCheckKey(dg.AssetKey("health"), ALL_IS_WELL)
    metadata = here.instance.get_latest_materialization_event(dg.AssetKey("health")).asset_materialization.metadata
    rows = here.rows('SELECT "check", table_name, severity, days, since, message FROM health ORDER BY ALL')
    assert metadata["dagster/row_count"].value == len(rows)
    assert evaluation.passed is (not rows)
    return rows, metadata, evaluation


def test_all_is_well_where_it_is_and_where_nothing_is_loaded(watched):
    here = watched(calls_per_day=100)
    rows, metadata, evaluation = look(here)
    assert rows == []
    nothing = "* **calls**: yesterday, 2026-11-19, not loaded; today not loaded; the latest whole day is none"
    assert metadata["loaded"].value.splitlines()[0] == nothing
    here.load(PULLED, "2026-11-18", "2026-11-20")
    here.load(EVERY)
    rows, metadata, evaluation = look(here)
    assert (rows, metadata["wrong"].value, evaluation.description) == ([], "All is well.", "All is well.")
    assert list(metadata)[:2] == ["in_short", "yesterday"]
    assert metadata["in_short"].value == "All is well."
    calls, leads, outcomes, closings = metadata["loaded"].value.splitlines()
    whole = "yesterday, 2026-11-19, whole; today "
    assert calls.startswith(f"* **calls**: {whole}in part, as of 20")
    assert leads.startswith(f"* **simple_leads**: {whole}in part, as of 20")
    assert outcomes.startswith(f"* **call_outcomes**: {whole}in part, as of 20")
    assert closings == f"* **lead_conversion**: {whole}not all known; the latest whole day is 2026-11-19"
    assert calls.endswith("the latest whole day is 2026-11-19")


def test_what_is_wrong_is_said_with_the_days_since_when_and_what_to_do_until_it_is_not(watched):
    here = watched(now=dt.datetime(2026, 11, 20, 11, tzinfo=dt.UTC), calls_per_day=100)
    here.load(PULLED, "2026-11-16")
    here.load(PULLED, "2026-11-19")
    here.load(EVERY)
    found = here.now
    here.clock[0] += dt.timedelta(hours=3)
    rows, *_ = look(here)
    since = here.now
    assert [row[:4] for row in rows] == [
        ("no_gap_days", table, "ERROR", [dt.date(2026, 11, 17), dt.date(2026, 11, 18)])
        for table in ("calls", "simple_leads")
    ]
    assert {row[4] for row in rows} == {since} != {found}
    remedy = "Materialize the days listed. If nobody will load them, accept the gap."
    assert rows[0][5] == f"2 to look at, the latest 2026-11-18: not loaded. {remedy}"
    here.clock[0] += dt.timedelta(hours=1)
    here.load("calls,call_outcomes", "2026-11-17")
    (calls, leads), metadata, evaluation = look(here)
    assert (calls[3], calls[4], leads[4]) == ([dt.date(2026, 11, 18)], since, since)
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert evaluation.description == "Wrong: no_gap_days of calls, no_gap_days of simple_leads."
    said = (
        f"* **ERROR: no_gap_days of calls**, since {since.astimezone(here.settings.zone):%Y-%m-%d %H:%M}. 1 to look at"
    )
    assert said in metadata["wrong"].value
    here.load(PULLED, "2026-11-17", "2026-11-18")
    assert look(here)[0] == []


def test_a_failed_run_is_in_health_with_its_sentence_and_no_customers_data(watched):
    here = watched(calls_per_day=50)
    here.load(PULLED, "2026-11-19")
    here.sandbox.script("/calls status=403")
    here.materialize("calls", "2026-11-19")
    rows, *_ = look(here)
    ((days, message),) = [(row[3], row[5]) for row in rows if row[:2] == ("no_partition_left_failed", "calls")]
    assert days == [dt.date(2026, 11, 19)]
    assert "Ask HeroBase's support" in message
    private = "SELECT agent FROM calls UNION SELECT lead_id FROM calls UNION SELECT phone FROM call_phones"
    assert not [value for (value,) in here.rows(private) if value and value in str(rows)]


def test_an_accepted_gap_is_none_and_changes_no_number(watched):
    here = watched(calls_per_day=50)
    here.load(PULLED, "2026-11-12")
    here.load(PULLED, "2026-11-19")
    here.load(EVERY)
    gap = "[[gap]]\nfirst = 2026-11-13\nlast = 2026-11-18\nreason = 'HeroBase was | moved'\n"
    gaps.file(here.lake).write_text(gap + "tables = ['calls']\n")
    assert [row[:2] for row in look(here)[0]] == [("no_gap_days", "simple_leads")]
    gaps.file(here.lake).write_text(gap)
    rows, metadata, _ = look(here)
    assert rows == []
    assert metadata["accepted_gaps"].value == "* all: 2026-11-13 to 2026-11-18. HeroBase was \\| moved"
    with pytest.warns(hb.NotLoadedWarning, match="2026-11-13 to 2026-11-18"):
        hb.read("call_outcomes", data_dir=here.lake.root)
    gaps.file(here.lake).write_text(gap.replace("11-18", "11-17"))
    assert {tuple(row[3]) for row in look(here)[0]} == {(dt.date(2026, 11, 18),)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[gap]]\nfirst = 2026-11-13\nlast = 2026-11-12\nreason = 'x'", "gap 1 needs a day as first"),
        ("[[gap]]\nfirst = '2026-11-13'\nlast = 2026-11-18\nreason = 'x'", "gap 1 needs a day as first"),
        ("[[gap]]\nfirst = 2026-11-13T00:00:00\nlast = 2026-11-18\nreason = 'x'", "gap 1 needs a day as first"),
        ("[[gap]]\nfirst = 2026-11-13\nlast = 2026-11-18", "gap 1 needs a reason"),
        ("[[gap]]\nfirst = 2026-11-13\nlast = 2026-11-18\nreason = ' '", "gap 1 needs a reason"),
        ("[[gap]]\nfirst = 2026-11-13\nlast = 2026-11-18\nreason = 'x'\ntables = 'calls'", "are no list of names"),
        ("[[gap]]\nfrom = 2026-11-13", "gap 1 has from, which is not known"),
        ("gap = 3", "something else where only"),
        ("[[gaps]]\nfirst = 2026-11-13", "it holds gaps where only"),
        ("first is yesterday", "cannot be read"),
    ],
)
def test_a_file_of_gaps_that_cannot_be_read_accepts_none_and_is_said_to_be_wrong(watched, text, sentence):
    here = watched(calls_per_day=20)
    here.load("calls", "2026-11-12")
    here.load("calls", "2026-11-19")
    gaps.file(here.lake).write_text(text)
    with pytest.raises(gaps.GapsError, match=sentence):
        gaps.accepted(here.lake)
    ((days, message),) = [(row[3], row[5]) for row in look(here)[0] if row[:2] == ("no_gap_days", "calls")]
    assert dt.date(2026, 11, 15) in days
    assert sentence in message


def test_a_restatement_names_the_run_that_made_it_and_what_brought_it(watched):
    here = watched(calls_per_day=50)
    day = "2026-11-05"
    here.load("calls,call_outcomes", day)
    on = dt.date.fromisoformat(day)

    def spoilt(by):
        spoil = f"SELECT * REPLACE (calls + {by} AS calls, true AS is_mature) FROM seen"
        with connect(here.settings.zone, here.lake.root) as con:
            write(here.lake, con, CALL_OUTCOMES, spoil, day=on, complete=[on])

    def why():
        return here.rows(f"SELECT DISTINCT run_id, cause FROM {RESTATEMENTS.name} ORDER BY ALL")

    spoilt(1)
    again = here.materialize("call_outcomes", day)
    assert why() == [(again.run_id, "made anew from the same calls")]
    spoilt(2)
    tags = {"dagster/schedule_name": "late_truth"}
    pulled = here.materialize("calls,call_outcomes", day, tags=tags)
    assert (pulled.run_id, "calls pulled by schedule late_truth") in why()
    spoilt(3)
    assert here.materialize("calls", day, tags={"dagster/backfill": "abcdefgh"}).success
    counted = here.materialize("call_outcomes", day, tags={"dagster/sensor_name": "follow"})
    assert (counted.run_id, "calls pulled by backfill abcdefgh") in why()


def test_a_table_that_cannot_be_checked_is_said_in_a_sentence_that_quotes_nothing(watched):
    here = watched(calls_per_day=20)
    here.load("calls", "2026-11-19")
    here.lake.file(CALLS, dt.date(2026, 11, 19)).write_bytes(b"PAR1 Hans Hemmelig")
    here.load("health")
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        found = con.execute(f"SELECT \"check\", message FROM '{here.lake.file(HEALTH)}'").fetchall()
    said = dict(found)["files_undamaged"]
    assert "lake/calls/date=2026-11-19/part.parquet is damaged on the disk" in said
    assert "Hans" not in str(found)
