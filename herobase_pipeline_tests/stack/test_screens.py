"""What a person sees: the running UI in headless Chromium.

``SCREENSHOTS=folder`` keeps the pictures; two of them are in ``docs``.
"""

import datetime as dt
from collections.abc import Iterator

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from herobase_pipeline.operations.jobs import CHECK, DERIVE
from herobase_pipeline.tables import CALL_OUTCOMES
from herobase_pipeline_tests.stack.conftest import starting
from herobase_pipeline_tests.stack.screen import Screen, browsing, needs_chromium
from herobase_pipeline_tests.stack.stack import PULLED, Stack

pytestmark = [pytest.mark.slow, needs_chromium]
GROUPS = ("herobase", "call_records", "lead_records", "directory", "counts", "rates")
LOADED = 35  # days
GAP = 4  # days ago


@pytest.fixture(scope="module")
def today(stack: Stack) -> dt.date:
    return dt.date.fromisoformat(stack.today)


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with five weeks, of which one day was left out, and with all that is made of them, checked."""
    for start in starting(request.config, tmp_path_factory):
        first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=LOADED)
        stack = start(
            environment={"HEROBASE_START_DATE": str(first), "HEROBASE_BACKFILL_DAYS": "31"}, calls_per_day=400
        )
        today = dt.date.fromisoformat(stack.today)
        days = [str(today - dt.timedelta(days=ago)) for ago in range((today - first).days, 0, -1) if ago != GAP]
        assert (
            stack.wait_for_backfill(stack.launch_backfill([*PULLED, CALL_OUTCOMES.name], days)) == "COMPLETED_SUCCESS"
        )
        for job in (DERIVE, CHECK):
            assert stack.wait_for_run(stack.launch_job(job), seconds=120).status == "SUCCESS"
        yield stack


@pytest.fixture(scope="module")
def screen(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with browsing(stack, tmp_path_factory.mktemp("screens")) as screen:
        yield screen


def test_the_graph_begins_at_herobase_and_ends_in_rates(screen):
    screen.open("asset-groups", height=620)
    node = "//*[local-name() = 'foreignObject']//*[text() = '{}']"
    across = {group: screen.all(node.format(group))[0].location["x"] for group in GROUPS}
    assert min(across, key=lambda group: across[group]) == "herobase"
    assert max(across, key=lambda group: across[group]) == "rates"
    screen.keep("graph")


def test_the_numbers_of_the_days_are_plotted(screen):
    screen.open("assets/calls", height=1300)
    screen.says("Plots").click()
    for number in ("dagster/partition_row_count", "requests", "bytes", "seconds", "quota_left", "lag_s"):
        screen.says(number)
    plots = screen.all("//canvas")
    assert len(plots) >= 6
    screen.driver.execute_script("arguments[0].scrollIntoView({block: 'end'})", plots[-1])
    screen.keep("plots")


def test_the_partitions_show_what_is_missing_and_what_each_day_took(screen, stack, today):
    screen.open("assets/calls?view=partitions")
    screen.says("Missing (2)")  # the day that was left out, and today
    yesterday = str(today - dt.timedelta(days=1))
    screen.says(yesterday).click()
    screen.says("quota_left")
    screen.keep("partitions")
    assert screen.says(f"Materialized ({len(stack.lake.days(CALL_OUTCOMES))})")


def test_a_failed_check_names_the_day_and_what_to_do(screen, today):
    screen.open("assets/calls?view=checks&checkDetail=no_gap_days")
    screen.says(f"1 to look at, the latest {today - dt.timedelta(days=GAP)}: not loaded")
    screen.all("//*[contains(text(), 'Materialize the days listed.')]")
    screen.keep("check")


@pytest.mark.parametrize("asset", ["lead_conversion", "call_outcomes"])
def test_the_picture_of_a_metric_is_shown(screen, asset):
    screen.open(f"assets/{asset}" if asset == "lead_conversion" else f"assets/{asset}?view=events")
    screen.says("[Show Markdown]").click()
    (picture,) = screen.all("//img[starts-with(@src, 'data:image/png')]")
    WebDriverWait(screen.driver, 10).until(lambda _: picture.get_property("naturalWidth") == 806)
    screen.keep(asset)
