"""Where the graph begins: the services of HeroBase that are asked. Nothing here is run."""

import dagster as dg

from herobase_pipeline.pulling.services import ACCOUNT_SERVICE, DAY_SERVICES, LIST_SERVICES, DayService, ListService
from herobase_pipeline.tables import Table


def source_key(service: DayService | ListService) -> dg.AssetKey:
    """Return the asset key of a service."""
    return dg.AssetKey(["herobase", *service.name.split("/")])


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


def _source(service: DayService | ListService) -> dg.AssetSpec:
    tables = tuple(service.tables)
    return dg.AssetSpec(
        source_key(service),
        description=service.description,
        group_name="herobase",
        kinds={"api"},
        metadata={"dagster/column_schema": _fields(tables)},
    )


SOURCES = [_source(service) for service in (*DAY_SERVICES, *LIST_SERVICES, ACCOUNT_SERVICE)]
