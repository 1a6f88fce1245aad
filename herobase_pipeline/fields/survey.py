"""What stands in the fields of leads, in numbers only: what a file of declared fields is proposed from."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.deriving.session import deriving
from herobase_pipeline.fields.declarations import Declaration, Kind, normal, pattern
from herobase_pipeline.fields.projection import gather
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import LEAD_DEFINITION_FIELDS, LEAD_FIELDS

Locale = Literal["da", "en"]
LOCALES: tuple[Locale, ...] = ("da", "en")
CERTAIN = 0.95  # of the values that a field has: as many must be of a type for it to be proposed
_ALIKE = 0.5  # of the fields that two campaigns have together: as many must be in both for one lead definition
_GUESSED = (Kind.DATE, Kind.INSTANT, Kind.NUMBER, Kind.FLAG)
# what a lead definition may call a type, as nobody has published the names; of a choice the words say whether it is yes or no
_KINDS = {
    **dict.fromkeys(("text", "string", "phone", "phonenumber", "email", "memo", "note", "multiline", "url"), Kind.TEXT),
    **dict.fromkeys(("integer", "int", "decimal", "number", "numeric", "double", "float", "currency"), Kind.NUMBER),
    **dict.fromkeys(("bool", "boolean", "flag", "checkbox", "yesno"), Kind.FLAG),
    "date": Kind.DATE,
    "datetime": Kind.INSTANT,
}
_LABEL = r"[+-]?0\d+|\+?(\d[ ()/-]*){8,}"  # a postcode, an id, a phone number: digits that nobody adds up


@dataclass(frozen=True)
class Surveyed:
    """One field: how many leads have it, how many something in it, and how many of these can be read as what.

    Attributes:
        name: its name, as its lead definition writes it where there is one.
        defined: the type that the lead definition says; None where it says none.

    """

    name: str
    leads: int
    filled: int
    labels: int
    readable: Mapping[tuple[Kind, Locale], int]
    defined: Kind | None = None

    def kind(self, locale: Locale) -> Kind:
        """Return the type by the lead definition, else the one that nearly all values are of; text where there is none."""
        if self.defined is not None:
            return self.defined
        for kind in _GUESSED if self.filled else ():
            is_label = kind in (Kind.NUMBER, Kind.FLAG) and self.labels > (1 - CERTAIN) * self.filled
            if not is_label and self.readable[kind, locale] >= CERTAIN * self.filled:
                return kind
        return Kind.TEXT


@dataclass(frozen=True)
class Definition:
    """The fields of some campaigns' leads.

    Attributes:
        declaration: the file that is for them; None where there is none.
        campaigns: their codes, the one with the most leads first.
        leads: how many they have.
        fields: in the order of HeroBase's lead definition, then in that in which they stand on most leads.
        name: what HeroBase calls its lead definition; None where none is known.

    """

    declaration: Declaration | None
    campaigns: Sequence[str]
    leads: int
    fields: Sequence[Surveyed]
    name: str | None = None

    @property
    def locale(self) -> Locale:
        """The way in which more of the fields are written; the Danish one where both serve."""
        typed = {locale: sum(field.kind(locale) is not Kind.TEXT for field in self.fields) for locale in LOCALES}
        return "en" if typed["en"] > typed["da"] else "da"


class Survey(NamedTuple):
    """The lead definitions, and how many leads are in no campaign, so that no file can be for them."""

    definitions: Sequence[Definition]
    without_campaign: int


def survey(lake: Lake, zone: ZoneInfo, declarations: Sequence[Declaration]) -> Survey:
    """Return the lead definitions that the leads seem to have: those of the files, then campaigns with like fields.

    Raises:
        NotDerivedError: there are no leads, or the files contradict each other.

    """
    with deriving(lake, zone, LEAD_FIELDS) as con:
        gather(con, lake, declarations)
        leads = dict(
            con.execute(
                "SELECT campaign, count(*) FROM latest WHERE data <> '{}' OR custom_data IS NOT NULL GROUP BY 1 "
                "ORDER BY 2 DESC, 1"
            ).fetchall()
        )
        of_file = dict(con.execute("SELECT DISTINCT campaign, declaration FROM latest").fetchall())
        keys = _keys(con)
        groups: list[tuple[Declaration | None, list[str]]] = [
            (each, [campaign for campaign in leads if of_file[campaign] == each.name]) for each in declarations
        ]
        undeclared = [campaign for campaign in leads if campaign and of_file[campaign] is None]
        groups += [(None, campaigns) for campaigns in _alike(undeclared, keys)]
        con.execute("CREATE TEMP TABLE grouped (campaign VARCHAR, number INTEGER)")
        for number, (_, campaigns) in enumerate(groups):
            for campaign in campaigns:
                con.execute("INSERT INTO grouped VALUES ($1, $2)", [campaign, number])
        fields = _fields(con)
        known = _known(con, lake)
        definitions = []
        for number, (file, campaigns) in enumerate(groups):
            name, found = _as_defined(fields[number], known)
            definitions.append(Definition(file, campaigns, sum(leads[each] for each in campaigns), found, name))
        return Survey(definitions, leads.get(None, 0))


def _known(con: duckdb.DuckDBPyConnection, lake: Lake) -> dict[str, list[tuple[str, Kind | None]]]:
    """Return the fields of HeroBase's lead definitions in their order, with the type where it says one; of the latest list."""
    define_views(con, lake, (LEAD_DEFINITION_FIELDS,))
    found: dict[str, list[tuple[str, Kind | None]]] = defaultdict(list)
    for definition, name, type_ in con.execute("""
        SELECT coalesce(definition_name, definition_id, ''), coalesce(import_name, name), type
        FROM lead_definition_fields
        WHERE coalesce(import_name, name) IS NOT NULL
        QUALIFY date = max(date) OVER ()
        ORDER BY 1, sort_order, 2
    """).fetchall():
        found[definition].append((" ".join(name.split()), _KINDS.get(re.sub(r"\W|_", "", type_ or "").casefold())))
    return found


