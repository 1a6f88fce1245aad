"""The catalogue: a DuckDB file of views over the lake, with comments. Generated, disposable, replaced as a whole."""

import datetime as dt
import fnmatch
import hashlib
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.lake import datapackage
from herobase_pipeline.lake.completeness import known_days, loaded_days
from herobase_pipeline.lake.damage import damaged_files
from herobase_pipeline.lake.engine import bare, file_literal, literal, quoted
from herobase_pipeline.lake.layout import PART, Lake, Mark, exists, locked, make_folder, mark, written
from herobase_pipeline.lake.store import put_bytes
from herobase_pipeline.lake.writing import empty
from herobase_pipeline.tables import (
    CALL_OUTCOMES,
    CAMPAIGNS,
    KNOWN_DAYS,
    LEAD_CONVERSION,
    LEADS,
    LOADED_DAYS,
    TABLES,
    VIEWS,
    Table,
)

STORAGE_VERSION = "v1.2.0"  # readers on DuckDB 1.x open it too
_ROWS = "counted"
_ANSWERED: dict[Path, tuple[Mark, tuple[str, str]]] = {}
"""By catalogue which file it was when this process last opened it, and what it said: each step of a run asks."""
_CALM_S = 60.0
"""On an object store the catalogue is written at most so often."""
_DAY = "date=[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"  # "date=2026-11-23 copy" is none
_MONTH = "month=[0-9][0-9][0-9][0-9]-[0-9][0-9]"
INTERVAL = files("herobase_pipeline.tables").joinpath("interval.sql").read_text(encoding="utf-8").strip().rstrip(";")


def selection(lake: Lake, table: Table) -> str:
    """Return the SELECT that a table or view of the catalogue is: its rows, and beside a campaign's id its code and name."""
    return named(lake, table, _rows(lake, table))


def named(lake: Lake, table: Table, rows: str) -> str:
    """Return the SELECT of a table's rows as people read them: beside a campaign's id its code, name and project."""
    if not table.campaigns:
        return rows
    day = [f"{_ROWS}.date"] if table.daily else []
    shown, lists = [], []
    for column in table:
        shown.append(f"{_ROWS}.{quoted(column.name)}")
        if column.name in table.campaigns:
            of, looked_up = table.campaigns[column.name]
            name = quoted(f"of {of}")
            shown += [f"{name}.campaign.{member} AS {quoted(c.name)}" for member, c in looked_up.items()]
            lists.append(f"LEFT JOIN ({_campaigns(lake)}) AS {name} ON {name}.id = {_ROWS}.{quoted(of)}")
    return f"SELECT {', '.join([*day, *shown])} FROM ({rows}) AS {_ROWS} {' '.join(lists)}"


def _campaigns(lake: Lake) -> str:
    """Return the SELECT of what each campaign is called, by its id; by its code for those of which HeroBase gives no id."""
    names = "{'campaign_code': campaign_code, 'campaign_name': name, 'project': project}"
    ids = "[{'id': campaign_id, 'is_id': true}, {'id': campaign_code, 'is_id': false}]"
    return (
        f"SELECT id, arg_max(campaign, (is_id, date)) AS campaign "
        f"FROM (SELECT date, {names} AS campaign, unnest({ids}, recursive := true) FROM ({view(lake, CAMPAIGNS)})) GROUP BY id"
    )


def _rows(lake: Lake, table: Table) -> str:
    if table is KNOWN_DAYS:
        return known_days(*(_pattern(lake, t) if lake.files(t) else None for t in (CALL_OUTCOMES, LEAD_CONVERSION)))
    if table is LOADED_DAYS:
        outcomes, conversion = (_pattern(lake, t) if lake.files(t) else None for t in (CALL_OUTCOMES, LEAD_CONVERSION))
        return loaded_days(_files_of(outcomes) if outcomes else None, conversion)
    return table.view or view(lake, table)


def _pattern(lake: Lake, table: Table) -> str:
    """Return the SQL of all files of a table: a pattern, so that days to come are in it too, if its folders allow one."""
    files = lake.files(table)
    if files == [lake.file(table)]:
        return file_literal(lake.file(table))
    folder, each = lake.folder(table), _DAY if table.daily else _MONTH
    # DuckDB parts a pattern at a backslash, and a folder such as date=2026-02-30 fits the pattern of a day
    if lake.hidden or "\\" in str(folder) or len(fnmatch.filter(lake.folders(table), each)) > len(files):
        return _listed(files)
    return file_literal(folder)[:-1] + f"/{each}/{PART}'"


