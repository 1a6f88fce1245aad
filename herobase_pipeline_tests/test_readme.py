"""What the README says to type, typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from herobase_pipeline.tables import TABLES, VIEWS
from herobase_pipeline.tables.pages import PAGES
from herobase_pipeline_tests.test_commands import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_make_target_it_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"account", "alert", "deliveries", "demo", "dev", "test", "bench", "fields", "torture"} == set(
        re.findall(r"make ([a-z]+)", README)
    ) & targets


def test_it_names_every_table():
    assert all(f"`{table.name}`" in README for table in (*TABLES, *VIEWS))


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_those_of_the_declarations(page):
    written = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert written == PAGES[page](), f"python -m herobase_pipeline.tables.pages {page} > docs/{page}.md"


@pytest.mark.slow
def test_its_command_line_and_its_python_work(home: Path):
    commands = re.findall(r"\.venv/bin/(dagster [^`]+)`", README)
    assert len(commands) == 1
    program, *arguments = commands[0].split()
    done = run(program, *arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    day = arguments[arguments.index("--partition") + 1]
    for more in (["simple_leads,call_outcomes", "--partition", day], ["leads,lead_conversion"]):
        done = run(program, *arguments[: arguments.index("--select") + 1], *more, cwd=home)
        assert done.returncode == 0, done.stderr
    (python,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shown = subprocess.run([sys.executable, "-c", python], cwd=home, capture_output=True, text=True, check=True).stdout
    assert "Kundeservice" in shown
    assert "conversion_net" in shown
