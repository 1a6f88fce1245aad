"""Hand-made rows: a few calls and lead versions, and what the tables make of them."""

import datetime as dt
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from herobase_pipeline.deriving.by_day import derive_by_day
from herobase_pipeline.deriving.history import derive_history
from herobase_pipeline.deriving.leads import derive_leads
from herobase_pipeline.deriving.sources import Source
from herobase_pipeline.deriving.tables import derive, derive_days
from herobase_pipeline.lake.catalogue import INTERVAL, selection, view
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import write
from herobase_pipeline.partitions import local_day
from herobase_pipeline.tables import (
    AGENT_DAYS,
    CALL_OUTCOMES,
    CALLS,
    CUMULATIVE_INCIDENCE,
    DROP_RATES,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEADS,
    METRIC_REGISTRY,
    ORG_HISTORY,
    SIMPLE_LEADS,
    TABLES,
    VIEWS,
    Table,
    Type,
)
from herobase_pipeline.tables.drops import regimes
from herobase_pipeline.tables.metrics import DROPS
from herobase_pipeline.tables.metrics import version as metric_version
from herobase_pipeline.tables.rates import registry

Row = dict[str, Any]

ZONE = ZoneInfo("Europe/Copenhagen")
DAY = dt.date(2026, 3, 2)
"""A Monday, on which what is made by ``at`` happens."""
SOUTH, NORTH = ["Root", "South"], ["Root", "North"]
"""Paths of two teams."""

_ARROW = {Type.TEXTS: pa.list_(pa.string()), Type.DAYS: pa.list_(pa.date32())}
_SOURCES: dict[str, Sequence[Source]] = {
    CUMULATIVE_INCIDENCE.name: [LEADS],
    DROP_RATES.name: [CALL_OUTCOMES],
    METRIC_REGISTRY.name: [],
}
_PARAMS: dict[str, Mapping[str, Any]] = {
    DROP_RATES.name: {"regimes": regimes(), "version": metric_version(DROPS)},
    METRIC_REGISTRY.name: {"metrics": registry()},
}


def day(days: int) -> dt.date:
    """The day so many after ``DAY``."""
    return DAY + dt.timedelta(days)


def span(first: int, last: int) -> list[dt.date]:
    """The days from so many after ``DAY`` to so many, both included."""
    return [day(n) for n in range(first, last + 1)]


LOADED = dict.fromkeys(("calls", "simple_leads"), tuple(span(-60, 60)))
"""What hand-made files are made from, if nothing else is said."""


def at(clock: str, days: int = 0) -> dt.datetime:
    """A time of ``DAY``, or of a day so many later, by the local clock."""
    return dt.datetime.combine(day(days), dt.time.fromisoformat(clock), ZONE).astimezone(dt.UTC)


def after(start: dt.datetime, **time: float) -> dt.datetime:
    """A time so much after another."""
    return start + dt.timedelta(**time)


# -- rows ------------------------------------------------------------------------------------------------------------


def call(start: dt.datetime, lead: str | None = "lead", **columns: object) -> Row:
    """A dial of Anna in the south that nobody answered, a minute long and settled; or what ``columns`` say."""
    path: Any = columns.get("org_path", SOUTH)
    return {
        "call_id": f"{lead} at {start:%d %H:%M:%S}",
        "call_date": local_day(start, ZONE),
        "started_at": start,
        "ended_at": start + dt.timedelta(minutes=1),
        "end_cause": "NoResponse",
        "call_status": "RedialAutomatic",
        "lead_closure": "NotSet",
        "connected": False,
        "incoming": False,
        "lead_id": lead,
        "campaign_id": "C1",
        "campaign_code": "One",
        "agent": "anna",
        "org_path": path,
        "org_names": [f"Team {code}" for code in path],
        "org_source": "call" if path else "missing",
        "settled": True,
        **columns,
    }


def contact(start: dt.datetime, lead: str | None = "lead", **columns: object) -> Row:
    """A dial that reached a person."""
    return call(start, lead, **{"end_cause": "NormalDisconnect", "connected": True, **columns})


def closing(start: dt.datetime, lead: str | None = "lead", **columns: object) -> Row:
    """A dial that reached a person and closed its lead."""
    return contact(start, lead, **{"call_status": "UserProcessed", "lead_closure": "Success", **columns})


def dropped(start: dt.datetime, lead: str | None = "lead", **columns: object) -> Row:
    """A dial that was answered when no agent was free, as HeroBase tells of it: without an agent and a hierarchy."""
    return call(start, lead, **{"end_cause": "DroppedCall", "agent": None, "org_path": [], **columns})


def version(modified: dt.datetime, lead: str = "lead", status: str = "UserProcessed", **columns: object) -> Row:
    """A version of a lead, a Success that Anna made of it; or, with another status, one without a closure."""
    by_agent = status == "UserProcessed"
    return {
        "lead_id": lead,
        "last_modified_at": modified,
        "modified_date": local_day(modified, ZONE),
        "status": status,
        "closure": "Success" if by_agent else "NotSet",
        "campaign_id": "C1",
        "campaign_code": "One",
        "uploaded_at": at("08:00", -30),
        "first_processed_by": "anna" if by_agent else None,
        "last_modified_by": "anna" if by_agent else None,
        "observed_at": at("23:30", 40),
        "origin": "backfilled",
        **columns,
    }