def _files_of(pattern: str) -> str:
    """Return a SELECT of the files that a pattern, or a list of files, means."""
    return f"SELECT unnest({pattern}) AS file" if pattern.startswith("[") else f"FROM glob({pattern})"


def _listed(paths: Sequence[Path]) -> str:
    return "[" + ", ".join(map(file_literal, paths)) + "]"


def view(
    lake: Lake,
    table: Table,
    days: Collection[dt.date] | None = None,
    *,
    files: Sequence[Path] | None = None,
    with_month: bool = False,
) -> str:
    """Return a SELECT of a table, of some days or all, with the day as ``date``; of no rows while it has no file.

    Args:
        lake: where.
        table: the table.
        days: of a daily table the days, all by default.
        files: which of its files, all by default.
        with_month: whether the rows of a monthly table come with the first day of their file's ``month``.

    """
    found = lake.files(table, days) if files is None else files
    placed = "date" if table.daily else "month" if with_month else None
    nothing = empty(table).replace("SELECT ", f"SELECT NULL::DATE AS {placed}, ", 1) if placed else empty(table)
    if not found:
        return nothing
    paths = _pattern(lake, table) if days is None and files is None else _listed(found)
    if with_month:
        month = f"try_cast(regexp_extract(filename, 'month=([0-9-]+)/{PART}$', 1) || '-01' AS DATE) AS month"
        options = "union_by_name = true, hive_partitioning = false, filename = true"
        source = f"SELECT *, {month} FROM read_parquet({paths}, {options})"
    elif not table.daily:
        source = f"FROM read_parquet({paths}, union_by_name = true, hive_partitioning = false)"
    elif "=" in str(lake.root.absolute()):  # a folder above the lake would be taken for a partition, of every row
        date = f"(regexp_extract(filename, 'date=([0-9-]+)/{PART}$', 1))::DATE AS date"
        options = "union_by_name = true, hive_partitioning = false, filename = true"
        source = f"SELECT *, {date} FROM read_parquet({paths}, {options})"
    else:
        hive = "hive_partitioning = true, hive_types = {'date': 'DATE'}"
        source = f"FROM read_parquet({paths}, union_by_name = true, {hive})"
    columns = ", ".join(f"{column.in_short or quoted(column.name)} AS {quoted(column.name)}" for column in table)
    rows = (
        f"SELECT {f'{placed}, ' if placed else ''}{columns} "  # declared, as no file may have a column added since
        f"FROM ({nothing} UNION ALL BY NAME {source})"
    )
    return _followed(lake, rows) if table is LEADS and lake.is_there(lake.known(LEADS)) else rows


def _followed(lake: Lake, leads: str) -> str:
    """Return a SELECT of leads with the day through which each is known: it is the same for all that were dialled on a day."""
    known = f"SELECT day, through FROM read_parquet({file_literal(lake.known(LEADS))}, hive_partitioning = false)"
    through = "if(versions > 0, through, NULL) AS known_through"
    return f"SELECT lead.* REPLACE ({through}) FROM ({leads}) AS lead LEFT JOIN ({known}) ON day = cohort_date"


def define_views(
    con: duckdb.DuckDBPyConnection, lake: Lake, tables: Sequence[Table], days: Collection[dt.date] | None = None
) -> None:
    """Make a temporary view of each table in a connection; of daily ones of some days, or all."""
    for table in tables:
        con.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(table.name)} AS {view(lake, table, days)}")


def refresh(lake: Lake, zone: ZoneInfo, *, anew: bool = False) -> Path:
    """Write the catalogue if its views are not the ones wanted now, or ``anew``; readers of the old file are not disturbed.

    It keeps the business time zone for whoever reads it. Its views hold absolute paths, as DuckDB would look for relative
    ones in the folder of whoever reads: see ``at_hand`` for a lake that was copied or moved.

    Private tables are left out: who may read them reads their files.
    """
    if is_remote(lake.root) and not anew and time.time() - written(lake.catalogue) < _CALM_S:
        return lake.catalogue  # dear to write there; who reads has one made where it is not the one that is wanted
    make_folder(lake.catalogue.parent, private=False)
    with locked(lake.catalogue.parent):  # so that nobody puts an older state in place of a newer one
        lake = replace(lake, hidden=set()).at_one_moment()
        mark, statements = _wanted(lake, zone.key)
        if anew or _made(lake.catalogue) != (mark, zone.key):
            try:
                _replace(lake.catalogue, statements)
            except duckdb.Error:
                # the old one stays, which fails where it reads such a file; without it a day would be lacking in silence
                if not exists(lake.catalogue) or not damaged_files(lake):
                    raise
        datapackage.refresh(lake)
    return lake.catalogue


