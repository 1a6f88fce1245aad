"""A sandbox whose clock stands at noon of a Friday, and a way to ask it."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from herobase_pipeline.sandbox import Sandbox, World
from herobase_pipeline.settings import SandboxSettings

NOW = dt.datetime(2026, 11, 20, 12, 0, 30, tzinfo=dt.UTC)
ROOT = "Nord-Salg A/S"
Ask = Callable[..., requests.Response]


def made(**settings: Any) -> SandboxSettings:
    """Settings without the environment's or a ``.env`` file's."""
    return SandboxSettings(_env_file=None, **settings)


def asker(sandbox: Sandbox, session: requests.Session) -> Ask:
    def ask(path: str, headers: dict[str, str] | None = None, method: str = "GET", **params: Any) -> requests.Response:
        return session.request(method, sandbox.url + path, params=params, headers=headers, timeout=20)

    return ask


@pytest.fixture(scope="session")
def world() -> World:
    return World(made(), lambda: NOW)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(made(daily_limit=1_000_000, naive_cost_outside=1), now=lambda: NOW) as box:
        yield box


@pytest.fixture
def ask(sandbox: Sandbox) -> Iterator[Ask]:
    with requests.Session() as session:
        session.auth = (sandbox.username, sandbox.password)
        yield asker(sandbox, session)


@pytest.fixture
def boxed() -> Iterator[Callable[..., tuple[Sandbox, Ask]]]:
    """A factory of small sandboxes: ``boxed(now=..., **settings)`` gives one and a way to ask it."""
    opened: list[tuple[Sandbox, requests.Session]] = []

    def start(now: Callable[[], dt.datetime] = lambda: NOW, **settings: Any) -> tuple[Sandbox, Ask]:
        box = Sandbox(made(**{"calls_per_day": 400, **settings}), now=now).start()
        session = requests.Session()
        session.auth = (box.username, box.password)
        opened.append((box, session))
        return box, asker(box, session)

    yield start
    for box, session in opened:
        session.close()
        box.stop()
