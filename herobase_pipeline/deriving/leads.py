"""``leads``, each from its own calls and versions: month by month, and after a change only those that it touches.

A change is a day whose file is another than at the last time, or is there no more. It touches each lead that has rows on that
day now, or had some when it was last made (``active_dates``). Any other lead is what it was, as nothing else decides what a
lead is; so an increment equals the full rebuild, which takes as much memory as one month.
"""

import datetime as dt
from collections.abc import Collection
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.deriving import made
from herobase_pipeline.deriving.following import follow
from herobase_pipeline.deriving.made import Made, Seen
from herobase_pipeline.deriving.session import Derived
from herobase_pipeline.deriving.sources import define_loaded, loaded_days_of, macros, require_loaded, tables_of
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.completeness import complete_days, define_complete_days, known_in_full
from herobase_pipeline.lake.engine import define, file_literal, literal, number
from herobase_pipeline.lake.gone import define_gone_days, gone_days
from herobase_pipeline.lake.layout import Lake, month_of, place_of
from herobase_pipeline.lake.store import remove
from herobase_pipeline.lake.writing import empty, stored, write, write_known
from herobase_pipeline.tables import CALLS, LEADS, VERSIONS, Table

SOURCES = (VERSIONS, CALLS)
_DAILY = (CALLS, *VERSIONS)
_AT_ONCE = 400_000  # leads: what touches more is as dear as everything
_DIGESTED = 12  # days: today, and those that are pulled again each night
_MONTH = "date_trunc('month', list_min(active_dates))::DATE"
_Sources = dict[Table, dict[dt.date, Seen]]


def derive_leads(lake: Lake, zone: ZoneInfo, *, anew: bool = False) -> Derived:
    """Make ``leads`` from all calls and versions, or only what has changed since they were made last.

    Args:
        lake: where.
        zone: the business time zone.
        anew: make every lead again, whatever has changed.

    Raises:
        NotLoadedError: a source has no file at all.
        NotDerivedError: a file could not be read or written.

    """
    require_loaded(lake, LEADS, SOURCES)
    by = made.recipe(zone, LEADS.query, macros(), *map(str, LEADS.in_file))

    def make(con: duckdb.DuckDBPyConnection) -> Derived:
        before = None if anew else made.read(lake, LEADS, by)
        define(con, macros())
        gone = set(gone_days(lake, CALLS))  # and again below, as a day may go, or come back, while files are looked at
        sources = _look(lake, con, before)
        _define_days(lake, con, sources)
        gone.update(gone_days(lake, CALLS))
        if before is None or not _make_touched(lake, con, before, _by_path(lake, sources)):
            _make_all(lake, con)
        write_known(lake, con, LEADS, complete_days(con), loaded_days_of(con, lake, SOURCES))
        lake.remove(LEADS)  # the one file of before there were months, which counts until here
        made.keep(lake, LEADS, by, _by_path(lake, sources), [lake.digests(LEADS)], sorted(gone))
        rows = number(con, f"SELECT count(*) FROM ({view(lake, LEADS)})")
        versions = {table.name: sum(seen.told["versions"] for seen in sources[table].values()) for table in VERSIONS}
        return Derived(rows, 0, is_whole=True, versions={name: count for name, count in versions.items() if count})

    return follow(lake, zone, LEADS, _DAILY, by, make, anew=anew)


# -- what there is ------------------------------------------------------------------------------------------------------


def _look(lake: Lake, con: duckdb.DuckDBPyConnection, before: Made | None) -> _Sources:
    """Return each day's files, whether each knows its day in full, and how many lead versions are told by it alone."""
    known = before.sources if before else {}
    sources: _Sources = {}
    for table in _DAILY:
        files = {day: lake.file(table, day) for day in lake.days(table)}
        marks = made.marks(lake, list(files.values()))
        names = {day: made.name(lake, file) for day, file in files.items()}
        same = {
            day: known[name] for day, name in names.items() if name in known and known[name].mark == marks.get(name)
        }
        others = [day for day in files if day not in same and names[day] in marks]
        whole = known_in_full(con, [files[day] for day in others])
        found = {day: Seen(mark=marks[names[day]], told={"whole": day in whole, "versions": None}) for day in others}
        sources[table] = same | found
    _count_versions(lake, con, sources)
    return sources