@contextmanager
def at_hand(lake: Lake) -> Iterator[Path]:
    """Hand out a catalogue that answers from where the lake lies now, to be opened within the block.

    It is the lake's own, or for a lake that was copied or moved one made for the occasion: the views of the old one would
    answer from the original, or not at all.
    """
    made = _made(lake.catalogue)
    mark, statements = _wanted(lake.at_one_moment(), made[1]) if made else ("", [])
    if made is None or made[0] == mark:
        with _openable(lake.catalogue) as catalogue:
            yield catalogue
        return
    with tempfile.TemporaryDirectory() as folder:
        catalogue = Path(folder) / lake.catalogue.name
        _write(catalogue, statements)
        yield catalogue


@contextmanager
def _openable(catalogue: Path) -> Iterator[Path]:
    """Hand out the catalogue, or a copy of it, under a name that DuckDB opens: it takes a backslash for a folder's end."""
    if not exists(catalogue) or not (is_remote(catalogue) or "\\" in str(catalogue)):
        yield catalogue
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / catalogue.name
        copy.write_bytes(catalogue.read_bytes())
        yield copy


def _wanted(lake: Lake, timezone: str) -> tuple[str, list[str]]:
    """Return the statements that make the catalogue, and the mark by which it is known."""
    shown = [table for table in (*TABLES, *VIEWS) if not table.private]
    statements = [INTERVAL, *(statement for table in shown for statement in _statements(lake, table))]
    mark = hashlib.sha256("\n".join([timezone, *statements]).encode()).hexdigest()
    made = f"CREATE VIEW meta.made AS SELECT {literal(mark)} AS mark, {literal(timezone)} AS timezone"
    return mark, [*statements, "CREATE SCHEMA meta", made]


def _write(catalogue: Path, statements: list[str]) -> None:
    with bare() as con:
        con.execute(f"ATTACH {literal(str(catalogue))} AS catalogue (STORAGE_VERSION '{STORAGE_VERSION}')")
        con.execute("USE catalogue")
        con.execute(";".join(("BEGIN", *statements, "COMMIT")))
        con.execute("USE memory")
        con.execute("DETACH catalogue")


def _replace(catalogue: Path, statements: list[str]) -> None:
    # made elsewhere: beside a lake in q?x, DuckDB would look for its log in q.wal?x
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / catalogue.name
        _write(made, statements)
        put_bytes(catalogue, made.read_bytes())


def _statements(lake: Lake, table: Table) -> list[str]:
    name = quoted(table.name)
    comments = [f"COMMENT ON VIEW {name} IS {literal(f'{table.description} Grain: {table.grain}.')}"]
    if table.daily:
        comments.append(f"COMMENT ON COLUMN {name}.date IS 'the local day of the file'")
    comments += [f"COMMENT ON COLUMN {name}.{quoted(c.name)} IS {literal(c.description)}" for c in table.shown]
    return [f"CREATE VIEW {name} AS {selection(lake, table)}", *comments]


def timezone_of(lake: Lake) -> str | None:
    """Return the zone that the catalogue was made with; None where there is no catalogue."""
    made = _made(lake.catalogue)
    return made[1] if made else None


def _made(catalogue: Path) -> tuple[str, str] | None:
    """Return the mark and the zone that ``refresh`` left; None for no file, one it did not write, or of another DuckDB."""
    file = mark(catalogue)
    if file is None:
        return None
    if catalogue in _ANSWERED and _ANSWERED[catalogue][0] == file:
        return _ANSWERED[catalogue][1]
    try:
        with _openable(catalogue) as path, duckdb.connect(path, read_only=True) as con:
            ((views, timezone),) = con.execute("SELECT mark, timezone FROM meta.made").fetchall()
    except duckdb.Error:
        return None
    _ANSWERED[catalogue] = file, (str(views), str(timezone))
    return _ANSWERED[catalogue][1]
