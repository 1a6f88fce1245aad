"""``make fields``: proposes files of declared lead fields from what was seen. It shows counts, never a value.

``python -m herobase_pipeline.fields.proposals`` prints a file for each lead definition that has none, and the new fields of those
that have one; ``--to fields`` writes the files, none of which may exist; ``--all`` proposes all of them anew.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from herobase_pipeline.deriving.session import NotDerivedError
from herobase_pipeline.fields.census import WITHHELD, shown_name
from herobase_pipeline.fields.declarations import RAW, FieldsError, Kind, normal, read_declarations
from herobase_pipeline.fields.survey import Definition, Locale, Surveyed, survey
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings, SettingsError
from herobase_pipeline.sites import add_option, chosen, headed
from herobase_pipeline.tables import LEAD_FIELDS

_LETTERS = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e"})
_LONGEST = 50

Taken = dict[str, tuple[Kind, str]]
"""Columns of all files, with their types and what is done with the unreadable: one column may be in several files."""


def main(arguments: list[str] | None = None) -> int:
    """Print or write the proposals; returns the exit code."""
    options = argparse.ArgumentParser(prog="python -m herobase_pipeline.fields.proposals", description=__doc__)
    options.add_argument("--to", type=Path, metavar="FOLDER", help="write the files there; none may exist")
    options.add_argument("--all", action="store_true", help="as if there were no files yet")
    add_option(options)
    asked = options.parse_args(arguments)
    try:
        return max(_propose(name, settings, asked) for name, settings in chosen(asked.site).items())
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _propose(name: str, settings: Settings, asked: argparse.Namespace) -> int:
    """Print or write the proposals for an account; those of a site go into a folder of its name."""
    to = asked.to / name if asked.to and name else asked.to
    if name:
        sys.stderr.write(headed(name, ""))
    try:
        declarations = () if asked.all else read_declarations(settings.declared_fields, LEAD_FIELDS.names)
        found, without_campaign = survey(Lake(settings.data_dir), settings.zone, declarations)
    except (FieldsError, NotDerivedError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    taken: Taken = {
        field.column: (field.type, field.unreadable) for each in declarations for field in each.fields.values()
    }
    # written beside the files that are there, unless all are proposed anew
    there = [path.stem for path in to.glob("*.toml")] if to and not asked.all else []
    files = dict(_files(found, taken, set(there)))
    additions = "\n".join(
        _additions(each, taken) for each in found if each.declaration and any(map(_has_name, _new(each)))
    )
    if to:
        if clashing := [str(to / name) for name in files if (to / name).exists()]:
            sys.stderr.write(f"{' and '.join(clashing)} exists already, so nothing was written. Name another folder.\n")
            return 2
        to.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (to / name).open("x", encoding="utf-8") as file:
                file.write(text)
            sys.stderr.write(f"Written: {to / name}\n")
        sys.stdout.write(additions)
    else:
        sys.stdout.write("\n".join([*(f"# -- {name} --\n{text}" for name, text in files.items()), additions]))
    if without_campaign:
        sys.stderr.write(f"{without_campaign} leads have no campaign, so no file can be for them.\n")
    elif not files and not additions:
        sys.stderr.write("Every field of the loaded leads is declared. --all proposes all files anew.\n")
    return 0


def _files(found: Sequence[Definition], taken: Taken, used: set[str]) -> Iterator[tuple[str, str]]:
    """Yield a name that is not used and a text for each lead definition without a file."""
    for each in found:
        if each.declaration is None and each.fields:
            name = unique(slug(each.campaigns[0]), used)
            used.add(name)
            yield f"{name}.toml", proposed(each, taken)


def proposed(definition: Definition, taken: Taken) -> str:
    """Return the file for a lead definition.

    Args:
        definition: what was seen.
        taken: the columns that other files have; those of this one are added.

    """
    codes = ", ".join(_quoted(code) for code in definition.campaigns)
    return "\n".join(
        [
            f"# Proposed from {definition.leads} leads{_by(definition)}: look over names, types and whom you do not need to "
            "know.",
            "version = 1",
            f"campaigns = [{codes}]  # * stands for anything",
            f'locale = "{definition.locale}"',
            "left_out = []  # names of fields that are not wanted",
            "",
            "[fields]",
            *_lines(definition, list(definition.fields), definition.locale, taken),
            "",
        ]
    )


def _by(definition: Definition) -> str:
    return f" and the lead definition “{' '.join(definition.name.split())}”" if definition.name else ""


def _additions(definition: Definition, taken: Taken) -> str:
    """Return the lines that a file lacks."""
    file = definition.declaration
    if file is None:
        return ""
    return "\n".join(
        [f"# -- to add to {file.name}.toml --", *_lines(definition, _new(definition), file.locale, taken), ""]
    )


def _new(definition: Definition) -> list[Surveyed]:
    known = definition.declaration.known if definition.declaration else set()
    return [field for field in definition.fields if normal(field.name) not in known]


def _has_name(field: Surveyed) -> bool:
    return field.name != "" and shown_name(field.name) != WITHHELD


def _lines(definition: Definition, fields: list[Surveyed], locale: Locale, taken: Taken) -> Iterator[str]:
    its = {each.column for each in definition.declaration.fields.values()} if definition.declaration else set()
    for field in fields:
        share = f"{min(field.filled / max(definition.leads, 1), 1):.0%} filled"
        if not _has_name(field):
            yield f"# a field is left out here, as it has no name, or one that looks like a value; {share}"
            continue
        kind = field.kind(locale)
        others = {column for column, (type_, unreadable) in taken.items() if (type_, unreadable) != (kind, "keep")}
        column = unique(slug(field.name).replace("-", "_"), {*its, *others, *LEAD_FIELDS.names})
        its.add(column)
        taken[column] = (kind, "keep")
        typed = "" if kind is Kind.TEXT else f', type = "{kind}"'
        read = "" if kind is Kind.TEXT else f", {field.readable[kind, locale] / field.filled:.1%} of these read"
        yield f'{_quoted(field.name)} = {{ column = "{column}"{typed} }}  # {share}{read}'


def slug(name: str) -> str:
    """Return a name of a-z, 0-9 and - that begins with a letter, as near to ``name`` as that is."""
    plain = re.sub(r"[^a-z0-9]+", "-", normal(name).translate(_LETTERS)).strip("-")
    plain = plain if plain[:1].isalpha() else f"f-{plain}".strip("-")
    return re.sub(f"({RAW.replace('_', '-')}|-)+$", "", plain[:_LONGEST])


def unique(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, numbered if need be."""
    names = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in names if each not in taken)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # which TOML forbids and JSON does not


if __name__ == "__main__":
    sys.exit(main())
