"""The systems that a success is handed on to: what they take, and what their answers mean. One module each."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from herobase_pipeline.delivering.destinations import file, hero, herobase, heron
from herobase_pipeline.delivering.destinations.answers import Target
from herobase_pipeline.settings import Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery


@dataclass(frozen=True)
class Destination:
    """A system.

    Attributes:
        target: returns where a delivery goes, in a run of some time.
        fields: the fields that it has, dotted; ``*`` stands for any name.
        required: those without which it takes nothing.
        fixed: those that are the same for all leads of a delivery.
        customer: the field by which two leads are one customer, where the system has one.
        fills_crm: whether it fills the fields of a CRM itself: mappings of fields that it does not have are handed over to it.

    """

    target: "Callable[[Settings, Delivery, dt.datetime], Target]"
    fields: frozenset[str]
    required: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    customer: str | None = None
    fills_crm: bool = False

    def takes(self, name: str) -> bool:
        """Whether it has a field."""
        parts = name.split(".")
        return any(
            field == "*" or (len(own := field.split(".")) == len(parts) and all(map(fnmatchcase, parts, own)))
            for field in self.fields
        )


DESTINATIONS = {
    "hero": Destination(hero.target, hero.FIELDS, hero.REQUIRED, customer=hero.CUSTOMER),
    "heron": Destination(heron.target, heron.FIELDS, heron.REQUIRED, fills_crm=True),
    "herobase": Destination(herobase.target, herobase.FIELDS, herobase.REQUIRED, fixed=herobase.REQUIRED),
    "file": Destination(file.target, frozenset({"*"})),
}
"""By the name that a file calls them."""