def _count_versions(lake: Lake, con: duckdb.DuckDBPyConnection, sources: _Sources) -> None:
    of_versions = [sources[table] for table in VERSIONS]
    days = {day for of in of_versions for day, seen in of.items() if seen.told["versions"] is None}
    for table in VERSIONS:
        con.execute(f"CREATE OR REPLACE TEMP VIEW {table.name} AS {view(lake, table, days)}")
    found = con.execute("SELECT export, date, count(*) FROM lead_versions('simple_leads', 'search_leads') GROUP BY ALL")
    counts = {(export, day): count for export, day, count in found.fetchall()}
    for table in VERSIONS:
        for day in days & sources[table].keys():
            sources[table][day].told["versions"] = counts.get((table.name, day), 0)
        con.execute(f"DROP VIEW {table.name}")


def _define_days(lake: Lake, con: duckdb.DuckDBPyConnection, sources: _Sources) -> None:
    """Make ``loaded``, ``complete_days``, ``gone_days``, and ``past``: the wanted leads that had calls which are gone."""
    define_loaded(con, lake, SOURCES)
    define_gone_days(con, lake)
    whole = [
        {day for table in tables_of(source) for day, seen in sources[table].items() if seen.told["whole"]}
        | {day for table in tables_of(source) for day, is_whole in gone_days(lake, table).items() if is_whole}
        for source in SOURCES
    ]
    define_complete_days(con, [([], days) for days in whole])
    are_some = number(con, "SELECT count(*) FROM gone_days") > 0
    files = [lake.file(LEADS, month) for month in lake.months(LEADS)] or lake.files(LEADS)  # also where .known is lost
    con.execute(f"""
        CREATE TEMP TABLE all_past AS
        SELECT * FROM ({view(lake, LEADS, files=files) if are_some else empty(LEADS)})
        WHERE cohort_date IN (FROM gone_days) OR closed_date IN (FROM gone_days)
            OR list_has_any(active_dates, (SELECT list(day) FROM gone_days))
    """)
    con.execute("CREATE TEMP TABLE wanted (lead_id VARCHAR)")
    con.execute("CREATE TEMP VIEW past AS FROM all_past SEMI JOIN wanted USING (lead_id)")


def _by_path(lake: Lake, sources: _Sources) -> dict[str, Seen]:
    return {made.name(lake, lake.file(table, day)): seen for table, of in sources.items() for day, seen in of.items()}


def _changed(before: Made, now: dict[str, Seen]) -> set[tuple[str, dt.date]]:
    """Return the tables and days of which a file is another than it was."""
    names = before.sources.keys() | now.keys()
    changed = {
        name
        for name in names
        if name not in before.sources or name not in now or before.sources[name].mark != now[name].mark
    }
    return {place_of(name) for name in changed}


# -- leads --------------------------------------------------------------------------------------------------------------


def _rows(lake: Lake, days: Collection[dt.date] | None = None) -> str:
    """Return a SELECT of the lead, the day and all that decides a lead of each row, of some days or all."""
    parts = []
    for table in _DAILY:
        rows = f"SELECT date, {', '.join(_decisive(table))} FROM ({view(lake, table, days)})"
        parts.append(f"{rows} WHERE lead_id IS NOT NULL AND is_leg(call_status)" if table is CALLS else rows)
    return " UNION ALL BY NAME ".join(parts)


def _decisive(table: Table) -> list[str]:
    """Return the columns of a source by which leads are made."""
    decisive = LEADS.columns_made_from(table)
    return [name for name in table.names if name in decisive or name == "search"]


