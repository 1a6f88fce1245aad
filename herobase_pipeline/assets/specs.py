"""What Dagster shows of a table, all of it from the table's one declaration."""

from collections.abc import Sequence

import dagster as dg

from herobase_pipeline.assets.site import Site
from herobase_pipeline.tables import VIEWS, Column, Table
from herobase_pipeline.tables.lineage import made_from
from herobase_pipeline.tables.pages import as_list


def spec(
    site: Site,
    table: Table,
    *,
    group: str,
    deps: Sequence[Table | dg.AssetKey] = (),
    partitioned: bool | None = None,
    skippable: bool = False,
) -> dg.AssetSpec:
    """Return the Dagster spec of a table.

    Args:
        site: whose it is.
        table: its declaration.
        group: where it stands in the graph.
        deps: the tables it is made from, or the service of HeroBase.
        partitioned: by day of the business zone; default as the table is.
        skippable: a run may leave it as it is, without having failed.

    """
    by_day = table.daily if partitioned is None else partitioned
    return dg.AssetSpec(
        site.key(table),
        description=_description(table),
        deps=[site.key(dep) if isinstance(dep, Table) else dep for dep in deps],
        owners=["team:analytics"],
        group_name=site.group(group),
        skippable=skippable,
        kinds={"duckdb"} if table in VIEWS else {"duckdb", "parquet"},
        partitions_def=site.days if by_day else None,
        metadata={"dagster/column_schema": schema(table), "dagster/column_lineage": lineage(site, table, deps)},
        tags={"zone": "private" if table.private else "lake"},
    )


def _description(table: Table) -> str:
    """Return what the UI says of a table: what it is, its grain, and the metrics found in it."""
    text = f"{table.description} One row: {table.grain.removeprefix('one row ')}."
    if table in VIEWS:
        text += " A view in the catalogue, computed as it is read: there is nothing to materialize."
    metrics = as_list(table.name)
    return f"{text}\n\n{metrics}" if metrics else text


def schema(table: Table) -> dg.TableSchema:
    """Return a table's columns as the UI shows them."""
    return dg.TableSchema([dg.TableColumn(c.name, c.type.value, _told(table, c)) for c in table])


def _told(table: Table, column: Column) -> str:
    """Return a column's description and what it is made from, which Dagster's open-source UI does not show by itself."""
    sources: dict[str, list[str]] = {}
    for made in dict.fromkeys(made_from(table, column)):
        source, name = made.split(".")
        sources.setdefault(source, []).append(f"`{name}`")
    return "\n\n".join([column.description, *(f"← `{source}`: {', '.join(of)}" for source, of in sources.items())])


def lineage(site: Site, table: Table, deps: Sequence[Table | dg.AssetKey]) -> dg.TableColumnLineage:
    """Return which columns of what it is made from each column of a table comes from; of a service, the field."""
    tables = {dep.name: site.key(dep) for dep in deps if isinstance(dep, Table)}
    services = [dep for dep in deps if isinstance(dep, dg.AssetKey)]
    found = {}
    for column in table:
        sources = {(tables[source], name) for source, name in (made.split(".") for made in made_from(table, column))}
        if column.field:
            sources |= {(service, column.field) for service in services}
        if sources:
            found[column.name] = [dg.TableColumnDep(asset_key=key, column_name=name) for key, name in sources]
    return dg.TableColumnLineage(found)
