"""That what each column is said to be made from is what the SQL makes it from, as DuckDB plans it."""

import json
import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from herobase_pipeline.assets.sources import sources
from herobase_pipeline.definitions import defs
from herobase_pipeline.deriving import restating
from herobase_pipeline.deriving.history import SIGHTINGS
from herobase_pipeline.deriving.sources import define_sources
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.engine import quoted
from herobase_pipeline.lake.gone import define_past
from herobase_pipeline.lake.writing import empty
from herobase_pipeline.tables import (
    CALL_HOURS,
    CALL_OUTCOMES,
    DELIVERIES,
    DELIVERY_PAYLOADS,
    DELIVERY_PLAN,
    DROP_RATES,
    ERASED,
    ERASURES,
    HEALTH,
    KNOWN_DAYS,
    LEAD_FIELDS,
    LEADS,
    LOADED_DAYS,
    METRIC_REGISTRY,
    RESTATEMENTS,
    TABLES,
    UNREADABLE,
    VIEWS,
    Table,
)
from herobase_pipeline.tables.drops import regimes
from herobase_pipeline.tables.rates import registry
from herobase_pipeline.tables.restatements import PUBLISHED
from herobase_pipeline_tests.conftest import SITE
from herobase_pipeline_tests.tables.making import DAY, Row, at, connection, day, temporary_lake

Made = dict[str, set[str]]
"""For each column the columns that it is made from, as ``asset.column``."""

SPECS = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
SERVICES = {source.key for source in sources(SITE)}
# unreadable keeps records whole, health says of tables what is wrong with them, and erasures who is in none
EVERY = tuple(table for table in (*TABLES, *VIEWS) if table not in (UNREADABLE, HEALTH, ERASED, ERASURES))
PULLED = [table for table in EVERY if any(dep.asset_key in SERVICES for dep in SPECS[dg.AssetKey(table.key)].deps)]
DERIVED = [table for table in EVERY if table not in PULLED]
HANDED_ON = (DELIVERY_PLAN, DELIVERIES, DELIVERY_PAYLOADS)
BY_SQL = [table for table in DERIVED if table not in (KNOWN_DAYS, LOADED_DAYS, LEAD_FIELDS, *HANDED_ON)]
"""``known_days`` and ``loaded_days`` come from the footers of files; what ``lead_fields`` reads, and what is handed on, people
declare."""

PARAMS: dict[Table, dict[str, Any]] = {
    **{table: {"first_day": DAY, "last_day": DAY} for table in (CALL_OUTCOMES, CALL_HOURS)},
    DROP_RATES: {"regimes": regimes(), "version": 1},
    METRIC_REGISTRY: {"metrics": registry()},
    RESTATEMENTS: {"known": [DAY]},
}
FROM_NOTHING = {
    "lead_fields": {"declaration_version"},  # as declared
    "lead_cohorts": {"age_days"},  # the same ages for every cohort
    "drop_rates": {"regime", "limit_rate", "metric_version"},  # as declared
    "restatements": {"restated_at", "run_id", "cause", "table_name", "measure"},  # when, and by what names
    "metrics": set(METRIC_REGISTRY.names),
    "delivery_plan": {"delivery"},  # as declared
    **{table.name: set(table.names) - {"delivery", "lead_id", "state"} for table in HANDED_ON[1:]},  # what happened
    **{
        table.name: {"metric", "category", "metric_version"}
        for table in VIEWS
        if table not in (KNOWN_DAYS, LOADED_DAYS)
    },
}
FROM_NOTHING["pool_rates"].add("is_mature")  # always NULL
# the campaign of a lead that only calls tell of is one struct, which is read whole
READ_ALONG = {"leads.campaign_id": {"calls.campaign_code"}, "leads.campaign_code": {"calls.campaign_id"}} | {
    # of a lead whose calls are gone: whether it was closed anew since
    f"leads.{name}": {"simple_leads.first_processed_at", "search_leads.first_processed_at"}
    for name in ("closing_call_id", "attribution", "agent", "org_path", "org_names", "credited_incoming")
}


