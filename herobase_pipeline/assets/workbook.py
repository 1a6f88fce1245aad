"""The asset ``workbook``: the last weeks by team as a spreadsheet, for who never opens a tool."""

from typing import Any

import dagster as dg

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.lake import catalogue, reports
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_OUTCOMES, LEAD_CONVERSION

NAME = "workbook"


def workbook(site: Site) -> dg.AssetsDefinition:
    """Return the asset of a site's spreadsheet."""

    @dg.asset(
        key=site.key_of([NAME]),
        required_resource_keys={site.resource},
        group_name=site.group("reports"),
        owners=["team:analytics"],
        kinds={"excel"},
        deps=[site.key(table) for table in (CALL_OUTCOMES, LEAD_CONVERSION)],
        description="A spreadsheet of the last five weeks that are over: outcomes and conversion by week and team, with rates as "
        "formulas of the counts beside them, the counts to pivot, and notes; and the same counts as CSV. It lies in "
        "reports/workbook/<the day it was made>/ in HEROBASE_DATA_DIR.",
    )
    @step_of(site)
    def write_workbook(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        """Write the spreadsheet of the last weeks."""
        from herobase_pipeline.reading import workbook as book  # takes half a second to load
        from herobase_pipeline.reading.errors import NotLoadedError
        from herobase_pipeline.reading.weekly import WHOLE, weeks

        lake = own_lake(settings)
        catalogue.refresh(lake, settings.zone)  # which somebody may have deleted
        try:
            read = weeks(data_dir=settings.data_dir)
            content = {"xlsx": book.xlsx(read), "csv": book.as_csv(read)}
        except (NotLoadedError, book.TooManyRowsError) as error:
            raise dg.Failure(f"{NAME} was not made. {error}", allow_retries=False) from error
        day = str(read.made_at.date())
        paths = {
            ending: reports.file(lake, NAME, day, f"{name}.{ending}")
            for ending, name in (("xlsx", NAME), ("csv", "counts"))
        }
        for ending, path in paths.items():
            reports.put(path, content[ending])
        sheets = (book.outcomes(read), book.conversion(read))
        short = {
            f"{sheet.name} of the week from {key.week}: {state}"
            for sheet in sheets
            for key in sheet.rows
            if (state := read.state(sheet.table, key)) != WHOLE
        }
        metadata: dict[str, Any] = {
            "path": dg.MetadataValue.path(str(paths["xlsx"])),
            "csv": dg.MetadataValue.path(str(paths["csv"])),
            "weeks": f"{read.first} to {read.last}",
            "not_whole": dg.MetadataValue.md(
                "\n".join(f"* {line}" for line in sorted(short)) or "All weeks are whole."
            ),
            **{f"rows_of_{sheet.name}": len(sheet.rows) for sheet in sheets},
        }
        if short:
            context.log.warning(f"Not whole, or not final: {'; '.join(sorted(short))}.")
        return dg.MaterializeResult(metadata=metadata)

    return write_workbook
