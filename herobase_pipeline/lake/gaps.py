"""Gaps that somebody accepted: days that are not loaded, and that nobody will load. ``accepted_gaps.toml`` in the lake."""

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from herobase_pipeline.lake.layout import Lake

_NAMES = {"first", "last", "reason", "tables"}


class Gap(NamedTuple):
    """Days that are missing and may be.

    Attributes:
        first: the first one.
        last: the last.
        reason: why, in words.
        tables: of which tables; empty for all.

    """

    first: dt.date
    last: dt.date
    reason: str
    tables: tuple[str, ...] = ()


class GapsError(Exception):
    """The file of accepted gaps cannot be read; the message says what is wrong with it and how it looks."""


def file(lake: Lake) -> Path:
    """Return where accepted gaps are declared."""
    return lake.root.absolute() / "accepted_gaps.toml"


def accepted(lake: Lake) -> list[Gap]:
    """Return the gaps that somebody accepted, in the order of the file; none where there is no file.

    Raises:
        GapsError: the file does not say what it should.

    """
    path = file(lake)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise _error(path, str(error)) from error
    entries = told.pop("gap", [])
    if told or not isinstance(entries, list):
        raise _error(path, f"it holds {', '.join(told) or 'something else'} where only [[gap]] is meant")
    return [_gap(path, number, entry) for number, entry in enumerate(entries, 1)]


def _gap(path: Path, number: int, entry: Any) -> Gap:
    given = entry if isinstance(entry, dict) else {}
    first, last, reason, tables = (given.get(name) for name in ("first", "last", "reason", "tables"))
    if unknown := sorted(set(given) - _NAMES):
        raise _error(path, f"gap {number} has {', '.join(unknown)}, which is not known")
    if type(first) is not dt.date or type(last) is not dt.date or first > last:
        raise _error(path, f"gap {number} needs a day as first, and one that is not before it as last")
    if not isinstance(reason, str) or not reason.strip():
        raise _error(path, f"gap {number} needs a reason")
    if tables is not None and not (isinstance(tables, list) and all(isinstance(name, str) for name in tables)):
        raise _error(path, f"the tables of gap {number} are no list of names")
    return Gap(first, last, reason.strip(), tuple(tables or ()))


def _error(path: Path, what: str) -> GapsError:
    example = 'first = 2026-02-11, last = 2026-02-28, reason = "HeroBase was being moved"'
    return GapsError(f"{path} cannot be read: {what}. A gap is [[gap]] and below it, a line each: {example}.")
