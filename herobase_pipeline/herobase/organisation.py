"""Today's tree of org units, and the hierarchy that a call carries.

The hierarchy at call time is documented to be kept with the call, but neither its field's name nor its shape is (API
reference, section 3). So it is found by content: it is the field whose values are codes of known units. How it is written
(``Form``) is a property of the field, learnt from many calls and then applied to each. Today's tree serves for that, for
names and for the direction, and never for the structure of one call: a unit that is gone stays where it was (trap T24).
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple, Self

import msgspec

from herobase_pipeline.herobase.records import member, reference, text

UNKNOWN = "(unknown)"
_SEPARATORS = ("›", ">", "|", "\\", ";", "/", ",")


class Unit(NamedTuple):
    """An org unit as it is today; ``given`` is its code as HeroBase spells it, by which it has to be asked for."""

    code: str
    name: str
    parent: str | None
    given: str


class Level(NamedTuple):
    """One unit of a call's hierarchy. ``code`` is None where HeroBase left a gap."""

    code: str | None
    name: str | None = None


def code_of(text: str) -> str:
    """Return an org code without blanks around it and in one Unicode form, as spellings that look alike are one unit."""
    return unicodedata.normalize("NFC", text).strip()


@dataclass(frozen=True)
class OrgTree:
    """Today's org units by casefolded code: codes are compared without regard to case (trap T30b)."""

    units: Mapping[str, Unit]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Self:
        """Read the records of ``/organizationalunits``, flat with parents or nested by children."""
        units = (
            Unit(code_of(code), text(record, "name") or code_of(code), code_of(parent) if parent else None, code)
            for record in flat(records)
            if (code := text(record, "orgCode")) is not None
            for parent in [text(record, "parent")]
        )
        return cls({unit.code.casefold(): unit for unit in units if unit.code})

    def __contains__(self, code: object) -> bool:
        """Whether a code is a unit's."""
        return isinstance(code, str) and code_of(code).casefold() in self.units

    def roots(self) -> list[str]:
        """Codes of the units that have none above them; in a cycle, of each of its units, so that none is lost (T27)."""
        tops = (self.path(code)[0].code for code in self.units)
        return list(dict.fromkeys(top for top in tops if top is not None))

    def path(self, code: str) -> list[Level]:
        """Return a unit and all above it, root first; a cycle ends the walk (trap T27)."""
        levels: list[Level] = []
        seen: set[str] = set()
        current: str | None = code
        while current is not None and current in self and code_of(current).casefold() not in seen:
            unit = self.units[code_of(current).casefold()]
            seen.add(unit.code.casefold())
            levels.insert(0, Level(unit.code, unit.name))
            current = unit.parent
        return levels

    def is_above(self, upper: str, lower: str) -> bool:
        """Whether ``upper`` is an ancestor of ``lower`` today."""
        return any(level.code and level.code.casefold() == upper.casefold() for level in self.path(lower)[:-1])

    def name(self, code: str) -> str:
        """Return a unit's name today; the code itself where it has none."""
        unit = self.units.get(code_of(code).casefold())
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
class Form:
    """Where calls carry their hierarchy, and how it is written there.

    Attributes:
        fields: the fields that hold it: none, one, or numbered ones.
        leaf_first: whether it is written from the leaf to the root.
        separator: what stands between the units of a path that is one text; None where it is no such text.
        code_key: the member of an object that is a unit's code, in lower case.
        level_keys: the members of an object that each hold a unit, root or leaf first, in lower case.
        is_holder: whether an object that has units in it, other than its parent, is none itself, such as the agent.

    """

    fields: tuple[str, ...] = ()
    leaf_first: bool = False
    separator: str | None = None
    code_key: str = "orgcode"
    level_keys: tuple[str, ...] = ()
    is_holder: bool = True


