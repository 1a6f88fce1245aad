"""The definition graph, as it is meant to be."""

from herobase_pipeline.assets.reports import report_keys
from herobase_pipeline.assets.sources import sources
from herobase_pipeline.definitions import defs
from herobase_pipeline.tables import TABLES, VIEWS
from herobase_pipeline_tests.conftest import SITE

SPECS = defs.resolve_all_asset_specs()  # before a test has an instance, which Dagster would go on asking after its end


def test_the_graph_is_as_it_was(snapshot):
    graph = {
        spec.key.to_user_string(): {
            "group": spec.group_name,
            "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "partitions": str(spec.partitions_def),
            "kinds": sorted(spec.kinds),
            "description": spec.description,
            "columns": [column.name for column in columns.columns]
            if (columns := spec.metadata.get("dagster/column_schema"))
            else [],
            "owners": list(spec.owners),
        }
        for spec in SPECS
    }
    assert graph == snapshot


def test_every_table_is_an_asset_of_the_same_key():
    assert {spec.key.to_user_string() for spec in SPECS} == {
        "retention",  # makes nothing
        "board",  # for people to open
        "workbook",
        *(key.to_user_string() for key in report_keys(SITE)),
        *("/".join(table.key) for table in (*TABLES, *VIEWS)),
        *(spec.key.to_user_string() for spec in sources(SITE)),
    }
