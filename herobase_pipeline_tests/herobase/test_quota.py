"""The budget against a model of a server that counts: it waits rather than be refused, and stops when the day is spent."""

import datetime as dt
import math
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.herobase.errors import MinuteSpentError, QuotaSpentError
from herobase_pipeline.herobase.quota import FAIR_USE, Budget, quoted_for

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []
        self.lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            assert seconds > 0
            assert len(self.slept) < 10_000, "waits without end"
            self.slept.append(seconds)
            self.now += seconds

    def utcnow(self) -> dt.datetime:
        return NOON + dt.timedelta(seconds=self.now - 1_000)


class Minutes:
    """A server that answers so many requests in a minute, counted from the first one (API page, "Rate limiting")."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self.limit, self.clock = limit, clock
        self.since, self.count = -math.inf, 0
        self.answered = self.refused = 0
        self.lock = threading.Lock()

    def take(self) -> tuple[int, dict[str, str]]:
        with self.lock:
            now = self.clock()
            if now >= self.since + 60:
                self.since, self.count = now, 0
            over = self.count >= self.limit
            self.count += not over
            self.refused += over
            self.answered += not over
            return 429 if over else 200, {
                "X-Rate-Limit-Limit": str(self.limit),
                "X-Rate-Limit-Remaining": str(self.limit - self.count),
                "X-Rate-Limit-Reset": str(math.ceil(self.since + 60 - now)),
            }


def budget(clock: Clock) -> Budget:
    return Budget(clock=clock, sleep=clock.sleep, utcnow=clock.utcnow)


def request(budget: Budget, server: Minutes, service: str = "calls") -> int:
    """One request as the client makes it, made again after a refused minute."""
    while True:
        budget.spend(service)
        status, headers = server.take()
        if status == 200:
            budget.learn(service, headers)
            return status
        error = budget.refused(service, headers)
        assert isinstance(error, MinuteSpentError)


def test_the_fair_use_header_is_the_documented_one():
    assert FAIR_USE == {"X-Rate-Limit-Fair-Use-Policy": "Minute rated"}


@given(st.integers(1, 12), st.lists(st.sampled_from([0.0, 0.01, 0.7, 5.0, 29.5, 61.0]), min_size=1, max_size=80))
@settings(max_examples=100, deadline=None)
def test_t16_alone_it_is_never_refused_and_never_waits_longer_than_needed(limit, pauses):
    clock = Clock()
    server, mine = Minutes(limit, clock), budget(clock)
    for pause in pauses:
        clock.now += pause
        request(mine, server)
    assert server.refused == 0
    assert server.answered == mine.requests["calls"] == mine.total == len(pauses)
    assert sum(clock.slept) <= 61 * math.ceil(len(pauses) / limit)
    assert all(wait <= 60 for wait in clock.slept)


def test_t16_with_another_program_on_the_account_it_waits_and_goes_on():
    clock = Clock()
    server, mine = Minutes(10, clock), budget(clock)
    for _ in range(30):
        request(mine, server)
        server.take()
    assert mine.requests["calls"] >= 30


def test_t16_a_refused_minute_is_waited_for():
    clock = Clock()
    mine = budget(clock)
    mine.spend("calls")
    error = mine.refused("calls", {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "37"})
    assert isinstance(error, MinuteSpentError)
    assert error.worth_retrying
    assert "429" in str(error)
    assert clock.slept == []
    mine.spend("calls")
    assert clock.slept == [37]


def test_services_are_counted_apart():
    clock = Clock()
    mine = budget(clock)
    mine.refused("calls", {"X-Rate-Limit-Reset": "50"})
    mine.spend("users")
    assert clock.slept == []
    mine.spend("calls")
    assert clock.slept == [50]
    assert mine.requests == {"users": 1, "calls": 1}


@pytest.mark.parametrize(
    "headers", [{}, {"Retry-After": "Fri, 20 Nov 2026 12:05:00 GMT"}, {"X-Rate-Limit-Reset": "nan"}]
)
def test_a_refusal_without_a_time_is_taken_for_a_minute(headers):
    clock = Clock()
    mine = budget(clock)
    assert isinstance(mine.refused("calls", headers), MinuteSpentError)
    mine.spend("calls")
    assert sum(clock.slept) == 60


def test_retry_after_alone_says_how_long():
    clock = Clock()
    mine = budget(clock)
    assert isinstance(mine.refused("calls", {"Retry-After": "7"}), MinuteSpentError)
    mine.spend("calls")
    assert clock.slept == [7]
    assert isinstance(mine.refused("calls", {"Retry-After": "7200"}), QuotaSpentError)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("40000", 40_000),
        ("121", 121),
        (str(int((NOON + dt.timedelta(hours=5)).timestamp())), 5 * 3_600),
        (str(int((NOON + dt.timedelta(hours=5)).timestamp() * 1_000)), 5 * 3_600),
    ],
    ids=["seconds", "two minutes", "epoch", "epoch in milliseconds"],
)
def test_t16_a_spent_day_stops_with_the_time_at_which_it_starts_anew(reset, seconds):
    clock = Clock()
    mine = budget(clock)
    error = mine.refused("simpleleads", {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": reset})
    assert isinstance(error, QuotaSpentError)
    expected = NOON + dt.timedelta(seconds=seconds)
    assert error.resets_at == expected
    assert not error.worth_retrying
    assert not error.worth_halving
    assert f"{expected:%Y-%m-%d %H:%M} UTC" in str(error)
    assert "simpleleads" in str(error)
    assert "run the same again" in str(error)
    clock.now += seconds
    mine.spend("simpleleads")
    assert clock.slept == []


def test_an_epoch_within_the_minute_is_a_minute():
    clock = Clock()
    mine = budget(clock)
    reset = str(int(NOON.timestamp()) + 30)
    assert isinstance(mine.refused("calls", {"X-Rate-Limit-Reset": reset}), MinuteSpentError)
    mine.spend("calls")
    assert clock.slept == [30]


def test_a_reset_in_the_past_is_now():
    clock = Clock()
    mine = budget(clock)
    assert isinstance(mine.refused("calls", {"X-Rate-Limit-Reset": str(int(NOON.timestamp()) - 9)}), MinuteSpentError)
    mine.spend("calls")
    assert sum(clock.slept) < 1


def test_headers_of_the_day_are_no_reason_to_wait():
    clock = Clock()
    mine = budget(clock)
    mine.learn("calls", {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "30000"})
    mine.spend("calls")
    assert clock.slept == []
    assert mine.remaining == {"calls": 0}


@pytest.mark.parametrize("left", ["", "many", "nan", "inf"])
def test_headers_that_are_no_numbers_are_passed_over(left):
    clock = Clock()
    mine = budget(clock)
    mine.learn("calls", {"X-Rate-Limit-Remaining": left, "X-Rate-Limit-Reset": "30"})
    mine.learn("calls", {})
    mine.spend("calls")
    assert clock.slept == []


def test_t16_an_answer_that_comes_late_does_not_give_back_what_was_spent_since():
    clock = Clock()
    server, mine = Minutes(3, clock), budget(clock)
    request(mine, server)
    mine.spend("calls")
    mine.spend("calls")
    (_, second), (_, third) = server.take(), server.take()
    mine.learn("calls", third)
    mine.learn("calls", second)  # overtaken on its way: it still says that one is left
    request(mine, server)
    assert server.refused == 0
    assert sum(clock.slept) >= 60


def test_t16_requests_without_an_answer_yet_are_spent():
    clock = Clock()
    server, mine = Minutes(3, clock), budget(clock)
    request(mine, server)
    mine.spend("calls")
    mine.spend("calls")
    assert clock.slept == []
    mine.spend("calls")
    assert sum(clock.slept) == 60


def test_t16_several_threads_share_one_budget():
    clock = Clock()
    server, mine = Minutes(5, clock), budget(clock)
    request(mine, server)  # from now on the budget knows
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: request(mine, server), range(200))) == [200] * 200
    assert server.answered == 201
    assert mine.requests["calls"] - server.refused == 201
    assert clock.now - 1_000 >= 60 * (201 // 5 - 1)


@given(st.integers(1, 12), st.lists(st.integers(0, 3), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_t16_several_processes_on_one_account_are_never_refused(limit, turns):
    """Each turn is taken by one of four budgets that know of each other by the file alone."""
    clock = Clock()
    server = Minutes(limit, clock)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "account" / ".requests"
        budgets = [Budget(file, clock=clock, sleep=clock.sleep, utcnow=clock.utcnow) for _ in range(4)]
        for turn in turns:
            clock.now += 0.5
            request(budgets[turn], server)
    assert server.refused == 0
    assert server.answered == len(turns)


def test_t16_a_spent_day_is_known_to_all_and_nobody_asks_again_before_it_is_over(tmp_path):
    clock = Clock()
    one, other = (Budget(tmp_path / "r", clock=clock, sleep=clock.sleep, utcnow=clock.utcnow) for _ in range(2))
    one.spend("calls")
    told = one.refused("calls", {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "3600"})
    with pytest.raises(QuotaSpentError) as raised:
        other.spend("calls")
    assert raised.value.resets_at == told.resets_at == NOON + dt.timedelta(hours=1)
    assert other.total == 0
    other.spend("simpleleads")
    clock.now += 3600
    other.spend("calls")
    assert clock.slept == []


def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path):
    (tmp_path / "r").write_bytes(b'{"calls": {"remai')
    clock = Clock()
    mine = Budget(tmp_path / "r", clock=clock, sleep=clock.sleep, utcnow=clock.utcnow)
    mine.spend("calls")
    mine.learn("calls", {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "9"})
    again = Budget(tmp_path / "r", clock=clock, sleep=clock.sleep, utcnow=clock.utcnow)
    again.spend("calls")
    assert clock.slept == [9]


def test_a_clock_that_is_set_back_makes_nobody_wait_for_hours(tmp_path):
    clock = Clock()
    clock.now = 1e6
    mine = Budget(tmp_path / "r", clock=clock, sleep=clock.sleep, utcnow=clock.utcnow)
    mine.learn("calls", {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "60"})
    mine.refused("simpleleads", {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "80000"})
    clock.now -= 7200 * 2
    mine.spend("calls")
    mine.spend("simpleleads")
    assert clock.slept == []


@pytest.mark.parametrize(
    ("document", "number"),
    [
        ([{"service": "/calls", "limit": 5}, {"service": "simpleleads", "limit": 7}], 5),
        ({"simpleleads": 7, "Calls": 5}, 5),
        ({"limits": {"leads": {"name": "calls", "max": 5}}}, 5),
        ({"calls": {"limit": 5}}, None),
        ({"calls": True, "users": 3}, None),
        ([], None),
        ("5", None),
    ],
)
def test_the_number_of_a_service_is_found_in_shapes_nobody_documented(document, number):
    assert quoted_for("calls", document) == number
