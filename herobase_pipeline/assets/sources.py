"""Where the graph begins: the services of HeroBase that are asked. Nothing here is run."""

import dagster as dg

from herobase_pipeline.assets.site import Site
from herobase_pipeline.pulling.services import ACCOUNT_SERVICE, DAY_SERVICES, LIST_SERVICES, DayService, ListService
from herobase_pipeline.tables import Table


def source_key(site: Site, service: DayService | ListService) -> dg.AssetKey:
    """Return the asset key of a service, as a site asks it."""
    return site.key_of(["herobase", *service.name.split("/")])


def _fields(tables: tuple[Table, ...]) -> dg.TableSchema:
    """Return the fields of a service's answer that are read, and what they become."""
    read: dict[str, list[str]] = {}
    for table in tables:
        for column in table:
            if column.field:
                read.setdefault(column.field, []).append(f"{table.name}.{column.name}")
    return dg.TableSchema(
        [dg.TableColumn(field, "JSON", "read as " + " and ".join(columns)) for field, columns in read.items()]
    )


def _source(site: Site, service: DayService | ListService) -> dg.AssetSpec:
    tables = tuple(service.tables)
    return dg.AssetSpec(
        source_key(site, service),
        description=service.description,
        group_name=site.group("herobase"),
        kinds={"api"},
        metadata={"dagster/column_schema": _fields(tables)},
    )


def sources(site: Site) -> list[dg.AssetSpec]:
    """Return the services that a site may ask."""
    return [_source(site, service) for service in (*DAY_SERVICES, *LIST_SERVICES, ACCOUNT_SERVICE)]
