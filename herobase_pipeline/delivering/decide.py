"""``make deliveries``: what a person has to decide, and the decision.

``herobase-deliveries`` lists the deliveries of which nobody knows whether they arrived (``unknown``), those that the
destination refused (``rejected``), and those that are another since (``needs_action``). ``herobase-deliveries KEY DECISION``
takes a decision: ``arrived``, ``again`` (it did not arrive, or what was refused is corrected: it is planned and sent anew), or
``settled`` (what was to be done is done). The first signs of a key are enough.
"""

import argparse
import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from herobase_pipeline.delivering.ledger import (
    DELIVERED,
    NEEDS_ACTION,
    NOT_SENT,
    REJECTED,
    SETTLED,
    UNKNOWN,
    Event,
    Ledger,
    LedgerError,
    ledger,
    short,
)
from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import SettingsError
from herobase_pipeline.sites import add_option, chosen, headed

_DECISIONS = {
    UNKNOWN: {"arrived": DELIVERED, "again": NOT_SENT},
    REJECTED: {"again": NOT_SENT},
    NEEDS_ACTION: {"settled": DELIVERED},
}


def main(arguments: list[str] | None = None) -> int:
    """List what is to be decided, or take a decision; returns the exit code: 0, or 2 with a sentence."""
    options = argparse.ArgumentParser(prog="herobase-deliveries", description=__doc__)
    options.add_argument("key", nargs="?", help="the key of a delivery, or how it begins")
    options.add_argument("decision", nargs="?", choices=sorted({each for of in _DECISIONS.values() for each in of}))
    add_option(options)
    given = options.parse_args(arguments)
    try:
        sites = chosen(given.site)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if given.key and len(sites) > 1:
        sys.stderr.write(f"Say of which site: --site {' or --site '.join(sites)}.\n")
        return 2
    failed = False
    for name, settings in sites.items():
        try:
            lake = claim(Lake(settings.data_dir), settings)
            with ledger(lake, settings.zone, lambda: dt.datetime.now(dt.UTC)) as book:
                waiting = [event for event in book.latest.values() if event.state in _DECISIONS]
                lines = [decide(book, given.key, given.decision)] if given.key else list(_listed(waiting))
            sys.stdout.write(headed(name, "\n".join(lines)) + "\n")
        except (ForeignLakeError, LedgerError, ValueError) as error:
            sys.stderr.write(f"{name}: {error}\n" if name else f"{error}\n")
            failed = True
    return 2 if failed else 0


def decide(book: Ledger, key: str, decision: str | None) -> str:
    """Take a decision; returns what was done, in a sentence.

    Raises:
        ValueError: no delivery waits under that key, several do, or the decision is none for it.

    """
    found = [event for event in book.latest.values() if event.key.startswith(key.lower())]
    if len(found) != 1 or found[0].state not in _DECISIONS:
        raise ValueError(
            f"{'No delivery' if not found else 'Several deliveries' if len(found) > 1 else 'Nothing to decide: the delivery'} "
            f"{'has' if len(found) != 1 else 'with'} a key that begins with {key}"
            f"{f' is {found[0].state}' if len(found) == 1 else ''}. herobase-deliveries lists those that wait."
        )
    (event,) = found
    may = _DECISIONS[event.state]
    if decision not in may:
        raise ValueError(f"Of one that is {event.state} can be said: {', '.join(may)}.")
    state, reason = may[decision], f"{SETTLED}: {event.reason}" if decision == "settled" else f"by hand: {decision}"
    book.record(replace(event, happened_at=dt.datetime.now(dt.UTC), state=state, reason=reason, body=None))
    return f"{short(event.key)} is {state}: {'it is planned anew' if state == NOT_SENT else 'decided by hand'}."


def _listed(waiting: Sequence[Event]) -> Iterator[str]:
    if not waiting:
        yield "Nothing is to be decided."
    for event in sorted(waiting, key=lambda each: each.happened_at):
        yield (
            f"{short(event.key)}  {event.state}  {event.delivery} → {event.destination}  "
            f"{f'lead {event.lead_id}' if event.lead_id else 'mappings'}  "
            f"{event.happened_at:%Y-%m-%d %H:%M} UTC  {event.reason or ''}"
        )
