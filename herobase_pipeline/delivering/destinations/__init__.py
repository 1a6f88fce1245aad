"""The systems that a success is handed on to: what they take, and what their answers mean. One module each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from herobase_pipeline.delivering.destinations import hero
from herobase_pipeline.delivering.destinations.answers import Outcome


@dataclass(frozen=True)
class Destination:
    """A system.

    Attributes:
        fields: the fields that it has, dotted.
        required: those without which it takes nothing.
        customer: the field by which two leads are one customer.
        send: sends a body with the key's short form; returns what came of it.
        url: the setting that says where it is.

    """

    fields: frozenset[str]
    required: frozenset[str]
    customer: str
    send: Callable[[str, str, Mapping[str, Any], str], Outcome]


DESTINATIONS = {"hero": Destination(hero.FIELDS, hero.REQUIRED, hero.CUSTOMER, hero.send)}
"""By the name that a file calls them."""
