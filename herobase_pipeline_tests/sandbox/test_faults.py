"""Scripted faults, as a client sees them."""

import json
import time
from collections.abc import Callable
from http.client import IncompleteRead

import pytest
import requests
from urllib3.exceptions import ProtocolError

from herobase_pipeline.sandbox import Fault, Sandbox
from herobase_pipeline.sandbox.faults import BadFaultError, parse
from herobase_pipeline_tests.sandbox.conftest import ROOT, Ask

Boxed = Callable[..., tuple[Sandbox, Ask]]
DAY = {"OrgCode": ROOT, "StartTime": "2026-11-19", "TimeSpan": "P1D"}


def test_status_by_turn_and_times(boxed: Boxed) -> None:
    _, ask = boxed(faults="/projects status=500 times=2; /users status=503 nth=2,4")
    assert [ask("/projects").status_code for _ in range(4)] == [500, 500, 200, 200]
    assert [ask("/users").status_code for _ in range(5)] == [200, 503, 200, 503, 200]
    assert ask("/campaigns").ok


def test_a_429_with_and_without_headers(boxed: Boxed) -> None:
    box, ask = boxed()
    box.script("/calls status=429 reset=2 times=1", "/calls status=429 no_headers times=1")
    first, second = ask("/calls", **DAY), ask("/calls", **DAY)
    assert (first.status_code, first.headers["X-Rate-Limit-Reset"], first.headers["X-Rate-Limit-Remaining"]) == (
        429,
        "2",
        "0",
    )
    assert second.status_code == 429
    assert not [h for h in second.headers if h.lower().startswith("x-rate")]
    assert ask("/calls", **DAY).ok


def test_bodies_that_lie(boxed: Boxed) -> None:
    box, ask = boxed()
    whole = ask("/calls", **DAY).content
    box.script(path="/calls", html=True, times=1)
    box.script(path="/calls", empty=True, times=1)
    box.script("/calls truncate=0.5 times=1")
    page, nothing, half = (ask("/calls", **DAY) for _ in range(3))
    assert page.status_code == nothing.status_code == half.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert nothing.content == b""
    assert half.content == whole[: len(whole) // 2]
    with pytest.raises(json.JSONDecodeError):
        json.loads(half.content)


def test_a_connection_cut_in_mid_body(boxed: Boxed) -> None:
    box, ask = boxed()
    box.script("/calls cut=0.3 times=1")
    with pytest.raises(
        (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError, ProtocolError, IncompleteRead)
    ):
        ask("/calls", **DAY)
    assert ask("/calls", **DAY).ok


def test_slowness_is_added_to_other_faults(boxed: Boxed) -> None:
    box, ask = boxed()
    box.script("* delay=0.2; /projects status=500 times=1; /calls chunk_delay=0.03")
    begin = time.monotonic()
    assert ask("/projects").status_code == 500
    assert time.monotonic() - begin >= 0.2
    begin = time.monotonic()
    assert ask("/calls", **DAY).json()
    assert time.monotonic() - begin >= 0.4
    box.heal()
    begin = time.monotonic()
    assert ask("/projects").ok
    assert time.monotonic() - begin < 0.2


def test_a_client_that_gives_up_waiting(boxed: Boxed) -> None:
    box, ask = boxed()
    box.script("/calls delay=0.5 times=1")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(box.url + "/calls", params=DAY, auth=(box.username, box.password), timeout=0.1)
    assert ask("/calls", **DAY).ok


def test_caps_and_duplicates(boxed: Boxed) -> None:
    """T14, T5."""
    box, ask = boxed()
    whole = [r["uniqueId"] for r in ask("/calls", **DAY).json()]
    box.script("/calls max_rows=100 times=1; /calls duplicates=0.5 times=1")
    assert [r["uniqueId"] for r in ask("/calls", **DAY).json()] == whole[:100]
    twice = [r["uniqueId"] for r in ask("/calls", **DAY).json()]
    assert set(twice) == set(whole)
    assert len(twice) == len(whole) + len(whole) // 2
    users = len(ask("/users").json())
    box.script("/users duplicates=1 times=1; /users max_rows=3")
    assert len(ask("/users").json()) == 2 * users
    assert len(ask("/users").json()) == 3


def test_windows_that_are_too_long_fail(boxed: Boxed) -> None:
    """T14: a client that halves gets through."""
    box, ask = boxed()
    box.script("/calls max_window=6h; /simpleleads max_window=1d status=504")
    assert ask("/calls", **DAY).status_code == 500
    assert ask("/calls", **{**DAY, "TimeSpan": "PT6H"}).ok
    assert ask("/calls", **{**DAY, "TimeSpan": "PT6H1S"}).status_code == 500
    assert ask("/simpleleads", ModifiedFrom="2026-11-17", ModifiedTo="2026-11-19").status_code == 504
    assert ask("/simpleleads", ModifiedFrom="2026-11-01").status_code == 504
    assert ask("/simpleleads", ModifiedFrom="2026-11-18", ModifiedTo="2026-11-19").ok
    assert ask("/simpleleads").ok


def test_missing_rights_and_parameters(boxed: Boxed) -> None:
    box, ask = boxed()
    box.script("/calls?OrgCode=Region* deny; '/simpleleads?Projects=client C*' status=403")
    assert ask("/calls", **{**DAY, "OrgCode": "Region Øst"}).status_code == 403
    assert ask("/calls", **DAY).ok
    assert ask("/simpleleads", Projects="client C - Mødebooking").status_code == 403
    assert ask("/simpleleads", Projects="*").ok


def test_rules_in_json_count_what_they_hit(boxed: Boxed) -> None:
    box, ask = boxed(faults='[{"path": "/projects", "status": 500, "nth": [2]}]')
    assert [ask("/projects").status_code for _ in range(3)] == [200, 500, 200]
    (rule,) = box.script(Fault(path="/hooks", status=418))
    assert ask("/hooks").status_code == 418
    assert (rule.seen, rule.used) == (1, 1)


@pytest.mark.parametrize(
    "text", ["/calls stauts=500", "/calls status=many", "/calls cut=7", "[{]", "/calls max_window=6w"]
)
def test_bad_rules_say_what_is_wrong(text: str) -> None:
    with pytest.raises(BadFaultError, match="faults:"):
        parse(text)
