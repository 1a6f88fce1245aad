"""Rate limits as the API page describes them (API 1.3): by service and 24 hours, and by minute under fair use."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

DAY_S, MINUTE_S = 86_400.0, 60.0
HIGH_LIMIT = 10_000
FAIR_USE_HEADER = "x-rate-limit-fair-use-policy"
FAIR_USE_VALUE = "minute rated"


@dataclass
class _Period:
    length: float
    since: float | None = None
    count: int = 0

    def turn(self, now: float) -> None:
        if self.since is not None and now >= self.since + self.length:
            self.since, self.count = None, 0

    def left(self, now: float) -> int:
        return math.ceil(self.length if self.since is None else self.since + self.length - now)


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, what it cost, and the three header values."""

    allowed: bool
    cost: int
    limit: int
    remaining: int
    reset: int

    def headers(self) -> list[tuple[str, str]]:
        """Give the headers that stand on every response."""
        return [
            ("X-Rate-Limit-Limit", str(self.limit)),
            ("X-Rate-Limit-Remaining", str(self.remaining)),
            ("X-Rate-Limit-Reset", str(self.reset)),
        ]


class Limits:
    """Counts requests, from any thread. ``clock`` gives Unix seconds, ``local_hour`` the hour of day at such a time."""

    def __init__(
        self,
        daily: int,
        by_service: dict[str, int],
        clock: Callable[[], float],
        local_hour: Callable[[float], int],
        naive_cost_outside: int = 4,
    ) -> None:
        self._daily, self._by_service, self._clock, self._local_hour = daily, by_service, clock, local_hour
        self._naive_cost_outside = naive_cost_outside
        self._lock = threading.Lock()
        self._days: dict[str, _Period] = {}
        self._minutes: dict[str, _Period] = {}

    def daily(self, service: str) -> int:
        """Give the requests that a service answers in 24 hours."""
        return self._by_service.get(service, self._daily)

    def minute(self, service: str) -> int:
        """Give the requests that a service answers in a minute under fair use."""
        return max(math.ceil(self.daily(service) / 1440), 240)

    def counts(self) -> dict[str, int]:
        """Give what each service has counted in its running period."""
        with self._lock:
            now = self._clock()
            for period in self._days.values():
                period.turn(now)
            return {service: period.count for service, period in self._days.items()}

    def take(self, service: str, *, fair: bool, count: bool = True) -> Verdict:
        """Count a request (or only look, with ``count`` false); one that is turned away counts nothing."""
        with self._lock:
            now = self._clock()
            day = self._days.setdefault(service, _Period(DAY_S))
            minute = self._minutes.setdefault(service, _Period(MINUTE_S))
            day.turn(now)
            minute.turn(now)
            daily, by_minute = self.daily(service), self.minute(service)
            cost = self._cost(daily, now, fair=fair) if count else 0
            if day.count + cost > daily:
                return Verdict(False, 0, daily, max(0, daily - day.count), day.left(now))
            if fair and count and minute.count + 1 > by_minute:
                return Verdict(False, 0, by_minute, 0, minute.left(now))
            if count:
                day.since = now if day.since is None else day.since
                day.count += cost
                if fair:
                    minute.since = now if minute.since is None else minute.since
                    minute.count += 1
            if fair:
                return Verdict(True, cost, by_minute, by_minute - minute.count, minute.left(now))
            return Verdict(True, cost, daily, daily - day.count, day.left(now))

    def _cost(self, daily: int, now: float, *, fair: bool) -> int:
        if fair or daily <= HIGH_LIMIT:
            return 1
        return 8 if 8 <= self._local_hour(now) < 21 else self._naive_cost_outside
