"""The typed columns that declared lead fields become, and the SQL that reads them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from herobase_pipeline.fields.declarations import RAW, Declaration, DeclaredField, Kind, normal, pattern
from herobase_pipeline.tables.lead_fields import LEAD_FIELDS
from herobase_pipeline.tables.leads import of_versions
from herobase_pipeline.tables.schema import Column, Table, Type, of

_TYPES = {
    Kind.TEXT: Type.TEXT,
    Kind.NUMBER: Type.NUMBER,
    Kind.DATE: Type.DAY,
    Kind.FLAG: Type.FLAG,
    Kind.INSTANT: Type.INSTANT,
}
_WORDS = {Kind.NUMBER: "number", Kind.DATE: "date", Kind.FLAG: "yes or no", Kind.INSTANT: "date and time"}
_SOURCES = ("data", "custom_data")  # a field of both is the lead's own
_OF_EACH = ("lead_id", "last_modified_at", "declaration", "declaration_version")
_FIELDS = (
    of("lead_data", "data custom_data last_modified_at")
    + of("search_lead_data", "data custom_data last_modified_at")
    + of("raw_leads", "field_name field_value observed_at date")
    + of_versions("status")
)

MACROS = files("herobase_pipeline.fields").joinpath("values.sql").read_text(encoding="utf-8")
"""How the text of a field becomes a value."""


def typed(declarations: Sequence[Declaration]) -> Table:
    """Return the table with the columns that are declared; one that several files declare is there once."""
    columns = {column.name: column for each in declarations for column in _columns(each)}
    return dataclasses.replace(LEAD_FIELDS, columns=(*LEAD_FIELDS.columns, *columns.values()))


def _columns(declaration: Declaration) -> Iterator[Column]:
    for name, field in declaration.fields.items():
        meaning = field.description or f"the field “{name}”"
        yield Column(field.column, _TYPES[field.type], meaning, made_from=_FIELDS)
        if keeps_raw(field):
            meaning = f"what {field.column} could not read as a {_WORDS[field.type]}; NULL where it could"
            yield Column(field.column + RAW, Type.TEXT, meaning, made_from=_FIELDS)


def keeps_raw(field: DeclaredField) -> bool:
    """Whether a field has a column for what could not be read."""
    return field.type is not Kind.TEXT and field.unreadable == "keep"


def covering(declarations: Sequence[Declaration]) -> list[dict[str, Any]]:
    """Return which leads each file is for, as the parameter ``declared`` of the table's SQL."""
    return [
        {
            "name": each.name,
            "version": each.version,
            "campaigns": pattern(each.campaigns),
            "projects": pattern(each.projects),
        }
        for each in declarations
    ]


def texts(declaration: Declaration, spellings: Mapping[str, Sequence[str]]) -> str:
    """Return the SELECT of the texts of a file's leads, by column, from ``latest``.

    Args:
        declaration: the file.
        spellings: how the fields' names are spelled in the data, by what the spellings have in common (``normal``).

    """
    pointers: list[str] = []  # all are looked up at once: each by itself would parse the fields anew
    columns = []
    for name, field in declaration.fields.items():
        found = []
        is_danish_number = field.type is Kind.NUMBER and (field.locale or declaration.locale) == "da"
        for each in (name, *field.formerly):
            keys = spellings.get(normal(each), ())
            at = range(len(pointers) + 1, len(pointers) + len(keys) + 1)
            pointers += map(_pointer, keys)
            found += [_text(source, number, is_danish_number=is_danish_number) for source in _SOURCES for number in at]
        columns.append(f"coalesce({', '.join([*found, 'NULL::VARCHAR'])}) AS {_quoted(field.column)}")
    paths = f"[{', '.join(pointers)}]::VARCHAR[]"
    looked_up = [
        f"json_extract_string({source}, {paths}) AS {source}_texts, json_type({source}, {paths}) AS {source}_types"
        for source in _SOURCES
    ]
    its = f"SELECT *, {', '.join(looked_up)} FROM latest WHERE declaration = '{_escaped(declaration.name)}'"
    return f"SELECT {', '.join([*_OF_EACH, *columns])} FROM ({its})"


def _text(source: str, number: int, *, is_danish_number: bool) -> str:
    text = f"plain({source}_texts[{number}])"
    # a number of JSON's own, not in a text, has a point whatever the locale
    return f"if({source}_types[{number}] = 'DOUBLE', replace({text}, '.', ','), {text})" if is_danish_number else text


def values(declaration: Declaration, texts: str) -> str:
    """Return the SELECT of a file's columns, and of the ``_raw`` of all but texts, from a relation of their texts."""
    read: dict[str, list[str]] = {}  # texts by macro: planned for each by itself, hundreds take minutes
    columns = []
    for field in declaration.fields.values():
        text = value = _quoted(field.column)
        if field.type is not Kind.TEXT:
            macro = f"{field.locale or declaration.locale}_{field.type}"
            read.setdefault(macro, []).append(text)
            value = f"{_quoted('by ' + macro)}[{len(read[macro])}]"
            columns.append(f"CASE WHEN {value} IS NULL THEN {text} END AS {_quoted(field.column + RAW)}")
        columns.append(f"{value} AS {_quoted(field.column)}")
    lists = [
        f"list_transform([{', '.join(of)}], lambda text: {macro}(text)) AS {_quoted('by ' + macro)}"
        for macro, of in read.items()
    ]
    return f"SELECT {', '.join([*_OF_EACH, *columns])} FROM (SELECT {', '.join(['*', *lists])} FROM {texts})"


def _pointer(key: str) -> str:
    """Return a key as an SQL literal of a JSON pointer, in which any character may stand."""
    return f"'/{_escaped(key.replace('~', '~0').replace('/', '~1'))}'"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _escaped(text: str) -> str:
    return text.replace("'", "''")
