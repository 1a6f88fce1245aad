"""A range of days: the next day is asked for while the files of one are written, and nothing else changes by that."""

import datetime as dt
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from herobase_pipeline.assets import pulled
from herobase_pipeline.lake import notes
from herobase_pipeline.pulling import calls, leads
from herobase_pipeline.pulling.day import Asked, Pulling
from herobase_pipeline.pulling.overlap import overlapped
from herobase_pipeline.tables import CALLS, SIMPLE_LEADS
from herobase_pipeline_tests.conftest import Centre, failure
from herobase_pipeline_tests.test_days import assert_is_the_truth, told

DAYS = ["2026-11-17", "2026-11-18", "2026-11-19"]
STARTS = ("T21:00:00Z", "T22:00:00")  # of what is asked for a day, in UTC or local time: two hours before it starts
PATIENCE_S = 30.0
MODULES = {CALLS: calls, SIMPLE_LEADS: leads}


def day_after(day: str) -> str:
    return str(dt.date.fromisoformat(day) + dt.timedelta(days=1))


class Events:
    """What happened, in order: what was asked, and which files were written by which thread."""

    def __init__(self, patch: pytest.MonkeyPatch, table=CALLS) -> None:
        self.happened: list[str] = []
        self.before_writing: Callable[[str], object] = str
        self.writers: dict[str, threading.Thread] = {}
        self.most_open = 0
        open_now: set[int] = set()
        get, close, write = requests.Session.get, requests.Response.close, MODULES[table].write

        def getting(session, url, **more):
            asked = more["params"].get("StartTime") or more["params"].get("ModifiedFrom") or ""
            if asked[10:] in STARTS:
                self.happened.append(f"asked {day_after(asked[:10])}")
            open_now.add(0)  # until it is answered it has no name
            self.most_open = max(self.most_open, len(open_now))
            answer = get(session, url, **more)
            open_now.remove(0)
            open_now.add(id(answer))
            return answer

        def closing(answer):
            open_now.discard(id(answer))
            close(answer)

        def writing(lake, con, of, *query, day, **more):
            if of is table:
                self.writers[str(day)] = threading.current_thread()
                self.before_writing(str(day))
            rows = write(lake, con, of, *query, day=day, **more)
            if of is table:
                self.happened.append(f"wrote {day}")
            return rows

        patch.setattr(requests.Session, "get", getting)
        patch.setattr(requests.Response, "close", closing)
        patch.setattr(MODULES[table], "write", writing)

    def wait_for(self, what: str) -> None:
        """Wait until something has happened; that it never does is what the tests of order notice."""
        until = time.monotonic() + PATIENCE_S
        while what not in self.happened:
            assert time.monotonic() < until, f"not {what}, but {self.happened}"
            time.sleep(0.01)

    def first(self, what: str) -> int:
        return self.happened.index(what)


def nothing_is_left(here: Centre) -> bool:
    return here.leftovers() == [] and list((here.lake.root / "private" / ".spool").iterdir()) == []


@pytest.mark.parametrize("table", [CALLS, SIMPLE_LEADS], ids=lambda table: table.name)
def test_the_next_day_is_asked_for_before_a_day_is_written_and_no_two_requests_at_once(centre, monkeypatch, table):
    here = centre()
    events = Events(monkeypatch, table)
    events.before_writing = lambda day: None if day == DAYS[-1] else events.wait_for(f"asked {day_after(day)}")
    here.load(table.name, DAYS[0], DAYS[-1])
    assert events.most_open == 1
    one, two, three = DAYS
    assert events.first(f"asked {two}") < events.first(f"wrote {one}") < events.first(f"asked {three}")
    assert events.first(f"asked {three}") < events.first(f"wrote {two}") < events.first(f"wrote {three}")
    assert {day: thread is threading.main_thread() for day, thread in events.writers.items()} == {
        one: False,
        two: False,
        three: True,
    }
    assert nothing_is_left(here)


def test_a_day_alone_takes_no_other_thread(centre, monkeypatch):
    here = centre()
    events = Events(monkeypatch)
    here.load("calls", DAYS[0])
    assert events.writers == {DAYS[0]: threading.main_thread()}


def test_a_range_asks_for_each_day_what_the_day_alone_would_and_gives_the_same_rows(centre):
    at_once, one_by_one = centre(data="range"), centre(data="days")
    days = ["2026-11-18", "2026-11-19", "2026-11-20"]  # what the first one's answer told saves the second one requests
    at_once.load("calls,simple_leads", days[0], days[-1])
    for day in days:
        one_by_one.load("calls,simple_leads", day)
    for table in ("calls", "simple_leads"):
        for day in days:
            cost, alone = (
                {name: told(here, table, day)[name] for name in ("requests", "bytes", "records", "lag_s")}
                for here in (at_once, one_by_one)
            )
            assert cost == alone, (table, day)
    assert told(at_once, "calls", days[0])["requests"] > told(at_once, "calls", days[1])["requests"]
    assert notes.read(at_once.lake, "answers") == notes.read(one_by_one.lake, "answers")
    assert notes.read(at_once.lake, "hierarchy") == notes.read(one_by_one.lake, "hierarchy")
    for table in ("calls", "simple_leads", "lead_data", "call_phones"):
        columns = "* EXCLUDE (observed_at)" if table in ("calls", "simple_leads") else "*"
        query = f"SELECT {columns} FROM {table} ORDER BY ALL"
        assert at_once.rows(query) == one_by_one.rows(query)
        assert at_once.rows(query)


