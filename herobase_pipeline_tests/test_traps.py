"""The pages of traps and of the API hold against the tests and against what the code says of them."""

import re
from collections.abc import Iterator
from pathlib import Path

from herobase_pipeline_tests.conftest import ROOT

TRAPS, API = ((ROOT / "docs" / page).read_text("utf-8") for page in ("traps.md", "api.md"))
TESTS = ROOT / "herobase_pipeline_tests"
WRITTEN = [
    path
    for path in (*(ROOT / "herobase_pipeline").rglob("*"), *(ROOT / "docs").glob("*.md"), *TESTS.rglob("*.py"))
    if path.suffix in {".py", ".sql", ".md", ".toml"}
]
CODE = re.compile(r"(?<![\w*}-])T\d{1,2}[abc]?(?![\w*-])")


def named(pattern: str) -> Iterator[tuple[Path, str]]:
    """What a pattern finds in code, tests and pages, over the ends of lines."""
    for path in WRITTEN:
        text = re.sub(r"\s*\n\s*(?:#|--)?\s*", " ", path.read_text("utf-8"))
        yield from ((path, found) for found in re.findall(pattern, text))


def test_every_test_on_the_page_exists():
    tests = re.findall(r"`([\w/]+\.py)::(test_\w+)`", TRAPS)
    assert len(tests) > 80
    for file, name in tests:
        assert re.search(rf"^def {name}\(", (TESTS / file).read_text("utf-8"), re.MULTILINE), f"{file}::{name}"


def test_every_trap_that_is_named_is_on_the_page():
    on_page = set(re.findall(r"^\| (T\d+[abc]?) \|", TRAPS, re.MULTILINE))
    assert on_page == {*(f"T{n}" for n in range(1, 41)), "T30a", "T30b", "T30c"}
    found = {(path.name, code) for path in WRITTEN for code in CODE.findall(path.read_text("utf-8"))}
    in_names = {
        (path.name, "T" + code)
        for path in TESTS.rglob("test_*.py")
        for codes in re.findall(r"^def test((?:_t\d+[abc]?)+)_", path.read_text("utf-8"), re.MULTILINE)
        for code in codes.split("_t")[1:]
    }
    assert len(found) > 80
    assert [(path, code) for path, code in sorted(found | in_names) if code not in on_page] == []


def test_every_trap_and_kind_has_a_test():
    without = [row for row in TRAPS.splitlines() if "(open)" in row]
    assert without == []


def test_what_is_said_to_be_in_the_api_reference_is_on_its_page():
    sections = r"\bAPI (?:reference(?:'s)?,? )?(?:section )?(\d(?:\.\d+)*)"
    found = {*named(sections), *named(r"\bAPI page, \"([^\"]+)\"")}
    assert len(found) > 10
    headings = re.findall(r"^## (\d[\d.]*|.+)", API, re.MULTILINE)
    assert sorted((path.name, section) for path, section in found if section not in headings) == []