def opened(modified: dt.datetime, lead: str = "lead", **columns: object) -> Row:
    """A version of a lead that is open."""
    return version(modified, lead, **{"status": "RedialManualPrivate", "last_modified_by": "anna", **columns})


# -- tables ----------------------------------------------------------------------------------------------------------


@contextmanager
def temporary_lake() -> Iterator[Lake]:
    """A lake of a test's own."""
    with tempfile.TemporaryDirectory() as folder:
        yield Lake(Path(folder))


_OPEN = ExitStack()


def connection() -> duckdb.DuckDBPyConnection:
    """A connection that stays open until the tests end."""
    return _OPEN.enter_context(connect(ZONE, Path(tempfile.gettempdir())))


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """One connection for all that is written and read."""
    return connection()


def fill(
    lake: Lake,
    table: Table,
    rows: Iterable[Row],
    day: dt.date | None = None,
    complete: Collection[dt.date] = (),
    loaded: Mapping[str, Collection[dt.date]] = LOADED,
) -> None:
    """Write rows as a table's file, in their order; columns that a row lacks are NULL."""
    given = list(rows)
    columns = {c.name: pa.array([row.get(c.name) for row in given], _ARROW.get(c.type)) for c in table}
    _connection().register("given", pa.table(columns))
    whole = replace(table, columns=tuple(replace(column, in_file=True) for column in table))  # as leads once had it
    write(lake, _connection(), whole, "FROM given", day=day, complete=complete, loaded=loaded)


def load(
    lake: Lake, calls: Iterable[Row] = (), versions: Iterable[Row] = (), complete: Collection[dt.date] = ()
) -> None:
    """Write calls and lead versions into files by their local days; complete days, and ``DAY``, have files if empty ones."""
    for table, rows, moment in ((CALLS, calls, "started_at"), (SIMPLE_LEADS, versions, "last_modified_at")):
        days: dict[dt.date, list[Row]] = defaultdict(list, {known: [] for known in complete})
        if not lake.days(table):  # what has no day at all is taken for not loaded
            days[DAY] = []
        for row in rows:
            days[local_day(row[moment], ZONE)].append(row)
        for on, of_day in days.items():
            fill(lake, table, of_day, on, {on} & set(complete))


def make(lake: Lake, *tables: Table) -> None:
    """Derive tables, one after the other, as their assets do."""
    for table in tables:
        if table.daily:
            derive_days(lake, ZONE, table, [CALLS], lake.days(CALLS))
        elif table == LEADS:
            derive_leads(lake, ZONE)
        elif table in (LEAD_CONVERSION, LEAD_COHORTS):
            derive_by_day(lake, ZONE, table)
        elif table == AGENT_DAYS:
            derive_by_day(lake, ZONE, table, day_of_leads="closed_date", with_calls=True)
        elif table == ORG_HISTORY:
            derive_history(lake, ZONE)
        else:
            derive(lake, ZONE, table, _SOURCES[table.name], _PARAMS.get(table.name))


def read(lake: Lake, table: Table) -> list[Row]:
    """The rows of a table."""
    return _connection().sql(view(lake, table)).to_arrow_table().to_pylist()


def ask(lake: Lake, query: str) -> list[Row]:
    """Query the lake as its readers do, through views like those of the catalogue."""
    with duckdb.connect() as con:
        con.execute(f"SET TimeZone = '{ZONE.key}'")
        con.execute(INTERVAL)
        for table in (*TABLES, *VIEWS):
            if (
                not any(column.name == "metric" for column in table) or table.name in query
            ):  # views of rates take long to bind
                con.execute(f'CREATE VIEW "{table.name}" AS {selection(lake, table)}')
        return con.sql(query).to_arrow_table().to_pylist()


def rates(lake: Lake, name: str, where: str = "true") -> dict[tuple[str, str | None], Row]:
    """The rows of a view of rates, each by its metric and category."""
    rows = ask(lake, f"FROM {name} WHERE {where}")
    found = {(row["metric"], row["category"]): row for row in rows}
    assert len(found) == len(rows), "the rows are of several groups"
    return found


def leads_of(
    calls: Iterable[Row] = (), versions: Iterable[Row] = (), complete: Collection[dt.date] = ()
) -> dict[str, Row]:
    """The leads that calls and versions make, by id."""
    with temporary_lake() as lake:
        load(lake, calls, versions, complete)
        make(lake, LEADS)
        rows = read(lake, LEADS)
        assert len({row["lead_id"] for row in rows}) == len(rows)
        return {row["lead_id"]: row for row in rows}


def outcomes_of(calls: Iterable[Row], complete: Collection[dt.date] = ()) -> list[Row]:
    """The rows of ``call_outcomes`` that calls make."""
    with temporary_lake() as lake:
        load(lake, calls, complete=complete)
        make(lake, CALL_OUTCOMES)
        return read(lake, CALL_OUTCOMES)


def history_of(calls: Iterable[Row]) -> dict[str, list[Row]]:
    """The versions of each org unit that calls tell of, in order, by its lower-cased code."""
    with temporary_lake() as lake:
        load(lake, calls)
        make(lake, ORG_HISTORY)
        return histories(lake)


def histories(lake: Lake) -> dict[str, list[Row]]:
    """The versions of each org unit, in order, by its lower-cased code."""
    units: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(read(lake, ORG_HISTORY), key=lambda row: row["valid_from"]):
        units[row["org_code"].lower()].append(row)
    return dict(units)
