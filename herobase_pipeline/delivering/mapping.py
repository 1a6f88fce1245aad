"""From a lead to what is sent: pick, static, regex_remove, trim, value map, type, max_length, required (DESIGN, section 10)."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from herobase_pipeline.delivering.declarations import Delivery, FieldMapping, Kind
from herobase_pipeline.fields.declarations import normal

Value = str | int | float | bool
_FLAGS = {
    **dict.fromkeys(("true", "yes", "ja", "1"), True),
    **dict.fromkeys(("false", "no", "nej", "0"), False),
}
_DAY_FIRST = re.compile(r"(\d\d?)[-./](\d\d?)[-./](\d{4})")
_WHOLE, _DECIMAL = re.compile(r"[+-]?\d{1,18}"), re.compile(r"[+-]?\d{1,18}([.,]\d{1,18})?")


@dataclass(frozen=True)
class Lead:
    """What a lead may be sent with.

    Attributes:
        lead_id: HeroBase's id.
        fields: its fields as HeroBase gave them, by name.
        columns: the columns of ``leads`` and ``lead_fields``.

    """

    lead_id: str
    fields: Mapping[str, Any]
    columns: Mapping[str, Any]


@dataclass(frozen=True)
class Mapped:
    """What a lead becomes.

    Attributes:
        body: what is sent.
        broken: the rules that the lead breaks, each by field and rule, without a value; empty if it can be sent.

    """

    body: Mapping[str, Any]
    broken: tuple[str, ...]


class _BrokenError(Exception):
    """A value breaks a rule, which the message names."""


def mapped(delivery: Delivery, lead: Lead, today: dt.date) -> Mapped:
    """Return what a lead becomes in a delivery; ``today`` is the local day."""
    by_name = {normal(name): value for name, value in lead.fields.items()}
    body: dict[str, Any] = {}
    broken = []
    for each in delivery.of_leads:
        try:
            value = _value(delivery, each, by_name, lead.columns, today)
        except _BrokenError as rule:
            broken.append(f"{each.field_name}: {rule}")
            continue
        if value is not None:
            *above, name = each.field_name.split(".")
            inner = body
            for part in above:
                inner = inner.setdefault(part, {})
            inner[name] = value
    return Mapped(body, tuple(broken))


def _value(
    delivery: Delivery, each: FieldMapping, fields: Mapping[str, Any], columns: Mapping[str, Any], today: dt.date
) -> Value | None:
    """Return a field's value, in the fixed order of steps; None for no value."""
    picked = _text(fields.get(normal(each.lead_field)) if each.lead_field else columns.get(each.column or ""))
    text = picked if picked.strip() else _text(today if each.static_value_key else each.static_value)
    if each.regex_remove:
        text = re.sub(each.regex_remove, "", text)
    text = text.strip()
    if each.value_mapping_name and text:
        table = delivery.value_mappings[each.value_mapping_name]
        if text not in table:
            raise _BrokenError(f"its value is not in value_mappings.{each.value_mapping_name}")
        text = table[text]
    value = _typed(text, each.value_type) if text else None
    if each.max_length and len(text) > each.max_length:
        raise _BrokenError(f"it is longer than max_length, {each.max_length}")
    if value is None and each.required:
        raise _BrokenError("it is required, and empty")
    return value


def _text(value: Any) -> str:
    """Return a value as text: a day and an instant as ISO 8601 has them, a path by its codes."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dt.datetime():
            return value.isoformat(timespec="seconds")
        case dt.date():
            return value.isoformat()
        case list() | tuple():
            return " › ".join(map(str, value))
        case _:
            return str(value)


def _typed(text: str, kind: Kind) -> Value:
    match kind:
        case Kind.INTEGER if _WHOLE.fullmatch(text):
            return int(text)
        case Kind.NUMBER if _DECIMAL.fullmatch(text):
            return float(text.replace(",", "."))
        case Kind.BOOLEAN if text.casefold() in _FLAGS:
            return _FLAGS[text.casefold()]
        case Kind.DATE if (day := _day(text)) is not None:
            return day.isoformat()
        case Kind.TEXT:
            return text
    raise _BrokenError(f"it is no {kind}")


def _day(text: str) -> dt.date | None:
    """Return the day that a text is, by ISO 8601 or by day, month and year."""
    try:
        if found := _DAY_FIRST.fullmatch(text):
            day, month, year = map(int, found.groups())
            return dt.date(year, month, day)
        return dt.date.fromisoformat(text[:10]) if re.match(r"\d{4}-\d\d-\d\d([T ]|$)", text) else None
    except ValueError:
        return None
