"""Lead definitions: the fields on a lead by kind of campaign, and what stands in them (API 2.2). All values are text.

``access`` says who gets to see a field: ``Partner`` fields also come out for a partner account, ``Full`` ones only for
a full one.
"""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from herobase_pipeline.enums import LeadClosure, LeadStatus
from herobase_pipeline.sandbox.world.chance import Array, below, bits, many
from herobase_pipeline.sandbox.world.days import phone_numbers
from herobase_pipeline.sandbox.world.leads import States
from herobase_pipeline.sandbox.world.lives import INBOUND_BOOK, LIVES
from herobase_pipeline.sandbox.world.organisation import FIRST_NAMES, LAST_NAMES

_STREETS = [
    "Nørregade",
    "Søndergade",
    "Østergade",
    "Vestergade",
    "Skolevej",
    "Birkevej",
    "Ærøvej",
    "Møllevej",
    "Kirkevej",
    "Strandvejen",
    "Åboulevarden",
    "Bakken",
]
_TOWNS = (
    ("1050", "København K"),
    ("2300", "København S"),
    ("4000", "Roskilde"),
    ("5000", "Odense C"),
    ("5700", "Svendborg"),
    ("5970", "Ærøskøbing"),
    ("6950", "Ringkøbing"),
    ("7100", "Vejle"),
    ("8000", "Aarhus C"),
    ("8700", "Horsens"),
    ("9000", "Aalborg"),
    ("0800", "Høje Taastrup"),
)
_HOMES = ("Lejlighed", "Hus", "Rækkehus", "Andelsbolig", "")
_FUNDS = ("Krifa", "3F", "HK", "ASE", "Ingen", "n/a", "")
_NOTES = (
    "",
    "",
    "",
    "",
    "Ring efter kl. 16",
    'Siger "ikke nu"',
    "Har talt m/ ægtefælle\nvender tilbage",
    "Ønsker tilbud på mail",
    "ok",
)


@dataclass(frozen=True)
class Field:
    """One entry of a lead definition. ``write`` gives the texts for some leads, as JSON literals."""

    name: str
    kind: str
    access: str
    write: Callable[["_Writer"], list[str]]


class _Writer:
    """What the fields of a few leads are made from."""

    def __init__(self, seed: int, states: States, local_day: Array) -> None:
        self.seed, self.states, self.number = seed, states, states.number
        self.random = many(bits(seed, 81), states.number)
        self.success = states.closure == LeadClosure.Success
        self.local_day = local_day

    def pick(self, purpose: int, words: tuple[str, ...] | list[str]) -> list[str]:
        table = np.array([_text(w) for w in words], object)
        chosen: list[str] = table[below(many(bits(self.seed, 82, purpose), self.number), len(words))].tolist()
        return chosen

    def whole(self, purpose: int, low: int, high: int) -> list[int]:
        drawn: list[int] = (low + below(many(bits(self.seed, 82, purpose), self.number), high - low)).tolist()
        return drawn

    def if_success(self, texts: list[str], other: str = '""') -> list[str]:
        return [text if yes else other for text, yes in zip(texts, self.success.tolist(), strict=True)]

    def phone(self, which: int) -> list[str]:
        numbers = phone_numbers(self.seed, self.number, np.full(len(self.number), which)).tolist()
        style = self.whole(900 + which, 0, 10 if which else 8)
        return [_phone(n, s) for n, s in zip(numbers, style, strict=True)]


def _phone(number: int, style: int) -> str:
    digits = str(number)
    if style < 4:
        return f'"{digits}"'
    if style == 4:
        return f'"+45{digits}"'
    if style == 5:
        return f'"0045{digits}"'
    if style == 6:
        return f'"{digits[:2]} {digits[2:4]} {digits[4:6]} {digits[6:]}"'
    return f'"+45 {digits}"' if style == 7 else '""'


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _words(purpose: int, *words: str) -> Callable[[_Writer], list[str]]:
    return lambda w: w.pick(purpose, words)


def _sold(purpose: int, *words: str) -> Callable[[_Writer], list[str]]:
    return lambda w: w.if_success(w.pick(purpose, words))


def _number(purpose: int, low: int, high: int) -> Callable[[_Writer], list[str]]:
    return lambda w: [f'"{n}"' for n in w.whole(purpose, low, high)]


def _amount(purpose: int, low: int, high: int) -> Callable[[_Writer], list[str]]:
    """Danish amounts: ``1.234,50`` (T32)."""

    def write(w: _Writer) -> list[str]:
        texts = [f"{n / 2:,.2f}".translate(str.maketrans(",.", ".,")) for n in w.whole(purpose, low * 2, high * 2)]
        return w.if_success([f'"{t}"' for t in texts])

    return write


