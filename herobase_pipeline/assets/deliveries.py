"""The assets ``delivery_plan`` and ``deliveries``: what would be handed on to other systems, and what was."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.pulled import SettingsResource
from herobase_pipeline.assets.specs import spec
from herobase_pipeline.delivering.declarations import Delivery, DeliveryError, read_deliveries
from herobase_pipeline.delivering.ledger import Ledger, LedgerError, ledger
from herobase_pipeline.delivering.planning import Planned, Planner, erased
from herobase_pipeline.delivering.sending import Sender, Sent, Target
from herobase_pipeline.delivering.stop import is_stopped
from herobase_pipeline.deriving.session import NotDerivedError
from herobase_pipeline.fields.columns import typed
from herobase_pipeline.fields.declarations import FieldsError, read_declarations
from herobase_pipeline.lake import catalogue
from herobase_pipeline.pulling.account import herobase, sandbox
from herobase_pipeline.settings import SANDBOX_HERO_KEY, Settings, is_loopback
from herobase_pipeline.tables import (
    DELIVERIES,
    DELIVERY_PAYLOADS,
    DELIVERY_PLAN,
    LEAD_DATA,
    LEAD_FIELDS,
    LEADS,
    RAW_LEADS,
    SEARCH_LEAD_DATA,
)

IN_THE_BOX = "the sandbox"


@dg.multi_asset(
    name=DELIVERIES.name,
    specs=[
        spec(DELIVERY_PLAN, group="delivery", deps=[LEADS, LEAD_FIELDS, LEAD_DATA, SEARCH_LEAD_DATA, RAW_LEADS]),
        spec(DELIVERIES, group="delivery", deps=[DELIVERY_PLAN], skippable=True),
        spec(DELIVERY_PAYLOADS, group="delivery", deps=[DELIVERY_PLAN], skippable=True),
    ],
    can_subset=True,
)
def deliveries(context: dg.AssetExecutionContext, settings: SettingsResource) -> Iterator[dg.MaterializeResult[None]]:
    """Plan every delivery, and send what is planned of those that are live, if ``deliveries`` is asked for."""
    lake = own_lake(settings)
    sends = dg.AssetKey(DELIVERIES.key) in context.selected_asset_keys
    budget = herobase(settings).budget
    wrong: list[str] = []
    planned: list[Planned] = []
    sent: dict[str, Sent] = {}
    try:
        found = read_deliveries(settings.deliveries, _columns(settings))
        with ledger(lake, settings.zone, budget.utcnow) as book:
            planner = Planner(lake, settings.zone, settings.phone_key, budget.utcnow)
            sender = Sender(book, budget.utcnow, budget.sleep, lambda: is_stopped(lake))
            for event in erased(book, budget.utcnow()):
                book.record(event)
            for name, delivery in found.items():
                if isinstance(delivery, DeliveryError):
                    wrong.append(str(delivery))
                    continue
                if not delivery.is_enabled:
                    context.log.info(f"{name} is not enabled, so it was not looked at.")
                    continue
                for event in planner.changed(delivery, book):
                    book.record(event)
                account, target = _target(settings, delivery, where=f"{settings.deliveries / name}.toml")
                its = planner.plan(delivery, account, book)
                if sends and delivery.is_live:
                    sent[name], its = sender.send(delivery, target, its)
                planned += its
            planner.keep(planned)
            kept = book.keep()
            reasons = _states(book)
    except (DeliveryError, FieldsError, LedgerError, NotDerivedError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    catalogue.refresh(lake, settings.zone)
    wrong += [f"{name}: {result.stopped}." for name, result in sent.items() if result.stopped]
    results = [(DELIVERY_PLAN, {"dagster/row_count": len(planned), **_decisions(planned)})]
    if sends:
        results.append((DELIVERIES, {"dagster/row_count": kept, **reasons, **_of_run(sent)}))
        results.append((DELIVERY_PAYLOADS, {"dagster/row_count": len(book.events)}))
    if wrong:  # what could be done is done and shown all the same
        for table, shown in results:
            context.log_event(dg.AssetMaterialization(dg.AssetKey(table.key), metadata=shown))
        raise dg.Failure(" ".join(wrong), allow_retries=False)
    for table, shown in results:
        if dg.AssetKey(table.key) in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=dg.AssetKey(table.key), metadata=shown)


def _columns(settings: Settings) -> list[str]:
    """Return the columns that a mapping may name."""
    declared = read_declarations(settings.declared_fields, LEAD_FIELDS.names)
    return [*LEADS.names, *(name for name in typed(declared).names if name not in LEADS.names)]


def _target(settings: Settings, delivery: Delivery, where: str) -> tuple[str, Target]:
    """Return the account that a delivery goes to, as its keys name it, and how it is reached.

    Raises:
        DeliveryError: it is live, and nothing says where it goes; or invented people would go to a real system.

    """
    url, key = settings.hero_url, settings.hero_api_key.get_secret_value()
    if settings.url is None:
        if url is None:
            return IN_THE_BOX, Target(sandbox(settings).hero_url, SANDBOX_HERO_KEY)
        if not is_loopback(urlsplit(url).hostname or ""):
            raise DeliveryError(
                f"{where}: HERO_URL is set and HEROBASE_URL is not, so the sandbox's invented people would be sent to a real "
                "system. Unset HERO_URL, or set HEROBASE_URL."
            )
    if delivery.is_live and (url is None or not key):
        raise DeliveryError(f"{where}: it is live, so HERO_URL and HERO_API_KEY must be set.")
    return (url or "").partition("://")[2].casefold(), Target(url or "", key)


def _decisions(planned: Sequence[Planned]) -> dict[str, Any]:
    """Return the plan by decision, and each reason with its number."""
    shown: dict[str, Any] = dict(sorted(Counter(each.decision for each in planned).items()))
    reasons = Counter((each.delivery, each.decision, each.reason or "") for each in planned)
    if reasons:
        shown["by_reason"] = dg.MetadataValue.table(
            [
                dg.TableRecord({"delivery": delivery, "decision": decision, "reason": reason, "leads": leads})
                for (delivery, decision, reason), leads in sorted(reasons.items())
            ]
        )
    return shown


def _states(book: Ledger) -> dict[str, int]:
    return dict(sorted(Counter(event.state for event in book.latest.values()).items()))


def _of_run(sent: Mapping[str, Sent]) -> dict[str, int]:
    """Return how many leads came to each state in this run, those too that could not be sent."""
    states = sum((each.states for each in sent.values()), Counter[str]())
    return {f"{state}_now": leads for state, leads in sorted(states.items())}
