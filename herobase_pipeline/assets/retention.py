"""The asset ``retention``: what is past its time is deleted, once it was said a day before what would go."""

import datetime as dt
from typing import Any

import dagster as dg

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.erasing.retention import Plan, apply, plan
from herobase_pipeline.lake.damage import require_undamaged
from herobase_pipeline.partitions import in_words
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import AGENT_DAYS, CALL_HOURS, CALL_OUTCOMES, CALLS, LEADS, ORG_HISTORY, VERSIONS

NAME = "retention"
_COUNTS = (CALL_OUTCOMES, CALL_HOURS, LEADS, ORG_HISTORY, AGENT_DAYS)  # what is made from calls, and stays


def utcnow() -> dt.datetime:
    """Return the time that decides what is past its time."""
    return dt.datetime.now(dt.UTC)


def retention(site: Site) -> dg.AssetsDefinition:
    """Return the asset that deletes what is past its time of a site."""

    @dg.asset(
        key=site.key_of([NAME]),
        required_resource_keys={site.resource},
        group_name=site.group("privacy"),
        owners=["team:analytics"],
        kinds={"parquet"},
        deps=list(map(site.key, _COUNTS)),
        description="Deletes private files older than HEROBASE_KEEP_PRIVATE_DAYS and calls older than HEROBASE_KEEP_CALLS_DAYS; "
        "without a setting, nothing. The numbers of past days stay. For 20 hours after a setting changed it only says what "
        "would go.",
    )
    @step_of(site)
    def delete_what_is_past(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        """Delete what is past its time, or say what would go."""
        lake = own_lake(settings)
        require_undamaged(lake, "Nothing was deleted.", [CALLS, *VERSIONS, *_COUNTS])
        planned = plan(lake, settings, utcnow())
        files = sum(map(len, planned.files.values()))
        gone = 0 if planned.due else apply(lake, settings, planned)
        if planned.due and files:
            context.log.warning(
                f"Nothing was deleted. {files} files will go with the first run after {planned.due:%Y-%m-%d %H:%M} UTC: they are "
                "listed in the metadata. If that is not meant, change HEROBASE_KEEP_PRIVATE_DAYS or HEROBASE_KEEP_CALLS_DAYS "
                "before."
            )
        if planned.waiting:
            context.log.warning(
                f"The calls of {in_words(planned.waiting)} are past their time and stay: what is made from them is older than "
                "they are. Materialize call_outcomes and call_hours for these days, leads, org_history and agent_days."
            )
        return dg.MaterializeResult(metadata=_shown(planned, files, gone))

    return delete_what_is_past


def _shown(planned: Plan, files: int, gone: int) -> dict[str, Any]:
    lines = [f"* **{'/'.join(table.key)}**: {in_words(days)}" for table, days in planned.files.items()]
    shown: dict[str, Any] = {"files_deleted": gone, "files_past_their_time": files}
    if lines:
        shown["deleted" if gone else "would_be_deleted"] = dg.MetadataValue.md("\n".join(lines))
    if planned.due:
        shown["deletes_from"] = f"{planned.due:%Y-%m-%d %H:%M} UTC"
    return shown