def _phone_field(which: int) -> Callable[[_Writer], list[str]]:
    return lambda w: w.phone(which)


def _meeting_day(w: _Writer) -> list[str]:
    days = [
        dt.date(1970, 1, 1) + dt.timedelta(days=int(d) + 3 + n)
        for d, n in zip(w.local_day.tolist(), w.whole(20, 0, 12), strict=True)
    ]
    return w.if_success([f'"{d:%d-%m-%Y}"' for d in days])


def _town(part: int) -> Callable[[_Writer], list[str]]:
    return lambda w: w.pick(30, [t[part] for t in _TOWNS])


def _address(w: _Writer) -> list[str]:
    return [f'{street[:-1]} {n}"' for street, n in zip(w.pick(31, _STREETS), w.whole(32, 1, 180), strict=True)]


def _result(w: _Writer) -> list[str]:
    closure, status = w.states.closure.tolist(), w.states.status.tolist()
    return [_RESULTS[c] if s == LeadStatus.UserProcessed else '""' for c, s in zip(closure, status, strict=True)]


_RESULTS = {0: '""', 1: '"Ja tak"', 2: '"Nej tak"', 3: '"Forkert nummer"', 4: '"Ikke i målgruppen"'}


def _birthday(w: _Writer) -> list[str]:
    days = [dt.date(1940, 1, 1) + dt.timedelta(days=n) for n in w.whole(33, 0, 23_000)]
    return [f'"{d:%d-%m-%Y}"' for d in days]


def _email(w: _Writer) -> list[str]:
    plain = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa"})
    return [
        f'"{name[1:-1].lower().translate(plain)}{n}@example.dk"'
        for name, n in zip(w.pick(1, FIRST_NAMES), w.number.tolist(), strict=True)
    ]


def _full_name(w: _Writer) -> list[str]:
    return [f"{a[:-1]} {b[1:]}" for a, b in zip(w.pick(1, FIRST_NAMES), w.pick(2, LAST_NAMES), strict=True)]