def test_a_range_without_hierarchy_sweeps_each_day_in_its_turn(centre, monkeypatch):
    small = {"calls_per_day": 60, "hierarchy": "none"}
    here, alone = centre(data="range", **small), centre(data="days", **small)
    for day in DAYS[:2]:
        alone.load("calls", day)
    events = Events(monkeypatch)
    here.load("calls", *DAYS[:2])
    assert events.most_open == 1
    swept = [day.removeprefix("asked ") for day in events.happened if day.startswith("asked")]
    assert swept == sorted(swept)
    assert len(swept) > 3 * 2
    for day in DAYS[:2]:
        assert told(here, "calls", day)["requests"] == told(alone, "calls", day)["requests"]
    query = "SELECT call_id, org_path, org_source FROM calls ORDER BY ALL"
    assert here.rows(query) == alone.rows(query)


def window_of(day: str) -> str:
    """What a fault is scripted for that is to meet the first request for a day's calls."""
    return f"/calls?StartTime={dt.date.fromisoformat(day) - dt.timedelta(days=1)}T21:00:00Z"


def test_a_day_that_cannot_be_asked_for_leaves_the_one_before_done_and_the_next_undone(centre, monkeypatch):
    here = centre()
    events = Events(monkeypatch)
    here.sandbox.script(f"{window_of(DAYS[1])} status=403")
    # the failure is there before the day before is written
    events.before_writing = lambda day: events.wait_for(f"asked {day_after(day)}")
    result = here.materialize("calls", DAYS[0], DAYS[-1])
    assert failure(result).startswith(f"{DAYS[1]} was not loaded.")
    assert [str(day) for day in here.lake.days(CALLS)] == [DAYS[0]]
    assert here.rows_shown("calls") == {DAYS[0]: len(here.truth(DAYS[0]))}
    assert f"asked {DAYS[2]}" not in events.happened
    assert nothing_is_left(here)
    assert_is_the_truth(here, DAYS[0])


@pytest.mark.parametrize("next_too", [False, True])
def test_a_day_that_cannot_be_written_takes_the_day_ahead_with_it_and_gives_the_reason(centre, monkeypatch, next_too):
    here = centre()
    events = Events(monkeypatch)

    def fail(day: str) -> None:
        if day == DAYS[1]:
            events.wait_for(f"asked {DAYS[2]}")
            raise OSError(errno.ENOSPC, "No space left on device")

    events.before_writing = fail
    if next_too:
        here.sandbox.script(f"{window_of(DAYS[2])} status=403")
    result = here.materialize("calls", DAYS[0], DAYS[-1])
    assert failure(result).startswith(f"{DAYS[1]} was not loaded.")
    assert "disk" in failure(result)
    assert [str(day) for day in here.lake.days(CALLS)] == [DAYS[0]]
    assert here.rows_shown("calls") == {DAYS[0]: len(here.truth(DAYS[0]))}
    assert nothing_is_left(here)
    assert str(DAYS[2]) not in str(notes.read(here.lake, "fields_given"))


def test_t16_a_quota_that_is_spent_ahead_lets_the_day_before_be_recorded_first(centre, monkeypatch):
    here = centre(service_limits=("/calls=4",))  # the first day's answer is looked at for a cut
    events = Events(monkeypatch)
    events.before_writing = lambda day: None if day == DAYS[-1] else events.wait_for(f"asked {day_after(day)}")
    recorded: list[dict[str | None, int]] = []
    wait = pulled.wait_for_quota

    def waiting(*asked):
        recorded.append(here.rows_shown("calls"))
        return wait(*asked)

    monkeypatch.setattr(pulled, "wait_for_quota", waiting)
    here.load("calls", DAYS[0], DAYS[-1])
    assert [list(days) for days in recorded] == [DAYS[:1]]
    assert here.rows_shown("calls") == {day: len(here.truth(day)) for day in DAYS}
    assert nothing_is_left(here)


@pytest.fixture
def signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_an_interruption_while_it_waits_for_a_file_drops_the_day_ahead_and_leaves_no_thread():
    happened: list[str] = []
    is_asked = threading.Event()

    def one() -> Pulling:
        yield Asked.ALL
        assert is_asked.wait(PATIENCE_S)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)  # the other thread has nothing to do but to wait
        happened.append("wrote one")
        raise AssertionError

    def two() -> Pulling:
        try:
            is_asked.set()
            yield Asked.ALL
            raise AssertionError
        finally:
            happened.append("dropped two")

    with pytest.raises(KeyboardInterrupt):
        list(overlapped([one(), two()]))
    assert sorted(happened) == ["dropped two", "wrote one"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("writing")]


@pytest.mark.usefixtures("signals")
def test_a_run_that_is_terminated_ends_with_the_file_that_is_being_written(centre, monkeypatch):
    here = centre()
    here.sandbox.script(f"{window_of(DAYS[1])} delay={PATIENCE_S:.0f}")
    events = Events(monkeypatch)

    def interrupt(day: str) -> None:
        events.wait_for(f"asked {day_after(day)}")
        os.kill(os.getpid(), signal.SIGINT)

    events.before_writing = interrupt
    began = time.monotonic()
    result = here.materialize("calls", DAYS[0], DAYS[-1])
    assert "DagsterExecutionInterruptedError" in failure(result)
    assert time.monotonic() - began < PATIENCE_S
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("writing")]
    assert [str(day) for day in here.lake.days(CALLS)] == [DAYS[0]]
    assert nothing_is_left(here)
    here.sandbox.heal()
    events.before_writing = str
    here.load("calls", DAYS[0], DAYS[-1])
    for day in DAYS:
        assert_is_the_truth(here, day)
