"""The reports: each notebook that is one, run against the lake and kept by day."""

import base64
import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.lake import catalogue
from herobase_pipeline.lake.reports import FOLDER
from herobase_pipeline.partitions import local_day
from herobase_pipeline.reading.reports import Notebook, NotRenderedError, Report, keep, notebooks, render
from herobase_pipeline.settings import Settings, project_folder


class ReportConfig(dg.Config):
    """What a report can be asked for in the launchpad."""

    org: str | None = Field(None, description="an org unit with all below it, by its code or name; unset: all of them")
    weeks: int | None = Field(
        None, ge=1, description="how many weeks it looks back; unset: as many as the notebook says"
    )


def utcnow() -> dt.datetime:
    """Return the time that says on which day a report is made."""
    return dt.datetime.now(dt.UTC)


@cache
def _found(folder: Path) -> list[Notebook]:
    return notebooks(folder)


def report_keys(site: Site) -> list[dg.AssetKey]:
    """Return the asset keys of a site's reports."""
    return [_key(site, notebook) for notebook in _found(project_folder() / "notebooks")]


def _key(site: Site, notebook: Notebook) -> dg.AssetKey:
    return site.key_of([FOLDER, notebook.name])


def reports(site: Site) -> list[dg.AssetsDefinition]:
    """Return the assets of a site's reports: one of each notebook in ``notebooks`` that has a cell tagged ``parameters``."""
    return [_report(site, notebook) for notebook in _found(project_folder() / "notebooks")]


def _report(site: Site, notebook: Notebook) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=site.called(f"report_{notebook.name}"),
        specs=[
            dg.AssetSpec(
                _key(site, notebook),
                description=f"notebooks/{notebook.path.name}, run against the lake and kept as a page and as PDF in "
                f"`{FOLDER}/{notebook.name}/<day>` of HEROBASE_DATA_DIR. For one team or other weeks: *Open launchpad*.",
                deps=[site.key(table) for table in notebook.tables],
                owners=["team:analytics"],
                group_name=site.group(FOLDER),
                kinds={"jupyter"},
            )
        ],
        config_schema=ReportConfig.to_fields_dict(),
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def make_report(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        """Run the notebook and keep what it shows."""
        config = ReportConfig(**context.op_execution_context.op_config)
        lake = own_lake(settings)
        catalogue.refresh(lake, settings.zone)  # which somebody may have deleted
        day = local_day(utcnow(), settings.zone)
        try:
            report = render(notebook.path, lake, site.name, day, org=config.org, weeks=config.weeks)
        except NotRenderedError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        files = keep(lake, notebook.name, day, report, org=config.org, weeks=config.weeks)
        if report.not_whole:
            context.log.warning(report.says_of_days)
        return dg.MaterializeResult(metadata=_metadata(report, day, config, files))

    return make_report


def _metadata(report: Report, day: dt.date, config: ReportConfig, files: Mapping[str, Path]) -> dict[str, Any]:
    """Return what the UI shows of a report: whether its days are loaded comes first."""
    told: dict[str, Any] = {
        "days": report.says_of_days,
        "is_whole": not report.not_whole,
        "made_on": str(day),
        "org": config.org or "all org units",
        "weeks": "as the notebook says" if config.weeks is None else config.weeks,
    }
    for kind, file in files.items():
        told[kind] = dg.MetadataValue.url(str(file)) if is_remote(file) else dg.MetadataValue.path(file)
    if report.pdf is None:
        told["pdf"] = report.why_no_pdf
    if report.picture:
        shown = base64.b64encode(report.picture).decode()
        told["picture"] = dg.MetadataValue.md(f"![its first picture](data:image/png;base64,{shown})")
    return told
