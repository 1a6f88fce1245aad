"""Whose lake it is: another account, zone or key is refused by every writer, and a copy answers for itself."""

import os
import shutil
import subprocess
import sys

import pytest

import herobase_pipeline as hb
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.pulling.calls import pull_calls
from herobase_pipeline.pulling.overlap import finish
from herobase_pipeline.settings import Settings
from herobase_pipeline_tests.conftest import failure

DAY = "2026-11-18"
OTHERS = {
    "another account": ({"username": "other@elsewhere.example"}, {}, "HEROBASE_USERNAME"),
    "another zone": ({}, {"timezone": "Europe/London"}, "Europe/London"),
    "another key": ({}, {"pii_key": "another key"}, "HEROBASE_PII_KEY"),
    "the sandbox, as the URL was lost": ({}, {"url": None}, "the sandbox, seed 1"),
}
WRITERS = {
    "calls": DAY,
    "simple_leads": DAY,
    "call_outcomes": DAY,
    "users": None,
    "leads": None,
    "metrics": None,
    "private/lead_fields": None,
}


@pytest.fixture
def lake(centre):
    here = centre(calls_per_day=40)
    here.load("calls,simple_leads,call_outcomes", DAY)
    here.load("users,leads")
    return here


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.usefixtures("lake")
def test_every_writer_with_another_identity_is_refused_and_nothing_is_changed(centre, other):
    sandbox, settings, named = OTHERS[other]
    stranger = centre(calls_per_day=40, settings=settings, **sandbox)
    before = stranger.files()
    for table, day in WRITERS.items():
        sentence = failure(stranger.materialize(table, day))
        assert named in sentence, table
        assert "HEROBASE_DATA_DIR" in sentence
    assert stranger.files() == before
    assert [served.path for served in stranger.sandbox.requests] == []


def test_a_pull_without_dagster_is_refused_too(lake):
    settings = lake.settings.model_copy(update={"timezone": "Europe/London"})
    with pytest.raises(ForeignLakeError, match="Europe/Copenhagen, and now it is Europe/London"):
        finish(pull_calls(lake.now.date(), herobase(settings), lake.lake, settings))


def test_the_same_account_by_another_spelling_is_no_stranger(lake):
    assert claim(lake.lake, lake.settings.model_copy(update={"username": lake.settings.username.upper()}))


def test_a_folder_without_a_table_can_be_claimed_anew(centre):
    mistyped = centre(username="typo@elsewhere.example", settings={"password": "wrong"})
    assert not mistyped.materialize("calls", DAY).success
    right = centre(calls_per_day=40)
    right.load("calls", DAY)
    assert notes.read(right.lake, "identity")["account"].endswith(right.settings.username)


def test_the_demos_lake_refuses_an_account_whose_data_folder_was_forgotten(centre, tmp_path):
    here = centre(calls_per_day=40)
    demo = Settings(data_dir=tmp_path / "demo", start_date="2026-11-18")
    pulled = here.settings.model_copy(update={"data_dir": demo.data_dir})
    claim(type(here.lake)(demo.data_dir), demo)
    (here.lake.root.parent / "demo" / "lake" / "users" / f"date={DAY}").mkdir(parents=True)
    (here.lake.root.parent / "demo" / "lake" / "users" / f"date={DAY}" / "part.parquet").write_bytes(b"PAR1")
    with pytest.raises(ForeignLakeError, match="filled with the sandbox, seed 1, and now it is"):
        claim(type(here.lake)(demo.data_dir), pulled)


def test_the_demo_says_that_the_folder_is_an_accounts(lake, home):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEROBASE_")}
    done = subprocess.run(
        [sys.executable, "-m", "herobase_pipeline.demo"],
        cwd=home,
        env=environment | {"HEROBASE_DATA_DIR": str(lake.lake.root), "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "was filled with 127.0.0.1" in " ".join(done.stdout.split())


def test_a_notebook_reads_the_accounts_lake_and_not_the_demos(lake, home):
    """The README's own steps: ``.env`` beside workspace.yaml, a notebook in a folder below."""
    (home / ".env").write_text("HEROBASE_DATA_DIR=data/mysite\n", encoding="utf-8")
    shutil.rmtree(home / "data" / "mysite", ignore_errors=True)
    shutil.copytree(lake.lake.root, home / "data" / "mysite")
    (home / "notebooks").mkdir()
    code = f"import herobase_pipeline as hb; print(len(hb.read('calls', '{DAY}', '{DAY}')))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEROBASE_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home / "notebooks", env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(len(lake.truth(DAY))), done.stderr


def test_a_copy_answers_for_itself_and_a_moved_lake_goes_on_answering(lake, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(lake.lake.root, copy)
    shutil.rmtree(copy / "lake" / "calls" / f"date={DAY}")
    with hb.connect(copy) as con:
        assert con.execute("SELECT count(*) FROM calls").fetchall() == [(0,)]
        assert con.execute("SELECT count(*) FROM leads").fetchall() == lake.rows("SELECT count(*) FROM leads")
    calls = lake.rows("SELECT count(*) FROM calls")
    moved = tmp_path / "moved"
    lake.lake.root.rename(moved)
    with hb.connect(moved) as con:
        assert con.execute("SELECT count(*) FROM calls").fetchall() == calls != [(0,)]
        assert con.execute("SELECT count(*) FROM outcome_rates").fetchall() != [(0,)]
