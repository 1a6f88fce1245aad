"""For notebooks: the lake as a connection to query, or a table's rows as a frame. Reads files only; knows no Dagster.

What is read is the Parquet, through the catalogue's views: a run replaces files while a notebook is open, neither waits
for the other, and the next query sees what is new. No query meets half of a replacement (see ``connect`` and ``whole``).
"""

import datetime as dt
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.lake.catalogue import INTERVAL, at_hand, named, selection, timezone_of, view
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.damage import DamagedError, is_readable
from herobase_pipeline.lake.engine import ORG_KEY, bare, literal, quoted
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.partitions import in_words
from herobase_pipeline.reading.days import BY_NAME, SITE, remember, sources
from herobase_pipeline.reading.errors import (
    NoRowsWarning,
    NoSuchNameError,
    NotAllUnitsWarning,
    NotLoadedError,
    NotLoadedWarning,
)
from herobase_pipeline.reading.lakes import are_sites, existing, lakes_of, together
from herobase_pipeline.reading.leaves import count, is_by_node, leaves
from herobase_pipeline.reading.progress import show_progress
from herobase_pipeline.reading.whole import keep_files_whole, whole
from herobase_pipeline.sites import ONLY
from herobase_pipeline.spelling import meant
from herobase_pipeline.tables import (
    CAMPAIGNS,
    KNOWN_DAYS,
    LEAD_COHORTS,
    LOADED_DAYS,
    ORG_HISTORY,
    VIEWS,
    Table,
    Type,
)

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Day = dt.date | str
Level = int | Literal["leaf"]
Frame = Literal["pandas", "polars", "arrow"]
_JOINED = " › "  # as in org_key
_EVERYTHING = "(all)"  # the name of the node at level 0


def connect(data_dir: str | Path | None = None, *, site: str | None = None) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection to the catalogue, which it cannot change: a view of each table, a comment on each column.

    It answers from the lake that was asked for, also where that is a copy, or was moved since it was written. A run may replace
    files meanwhile: a query meets the old file or the new one, never some of either, and the next one sees what is new. In the
    moment in which a file is replaced it may fail with an error of DuckDB: run it again, as ``read`` does by itself.

    Args:
        data_dir: where the lake lies; by default as the settings say (``HEROBASE_DATA_DIR``), from anywhere in the project.
        site: whose lake, where there are sites. Without it each site is a database of its name (``nord.calls``), and a view of
            a table's name has the rows of all of them, with a column ``site``.

    Returns:
        A connection that shows instants in the lake's business time zone; of several sites in that of the first.

    Raises:
        NotLoadedError: there is no lake there.

    """
    con = bare()  # the file is attached, so that nobody who opens it otherwise is in the way
    lakes = existing(lakes_of(data_dir, site))
    for name, lake in lakes.items():
        with at_hand(lake) as catalogue:
            con.execute(f"ATTACH {literal(str(catalogue))} AS {quoted(name or 'herobase')} (READ_ONLY)")
    first = next(iter(lakes)) or "herobase"
    if are_sites(lakes, site):
        _define_together(con, list(lakes))
    else:
        con.execute(f"USE {quoted(first)}")
    ((timezone,),) = con.execute(f"SELECT timezone FROM {quoted(first)}.meta.made").fetchall()
    con.execute(f"SET TimeZone = {literal(timezone)}")
    keep_files_whole(con)
    return con


def _define_together(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Make a view of each table or view of the catalogues with the rows of all sites."""
    con.execute(INTERVAL)
    for table in (table for table in BY_NAME.values() if not table.private):
        parts = [f"SELECT {literal(name)} AS {SITE}, * FROM {quoted(name)}.{quoted(table.name)}" for name in names]
        con.execute(f"CREATE VIEW {quoted(table.name)} AS {' UNION ALL BY NAME '.join(parts)}")


