"""Today's tree of org units, and the hierarchy that a call carries.

The hierarchy at call time is documented to be kept with the call, but neither its field's name nor its shape is (API
reference, section 3). So it is found by content: it is the field whose values are codes of known units. Its order is
restored from the tree. The tree of today serves for nothing else: a call's past is what the call says (trap T24).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self

import msgspec

from herobase_pipeline.herobase.records import member, reference, text

UNKNOWN = "(unknown)"
_SEPARATORS = ("›", ">", "|", "\\", ";", "/", ",")


class Unit(NamedTuple):
    """An org unit as it is today."""

    code: str
    name: str
    parent: str | None


class Level(NamedTuple):
    """One unit of a call's hierarchy. ``code`` is None where HeroBase left a gap."""

    code: str | None
    name: str | None = None


@dataclass(frozen=True)
class OrgTree:
    """Today's org units by casefolded code: codes are compared without regard to case (trap T30b)."""

    units: Mapping[str, Unit]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Self:
        """Read the records of ``/organizationalunits``, flat with parents or nested by children."""
        units = (
            Unit(code, text(record, "name") or code, text(record, "parent"))
            for record in flat(records)
            if (code := text(record, "orgCode")) is not None
        )
        return cls({unit.code.casefold(): unit for unit in units})

    def __contains__(self, code: object) -> bool:
        """Whether a code is a unit's."""
        return isinstance(code, str) and code.casefold() in self.units

    def roots(self) -> list[str]:
        """Codes of the units that have none above them; in a cycle, of each of its units, so that none is lost (T27)."""
        tops = (self.path(code)[0].code for code in self.units)
        return list(dict.fromkeys(top for top in tops if top is not None))

    def path(self, code: str) -> list[Level]:
        """Return a unit and all above it, root first; a cycle ends the walk (trap T27)."""
        levels: list[Level] = []
        seen: set[str] = set()
        current: str | None = code
        while current is not None and current in self and current.casefold() not in seen:
            unit = self.units[current.casefold()]
            seen.add(current.casefold())
            levels.insert(0, Level(unit.code, unit.name))
            current = unit.parent
        return levels

    def is_above(self, upper: str, lower: str) -> bool:
        """Whether ``upper`` is an ancestor of ``lower`` today."""
        return any(level.code and level.code.casefold() == upper.casefold() for level in self.path(lower)[:-1])

    def name(self, code: str) -> str:
        """Return a unit's name today; the code itself where it has none."""
        unit = self.units.get(code.casefold())
        return unit.name if unit else code