def _gather(lake: Lake, con: duckdb.DuckDBPyConnection, days: Collection[dt.date]) -> None:
    """Make the sources of the leads that are ``wanted``, from the files of some days."""
    for table in _DAILY:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {table.name} AS SELECT date, {', '.join(_decisive(table))} "
            f"FROM ({view(lake, table, days)}) SEMI JOIN wanted USING (lead_id)"
        )


def _make_all(lake: Lake, con: duckdb.DuckDBPyConnection) -> None:
    """Make every lead, those together that were first heard of in the same month."""
    past = "SELECT lead_id, unnest(active_dates) AS date FROM all_past"
    gone = f"SELECT * FROM ({past}) WHERE date IN (FROM gone_days)"
    remove(lake.digests(LEADS))
    con.execute(f"""
        CREATE TEMP TABLE everyone AS
        SELECT lead_id, date_trunc('month', min(date))::DATE AS month, max(date) AS last
        FROM (SELECT lead_id, date FROM ({_rows(lake)}) UNION ALL {gone})
        GROUP BY lead_id
    """)
    months = con.execute("SELECT month, max(last) FROM everyone GROUP BY month ORDER BY month").fetchall()
    for month, last in months:
        con.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT lead_id FROM everyone WHERE month = ?", [month])
        _gather(lake, con, _between(month, last))
        write(lake, con, LEADS, LEADS.query, day=month)
    if not months:  # loaded, and empty, is not the same as not loaded
        months = [(first.replace(day=1), None) for first in lake.days(CALLS)[:1]]
        write(lake, con, LEADS, empty(LEADS), day=months[0][0])
    for month in map(month_of, lake.folders(LEADS)):  # also beside the one file of before
        if month and month not in {made_of for made_of, _ in months}:
            lake.remove(LEADS, month)


def _make_touched(lake: Lake, con: duckdb.DuckDBPyConnection, before: Made, now: dict[str, Seen]) -> bool:
    """Make the leads that have other rows than they had; returns False, and does nothing, where they are too many."""
    places = _changed(before, now)
    if not places and not before.renamed:
        return True
    changed = {day for _, day in places}
    digested = _compare(lake, con, before, now, places)
    con.execute(
        """
        CREATE TEMP TABLE there AS
        SELECT lead_id FROM digests WHERE date NOT IN (SELECT unnest($digested::DATE[]))
        UNION
        SELECT lead_id FROM differing
        UNION
        SELECT unnest($renamed::VARCHAR[])
        """,
        {"digested": sorted(digested), "renamed": before.renamed},
    )
    of_before = f"SELECT lead_id, month, active_dates FROM ({view(lake, LEADS, with_month=True)})"
    # a join skips what of the files has none of them
    con.execute(f"CREATE TEMP TABLE were AS {of_before} SEMI JOIN there USING (lead_id)")
    if had_leads := changed - digested - _new_days(before, changed):
        con.execute(
            f"INSERT INTO were {of_before} ANTI JOIN there USING (lead_id) WHERE list_has_any(active_dates, $days::DATE[])",
            {"days": sorted(had_leads)},
        )
    con.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT lead_id FROM there UNION SELECT lead_id FROM were")
    if number(con, "SELECT count(*) FROM wanted") > _AT_ONCE:
        return False
    days = {day for (day,) in con.execute("SELECT DISTINCT unnest(active_dates) FROM were").fetchall()}
    _gather(lake, con, days | changed)
    con.execute(f"CREATE TEMP TABLE made AS SELECT {_MONTH} AS month, * FROM ({LEADS.query})")
    months = con.execute("SELECT month FROM were UNION SELECT month FROM made ORDER BY month").fetchall()
    for (month,) in months:
        if not _is_same(lake, con, month):
            anew = f"SELECT * FROM made WHERE month = DATE {literal(str(month))}"
            rows = f"FROM seen ANTI JOIN wanted USING (lead_id) UNION ALL BY NAME {anew}"
            write(lake, con, LEADS, rows, day=month, sort=False)  # but for the new ones they are in order
    _keep_digests(lake, con, changed)
    return True