def read(
    table: str,
    start: Day | None = None,
    end: Day | None = None,
    *,
    org: str | None = None,
    level: Level | None = None,
    columns: Sequence[str] | None = None,
    to: Frame = "pandas",
    data_dir: str | Path | None = None,
    site: str | None = None,
) -> "pd.DataFrame | pl.DataFrame | pa.Table":
    """Return rows of a table or view of the catalogue; only the files and columns that are asked for are read.

    Of a list that HeroBase gives as it is today (``campaigns``, ``users`` and so on) it is the latest pull's, so that a join
    counts nothing twice; with ``start`` or ``end`` each pull's of those days.

    Args:
        table: its name, such as ``call_outcomes``.
        start: the first day, by the table's own day: ``date``, ``closed_date``, ``cohort_date`` and so on. An instant with a
            zone stands for the day that it is in the lake's own zone.
        end: the last day, itself included.
        org: an org unit, by its code, its name at that time or its ``org_key``, whatever the case. Of a table by org node
            its own rows, with ``level`` those of the nodes at that depth under it; of calls and leads, all under it. Where
            several units have that name, all of them.
        level: a depth of the hierarchy, 0 for everything; counts are summed within one level only. Teams may lie at several
            depths: ``leaf`` is the unit that each call was made in, whatever its depth, so that sums are those of level 0;
            what has no hierarchy is in ``(no team)``, at level 0.
        columns: the columns that are wanted; all by default. Beside a ``campaign_id`` stand the campaign's code and name, as
            on the latest list that has it.
        to: ``pandas`` has plain types: days and instants are ``datetime64``, instants in the business time zone, and a list
            is its texts joined by `` › ``, to group by; ``polars`` and ``arrow`` have lists.
        data_dir: as for ``connect``.
        site: whose rows, where there are sites. Without it those of all, with a column ``site``; counts add up over sites.

    Raises:
        NoSuchNameError: there is no such table, column, org unit or site.
        NotLoadedError: none of the days is loaded, or the table is not made yet.
        DamagedError: one of its files is damaged.
        ValueError: the table has no day, or no org units, to choose by; or what was given is no day, no level, no list.

    Warns:
        NotLoadedWarning: some of the days are not loaded.
        NotAllUnitsWarning: some calls or leads are in no unit at that depth, as the hierarchy is not equally deep everywhere.
        NoRowsWarning: what was asked for is loaded, and has no rows.

    """
    found = _found(table)
    if isinstance(columns, str) or not isinstance(org, str | None) or (columns is not None and not len(columns)):
        raise ValueError(
            'columns must be a list such as ["date", "calls"], without which all are read, and org a text.'
        )
    if to not in get_args(Frame):
        raise ValueError(
            f"There is no frame {to}. {meant(str(to), get_args(Frame))} For a file: to_csv or to_excel, of this package or of "
            "the frame."
        )
    lakes = lakes_of(data_dir, site)
    with_sites = are_sites(lakes, site)
    wanted = columns
    if with_sites and columns is not None:
        wanted = [name for name in columns if name != SITE] or found.names[:1]
    parts: dict[str, pa.Table] = {}
    spans, lacking = {}, {}
    for name, lake in lakes.items():
        with _told_of(name if with_sites else ONLY):
            first, last = _day_of(start, lake), _day_of(end, lake)
            if first and last and first > last:
                raise ValueError(f"start is {first} and end {last}: nothing lies between them.")
            spans[name] = first, last
            try:
                parts[name] = _read(lake, found, spans[name], org, level, wanted, as_texts=to == "pandas")
            except NotLoadedError as error:
                if not with_sites:
                    raise
                lacking[name] = str(error)
    if not parts:
        raise NotLoadedError(" ".join(f"{name}: {why}" for name, why in lacking.items()))
    for name, why in lacking.items():
        warnings.warn(f"{name}: {why} Sums are too low.", NotLoadedWarning, stacklevel=2)
    if org is not None and not any(rows.num_rows for rows in parts.values()):
        _require_unit([lakes[name] for name in parts], org)
    rows = next(iter(parts.values()))
    if with_sites:
        rows = together(parts)
        rows = rows if columns is None else rows.select([*([] if SITE in columns else [SITE]), *columns])
    if not rows.num_rows:
        warnings.warn(f"{table}: what was asked for is loaded, and has no rows.", NoRowsWarning, stacklevel=2)
    if to == "arrow":
        return rows
    if to == "polars":
        import polars as pl

        return pl.DataFrame(rows)
    return remember(_plain(rows), lakes, found, spans, is_of_leaves=level == "leaf")


@contextmanager
def _told_of(site: str) -> Iterator[None]:
    """Say of which site a warning is, where several are read."""
    if not site:
        yield
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    for each in told:
        warnings.warn(f"{site}: {each.message}", each.category, stacklevel=4)


