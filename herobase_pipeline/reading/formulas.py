"""Rates as formulas of a spreadsheet: which counts a metric of the registry is made of, and how they are divided.

No metric is defined here: its SQL is asked what one of each count does to its numerator and denominator, which are sums.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xlsxwriter.utility import xl_rowcol_to_cell

from herobase_pipeline.lake.engine import bare, literal, quoted
from herobase_pipeline.tables import Table
from herobase_pipeline.tables.metrics import Metric

Z = "z_95"
"""The name that a workbook has for the normal distribution's 97.5 %, by which Wilson's interval is made."""
Z_IS = 1.959963984540054
Parts = Mapping[int, int]
"""Of which columns something is the sum, each with how often it counts: 1, or -1 for what is taken off."""


class Count(NamedTuple):
    """A column of counts.

    Attributes:
        measure: the column of the table that is added up.
        category: the end cause or closure whose rows are counted; ``OTHER`` for those that are not documented.
        title: its heading.

    """

    measure: str
    category: str
    title: str


OTHER = "(other)"


def parts(sql: str, table: Table, by: str, counts: Sequence[Count], first: int) -> Parts:
    """Return of which counts a numerator or denominator is the sum.

    Args:
        sql: as the registry has it.
        table: whose counts they are.
        by: the column of the categories.
        counts: the columns of counts.
        first: the number of the first of their columns.

    """
    measures = [column.name for column in table if column.additive]
    with bare() as con:
        rows = " UNION ALL ".join(
            f"SELECT {column} AS id, {literal(count.category)} AS {quoted(by)}, "
            + ", ".join(f"{int(name == count.measure)} AS {quoted(name)}" for name in measures)
            for column, count in enumerate(counts, first)
        )
        found = con.execute(f"SELECT id, coalesce({sql}, 0)::INTEGER AS times FROM ({rows}) GROUP BY id ORDER BY id")
        return {column: times for column, times in found.fetchall() if times}


def parts_of(metric: Metric, table: Table, by: str, counts: Sequence[Count], first: int) -> tuple[Parts, Parts]:
    """Return of which counts a metric's numerator and denominator are the sums."""
    return parts(metric.numerator, table, by, counts, first), parts(metric.denominator, table, by, counts, first)


def total(parts: Parts, row: int) -> str:
    """Return the formula of a sum of some columns of a row."""
    signed = "".join(f"{'+' if times > 0 else '-'}{xl_rowcol_to_cell(row, column)}" for column, times in parts.items())
    return f"={signed.removeprefix('+')}"


def rate(numerator: int, denominator: int, row: int) -> str:
    """Return the formula of a rate from the columns of its two sums; empty where there is nothing to divide by."""
    k, n = (xl_rowcol_to_cell(row, column) for column in (numerator, denominator))
    return f'=IF({n}>0,{k}/{n},"")'


def wilson(numerator: int, denominator: int, row: int, sign: str) -> str:
    """Return the formula of an end of the interval of Wilson (1927): the lower one for ``-``, the upper one for ``+``."""
    k, n = (xl_rowcol_to_cell(row, column) for column in (numerator, denominator))
    inside = f"({k}+{Z}^2/2{sign}{Z}*SQRT({k}*({n}-{k})/{n}+{Z}^2/4))/({n}+{Z}^2)"
    return f'=IF({n}>0,{inside},"")'