def _new_days(before: Made, changed: set[dt.date]) -> set[dt.date]:
    """Return those of some days on which no lead was active when leads were made last: they had no file, and were not gone."""
    if before.gone is None:
        return set()
    return changed - {day for _, day in map(place_of, before.sources)} - set(before.gone)


def _compare(
    lake: Lake, con: duckdb.DuckDBPyConnection, before: Made, now: dict[str, Seen], places: set[tuple[str, dt.date]]
) -> set[dt.date]:
    """Make ``digests``, a hash by lead of the changed days, and ``differing``, the leads of which it is not what it was.

    Returns the days that could be compared: of the latest that changed, hashes are kept beside the table. Not those that
    have, or had, no lead versions loaded or calls deleted, as that decides leads without a row of theirs.
    """
    changed = {day for _, day in places}
    con.execute(f"""
        CREATE TEMP TABLE digests AS
        SELECT date, lead_id, {made.digest("it")} AS digest FROM ({_rows(lake, changed)}) AS it GROUP BY date, lead_id
    """)
    kept = f"read_parquet({file_literal(lake.digests(LEADS))}, hive_partitioning = false)"
    if not made.is_kept(lake, before, lake.digests(LEADS)):
        kept = "digests WHERE false"
    con.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {kept}")
    days = {day for (day,) in con.execute("SELECT DISTINCT date FROM kept").fetchall()}
    with_versions = [
        {day for table, day in map(place_of, of) if table != CALLS.name} for of in (before.sources.keys(), now.keys())
    ]
    digested = (changed & days & with_versions[0] & with_versions[1]) - gone_days(lake, CALLS).keys()
    con.execute(
        """
        CREATE TEMP TABLE differing AS
        SELECT DISTINCT coalesce(digests.lead_id, kept.lead_id) AS lead_id
        FROM digests FULL JOIN kept USING (date, lead_id)
        WHERE coalesce(digests.date, kept.date) IN (SELECT unnest($days::DATE[])) AND digests.digest IS DISTINCT FROM kept.digest
        """,
        {"days": sorted(digested)},
    )
    return digested


def _keep_digests(lake: Lake, con: duckdb.DuckDBPyConnection, changed: Collection[dt.date]) -> None:
    """Keep the hashes of the days that changed last: these are pulled again."""
    rows = "SELECT * FROM kept WHERE date NOT IN (SELECT unnest($changed::DATE[])) UNION ALL SELECT * FROM digests"
    latest = f"date IN (SELECT DISTINCT date FROM ({rows}) ORDER BY date DESC LIMIT {_DIGESTED})"
    with lake.replacing_beside(LEADS, lake.digests(LEADS)) as aside:
        con.execute(
            f"COPY (SELECT * FROM ({rows}) WHERE {latest}) TO {literal(str(aside))} (FORMAT parquet, COMPRESSION zstd)",
            {"changed": sorted(changed)},
        )


def _is_same(lake: Lake, con: duckdb.DuckDBPyConnection, month: dt.date) -> bool:
    """Whether the wanted leads of a month are what they were."""
    columns = ", ".join(column.name for column in LEADS.in_file)
    old = f"SELECT * FROM ({stored(lake, LEADS, month)}) SEMI JOIN wanted USING (lead_id)"
    new = f"SELECT * FROM made WHERE month = DATE {literal(str(month))}"
    were, are = (
        con.execute(f"SELECT count(*), {made.digest(columns)} FROM ({rows})").fetchall() for rows in (old, new)
    )
    return were == are


def _between(first: dt.date, last: dt.date) -> set[dt.date]:
    return {first + dt.timedelta(days=n) for n in range((last - first).days + 1)}
