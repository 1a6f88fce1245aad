"""Reading a query: names in any case, lists repeated or with commas, times and durations as real clients write them."""

import datetime as dt
import fnmatch
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import TypeVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

E = TypeVar("E", bound=IntEnum)

_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|z|[+ -]\d{2}:?\d{2})?)?"
)
_ISO_SPAN = re.compile(
    r"(-)?P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_NET_SPAN = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d{1,7})?))?")
_MOST = dt.timedelta(days=200 * 365)


class BadQueryError(Exception):
    """A parameter is missing or cannot be read; the message names it."""


class Query:
    """The parameters of a request. ``zone`` is that of times without one; ``honour_offsets`` false drops a ``Z``."""

    def __init__(self, query_string: bytes, zone: ZoneInfo, *, honour_offsets: bool) -> None:
        self.zone, self.honour_offsets = zone, honour_offsets
        self.params: dict[str, list[str]] = {}
        text = query_string.decode("utf-8", "replace")
        for name, value in parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="replace"):
            self.params.setdefault(name.strip().lower(), []).append(value)

    def text(self, name: str) -> str | None:
        """Give one text; ``None`` where it is missing or blank."""
        values = [v.strip() for v in self.params.get(name, []) if v.strip()]
        return values[0] if values else None

    def many(self, name: str) -> list[str]:
        """Give a list: the parameter repeated, or values separated by commas."""
        return [part.strip() for value in self.params.get(name, []) for part in value.split(",") if part.strip()]

    def flag(self, name: str) -> bool:
        """Whether it is switched on."""
        return (self.text(name) or "").lower() in ("true", "1", "yes", "on")

    def include(self) -> frozenset[str]:
        """Complex properties asked for, in lower case; unknown ones do no harm."""
        return frozenset(name.lower() for name in self.many("include"))

    def enums(self, name: str, kind: type[E]) -> frozenset[E]:
        """Members by name (any case) or number.

        Raises:
            BadQueryError: a value is none of them.

        """
        known = {member.name.lower(): member for member in kind} | {str(int(member)): member for member in kind}
        found = set()
        for value in self.many(name):
            if value.lower() not in known:
                raise BadQueryError(f"{value!r} is no {kind.__name__} ({name}).")
            found.add(known[value.lower()])
        return frozenset(found)

    def time(self, name: str) -> dt.datetime | None:
        """Read a date or a date-time, as an aware time.

        Raises:
            BadQueryError: it is neither.

        """
        text = self.text(name)
        if text is None:
            return None
        match = _TIME.fullmatch(text)
        if match is None:
            raise BadQueryError(f"{name}: {text!r} is no ISO 8601 date or date-time.")
        year, month, day, hour, minute, second, fraction, offset = match.groups()
        try:
            wall = dt.datetime(
                int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
                int(f"{fraction or 0:0<6}"[:6]), self._zone(offset if self.honour_offsets else None),
            )  # fmt: skip
            return wall.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            raise BadQueryError(f"{name}: {text!r} is no time that exists.") from None

    def _zone(self, offset: str | None) -> dt.tzinfo:
        if offset is None:
            return self.zone
        if offset in "Zz":
            return dt.UTC
        digits = offset[1:].replace(":", "")
        ahead = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return dt.timezone(-ahead if offset[0] == "-" else ahead)  # an unescaped + arrives as a blank

    def span(self, name: str) -> dt.timedelta | None:
        """Read a duration: ISO 8601 in capitals (a year is 365 days, a month 30), or the .NET form ``d.hh:mm:ss``.

        Raises:
            BadQueryError: it is neither.

        """
        text = self.text(name)
        if text is None:
            return None
        iso, net = _ISO_SPAN.fullmatch(text), _NET_SPAN.fullmatch(text)
        if iso:
            sign, years, months, days, hours, minutes, seconds = iso.groups()
            whole = int(years or 0) * 365 + int(months or 0) * 30 + int(days or 0)
        elif net:
            sign, days, hours, minutes, seconds = net.groups()
            whole = int(days or 0)
        else:
            raise BadQueryError(f"{name}: {text!r} is no ISO 8601 duration such as PT2H.")
        try:
            length = dt.timedelta(
                days=whole, hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds or 0)
            )
        except OverflowError:
            length = _MOST
        return -min(length, _MOST) if sign else min(length, _MOST)


def matches(name: str, patterns: list[str] | tuple[str, ...]) -> bool:
    """Whether one of the patterns (``*``, ``?``; any case) fits a project name."""
    return any(_pattern(pattern.lower()).fullmatch(name.lower()) for pattern in patterns)


def _pattern(pattern: str) -> re.Pattern[str]:
    # only * and ? are special, so brackets are taken literally
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def first(values: Mapping[str, list[str]], name: str) -> str:
    """Give the first value of a parameter, or an empty text."""
    return next(iter(values.get(name, [])), "")
