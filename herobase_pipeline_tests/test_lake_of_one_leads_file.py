"""A lake in which all leads lie in one file and tokens have 64 digits, as the code wrote it before (commit 0fd5114).

``lakes/0fd5114.zip`` holds four days of the sandbox's seed 1 with 40 calls a day and unknown fields, pulled on 2026-11-20 at
12:00 UTC with the PII key ``test key``, and all that is made of them.
"""

import hmac
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import herobase_pipeline as hb
from herobase_pipeline.deriving.leads import derive_leads
from herobase_pipeline.erasing.procedure import erase
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.tables import ERASED

LAKE = Path(__file__).parent / "lakes" / "0fd5114.zip"
MADE = "leads,lead_conversion,lead_cohorts,cumulative_incidence,org_history,drop_rates,metrics"


@pytest.fixture
def old(centre, tmp_path):
    """The call centre whose lake it is, with the lake as it was left."""
    with zipfile.ZipFile(LAKE) as archive:
        archive.extractall(tmp_path / "data")
    return centre(calls_per_day=40, unknown_fields=True)


NOT_KNOWN_THEN = ["active_dates", "attempts_to_contact"]


def told(here):
    leads = hb.read("leads", data_dir=here.lake.root).drop(columns=NOT_KNOWN_THEN).sort_values("lead_id")
    others = [here.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in MADE.split(",")[1:-1]]
    return leads.astype(str).to_numpy().tolist(), others


def test_it_is_read_as_it_lies_and_moves_by_itself_without_a_number_changing(old):
    before = told(old)
    assert len(before[0]) > 50
    assert {lead for (lead,) in old.rows("SELECT known_through FROM leads")} - {None}
    assert old.rows("SELECT count(attempts_to_contact) FROM leads") == [(0,)]
    assert (old.lake.root / "lake" / "leads" / "part.parquet").exists()
    old.load(MADE)
    assert not (old.lake.root / "lake" / "leads" / "part.parquet").exists()
    assert sorted(path.parent.name for path in old.lake.root.glob("lake/leads/*/part.parquet")) == [
        "month=2026-10",
        "month=2026-11",
    ]
    assert told(old) == before
    assert old.rows("SELECT count(*) FROM leads WHERE attempts_to_contact > 0") != [(0,)]
    dates = dict(old.rows("SELECT lead_id, active_dates FROM leads"))
    days = old.rows("SELECT lead_id, date FROM calls UNION SELECT lead_id, date FROM simple_leads")
    assert all(on in dates[lead] for lead, on in days if lead in dates)


def test_moving_that_is_cut_short_leaves_the_one_file_in_charge(old, monkeypatch):
    class Killed(BaseException):
        pass

    before, replace, left = told(old), Path.replace, [2]

    def killing(self, target):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killing)
    with pytest.raises(Killed):
        derive_leads(claim(old.lake, old.settings), old.settings.zone)
    monkeypatch.setattr(Path, "replace", replace)
    assert list(old.lake.root.glob("lake/leads/month=*/part.parquet"))
    assert told(old) == before
    old.load(MADE)
    assert told(old) == before


def tokens(here):
    return here.rows("SELECT call_id, phone_token FROM calls ORDER BY ALL")


def as_it_lies(path):
    return [row["phone_token"] for row in pq.ParquetFile(path).read(["phone_token"]).to_pylist() if row["phone_token"]]


def test_tokens_of_twice_the_length_are_read_as_those_of_now(old):
    files = sorted(old.lake.root.glob("lake/calls/*/part.parquet"))
    assert {len(token) for path in files for token in as_it_lies(path)} == {64}
    before = tokens(old)
    assert {len(token) for _, token in before if token} == {32}
    assert set(hb.read("calls", data_dir=old.lake.root)["phone_token"].dropna()) == {
        token for _, token in before if token
    }
    old.load("calls", files[0].parent.name.removeprefix("date="))
    assert {len(token) for token in as_it_lies(files[0])} == {32}
    assert {len(token) for path in files[1:] for token in as_it_lies(path)} == {64}
    assert tokens(old) == before


def test_who_was_erased_by_tokens_of_twice_the_length_stays_erased(old):
    numbers = old.rows(
        "SELECT lead_id, min(phone), min(calls.date) FROM calls JOIN call_phones USING (call_id) WHERE lead_id <> '' GROUP BY 1"
    )
    (one, number, _), (other, another, day) = sorted(numbers)[:2]
    lake = claim(old.lake, old.settings)
    erase(lake, old.settings.zone, [Request("phone", number, "list", old.now)])  # from files with long tokens
    assert not old.rows(f"SELECT * FROM calls WHERE lead_id = '{one}'")
    erase(lake, old.settings.zone, [Request("phone", another, "list", old.now)])
    lengthen_the_register(lake, number, another)
    old.load("calls,private/call_phones,simple_leads,private/lead_data", str(day))
    old.load(MADE)
    for lead in (one, other):
        assert not old.rows(f"SELECT * FROM calls WHERE lead_id = '{lead}'")
    assert not old.rows(f"SELECT * FROM call_phones WHERE phone IN ('{number}', '{another}')")


def lengthen_the_register(lake, *numbers):
    """Write the register as the commit before did: with the whole hash of each number."""
    path = lake.file(ERASED)
    whole = {}
    for number in numbers:
        for text in (number, number.lstrip("+")):
            found = hmac.new(b"test key", text.encode(), "sha256").hexdigest()
            whole[found[:32]] = found
    table = pq.read_table(path)
    rows = table.to_pylist()
    changed = [row for row in rows if row["identifier"] in whole]
    assert len(changed) >= 2 * len(numbers)
    for row in changed:
        row["identifier"] = whole[row["identifier"]]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
