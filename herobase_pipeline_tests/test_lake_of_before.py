"""A lake that the code before the notes wrote (commit 2b813a4): read, refreshed and backfilled, and told whose it is.

``lakes/2b813a4.zip`` holds three days of the sandbox's seed 1 with 40 calls a day and unknown fields, pulled on
2026-11-20 at 12:00 UTC with the PII key ``test key``; the folder it was written in is gone.
"""

import datetime as dt
import json
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import herobase_pipeline as hb
from herobase_pipeline.lake import notes
from herobase_pipeline.tables import CALLS, SIMPLE_LEADS
from herobase_pipeline_tests.conftest import alias, failure
from herobase_pipeline_tests.test_days import assert_is_the_truth

DAYS = ["2026-11-16", "2026-11-17", "2026-11-18"]
RATES = "FROM conversion_rates WHERE metric = 'conversion_per_contact' AND org_level = 0"
LAKE = Path(__file__).parent / "lakes" / "2b813a4.zip"


@pytest.fixture
def old(centre, tmp_path):
    """The call centre whose lake it is, with the lake as it was left."""
    with zipfile.ZipFile(LAKE) as archive:
        archive.extractall(tmp_path / "data")
    return centre(calls_per_day=40, unknown_fields=True)


def test_it_is_read_where_it_lies_before_anything_is_run(old):
    calls = hb.read("calls", DAYS[0], DAYS[-1], data_dir=old.lake.root)
    truth = {call.id for day in DAYS for call in old.truth(day)}
    assert Counter(calls["call_id"]) == Counter(truth)
    outcomes = hb.read("call_outcomes", level=0, data_dir=old.lake.root)
    assert outcomes["calls"].sum() == len(truth)


def test_its_first_run_notes_whose_it_is_and_changes_no_number(old):
    versions = old.rows(
        "SELECT lead_id, last_modified_at, status, closure, observed_at, origin FROM simple_leads ORDER BY ALL"
    )
    gone = {lead for lead, _, status, *_ in versions if status == "Anonymized"}
    assert gone
    versions = sorted((alias(lead) if lead in gone else lead, *rest) for lead, *rest in versions)
    fields = old.rows("SELECT lead_id, last_modified_at, data FROM lead_data ORDER BY ALL")
    fields = [row for row in fields if row[0] not in gone]
    places = old.rows("SELECT call_id, org_path, org_names, org_source, phone_token FROM calls ORDER BY ALL")
    assert notes.read(old.lake, "identity") is None
    old.load("calls,simple_leads,call_outcomes", DAYS[0], DAYS[-1])
    assert notes.read(old.lake, "identity") is not None
    for day in DAYS:
        assert_is_the_truth(old, day)
    assert versions == sorted(
        old.rows("SELECT lead_id, last_modified_at, status, closure, observed_at, origin FROM simple_leads")
    )
    assert fields == old.rows("SELECT lead_id, last_modified_at, data FROM lead_data ORDER BY ALL")
    assert places == old.rows("SELECT call_id, org_path, org_names, org_source, phone_token FROM calls ORDER BY ALL")


def test_what_it_kept_of_unknown_fields_leaves_the_lake_with_the_next_pull(old):
    before = [
        json.loads(extra) for (extra,) in old.rows("SELECT extra FROM calls UNION ALL SELECT extra FROM simple_leads")
    ]
    assert any("hop" in json.dumps(extra) for extra in before)
    old.load("calls,simple_leads", DAYS[0], DAYS[-1])
    for table in (CALLS, SIMPLE_LEADS):
        kept = f"SELECT extra FROM {table.name} WHERE coalesce(NOT starts_with(lead_id, 'erased-'), true)"
        extras = [json.loads(extra) for (extra,) in old.rows(kept)]
        assert all(set(extra.values()) <= {"text", "number", "flag", "list", "object"} for extra in extras)


