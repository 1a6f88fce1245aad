"""Starting and stopping, in this process and as a program."""

import datetime as dt
import subprocess
import sys
import threading
import time

import pytest
import requests
from pydantic import ValidationError

from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline_tests.sandbox.conftest import made


def test_it_starts_fast_and_leaves_nothing_behind() -> None:
    before = threading.active_count()
    begin = time.monotonic()
    with Sandbox(made(seed=99)) as box:
        assert requests.get(box.url + "/projects", auth=(box.username, box.password), timeout=5).ok
        assert time.monotonic() - begin < 1
        url = box.url
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(url, timeout=1)
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_it_stops_while_a_client_is_still_reading() -> None:
    box = Sandbox(made(calls_per_day=20_000)).start()
    box.script("* delay=0.1")
    with requests.get(
        box.url + "/calls?OrgCode=Salg&StartTime=2025-01-01&TimeSpan=P1Y",
        auth=(box.username, box.password),
        stream=True,
        timeout=5,
    ) as response:
        assert next(response.iter_content(1000))
        begin = time.monotonic()
        box.stop()
        assert time.monotonic() - begin < 5


def test_a_taken_port_is_an_error() -> None:
    with Sandbox(made()) as box, pytest.raises(OSError, match="in use"):
        Sandbox(made(), port=int(box.url.split(":")[2].split("/")[0])).start()


def test_a_standing_clock_stands_for_the_world_only() -> None:
    with Sandbox(made(now="2026-03-03T12:00:00Z", calls_per_day=100)) as box:
        assert box.world.now() == dt.datetime(2026, 3, 3, 12, tzinfo=dt.UTC)
        reset = [
            requests.get(box.url + "/hooks", auth=(box.username, box.password), timeout=5).headers["X-Rate-Limit-Reset"]
        ]
        time.sleep(1.1)
        reset.append(
            requests.get(box.url + "/hooks", auth=(box.username, box.password), timeout=5).headers["X-Rate-Limit-Reset"]
        )
        assert int(reset[1]) < int(reset[0])


def test_the_program() -> None:
    """The first curl example works as printed."""
    program = subprocess.Popen(
        [sys.executable, "-m", "herobase_pipeline.sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout
        lines = [program.stdout.readline() for _ in range(5)]
        url = lines[0].split()[-1]
        login = lines[1].split(": ")[1].split(" / ")
        assert "curl" in lines[3]
        path = lines[3].split(url)[1].rstrip("'\n")
        response = requests.get(url + path, auth=(login[0], login[1].strip()), timeout=10)
        assert isinstance(response.json(), list)
    finally:
        program.send_signal(2)
        _, err = program.communicate(timeout=10)
    assert err == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "Mars/Olympus"},
        {"now": "2026-03-03T12:00:00"},
        {"resource_rights": "Calls"},
        {"service_limits": "/calls=many"},
        {"calls_per_day": -1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        made(**wrong)
