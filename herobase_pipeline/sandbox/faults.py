"""Scripted faults: what goes wrong, where and how often.

``HEROBASE_SANDBOX_FAULTS`` and ``Sandbox.script`` take rules separated by ``;`` (or a JSON list of objects with the
same names)::

    /calls status=500 times=2; /simpleleads cut nth=3; /calls?OrgCode=Salg* max_window=6h; /calls max_rows=100

A rule is a path (``*`` and ``?`` allowed, without ``/api``), optionally ``?Param=pattern&...``, then words:

* which requests: ``nth=3`` or ``nth=2,5`` (the n-th that match, from 1), ``times=2`` (at most so many; default: all of
  them);
* ``status=500`` (any code), with ``reset=30`` for the X-Rate-Limit-Reset header and ``no_headers`` to leave the three
  headers out;
* ``html`` (a login page with status 200), ``empty`` (an empty body with status 200);
* ``truncate`` or ``truncate=0.5`` (that part of the body, in well-formed HTTP), ``cut`` or ``cut=0.5`` (the connection
  breaks there);
* ``delay=2`` (seconds before the answer), ``chunk_delay=0.5`` (seconds between its pieces);
* ``duplicates=0.1`` (every tenth record again), ``max_rows=100`` (no more records than that, and no word about it,
  T14);
* ``max_window=6h`` (``30m``, ``2d``: a longer window fails, with ``status=`` or 500);
* ``deny`` (as if the right were missing: 403);
* for what is handed on to another system: ``commits`` (the request has its effect before ``status=`` is answered),
  ``error`` (status 200 with ``status: error`` in the body).

The first rule that fits a request is applied; rules with only delays are added to it.
"""

import datetime as dt
import fnmatch
import json
import re
import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from herobase_pipeline.sandbox.query import first

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class BadFaultError(ValueError):
    """A rule cannot be read; the message says which word."""


@dataclass
class Fault:
    """One rule; the names are those of the text form. Durations in seconds, ``max_window`` as well."""

    path: str = "*"
    params: dict[str, str] = field(default_factory=dict)
    nth: tuple[int, ...] = ()
    times: int | None = None
    status: int | None = None
    reset: int | None = None
    no_headers: bool = False
    html: bool = False
    empty: bool = False
    truncate: float | None = None
    cut: float | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    duplicates: float = 0.0
    max_rows: int | None = None
    max_window: float | None = None
    deny: bool = False
    commits: bool = False
    error: bool = False
    seen: int = 0
    used: int = 0

    def fits(self, path: str, params: Mapping[str, list[str]], window: dt.timedelta | None) -> bool:
        """Whether it is about such a request, before counting."""
        if not fnmatch.fnmatchcase(path, self.path.lower()):
            return False
        if any(not fnmatch.fnmatchcase(first(params, n.lower()).lower(), p.lower()) for n, p in self.params.items()):
            return False
        return self.max_window is None or (window is not None and window.total_seconds() > self.max_window)

    def due(self) -> bool:
        """Count a fitting request and say whether it is hit."""
        self.seen += 1
        if (self.nth and self.seen not in self.nth) or (self.times is not None and self.used >= self.times):
            return False
        self.used += 1
        return True

    @property
    def only_slow(self) -> bool:
        """Whether it changes nothing but the time taken."""
        changes = (self.status, self.truncate, self.cut, self.max_rows, self.max_window)
        switched = self.html or self.empty or self.deny or self.no_headers or self.duplicates or self.reset is not None
        switched = switched or self.commits or self.error
        return not switched and all(c is None for c in changes)


class Script:
    """The rules in force; safe to use from many threads."""

    def __init__(self, text: str = "") -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = parse(text)

    def add(self, *rules: str | Fault, **words: Any) -> list[Fault]:
        """Add rules as text, as ``Fault`` or by keywords (``path="/calls", status=500``), and give them back."""
        added: list[Fault] = []
        for rule in rules:
            added += parse(rule) if isinstance(rule, str) else [rule]
        if words:
            added.append(_from_words(words))
        with self._lock:
            self._faults += added
        return added

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._faults.clear()

    def pick(self, path: str, params: Mapping[str, list[str]], window: dt.timedelta | None) -> Fault | None:
        """Give what happens to this request; ``path`` in lower case, without ``/api``."""
        with self._lock:
            chosen: Fault | None = None
            delay = chunk_delay = 0.0
            for fault in self._faults:
                slow = fault.only_slow
                if (chosen and not slow) or not fault.fits(path, params, window) or not fault.due():
                    continue
                if slow:
                    delay, chunk_delay = delay + fault.delay, chunk_delay + fault.chunk_delay
                else:
                    chosen = fault
            if chosen is None:
                return Fault(delay=delay, chunk_delay=chunk_delay) if delay or chunk_delay else None
            words = {f.name: getattr(chosen, f.name) for f in fields(Fault)}
            return Fault(**{**words, "delay": chosen.delay + delay, "chunk_delay": chosen.chunk_delay + chunk_delay})


def parse(text: str) -> list[Fault]:
    """Read rules.

    Raises:
        BadFaultError: a word is not known or has no such value.

    """
    text = text.strip()
    if text.startswith(("[", "{")):
        try:
            rules = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadFaultError(f"faults: no JSON ({error}).") from None
        return [_from_words(rule) for rule in (rules if isinstance(rules, list) else [rules])]
    found = []
    for rule in re.split(r"[;\n]", text):
        words = shlex.split(rule)
        if not words:
            continue
        path, _, query = words[0].partition("?")
        named: dict[str, Any] = {"path": path, "params": dict(p.split("=", 1) for p in query.split("&") if "=" in p)}
        for word in words[1:]:
            name, has_value, value = word.partition("=")
            named[name] = value if has_value else True
        found.append(_from_words(named))
    return found


def _from_words(words: Mapping[str, Any]) -> Fault:
    made: dict[str, Any] = {}
    for name, value in words.items():
        reader = _READERS.get(name)
        if reader is None:
            raise BadFaultError(f"faults: {name!r} is not known; known are {', '.join(_READERS)}.")
        try:
            made[name] = reader(value)
        except (TypeError, ValueError):
            raise BadFaultError(f"faults: {name}={value!r} cannot be read.") from None
    path = str(made.get("path", "*"))
    made["path"] = path if path.startswith(("/", "*")) else f"/{path}"
    return Fault(**made)


def _numbers(value: Any) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,)
    return tuple(int(part) for part in (value.split(",") if isinstance(value, str) else value))


def _part(value: Any) -> float:
    part = 0.5 if value is True else float(value)
    if not 0 <= part <= 1:
        raise ValueError(value)
    return part


def _seconds(value: Any) -> float:
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    text = str(value)
    return float(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else float(text)


def _on(value: Any) -> bool:
    return value is True or str(value).lower() in ("true", "1", "yes")


_READERS: dict[str, Any] = {
    "path": str,
    "params": dict,
    "nth": _numbers,
    "times": int,
    "status": int,
    "reset": int,
    "no_headers": _on,
    "html": _on,
    "empty": _on,
    "truncate": _part,
    "cut": _part,
    "delay": _seconds,
    "chunk_delay": _seconds,
    "duplicates": _part,
    "max_rows": int,
    "max_window": _seconds,
    "deny": _on,
    "commits": _on,
    "error": _on,
}