def test_versions_that_differ_in_what_is_kept_no_more_become_one(old):
    file = old.lake.file(SIMPLE_LEADS, dt.date(2026, 11, 18))
    rows = pq.ParquetFile(file).read()
    other = rows.set_column(
        rows.column_names.index("extra"), "extra", pa.array(['{"hop":"another"}'] * len(rows), pa.string())
    )
    pq.write_table(pa.concat_tables([rows, other]), file)
    old.load("simple_leads", "2026-11-18")
    key = "(lead_id, last_modified_at, status, closure)"
    assert old.rows(f"SELECT count(*) = count(DISTINCT {key}) FROM simple_leads WHERE date = DATE '2026-11-18'") == [
        (True,)
    ]


def test_it_is_refreshed(old):
    old.load("calls,simple_leads", "2026-11-20")
    refreshed = old.materialize("calls,simple_leads", "2026-11-20", tags={"herobase/refresh": "true"})
    assert refreshed.success, failure(refreshed)
    assert_is_the_truth(old, "2026-11-20")


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"pii_key": "another key"}, "PII_KEY"),
        ({"timezone": "Europe/London"}, "Europe/London"),
    ],
)
@pytest.mark.usefixtures("old")
def test_it_refuses_another_key_or_zone_although_it_has_no_note(centre, other, named):
    stranger = centre(calls_per_day=40, settings=other)
    before = stranger.files()
    for table in ("calls", "simple_leads"):
        assert named in failure(stranger.materialize(table, DAYS[0]))
    assert named in failure(stranger.materialize("call_outcomes", DAYS[0]))
    assert stranger.files() == before


@pytest.mark.usefixtures("old")
def test_it_refuses_another_account_although_it_has_no_note(centre):
    stranger = centre(calls_per_day=40, username="other@elsewhere.example")
    before = stranger.files()
    sentence = failure(stranger.materialize("calls", DAYS[0]))
    assert "other@elsewhere.example" in sentence
    assert "api@nord-salg.example" in sentence
    assert stranger.files() == before


def test_days_are_those_of_the_world(old):
    assert [str(day) for day in old.lake.days(CALLS)] == DAYS
    assert old.now.date() == dt.date(2026, 11, 20)


def test_its_leaves_add_up_and_its_rates_say_what_they_lack(old):
    outcomes = hb.read("call_outcomes", level="leaf", data_dir=old.lake.root)
    paths = Counter(">".join(call.org_path).lower() for day in DAYS for call in old.truth(day))
    assert dict(outcomes.groupby(outcomes["org_key"].str.lower().str.replace(" › ", ">"))["calls"].sum()) == paths
    has_rate = f"SELECT date, bool_or(rate IS NOT NULL) FROM ({RATES}) GROUP BY date ORDER BY date"
    assert [str(day) for day, has in old.rows(has_rate) if has] == DAYS
    numbers = f"SELECT date, numerator, denominator, rate FROM ({RATES}) ORDER BY ALL"
    before = old.rows(numbers)
    old.load("leads,lead_conversion")
    assert old.rows(numbers) == before


def test_its_versions_get_their_lead_pool_and_stay_one_row_each(centre, tmp_path):
    with zipfile.ZipFile(LAKE) as archive:
        archive.extractall(tmp_path / "data")
    here = centre(calls_per_day=40, unknown_fields=True, lead_pools=True)
    query = "SELECT lead_id, last_modified_at, observed_at, origin FROM simple_leads ORDER BY ALL"
    gone = {lead for (lead,) in here.rows("SELECT lead_id FROM simple_leads WHERE status = 'Anonymized'")}
    before = sorted((alias(lead) if lead in gone else lead, *rest) for lead, *rest in here.rows(query))
    assert here.rows("SELECT count(lead_pool) FROM simple_leads") == [(0,)]
    here.load("simple_leads", DAYS[0], DAYS[-1])
    assert here.rows(query) == before
    assert here.rows("SELECT count(*) FROM simple_leads WHERE lead_pool IS NULL") == [(0,)]
    pool = here.rows("SELECT lead_pool FROM simple_leads")[0][0]
    assert "Manually created leads" in pool
