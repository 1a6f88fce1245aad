"""The files that deliveries write for people: lines that stay, until the person is erased or their time is past.

Each line begins with its key, so that it can be judged whatever a spreadsheet made of the rest.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path

import duckdb

from herobase_pipeline.lake.layout import Lake, exists, locked, make_folder
from herobase_pipeline.lake.store import append as append_to
from herobase_pipeline.lake.store import put_bytes, remove
from herobase_pipeline.lake.writing import stored
from herobase_pipeline.tables import DELIVERIES, DELIVERY_PAYLOADS
from herobase_pipeline.tables.schema import HASH

KEY = "delivery_key"
"""The first column, and the first member of a JSON line."""
ENDINGS = (".csv", ".jsonl")
_KEY = re.compile(rf'(?:\{{\s*"{KEY}"\s*:\s*)?"?([0-9a-f]{{{HASH}}})\b')
_LIVING = """
    SELECT key FROM ({deliveries}) WHERE NOT starts_with(lead_id, 'erased-')
    UNION
    SELECT key FROM ({payloads}) WHERE body IS NOT NULL AND NOT starts_with(lead_id, 'erased-')
"""


def folder(lake: Lake) -> Path:
    """Return where they lie, a folder for each delivery."""
    return lake.root.absolute() / "private" / "delivery_files"


def journal_of(lake: Lake) -> Path:
    """Return the file of the events of a run of deliveries that is under way, a JSON object a line."""
    return lake.under_way("delivering") / "journal.jsonl"


def append(to: Path, name: str, ending: str, header: str, line: str) -> None:
    """Add a line to a file; it is on the disk when this returns. A file with another header stays, and a further one is begun."""
    make_folder(to, private=True)
    with locked(to):
        for number in count(1):
            path = to / f"{name}{f'-{number}' if number > 1 else ''}.{ending}"
            there = path.read_bytes() if exists(path) else b""
            if not there or there.startswith(header.encode()):
                break
        # not what a killed run had begun to write
        append_to(path, (line if there else header + line).encode(), keep=there.rfind(b"\n") + 1)


def has(of: Path, key: str) -> bool:
    """Whether a delivery's files have a whole line of a key."""
    return any(
        (found := _KEY.match(line)) and found[1] == key and line.endswith("\n")
        for path in of.glob("*")
        if path.suffix.lower() in ENDINGS
        for line in _lines(path.read_bytes())
    )


def follow(lake: Lake, con: duckdb.DuckDBPyConnection) -> None:
    """Take the lines of erased persons out of all files, and what is no line of ours any more.

    A file that somebody saved again from a spreadsheet is judged as well. One of which nothing is left is deleted.
    """
    files = _files(lake)
    if not files:
        return
    # first, as a run of deliveries moves its events from there into the tables
    journal = journal_of(lake)
    under_way = re.findall(rb'"key": "(\w+)"', journal.read_bytes()) if exists(journal) else []
    query = _LIVING.format(deliveries=stored(lake, DELIVERIES), payloads=stored(lake, DELIVERY_PAYLOADS))
    if not (under_way or lake.has(DELIVERIES) or lake.has(DELIVERY_PAYLOADS)):
        return  # what was delivered is lost, so no line can be judged
    living = {key for (key,) in con.execute(query).fetchall()} | {key.decode() for key in under_way}
    for path in files:
        with locked(path.parent):
            if path.name.startswith("."):  # what a killed run left
                remove(path)
                continue
            content = path.read_bytes()
            lines = list(_lines(content))
            left = list(_left(lines, living, has_header=path.suffix.lower() == ".csv"))
            if not any(map(_KEY.match, left)):
                remove(path)
            elif left != lines:
                put_bytes(path, "".join(left).encode(*_encoding(content)), private=True)


def remove_before(lake: Lake, day: dt.date) -> None:
    """Delete the files of the days before a day."""
    for path in _files(lake):
        if (named := re.match(r"\d{4}-\d\d-\d\d", path.name)) and named[0] < str(day):
            remove(path)


def _files(lake: Lake) -> list[Path]:
    return [path for path in folder(lake).rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()]


def _left(lines: Collection[str], living: Collection[str], *, has_header: bool) -> Iterator[str]:
    for n, line in enumerate(lines):
        found = _KEY.match(line)
        if found[1] in living if found else has_header and n == 0:
            yield line


def _lines(content: bytes) -> Iterator[str]:
    """Yield the lines of a file, with their ends; of bytes that are no text, what they are."""
    text = content.decode(*_encoding(content))
    yield from (line for line in re.split(r"(?<=\n)", text) if line)


def _encoding(content: bytes) -> tuple[str, str]:
    """Return how a file is encoded, and what is done with bytes that are no text in that."""
    is_utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return ("utf-16", "replace") if is_utf_16 else ("utf-8", "surrogateescape")