def _read(
    lake: Lake,
    table: Table,
    days: tuple[dt.date | None, dt.date | None],
    org: str | None,
    level: Level | None,
    columns: Sequence[str] | None,
    *,
    as_texts: bool,
) -> "pa.Table":
    """Return the rows that ``read`` is asked for of one lake."""
    chosen = _columns(table, columns)
    tables = {*sources(table), ORG_HISTORY, CAMPAIGNS}
    try:
        return whole(lake, tables, lambda: _rows(lake, table, days, org, level, chosen, as_texts=as_texts))
    except duckdb.Error:
        _tell_damage(lake, table)
        raise


def _tell_damage(lake: Lake, table: Table) -> None:
    """Say which of the files that a table or view is read from are damaged, if any are."""
    unreadable = {
        source: [path for path in lake.every_file(source) if not is_readable(path)] for source in sources(table)
    }
    if any(unreadable.values()):
        found = {source: files for source, files in unreadable.items() if files}
        raise DamagedError(lake, f"{table.name} cannot be read.", found) from None


def _columns(table: Table, columns: Sequence[str] | None) -> dict[str, Type]:
    """Return the columns that are wanted, with their types."""
    types = ({"date": Type.DAY} if table.daily else {}) | {column.name: column.type for column in table.shown}
    if columns is None:
        return types
    for column in columns:
        if column not in types:
            raise NoSuchNameError(f"{table.name} has no column {column}. {meant(column, list(types))}")
    return {column: types[column] for column in columns} or types


def _rows(
    lake: Lake,
    table: Table,
    days: tuple[dt.date | None, dt.date | None],
    org: str | None,
    level: Level | None,
    columns: dict[str, Type],
    *,
    as_texts: bool,
) -> "pa.Table":
    """Return the rows that ``read`` is asked for, with lists as texts if wished."""
    first, last = days
    with bare() as con:
        _read_once(con)
        keep_files_whole(con)
        con.execute(INTERVAL)  # what views are made with
        con.execute(ORG_KEY)
        _define(con, lake, table, _loaded_days(con, lake, table, first, last))
        conditions = [f"{quoted(_day(table))} >= {literal(str(first))}"] if first else []
        conditions += [f"{quoted(_day(table))} <= {literal(str(last))}"] if last else []
        conditions += list(_of_unit(con, table, org, level, " AND ".join(conditions) or "true"))
        if level == "leaf":
            _define_leaves(con, table)
        elif level:
            _warn_of_other_units(con, table, days, org, level)
        rows = f"FROM {quoted(table.name)}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
        if columns.keys() - {"date", *table.names}:
            rows = named(lake, table, rows)
        if Type.INSTANT in columns.values():
            with connect(lake.root) as catalogue:
                ((timezone,),) = catalogue.execute("SELECT current_setting('TimeZone')").fetchall()
            con.execute(f"SET TimeZone = {literal(timezone)}")
        shown = [
            f"org_key({quoted(name)}::VARCHAR[]) AS {quoted(name)}"
            if as_texts and kind in (Type.TEXTS, Type.DAYS)
            else quoted(name)
            for name, kind in columns.items()
        ]
        show_progress(con)
        return con.sql(f"SELECT {', '.join(shown)} FROM ({rows})").to_arrow_table()


def _day_of(given: Day | None, lake: Lake) -> dt.date | None:
    """Return the day that is meant: of an instant with a zone, the day that it is in the lake's own zone."""
    if given is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(str(given))
    except ValueError:
        raise ValueError(f"{given} is no day: give a date, or a text such as 2026-03-29.") from None
    timezone = timezone_of(lake) if moment.tzinfo else None
    return (moment.astimezone(ZoneInfo(timezone)) if timezone else moment).date()


def _found(name: str) -> Table:
    table = BY_NAME.get(name)
    if table is None:
        raise NoSuchNameError(
            f"There is no table {name}. {meant(name, [t.name for t in BY_NAME.values() if not t.private])}"
        )
    if table.private:
        raise NoSuchNameError(
            f"{name} identifies customers, so it is in no catalogue: who may read it reads its files in data/private/{name}."
        )
    return table


def _day(table: Table) -> str:
    """Return the column that a range of days is about."""
    first = table.columns[0]
    if not table.daily and first.type is not Type.DAY:
        days = [column.name for column in table if column.type is Type.DAY]
        raise ValueError(
            f"{table.name} is not kept by day, so start and end cannot choose from it. Read it without them"
            + (f", and filter by {' or '.join(days)}." if days else ".")
        )
    return "date" if table.daily else first.name


