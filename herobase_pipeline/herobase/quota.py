"""One budget of requests for everything that is asked of an account (API page, "Rate limiting"; trap T16).

What the last answers reported is kept in a file that all processes share, so that a run that starts in the middle of a minute
knows what others have spent of it. Every request carries the fair-use header, so it costs 1 and the three
``X-Rate-Limit-*`` headers speak of the current minute, or, on a rejection, of the period that was exceeded.
"""

import datetime as dt
import fcntl
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from herobase_pipeline.herobase.errors import MinuteSpentError, QuotaSpentError

FAIR_USE = {"X-Rate-Limit-Fair-Use-Policy": "Minute rated"}
_MINUTE = 60.0
_LONGEST_MINUTE = 120.0  # a reset further off than this is not a minute's
_LONGEST_DAY = 90_000.0
_EPOCH = 1e9  # a larger "seconds left" is a point in time (API reference, section 5)
_EPOCH_MS = 1e11  # and a larger one than this counts milliseconds


class _Service(msgspec.Struct):
    """What the last answer of one service reported of the running minute, and of the day if that is spent."""

    remaining: int | None = None
    resets_at: float = 0.0
    spent_until: float = 0.0


@contextmanager
def on_disk(file: Path) -> Iterator[bytearray]:
    """Hand out a file's bytes to be changed in place, while the system lets nobody else do so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as shared:
        fcntl.flock(shared, fcntl.LOCK_EX)
        shared.seek(0)
        content = bytearray(shared.read())
        yield content
        shared.truncate(0)
        shared.write(content)
        shared.flush()


@dataclass
class Budget:
    """Waits before a request where the running minute is spent; shared by all threads and processes.

    Attributes:
        file: where the state is shared with other processes; None: this process is alone with the account.
        shared: hands out the file's bytes to be changed in place, which nobody else does meanwhile.
        clock: seconds since 1970.
        sleep: waits so many seconds.
        utcnow: the time of day, for the reset that a spent day's error names.
        requests: how many requests were made, by service.
        remaining: what the last answer left of the running period, by service.

    """

    file: Path | None = None
    shared: Callable[[Path], AbstractContextManager[bytearray]] = field(default=on_disk, repr=False)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    utcnow: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    requests: dict[str, int] = field(default_factory=dict)
    remaining: dict[str, int] = field(default_factory=dict)
    _services: dict[str, _Service] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def total(self) -> int:
        """Requests made of all services together."""
        return sum(self.requests.values())

    def spend(self, service: str) -> None:
        """Take one request from the budget of ``service``, after waiting for the next minute if this one is spent.

        Raises:
            QuotaSpentError: the day is spent, as an earlier answer showed; nothing is asked.

        """
        while (wait := self._take(service)) > 0:
            self.sleep(wait)

    def spent_until(self, service: str) -> dt.datetime | None:
        """Return when a spent daily quota of ``service`` starts anew; None where it is not spent, as far as is known."""
        with self._books() as books:
            return self._spent_until(books.get(service, _Service()))

    def _spent_until(self, state: _Service) -> dt.datetime | None:
        wait = state.spent_until - self.clock()
        return self.utcnow() + dt.timedelta(seconds=wait) if 0 < wait <= _LONGEST_DAY else None

    @contextmanager
    def _books(self) -> Iterator[dict[str, _Service]]:
        """Hand out the state of all services, which nobody else changes meanwhile."""
        with self._lock:
            if self.file is None:
                yield self._services
                return
            with self.shared(self.file) as content:
                try:
                    books = msgspec.json.decode(content, type=dict[str, _Service])
                except msgspec.DecodeError:  # new, or of a process that died as it wrote: the next answer corrects it
                    books = {}
                yield books
                content[:] = msgspec.json.encode(books)

    def _take(self, service: str) -> float:
        """Take one request and return 0, or return the seconds until one can be taken."""
        with self._books() as books:
            state, now = books.setdefault(service, _Service()), self.clock()
            if resets_at := self._spent_until(state):
                raise QuotaSpentError(service, resets_at)
            if state.remaining is not None and not now < state.resets_at <= now + _LONGEST_MINUTE:
                state.remaining = None
            if state.remaining == 0:
                return max(state.resets_at - now, 0.001)
            if state.remaining is not None:
                state.remaining -= 1
            self.requests[service] = self.requests.get(service, 0) + 1
            return 0.0

    def learn(self, service: str, headers: Mapping[str, str]) -> None:
        """Take over what an answer's headers say of the running minute; a day's headers are not a reason to wait."""
        left, reset = _number(headers.get("X-Rate-Limit-Remaining")), self._seconds_left(headers)
        if left is None:
            return
        with self._books() as books:
            self.remaining[service] = int(left)
            if reset is not None and reset <= _LONGEST_MINUTE:
                state, now = books.get(service, _Service()), self.clock()
                if state.remaining is not None and now < state.resets_at:
                    left = min(left, state.remaining)  # other requests of this minute are still on their way
                books[service] = _Service(int(left), now + reset)

    def refused(self, service: str, headers: Mapping[str, str]) -> MinuteSpentError | QuotaSpentError:
        """Turn a 429 into the error for its period; for a minute, the next ``spend`` waits until it has passed."""
        reset = self._seconds_left(headers)
        if reset is not None and reset > _LONGEST_MINUTE:
            with self._books() as books:
                books[service] = _Service(spent_until=self.clock() + reset)
            return QuotaSpentError(service, self.utcnow() + dt.timedelta(seconds=reset))
        with self._books() as books:
            books[service] = _Service(0, self.clock() + (_MINUTE if reset is None else reset))
        return MinuteSpentError(
            f"HeroBase answered 429 to {service} again and again: the limit per minute is spent, probably by another "
            "program on the same account. Run it again in a few minutes, or stop the other program."
        )

    def _seconds_left(self, headers: Mapping[str, str]) -> float | None:
        reset = _number(headers.get("X-Rate-Limit-Reset"))
        if reset is None:
            reset = _number(headers.get("Retry-After"))
        if reset is not None and reset > _EPOCH:
            reset = (reset if reset < _EPOCH_MS else reset / 1000) - self.utcnow().timestamp()
        return None if reset is None else max(reset, 0.0)


def _number(text: str | None) -> float | None:
    try:
        number = math.nan if text is None else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def quota_of(path: str) -> str:
    """Return the service whose quota a request for a path is counted for (API reference, 1.3: each service has its own).

    Whether CSV shares its service's quota is not known, so it is counted apart; its answers say what is left of it. What is
    asked of one record, or of a part of the account, is counted with its service.
    """
    service, _, rest = path.partition("/")
    return path if rest == "csv" else service


def quoted_for(service: str, document: Any) -> int | None:
    """Return the number that a document of limits or counts has for a service; None if none is found.

    The shape of both is not documented (API reference, 2.10): a number under the service's name counts, and one in an object
    that names the service.
    """
    if isinstance(document, list):
        return next((n for item in document if (n := quoted_for(service, item)) is not None), None)
    if not isinstance(document, dict):
        return None
    names = {str(value).strip("/").casefold() for value in document.values() if isinstance(value, str)}
    for key, value in document.items():
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and (service in names or str(key).strip("/").casefold() == service):
            return int(value)
    return quoted_for(service, list(document.values()))