def _as_defined(
    fields: Sequence[Surveyed], known: Mapping[str, Sequence[tuple[str, Kind | None]]]
) -> tuple[str | None, Sequence[Surveyed]]:
    """Return the lead definition that most of the fields are of, and the fields by it: its names, types and order."""
    seen = {normal(field.name): field for field in fields}
    shared = {name: sum(normal(field) in seen for field, _ in of) for name, of in known.items()}
    best = max(shared, key=shared.__getitem__, default=None)
    if best is None or shared[best] < max(_ALIKE * len(seen), 1):
        return None, fields
    defined = {normal(name): (name, kind) for name, kind in reversed(known[best])}
    first = [
        replace(seen[key], name=defined[key][0], defined=defined[key][1])
        for key in dict.fromkeys(normal(name) for name, _ in known[best])
        if key in seen
    ]
    return best, [*first, *(field for key, field in seen.items() if key not in defined)]


def _keys(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for source in ("data", "custom_data"):
        for campaign, key in con.execute(
            f"SELECT DISTINCT campaign, unnest(json_keys({source})) FROM latest"
        ).fetchall():
            found[campaign].add(normal(key))
    return found


def _alike(campaigns: Sequence[str], keys: Mapping[str, set[str]]) -> list[list[str]]:
    """Put campaigns together whose leads have mostly the same fields."""
    groups: list[tuple[set[str], list[str]]] = []
    for campaign in campaigns:
        its = keys.get(campaign, set())
        for together, members in groups:
            if len(its & together) >= _ALIKE * len(its | together) or any(_one(campaign, each) for each in members):
                together |= its
                members.append(campaign)
                break
        else:
            groups.append((set(its), [campaign]))
    return [members for _, members in groups]


def _one(campaign: str, other: str) -> bool:
    """Whether a pattern that is one campaign's code is for the other too, as upper and lower case are one, and * is any."""
    return any(
        re.fullmatch(pattern([code]), unicodedata.normalize("NFC", of).strip(), re.IGNORECASE)
        for code, of in ((campaign, other), (other, campaign))
    )


def _fields(con: duckdb.DuckDBPyConnection) -> dict[int, list[Surveyed]]:
    """Return the fields of each group; spellings of one name together."""
    forms = [(kind, locale) for kind in _GUESSED for locale in LOCALES]
    readable = ", ".join(f"count({locale}_{kind}(text))" for kind, locale in forms)
    rows = con.execute(f"""
        SELECT number, key, count(*), count(text), count(*) FILTER (regexp_full_match(text, '{_LABEL}')), {readable}
        FROM (
            SELECT number, unnest(json_keys(data)) AS key, plain(unnest(json_extract_string(data, '$.*'))) AS text
            FROM latest JOIN grouped USING (campaign)
            UNION ALL
            SELECT number, unnest(json_keys(custom_data)), plain(unnest(json_extract_string(custom_data, '$.*')))
            FROM latest JOIN grouped USING (campaign)
        )
        GROUP BY number, key ORDER BY count(*) DESC, lower(key), key
    """).fetchall()
    found: dict[int, dict[str, Surveyed]] = defaultdict(dict)
    for number, key, leads, filled, labels, *counts in rows:
        of = found[number]
        before = of.get(normal(key))
        read = dict(zip(forms, counts, strict=True))
        if before is not None:
            leads, filled, labels = leads + before.leads, filled + before.filled, labels + before.labels
            read = {form: count + before.readable[form] for form, count in read.items()}
        of[normal(key)] = Surveyed(before.name if before else " ".join(key.split()), leads, filled, labels, read)
    return defaultdict(list, {number: list(of.values()) for number, of in found.items()})