def _loaded_days(
    con: duckdb.DuckDBPyConnection, lake: Lake, table: Table, first: dt.date | None, last: dt.date | None
) -> list[dt.date] | None:
    """Return the days to read, of those that were asked for; None for all. No gap may be taken for a quiet day."""
    made_from = sources(table)
    if lacking := [source.name for source in made_from if not lake.files(source)]:
        raise NotLoadedError(
            f"{table.name} cannot be read: {', '.join(lacking)} has not been made yet. Materialize it in the UI."
        )
    if first is None and last is None:
        if table.snapshot:
            return lake.days(table)[-1:]
        if not (table.daily or table.columns[0].type is Type.DAY):
            return None
    _day(table)
    of_each = [
        set(lake.days(source)) if source.daily else known_in_full(con, lake.footers(source)) for source in made_from
    ]
    loaded, some = set.intersection(*of_each), set.union(*of_each)
    begin, end = first or min(some, default=last), last or max(some, default=first)
    asked = {begin + dt.timedelta(days=n) for n in range((end - begin).days + 1)} if begin and end else set()
    if (first or last) and not asked & some:
        there = f"Loaded are {in_words(sorted(loaded))}." if loaded else "No day is loaded."
        span = f"from {first} on" if last is None else f"up to {last}" if first is None else f"for {first} to {last}"
        raise NotLoadedError(f"{table.name} is not loaded {span}. {there} Materialize the days in the UI.")
    if (gaps := sorted(asked - loaded)) and not table.snapshot:
        told = f"{table.name} is not loaded, or not since the day was over, for {in_words(gaps)}: sums are too low."
        warnings.warn(told, NotLoadedWarning, stacklevel=4)
    return None if first is None and last is None else sorted(asked)


def _define(con: duckdb.DuckDBPyConnection, lake: Lake, table: Table, days: Sequence[dt.date] | None) -> None:
    """Make views of what is read, over the files of those days only: the catalogue's look into every file's footer."""
    for source in {*sources(table), ORG_HISTORY}:
        con.execute(f"CREATE VIEW {quoted(source.name)} AS {view(lake, source, days if source.daily else None)}")
    for made in dict.fromkeys((KNOWN_DAYS, LOADED_DAYS, table)) if table in VIEWS else ():
        con.execute(f"CREATE VIEW {quoted(made.name)} AS {made.view or selection(lake, made)}")


def _nodes(table: Table) -> list[Table]:
    """Return the tables by org node that a table or view is made from; of a table, itself."""
    return [source for source in sources(table) if is_by_node(source)]


