"""The DuckDB connection that everything runs in: in memory, with the same limits on every machine."""

import atexit
import datetime as dt
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.addresses import systems
from herobase_pipeline.tables.schema import HASH

MEMORY = "256MB"
_RAM = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
ROOMY = f"{min(1_750, _RAM // 2_000_000)}MB"  # for a month of leads, or a year of counts; no faster with more
ORG_KEY = files("herobase_pipeline.tables").joinpath("org_key.sql").read_text(encoding="utf-8")
"""Defines ``org_key(path)``."""
READING = files("herobase_pipeline.lake").joinpath("reading.sql").read_text(encoding="utf-8")
"""Defines how the text of the wire becomes a value, and the local day of an instant."""
_HMAC_BLOCK = 64
_GLOB = re.compile(r"([*?\[])")
THREADS = min(os.cpu_count() or 1, 4)
_OWN = "own"
_PATH = f"'{_OWN}.main,memory.main'"
_IDLE_AT_MOST = 2
_idle: dict[tuple[int | str, ...], list[duckdb.DuckDBPyConnection]] = {}
"""Databases that nobody uses, by their memory and the stores they know."""


@contextmanager
def connect(zone: ZoneInfo, spool: Path, memory: str = MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """Hand out a connection that reads stamps without a zone as ``zone``'s and spills to ``spool`` what ``memory`` cannot hold.

    A database takes longer to open than most queries of a small day, so one that is done with is used again. A connection sees
    nothing of those before it: what it makes lies in a catalog of its own, and goes with it.
    """
    spill = spool / "spill"
    idle = _idle.setdefault((memory, *map(id, systems())), [])
    database = _ready(idle, zone, spill, memory)
    con = beside(database)
    try:
        con.execute("SET enable_progress_bar = false")  # it would go to standard output
        yield con
        con.close()
        database.execute(f"DETACH {_OWN}")
        database.execute("SET threads = 1")  # the memory that the others had goes back to the machine
        has_spilled = spill.exists()  # it would spill to there again
    except BaseException:  # whatever state it is in
        con.close()
        database.close()
        raise
    if has_spilled or len(idle) >= _IDLE_AT_MOST:
        database.close()
    else:
        idle.append(database)


def beside(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Open another connection for the same tables and macros, but for those that are temporary."""
    other = con.cursor()
    other.execute(f"SET search_path = {_PATH}")
    return other


def define(con: duckdb.DuckDBPyConnection, macros: str) -> None:
    """Give a connection of ``connect`` macros that are the same for everybody; its database keeps them for those after it."""
    con.execute("CREATE TABLE IF NOT EXISTS memory.main.defined (macros VARCHAR)")
    if con.execute("FROM memory.main.defined WHERE macros = ?", [macros]).fetchall():
        return  # with nothing left to fetch, else something could not be registered now
    con.execute(f"SET search_path = 'memory.main,{_OWN}.main'")
    con.execute(f"BEGIN; {macros.strip().removesuffix(';')}; INSERT INTO defined VALUES ({literal(macros)}); COMMIT")
    con.execute(f"SET search_path = {_PATH}")


def _ready(
    idle: list[duckdb.DuckDBPyConnection], zone: ZoneInfo, spill: Path, memory: str
) -> duckdb.DuckDBPyConnection:
    """Return a database that is set up for its next user: an idle one, or one that is opened."""
    while True:
        try:
            database, is_new = idle.pop(), False
        except IndexError:
            database, is_new = _open(memory), True
        try:
            database.execute(f"SET temp_directory = {literal(str(spill))}")
            database.execute(f"SET threads = {THREADS}")
            database.execute(f"SET GLOBAL TimeZone = '{zone.key}'")
            database.execute(f"ATTACH ':memory:' AS {_OWN}")
        except BaseException as error:
            database.close()
            if is_new or not isinstance(error, duckdb.Error):
                raise
        else:
            return database


def _open(memory: str) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(
        config={
            "memory_limit": memory,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            # else a column without a NULL on one day is written as one that cannot have any, and days differ (trap T31)
            "disabled_optimizers": "statistics_propagation",
        }
    )
    _know_stores(database)
    database.execute("SET enable_external_file_cache = false")  # a file may be replaced within the second of its stamp
    database.execute(READING)
    database.execute(ORG_KEY)
    return database


@atexit.register
def _close_idle() -> None:
    for databases in list(_idle.values()):
        while databases:
            databases.pop().close()


os.register_at_fork(before=_close_idle)  # a child would have a database without its threads


def bare() -> duckdb.DuckDBPyConnection:
    """Open a connection with DuckDB's own settings that reads files wherever they lie."""
    con = duckdb.connect()
    _know_stores(con)
    return con


def _know_stores(con: duckdb.DuckDBPyConnection) -> None:
    """Let a connection read object stores: through Python, as DuckDB's own extension is not to be had for every version."""
    for system in systems():
        con.register_filesystem(system)
        con.execute("SET enable_external_file_cache = false")  # which knows an object by the second in which it was put


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Return the SQL literal of a file to read, in whose name nothing is a pattern.

    A name with a backslash stands as it is: DuckDB parts a pattern there, and takes the name of a file that exists for it.
    """
    return literal(str(path) if "\\" in str(path) else _GLOB.sub(r"[\1]", str(path)))


def number(con: duckdb.DuckDBPyConnection, query: str, params: Mapping[str, Any] | None = None) -> int:
    """Return the one number that a query yields."""
    ((found,),) = con.execute(query, dict(params or {})).fetchall()
    return int(found)


def instant(con: duckdb.DuckDBPyConnection, query: str) -> dt.datetime | None:
    """Return the one instant that a query yields, in UTC; None for NULL."""
    ((found,),) = con.execute(query).fetchall()
    return None if found is None else found.astimezone(dt.UTC)


def define_token(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Give a connection ``keyed(text)`` and ``token(phone)``, that of the E.164 form.

    Both are HMAC-SHA256 (RFC 2104) in hexadecimal, cut to ``HASH`` digits.
    """
    block = (hashlib.sha256(key).digest() if len(key) > _HMAC_BLOCK else key).ljust(_HMAC_BLOCK, b"\0")
    inner, outer = (literal(bytes(byte ^ pad for byte in block).hex()) for pad in (0x36, 0x5C))
    con.execute(
        "CREATE OR REPLACE MACRO keyed(text) AS "
        f"left(sha256(from_hex({outer}) || unhex(sha256(from_hex({inner}) || encode(text)))), {HASH})"
    )
    con.execute("CREATE OR REPLACE MACRO token(phone) AS keyed(e164(phone))")
