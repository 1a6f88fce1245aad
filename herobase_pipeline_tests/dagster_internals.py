"""What the tests use of Dagster's private modules: all of it, as seen in 1.13.

When Dagster moves, look at: the loop over active steps (``execution/plan/active.py``), which waits for a retry by the ``time``
module that it imports; the data of engine and materialization events; the name of the job of ``materialize``; and the daemon's
interval, in ``_daemon/controller.py``.
"""

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from dagster._core.definitions.materialize import EPHEMERAL_JOB_NAME
from dagster._core.events import EngineEventData, StepMaterializationData
from dagster._core.execution.plan import active

__all__ = ["EPHEMERAL_JOB_NAME", "SWIFT_DAEMON", "EngineEventData", "StepMaterializationData", "wait_by"]

SWIFT_DAEMON = (
    "import sys\n"
    "from dagster._daemon import cli, controller\n"
    "controller.DEFAULT_DAEMON_INTERVAL_SECONDS = float(sys.argv.pop(1))\n"
    "cli.main()"
)
"""The daemon as ``dagster-daemon run`` starts it, but it looks after backfills every few seconds instead of every 30."""


def wait_by(patch: pytest.MonkeyPatch, now: Callable[[], dt.datetime], sleep: Callable[[float], None]) -> None:
    """Let steps that ask for a retry wait by another clock."""
    patch.setattr(active, "time", SimpleNamespace(time=lambda: now().timestamp(), sleep=sleep))
