"""The commands that people type, typed."""

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.sandbox import World
from herobase_pipeline.settings import SandboxSettings, Settings
from herobase_pipeline_tests.conftest import ROOT
from herobase_pipeline_tests.test_docs import demo

BIN = Path(sys.executable).parent
NOW = "2026-11-20T12:00:00Z"


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HEROBASE_", "DAGSTER_"))}
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd,
        env={**inherited, "HEROBASE_SANDBOX_NOW": NOW, "COLUMNS": "160", **environment},
        capture_output=True,
        text=True,
        timeout=600,  # it hangs: how long it takes is the machine's affair
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("days", ["2026-03-29", "2026-10-25", "2026-10-24...2026-10-26"])
def test_the_command_line_loads_exactly_the_worlds_calls(home, days):
    first, _, last = days.partition("...")
    which = ("--partition-range", days) if last else ("--partition", days)
    done = run(
        "dagster", "asset", "materialize", "-m", "herobase_pipeline.definitions", "--select", "calls", *which,
        cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    zone = Settings().zone
    start = day_bounds(dt.date.fromisoformat(first), zone).start
    end = day_bounds(dt.date.fromisoformat(last or first), zone).end
    truth = sorted(call.id for call in World(SandboxSettings()).calls(start, end, dt.datetime.fromisoformat(NOW)))
    with duckdb.connect(home / "data" / "herobase.duckdb", read_only=True) as con:
        assert [call_id for (call_id,) in con.execute("SELECT call_id FROM calls ORDER BY 1").fetchall()] == truth


@pytest.mark.slow
def test_the_demo_ends_with_three_tables_and_runs_again_in_no_time(tmp_path, tmp_path_factory):
    shown, home = demo(tmp_path_factory), tmp_path / "again"
    first = (shown / "demo.txt").read_text(encoding="utf-8")
    assert re.search(r"\(all\) +[\d,]{5,} ", first)
    assert "Team Blå" in first
    assert "by the system" in first
    assert re.search(r"hero +delivered +\d+", first)
    assert str(shown / "data" / "lake") in first
    assert (shown / ".dagster").is_dir()
    shutil.copytree(shown, home, symlinks=True)
    again = run("herobase-demo", cwd=home, HEROBASE_SANDBOX_NOW="")
    assert again.stdout.startswith("All 14 days are loaded already")
    before = first.replace(str(shown), str(home)).splitlines()
    assert again.stdout.splitlines()[1:] == before[-len(again.stdout.splitlines()) + 1 :]


def test_the_demo_does_not_mix_with_a_real_account(home):
    login = {
        "HEROBASE_URL": "https://x.herobase.com",
        "HEROBASE_USERNAME": "a",
        "HEROBASE_PASSWORD": "b",
        "HEROBASE_PII_KEY": "c",
    }
    done = run("herobase-demo", cwd=home, **login)
    assert done.returncode == 2
    assert "HEROBASE_URL is set" in done.stdout
    assert not (home / "data").exists()


def test_a_url_without_a_login_is_one_clear_sentence(home):
    done = run(
        "dagster", "definitions", "validate", "-m", "herobase_pipeline.definitions",
        cwd=home, HEROBASE_URL="https://wshero01.herobase.com",
    )  # fmt: skip
    assert done.returncode != 0
    assert (
        "HEROBASE_URL is set, so HEROBASE_USERNAME and HEROBASE_PASSWORD must be set too" in done.stdout + done.stderr
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["dagster definitions validate -w workspace.yaml", "dg check defs"])
def test_definitions_are_valid(home, command):
    done = run(*command.split(), cwd=ROOT if command.startswith("dg") else home)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_says_that_no_day_is_over_yet(home):
    today = dt.datetime.now(Settings().zone).date()
    for start in (today, today + dt.timedelta(days=400)):
        done = run("herobase-demo", cwd=home, HEROBASE_START_DATE=str(start))
        assert done.returncode == 2, done.stderr
        assert f"No day is over yet since HEROBASE_START_DATE, {start}" in done.stdout
        assert not done.stderr


@pytest.mark.slow
def test_the_demo_of_a_centre_without_calls_says_that_there_are_none(home):
    start = dt.datetime.now(Settings().zone).date() - dt.timedelta(days=1)
    none = {
        "HEROBASE_START_DATE": str(start),
        "HEROBASE_SANDBOX_CALLS_PER_DAY": "0",
        "ALL_PROXY": "socks5://127.0.0.1:9",
    }
    done = run("herobase-demo", cwd=home, HTTP_PROXY="http://127.0.0.1:9", **none)
    assert done.returncode == 0, done.stderr
    assert "no calls in these days" in done.stdout
    assert "no leads in these days" in done.stdout


@pytest.mark.slow
def test_the_demo_shows_two_sites(home):
    (home / "sites").mkdir()
    for name, seed in (("nord", 1), ("syd", 2)):
        (home / "sites" / f"{name}.env").write_text(
            f"HEROBASE_SANDBOX_SEED={seed}\nHEROBASE_SANDBOX_CALLS_PER_DAY=60\n"
        )
    start = dt.datetime.now(Settings().zone).date() - dt.timedelta(days=2)
    done = run("herobase-demo", cwd=home, HEROBASE_START_DATE=str(start), HEROBASE_SANDBOX_NOW="")
    assert done.returncode == 0, done.stderr
    nord, _, syd = done.stdout.partition("syd ─")
    assert nord.startswith("nord ─")
    for name, shown in (("nord", nord), ("syd", syd)):
        assert re.search(r"\(all\) +[\d,]{2,} ", shown)
        assert str(home / "data" / name / "lake") in shown


def test_the_sites_in_the_box_are_two_call_centres():
    given = ROOT / "herobase_pipeline" / "sandbox" / "sites"
    code = "from herobase_pipeline.sites import all_settings; print([s.sandbox.seed for s in all_settings().values()])"
    done = run("python", "-c", code, cwd=ROOT, HEROBASE_SITES_DIR=str(given))
    assert done.stdout == "[1, 2]\n", done.stderr