def _define_leaves(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Put the leaves of the tables by org node in their place, from which a view then counts."""
    for source in _nodes(table):
        every = quoted(f"every node of {source.name}")
        con.execute(f"ALTER VIEW {quoted(source.name)} RENAME TO {every}")
        con.execute(f"CREATE VIEW {quoted(source.name)} AS {leaves(source, f'FROM {every}')}")


def _warn_of_other_units(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    days: tuple[dt.date | None, dt.date | None],
    org: str | None,
    level: int,
) -> None:
    """Warn where calls or leads are in no unit at a depth: in others above it, or for the first level in none at all."""
    for source in _nodes(table):
        day, what = quoted(_day(source)), count(source)
        conditions = [
            f"{day} {sign} {literal(str(edge))}" for sign, edge in zip((">=", "<="), days, strict=True) if edge
        ]
        conditions += ["age_days = 0"] if source is LEAD_COHORTS else []
        within = " AND ".join(conditions) or "true"
        wanted = _EVERYTHING if org is None else org
        under = " AND ".join(_of_unit(con, source, wanted, "leaf", within)) or "true"
        query = (
            f"SELECT org_level, sum({what})::BIGINT FROM {quoted(source.name)} WHERE {within} AND {under} GROUP BY ALL"
        )
        by_level = dict(con.execute(query).fetchall())
        total, here = by_level.get(min(by_level, default=0), 0), by_level.get(level, 0)
        in_units = max((n for at, n in by_level.items() if at), default=0)
        if here < in_units or (level == 1 and here < total):
            parts = [f"{in_units - here:,} in units that are not so deep"] if here < in_units else []
            parts += [f"{total - in_units:,} in no unit"] if in_units < total else []
            warnings.warn(
                f"{source.name}: level {level} has {here:,} of {total:,} {what}; {' and '.join(parts)} are not in it. "
                'level="leaf" has all, each in the unit it belongs to.',
                NotAllUnitsWarning,
                stacklevel=4,
            )


def _read_once(con: duckdb.DuckDBPyConnection) -> None:
    """Keep what was read of the files while the connection is open, as each statement looks at their footers anew."""
    con.execute("SET parquet_metadata_cache = true")
    known = con.execute("SELECT name FROM duckdb_settings() WHERE name = 'cache_local_files'").fetchall()  # not to 1.5
    for (setting,) in known:
        con.execute(f"SET {setting} = true")


def _of_unit(
    con: duckdb.DuckDBPyConnection, table: Table, org: str | None, level: Level | None, within: str
) -> Iterator[str]:
    """Yield the conditions for the rows of a unit and a level; its names are those of the days of ``within``."""
    if org is None and level is None:
        return
    by_node = is_by_node(table)
    if not by_node and (level is not None or "org_path" not in table.names):
        raise ValueError(
            f"{table.name} is not kept by org node, so {'level' if level is not None else 'org'} cannot choose from it."
        )
    if level is not None:
        if level != "leaf" and (not isinstance(level, Integral) or level < 0):
            raise ValueError(
                "level must be a depth of the hierarchy: 0 for everything, 1 for the roots, and so on; or leaf, for the unit "
                "that each call was made in."
            )
        if level != "leaf":
            yield f"org_level = {level}"
    if org is None:
        return
    wanted = literal(org.lower())  # as DuckDB's lower does
    if not by_node:
        if org.lower() == _EVERYTHING:
            return
        above = literal(org.lower() + _JOINED)
        is_under = " OR ".join(
            [
                f"starts_with(lower(org_key(org_path)) || {literal(_JOINED)}, {above})",
                *(
                    f"list_contains(list_transform({path}, lambda unit: lower(unit)), {wanted})"
                    for path in ("org_path", "org_names")
                ),
            ]
        )
        yield f"({is_under})"
        if "org_key" in table.names:
            yield _where_it_lies(con, table, f"({is_under}) AND {within}")
        return
    is_it = f"{wanted} IN (lower(org_code), lower(org_name), lower(org_key))"
    if level is None:
        yield is_it
        return
    keys = con.execute(
        f"SELECT DISTINCT lower(org_key) FROM {quoted(table.name)} WHERE {is_it} AND {within}"
    ).fetchall()
    under = [
        f"starts_with(lower(org_key) || {literal(_JOINED)}, {literal(key + _JOINED if key else '')})" for (key,) in keys
    ]
    yield " OR ".join(under).join("()") if under else "false"


def _where_it_lies(con: duckdb.DuckDBPyConnection, table: Table, is_under: str) -> str:
    """Return what follows for the rows' org_key: a file's parts can be skipped by a key, and not by a list."""
    con.execute("SET disable_parquet_prefetching = true")  # it fetches a file with lists whole
    day = _day(table)
    paths = f"SELECT DISTINCT {quoted(day)}, org_key, org_path, org_names FROM {quoted(table.name)}"
    keys = [key for (key,) in con.execute(f"SELECT DISTINCT org_key FROM ({paths}) WHERE {is_under}").fetchall()]
    if None in keys:  # in files from before there was the column
        return "true"
    return f"org_key IN ({', '.join(map(literal, keys))})" if keys else "false"


def _require_unit(lakes: Sequence[Lake], org: str) -> None:
    units: list[tuple[str, ...]] = []
    for lake in lakes:
        with bare() as con:
            _define(con, lake, ORG_HISTORY, None)
            units += con.execute("SELECT DISTINCT org_code, org_name FROM org_history").fetchall()
    names = [_EVERYTHING, *dict.fromkeys(name for unit in units for name in unit if name)]
    known = {name.casefold() for name in names}
    if units and org.casefold().rpartition(_JOINED)[2] not in known:
        raise NoSuchNameError(f"No call has an org unit {org}. {meant(org, names)}")


def _plain(rows: "pa.Table") -> "pd.DataFrame":
    """Return a pandas frame of plain types: days as datetime64, and a flag that is not always known as ``boolean``."""
    frame: pd.DataFrame = rows.to_pandas(date_as_object=False)
    for name, kind in zip(rows.column_names, rows.schema.types, strict=True):
        if str(kind) == "bool" and frame[name].dtype == object:
            frame[name] = frame[name].astype("boolean")
    return frame
