"""The short form of ``make torture``: faults in combinations, kills at any moment, and everything at once."""

import os
import random
import shutil
from collections.abc import Collection, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from herobase_pipeline_tests.torture import faults, kills, together
from herobase_pipeline_tests.torture.outcome import RECOVERED
from herobase_pipeline_tests.torture.wire import BODIES, BROKEN, RECORDS, SERVICES, UNREADABLE, Spoil

MANY = bool(os.environ.get("LONG_TESTS"))


def spoils() -> st.SearchStrategy[Spoil]:
    """What happens on the wire, of each kind; records that cannot be read stay so, else the retry would bring them."""
    seeds, skips = st.integers(0, 1 << 30), st.sampled_from([0, 0, 1, 2])

    def of(names: Collection[str], services: Sequence[str], times: st.SearchStrategy[int]) -> st.SearchStrategy[Spoil]:
        return st.builds(Spoil, st.sampled_from(sorted(names)), st.sampled_from(services), seeds, skips, times)

    some = st.sampled_from([1, 1, 2, 1_000])
    return st.one_of(
        *(of(kind, SERVICES, some) for kind in (RECORDS, BODIES, BROKEN)), of(UNREADABLE, SERVICES[:2], st.just(1_000))
    )


@st.composite
def scenarios(draw: st.DrawFn) -> faults.Scenario:
    """A combination of faults."""
    day = draw(st.sampled_from(faults.DAYS))
    names = draw(st.lists(st.sampled_from(sorted(faults.SHAPES)), max_size=3, unique=True))
    shapes = {name: draw(st.sampled_from(faults.SHAPES[name])) for name in names}
    if day == faults.TWICE:
        shapes["stamps"] = draw(st.sampled_from(faults.TOLD_APART))
    scripted = draw(st.lists(st.sampled_from(faults.SCRIPTED), max_size=2, unique=True))
    return faults.Scenario(
        day, shapes, tuple(scripted), tuple(draw(st.lists(spoils(), min_size=1, max_size=3))), draw(st.booleans())
    )


@pytest.mark.slow
@settings(
    max_examples=150 if MANY else 8, deadline=None, derandomize=not MANY, print_blob=True,
    phases=[Phase.generate, Phase.shrink] if MANY else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(scenario=scenarios())
def test_after_any_faults_the_day_is_so_or_somebody_was_told(tmp_path_factory, scenario):
    """The same combinations each time here, others in the long form and in ``make torture``."""
    faults.run(scenario, tmp_path_factory.mktemp("faults"))


@pytest.mark.slow
def test_what_is_killed_at_any_moment_and_what_is_done_at_once_comes_to_the_same(tmp_path):
    """In one test, as to make the scene takes long."""
    with kills.scene(tmp_path / "scene") as scene:
        for number in range(200 if MANY else 20):
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
