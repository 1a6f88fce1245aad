"""The live board in headless Chromium, as a screen on the wall and a phone show it: nothing overflows, and old is said."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from herobase_pipeline.reading import board
from herobase_pipeline.reading.board import Board, Pair, Row, Share
from herobase_pipeline_tests.stack.screen import chromium, needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]
WALL, PHONE = (1920, 1080), (390, 844)
NAMES = [
    "Team Grøn",
    "Svendborg/Ærøskøbing",
    "Kundeservice Dag/Nat",
    "W" * 300,
    "<script>document.title='run'</script>",
]


def made(as_of: dt.datetime | None, teams: int = 12) -> Board:
    """A board as of a moment, with numbers of a busy day."""
    day = dt.date(2026, 11, 23)
    pair = Pair(Share(12_345, 23_456, 0.5, 0.55), Share(40_000, 90_000, 0.44, 0.45), 4)
    drops = Pair(Share(123, 2_345, 0.044, 0.062), Share(400, 9_000, 0.04, 0.05), 4)
    unknown = Pair(None, None, 0)
    of_team = Pair(Share(345, 1_234, 0.255, 0.305), Share(4_000, 9_000, 0.434, 0.455), 4)
    rows = [Row(f"{NAMES[n % len(NAMES)]}{n}", of_team, of_team, of_team, drops) for n in range(teams)]
    everything = Row("", pair, pair, pair, drops) if as_of else Row("", unknown, unknown, unknown, unknown)
    days = [day - dt.timedelta(weeks=n) for n in (1, 2, 3)]
    return Board(
        site="nord",
        day=day,
        made_at=as_of or dt.datetime(2026, 11, 23, 0, 25, tzinfo=dt.UTC),
        as_of=as_of,
        is_current=True,
        closings="",
        days=days,
        left_out=[(dt.date(2026, 10, 26), "not loaded whole")],
        clocks="",
        everything=everything,
        teams=rows,
        other_teams=(3, 17),
        campaigns=rows[:8],
        other_campaigns=2,
    )


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with chromium() as driver:
        yield driver


def show(driver: webdriver.Chrome, folder: Path, seen: Board, size: tuple[int, int], *, dark: bool = False) -> None:
    """Open a board as a file on a screen of a size; its picture is kept in ``SCREENSHOTS``, if that is set."""
    page = folder / "index.html"
    page.write_text(board.page(seen), encoding="utf-8")
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.get(page.as_uri())
    if kept := os.environ.get("SCREENSHOTS"):
        driver.save_screenshot(str(Path(kept) / f"board-{width}-{len(seen.teams)}-{'dark' if dark else 'light'}.png"))
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def is_seen(driver: webdriver.Chrome, selector: str) -> bool:
    """Whether an element is on the first screen."""
    element = driver.find_element(By.CSS_SELECTOR, selector)
    height = driver.execute_script("return window.innerHeight")
    return element.is_displayed() and element.rect["y"] >= 0 and element.rect["y"] + element.rect["height"] <= height


@pytest.mark.parametrize("teams", [0, 12, 40])
@pytest.mark.parametrize("size", [WALL, PHONE], ids=["wall", "phone"])
def test_nothing_is_wider_than_the_screen_and_the_numbers_are_seen(driver, tmp_path, size, teams):
    show(driver, tmp_path, made(dt.datetime.now(dt.UTC), teams), size)
    wide = driver.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 "
        "&& getComputedStyle(e.closest('thead') ?? e).position !== 'absolute').map(e => e.outerHTML.slice(0, 99))"
    )
    assert wide == []
    assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert driver.title != "run"
    tiles = ("dials", "contacts", "conversion", "drops")
    assert [name for name in tiles if not driver.find_element(By.CSS_SELECTOR, f"#{name} .big").is_displayed()] == []
    assert is_seen(driver, "h1")
    assert is_seen(driver, "#dials .big")
    if size is WALL:
        assert all(is_seen(driver, f"#{name}") for name in tiles)
        assert teams != 12 or is_seen(driver, ".teams tr:last-child td")
        # at 3 m: 24 pixels of 1080 are what 9 mm are on a screen of 50 inches
        sizes = driver.execute_script(
            "return [...document.querySelectorAll('main b, .big')].map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 24


def test_in_the_dark_it_is_dark_and_what_is_written_is_light(driver, tmp_path):
    colours = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
    found = []
    for dark in (False, True):
        show(driver, tmp_path, made(dt.datetime.now(dt.UTC)), WALL, dark=dark)
        found.append(driver.execute_script(colours))
    assert found[0] == ["rgb(255, 255, 255)", "rgb(22, 24, 29)"]
    assert found[1] == ["rgb(14, 17, 22)", "rgb(242, 244, 247)"]


@pytest.mark.parametrize("size", [WALL, PHONE], ids=["wall", "phone"])
def test_a_page_that_is_old_says_so_by_itself(driver, tmp_path, size):
    for age, told in ((5, ""), (47, "it ends 47 minutes ago"), (60 * 14, "it ends 14 hours ago")):
        show(driver, tmp_path, made(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=age)), size)
        warning = driver.find_element(By.ID, "old")
        assert warning.is_displayed() == bool(told)
        assert told in warning.text
        assert not told or is_seen(driver, "#old")


def test_a_day_that_is_not_loaded_is_seen_to_be_unknown(driver, tmp_path):
    show(driver, tmp_path, made(None, teams=0), PHONE)
    assert driver.find_element(By.TAG_NAME, "h1").text == "Today is not loaded yet"
    assert {each.text for each in driver.find_elements(By.CSS_SELECTOR, ".big")} == {"–"}
    assert "Not compared: 2026-10-26 (not loaded whole)." in driver.find_element(By.ID, "left-out").text


def test_the_browser_runs_no_script_but_the_pages_own(driver, tmp_path):
    page = board.page(made(dt.datetime.now(dt.UTC))).replace(
        "</main>", "<script>document.title = 'run'</script></main>"
    )
    (tmp_path / "other.html").write_text(page, encoding="utf-8")
    driver.get((tmp_path / "other.html").as_uri())
    assert driver.title == "nord · Today 2026-11-23"
    assert any("Content Security Policy" in entry["message"] for entry in driver.get_log("browser"))