@dataclass(frozen=True)
class Hierarchy:
    """The hierarchy of a pull's calls.

    Attributes:
        form: where it is and how it is written.
        tree: today's units, which give names to codes that come without one.
        codes: codes with a separator in them that are known to be one unit, in lower case.

    """

    form: Form
    tree: OrgTree
    codes: frozenset[str] = field(default_factory=frozenset)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that hold it."""
        return self.form.fields

    @property
    def leaf_first(self) -> bool:
        """Whether it is written from the leaf to the root."""
        return self.form.leaf_first

    def path(self, raw: tuple[str | None, ...]) -> list[Level]:
        """Return the levels of one call, root first; ``raw`` are the texts of its ``fields``."""
        levels = _levels(raw, self.form, self.codes)
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


Texts = Mapping[tuple[str | None, ...], int]
"""How many calls have which raw texts in the fields of a candidate."""


def find_hierarchy(
    values: Mapping[tuple[str, ...], Texts],
    tree: OrgTree,
    forced: str | None = None,
    *,
    agents: Collection[str] = (),
    codes: Collection[str] = (),
) -> Hierarchy:
    """Find the hierarchy among a pull's fields.

    Args:
        values: for each candidate, how many calls have which raw texts in its fields; the frequent ones suffice.
        tree: today's units.
        forced: the field's name where it must not be sought (``HEROBASE_CALL_ORG_FIELD``).
        agents: the agents' codes; where a path has one at an end, that is the leaf's.
        codes: codes with a separator in them that were units before.

    Returns:
        The best candidate by ``_likelihood``; no fields if none is likely.

    """
    known = with_separators(tree, codes)
    found = {fields: _form(fields, texts, tree, known) for fields, texts in values.items()}
    if forced is not None:
        best = next((fields for fields in values if fields[0].casefold() == forced.casefold()), ())
    else:
        likelihoods = {fields: _likelihood(found[fields], values[fields], tree, known) for fields in values}
        best = max(likelihoods, key=likelihoods.__getitem__, default=())
        best = best if best and likelihoods[best] > (0, 0) else ()
    if not best:
        return Hierarchy(Form(), tree, known)
    paths = [_levels(raw, found[best], known) for raw in values[best]]
    is_agent = {code_of(agent).casefold() for agent in agents} - set(tree.units)
    return Hierarchy(replace(found[best], leaf_first=_is_leaf_first(paths, tree, is_agent)), tree, known)


def with_separators(tree: OrgTree, codes: Iterable[str] = ()) -> frozenset[str]:
    """Return the codes that are one unit although a separator stands in them: those of the tree and others, in lower case."""
    return frozenset(
        code
        for code in (*tree.units, *(code.casefold() for code in codes))
        if any(sign in code for sign in _SEPARATORS)
    )


def _likelihood(form: Form, texts: Texts, tree: OrgTree, codes: frozenset[str]) -> tuple[int, int]:
    """Return how likely a candidate is the hierarchy: its rank, and among equals how much it says.

    A field of the call itself goes before the agent's, which may be today's (trap T24); one that distinguishes calls or has
    several levels goes before one unit that is the same for all. Where no code is a unit's today, the form decides.
    """
    paths = {raw: _levels(raw, form, codes) for raw in texts}
    known = sum(calls * sum(level.code in tree for level in paths[raw]) for raw, calls in texts.items())
    if known == 0:
        units = sum(calls * _units_by_form(raw) for raw, calls in texts.items())
        return (1, units) if units else (0, 0)
    telling = {
        tuple(level.code for level in path) for path in paths.values() if any(level.code in tree for level in path)
    }
    if form.fields[0].casefold() == "user":
        return 3, known
    return (4 if len(telling) > 1 or max(map(len, telling)) > 1 else 2), known


def _units_by_form(raw: tuple[str | None, ...]) -> int:
    """Return how many units a value lists by its form alone: objects with an org code."""
    lists = [value for value in map(_parsed, raw) if isinstance(value, list)]
    items = [item for value in lists for item in value]
    return len(items) if items and all(isinstance(item, Mapping) and text(item, "orgCode") for item in items) else 0


# -- how a field is written, from all its values -----------------------------------------------------------------------


def _form(fields: tuple[str, ...], texts: Texts, tree: OrgTree, codes: frozenset[str]) -> Form:
    """Return how a candidate's values are written, each question decided by the most calls."""
    values = [(_parsed(part), calls) for raw, calls in texts.items() for part in raw]
    separator = _separator([(v, calls) for v, calls in values if isinstance(v, str)], tree, codes)
    objects = [(item, calls) for value, calls in values for item in _objects(value)]
    known: dict[str, int] = {}
    held = 0  # calls whose objects hold units and are none, less those whose objects are units as well
    for item, calls in objects:
        for key, value in item.items():
            if isinstance(value, str) and value in tree:
                known[key.casefold()] = known.get(key.casefold(), 0) + calls
    has_code = any("orgcode" in (key.casefold() for key in item) for item, _ in objects)
    code_key = "orgcode" if has_code or not known else max(known, key=known.__getitem__)
    for item, calls in objects:
        code = text(item, code_key)
        if code is not None and member(item, "parent") is None and any(_objects(v) or _texts(v) for v in item.values()):
            held += -calls if code in tree else calls
    level_keys = (
        () if has_code else tuple(sorted((key for key in known if known[key] * 2 >= known[code_key]), key=_natural))
    )
    return Form(
        fields=fields,
        separator=separator if len(fields) == 1 else None,
        code_key=code_key,
        level_keys=level_keys if len(level_keys) > 1 else (),
        is_holder=held >= 0,
    )