def flat(records: Iterable[Mapping[str, Any]], parent: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the records of units one by one, each with its ``parent``, whether they come flat or nested by children."""
    for record in records:
        children = member(record, "children")
        plain = {key: value for key, value in record.items() if key.casefold() not in ("children", "parent")}
        yield plain | {"parent": reference(record, "parent") or parent}
        if isinstance(children, list):
            below = [child for child in children if isinstance(child, Mapping)]
            yield from flat(below, text(record, "orgCode"))


@dataclass(frozen=True)
class Hierarchy:
    """Where a pull's calls carry their hierarchy, and how it is written there.

    Attributes:
        fields: the fields that hold it: none, one, or numbered ones.
        leaf_first: whether it is written from the leaf to the root.
        tree: today's units, which tell a code from other text.

    """

    fields: tuple[str, ...]
    leaf_first: bool
    tree: OrgTree

    def path(self, raw: tuple[str | None, ...]) -> list[Level]:
        """Return the levels of one call, root first; ``raw`` are the texts of its ``fields``."""
        levels = _levels(raw, self.tree)
        return levels[::-1] if self.leaf_first else levels


def candidates(fields: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the ways in which fields can hold a hierarchy: each alone, and numbered ones together."""
    alone = sorted(fields)
    numbered: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in alone:
        if found := re.fullmatch(r"(.*?)(\d+)(\D*)", name):
            numbered.setdefault((found[1], found[3]), []).append((int(found[2]), name))
    together = [tuple(name for _, name in sorted(group)) for group in numbered.values() if len(group) > 1]
    return [(name,) for name in alone] + together


def find_hierarchy(
    values: Mapping[tuple[str, ...], Mapping[tuple[str | None, ...], int]], tree: OrgTree, forced: str | None = None
) -> Hierarchy:
    """Find the hierarchy among a pull's fields.

    Args:
        values: for each candidate, how many calls have which raw texts in its fields; the frequent ones suffice.
        tree: today's units.
        forced: the field's name where it must not be sought (``HEROBASE_CALL_ORG_FIELD``).

    Returns:
        The best candidate by ``_likelihood``; no fields if none is likely.

    """
    if forced is not None:
        best = next((fields for fields in values if fields[0].casefold() == forced.casefold()), ())
    else:
        likelihoods = {fields: _likelihood(fields, texts, tree) for fields, texts in values.items()}
        best = max(likelihoods, key=likelihoods.__getitem__, default=())
        best = best if best and likelihoods[best] > (0, 0) else ()
    paths = [_levels(raw, tree) for raw in values.get(best, {})]
    return Hierarchy(best, _is_leaf_first(paths, tree), tree)


def _likelihood(fields: tuple[str, ...], texts: Mapping[tuple[str | None, ...], int], tree: OrgTree) -> tuple[int, int]:
    """Return how likely a candidate is the hierarchy: its rank, and among equals how much it says.

    A field of the call itself goes before the agent's, which may be today's (trap T24); one that tells calls apart or has
    several levels goes before one unit that is the same for all. Where no code is a unit's today, the form decides.
    """
    paths = {raw: _levels(raw, tree) for raw in texts}
    known = sum(calls * sum(level.code in tree for level in paths[raw]) for raw, calls in texts.items())
    if known == 0:
        units = sum(calls * _units_by_form(raw) for raw, calls in texts.items())
        return (1, units) if units else (0, 0)
    telling = {
        tuple(level.code for level in path) for path in paths.values() if any(level.code in tree for level in path)
    }
    if fields[0].casefold() == "user":
        return 3, known
    return (4 if len(telling) > 1 or max(map(len, telling)) > 1 else 2), known


def _units_by_form(raw: tuple[str | None, ...]) -> int:
    """Return how many units a value lists by its form alone: objects with an org code."""
    lists = [value for value in map(_parsed, raw) if isinstance(value, list)]
    items = [item for value in lists for item in value]
    return len(items) if items and all(isinstance(item, Mapping) and text(item, "orgCode") for item in items) else 0


def _levels(raw: tuple[str | None, ...], tree: OrgTree) -> list[Level]:
    """Read the levels of one value, in the order in which they stand."""
    levels = [level for part in raw for level in _read(_parsed(part), tree)]
    while levels and levels[-1].code is None:  # a numbered column that a shallow unit leaves empty is no gap
        levels.pop()
    return [level for i, level in enumerate(levels) if i == 0 or not _same(level, levels[i - 1])]


def _parsed(raw: str | None) -> Any:
    if raw is None or raw[:1] not in '[{"':
        return raw
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw


def _read(value: Any, tree: OrgTree) -> list[Level]:
    match value:
        case None | "":
            return [Level(None)]
        case str():
            return [Level(part) for part in _split(value, tree)]
        case list():
            return [level for item in value for level in _read(item, tree)]
        case Mapping():
            return _read_object(value, tree)
        case _:
            return [Level(str(value))]


def _read_object(value: Mapping[str, Any], tree: OrgTree) -> list[Level]:
    """Read an object that is a unit, perhaps with the chain of its parents, or that only holds units."""
    if not any(value.values()) and (not value or "orgcode" in {key.casefold() for key in value}):
        return [Level(None)]
    nested = {key: item for key, item in value.items() if isinstance(item, Mapping | list)}
    inner = [level for item in nested.values() for level in _read(item, tree) if level.code is not None]
    code = text(value, "orgCode") or next((v for v in value.values() if isinstance(v, str) and v in tree), None)
    if code is None or (inner and code not in tree and "parent" not in {key.casefold() for key in nested}):
        plain = [v for k, v in sorted(value.items()) if isinstance(v, str) and v in tree]
        return inner or [Level(v) for v in plain]  # e.g. the agent, whose unit hangs below it
    return [Level(code, text(value, "name")), *inner]


def _split(value: str, tree: OrgTree) -> list[str]:
    """Split a path written as one text; a code that contains a separator stays whole."""
    if value not in tree:
        for separator in _SEPARATORS:
            parts = [part.strip() for part in value.split(separator)]
            if len(parts) > 1 and all(part in tree for part in parts):
                return parts
    return [value]


def _same(one: Level, other: Level) -> bool:
    return one.code is not None and other.code is not None and one.code.casefold() == other.code.casefold()


def _is_leaf_first(paths: Iterable[Sequence[Level]], tree: OrgTree) -> bool:
    """Whether the paths stand leaf first, by today's tree; where it tells nothing, the root is what varies less."""
    codes = [[level.code for level in path if level.code is not None] for path in paths]
    votes = 0
    for path in codes:
        for upper, lower in pairwise(path):
            votes += tree.is_above(upper, lower) - tree.is_above(lower, upper)
    if votes:
        return votes < 0
    longer = [path for path in codes if len(path) > 1]
    return len({path[-1].casefold() for path in longer}) < len({path[0].casefold() for path in longer})
