"""A lake in which all leads lie in one file, as the code wrote it before there was a file a month (commit 0fd5114).

``lakes/0fd5114.zip`` holds four days of the sandbox's seed 1 with 40 calls a day and unknown fields, pulled on 2026-11-20 at
12:00 UTC with the PII key ``test key``, and all that is made of them.
"""

import zipfile
from pathlib import Path

import pytest

import herobase_pipeline as hb
from herobase_pipeline.deriving.leads import derive_leads
from herobase_pipeline.lake.identity import claim

LAKE = Path(__file__).parent / "lakes" / "0fd5114.zip"
MADE = "leads,lead_conversion,lead_cohorts,cumulative_incidence,org_history,drop_rates,metrics"


@pytest.fixture
def old(centre, tmp_path):
    """The call centre whose lake it is, with the lake as it was left."""
    with zipfile.ZipFile(LAKE) as archive:
        archive.extractall(tmp_path / "data")
    return centre(calls_per_day=40, unknown_fields=True)


def told(here):
    leads = hb.read("leads", data_dir=here.lake.root).drop(columns="active_dates").sort_values("lead_id")
    others = [here.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in MADE.split(",")[1:-1]]
    return leads.astype(str).to_numpy().tolist(), others


def test_it_is_read_as_it_lies_and_moves_by_itself_without_a_number_changing(old):
    before = told(old)
    assert len(before[0]) > 50
    assert {lead for (lead,) in old.rows("SELECT known_through FROM leads")} - {None}
    assert (old.lake.root / "lake" / "leads" / "part.parquet").exists()
    old.load(MADE)
    assert not (old.lake.root / "lake" / "leads" / "part.parquet").exists()
    assert sorted(path.parent.name for path in old.lake.root.glob("lake/leads/*/part.parquet")) == [
        "month=2026-10",
        "month=2026-11",
    ]
    assert told(old) == before
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
