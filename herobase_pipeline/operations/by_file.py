"""What a SELECT finds in each file of a table: noted, so that a file is read once, and again when it is another."""

import datetime as dt
import hashlib
import json
from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from pydantic import BaseModel, ValidationError

from herobase_pipeline.deriving.made import recipe
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.engine import literal, quoted
from herobase_pipeline.lake.layout import Lake, mark
from herobase_pipeline.tables import Table


class _Found(BaseModel):
    """What was found in a file: which file it was and by which SELECT, the rows, and a hash of all this."""

    of: str
    rows: list[dict[str, Any]]
    hash: str = ""

    def hashed(self) -> str:
        """Return the hash that it should have; what somebody has written into the note has another."""
        return hashlib.sha256(json.dumps([self.of, self.rows], sort_keys=True).encode()).hexdigest()


def define(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    zone: ZoneInfo,
    name: str,
    table: Table,
    select: str,
    days: Collection[dt.date] | None = None,
) -> None:
    """Make a temporary table of what a SELECT finds in the files of a table.

    Args:
        con: the connection to make it in.
        lake: where the files are.
        zone: the business time zone.
        name: what the temporary table is called, and under which it is noted what was found.
        table: the table.
        select: reads the table by its name. Its first column is what tells the file: ``date``, or ``month`` of a monthly table;
            what it finds in one file depends on no other. Its other columns are texts, numbers and days.
        days: those of a daily table, or all.

    """
    marks = {path: mark(path) for path in lake.files(table, days)}  # before they are read
    files = {path.parent.name: path for path, its in marks.items() if its}  # one may have gone since it was listed
    by = recipe(zone, select, *map(str, table))
    lying = {folder: f"{by} {marks[path]}" for folder, path in files.items()}
    noted = _read(lake, name)
    found = {folder: noted[folder] for folder in files if folder in noted and noted[folder].of == lying[folder]}
    same = [row for of in found.values() for row in of.rows]
    others = {folder: path for folder, path in files.items() if folder not in found}
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW {table.name} AS {view(lake, table, files=[*others.values()], with_month=table.monthly)}"
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS {select}")
    con.execute(f"DROP VIEW {table.name}")  # of some files it is not the table
    types = dict(con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {quoted(name)})").fetchall())
    if others:
        found |= {folder: _Found(of=lying[folder], rows=[]) for folder in others}
        for row in con.execute(f"FROM {quoted(name)}").fetchall():
            folder = _folder(table, row[0]) if len(others) > 1 else next(iter(others))
            values = (str(value) if isinstance(value, dt.date) else value for value in row)
            found[folder].rows.append(dict(zip(types, values, strict=True)))
    if others or noted.keys() != files.keys():
        with notes.updating(lake, _note(name)) as note:
            note.clear()
            note.update(
                {folder: of.model_copy(update={"hash": of.hashed()}).model_dump() for folder, of in found.items()}
            )
    # as JSON, as Arrow would load pandas to look at the rows, which takes longer than all else here
    con.execute(
        f"INSERT INTO {quoted(name)} SELECT unnest(from_json(?, {literal(json.dumps([types]))}), max_depth := 2)",
        [json.dumps(same)],
    )


def _read(lake: Lake, name: str) -> dict[str, _Found]:
    """Return what is noted of each file, by its folder; nothing where it cannot be read."""
    try:
        found = {folder: _Found.model_validate(of) for folder, of in (notes.read(lake, _note(name)) or {}).items()}
    except ValidationError:
        return {}
    return {folder: of for folder, of in found.items() if of.hash == of.hashed()}


def _folder(table: Table, first: dt.date) -> str:
    return f"month={first:%Y-%m}" if table.monthly else f"date={first}"


def _note(name: str) -> str:
    return f"counted_{name}"
