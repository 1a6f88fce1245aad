"""Who asked to be forgotten: whom HeroBase calls Anonymized, and who stands on a list that was handed over."""

import datetime as dt
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.lake.layout import Lake, Mark, make_folder, mark
from herobase_pipeline.lake.store import put_bytes, remove
from herobase_pipeline.settings import project_folder
from herobase_pipeline.tables import SEARCH_ROWS, VERSIONS

_FEWEST, _MOST = 8, 15  # digits of a phone number; E.164 has 15 at most
_NUMBER = re.compile(r"\+?[\d\s./()-]+")
_DATE = re.compile(r"\d{4}([-./ ])\d\d?\1\d\d?|\d\d?([-./ ])\d\d?\2\d{4}")
_AROUND = " \t\r\n\xa0\"';,"
_ID = re.compile(r"[\w.-]{1,64}")
# In the JSON of a saved search's row: lake/sheets.py names a column without a header by its number.
_SAYS_ANONYMIZED = r'(?i)"[^"]*status[^"]*"\s*:\s*"?(anonymized|610)\W|"column \d+"\s*:\s*"\s*anonymized\s*"'


class ListError(Exception):
    """A list of persons to erase cannot be read; the message says which line, and never what stands in it."""


class Request(NamedTuple):
    """One person who asked.

    Attributes:
        kind: what the person is named by: ``lead`` or ``phone``.
        value: the lead's id, or the number, in any spelling.
        source: ``status`` or ``list``.
        asked_at: when, in UTC.

    """

    kind: str
    value: str
    source: str
    asked_at: dt.datetime


def anonymized(con: duckdb.DuckDBPyConnection) -> list[Request]:
    """Return the leads of the lake that HeroBase calls Anonymized, in whichever export, and that still have their ids.

    In a saved search that is what a column of a status says. A file without a header has no names: there any cell
    that says just this counts, as one person too many is better than one too few.

    The connection has the views of the tables that say a status, and ``is_alias``.
    """
    versions = " UNION ALL ".join(
        f"SELECT lead_id, last_modified_at AS asked_at FROM {table.name} WHERE status = 'Anonymized'"
        for table in VERSIONS
    )
    rows = f"""
        SELECT lead_id, observed_at AS asked_at FROM {SEARCH_ROWS.name}
        WHERE lead_id IS NOT NULL AND regexp_matches(fields, '{_SAYS_ANONYMIZED}')
    """
    found = con.execute(
        f"SELECT lead_id, min(asked_at) FROM ({versions} UNION ALL {rows}) WHERE NOT is_alias(lead_id) GROUP BY lead_id"
    ).fetchall()
    return [Request("lead", lead, "status", asked.astimezone(dt.UTC)) for lead, asked in found]


def share_out(folders: Sequence[Path]) -> list[str]:
    """Hand each list of ``erase/`` beside workspace.yaml to every site: who stands on one is to be gone from all of them.

    A list that is for one site alone is handed in where that site's data lies.

    Args:
        folders: the sites' folders of data. Each gets a copy in its ``erase``, which only its owner can read.

    Returns:
        What is wrong with the lists that stay, as they cannot be read or deleted.

    """
    wrong = []
    handed_over = [path for path in sorted((project_folder() / "erase").glob("*.txt")) if path.is_file()]
    for number, path in enumerate(handed_over, 1):
        as_it_is = seen(path)
        try:
            called = f"List {number} of {len(handed_over)} by name, in {path.parent}"
            read_list(path, called)
            text, asked_at = path.read_bytes(), path.stat()
        except ListError as error:
            wrong.append(str(error))
            continue
        for folder in folders:
            copy = folder / "erase" / f"{uuid.uuid4().hex}.txt"  # another name, as that of the list may be a person's
            make_folder(copy.parent, private=False)
            put_bytes(copy, text, private=True)
            if not is_remote(copy):
                copy.parent.chmod(0o700)
                os.utime(copy, ns=(asked_at.st_atime_ns, asked_at.st_mtime_ns))
        if not delete(as_it_is):
            wrong.append(
                f"{called} was handed to every site and is still there, as it changed meanwhile or cannot be deleted: what it "
                "has now is handed on by the next run. Delete it by hand if nothing was added."
            )
    return wrong


def lists(lake: Lake, *, is_site: bool = False) -> list[Path]:
    """Return the lists that were handed over: ``erase/*.txt`` in the data directory, and beside workspace.yaml.

    Of a site only the former: ``share_out`` hands it those that are for all.
    """
    folders = dict.fromkeys([*([] if is_site else [project_folder() / "erase"]), lake.root.absolute() / "erase"])
    return [path for folder in folders for path in sorted(folder.glob("*.txt")) if path.is_file()]


class HandedOver(NamedTuple):
    """A list as it was when it was read.

    Attributes:
        path: where it lies.
        mark: which file it was.

    """

    path: Path
    mark: Mark | None


def seen(path: Path) -> HandedOver:
    """Return a list as it is now, before it is read."""
    return HandedOver(path, mark(path))


def delete(taken: HandedOver) -> bool:
    """Delete a list that was taken over, unless something was added to it since; returns whether it is gone."""
    if mark(taken.path) not in (taken.mark, None):
        return False
    try:
        remove(taken.path)
    except OSError:  # its name may be a person's, so the error is not shown
        return False
    return True


def read_list(path: Path, called: str) -> list[Request]:
    """Return who stands on a list: a lead id or a phone number a line; empty lines and what follows a # are left out.

    Args:
        path: the list. Its name may be a person's, so it is in no message.
        called: what it is called instead.

    Raises:
        ListError: a line is neither, or the file is no text or cannot be read.

    """
    try:
        asked_at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise ListError(
            f"{called} cannot be read ({error.strerror}), so nobody on it was erased: give the user who runs this the right to."
        ) from None
    except UnicodeDecodeError:
        raise ListError(
            f"{called} is not UTF-8, so nobody on it was erased: save it as UTF-8 and run this again."
        ) from None
    return [*_named(called, lines, asked_at)]


def _named(called: str, lines: list[str], asked_at: dt.datetime) -> Iterator[Request]:
    for number, line in enumerate(lines, 1):
        text = line.split("#")[0]
        if not text.strip(_AROUND):
            continue
        if (found := named(text)) is None:
            raise ListError(
                f"{called}, line {number}: neither a lead's id nor a phone number with its 8 to 15 digits, so nobody on this "
                "list was erased. Write one of them a line, and run this again."
            )
        yield Request(*found, "list", asked_at)


def named(text: str) -> tuple[str, str] | None:
    """Return what a text names a person by, ``lead`` or ``phone``, and the text alone; None if it is neither.

    Eight digits or more and their punctuation are a number, any other word that is not all letters an id. A date is neither,
    nor are digits alone that are too few or too many for a number.
    """
    text = text.strip(_AROUND)
    if _DATE.fullmatch(text):
        return None
    if _NUMBER.fullmatch(text) and _FEWEST <= len(re.sub(r"\D", "", text)) <= _MOST:
        return "phone", text
    is_id = _ID.fullmatch(text) and re.search(r"\d", text) and re.search("[A-Za-z]", text)
    return ("lead", text) if is_id else None