def _separator(values: Sequence[tuple[str, int]], tree: OrgTree, codes: frozenset[str]) -> str | None:
    """Return the separator between parts of which most are units; None where no text is such a path."""
    best, most = None, 0
    for separator in _SEPARATORS:
        known = total = 0
        for value, calls in values:
            parts = _split(value, separator, codes)
            if value not in tree and len(parts) > 1:
                known += calls * sum(part in tree for part in parts)
                total += calls * len(parts)
        if known > most and 2 * known >= total:
            best, most = separator, known
    return best


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects in a value, outer ones first."""
    if isinstance(value, Mapping):
        return [value, *(inner for item in value.values() for inner in _objects(item))]
    return [inner for item in value for inner in _objects(item)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []


def _natural(key: str) -> list[tuple[int, str]]:
    """Sort ``level10`` after ``level2``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", key)]


# -- one value -----------------------------------------------------------------------------------------------------------


def _levels(raw: tuple[str | None, ...], form: Form, codes: frozenset[str]) -> list[Level]:
    """Read the levels of one value, in the order in which they stand."""
    levels = [level for part in raw for level in _read(_parsed(part), form, codes)]
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


def _read(value: Any, form: Form, codes: frozenset[str]) -> list[Level]:
    match value:
        case str() if form.separator is not None:
            return [_level(part) for part in _split(value, form.separator, codes)]
        case list():
            return [level for item in value for level in _read_item(item, form)]
        case _:
            return _read_item(value, form)


def _read_item(value: Any, form: Form) -> list[Level]:
    match value:
        case None | "":
            return [Level(None)]
        case str():
            return [_level(value)]
        case list():
            return [level for item in value for level in _read_item(item, form)]
        case Mapping():
            return _read_object(value, form)
        case _:
            return [_level(str(value))]


def _read_object(value: Mapping[str, Any], form: Form) -> list[Level]:
    """Read an object that is a unit, perhaps with the chain of its parents, or that only holds units."""
    if not any(value.values()) and (not value or form.code_key in {key.casefold() for key in value}):
        return [Level(None)]
    if form.level_keys:
        members = {key.casefold(): item for key, item in value.items()}
        return [_level(members[key]) if members.get(key) else Level(None) for key in form.level_keys]
    nested = {key: item for key, item in value.items() if isinstance(item, Mapping | list)}
    above = [level for key, item in nested.items() if key.casefold() == "parent" for level in _read_item(item, form)]
    inner = [
        level
        for key, item in nested.items()
        if key.casefold() != "parent"
        for level in _read_item(item, form)
        if level.code is not None
    ]
    code = text(value, form.code_key)
    if code is None or (inner and not above and form.is_holder):
        return [*inner, *above]
    unit = Level(code_of(code), text(value, "name"))
    return [unit, *above] if above else [unit, *inner]


def _split(value: str, separator: str, codes: frozenset[str]) -> list[str]:
    """Split a path written as one text; a code with the separator in it that is known to be one unit stays whole."""
    if code_of(value).casefold() in codes:
        return [value]
    parts = value.split(separator)
    whole: list[str] = []
    at = 0
    while at < len(parts):
        end = next(
            (
                end
                for end in range(len(parts), at + 1, -1)
                if code_of(separator.join(parts[at:end])).casefold() in codes
            ),
            at + 1,
        )
        whole.append(separator.join(parts[at:end]).strip())
        at = end
    return whole


def _level(code: str) -> Level:
    return Level(code_of(code) or None)


def _same(one: Level, other: Level) -> bool:
    return one.code is not None and other.code is not None and one.code.casefold() == other.code.casefold()


def _is_leaf_first(paths: Iterable[Sequence[Level]], tree: OrgTree, agents: Collection[str]) -> bool:
    """Whether the paths stand leaf first: by where agents stand and by today's tree; else the root is what varies less."""
    codes = [[level.code for level in path if level.code is not None] for path in paths]
    votes = 0
    for path in codes:
        for upper, lower in pairwise(path):
            votes += tree.is_above(upper, lower) - tree.is_above(lower, upper)
        if len(path) > 1:
            votes += (path[-1].casefold() in agents) - (path[0].casefold() in agents)
    if votes:
        return votes < 0
    longer = [path for path in codes if len(path) > 1]
    return len({path[-1].casefold() for path in longer}) < len({path[0].casefold() for path in longer})
