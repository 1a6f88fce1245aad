"""Cumulative incidence for a notebook: by any columns, as the table ``cumulative_incidence`` is by week and campaign."""

from collections.abc import Sequence
from importlib.resources import files

import duckdb
import pandas as pd

from herobase_pipeline.lake.engine import quoted

LEAST_AT_RISK = 10
"""Below so many leads at risk a curve is too unsure to be drawn."""


def cumulative_incidence(
    leads: pd.DataFrame, by: Sequence[str] = (), *, least_at_risk: int = LEAST_AT_RISK
) -> pd.DataFrame:
    """Return the share of leads that ends in success by each age, and in another closure (Aalen-Johansen).

    Leads that are still open count as long as they are known, so a young cohort neither looks worse nor faster than an old
    one (trap T36; reference, domain.md section 4).

    Args:
        leads: rows of the table ``leads``, with its columns ``cohort_date``, ``closed_date``, ``closure`` and
            ``known_through``. Those without a dial, or not known on the day of it, are left out.
        by: columns to draw a curve each for; one curve of all by default.
        least_at_risk: a curve ends where fewer leads are at risk.

    Returns:
        ``by``, ``age_days`` (local days since the first dial), ``at_risk``, ``successes``, ``other_closed``, ``censored`` (at
        this age), ``success_incidence`` with ``success_ci_low`` and ``success_ci_high`` (95 %, Wilson on the effective
        sample), ``other_incidence`` and ``still_open`` (shares, which add up to 1).

    Raises:
        KeyError: a column is missing.

    """
    needed = [*by, "cohort_date", "closed_date", "closure", "known_through"]
    if missing := [name for name in needed if name not in leads.columns]:
        raise KeyError(f"cumulative_incidence needs the columns {', '.join(missing)} of the table leads")
    fields = ", ".join(f"'by{n}': by{n}" for n in range(len(by))) or "'all': 1"
    named = "".join(f"cohort.by{n} AS {quoted(name)}, " for n, name in enumerate(by))
    with duckdb.connect() as con:
        for name in ("interval.sql", "counting.sql"):
            con.execute(files("herobase_pipeline.tables").joinpath(name).read_text(encoding="utf-8"))
        # under names of our own, as a column of the caller's may be called like one of the SQL's
        known = leads[needed[len(by) :]]
        con.register("leads", known.assign(**{f"by{n}": leads[name] for n, name in enumerate(by)}))
        return con.execute(
            f"""
            WITH cohorts AS (SELECT {{{fields}}} AS cohort, age, cause FROM lives('leads'))
            SELECT {named}* EXCLUDE (cohort, effective)
            FROM incidence('cohorts')
            WHERE at_risk >= $least
            ORDER BY ALL
            """,
            {"least": least_at_risk},
        ).df()
