"""What is delivered where: one small TOML file for each delivery, by people, in the words of Heron's CRM mappings.

``deliveries/<name>.toml``::

    destination = "hero"
    is_live = false                    # planned and shown, never sent
    deliver_from = 2026-11-01          # no success that was closed before

    [[field_mappings]]
    field_name = "customer.email"      # in the destination, dotted
    lead_field = "Email"               # or column, static_value, static_value_key
    required = true

    [value_mappings.by]
    "Århus" = "Aarhus"

A file that is wrong stops its delivery before anything is sent: the error names the line.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from herobase_pipeline.delivering.destinations import DESTINATIONS
from herobase_pipeline.enums import LeadClosure, LeadStatus
from herobase_pipeline.spelling import meant

_STATIC = ("static_value", "static_value_key")
_SOURCES = ("lead_field", "column", *_STATIC)
_CRM_SOURCES = ("heron_company_attribute_label", *_STATIC)
_ID = re.compile(r"[\w.-]+")
_NAME = re.compile(r"[^.\s]([^.]*[^.\s])?(\.[^.\s]([^.]*[^.\s])?)*")
_HEADER = re.compile(r"\s*\[")


class DeliveryError(Exception):
    """A file of a delivery is wrong; the message says which, in which line, and what to write."""


class Kind(StrEnum):
    """What a value must be, in Heron's words."""

    TEXT = "Text"
    NUMBER = "Number"
    INTEGER = "Integer"
    BOOLEAN = "Boolean"
    DATE = "Date"


