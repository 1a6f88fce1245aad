"""What the pages in docs/ say to type, typed: each page from its first line to its last, in a fresh clone."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from herobase_pipeline.definitions import defs
from herobase_pipeline.delivering.declarations import delivery
from herobase_pipeline.fields.declarations import declaration
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings, Settings
from herobase_pipeline.tables import LEADS
from herobase_pipeline_tests.conftest import ROOT, once

GIT, MAKE = str(shutil.which("git")), str(shutil.which("make"))
DOCS = sorted(ROOT.glob("docs/*.md"))
TYPED_ELSEWHERE = {
    "make test": "it is what runs this",
    "make bench": "it takes long",
    **{f'make deliveries ARGS="3f2a90c1 {word}"': "delivering" for word in ("arrived", "again", "settled")},
    "make alert": "operations/test_alerts",
    ".venv/bin/dagster instance migrate": "stack",
    ".venv/bin/herobase-move data s3://bucket/prefix": "test_object_store",
    ".venv/bin/herobase-move s3://bucket/prefix data": "test_object_store",
    ".venv/bin/python -m benchmarks.scale --docs docs": "it takes long",
    ".venv/bin/dagster-webserver -w workspace.yaml": "stack",
    ".venv/bin/dagster-daemon run -w workspace.yaml": "stack",
    ".venv/bin/python -m herobase_pipeline.tables.pages metrics > docs/metrics.md": "test_readme",
    ".venv/bin/python -m herobase_pipeline.tables.pages tables > docs/tables.md": "test_readme",
}
IN_SQL = "import sys, herobase_pipeline as hb\nprint(hb.connect().sql(sys.stdin.read()).df().to_string())"


class Block(NamedTuple):
    """A fenced block of a page: its language, and its text."""

    kind: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [
        Block(*found)
        for found in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    ]


@dataclass
class Clone:
    """A fresh clone whose environment is installed already, and an account for it."""

    home: Path
    sandbox: Sandbox

    @classmethod
    def fresh(cls, home: Path, sandbox: Sandbox) -> Self:
        files = subprocess.run([GIT, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, files.split("\0")):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / name)
        (home / ".venv").symlink_to(sys.prefix)
        return cls(home, sandbox)

    @property
    def environment(self) -> dict[str, str]:
        # MAKE…: what is typed here is not a part of the `make test` around it, which would say so in each output
        of_others = ("HEROBASE_", "DAGSTER_", "MAKE", "MFLAGS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(of_others)}
        return {**kept, "PYTHONPATH": str(self.home), "COLUMNS": "160"}

    def follow(self, block: Block) -> None:
        """Do as a block of a page says: run it, or write the file that its first line names."""
        first, _, rest = block.text.partition("\n")
        if named := re.fullmatch(r"(?:#|--) ([\w./]+\.\w+|\.env)", first):
            text = rest.replace("https://yoursite.herobase.com", self.sandbox.url)
            text = text.replace("api@yourcompany.example", self.sandbox.username)
            text = text.replace("the-password", self.sandbox.password)
            (self.home / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (self.home / named[1]).write_text(text, encoding="utf-8")
            return
        match block.kind:
            case "sh":
                for line in block.text.splitlines():
                    self.type(line)
            case "python":
                self.run(sys.executable, "-c", block.text)
            case "sql":
                self.run(sys.executable, "-c", IN_SQL, given=block.text)
            case "diff":
                self.run(GIT, "apply", "-", given=block.text)
            case "toml" if "destination" in tomllib.loads(block.text):
                delivery("example", block.text.encode(), "docs", LEADS.names)
            case "toml":
                declaration("example", block.text.encode(), "docs")
            case kind:
                raise AssertionError(f"a block of {kind}, which nobody tries")

    def type(self, line: str) -> None:
        if line == "make dev":
            see_the_ui(self.home, self.environment)
        else:  # the environment is installed
            self.run("bash", "-euo", "pipefail", "-c", re.sub(r"^make ", "make -o .venv/ready ", line))

    def run(self, *command: str, given: str = "") -> str:
        done = subprocess.run(
            command, cwd=self.home, env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone in which ``make demo`` was typed, once for all workers; ``demo.txt`` in it is what that printed."""

    def show(home: Path) -> None:
        printed = Clone.fresh(home, Sandbox(SandboxSettings())).run(MAKE, "-o", ".venv/ready", "demo")
        (home / "demo.txt").write_text(printed, encoding="utf-8")

    return once(tmp_path_factory, "demo", show)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Clone]]:
    """The clone in which a page is followed.

    Those that begin with the demo share one, as it takes half a minute; it is a copy of one that a worker has made for all.
    """
    sandbox = Sandbox(SandboxSettings()).start()
    made: dict[str, Clone] = {}

    def of(page: Path) -> Clone:
        name = "demo" if blocks(page)[0].text.startswith("make demo") else page.stem
        if name not in made:
            home = tmp_path_factory.mktemp(name) / "clone"
            if name == "demo":
                shutil.copytree(demo(tmp_path_factory), home, symlinks=True)
                made[name] = Clone(home, sandbox)
            else:
                made[name] = Clone.fresh(home, sandbox)
        return made[name]

    yield of
    sandbox.stop()


def see_the_ui(home: Path, environment: dict[str, str]) -> None:
    """Start what ``make dev`` starts, on a port that is free, and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    makefile = (home / "Makefile").read_text(encoding="utf-8")
    assert "--port 3000" in makefile
    (home / "Makefile").write_text(makefile.replace("--port 3000", f"--port {port}"), encoding="utf-8")
    with subprocess.Popen(
        [MAKE, "-o", ".venv/ready", "dev"],
        cwd=home,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as ui:
        try:
            for _ in range(120):
                assert ui.poll() is None
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=10):
                        return
                except urllib.error.URLError:
                    time.sleep(1)
            raise AssertionError("the UI did not come")
        finally:
            os.killpg(ui.pid, signal.SIGINT)
            ui.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in DOCS if blocks(page)], ids=lambda page: page.stem)
def test_a_page_can_be_followed_from_its_first_line_to_its_last(page, clone):
    here = clone(page)
    for block in blocks(page):
        here.follow(block)


def test_every_command_on_a_page_is_typed_by_a_test():
    pages = {page.name: page.read_text("utf-8") for page in DOCS}
    in_blocks = {
        line for page in DOCS for block in blocks(page) if block.kind == "sh" for line in block.text.splitlines()
    }
    inline = {
        found for text in pages.values() for found in re.findall(r"`((?:make |\.venv/bin/)[^`\n]+)`", text)
    }  # fmt: skip
    assert inline - in_blocks <= set(TYPED_ELSEWHERE)
    assert set(TYPED_ELSEWHERE) - {"make bench"} <= inline | in_blocks


def test_links_lead_somewhere_and_settings_exist():
    for page in (*DOCS, ROOT / "README.md"):
        text = page.read_text(encoding="utf-8")
        links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
        assert [link for link in links if not (page.parent / link).exists()] == []
        named = {name.removeprefix("HEROBASE_").lower() for name in re.findall(r"HEROBASE_[A-Z_]+", text)}
        assert named <= {
            *Settings.model_fields,
            "site",
            "sites_dir",
            *(f"sandbox_{name}" for name in SandboxSettings.model_fields),
        }


def test_the_index_has_every_page_and_operate_all_that_runs_by_itself():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert {page.name for page in DOCS} - {"README.md"} == set(re.findall(r"\]\((\w+\.md)\)", index))
    operate = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    assert all(f"| `{each.name}` |" in operate for each in (*defs.schedules, *defs.sensors))
