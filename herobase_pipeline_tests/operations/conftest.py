"""What the tests of checks and of health share."""

from collections.abc import Callable

import pytest

from herobase_pipeline.operations import checks
from herobase_pipeline_tests.conftest import Centre


@pytest.fixture
def watched(centre: Callable[..., Centre], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Centre]:
    """A factory of call centres whose days are due by their own clock."""

    def start(**settings: object) -> Centre:
        here = centre(**settings)
        monkeypatch.setattr(checks, "utcnow", lambda: here.now)
        return here

    return start