class FieldMapping(BaseModel):
    """How one field of the destination is filled. The order is: pick, static, regex_remove, trim, value map, type, max_length.

    Attributes:
        field_name: the field in the destination; a point leads into an object.
        lead_field: the field of the lead that it is picked from, as HeroBase calls it.
        column: or the column of ``leads`` or ``lead_fields``.
        static_value: what stands there, or what does so where nothing was picked.
        static_value_key: the same, worked out: ``date_today``.
        required: whether a lead without it is not sent.
        value_type: what it must be.
        max_length: signs that it may have; a longer one is not cut, as half an address is none.
        regex_remove: what is taken out.
        value_mapping_name: the table in ``value_mappings`` by which it is replaced; a value that is not there is an error.
        heron_company_attribute_label: what Heron fills a field of the CRM from.
        external_lookup_field_name: for Heron, which is told it; as the next two.
        external_object_name_for_id: the same.
        overwrite_on_update: the same.

    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    field_name: str
    lead_field: str | None = Field(None, min_length=1)
    column: str | None = None
    static_value: str | int | float | bool | None = None
    static_value_key: Literal["date_today"] | None = None
    required: bool = False
    value_type: Kind = Field(Kind.TEXT, strict=False)
    max_length: int | None = Field(None, ge=1)
    regex_remove: str | None = None
    value_mapping_name: str | None = None
    heron_company_attribute_label: str | None = None
    external_lookup_field_name: str | None = None
    external_object_name_for_id: str | None = None
    overwrite_on_update: bool = True

    @property
    def is_picked(self) -> bool:
        """Whether it is filled from the lead."""
        return self.lead_field is not None or self.column is not None

    @field_validator("field_name")
    @classmethod
    def _is_dotted(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError('must be a name such as "measure", or a dotted one such as "customer.email"')
        return value

    @field_validator("regex_remove")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression: {error}") from None
        return value


class Delivery(BaseModel):
    """One file.

    Attributes:
        name: the file's name without its ending.
        destination: where it goes.
        heron_id: of Heron, the CRM integration whose fields are filled by the mappings of fields that Heron does not have.
        format: of files, how they are written.
        customer_field: the field by which two leads are one customer, where the destination has none of its own.
        is_enabled: whether it is looked at.
        is_live: whether it is sent; else it is planned and shown.
        deliver_from: the first local day of closing; what was closed before is never sent, whoever loads it when.
        closures: LeadClosure of the leads that are sent.
        statuses: LeadStatus of the same; empty: any.
        campaigns: patterns of the codes or ids of their campaigns, in which ``*`` stands for anything.
        settle_minutes: how long a lead must have been closed, as people correct what they just closed.
        max_per_run: how many leads one run sends.
        stop_after_failures: failures in a row after which a run sends no more.
        field_mappings: how each field of the destination is filled.
        value_mappings: tables of values, by name.

    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    destination: Literal["hero", "heron", "herobase", "file"]
    heron_id: str | None = None
    format: Literal["csv", "jsonl"] = "csv"
    customer_field: str | None = None
    is_enabled: bool = True
    is_live: bool = False
    deliver_from: dt.date
    closures: tuple[str, ...] = Field((LeadClosure.Success.name,), strict=False, min_length=1)
    statuses: tuple[str, ...] = Field((), strict=False)
    campaigns: tuple[str, ...] = Field(("*",), strict=False, min_length=1)
    settle_minutes: int = Field(30, ge=0, le=527_040)
    max_per_run: int = Field(100, ge=1)
    stop_after_failures: int = Field(5, ge=1)
    field_mappings: tuple[FieldMapping, ...] = Field(strict=False, min_length=1)
    value_mappings: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)

    @property
    def of_leads(self) -> tuple[FieldMapping, ...]:
        """The mappings that fill what is sent of a lead."""
        return tuple(each for each in self.field_mappings if each not in self.of_crm)

    @property
    def of_crm(self) -> tuple[FieldMapping, ...]:
        """The mappings of fields of a CRM, which the destination fills."""
        destination = DESTINATIONS[self.destination]
        return tuple(
            each for each in self.field_mappings if destination.fills_crm and not destination.takes(each.field_name)
        )

    @property
    def customer(self) -> str | None:
        """The field by which two leads are one customer; None where none is."""
        return DESTINATIONS[self.destination].customer or self.customer_field

    @field_validator("closures")
    @classmethod
    def _are_closures(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return _of(LeadClosure, given)

    @field_validator("statuses")
    @classmethod
    def _are_statuses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return _of(LeadStatus, given)


def _of(enum: type[LeadClosure] | type[LeadStatus], given: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := sorted(set(given).difference(enum.__members__)):
        raise ValueError(f"must be of {', '.join(enum.__members__)}, and not {', '.join(unknown)}")
    return given


def read_deliveries(folder: Path, columns: Sequence[str]) -> dict[str, Delivery | DeliveryError]:
    """Read the files of a folder, in the order of their names; none where there is no such folder.

    A wrong file stops its own delivery and no other, so the error stands in its place.

    Args:
        folder: where they lie.
        columns: those that a mapping may name.

    """
    # what begins with a point is an editor's or a system's own
    files = [path for path in folder.glob("*") if path.suffix.lower() == ".toml" and not path.name.startswith(".")]
    found: dict[str, Delivery | DeliveryError] = {}
    for path in sorted(files):
        if not path.stem.isprintable():
            name = ascii(path.stem)[1:-1]
            found[name] = DeliveryError(f"{name}.toml: its name is no text in UTF-8. Rename it.")
            continue
        try:
            found[path.stem] = delivery(path.stem, path.read_bytes(), str(path), columns)
        except (DeliveryError, OSError) as error:
            found[path.stem] = (
                error if isinstance(error, DeliveryError) else DeliveryError(f"{path}: {error.strerror}.")
            )
    return found


def delivery(name: str, content: bytes, where: str, columns: Sequence[str]) -> Delivery:
    """Return what one file declares.

    Raises:
        DeliveryError: it is wrong; ``where`` is what the sentence calls it.

    """
    try:
        text = content.decode("utf-8-sig")
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeliveryError(f"{where} is not TOML in UTF-8: {error}.") from None
    if "name" in given:
        raise DeliveryError(f"{where}: name is nothing that this version knows: the file's own name is its name.")
    try:
        found = Delivery.model_validate({**given, "name": name})
    except ValidationError as error:
        raise DeliveryError(" ".join(_sentence(where, text, each) for each in error.errors())) from None
    for loc, wrong in _wrong(found, columns):
        raise DeliveryError(f"{where}, line {line_of(text, loc)}: {wrong}")
    return found


def _wrong(found: Delivery, columns: Sequence[str]) -> Iterator[tuple[Sequence[int | str], str]]:
    """Say what the types alone do not rule out, and where."""
    destination = DESTINATIONS[found.destination]
    names = {each.field_name for each in found.field_mappings}
    for name in sorted(destination.required - names):
        yield ("field_mappings", 0), f"{found.destination} takes nothing without {name}. Add a mapping for it."
    for setting, owner in (("heron_id", "heron"), ("format", "file")):
        if setting in found.model_fields_set and found.destination != owner:
            yield (setting,), f"{setting} is for {owner} alone. Remove it."
    if found.of_crm and not found.heron_id:
        yield (
            ("heron_id",),
            f"{found.of_crm[0].field_name} is a field of the CRM. Say in heron_id which CRM integration fills it.",
        )
    if found.heron_id is not None and not _ID.fullmatch(found.heron_id):
        yield ("heron_id",), "heron_id must be the id that Heron gave the CRM integration."
    if found.customer_field is not None and (
        destination.customer or found.customer_field not in {each.field_name for each in found.of_leads}
    ):
        what = (
            f"of {found.destination} it is always {destination.customer}"
            if destination.customer
            else "no mapping fills it"
        )
        yield ("customer_field",), f"customer_field cannot be {found.customer_field}: {what}."
    filled: set[str] = set()
    for n, each in enumerate(found.field_mappings):
        at = ("field_mappings", n)
        sources = _CRM_SOURCES if each in found.of_crm else _SOURCES
        given = [source for source in (*_SOURCES, *_CRM_SOURCES[:1]) if getattr(each, source) is not None]
        picked, static = set(given) - set(_STATIC), set(given) & set(_STATIC)
        if not given:
            yield at, f"{each.field_name} is filled from nothing. Give it one of {', '.join(sources)}."
        if len(picked) > 1 or len(static) > 1:
            yield at, f"{each.field_name} is filled by {' and '.join(given)}. Keep one of them."
        for source in given:
            if source not in sources:
                who = f"{found.destination} fills it itself, and" if each in found.of_crm else "it"
                yield (
                    (*at, source),
                    f"{each.field_name}: {who} takes none of {source}. Give it one of {', '.join(sources)}.",
                )
        if each.field_name in destination.fixed and (
            given != ["static_value"] or each.value_mapping_name or each.regex_remove
        ):
            yield (
                at,
                f"{each.field_name} is the same for all leads of a delivery: give it a static_value and nothing else.",
            )
        table = each.value_mapping_name
        if table is not None and table not in found.value_mappings:
            at_name = (*at, "value_mapping_name")
            yield at_name, f"there is no [value_mappings.{table}]. Add it, or remove value_mapping_name."
        if each.column is not None and each.column not in columns:
            yield (*at, "column"), f"there is no column {each.column}. {meant(each.column, columns)}"
        if not destination.takes(each.field_name) and not destination.fills_crm:
            known = meant(each.field_name, sorted(destination.fields))
            yield (*at, "field_name"), f"{found.destination} has no field {each.field_name}. {known}"
        if each.field_name in filled:
            yield (*at, "field_name"), f"{each.field_name} is filled twice. Keep one of the mappings."
        above = [
            other
            for other in filled
            if f"{other}.".startswith(f"{each.field_name}.") or f"{each.field_name}.".startswith(f"{other}.")
        ]
        if above and each.field_name not in filled:
            yield (
                (*at, "field_name"),
                f"{each.field_name} and {above[0]} cannot both be there: one is within the other.",
            )
        filled.add(each.field_name)


def _sentence(where: str, text: str, error: Any) -> str:
    """Return what pydantic found wrong, as a sentence with the line."""
    loc = error["loc"]
    match error["type"]:
        case "missing":
            problem = "is missing"
        case "extra_forbidden":
            problem = "is nothing that this version knows"
        case "tuple_type":
            problem = "must be a list"
        case "date_type":
            problem = "must be a date such as 2026-11-01, without quotation marks"
        case "enum" | "literal_error":
            problem = f"must be {error['ctx']['expected']}"
        case _:
            problem = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    named = [
        str(part)
        for part in loc
        if isinstance(part, str) and part not in ("field_mappings", "str", "int", "float", "bool")
    ]
    return f"{where}, line {line_of(text, loc)}: {named[-1] if named else 'a mapping'} {problem}."


def line_of(text: str, loc: Sequence[int | str]) -> int:
    """Return the line of a file, from 1, in which what a place in it names is written; of something that lacks, what it lacks in.

    Args:
        text: the file.
        loc: the place, as ``("field_mappings", 2, "max_length")``.

    """
    lines, start, end = text.splitlines(), 0, len(text.splitlines())
    if len(loc) > 1:
        headers = [n for n, line in enumerate(lines) if _HEADER.match(line)]
        wanted = str(loc[0]) if isinstance(loc[1], int) else f"{loc[0]}.{loc[1]}"
        named = [n for n in headers if re.sub(r"[\s\[\]\"']", "", lines[n].partition("#")[0]) == wanted]
        number = loc[1] if isinstance(loc[1], int) else 0
        if number < len(named):
            start = named[number]
            end = next((n for n in headers if n > start), len(lines))
    else:
        end = next((n for n, line in enumerate(lines) if _HEADER.match(line)), len(lines))
    keys = [str(part) for part in loc if isinstance(part, str)]
    for n in range(start, end):
        if keys and re.match(rf"""\s*["']?{re.escape(keys[-1])}["']?\s*=""", lines[n]):
            return n + 1
    if len(loc) > 1 and start == 0:  # written in one line: field_mappings = [{...}]
        return next((n + 1 for n, line in enumerate(lines) if re.match(rf"\s*{re.escape(str(loc[0]))}\s*=", line)), 1)
    return start + 1
