"""Whether whoever was erased is gone: a look at every value and every byte, by keyed hashes, that writes down nobody.

What has the shape of a lead's id, a phone number or an address is hashed with the key and looked up in the register. So the
scan needs no list of persons, and finds them in whatever spelling, also where no table of ours lies.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from herobase_pipeline.erasing.procedure import again_if_replaced, errors_in_words
from herobase_pipeline.lake import handed_out
from herobase_pipeline.lake.engine import ROOMY, connect, file_literal, literal, quoted
from herobase_pipeline.lake.erased import register
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.store import files_below, is_lock
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables import ERASED, ERASURES
from herobase_pipeline.tables.erasures import FOUND

_CHUNK, _OVERLAP = 1 << 23, 128
_WORD = re.compile(rb"[A-Za-z0-9]{6,40}")
_NUMBER = re.compile(rb"\+?\d(?:[ ./()-]{0,2}\d){6,15}")
_ADDRESS = re.compile(rb"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_AT_ONCE = 200_000  # candidates that are hashed together
_OTHER_IDS = re.compile(r"(?<!lead)_id$")  # of calls, campaigns: the same number may be that of a lead


class Hit(NamedTuple):
    """A place that still tells an erased person: where, and how many different texts there do."""

    where: str
    person: str
    texts: int


class Proof(NamedTuple):
    """What a scan looked at, and found.

    Attributes:
        files: files of the data directory.
        state: files of Dagster's state; None where it is not in files.
        hits: what still tells somebody; empty if all are gone.
        at: when it began, in UTC.

    """

    files: int
    state: int | None
    hits: list[Hit]
    at: dt.datetime

    def __str__(self) -> str:
        """Say it in a sentence, without anybody's data."""
        state = (
            "Dagster's state is not in files and was not looked at"
            if self.state is None
            else f"{self.state} of Dagster's"
        )
        where = ", ".join(sorted({hit.where for hit in self.hits})[:10])
        found = f"{FOUND} {where}" if self.hits else "nothing found"
        return f"{self.at:%Y-%m-%d %H:%M} UTC: {found}; looked at {self.files} files of the data and {state}."


def prove(lake: Lake, zone: ZoneInfo, state: Path | None) -> Proof:
    """Look for everybody in the register, and note the outcome in ``erasures``.

    Args:
        lake: where, opened for writing.
        zone: the business time zone.
        state: the folder of Dagster's runs and logs; None where they are not in files.

    Raises:
        NotErasedError: a file cannot be read.

    """
    with errors_in_words(lake, "The scan could not be finished"):
        return again_if_replaced(lambda: _prove(lake, zone, state))


def _prove(lake: Lake, zone: ZoneInfo, state: Path | None) -> Proof:
    at = dt.datetime.now(dt.UTC)
    with spool(lake) as folder, connect(zone, folder, ROOMY) as con:
        register(con, lake)
        con.execute("CREATE OR REPLACE TEMP TABLE hits (place VARCHAR, person VARCHAR, texts BIGINT)")
        spools, registered = lake.under_way("spool"), lake.file(ERASED)
        ours = [
            path
            for path in files_below(lake.root.absolute())
            if spools not in path.parents and path != registered and not is_lock(path)
        ]
        theirs = None if state is None else [path for path in files_below(state) if path not in ours]
        for name, paths in _by_table(lake, ours).items():
            _values(con, name, paths)
        for path in [*ours, *(theirs or ())]:
            _bytes(con, lake, path)
        found = con.execute("SELECT place, person, sum(texts)::BIGINT FROM hits GROUP BY ALL ORDER BY ALL").fetchall()
        proof = Proof(len(ours), None if theirs is None else len(theirs), [Hit(*row) for row in found], at)
        con.execute("CREATE OR REPLACE TEMP TABLE told AS SELECT DISTINCT person FROM hits")
        write(
            lake,
            con,
            ERASURES,
            "SELECT * REPLACE (CASE WHEN person IN (FROM told) THEN $found ELSE $nothing END AS proof) FROM seen",
            params={"found": str(proof), "nothing": str(proof._replace(hits=[]))},
        )
        return proof


