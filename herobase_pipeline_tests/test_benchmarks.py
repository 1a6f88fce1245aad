"""What `make bench` measures runs, with so little that its numbers say nothing; nothing fails for being slow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report import RESULTS

REPOSITORY = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_short_form_runs_all_of_it_and_keeps_nothing(tmp_path):
    page = REPOSITORY / "benchmarks" / "RESULTS.md"
    before = page.read_bytes()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HEROBASE_", "DAGSTER_"))}
    command = [sys.executable, "-m", "benchmarks", "--short"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for title in (
        "2,000 leads with 60 fields of their own",
        "over a wire held to 25 MB/s",
        "Where the time of landing",
        "50 new calls in a day of",
        "A backfill of 2 days",
        "Requests of a day of refreshes",
        "The derived tables of 40 days",
        "Tables of the year by pandas",
        "Reading the year in a notebook",
        "The derived tables as a lake of 500 calls a workday grows",
    ):
        assert title in done.stdout
    assert page.read_bytes() == before


def test_a_table_is_kept_as_it_is_shown(tmp_path, monkeypatch, capsys):
    from benchmarks.report import show

    monkeypatch.setenv(RESULTS, str(tmp_path / "page.md"))
    show("Title", ["", "seconds"], [["ours", "1.0"]], ["a note"])
    assert (tmp_path / "page.md").read_text() == (
        "## Title\n\n|  | seconds |\n| :-- | --: |\n| ours | 1.0 |\n\n- a note\n\n"
    )
    assert "a note" in capsys.readouterr().out
