"""Reading a record of the small lists, whose members come in any case and as text, object or not at all."""

from collections.abc import Mapping
from typing import Any


def member(record: Mapping[str, Any], name: str) -> Any:
    """Return a member of a record by its name in any case; None if it is absent or empty text."""
    folded = name.casefold()
    found = next((value for key, value in record.items() if key.casefold() == folded), None)
    return None if found == "" else found


def text(record: Mapping[str, Any], name: str) -> str | None:
    """Return a member as text; None for what is absent or not a plain value."""
    value = member(record, name)
    return None if value is None or isinstance(value, Mapping | list) else str(value)


def reference(record: Mapping[str, Any], name: str, key: str = "orgCode") -> str | None:
    """Return the key of what a member refers to, be the member the key itself or an object that has it."""
    value = member(record, name)
    return text(value, key) if isinstance(value, Mapping) else None if value is None else str(value)
