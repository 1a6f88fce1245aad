"""Windows: asked for whole, halved where that fails or may have been capped, and never with a gap."""

import datetime as dt
import re
from collections.abc import Callable
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.herobase import errors
from herobase_pipeline.herobase.windows import Pull, Source, iso_duration, margin
from herobase_pipeline.partitions import Window, day_bounds

START = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)


class Server:
    """Calls at given seconds after START; answers a window as HeroBase might."""

    def __init__(
        self,
        seconds: list[float],
        *,
        cap: int | None = None,
        longest: dt.timedelta | None = None,
        order: Callable[[list[int]], list[int]] = lambda rows: rows,
        ignores_window: bool = False,
        doubts: bool = False,
        raises: type[errors.HeroBaseError] = errors.ServerFailedError,
    ) -> None:
        self.times = [START + dt.timedelta(seconds=s) for s in seconds]
        self.cap, self.longest, self.order, self.ignores_window, self.raises = (
            cap,
            longest,
            order,
            ignores_window,
            raises,
        )
        self.doubts = doubts or cap is not None
        self.found: list[tuple[int, bool]] = []
        self.asked: list[Window] = []
        self.kept: set[int] = set()
        self.answered: list[Window] = []
        self.last: list[int] = []

    def ask(self, window: Window) -> int:
        self.asked.append(window)
        assert len(self.asked) < 5_000, "asks without end"
        if self.longest is not None and window.length > self.longest:
            raise self.raises("too large")
        rows = [i for i, t in enumerate(self.times) if self.ignores_window or window.start <= t < window.end]
        self.last = self.order(rows)[: self.cap]
        self.kept.update(self.last)
        self.answered.append(window)
        return len(self.last)

    def strays(self, window: Window) -> int:
        return sum(not window.start <= self.times[i] < window.end for i in self.last)

    def edges(self, window: Window) -> list[list[Window]]:
        times = sorted(self.times[i] for i in self.last)
        if not times:
            return []
        early, late = times[len(times) // 20], times[-1 - len(times) // 20]
        early = early + SECOND if sum(t <= early for t in times) <= len(times) / 2 else times[0]
        late = late if sum(t >= late for t in times) <= len(times) / 2 else times[-1] + SECOND
        return [[Window(start, end)] for start, end in ((window.start, early), (late, window.end)) if start < end]

    def pull(self, window: Window | None = None, **more: dt.timedelta) -> set[int]:
        window = window or Window(START, START + HOUR)
        source = Source(
            ask=self.ask,
            strays=self.strays,
            edges=self.edges,
            known=lambda: len(self.kept),
            doubted=lambda _: self.doubts,
            found=lambda rows, cut: self.found.append((rows, cut)),
        )
        Pull(source, **more).run(window)
        return self.kept


def test_a_window_that_works_is_asked_for_once():
    server = Server([60.0 * i for i in range(30)])
    assert len(server.pull()) == 30
    assert server.asked == [Window(START, START + HOUR)]


@pytest.mark.parametrize("raises", [errors.ServerFailedError, errors.TimedOutError, errors.BrokenOffError])
def test_a_window_that_fails_is_halved_until_it_works(raises):
    server = Server([7.0 * i for i in range(500)], longest=10 * MINUTE, raises=raises)
    assert server.pull() == set(range(500))
    assert all(window.length <= 10 * MINUTE for window in server.answered)


def test_halves_are_halved_down_to_the_floor_and_then_the_error_counts():
    server = Server([1.0], longest=dt.timedelta(seconds=1))
    with pytest.raises(errors.ServerFailedError):
        server.pull(floor=MINUTE)
    lengths = [window.length for window in server.asked]
    assert lengths[-1] <= MINUTE < lengths[-2]
    assert lengths == sorted(lengths, reverse=True)
    assert not server.answered


@pytest.mark.parametrize(
    "raises",
    [
        errors.LoginRefusedError, errors.RightMissingError, errors.NotFoundError, errors.RequestRefusedError,
        errors.UnreachableError, errors.NotJsonError, errors.MinuteSpentError,
    ],
)  # fmt: skip
def test_an_error_that_no_smaller_window_mends_is_raised_at_once(raises):
    server = Server([1.0], longest=dt.timedelta(0), raises=raises)
    with pytest.raises(raises):
        server.pull()
    assert len(server.asked) == 1


def test_one_failing_half_fails_the_whole():
    class Half(Server):
        def ask(self, window: Window) -> int:
            if window.end > START + HOUR / 2 + MINUTE:
                raise errors.ServerFailedError("the second half never works")
            return super().ask(window)

    with pytest.raises(errors.ServerFailedError):
        Half([1.0, 2_000.0]).pull()


@given(
    st.integers(61, 40_000),
    st.integers(30, 4_000),
    st.lists(st.integers(0, 40_000_000), max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_t4_halves_leave_no_gap_and_overlap_by_a_second(length, longest, millis):
    window = Window(START, START + dt.timedelta(seconds=length))
    longest_span = max(dt.timedelta(seconds=longest), MINUTE)
    server = Server([m / 1000 for m in millis], longest=longest_span)
    inside = {i for i, t in enumerate(server.times) if window.start <= t < window.end}
    assert server.pull(window, floor=dt.timedelta(seconds=5)) >= inside
    spans = sorted(server.answered)
    assert spans[0].start == window.start
    assert max(span.end for span in spans) == window.end
    for one, other in pairwise(spans):
        assert one.end - other.start == dt.timedelta(seconds=1)
        assert other.start.microsecond == 0


def earliest(rows: list[int]) -> list[int]:
    return rows


def latest(rows: list[int]) -> list[int]:
    return rows[::-1]


def mixed(rows: list[int]) -> list[int]:
    return sorted(rows, key=lambda i: i * 7_919 % 10_007)


@pytest.mark.parametrize("order", [earliest, latest, mixed])
@pytest.mark.parametrize("cap", [100, 137, 250, 1_000, 1_024, 9_973])
def test_t14_a_cap_of_any_number_is_looked_behind_whichever_rows_it_keeps(order, cap):
    server = Server([0.36 * i for i in range(10_000)], cap=cap, order=order)
    if cap < 167:  # calls a minute
        with pytest.raises(errors.CappedError, match=f"exactly {cap} rows"):
            server.pull()
    else:
        assert server.pull() == set(range(10_000))
    assert server.found == [(cap, True)]


@pytest.mark.parametrize("order", [earliest, latest, mixed])
@pytest.mark.parametrize("day", [HOUR, 31 * HOUR])
def test_t14_a_hundred_of_a_thousand_calls_in_an_hour(order, day):
    server = Server([20_000 + 3.6 * i for i in range(1_000)], cap=100, order=order)
    window = Window(START + dt.timedelta(seconds=20_000), START + dt.timedelta(seconds=23_600))
    if day > HOUR:
        window = Window(START, START + day)
    assert server.pull(window) == set(range(1_000))


@pytest.mark.parametrize("order", [earliest, latest, mixed])
def test_t14_more_than_the_cap_in_a_minute_is_an_error(order):
    server = Server([1_234 + 0.1 * i for i in range(300)], cap=100, order=order)
    with pytest.raises(errors.CappedError) as raised:
        server.pull()
    assert "2026-03-02" in str(raised.value)
    assert "cap its answers" in str(raised.value)


def test_t14_an_answer_that_was_not_cut_costs_two_small_requests_more():
    server = Server([36.0 * i for i in range(100)], doubts=True)
    assert server.pull() == set(range(100))
    assert server.found == [(100, False)]
    assert len(server.asked) == 3
    assert all(window.length < HOUR / 10 for window in server.asked[1:])


@pytest.mark.parametrize("seconds", [[1_800.0] * 137, [1_800.0] * 100 + [60.0 * i for i in range(60)]])
def test_t14_a_bulk_upload_in_one_second_is_no_cap(seconds):
    server = Server(seconds, doubts=True)
    assert len(server.pull()) == len(seconds)
    assert server.found == [(len(seconds), False)]
    assert len(server.asked) == 3


@given(
    st.lists(st.integers(0, 3_599), min_size=1, max_size=300),
    st.integers(10, 400),
    st.sampled_from([earliest, latest]),
)
@settings(max_examples=200, deadline=None)
def test_t14_at_any_cap_all_rows_come_or_the_pull_fails(seconds, cap, order):
    server = Server(sorted(map(float, seconds)), cap=cap, order=order)
    try:
        kept = server.pull()
    except errors.CappedError:
        assert len(seconds) > cap
    else:
        assert kept == set(range(len(seconds)))


def test_t14_a_server_that_ignores_windows_is_not_asked_without_end():
    server = Server([-100_000.0 + 2_000.0 * i for i in range(100)], ignores_window=True, doubts=True)
    assert len(server.pull()) == 100
    assert len(server.asked) < 10


def test_t14_a_capped_half_that_fails_is_halved_as_well():
    calls = [3.6 * i for i in range(1_000)]

    class Flaky(Server):
        def ask(self, window: Window) -> int:
            if HOUR / 8 < window.length < HOUR:
                self.asked.append(window)
                raise errors.TimedOutError("slow")
            return super().ask(window)

    assert Flaky(calls, cap=100).pull() == set(range(1_000))


@given(st.integers(0, 40 * 86_400))
def test_a_time_span_says_the_length(seconds):
    text = iso_duration(dt.timedelta(seconds=seconds))
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", text)
    assert found
    assert any(found.groups())
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    assert hours * 3_600 + minutes * 60 + rest == seconds


@pytest.mark.parametrize(
    ("length", "text"), [(HOUR * 25, "PT25H"), (HOUR * 2, "PT2H"), (MINUTE, "PT1M"), (dt.timedelta(), "PT0S")]
)
def test_time_spans_as_people_sent_them(length, text):
    assert iso_duration(length) == text


@pytest.mark.parametrize("name", ["Europe/Copenhagen", "Europe/London", "America/New_York", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize(
    "day", [dt.date(2026, 3, 29), dt.date(2026, 7, 1), dt.date(2026, 10, 25), dt.date(2026, 12, 1)]
)
def test_the_margin_covers_a_day_whose_z_is_dropped_or_honoured(name, day):
    zone = ZoneInfo(name)
    bounds = day_bounds(day, zone)
    asked = bounds.widened(margin(bounds, zone))
    for read in (lambda t: t, lambda t: t.replace(tzinfo=zone).astimezone(dt.UTC)):  # Z honoured, Z dropped
        start = read(asked.start)
        assert start <= bounds.start - HOUR
        assert start + asked.length >= bounds.end + HOUR
