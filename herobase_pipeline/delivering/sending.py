"""The sender: what is planned goes out one after the other, and what came of each is on the disk before the next."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from herobase_pipeline.delivering.declarations import Delivery
from herobase_pipeline.delivering.destinations import DESTINATIONS
from herobase_pipeline.delivering.destinations.answers import Outcome, What
from herobase_pipeline.delivering.ledger import DELIVERED, NOT_SENT, REJECTED, SENDING, UNKNOWN, Event, Ledger
from herobase_pipeline.delivering.planning import DONE, SEND, Planned, mapped_by

_ATTEMPTS = 3  # of one that the destination is too busy for
_LONGEST_WAIT_S = 120.0
_SHORT = 10  # signs of the key that stand in the destination
_STATES = {What.DELIVERED: DELIVERED, What.REJECTED: REJECTED, What.UNKNOWN: UNKNOWN}


@dataclass(frozen=True)
class Target:
    """Where a delivery goes.

    Attributes:
        url: the address.
        api_key: the key; in no message and no repr.

    """

    url: str
    api_key: str = field(repr=False)


@dataclass
class Sent:
    """What a run sent.

    Attributes:
        states: how many leads came to each state.
        stopped: why the run sent no more; None where it sent all that it may.

    """

    states: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None


@dataclass(frozen=True)
class Sender:
    """Sends what is planned.

    Attributes:
        ledger: the ledger of this run's turn.
        utcnow: returns the time, in UTC.
        sleep: waits for some seconds.
        is_stopped: whether somebody said that nothing is to be sent.

    """

    ledger: Ledger
    utcnow: Callable[[], dt.datetime]
    sleep: Callable[[float], None]
    is_stopped: Callable[[], bool]

    def send(self, delivery: Delivery, target: Target, planned: Sequence[Planned]) -> tuple[Sent, list[Planned]]:
        """Send what is planned, at most ``max_per_run``; returns what came of it, and the plan as it stands then."""
        sent, failures, after = Sent(), 0, []
        for each in planned:
            may = sum(sent.states.values()) < delivery.max_per_run and sent.stopped is None
            if each.decision != SEND or not may or each.key in self.ledger.latest:
                after.append(each)
                continue
            if self.is_stopped():
                sent.stopped = "deliveries are stopped"
                after.append(each)
                continue
            outcome = self._send(delivery, target, each)
            state = _STATES.get(outcome.what, NOT_SENT)
            sent.states[state] += 1
            after.append(each if state == NOT_SENT else replace(each, decision=DONE, reason=state, body={}))
            failures = 0 if state == DELIVERED else failures + 1
            if outcome.what is What.NOT_LOOKED_AT:
                sent.stopped = f"{outcome.reason}, so no lead was looked at: check its address, key and rights"
            elif failures >= delivery.stop_after_failures:
                sent.stopped = f"{failures} failures in a row (stop_after_failures), the last one: {outcome.reason}"
        return sent, after

    def _send(self, delivery: Delivery, target: Target, planned: Planned) -> Outcome:
        """Send one lead, again while the destination is too busy to look at it; what came of it is durable."""
        destination = DESTINATIONS[delivery.destination]
        event = Event(
            happened_at=self.utcnow(),
            delivery=delivery.name,
            destination=delivery.destination,
            lead_id=planned.lead_id,
            key=planned.key,
            state=SENDING,
            reason=mapped_by(delivery),
            body=json.dumps(planned.body, ensure_ascii=False, sort_keys=True),
        )
        for attempt in range(1, _ATTEMPTS + 1):
            event = replace(event, happened_at=self.utcnow(), attempts=attempt)
            self.ledger.record(event)
            outcome = destination.send(target.url, target.api_key, planned.body, planned.key[:_SHORT])
            self.ledger.record(
                replace(
                    event,
                    happened_at=self.utcnow(),
                    state=_STATES.get(outcome.what, NOT_SENT),
                    remote_id=outcome.remote_id,
                    reason=outcome.reason,
                    said=outcome.said,
                    body=None,
                )
            )
            if outcome.what is not What.BUSY or attempt == _ATTEMPTS:
                break
            self.sleep(min(outcome.wait_s if outcome.wait_s is not None else 2.0**attempt, _LONGEST_WAIT_S))
            if self.is_stopped():
                break
        return outcome
