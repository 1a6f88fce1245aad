"""Which fields of a lead become typed columns: one small TOML file for each lead definition, by people.

``fields/<name>.toml``::

    version = 1                        # count it up when a column's meaning changes
    campaigns = ["XX_MB_*"]            # patterns of campaign codes or ids; * stands for anything
    projects = []                      # patterns of project names
    locale = "da"                      # da: 1.234,50 and 31-12-2026 and Ja; en: 1,234.50 and 2026-12-31 and Yes
    left_out = ["Telefon"]             # known, and not wanted as a column

    [fields]
    "Mødedato" = { column = "meeting_date", type = "date" }
    "OPP" = { column = "opp", type = "number", unreadable = "drop", formerly = ["Opp 2025"], description = "…" }

Upper and lower case and spaces around a name make no difference, as they do not agree between HeroBase's own services.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
RAW = "_raw"
"""Ends the name of the column that keeps what its neighbour could not read."""


class FieldsError(Exception):
    """A file of declared fields is wrong; the message says which, where, and what to write."""


class Kind(StrEnum):
    """What a field can be read as."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"
    INSTANT = "instant"


class DeclaredField(BaseModel):
    """How one field is read.

    Attributes:
        column: the column it becomes; the same one may stand in several files, then of one type.
        type: what it is read as.
        locale: how numbers, dates and flags are written; by default as the file says.
        unreadable: ``keep`` what is not of the type, in a column of its own; ``drop`` counts it only.
        formerly: earlier names of the field, read where it is absent or empty.
        description: what it means.

    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    column: str
    type: Kind = Field(Kind.TEXT, strict=False)
    locale: Literal["da", "en"] | None = None
    unreadable: Literal["keep", "drop"] = "keep"
    formerly: tuple[str, ...] = Field((), strict=False)
    description: str = ""


class Declaration(BaseModel):
    """One file: the fields of the leads of some campaigns.

    Attributes:
        name: the file's name without its ending.
        version: stands beside each row that was read by it.
        campaigns: patterns of the codes or ids of the campaigns it is for.
        projects: patterns of the names of their projects.
        locale: how numbers, dates and flags are written.
        left_out: fields that are known, and not wanted as columns.
        fields: by the name that HeroBase gives them.

    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    version: int = Field(ge=1, le=1_000_000_000)
    campaigns: tuple[str, ...] = Field((), strict=False)
    projects: tuple[str, ...] = Field((), strict=False)
    locale: Literal["da", "en"] = "da"
    left_out: tuple[str, ...] = Field((), strict=False)
    fields: Mapping[str, DeclaredField]

    @property
    def known(self) -> set[str]:
        """All field names it knows, as ``normal`` spells them."""
        names = (name for field in self.fields.values() for name in field.formerly)
        return {normal(name) for name in (*self.fields, *names, *self.left_out)}


