"""Stacks for the tests: one for a module's calm tests, and new ones for those that kill."""

import datetime as dt
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings
from herobase_pipeline_tests.conftest import ROOT
from herobase_pipeline_tests.stack.stack import Stack

pytest.register_assert_rewrite("herobase_pipeline_tests.stack.truth")
StartStack = Callable[..., Stack]
QUICK_S = 3
_RUNNING = pytest.StashKey[list[Stack]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A stack finds its processes in /proc, which only Linux has; of similar tests one is enough for every day."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            if not Path("/proc/self/environ").exists():
                item.add_marker(pytest.mark.skip(reason="needs /proc"))
            elif item.get_closest_marker("long") and not os.environ.get("LONG_TESTS"):
                item.add_marker(pytest.mark.skip(reason="long: make test-long, or LONG_TESTS=1"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of the stacks of a test that failed."""
    report = yield
    if report.failed:
        for stack in item.config.stash.get(_RUNNING, []):
            report.sections += [(f"{part} of {stack.home}", told) for part, told in stack.told()]
    return report


def quick(dagster_yaml: str) -> str:
    """The shipped dagster.yaml with its watchmen on shorter rounds: what they do is tested, not how long they sleep."""
    rounds = r"(poll_interval_seconds|free_slots_after_run_end_seconds): \d+"
    return re.sub(rounds, rf"\1: {QUICK_S}", dagster_yaml) + "\nrun_queue: {dequeue_interval_seconds: 1}\n"


def starting(config: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartStack]:
    """Yield a factory of stacks, and stop them afterwards."""
    with ExitStack() as ending:

        def start(
            *,
            tick: float | None = 2.0,
            calm: bool = True,
            environment: dict[str, str] | None = None,
            now: Callable[[], dt.datetime] | None = None,
            dagster: Callable[[str], str] = quick,
            before: Callable[[Stack], None] | None = None,
            **sandbox: Any,
        ) -> Stack:
            home = tmp_path_factory.mktemp("home")
            for name in ("dagster.yaml", "workspace.yaml", "pyproject.toml"):
                shutil.copy(ROOT / name, home)
            (home / "dagster.yaml").write_text(dagster((home / "dagster.yaml").read_text()))
            box = ending.enter_context(Sandbox(SandboxSettings(**{"calls_per_day": 100, **sandbox}), now=now))
            stack = Stack(home, box, tick=tick, calm=calm, environment=environment)
            running = config.stash.setdefault(_RUNNING, [])
            running.append(stack)
            ending.callback(running.remove, stack)
            ending.callback(stack.stop)
            if before:
                before(stack)
            return stack.start()

        yield start


@pytest.fixture
def start_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartStack]:
    """A factory of running stacks that end with the test.

    Keyword arguments are ``HEROBASE_SANDBOX_*`` in lower case, but for ``tick``, ``calm``, ``environment`` (see ``Stack``),
    ``now`` (the sandbox's clock) and ``dagster`` (what to make of the text of dagster.yaml; unset: ``quick``).
    """
    yield from starting(request.config, tmp_path_factory)


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running stack for the tests of a module that leave it as it was; each takes days of its own."""
    for start in starting(request.config, tmp_path_factory):
        yield start()


@pytest.fixture(autouse=True)
def _healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").sandbox.heal()
