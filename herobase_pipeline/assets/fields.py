"""The asset of the typed lead fields."""

import dataclasses
from typing import Any

import dagster as dg

from herobase_pipeline.assets.derived import ANEW
from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.specs import lineage, schema, spec
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.deriving.rebuilding import rebuild
from herobase_pipeline.deriving.session import NotDerivedError
from herobase_pipeline.erasing.looked import days_to_look_at
from herobase_pipeline.erasing.procedure import NotErasedError, erase
from herobase_pipeline.fields.columns import typed
from herobase_pipeline.fields.declarations import FieldsError, read_declarations
from herobase_pipeline.fields.projection import SOURCES, Projected, project
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import LEAD_FIELDS

FINDINGS = "fields_that_do_not_fit"


def lead_fields(site: Site) -> dg.AssetsDefinition:
    """Return the asset of the typed lead fields of a site."""

    @dg.multi_asset(
        name=site.called(LEAD_FIELDS.name),
        specs=[spec(site, LEAD_FIELDS, group="lead_records", deps=SOURCES)],
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def read_fields(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[None]:
        """Read the declared fields of all leads; names and counts are shown, never a value."""
        lake = own_lake(settings)
        try:
            # first, whatever is wrong with the files of declared fields
            erase(lake, settings.zone, days=days_to_look_at(lake))
            declarations = read_declarations(settings.declared_fields, LEAD_FIELDS.names)

            def make(anew: bool) -> Projected:
                return project(lake, settings.zone, declarations, anew=anew)

            is_anew = context.run.tags.get(ANEW) == "true"
            projected = rebuild(lake, settings.zone, LEAD_FIELDS, make) if is_anew else make(False)
        except (FieldsError, NotDerivedError, NotErasedError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for line in projected.fields:
            if line.unreadable:
                context.log.info(
                    f"{line.declaration}: {line.unreadable} of {line.filled} values of {line.field} are no {line.type}"
                )
        table = typed(declarations)
        shape: dict[str, Any] = {
            "dagster/column_schema": schema(table),
            "dagster/column_lineage": lineage(site, table, SOURCES),
        }
        return dg.MaterializeResult(metadata=shape | _metadata(projected))

    return read_fields


def _metadata(projected: Projected) -> dict[str, Any]:
    """Return the numbers that the UI shows and plots, the unreadable values of each column among them."""
    unreadable: dict[str, int] = {}
    for line in projected.fields:
        if line.type != "text":
            unreadable[line.column] = unreadable.get(line.column, 0) + line.unreadable
    shown: dict[str, Any] = {
        "dagster/row_count": projected.rows,
        "leads_without_declaration": projected.undeclared_rows,
        "new_fields": sum(found.what == "new" for found in projected.findings),
        "vanished_fields": sum(found.what == "vanished" for found in projected.findings),
        "unreadable_values": sum(unreadable.values()),
        **{f"unreadable/{column}": count for column, count in unreadable.items()},
    }
    for name, lines in (("fields", projected.fields), (FINDINGS, projected.findings)):
        if lines:
            records = [
                {
                    key: value if isinstance(value, int) else str(value)
                    for key, value in dataclasses.asdict(line).items()
                }
                for line in lines
            ]
            shown[name] = dg.MetadataValue.table([dg.TableRecord(record) for record in records])
    return shown
