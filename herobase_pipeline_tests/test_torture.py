"""The short form of ``make torture``: faults in combinations, kills at any moment, and everything at once."""

import os
import random
import shutil

import pytest

from herobase_pipeline_tests.torture import faults, kills, together
from herobase_pipeline_tests.torture.outcome import RECOVERED
from herobase_pipeline_tests.torture.wire import Spoil

MANY = bool(os.environ.get("LONG_TESTS"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 100 if MANY else 4))
def test_after_any_faults_the_day_is_so_or_somebody_was_told(tmp_path, number):
    faults.run(faults.drawn(random.Random(f"faults {number}")), tmp_path)


@pytest.mark.slow
def test_what_is_killed_at_any_moment_and_what_is_done_at_once_comes_to_the_same(tmp_path):
    """In one test, as to make the scene takes long."""
    with kills.scene(tmp_path / "scene") as scene:
        for number in range(200 if MANY else 8):
            lake = tmp_path / f"killed {number}"
            kills.run(scene, random.Random(f"kills {number}"), lake)
            shutil.rmtree(lake)
        for number in range(20 if MANY else 1):
            together.run(scene, random.Random(f"together {number}"), tmp_path / f"together {number}")


def test_the_torture_notices_what_is_silently_wrong(tmp_path, monkeypatch):
    """A trial that cannot fail shows nothing: here the lake loses a call of which nobody is told."""
    monkeypatch.setattr(faults, "_calls", lambda here, day: {**CALLS(here, day), "a call that is nowhere": ()})
    with pytest.raises(faults.WrongError, match="1 of /calls are lacking, of which 0 are counted"):
        faults.run(faults.Scenario("2026-11-18", spoils=(Spoil("shuffled", "/calls", 1),)), tmp_path)


CALLS = faults._calls


def test_what_happens_on_the_wire_is_counted(tmp_path):
    spoils = (Spoil("NaN", "/calls", 1, times=1_000), Spoil("cut", "/simpleleads", 1))
    outcome = faults.run(faults.Scenario("2026-11-18", spoils=spoils), tmp_path)
    assert outcome.what != RECOVERED
    assert outcome.faults["NaN"] > 0
    assert outcome.faults["cut"] == 1
