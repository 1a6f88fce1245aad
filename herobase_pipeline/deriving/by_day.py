"""Tables that count leads by a day of theirs: after a change only the days are counted anew on which a lead is another.

Whether one is, is seen by a hash of all that decides the table, by file of ``leads`` and day. Tables that count calls too
follow the days whose calls were written anew.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.deriving import made
from herobase_pipeline.deriving.following import follow
from herobase_pipeline.deriving.made import Seen
from herobase_pipeline.deriving.restating import Run, restate
from herobase_pipeline.deriving.session import Derived
from herobase_pipeline.deriving.sources import loaded_days_of, macros, require_loaded
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.completeness import complete_days, define_complete_days
from herobase_pipeline.lake.engine import define, file_literal, literal
from herobase_pipeline.lake.gone import define_gone_days, gone_days
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import empty, stored, write
from herobase_pipeline.tables import CALLS, LEADS, Table


def derive_by_day(
    lake: Lake,
    zone: ZoneInfo,
    table: Table,
    run: Run | None = None,
    *,
    day_of_leads: str = "",
    with_calls: bool = False,
    anew: bool = False,
) -> Derived:
    """Make a table whose first column is a day of ``leads``; ``run`` is named where it changes numbers.

    Its SQL reads ``leads``, those of the days to count, and ``kept``, the table's rows of all other days.

    Args:
        lake: where.
        zone: the business time zone.
        table: the table.
        run: the run it is done in.
        day_of_leads: what the day is called in ``leads``; by default as in the table.
        with_calls: the SQL reads ``calls`` of these days too; ``past``, the table's own rows of those among them whose calls are
            past their time and gone; and ``gone_days``.
        anew: count every day again, whatever has changed.

    Raises:
        NotLoadedError: leads are not made yet.
        NotDerivedError: a file could not be read or written.

    """
    read = [LEADS, CALLS] if with_calls else [LEADS]
    require_loaded(lake, table, read)
    day, day_of_leads = table.columns[0].name, day_of_leads or table.columns[0].name
    by = made.recipe(zone, table.query, macros(), *map(str, table))

    def make(con: duckdb.DuckDBPyConnection) -> Derived:
        before = None if anew else made.read(lake, table, by)
        sources = _look(lake, con, table, day_of_leads, before.sources if before else {})
        sources |= _look_at_calls(lake) if with_calls else {}
        define(con, macros())
        define_complete_days(con, [(lake.footers(LEADS), [])])
        rows, kept, changed = view(lake, LEADS), empty(table), None
        if before:
            changed = _changed(before.sources, sources)
            names = {str(each) for each in changed}
            files = [path for path in lake.files(LEADS) if sources[made.name(lake, path)].told.keys() & names]
            rows = f"SELECT * FROM ({view(lake, LEADS, files=files)}) WHERE {day_of_leads} IN ({_days(changed)})"
            kept = f"SELECT * FROM ({stored(lake, table)}) WHERE {day} NOT IN ({_days(changed)})"
        con.execute(f"CREATE TEMP VIEW leads AS {rows}")
        con.execute(f"CREATE TEMP VIEW kept AS {kept}")
        if with_calls:
            _define_calls(lake, con, table, changed)
        con.execute(f"CREATE TEMP TABLE made AS {table.query}")
        restated = sum(restate(lake, con, table, "FROM made", run=run, changed=changed).values())
        whole = complete_days(con)
        loaded = loaded_days_of(con, lake, [LEADS])
        # the days that stay are in order, and to sort takes as long as to write
        count = write(lake, con, table, "FROM made", complete=whole, loaded=loaded, sort=changed is None)
        made.keep(lake, table, by, sources)
        return Derived(count, restated, is_whole=True, whole_days=len(whole))

    return follow(lake, zone, table, read, by, make, anew=anew)


def _days(days: Collection[dt.date]) -> str:
    """Return the SELECT of some days."""
    return f"SELECT unnest([{', '.join(literal(str(each)) for each in sorted(days))}]::DATE[])"


def _define_calls(
    lake: Lake, con: duckdb.DuckDBPyConnection, table: Table, changed: Collection[dt.date] | None
) -> None:
    """Make ``calls`` of the days to count, and ``past`` of those whose calls are gone; all days where ``changed`` is None."""
    define_gone_days(con, lake)
    gone = set(gone_days(lake, CALLS))
    days = [day for day in lake.days(CALLS) if day not in gone and (changed is None or day in changed)]
    con.execute(f"CREATE TEMP VIEW calls AS {view(lake, CALLS, days)}")
    recounted = gone if changed is None else gone & set(changed)
    con.execute(
        f"CREATE TEMP TABLE past AS SELECT * FROM ({stored(lake, table)}) WHERE {table.columns[0].name} IN ({_days(recounted)})"
    )


def _look_at_calls(lake: Lake) -> dict[str, Seen]:
    """Return the files of ``calls``, of which a day is another once it was written anew."""
    files = {lake.file(CALLS, day): day for day in lake.days(CALLS)}
    marks = made.marks(lake, list(files))
    return {
        name: Seen(mark=marks[name], told={str(day): str(marks[name])})
        for path, day in files.items()
        if (name := made.name(lake, path)) in marks
    }


def _look(
    lake: Lake, con: duckdb.DuckDBPyConnection, table: Table, day: str, known: Mapping[str, Seen]
) -> dict[str, Seen]:
    """Return the files of ``leads``, each with a hash of what decides the table, by day."""
    in_file = {column.name for column in LEADS.in_file}
    columns = ", ".join(sorted((table.columns_made_from(LEADS) & in_file) | {"lead_id", day}))
    sources = {}
    for path in lake.files(LEADS):
        name = made.name(lake, path)
        mark = made.marks(lake, [path])[name]
        if name in known and known[name].mark == mark:
            sources[name] = known[name]
            continue
        found = con.execute(f"""
            SELECT {day}, {made.digest(columns)}
            FROM read_parquet({file_literal(path)}, hive_partitioning = false)
            WHERE {day} IS NOT NULL GROUP BY {day}
        """).fetchall()
        sources[name] = Seen(mark=mark, told={str(on): digest for on, digest in found})
    return sources


def _changed(before: Mapping[str, Seen], now: Mapping[str, Seen]) -> set[dt.date]:
    """Return the days on which what some file has is not what it had."""
    changed: set[str] = set()
    for name in before.keys() | now.keys():
        old, new = (of[name].told if name in of else {} for of in (before, now))
        changed |= {day for day in old.keys() | new.keys() if old.get(day) != new.get(day)}
    return {dt.date.fromisoformat(day) for day in changed}
