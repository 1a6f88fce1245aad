"""A run of all deliveries: what changed since, what is planned, and what is sent of those that are live."""

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from herobase_pipeline.delivering.declarations import Delivery, DeliveryError, read_deliveries
from herobase_pipeline.delivering.destinations import DESTINATIONS
from herobase_pipeline.delivering.destinations.reached import NotReachedError
from herobase_pipeline.delivering.ledger import Ledger, ledger
from herobase_pipeline.delivering.planning import Planned, Planner, erased
from herobase_pipeline.delivering.sending import Sender, Sent
from herobase_pipeline.delivering.stop import is_stopped
from herobase_pipeline.deriving.session import NotLoadedError
from herobase_pipeline.fields.columns import typed
from herobase_pipeline.fields.declarations import read_declarations
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import LEAD_FIELDS, LEADS


@dataclass
class Run:
    """What a run of deliveries did.

    Attributes:
        planned: the plan of all deliveries, as it stands at the end.
        sent: what was sent, by delivery; of those that are live.
        wrong: what stopped a delivery, a sentence each.
        waiting: deliveries whose mappings of CRM fields are others than those that were handed over last.
        states: how many are in the ledger, from all runs, by delivery, state and reason.
        events: how many events the ledger has.

    """

    planned: list[Planned] = field(default_factory=list)
    sent: dict[str, Sent] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    states: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    events: int = 0

    @property
    def sent_now(self) -> Counter[str]:
        """How many leads came to each state in this run, those too that could not be sent."""
        return sum((each.states for each in self.sent.values()), Counter())


def deliver(lake: Lake, settings: Settings, say: Callable[[str], None], *, sends: bool) -> Run:
    """Plan every delivery, and send what is planned of those that are live. A wrong file stops its own delivery alone.

    Args:
        lake: opened for writing; only one run of deliveries is at work in it.
        settings: where the files are and where the systems.
        say: is told of what is not looked at.
        sends: whether anything is sent.

    Raises:
        FieldsError: a file of declared lead fields is wrong.
        LedgerError: the ledger cannot be used.
        NotDerivedError: the leads are not made.

    """
    if not lake.has(LEADS):
        raise NotLoadedError("delivery_plan cannot be made: leads are not made yet. Materialize leads first.")
    budget, run = herobase(settings).budget, Run()
    found = read_deliveries(settings.deliveries, columns(settings))
    with ledger(lake, settings.zone, budget.utcnow) as book:
        planner = Planner(lake, settings.zone, settings.phone_key, budget.utcnow, tuple(found))
        sender = Sender(book, budget.utcnow, budget.sleep, lambda: is_stopped(lake))
        for event in erased(book, budget.utcnow()):
            book.record(event)
        filled: dict[str, str] = {}
        for name, delivery in found.items():
            where = settings.deliveries / f"{name}.toml"
            if isinstance(delivery, DeliveryError):
                run.wrong.append(str(delivery))
            elif not delivery.is_enabled:
                say(f"{name} is not enabled, so it was not looked at.")
            elif delivery.of_crm and filled.setdefault(delivery.heron_id or "", name) != name:
                run.wrong.append(
                    f"{where}: {filled[delivery.heron_id or '']} fills {delivery.heron_id} already. Keep one of them."
                )
            else:
                try:
                    _deliver(delivery, settings, planner, sender, book, run, sends=sends and delivery.is_live)
                except NotReachedError as error:
                    run.wrong.append(f"{where}: {error}")
                except Exception as error:  # noqa: BLE001  # it is said, and the others go on
                    run.wrong.append(f"{where}: {_unexpected(error)}")
        planner.keep(run.planned)
        book.keep()
        run.states = Counter((event.delivery, event.state, event.reason or "") for event in book.latest.values())
        run.events = len(book.events)
    run.wrong += [f"{name}: {result.stopped}." for name, result in run.sent.items() if result.stopped]
    return run


def _deliver(
    delivery: Delivery, settings: Settings, planner: Planner, sender: Sender, book: Ledger, run: Run, *, sends: bool
) -> None:
    for event in planner.changed(delivery, book):
        book.record(event)
    target = DESTINATIONS[delivery.destination].target(settings, delivery, planner.utcnow())
    planned = planner.plan(delivery, target.account, book)
    key = planner.mappings_key(delivery, target.account)
    if sends:
        if sender.look_up(target, planned):
            planned = planner.plan(delivery, target.account, book)
        if why := sender.hand_over(delivery, target, key):
            run.sent[delivery.name] = Sent(stopped=why)
        else:
            run.sent[delivery.name], planned = sender.send(delivery, target, planned)
    if not sender.is_handed_over(delivery, key):
        run.waiting.append(delivery.name)
    run.planned += planned


def _unexpected(error: Exception) -> str:
    """Say what ended a delivery, and where; what the error itself says is withheld, as it may quote what a lead has."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"it ended with {type(error).__name__} in {Path(place.filename).name}, line {place.lineno}. Report this."


def columns(settings: Settings) -> Sequence[str]:
    """Return the columns that a mapping may name."""
    declared = read_declarations(settings.declared_fields, LEAD_FIELDS.names)
    return [*LEADS.names, *(name for name in typed(declared).names if name not in LEADS.names)]
