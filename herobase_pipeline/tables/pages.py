"""The generated pages: the metrics and the tables, for the UI and the docs."""

import sys
from collections.abc import Mapping

from herobase_pipeline.tables import TABLES, VIEWS, Column, Table
from herobase_pipeline.tables.lineage import made_from
from herobase_pipeline.tables.metrics import BASES
from herobase_pipeline.tables.rates import registry

_PREFACE = """# The metrics

Each is two counts or lengths that are divided last: sum numerators and denominators over days or campaigns, within one level of
the hierarchy (and at one age), and divide then; never add or average rates. Shares have a Wilson interval (95 %). A rate over an
empty denominator is NULL. `is_mature` says whether all that a rate is made of is over, loaded and settled; rates of
`cohort_rates` are NULL until then.

This page is made from the registry: `.venv/bin/python -m herobase_pipeline.tables.pages metrics > docs/metrics.md`
"""
_TABLES_PREFACE = """# The tables

Instants are UTC, days are those of the business time zone, durations are seconds. The same texts are comments in the catalogue,
metadata of the fields in each file (`pyarrow.parquet.read_schema`) and descriptions in the Dagster UI. What the metrics are:
[metrics.md](metrics.md).

This page is made from the declarations: `.venv/bin/python -m herobase_pipeline.tables.pages tables > docs/tables.md`
"""


def as_list(found_in: str) -> str:
    """Return the metrics of a table or view as a Markdown list, for the UI."""
    return "\n".join(
        f"- **{row['metric']}** ({row['unit']}): {row['numerator']} / {row['denominator']}. {row['caveat']}".rstrip()
        for row in registry()
        if found_in in _tables_of(row)
    )


def _tables_of(row: Mapping[str, object]) -> list[str]:
    """Return the tables and views that give a metric of the registry."""
    return [str(row["found_in"]), *str(row["also_in"] or "").split(", ")]


def as_document() -> str:
    """Return the registry as a Markdown page: ``docs/metrics.md``."""
    parts = [_PREFACE]
    for found_in in dict.fromkeys(basis.found_in for basis in BASES):
        rows = [row for row in registry() if found_in in _tables_of(row)]
        parts.append(f"## `{found_in}`\n")
        parts.append("| metric | numerator | denominator | in | counted on | know before you quote it |")
        parts.append("|---|---|---|---|---|---|")
        shown = ("numerator", "denominator", "unit", "date_basis", "caveat")
        parts += [f"| `{row['metric']}` | " + " | ".join(str(row[name]) for name in shown) + " |" for row in rows]
        parts.append("")
    return "\n".join(parts)


def as_dictionary() -> str:
    """Return every table and view with its columns as a Markdown page: ``docs/tables.md``."""
    parts = [_TABLES_PREFACE]
    for table in (*TABLES, *VIEWS):
        part = "date=YYYY-MM-DD/" if table.daily else "month=YYYY-MM/" if table.monthly else ""
        file = f"{'private' if table.private else 'lake'}/{table.name}/{part}part.parquet"
        where = "A view in the catalogue." if table in VIEWS else f"In `{file}`."
        parts.append(
            f"## `{table.name}`\n\n{table.description} One row: {table.grain.removeprefix('one row ')}. {where}\n"
        )
        parts.append("| column | type | meaning | made from |")
        parts.append("|---|---|---|---|")
        if table.daily:
            parts.append("| `date` | DATE | local day of the file, from its folder's name | |")
        parts += [f"| `{c.name}` | {c.type.value} | {c.description} | {_made_from(table, c)} |" for c in table.shown]
        parts.append("")
    return "\n".join(parts)


def _made_from(table: Table, column: Column) -> str:
    if column not in table.columns:
        return "looked up in `campaigns` as it is read"
    if column.field:
        return f"HeroBase: `{column.field}`"
    return ", ".join(f"`{made}`" for made in dict.fromkeys(made_from(table, column)))


PAGES = {"metrics": as_document, "tables": as_dictionary}

if __name__ == "__main__":  # python -m herobase_pipeline.tables.pages tables > docs/tables.md
    sys.stdout.write(PAGES[sys.argv[1]]())
