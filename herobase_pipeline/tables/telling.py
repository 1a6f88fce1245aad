"""What people are told of the metrics, in the UI and in the docs."""

import sys

from herobase_pipeline.tables.metrics import BASES
from herobase_pipeline.tables.rates import registry

_PREFACE = """# The metrics

Each is two counts or lengths that are divided last: sum numerators and denominators over days or campaigns, within one level of
the hierarchy (and at one age), and divide then; never add or average rates. Shares have a Wilson interval (95 %). A rate over an
empty denominator is NULL. `is_mature` says whether all that a rate is made of is over, loaded and settled; rates of
`cohort_rates` are NULL until then.

This page is made from the registry: `.venv/bin/python -m herobase_pipeline.tables.telling > docs/metrics.md`
"""


def as_list(found_in: str) -> str:
    """Return the metrics of a table or view as a Markdown list, for the UI."""
    return "\n".join(
        f"- **{row['metric']}** ({row['unit']}): {row['numerator']} / {row['denominator']}. {row['caveat']}".rstrip()
        for row in registry()
        if row["found_in"] == found_in
    )


def as_document() -> str:
    """Return the registry as a Markdown page: ``docs/metrics.md``."""
    parts = [_PREFACE]
    for found_in in dict.fromkeys(basis.found_in for basis in BASES):
        rows = [row for row in registry() if row["found_in"] == found_in]
        parts.append(f"## `{found_in}`\n")
        parts.append("| metric | numerator | denominator | in | counted on | know before you quote it |")
        parts.append("|---|---|---|---|---|---|")
        told = ("numerator", "denominator", "unit", "date_basis", "caveat")
        parts += [f"| `{row['metric']}` | " + " | ".join(str(row[name]) for name in told) + " |" for row in rows]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":  # python -m herobase_pipeline.tables.telling > docs/metrics.md
    sys.stdout.write(as_document())
