"""A failing check stays to be seen while today is refreshed again and again, and is gone soon after its cause is."""

import datetime as dt
import re
import time
import warnings
from collections.abc import Iterator

import pandas as pd
import pytest

import herobase_pipeline as hb
from herobase_pipeline.operations.jobs import REFRESH_TODAY
from herobase_pipeline.tables import CALL_OUTCOMES
from herobase_pipeline_tests.stack.conftest import starting
from herobase_pipeline_tests.stack.screen import Screen, browsing, needs_chromium
from herobase_pipeline_tests.stack.stack import PULLED, Stack

pytestmark = [pytest.mark.slow, needs_chromium]
REFRESHES = 2
AT_ONCE_S = 30
"""Seconds that a step takes to be checked, on a busy machine."""
SOON_S = 240
GAP = 3  # days ago
NO_GAP = "no_gap_days"


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that runs by itself, refreshed each minute, with five days of which one was left out."""
    for start in starting(request.config, tmp_path_factory):
        first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=5)
        stack = start(calm=False, environment={"HEROBASE_START_DATE": str(first), "HEROBASE_REFRESH_CRON": "* * * * *"})
        today = dt.date.fromisoformat(stack.today)
        days = [str(today - dt.timedelta(days=ago)) for ago in (5, 4, 2, 1)]
        loading = stack.launch_backfill([*PULLED, CALL_OUTCOMES.name], days)
        assert stack.wait_for_backfill(loading) == "COMPLETED_SUCCESS"
        yield stack


@pytest.fixture(scope="module")
def screen(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with browsing(stack, tmp_path_factory.mktemp("screens")) as screen:
        yield screen


def health(stack: Stack) -> pd.DataFrame:
    """What is wrong of calls, by check."""
    with warnings.catch_warnings(action="ignore"):
        try:
            rows = hb.read("health", data_dir=stack.data)
        except hb.NotLoadedError:
            return pd.DataFrame(columns=["check", "table_name"])
    return rows[rows["table_name"] == "calls"].set_index("check")


def is_red(screen: Screen, asset: str) -> bool:
    """Whether an asset's card in the lineage is red."""
    names = screen.all(f"//*[local-name() = 'foreignObject']//*[text() = '{asset}']")
    colours = """
        const found = []
        for (let part = arguments[0]; part.tagName != 'foreignObject'; part = part.parentElement)
            found.push(getComputedStyle(part).backgroundColor)
        return found
    """
    found = [colour for name in names for colour in screen.driver.execute_script(colours, name)]
    shades = [list(map(float, re.findall(r"[\d.]+", colour))) for colour in found]
    return any(red > 1.04 * green and red > 1.04 * blue for red, green, blue, *_ in shades)


def test_a_failing_check_is_red_while_today_is_refreshed_and_green_once_its_cause_is_gone(stack, screen):
    missing = str(dt.date.fromisoformat(stack.today) - dt.timedelta(days=GAP))
    stack.wait_for(lambda: NO_GAP in health(stack).index, "the gap in health", seconds=SOON_S)
    since = health(stack).loc[NO_GAP, "since"]
    done_before = len(stack.runs(pipelineName=REFRESH_TODAY, statuses=["SUCCESS"]))

    grey = 0.0
    while len(stack.runs(pipelineName=REFRESH_TODAY, statuses=["SUCCESS"])) < done_before + REFRESHES:
        began = time.monotonic()
        state = stack.checks("calls")[NO_GAP]
        time.sleep(1)
        grey += time.monotonic() - began if state is None else 0
        assert state in ("FAILED", "IN_PROGRESS", None)
        assert NO_GAP in health(stack).index
    assert grey < AT_ONCE_S
    assert health(stack).loc[NO_GAP, "since"] == since
    assert health(stack).loc[NO_GAP, "days"] == missing
    assert f"the latest {missing}: not loaded. Materialize the days listed" in health(stack).loc[NO_GAP, "message"]

    screen.open(f"assets/calls?view=checks&checkDetail={NO_GAP}")
    screen.says(f"1 to look at, the latest {missing}: not loaded")
    screen.keep("check_of_calls")
    screen.open("assets/calls?view=lineage")
    for asset in ("calls", "health"):
        stack.wait_for(lambda asset=asset: is_red(screen, asset), f"a red card of {asset}", seconds=AT_ONCE_S)
    screen.keep("lineage")
    screen.open("assets/health", height=1500)
    screen.all(f"//*[contains(text(), '{NO_GAP} of calls')]")
    screen.keep("health")

    stack.launch_backfill([*PULLED, CALL_OUTCOMES.name], [missing])
    began = time.monotonic()
    stack.wait_for(
        lambda: stack.checks("calls")[NO_GAP] == "SUCCEEDED" and NO_GAP not in health(stack).index,
        "the check to be green and gone from health",
        seconds=SOON_S,
    )
    assert time.monotonic() - began < SOON_S
    screen.open("assets/calls?view=checks")
    screen.keep("green")
