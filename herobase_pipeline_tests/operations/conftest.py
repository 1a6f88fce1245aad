"""What the tests of checks, health, alerts and schedules share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from herobase_pipeline.operations import checks
from herobase_pipeline_tests.conftest import Centre


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster that keeps its state. Whoever also wants centres asks for it first, as the last Dagster has to be left first."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


@pytest.fixture
def watched(centre: Callable[..., Centre], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Centre]:
    """A factory of call centres whose days are due by their own clock."""

    def start(**settings: object) -> Centre:
        here = centre(**settings)
        monkeypatch.setattr(checks, "utcnow", lambda: here.now)
        return here

    return start
