"""The last week of some units beside the four weeks before it, with intervals: whether a change is more than chance."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

from herobase_pipeline.reading.days import DAYS
from herobase_pipeline.reading.errors import NoRowsWarning, NotLoadedWarning
from herobase_pipeline.reading.rates import metrics
from herobase_pipeline.reading.reader import read
from herobase_pipeline.reading.weeks import last_weeks

if TYPE_CHECKING:
    import pandas as pd

LAST, BEFORE = "last week", "the four weeks before"
"""The two spans of time."""


def beside_before(
    table: str, metric: str, unit: str, *, with_leads: bool, data_dir: str | Path | None = None
) -> "pd.DataFrame":
    """Return a metric of a unit with all below it, of the last week that is over and of the four before it.

    Args:
        table: by org node, such as ``call_outcomes``.
        metric: a metric of it.
        unit: its code or name, as for ``read``.
        with_leads: as for ``last_weeks``.
        data_dir: as for ``read``.

    Returns:
        ``unit`` as it was asked for, ``span`` (``LAST``, then ``BEFORE``), and the columns of ``metrics``. A span without rows
        has no rate.

    Raises:
        NotLoadedError: no day is loaded in full.
        NoSuchNameError: there is no such unit.

    """
    import pandas as pd

    weeks = last_weeks(5, with_leads=with_leads, data_dir=data_dir)
    monday = pd.Timestamp(weeks.last) - pd.Timedelta(days=6)
    with warnings.catch_warnings():
        for told in (NotLoadedWarning, NoRowsWarning):  # the rows say whether all of it is loaded
            warnings.simplefilter("ignore", told)
        rows = cast("pd.DataFrame", read(table, weeks.first, weeks.last, org=unit, level="leaf", data_dir=data_dir))
        day = next(name for name in DAYS if name in rows)
        rows = rows[~rows[day].dt.date.isin(weeks.not_whole)]  # closings of other days are known by chance
        parts = [
            metrics(some, metric).assign(span=span)
            for span, some in ((LAST, rows[rows[day] >= monday]), (BEFORE, rows[rows[day] < monday]))
        ]
    found = pd.concat(parts, ignore_index=True)
    found.insert(0, "unit", unit)
    return found


def in_words(now: "pd.Series[float]", before: "pd.Series[float]") -> str:
    """Return in a sentence's part what a unit's rate is and was, and whether they differ by more than chance.

    Args:
        now: its row of the last week, with a share.
        before: its row of the weeks before.

    """
    told = f"{_share(now)}; {BEFORE} {_share(before)}"
    if now["ci_low"] > before["ci_high"]:
        return f"{told}: more"
    if now["ci_high"] < before["ci_low"]:
        return f"{told}: less"
    return told


def _share(row: "pd.Series[float]") -> str:
    if row.isna()["rate"]:
        return f"none ({row['reason'] or 'no rows'})"
    young = "" if row["is_mature"] else ", not final"
    return f"{row['rate']:.1%} ({row['ci_low']:.1%} to {row['ci_high']:.1%}{young})"
