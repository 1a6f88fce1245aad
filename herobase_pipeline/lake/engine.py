"""The DuckDB connection that everything runs in: in memory, with the same limits on every machine."""

import datetime as dt
import hashlib
import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.addresses import systems
from herobase_pipeline.tables.schema import HASH

MEMORY = "256MB"
_RAM = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
ROOMY = f"{min(4_000, _RAM // 2_000_000)}MB"  # for what sorts a year of calls: with half of it, a third slower
ORG_KEY = files("herobase_pipeline.tables").joinpath("org_key.sql").read_text(encoding="utf-8")
"""Defines ``org_key(path)``."""
READING = files("herobase_pipeline.lake").joinpath("reading.sql").read_text(encoding="utf-8")
"""Defines how the text of the wire becomes a value, and the local day of an instant."""
_HMAC_BLOCK = 64
_GLOB = re.compile(r"([*?\[])")
THREADS = min(os.cpu_count() or 1, 4)


def connect(zone: ZoneInfo, spool: Path, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a connection that reads stamps without a zone as ``zone``'s and spills to ``spool`` what ``memory`` cannot hold."""
    con = duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": memory,
            "temp_directory": str(spool / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            # else a column without a NULL on one day is written as one that cannot have any, and days differ (trap T31)
            "disabled_optimizers": "statistics_propagation",
        }
    )
    _know_stores(con)
    con.execute("SET enable_progress_bar = false")  # it would go to standard output
    con.execute(f"SET GLOBAL TimeZone = '{zone.key}'")
    con.execute(READING)
    con.execute(ORG_KEY)
    return con


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
