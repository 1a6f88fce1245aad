"""The files that deliveries write for people: who is erased, or past their time, leaves these with ``delivery_payloads``."""

import csv
import io
import json
from collections.abc import Callable, Collection
from pathlib import Path

import duckdb

from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import stored
from herobase_pipeline.tables import DELIVERY_PAYLOADS

KEY = "delivery_key"
"""The first column, and the first member of a JSON line."""


def folder(lake: Lake) -> Path:
    """Return where they lie, a folder for each delivery."""
    return lake.root.absolute() / "private" / "delivery_files"


def follow(lake: Lake, con: duckdb.DuckDBPyConnection) -> None:
    """Take out of the files what ``delivery_payloads`` has no more; a file of which nothing is left is deleted."""
    files = [path for path in folder(lake).glob("*/*") if path.suffix in _WITHOUT and not path.name.startswith(".")]
    if not files:
        return
    payloads = stored(lake, DELIVERY_PAYLOADS)
    kept = {key for (key,) in con.execute(f"SELECT DISTINCT key FROM ({payloads}) WHERE body IS NOT NULL").fetchall()}
    for path in files:
        with lake.replacing_beside(path) as aside:
            left = _WITHOUT[path.suffix](path.read_bytes().decode(), kept)
            aside.write_bytes(left.encode())
        if not left:
            path.unlink(missing_ok=True)


def _csv(text: str, kept: Collection[str]) -> str:
    header, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";")
    left = [row for row in rows if row[0] in kept]
    if len(left) == len(rows):
        return text
    new = io.StringIO(newline="")
    csv.writer(new, delimiter=";", lineterminator="\r\n").writerows([header, *left])
    return "\ufeff" + new.getvalue() if left else ""


def _jsonl(text: str, kept: Collection[str]) -> str:
    return "".join(f"{line}\n" for line in text.split("\n") if line and json.loads(line)[KEY] in kept)


_WITHOUT: dict[str, Callable[[str, Collection[str]], str]] = {".csv": _csv, ".jsonl": _jsonl}