def _by_table(lake: Lake, paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the Parquet files by the folder that they lie in, below the zones, also those that are no table's."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        if _is_parquet(path):
            found.setdefault("/".join(path.relative_to(lake.root.absolute()).parts[:2]), []).append(path)
    return found


def _is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, whatever it is called: those that are kept beside a table have no ending."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _values(con: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> None:
    """Look at the decoded values of some files, and at the least and greatest ones in their footers."""
    listed = "[" + ", ".join(map(file_literal, paths)) + "]"
    source = f"read_parquet({listed}, union_by_name = true, hive_partitioning = false, filename = true)"
    columns = {column: kind for column, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    texts = [c for c, kind in columns.items() if "VARCHAR" in kind and c != "filename" and not _OTHER_IDS.search(c)]
    # what tells rows without a lead may be another lead's number as well, as a household's
    is_known = "lead_id IS NOT NULL" if name.startswith("private") and "lead_id" in columns else "false"
    for column in texts:
        text = f"array_to_string({quoted(column)}, ' ')" if "[]" in columns[column] else f"{quoted(column)}::VARCHAR"
        _look(
            con,
            f"{name.split('/')[-1]}.{column}",
            f"SELECT DISTINCT {text} AS text, {is_known} AS is_known FROM {source}",
        )
    ends = f"""
        SELECT DISTINCT unnest([stats_min_value, stats_max_value]) AS text, false AS is_known
        FROM parquet_metadata({listed}) WHERE split_part(path_in_schema, ', ', 1) IN ({", ".join(map(literal, texts)) or "NULL"})
    """
    _look(con, f"the footers of {name}", ends)


def _look(con: duckdb.DuckDBPyConnection, place: str, texts: str) -> None:
    """Look up whatever stands in some texts; a whole text may be an id as well. ``is_known``: it is of another lead."""
    con.execute(f"""
        INSERT INTO hits
        SELECT {literal(place)}, person, count(DISTINCT text)
        FROM (
            SELECT text, is_known, unnest(list_append(identifiers_in(text), lead_key(text))) AS identifier
            FROM ({texts}) WHERE text IS NOT NULL
        ) AS told
        JOIN erased ON erased.identifier = told.identifier AND (erased.is_asked OR NOT told.is_known)
        GROUP BY person
    """)


def _bytes(con: duckdb.DuckDBPyConnection, lake: Lake, path: Path) -> None:
    """Look at the bytes of a file. The ids of calls stand in those of Parquet, and may be those of leads: see ``_values``."""
    is_parquet, is_private = _is_parquet(path), lake.root.absolute() / "private" in path.parents
    if handed_out.folder(lake) in path.parents and path.suffix.lower() not in handed_out.ENDINGS:
        is_private = False  # somebody's copy, of which nobody knows whose lines it has
    patterns = [_NUMBER, _ADDRESS] if is_parquet else [_NUMBER, _ADDRESS, _WORD]
    name = path.relative_to(lake.root.absolute()) if lake.root.absolute() in path.parents else path.name
    found: set[str] = set()
    for piece in _pieces(path):
        found.update(text.decode("ascii", "ignore") for pattern in patterns for text in pattern.findall(piece))
        if len(found) >= _AT_ONCE:
            _look_up(con, f"the bytes of {name}", found, is_private=is_private)
            found.clear()
    _look_up(con, f"the bytes of {name}", found, is_private=is_private)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        end = b""
        while chunk := file.read(_CHUNK):
            yield end + chunk
            end = chunk[-_OVERLAP:]


def _look_up(con: duckdb.DuckDBPyConnection, place: str, texts: set[str], *, is_private: bool) -> None:
    if texts:
        con.register("texts", pa.table({"text": sorted(texts)}))
        _look(con, place, f"SELECT text, {str(is_private).lower()} AS is_known FROM texts")
        con.unregister("texts")
