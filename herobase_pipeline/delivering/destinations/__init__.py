"""The systems that a success is handed on to: what they take, and what their answers mean. One module each."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from herobase_pipeline.delivering.destinations import file, hero, herobase, heron
from herobase_pipeline.delivering.destinations.answers import Outcome, Target
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery


@dataclass(frozen=True)
class Destination:
    """A system.

    Attributes:
        fields: the fields that it has, dotted; ``*`` stands for any name.
        required: those without which it takes nothing.
        target: returns where it is and what lets a delivery in.
        send: sends a body under a key; returns what came of it.
        customer: the field by which two leads are one customer, where the system has one.
        look_up: returns whether what was sent under a key so long ago is there, where it can be asked.
        write: writes what was delivered, where it goes into files.
        fills_crm: whether it fills the fields of a CRM itself: mappings of fields that it does not have are handed over to it.

    """

    fields: frozenset[str]
    required: frozenset[str]
    target: "Callable[[Settings, Delivery], Target]"
    send: Callable[[Target, Mapping[str, Any], str], Outcome]
    customer: str | None = None
    look_up: Callable[[Target, str, dt.timedelta], Outcome | None] | None = None
    write: "Callable[[Lake, ZoneInfo, Delivery], None] | None" = None
    fills_crm: bool = False

    def takes(self, name: str) -> bool:
        """Whether it has a field."""
        parts = name.split(".")
        return any(
            field == "*" or (len(own := field.split(".")) == len(parts) and all(map(fnmatchcase, parts, own)))
            for field in self.fields
        )


DESTINATIONS = {
    "hero": Destination(hero.FIELDS, hero.REQUIRED, hero.target, hero.send, customer=hero.CUSTOMER),
    "heron": Destination(heron.FIELDS, heron.REQUIRED, heron.target, heron.send, look_up=heron.look_up, fills_crm=True),
    "herobase": Destination(herobase.FIELDS, herobase.REQUIRED, herobase.target, herobase.send),
    "file": Destination(frozenset({"*"}), frozenset(), file.target, file.send, look_up=file.look_up, write=file.write),
}
"""By the name that a file calls them."""
