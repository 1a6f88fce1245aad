"""The sender: what is planned goes out one after the other, and what came of each is on the disk before the next."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from herobase_pipeline.delivering.declarations import Delivery
from herobase_pipeline.delivering.destinations import heron
from herobase_pipeline.delivering.destinations.answers import Outcome, Target, What
from herobase_pipeline.delivering.ledger import DELIVERED, NOT_SENT, REJECTED, SENDING, UNKNOWN, Event, Ledger
from herobase_pipeline.delivering.planning import DONE, SEND, Planned, mapped_by

_ATTEMPTS = 3  # of one that the destination is too busy for
_LONGEST_WAIT_S = 120.0
_STATES = {What.DELIVERED: DELIVERED, What.REJECTED: REJECTED, What.UNKNOWN: UNKNOWN}
_STOPPED = "deliveries are stopped"


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
                sent.stopped = _STOPPED
                after.append(each)
                continue
            outcome = self._send(delivery, target, each)
            state = _STATES.get(outcome.what, NOT_SENT)
            sent.states[state] += 1
            after.append(each if state == NOT_SENT else replace(each, decision=DONE, reason=state, body={}))
            failures = 0 if state == DELIVERED else failures + 1
            if outcome.what is What.NOT_LOOKED_AT:
                sent.stopped = f"{outcome.reason}; no lead was looked at"
            elif failures >= delivery.stop_after_failures:
                sent.stopped = f"{failures} failures in a row (stop_after_failures), the last one: {outcome.reason}"
        return sent, after

    def _send(self, delivery: Delivery, target: Target, planned: Planned) -> Outcome:
        """Send one lead, again while the destination is too busy to look at it; what came of it is durable."""
        event = Event(
            happened_at=self.utcnow(),
            delivery=delivery.name,
            destination=delivery.destination,
            lead_id=planned.lead_id,
            key=planned.key,
            state=SENDING,
            reason=mapped_by(delivery),
            body=_json(planned.body),
        )
        for attempt in range(1, _ATTEMPTS + 1):
            event = replace(event, attempts=attempt)
            outcome = self._recorded(event, lambda: target.send(planned.body, planned.key))
            if outcome.what is not What.NOT_DONE or attempt == _ATTEMPTS:
                break
            self.sleep(min(outcome.wait_s if outcome.wait_s is not None else 2.0**attempt, _LONGEST_WAIT_S))
            if self.is_stopped():
                break
        return outcome

    def _recorded(self, event: Event, do: Callable[[], Outcome]) -> Outcome:
        """Make a request that an event announces; that it leaves is durable before, and what came of it after."""
        event = replace(event, happened_at=self.utcnow())
        self.ledger.record(event)
        try:
            outcome = do()
        except Exception as error:
            self._came(event, Outcome(What.UNKNOWN, f"it ended with {type(error).__name__}, which was not expected"))
            raise
        self._came(event, outcome)
        return outcome

    def _came(self, event: Event, outcome: Outcome) -> None:
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

    def look_up(self, target: Target, planned: Sequence[Planned]) -> bool:
        """Look up what nobody knows of, where the destination allows it; returns whether something is known now."""
        done = [self.ledger.latest[each.key] for each in planned if each.decision == DONE]
        is_found = False
        for event in (each for each in done if each.state == UNKNOWN):
            sent = self.ledger.sent(event.key)
            if target.look_up and sent and (outcome := target.look_up(event.key, sent.happened_at)):
                self._came(event, outcome)
                is_found = True
        return is_found

    def hand_over(self, delivery: Delivery, target: Target, key: str) -> str | None:
        """Hand a file's mappings of CRM fields over, if they are others than the last ones; returns why no lead may follow.

        Mappings are set and not added, so what may have arrived is sent again; what was refused only once it is another.
        """
        if self.is_handed_over(delivery, key) or not target.hand_over:
            return None
        give, wanted = target.hand_over, heron.mappings(delivery)
        body, last = _json(wanted), self.ledger.latest.get(key)
        if last and last.state == REJECTED and self._is_last(key, body):
            return f"its mappings were refused ({last.reason}): correct the file"
        if self.is_stopped():
            return _STOPPED
        attempts = last.attempts + 1 if last else 1
        event = Event(self.utcnow(), delivery.name, delivery.destination, None, key, SENDING, attempts, body=body)
        outcome = self._recorded(event, lambda: give(delivery.heron_id or "", wanted))
        if outcome.what is What.DELIVERED:
            return None
        return f"its mappings could not be handed over, so no lead was sent: {outcome.reason}"

    def is_handed_over(self, delivery: Delivery, key: str) -> bool:
        """Whether a file has no mappings of CRM fields, or those that arrived last."""
        last = self.ledger.latest.get(key)
        arrived = last is not None and last.state == DELIVERED
        return not delivery.of_crm or (arrived and self._is_last(key, _json(heron.mappings(delivery))))

    def _is_last(self, key: str, body: str) -> bool:
        sent = self.ledger.sent(key)
        return sent is not None and sent.body == body


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True)
