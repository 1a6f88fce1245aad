"""The running UI in headless Chromium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from herobase_pipeline_tests.stack.stack import Stack

_PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver"}
_LACKING = [package for program, package in _PROGRAMS.items() if not shutil.which(program)]
needs_chromium = pytest.mark.skipif(bool(_LACKING), reason=f"needs {' and '.join(_LACKING)}, which .ci/run installs")


class Screen:
    """A page of the UI in a browser, and where its pictures go."""

    def __init__(self, driver: webdriver.Chrome, address: str, folder: Path) -> None:
        self.driver, self.address, self.folder = driver, address, folder

    def open(self, path: str, height: int = 900) -> None:
        self.driver.set_window_size(1400, height)
        self.driver.get(f"{self.address}/{path}")

    def all(self, xpath: str) -> list[WebElement]:
        """Wait for what can be seen."""

        def shown(driver: webdriver.Chrome) -> list[WebElement]:
            return [found for found in driver.find_elements(By.XPATH, xpath) if found.is_displayed()]

        found: list[WebElement] = WebDriverWait(self.driver, 30).until(shown, f"There is no {xpath}.")
        return found

    def says(self, text: str) -> WebElement:
        """Wait for a text."""
        return self.all(f"//*[normalize-space(text()) = '{text}']")[0]

    def keep(self, name: str) -> None:
        self.driver.save_screenshot(str(self.folder / f"{name}.png"))


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Start a browser without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    with webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver"))) as driver:
        yield driver


@contextmanager
def browsing(stack: Stack, folder: Path) -> Iterator[Screen]:
    """Open a browser on a stack's UI; its pictures are kept in ``SCREENSHOTS``, or in the folder."""
    with chromium() as driver:
        yield Screen(driver, f"http://127.0.0.1:{stack.port}", Path(os.environ.get("SCREENSHOTS") or folder))