def each(tables: list[Table]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("table", tables, ids=lambda table: table.name)


def deps(table: Table) -> set[dg.AssetKey]:
    return {dep.asset_key for dep in SPECS[dg.AssetKey(table.key)].deps}


def made(table: Table) -> Made:
    """What Dagster is told."""
    told = SPECS[dg.AssetKey(table.key)].metadata["dagster/column_lineage"]
    return {
        column: {f"{source.asset_key.to_user_string()}.{source.column_name}" for source in sources}
        for column, sources in told.deps_by_column.items()
    }


def columns(asset: dg.AssetKey) -> set[str]:
    """The columns that can be read from an asset, as ``asset.column``."""
    days = {"date"} if any(table.key == list(asset.path) and table.daily for table in EVERY) else set()
    shown = {column.name for column in SPECS[asset].metadata["dagster/column_schema"].columns}
    return {f"{asset.to_user_string()}.{column}" for column in shown | days}


# -- the graph -------------------------------------------------------------------------------------------------------


@each([*EVERY])
def test_columns_are_made_from_columns_of_the_deps_and_each_dep_is_named(table):
    assert made(table).keys() <= set(table.names)
    named = set().union(*made(table).values())
    for asset in deps(table):
        assert named & columns(asset), f"nothing is made from {asset.to_user_string()}"
    assert named <= set().union(*map(columns, deps(table)))


@each(PULLED)
def test_a_pulled_column_is_made_from_its_field(table):
    (service,) = deps(table)
    assert made(table) == {
        column.name: {f"{service.to_user_string()}.{column.field}"} for column in table if column.field
    }


def test_the_fields_of_a_service_are_those_that_its_tables_read():
    for service in SERVICES:
        fields = {
            (column.field, f"{table.name}.{column.name}")
            for table in PULLED if service in deps(table)
            for column in table if column.field
        }  # fmt: skip
        shown = SPECS[service].metadata["dagster/column_schema"].columns
        assert {
            (field.name, name) for field in shown for name in field.description.removeprefix("read as ").split(" and ")
        } == fields


@each(DERIVED)
def test_no_column_is_without_a_source_but_those_that_have_none(table):
    assert set(table.names) - made(table).keys() == FROM_NOTHING.get(table.name, set())


# -- the SQL ---------------------------------------------------------------------------------------------------------


def empty_tables() -> duckdb.DuckDBPyConnection:
    """A connection with an empty table for each table."""
    con = connection()
    with temporary_lake() as lake:
        define_sources(con, lake, [])
        for table in EVERY:
            con.execute(f"CREATE TABLE {table.name} AS {view(lake, table)}")
        define_past(con, lake, LEADS)
        con.execute(f"CREATE VIEW org_sightings AS {SIGHTINGS}")
    return con


@cache
def planner() -> duckdb.DuckDBPyConnection:
    """A connection in which plans show all that is read: filters stand above it, and that it is empty is not known."""
    con = empty_tables()
    con.execute("SET disabled_optimizers = 'filter_pushdown,statistics_propagation'")
    return con


def query(table: Table) -> str:
    """The SELECT that a table is."""
    if table is not RESTATEMENTS:
        return table.view or table.query
    changes = [restating._changes(p, f"FROM {p.table.name}", f"FROM {p.table.name}") for p in PUBLISHED]
    told = "*, now() AS restated_at, NULL AS run_id, NULL AS cause"
    return f"SELECT {told} FROM ({' UNION ALL '.join(f'({change})' for change in changes)})"


@cache
def read(table: Table, column: str = "*") -> set[str]:
    """The columns that have to be read to make a table, or one column of it."""
    for own in ("past", "kept"):  # what the table's own file had
        planner().execute(f"CREATE OR REPLACE TEMP VIEW {own} AS {empty(table)}")
    explained = f"EXPLAIN (FORMAT JSON) SELECT {column} FROM ({query(table)})"
    ((_, plan),) = planner().execute(explained, PARAMS.get(table, {})).fetchall()
    return set(_scanned(json.loads(plan))) & {f"{t.name}.{name}" for t in EVERY for name in (*t.names, "date")}


def _scanned(nodes: list[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        told = node["extra_info"]
        if "Table" in told:
            projections = told.get("Projections", [])
            for column in [projections] if isinstance(projections, str) else projections:
                yield f"{told['Table'].rpartition('.')[2]}.{column}"
        yield from _scanned(node["children"])


@each(BY_SQL)
def test_together_the_columns_are_made_from_what_the_sql_reads(table):
    assert set().union(*made(table).values()) == read(table)


@each(BY_SQL)
def test_a_column_is_made_from_what_is_read_for_it_and_from_all_that_is_read_for_it_only(table):
    needed = {name: read(table, quoted(name)) for name in table.names}
    always = set.intersection(*needed.values())
    for name, of in needed.items():
        told = made(table).get(name, set())
        assert told <= of, f"{name} needs no {told - of}"
        only = of - always - READ_ALONG.get(f"{table.name}.{name}", set())
        assert told >= only, f"{name} needs {only - told} too"


def test_the_plan_tells_what_is_read():
    """So that the tests above can fail."""
    assert read(DROP_RATES) == {f"call_outcomes.{name}" for name in (
        "date", "campaign_id", "org_level", "end_cause", "settled_dials", "dials", "is_mature",
    )}  # fmt: skip
    assert read(DROP_RATES) - read(DROP_RATES, "dropped") == {"call_outcomes.is_mature"}


# -- leads: for most of its columns the plan reads the same, so what they are made from is found by experiment --------

TIMES = [at("09:00"), at("09:03"), at("09:08"), at("20:00"), at("09:00", 2)]
_VERSIONS: dict[str, Sequence[Any]] = {
    "last_modified_at": TIMES, "observed_at": range(10**15, 2 * 10**15),
    "status": ["UserProcessed"] * 6 + ["RedialAutomatic"] * 2 + ["Expired", "Anonymized"],
    "closure": ["Success", "NotSet", "Unqualified"], "campaign_id": ["C1", "C2", None], "campaign_code": ["One", "Two", None],
    "uploaded_at": TIMES, "first_processed_at": [None, *TIMES], "first_processed_by": ["anna", None],
    "last_modified_by": ["bo", "eva", None],
    "lead_pool": ["A", "B", None],
}  # fmt: skip
VALUES: dict[str, dict[str, Sequence[Any]]] = {
    "calls": {
        "call_id": [f"{n:05}" for n in range(10**5)], "started_at": TIMES[:2] * 3 + TIMES, "ended_at": [None, *TIMES],
        "incoming": [True, False, False],
        "end_cause": ["NormalDisconnect"] * 4 + ["Busy", "DroppedCall", None], "lead_closure": ["NotSet", "Success", None],
        "call_status": ["UserProcessed"] * 4 + ["NotSet", "Transferred", "AlternativeNumberDialed", None],
        "campaign_id": ["C1", "C2"], "campaign_code": ["One", "Two"], "agent": ["anna", "bo", None],
        "org_path": [["Root"], ["South"], []], "org_names": [["Blue"], ["Green"], []],
    },
    "simple_leads": _VERSIONS,
    "search_leads": _VERSIONS,
}  # fmt: skip
"""What is drawn: all that leads.sql reads but ``lead_id``, by which it joins. Ids and sights (in µs) hardly ever meet."""


def test_a_lead_changes_with_what_its_columns_are_made_from_and_with_nothing_else():
    con, draw = empty_tables(), random.Random(1)
    con.execute("INSERT INTO complete_days VALUES ($1, $2), ($3, $4)", [DAY, day(20), day(2), day(30)])

    def put(table: str, rows: list[Row]) -> None:
        shape = con.sql(f"FROM {table} LIMIT 0").to_arrow_table().schema
        con.register("given", pa.Table.from_pylist(rows, shape))
        con.execute(f"DELETE FROM {table}; INSERT INTO {table} FROM given")

    drawn: dict[str, list[Row]] = {table: [] for table in VALUES}
    for lead in range(5000):
        for table, values in VALUES.items():
            for _ in range(draw.randrange(5)):
                drawn[table].append({"lead_id": str(lead), **{name: draw.choice(of) for name, of in values.items()}})
    for table, rows in drawn.items():
        put(table, rows)
    con.execute(f"CREATE TABLE before AS {LEADS.query}")

    differ = ", ".join(f"bool_or(before.{name} IS DISTINCT FROM after.{name})" for name in LEADS.names)
    found: Made = {}
    for table, values in VALUES.items():
        one_each = {row["lead_id"]: n for n, row in enumerate(drawn[table])}.values()
        for changed, of in values.items():
            rows = drawn[table].copy()
            for n in one_each:
                rows[n] = {**rows[n], changed: draw.choice(of)}
            put(table, rows)
            con.execute(f"CREATE OR REPLACE TABLE after AS {LEADS.query}")
            ((*changes,),) = con.execute(f"SELECT {differ} FROM before JOIN after USING (lead_id)").fetchall()
            for name, is_other in zip(LEADS.names, changes, strict=True):
                if is_other:
                    found.setdefault(name, set()).add(f"{table}.{changed}")
        put(table, drawn[table])
    assert found == {
        name: sources - {"calls.lead_id", "simple_leads.lead_id", "search_leads.lead_id"}
        for name, sources in made(LEADS).items()
        if name
        not in ("lead_id", "known_through", "active_dates")  # the last is of the files, and the other of all days
    }
