"""The assets ``delivery_plan`` and ``deliveries``: what would be handed on to other systems, and what was."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.specs import spec
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.delivering.deliver import Run, deliver
from herobase_pipeline.delivering.ledger import LedgerError
from herobase_pipeline.deriving.session import NotDerivedError
from herobase_pipeline.fields.declarations import FieldsError
from herobase_pipeline.lake import catalogue
from herobase_pipeline.lake.damage import require_undamaged
from herobase_pipeline.settings import Settings
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


def deliveries(site: Site) -> dg.AssetsDefinition:
    """Return the assets of what a site hands on."""

    @dg.multi_asset(
        name=site.called(DELIVERIES.name),
        specs=[
            spec(
                site, DELIVERY_PLAN, group="delivery", deps=[LEADS, LEAD_FIELDS, LEAD_DATA, SEARCH_LEAD_DATA, RAW_LEADS]
            ),
            spec(site, DELIVERIES, group="delivery", deps=[DELIVERY_PLAN], skippable=True),
            spec(site, DELIVERY_PAYLOADS, group="delivery", deps=[DELIVERY_PLAN], skippable=True),
        ],
        can_subset=True,
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def hand_on(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[dg.MaterializeResult[None]]:
        """Plan every delivery, and send what is planned of those that are live, if ``deliveries`` is asked for."""
        lake = own_lake(settings)
        require_undamaged(lake, "Nothing was planned or sent.", [DELIVERIES, DELIVERY_PAYLOADS])
        sends = site.key(DELIVERIES) in context.selected_asset_keys
        try:
            run = deliver(lake, settings, context.log.info, sends=sends)
        except (FieldsError, LedgerError, NotDerivedError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        catalogue.refresh(lake, settings.zone)
        results = [(DELIVERY_PLAN, {"dagster/row_count": len(run.planned), **_decisions(run)})]
        if sends:
            results.append((DELIVERIES, {"dagster/row_count": run.states.total(), **_states(run)}))
            results.append((DELIVERY_PAYLOADS, {"dagster/row_count": run.events}))
        if run.wrong:  # what could be done is done and shown all the same
            for table, shown in results:
                context.log_event(dg.AssetMaterialization(site.key(table), metadata=shown))
            raise dg.Failure(" ".join(run.wrong), allow_retries=False)
        for table, shown in results:
            if site.key(table) in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=site.key(table), metadata=shown)

    return hand_on


def _decisions(run: Run) -> dict[str, Any]:
    """Return the plan by decision, each reason with its number, and whose mappings are to be handed over."""
    shown: dict[str, Any] = dict(sorted(Counter(each.decision for each in run.planned).items()))
    if run.waiting:
        shown["mappings_to_hand_over"] = ", ".join(run.waiting)
    reasons = Counter((each.delivery, each.decision, each.reason or "") for each in run.planned)
    return shown | _by_reason("decision", reasons)


def _states(run: Run) -> dict[str, Any]:
    """Return the ledger by state, what came of this run, and each reason with its number."""
    shown: dict[str, Any] = {}
    for (_, state, _), number in sorted(run.states.items()):
        shown[state] = shown.get(state, 0) + number
    shown |= {f"{state}_now": leads for state, leads in sorted(run.sent_now.items())}
    return shown | _by_reason("state", run.states)


def _by_reason(kind: str, found: Counter[tuple[str, str, str]]) -> dict[str, Any]:
    if not found:
        return {}
    records = [
        dg.TableRecord({"delivery": delivery, kind: value, "reason": reason, "number": number})
        for (delivery, value, reason), number in sorted(found.items())
    ]
    return {"by_reason": dg.MetadataValue.table(records)}