_MEETING = (
    Field("Resultat", "Choice", "Partner", _result),
    Field("Mødedato", "Date", "Partner", _meeting_day),
    Field("Mødetidspunkt", "Text", "Partner", _sold(21, "09:00", "10:30", "kl. 13", "14.15", "16:00")),
    Field("Notater", "Text", "Partner", _words(22, *_NOTES)),
    Field("cusFornavn", "Text", "Full", _words(1, *FIRST_NAMES)),
    Field("cusEfternavn", "Text", "Full", _words(2, *LAST_NAMES)),
    Field("cusAdresse", "Text", "Full", _address),
    Field("cusPOSTNR", "Text", "Partner", _town(0)),
    Field("cusPOSTDISTRIKT", "Text", "Partner", _town(1)),
    Field("cusBoligform", "Choice", "Partner", _words(23, *_HOMES)),
    Field("cusKUNDE_ID", "Text", "Full", _number(24, 10_000_000, 99_999_999)),
    Field("cusTELEFONNR_MOBIL", "Phone", "Full", _phone_field(0)),
    Field("cusTELEFONNR_PRIVAT", "Phone", "Full", _phone_field(1)),
    Field("Kontaktnummer", "Phone", "Full", _phone_field(2)),
    Field("age", "Integer", "Partner", _number(25, 18, 88)),
    Field("Type Datafejl", "Choice", "Partner", _words(26, "", "", "", "", "Navn", "Adresse")),
)
_TELECOM = (
    Field("Forename", "Text", "Full", _words(1, *FIRST_NAMES)),
    Field("Lastname", "Text", "Full", _words(2, *LAST_NAMES)),
    Field("Email", "Text", "Full", _email),
    Field("SUBSCRIBER_ID", "Text", "Full", _number(24, 1_000, 99_999_999)),
    Field("contact_number", "Phone", "Full", _phone_field(0)),
    Field("Telefon", "Phone", "Full", _phone_field(1)),
    Field("Telefon Abo1", "Phone", "Full", _phone_field(2)),
    Field("Abonnement1", "Choice", "Partner", _sold(41, "Fri tale 20 GB", "Fri tale 100 GB", "5G hjemme", "Familie+")),
    Field("Abonnement2", "Choice", "Partner", _sold(42, "", "", "Fri tale 20 GB")),
    Field("Antal abonnementer", "Integer", "Partner", _sold(43, "1", "1", "2", "3", "")),
    Field("5GI salg", "Choice", "Partner", _sold(44, "Ja", "Nej", "Nej")),
    Field("Månedspris", "Decimal", "Partner", _amount(45, 99, 1_400)),
    Field("Kampagne", "Text", "Partner", _words(46, "Forår", "Efterår", "Black Week")),
    Field("LeadType", "Choice", "Partner", _words(47, "Kold", "Varm", "Survey")),
    Field("SurveyLeverandør", "Text", "Partner", _words(48, "", "", "Leverandør A", "Leverandør Ø")),
    Field("Afslutning", "Choice", "Partner", _result),
    Field("Notater", "Text", "Partner", _words(22, *_NOTES)),
)
_FUND = (
    Field("Navn1", "Text", "Full", _full_name),
    Field("Fødselsdato", "Date", "Full", _birthday),
    Field("Adresse", "Text", "Full", _address),
    Field("Postnummer", "Text", "Partner", _town(0)),
    Field("By", "Text", "Partner", _town(1)),
    Field("Telefon1", "Phone", "Full", _phone_field(0)),
    Field("Telefon2", "Phone", "Full", _phone_field(1)),
    Field("Telefon3", "Phone", "Full", _phone_field(2)),
    Field("A-kasse salg", "Choice", "Partner", _sold(61, "Ja", "Ja", "Nej")),
    Field("A-kasse type", "Choice", "Partner", _sold(62, "Lønmodtager", "Selvstændig", "Dimittend")),
    Field("Forening", "Text", "Partner", _words(63, *_FUNDS)),
    Field("Lønsikring", "Choice", "Partner", _sold(64, "Ja", "Nej", "Nej", "")),
    Field("Dækningssum", "Decimal", "Partner", _amount(65, 2_000, 28_000)),
    Field("Medlemsnummer", "Text", "Full", _number(66, 100_000, 999_999)),
    Field("Nuværende a-kasse", "Text", "Partner", _words(67, *_FUNDS)),
    Field("Ja - Afdeling", "Choice", "Partner", _sold(68, "Lead", "Salg")),
    Field("Leadudfald", "Choice", "Partner", _result),
    Field("Resultat af samtalen", "Text", "Partner", _words(69, "", "", "Positiv", "Neutral", "Negativ")),
    Field("OPP", "Integer", "Partner", _words(70, "0", "1", "12,5", "n/a", "")),
    Field("Partner-id", "Text", "Partner", _number(71, 1, 40)),
    Field("Notater", "Text", "Partner", _words(22, *_NOTES)),
)
_INBOUND = (
    Field("Navn", "Text", "Full", _full_name),
    Field("Telefon", "Phone", "Full", _phone_field(0)),
    Field("Årsag til opkald", "Choice", "Partner", _words(72, "Spørgsmål", "Klage", "Tilmelding", "Ændring/Flytning")),
    Field("Resultat", "Choice", "Partner", _result),
    Field("Notater", "Text", "Partner", _words(22, *_NOTES)),
)
DEFINITIONS: tuple[tuple[str, tuple[Field, ...]], ...] = (
    ("Mødebooking", _MEETING),
    ("Telefoni & forsikring", _TELECOM),
    ("A-kasse", _FUND),
    ("Indgående", _INBOUND),
)
"""(name, fields) by book of lives."""

NOTE_FIELD = "Notater"


def visible(book: int, access: str) -> list[Field]:
    """Fields of a definition that an account with this lead-definition-entry access gets."""
    if access == "None":
        return []
    return [f for f in DEFINITIONS[book][1] if access == "Full" or f.access == "Partner"]


def data_objects(seed: int, states: States, local_day: Array, access: str, *, lower: bool) -> list[str]:
    """Make the ``data`` of each lead as JSON text, in order; ``{}`` for erased leads. ``lower``: keys in lower case."""
    found: list[str] = ["{}"] * len(states)
    books = states.rows.life // LIVES
    for book in range(INBOUND_BOOK + 1):
        fields = visible(book, access)
        which = ((books == book) & ~states.erased).nonzero()[0]
        if not len(which) or not fields:
            continue
        writer = _Writer(seed, states.cut(which), local_day[which])
        columns = []
        for n, field in enumerate(fields):
            key = _text(field.name.lower() if lower else field.name)
            lead = "{" if n == 0 else ","
            columns.append([f"{lead}{key}:{value}" for value in field.write(writer)])
        for at, parts in zip(which.tolist(), zip(*columns, strict=True), strict=True):
            found[at] = "".join(parts) + "}"
    return found
