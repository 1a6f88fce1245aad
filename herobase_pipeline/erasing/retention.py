"""How long what identifies customers, and calls, are kept; the numbers made from them stay (GDPR Art. 5(1)(e)).

What would go is said a day before it goes the first time: whoever writes 30 for 300 has a night to see it.
"""

import datetime as dt
from typing import NamedTuple

import duckdb

from herobase_pipeline.lake import catalogue, handed_out, notes
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.engine import ROOMY, connect, literal
from herobase_pipeline.lake.gone import gone_days, remember
from herobase_pipeline.lake.layout import Lake, exists
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.store import is_newer
from herobase_pipeline.lake.writing import rewrite
from herobase_pipeline.partitions import local_day
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import (
    AGENT_DAYS,
    CALL_HOURS,
    CALL_OUTCOMES,
    CALL_PHONES,
    CALLS,
    DELIVERY_PAYLOADS,
    LEAD_FIELDS,
    LEADS,
    ORG_HISTORY,
    TABLES,
    VERSIONS,
    Table,
)

_NOTE = "retention"
_NOTICE = dt.timedelta(hours=20)
_BY_ROW = {LEAD_FIELDS: "last_modified_at", DELIVERY_PAYLOADS: "happened_at"}
"""The private tables that lie in one file, and what tells how old a row is."""
_PRIVATE = tuple(table for table in TABLES if table.private and table.daily)


class Plan(NamedTuple):
    """What is past its time.

    Attributes:
        files: the days that go, by table; of calls those of which some or all go.
        waiting: days of calls that are past their time, and from which not all is made yet: they stay.
        due: from when on it goes, in UTC; None if it goes now.
        today: the local day.

    """

    files: dict[Table, list[dt.date]]
    waiting: list[dt.date]
    due: dt.datetime | None
    today: dt.date


def plan(lake: Lake, settings: Settings, now: dt.datetime) -> Plan:
    """Return what is past its time by the settings, and note when these settings were seen first.

    Args:
        lake: where.
        settings: how many days are kept.
        now: the time.

    """
    today = local_day(now, settings.zone)
    files: dict[Table, list[dt.date]] = {}
    waiting: list[dt.date] = []
    if settings.keep_calls_days is not None:
        with spool(lake) as folder, connect(settings.zone, folder, ROOMY) as con:
            query = f"SELECT DISTINCT date FROM ({_going(lake, con, settings.keep_calls_days, today)}) ORDER BY 1"
            past = [day for (day,) in con.execute(query).fetchall()]
        gone = gone_days(lake, CALLS)  # what is left of these is not counted again
        waiting = [day for day in past if not _is_counted(lake, day) and day not in gone]
        files[CALLS] = [day for day in past if day not in waiting]
    if (kept := settings.keep_private_days) is not None:
        for table in _PRIVATE:
            past = [day for day in lake.days(table) if day < today - dt.timedelta(days=kept)]
            files[table] = sorted({*files.get(table, ()), *past})
    return Plan({table: days for table, days in files.items() if days}, waiting, _due(lake, settings, now), today)


def apply(lake: Lake, settings: Settings, planned: Plan) -> int:
    """Delete what is past its time, private files first; returns how many files were deleted or written without it."""
    with spool(lake) as folder, connect(settings.zone, folder, ROOMY) as con:
        going = planned.files.get(CALLS, [])
        whole = known_in_full(con, lake.files(CALLS, going))
        remember(lake, CALLS, {day: day in whole for day in going})  # first, so that a crash loses no number
        if settings.keep_private_days is not None:
            cutoff = literal(str(planned.today - dt.timedelta(days=settings.keep_private_days)))
            for table, since in _BY_ROW.items():
                if lake.has(table):
                    # what is of no lead are the mappings that Heron was given
                    kept = f"FROM seen WHERE local_day({since}) >= DATE {cutoff} OR lead_id IS NULL"
                    rewrite(lake, con, table, query=kept, keeps_age=True)
            handed_out.remove_before(lake, planned.today - dt.timedelta(days=settings.keep_private_days))
        for table in (table for table in planned.files if table.private):
            for day in planned.files[table]:
                lake.remove(table, day)
        if going and settings.keep_calls_days is not None:
            con.execute(f"CREATE TEMP TABLE going AS {_going(lake, con, settings.keep_calls_days, planned.today)}")
            for day in going:
                _without_going(lake, con, CALL_PHONES, day)  # a number goes before its call
                _without_going(lake, con, CALLS, day)
            # once more, as a pull may have brought a day back meanwhile
            remember(lake, CALLS, {day: day in whole for day in going})
    catalogue.refresh(lake, settings.zone)
    return sum(map(len, planned.files.values()))


def _going(lake: Lake, con: duckdb.DuckDBPyConnection, kept: int, today: dt.date) -> str:
    """Return a SELECT of the calls that are past their time: of no lead, or of one of which nothing was heard since.

    A lead that is still called keeps its calls, else nobody could count its attempts.
    """
    define_views(con, lake, (CALLS, *VERSIONS))
    cutoff = literal(str(today - dt.timedelta(days=kept)))
    heard = " UNION ".join(
        f"SELECT lead_id FROM {table.name} WHERE date >= DATE {cutoff}" for table in (CALLS, *VERSIONS)
    )
    return f"""
        SELECT date, call_id FROM calls
        WHERE date < DATE {cutoff}
            AND (lead_id IS NULL OR lead_id NOT IN (SELECT lead_id FROM ({heard}) WHERE lead_id IS NOT NULL))
    """


def _without_going(lake: Lake, con: duckdb.DuckDBPyConnection, table: Table, day: dt.date) -> None:
    """Write a day's file without the calls of ``going``; a file of which nothing is left is deleted."""
    if not exists(lake.file(table, day)):
        return
    kept = f"FROM seen WHERE call_id NOT IN (SELECT call_id FROM going WHERE date = DATE {literal(str(day))})"
    if not rewrite(lake, con, table, day, kept, keeps_age=True):
        lake.remove(table, day)


def _is_counted(lake: Lake, day: dt.date) -> bool:
    """Whether all that is made from a day's calls was made since they were written."""
    calls = lake.file(CALLS, day)
    made = [
        *(lake.file(table, day) for table in (CALL_OUTCOMES, CALL_HOURS)),
        *(lake.footers(LEADS) or [lake.known(LEADS)]),
        *(lake.file(table) for table in (ORG_HISTORY, AGENT_DAYS)),
    ]
    return not any(is_newer(calls, path) for path in made)


def _due(lake: Lake, settings: Settings, now: dt.datetime) -> dt.datetime | None:
    """Return when the settings have been known for long enough; None if they have been."""
    kept = {"calls": settings.keep_calls_days, "private": settings.keep_private_days}
    with notes.updating(lake, _NOTE) as note:
        if {name: note.get(name) for name in kept} != kept or "since" not in note:
            note.update(kept, since=now.isoformat())
        due = dt.datetime.fromisoformat(note["since"]) + _NOTICE
    return due if now < due else None
