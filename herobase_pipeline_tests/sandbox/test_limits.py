"""Rate limits against a second, plain model, and over HTTP."""

import datetime as dt
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.sandbox.limits import Limits
from herobase_pipeline_tests.sandbox.conftest import NOW, Ask

Boxed = Callable[..., tuple[Sandbox, Ask]]
FAIR = {"X-Rate-Limit-Fair-Use-Policy": "Minute rated"}
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1, 20, 61, 3_600, 40_000]), st.booleans(), st.sampled_from("ab")), max_size=60
)


class Model:
    """Keeps every counted request of a service and adds them up again each time."""

    def __init__(self, daily: int, outside: int) -> None:
        self.daily, self.outside = daily, outside
        self.counted: list[tuple[float, int, bool]] = []

    def period(self, now: float, length: int, *, fair_only: bool) -> tuple[float, int]:
        begin, count = -math.inf, 0
        for at, cost, fair in self.counted:
            if fair_only and not fair:
                continue
            if at >= begin + length:
                begin, count = at, 0
            count += 1 if fair_only else cost
        return (begin, count) if now < begin + length else (now, 0)

    def take(self, now: float, *, fair: bool) -> tuple[bool, int, int, int]:
        """(allowed, limit, remaining, reset)."""
        hour = now % 86_400 // 3600
        cost = 1 if fair or self.daily <= 10_000 else (8 if 8 <= hour < 21 else self.outside)
        by_minute = max(math.ceil(self.daily / 1440), 240)
        day, used = self.period(now, 86_400, fair_only=False)
        if used + cost > self.daily:
            return False, self.daily, self.daily - used, math.ceil(day + 86_400 - now)
        minute, in_minute = self.period(now, 60, fair_only=True)
        if fair and in_minute + 1 > by_minute:
            return False, by_minute, 0, math.ceil(minute + 60 - now)
        self.counted.append((now, cost, fair))
        if fair:
            return True, by_minute, by_minute - in_minute - 1, math.ceil(minute + 60 - now)
        return True, self.daily, self.daily - used - cost, math.ceil(day + 86_400 - now)


@settings(max_examples=150, deadline=None)
@given(
    steps=STEPS,
    daily=st.sampled_from([1, 5, 30, 10_001, 400_000]),
    outside=st.sampled_from([1, 4]),
    repeat=st.sampled_from([1, 130]),
)
def test_limits_count_as_the_model_does(
    steps: list[tuple[int, bool, str]], daily: int, outside: int, repeat: int
) -> None:
    clock = [1_000_000_000.0]
    limits = Limits(daily, {}, lambda: clock[0], lambda t: int(t % 86_400 // 3600), outside)
    models = {name: Model(daily, outside) for name in "ab"}
    for wait, fair, service in steps[: 60 if repeat == 1 else 5]:
        clock[0] += wait
        for _ in range(repeat):
            verdict = limits.take(service, fair=fair)
            assert (verdict.allowed, verdict.limit, verdict.remaining, verdict.reset) == models[service].take(
                clock[0], fair=fair
            )
    assert {s: c for s, c in limits.counts().items() if c} == {
        s: used for s, m in models.items() if (used := m.period(clock[0], 86_400, fair_only=False)[1])
    }


def rates(response: object) -> tuple[int, ...]:
    headers = response.headers  # type: ignore[attr-defined]
    return tuple(int(headers[f"X-Rate-Limit-{n}"]) for n in ("Limit", "Remaining", "Reset"))


def test_the_daily_limit_of_each_service(boxed: Boxed) -> None:
    clock = [NOW]
    box, ask = boxed(now=lambda: clock[0], daily_limit=3, service_limits=("/users=1", "projects=2"))
    assert [ask("/campaigns").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [ask("/projects").status_code for _ in range(3)] == [200, 200, 429]
    assert rates(ask("/campaigns")) == (3, 0, 86_400)
    clock[0] += dt.timedelta(hours=23)
    rejected = ask("/campaigns")
    assert (rejected.status_code, rates(rejected)) == (429, (3, 0, 3_600))
    assert rejected.json()["responseStatus"]["errorCode"] == "TooManyRequests"
    clock[0] += dt.timedelta(hours=1)
    assert rates(ask("/campaigns")) == (3, 2, 86_400)
    assert [r.cost for r in box.requests][:4] == [1, 1, 1, 0]


@pytest.mark.parametrize(("hour", "outside", "cost"), [(7, 4, 4), (7, 1, 1), (8, 4, 8), (20, 4, 8), (21, 4, 4)])
def test_naive_costs_of_high_limits(boxed: Boxed, hour: int, outside: int, cost: int) -> None:
    at = dt.datetime(2026, 11, 20, hour - 1, 30, tzinfo=dt.UTC)  # Copenhagen is an hour ahead
    _, ask = boxed(now=lambda: at, daily_limit=10_001, naive_cost_outside=outside)
    assert rates(ask("/projects"))[:2] == (10_001, 10_001 - cost)
    assert rates(ask("/projects", headers=FAIR))[:2] == (240, 239)
    counts = {r["service"]: r["count"] for r in ask("/myaccount/request/counts").json()}
    assert counts["/projects"] == cost + 1


def test_the_minute_limit_under_fair_use(boxed: Boxed) -> None:
    clock = [NOW]
    _, ask = boxed(now=lambda: clock[0])
    assert [ask("/hooks", headers=FAIR).status_code for _ in range(241)] == [200] * 240 + [429]
    assert rates(ask("/hooks", headers=FAIR)) == (240, 0, 60)
    assert ask("/hooks").status_code == 200
    clock[0] += dt.timedelta(seconds=60)
    assert rates(ask("/hooks", headers={"x-rate-limit-fair-use-policy": "minute rated"})) == (240, 239, 60)


def test_headers_stand_on_errors(boxed: Boxed) -> None:
    _, ask = boxed(resource_rights=("Calls:Get",))
    for path, status in (("/nope", 404), ("/users", 403), ("/calls", 400)):
        response = ask(path)
        assert (response.status_code, len(rates(response))) == (status, 3)
