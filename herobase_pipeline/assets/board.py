"""The asset ``board``: today so far as one page, for a screen on the wall and for a phone."""

import datetime as dt
from typing import Any

import dagster as dg

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.lake import reports
from herobase_pipeline.lake.layout import written
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALLS, LEADS

NAME = "board"
CALM = dt.timedelta(minutes=10)
"""So long a page stays where more of today was pulled than leads was made from; then it shows what there is."""


def utcnow() -> dt.datetime:
    """Return the time that decides which day is today."""
    return dt.datetime.now(dt.UTC)


def board(site: Site) -> dg.AssetsDefinition:
    """Return the asset of a site's live board."""

    @dg.asset(
        key=site.key_of([NAME]),
        required_resource_keys={site.resource},
        group_name=site.group("reports"),
        owners=["team:analytics"],
        kinds={"html"},
        deps=[site.key(table) for table in (CALLS, LEADS)],
        description="Today so far beside its weekday of the four weeks before, up to the same time of day: dials, contacts, "
        "conversions, dropped calls against the limit, each with its interval, of everything and by team. One page that "
        "refreshes by itself, reports/board/index.html in HEROBASE_DATA_DIR; it follows each refresh of today.",
    )
    @step_of(site)
    def write_board(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        """Write the page anew, unless more of today was pulled meanwhile than leads is made from."""
        from herobase_pipeline.reading import board as made  # takes a while to load

        lake = own_lake(settings)
        path = reports.file(lake, NAME, "index.html")
        shown: dict[str, Any] = {"path": dg.MetadataValue.path(str(path))}
        if not is_remote(path):
            shown["page"] = dg.MetadataValue.url(path.as_uri())
        seen = made.look(lake, settings.zone, utcnow(), site.name)
        if not seen.is_current and utcnow().timestamp() - written(path) < CALM.total_seconds():
            context.log.info(
                "More of today was pulled meanwhile, so the page stays as it is; the next run makes it anew."
            )
            return dg.MaterializeResult(metadata=shown | {"as_of": "as before: more of today was pulled meanwhile"})
        reports.put(path, made.page(seen).encode())
        shown["as_of"] = f"{seen.as_of:%Y-%m-%d %H:%M}" if seen.as_of else "today is not loaded yet"
        if seen.left_out:
            shown["not_compared"] = ", ".join(f"{day} ({why})" for day, why in seen.left_out)
        return dg.MaterializeResult(metadata=shown)

    return write_board
