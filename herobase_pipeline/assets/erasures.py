"""The asset ``erasures``: who asked to be forgotten is erased, and it is proven that they are gone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.sources import source_key
from herobase_pipeline.assets.specs import spec
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.delivering.ledger import LedgerError, ledger
from herobase_pipeline.erasing.procedure import NotErasedError, erase, persons
from herobase_pipeline.erasing.proof import Proof, prove
from herobase_pipeline.erasing.requests import HandedOver, ListError, Request, delete, lists, read_list, seen, share_out
from herobase_pipeline.erasing.sweep import sweep
from herobase_pipeline.herobase.errors import HeroBaseError, NotFoundError, RightMissingError
from herobase_pipeline.lake import catalogue
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.pulling.services import DAY_SERVICES
from herobase_pipeline.settings import Settings
from herobase_pipeline.sites import all_settings
from herobase_pipeline.tables import CALLS, ERASED, ERASURES, LEAD_FIELDS, LEADS, VERSIONS

GONE = "erased_are_gone"
_LISTED = 20
_SIMPLE_LEADS = next(service for service in DAY_SERVICES if service.tables[0] in VERSIONS)


def erasures(site: Site) -> dg.AssetsDefinition:
    """Return the assets of who asked to be forgotten of a site."""

    @dg.multi_asset(
        name=site.called(ERASURES.name),
        specs=[
            spec(site, ERASED, group="privacy", deps=[source_key(site, _SIMPLE_LEADS), *VERSIONS]),
            spec(site, ERASURES, group="privacy", deps=[ERASED, CALLS, LEADS, LEAD_FIELDS]),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                GONE,
                asset=site.key(ERASURES),
                description="No value of any table, no byte of the data, of the catalogue and of Dagster's runs and logs tells "
                "an erased person. Where one does: see docs/privacy.md, and materialize erasures again.",
            )
        ],
        can_subset=True,
        pool=site.pool,
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def forget(
        context: dg.AssetExecutionContext, settings: Settings
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        """Erase whoever asked, by status or by list, and look whether they are gone."""
        lake = own_lake(settings)
        unread = share_out([each.data_dir for each in all_settings().values()]) if site.name else []
        known, utcnow = _persons_before(context, site.key(ERASURES)), herobase(settings).budget.utcnow
        requests, taken, wrong = _handed_over(lake, is_site=bool(site.name))
        wrong += unread
        asked, unreadable = "yes", 0
        try:
            swept = sweep(herobase(settings), lake, settings)
            requests, unreadable = [*requests, *swept.requests], swept.unreadable
        except (RightMissingError, NotFoundError) as error:
            asked = f"no, so only the lake was looked at. {error}"
            context.log.warning(f"HeroBase could not be asked whom it has anonymized: {asked}")
        except HeroBaseError as error:
            asked = f"no, and those who were known are erased. {error}"
            wrong.append(f"HeroBase could not be asked whom it has anonymized: {asked}")
        try:
            # nothing is sent meanwhile, and what a sender that was killed left is in its tables
            with ledger(lake, settings.zone, utcnow):
                erased = erase(lake, settings.zone, requests, everyone=True)
            kept = [each for each in taken if not delete(each)]
            if taken:
                context.log.info(f"Lists taken over: {len(taken)}; deleted: {len(taken) - len(kept)}.")
            if kept:
                wrong.append(
                    f"{len(kept)} lists were taken over and are still there, as they changed meanwhile or cannot be deleted: "
                    "what they have now is taken over by the next run. Delete them by hand if nothing was added."
                )
            proof = prove(lake, settings.zone, _state(context.instance))
        except (LedgerError, NotErasedError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        catalogue.refresh(lake, settings.zone)
        registered, rows = persons(lake, settings.zone)
        known = max(known, rows)
        shown: dict[str, Any] = {
            "dagster/row_count": rows,
            "persons": registered,
            "persons_known": max(known, registered),  # and not less, as long as some are lacking
            "persons_erased": erased.persons,
            "files_rewritten": erased.files,
            "herobase_was_asked": asked,
            "records_set_aside": unreadable,
            "proof": str(proof),
        }
        context.log.info(f"{erased.persons} persons erased, {erased.files} files rewritten. {proof}")
        gone = _gone(site.key(ERASURES), proof, registered, known)
        if wrong:  # what could be done is done and shown all the same
            context.log_event(dg.AssetMaterialization(site.key(ERASURES), metadata=shown))
            raise dg.Failure(" ".join(wrong), allow_retries=False)
        for table in (ERASED, ERASURES):
            key = site.key(table)
            checks = [gone] if table is ERASURES else []
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata=shown if checks else {}, check_results=checks)
            else:  # both are always written, and the check may be run alone
                context.log_event(dg.AssetMaterialization(key, metadata=shown if checks else {}))
                yield from (check for check in checks if context.selected_asset_check_keys)

    return forget


def _handed_over(lake: Lake, *, is_site: bool) -> tuple[list[Request], list[HandedOver], list[str]]:
    """Return who stands on the lists that were handed over, the lists that could be read, and what is wrong with the others."""
    requests: list[Request] = []
    taken: list[HandedOver] = []
    wrong: list[str] = []
    handed_over = lists(lake, is_site=is_site)
    for number, path in enumerate(handed_over, 1):
        try:
            as_it_is = seen(path)
            requests += read_list(path, f"List {number} of {len(handed_over)} by name, in {path.parent}")
            taken.append(as_it_is)
        except ListError as error:
            wrong.append(str(error))
    return requests, taken, wrong


def _gone(key: dg.AssetKey, proof: Proof, persons: int, known: int) -> dg.AssetCheckResult:
    lost = known > persons
    told = [f"* {hit.where}: {hit.texts} places" for hit in proof.hits[:_LISTED]]
    description = str(proof)
    if lost:
        description = (
            f"The register knows {persons} persons, and {known} were known before: a backup was put in its place. Put "
            f"back private/{ERASED.name}, or hand in the lists again; until then, who stood on them may come back. {proof}"
        )
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=GONE,
        passed=not proof.hits and not lost,
        severity=dg.AssetCheckSeverity.ERROR,
        description=description,
        metadata={"places": len(proof.hits)} | ({"found": dg.MetadataValue.md("\n".join(told))} if told else {}),
    )


def _persons_before(context: dg.AssetExecutionContext, key: dg.AssetKey) -> int:
    """Return how many persons were known when ``erasures`` was last materialized."""
    event = context.instance.get_latest_materialization_event(key)
    made = event.asset_materialization if event else None
    known = next((made.metadata[name] for name in ("persons_known", "persons") if made and name in made.metadata), None)
    return int(str(known.value)) if known else 0


def _state(instance: dg.DagsterInstance) -> Path | None:
    """Return the folder of Dagster's runs and logs; None where its storage is a database elsewhere."""
    folder = Path(instance.root_directory).absolute()
    return folder if any(folder.rglob("*.db")) else None