def normal(name: str) -> str:
    """Return what two spellings of a field's name have in common."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


def pattern(patterns: Sequence[str]) -> str:
    """Return the regular expression of what any of some patterns matches; of nothing where there is none."""
    return "|".join(re.escape(unicodedata.normalize("NFC", each).strip()).replace(r"\*", ".*") for each in patterns)


def read_declarations(folder: Path, reserved: Sequence[str] = ()) -> tuple[Declaration, ...]:
    """Read the files of a folder, in the order of their names; none where there is no such folder.

    Args:
        folder: where they lie.
        reserved: names that no column may have.

    Raises:
        FieldsError: a file is wrong, or two contradict each other.

    """
    # what begins with a point is an editor's or a system's own
    files = [path for path in folder.glob("*") if path.suffix.lower() == ".toml" and not path.name.startswith(".")]
    for path in files:
        if not path.is_file():
            raise FieldsError(
                f"{path} is no file that can be read. Remove it, or put the file of declared fields there."
            )
    found = tuple(declaration(path.stem, path.read_bytes(), str(path), reserved) for path in sorted(files))
    first: dict[str, tuple[Declaration, DeclaredField]] = {}
    for each in found:
        for field in each.fields.values():
            other, meant = first.setdefault(field.column, (each, field))
            if (meant.type, meant.unreadable) != (field.type, field.unreadable):
                raise FieldsError(
                    f"{folder}: the column {field.column} is {_described(meant)} in {other.name}.toml and {_described(field)} in "
                    f"{each.name}.toml. Give one of them another name, or both the same type."
                )
    return found


def declaration(name: str, text: bytes, where: str, reserved: Sequence[str] = ()) -> Declaration:
    """Return what one file declares.

    Raises:
        FieldsError: it is wrong; ``where`` is what the sentence calls it.

    """
    try:
        given = tomllib.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FieldsError(f"{where} is not TOML in UTF-8: {error}.") from None
    if "name" in given:
        raise FieldsError(f"{where}: name is nothing that this version knows: the file's own name is its name.")
    try:
        found = Declaration.model_validate({**given, "name": name})
    except ValidationError as error:
        raise FieldsError(" ".join(f"{where}: {_sentence(e['loc'], e)}" for e in error.errors())) from None
    for wrong in _wrong(found, reserved):
        raise FieldsError(f"{where}: {wrong}")
    return found


def _described(field: DeclaredField) -> str:
    return f"{field.type}, unreadable: {field.unreadable},"


def _wrong(found: Declaration, reserved: Sequence[str]) -> Iterator[str]:
    """Say what the types alone do not rule out."""
    if not (found.campaigns or found.projects):
        yield 'it is for no lead: give campaigns = ["…"] or projects = ["…"], patterns in which * stands for anything.'
    if not all(each.strip() for each in (*found.campaigns, *found.projects)):
        yield "a pattern of campaigns or projects is empty, which no lead has. Remove it."
    fields = [(name, each) for name, field in found.fields.items() for each in (name, *field.formerly)]
    owner: dict[str, str] = {}
    for at, name in (*fields, *(("left_out", name) for name in found.left_out)):
        if not name.strip():
            yield f'field "{at}": a field without a name cannot be read.'
        if normal(name) in owner:
            yield f'field "{at}": "{name}" and "{owner[normal(name)]}" are one field to HeroBase. Keep one of them.'
        owner[normal(name)] = name
    columns: dict[str, str] = {}
    for name, field in found.fields.items():
        column = field.column
        if not NAME.fullmatch(column):
            yield (
                f'field "{name}": column must be a name of a-z, 0-9 and _ that begins with a letter, of at most 60 signs.'
            )
        if column in reserved:
            yield f'field "{name}": the column {column} is in the table already. Choose another name.'
        if column.endswith(RAW):
            yield f'field "{name}": column must not end in {RAW}, which is kept for what could not be read.'
        if column in columns:
            yield (
                f'field "{name}": the column {column} is that of "{columns[column]}" too. Give one of them another name, or '
                'write formerly = ["…"] where HeroBase only renamed the field.'
            )
        columns[column] = name


def _sentence(loc: tuple[int | str, ...], error: Any) -> str:
    """Return what pydantic found wrong, as a sentence that names the field."""
    match loc:
        case ("fields", name, *rest):
            at = " ".join([f'field "{name}":', *(str(part) for part in rest[:1])])
        case (name, *_):
            at = str(name)
        case _:
            at = "it"
    if at in (f'field "{name}":' for name in Declaration.model_fields):
        return f'{loc[1]} belongs above [fields], or is a field only if it is a table such as {{ column = "name" }}.'
    match error["type"]:
        case "enum" | "literal_error":
            problem = f"must be {error['ctx']['expected']}"
        case "extra_forbidden":
            problem = "is nothing that this version knows"
        case "tuple_type":
            problem = 'must be a list of texts such as ["…"]'
        case "missing":
            problem = "is missing"
        case "model_type" | "dict_type" | "mapping_type" | "model_attributes_type":
            problem = 'must be a table such as { column = "name", type = "text" }'
        case _:
            problem = str(error["msg"]).replace("Input should be", "must be")
    return f"{at} {problem}."
