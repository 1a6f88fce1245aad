"""The roll-up over the hierarchy, against plain Python, for hierarchies of every kind."""

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.deriving.by_day import derive_by_day
from herobase_pipeline.deriving.tables import derive_days
from herobase_pipeline.lake.engine import ORG_KEY
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, LEAD_CONVERSION, LEADS
from herobase_pipeline_tests.tables.making import ZONE, fill, read

DAYS = [dt.date(2026, 3, 2), dt.date(2026, 3, 3)]
START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)

path = st.lists(st.sampled_from(["Root", "ROOT", "Syd", "syd", "Øst", "øst", "Team 1"]), max_size=4)
row = st.tuples(
    path,
    st.sampled_from([*DAYS]),
    st.sampled_from(["C1", None]),
    st.sampled_from(["Busy", "NormalDisconnect"]),
    st.booleans(),
)


def check(rows: list[dict[str, object]], day: str, measure: str, expected: Counter) -> None:
    """Every node has its count under one key and one name a day, and each level adds up."""
    found: Counter = Counter()
    spellings: dict[tuple, set] = {}
    for record in rows:
        node = tuple(code.lower() for code in record["org_path"])
        assert record["org_level"] == len(node)
        assert record["org_key"] == " › ".join(record["org_path"])
        assert record["org_code"] == (record["org_path"][-1] if node else None)
        found[
            record[day], node, record["campaign_id"], record[{"calls": "end_cause", "leads": "closure"}[measure]]
        ] += record[measure]
        spellings.setdefault((record[day], node), set()).add((record["org_key"], record["org_name"]))
    assert found == expected
    assert len(rows) == len(found)
    assert all(len(spelled) == 1 for spelled in spellings.values())


@settings(max_examples=40, deadline=None)
@given(st.lists(row, min_size=1, max_size=30))
def test_t24_t30_t30b_outcomes_of_any_calls(calls):
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        expected: Counter = Counter()
        for day in DAYS:
            rows = []
            for n, (org_path, _, campaign, cause, connected) in enumerate(call for call in calls if call[1] == day):
                names = [f"{code} named {n % 3}" for code in org_path]
                rows.append(
                    {"call_id": f"{n}", "started_at": START + dt.timedelta(minutes=n), "org_path": org_path, "org_names": names,
                     "campaign_id": campaign, "end_cause": cause, "connected": connected}
                )  # fmt: skip
                for level in range(len(org_path) + 1):
                    expected[day, tuple(code.lower() for code in org_path[:level]), campaign, cause] += 1
            fill(lake, CALLS, rows, day)
        derive_days(lake, ZONE, CALL_OUTCOMES, [CALLS], DAYS)
        outcomes = read(lake, CALL_OUTCOMES)
        check(outcomes, "date", "calls", expected)
        for level in range(5):
            deep_enough = sum(len(org_path) >= level for org_path, *_ in calls)
            assert sum(record["calls"] for record in outcomes if record["org_level"] == level) == deep_enough


@settings(max_examples=40, deadline=None)
@given(st.lists(row, max_size=30))
def test_t30b_conversion_of_any_leads(leads):
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        expected: Counter = Counter()
        rows = []
        for n, (org_path, day, campaign, closure, is_open) in enumerate(leads):
            closed = None if is_open else START + dt.timedelta(minutes=n)
            names = [f"{code} named {n % 3}" for code in org_path]
            rows.append(
                {"lead_id": f"{n}", "closed_at": closed, "closed_date": day, "org_path": org_path, "org_names": names,
                 "campaign_id": campaign, "closure": closure}
            )  # fmt: skip
            for level in range(len(org_path) + 1):
                if not is_open:
                    expected[day, tuple(code.lower() for code in org_path[:level]), campaign, closure] += 1
        fill(lake, LEADS, rows)
        derive_by_day(lake, ZONE, LEAD_CONVERSION)
        check(read(lake, LEAD_CONVERSION), "closed_date", "leads", expected)


code = st.text("ab› ", min_size=1, max_size=5).map(str.strip).filter(bool)  # codes come without blanks around them


@given(one=st.lists(code, min_size=1, max_size=3), other=st.lists(code, min_size=1, max_size=3))
def test_two_paths_never_have_one_key(one, other):
    with duckdb.connect() as con:
        con.execute(ORG_KEY)
        ((is_one_key,),) = con.execute(
            "SELECT org_key($1::VARCHAR[]) = org_key($2::VARCHAR[])", [one, other]
        ).fetchall()
    assert is_one_key == (one == other)


def test_the_key_of_plain_codes_is_the_codes_joined():
    with duckdb.connect() as con:
        con.execute(ORG_KEY)
        assert con.execute("SELECT org_key(['Nord', 'Salg']), org_key(['a › b']), org_key([])").fetchall() == [
            ("Nord › Salg", "a ›› b", "")
        ]
