"""For notebooks: rates of any frame of counts, rolled up by any of its columns. Counts are summed first and divided last."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from herobase_pipeline.lake.catalogue import INTERVAL
from herobase_pipeline.lake.engine import literal, quoted
from herobase_pipeline.spelling import meant
from herobase_pipeline.tables import TABLES, VIEWS
from herobase_pipeline.tables.lineage import columns_in
from herobase_pipeline.tables.metrics import METRICS, Metric, Unit
from herobase_pipeline.tables.rates import told

if TYPE_CHECKING:
    import pandas as pd

_OF = {table.name: table.names for table in (*TABLES, *VIEWS)}
_SPANS = ("week", "month", "quarter", "year")
_DAYS = ("date", "closed_date", "cohort_date", "uploaded_date")
# what a count must not be summed over, and why
_ONE_OF = {
    "org_level": "every call and lead counts once at each level of the hierarchy. Choose one level, as by read(..., level=2), "
    "or group by org_level",
    "age_days": "each age of a cohort holds the counts of the younger ones. Choose one age, or group by age_days",
    "regime": "each rule counts the same calls in windows of its own. Choose one, or group by regime",
}


class NotAMetricError(LookupError):
    """There is no metric of that name; the message says which are meant perhaps."""


class NotAddableError(ValueError):
    """What was asked for would count something twice, or average rates; the message says what to do instead (trap T30)."""


def metrics(frame: Any, metric: str, by: str | Sequence[str] = ()) -> "pd.DataFrame":
    """Return a metric of a frame, rolled up by some of its columns.

    Args:
        frame: rows of the table that the metric is made from (``call_outcomes``, ``lead_conversion``, ``lead_cohorts``), or of
            the view that gives it (``outcome_rates`` and so on); pandas, polars or Arrow.
        metric: its name; ``SELECT * FROM metrics`` says what each is.
        by: columns to group by, and ``week``, ``month``, ``quarter`` or ``year`` of the frame's day.

    Returns:
        ``by``, ``metric``, ``category`` (of a mix), ``numerator``, ``denominator``, ``rate`` (NULL over an empty denominator),
        ``ci_low`` and ``ci_high`` (Wilson, 95 %; NULL where the rate is no share), ``is_mature`` (all rows are), and
        ``metric_version``.

    Raises:
        NotAMetricError: there is no such metric.
        NotAddableError: rows would count twice, or the frame has rates without their counts.
        KeyError: the frame lacks a column.
        TypeError: it is no frame.

    """
    keys = [by] if isinstance(by, str) else list(by)
    found = _found(metric)
    with duckdb.connect() as con:
        con.execute(INTERVAL)
        try:
            con.register("given", frame)
        except (TypeError, duckdb.InvalidInputException):
            raise TypeError(
                f"A frame of pandas, polars or Arrow is needed, and this is a {type(frame).__name__}."
            ) from None
        columns = [name for (name, *_) in con.execute("DESCRIBE given").fetchall()]
        grouped = [f"{_key(key, columns)} AS {quoted(key)}" for key in keys]
        counts = _counts(con, found, columns, grouped)
        _require_addable(con, found, columns, grouped)
        known = "denominator > 0 AND is_mature" if found.basis.blank_until_mature else "denominator > 0"
        is_share = f"{known} AND {found.unit is Unit.SHARE}"
        return con.execute(f"""
            SELECT
                {"".join(f"{quoted(key)}, " for key in keys)}
                metric, category::VARCHAR AS category, numerator, denominator,
                CASE WHEN {known} THEN numerator / denominator END AS rate,
                CASE WHEN {is_share} THEN wilson(numerator, denominator, -1) END AS ci_low,
                CASE WHEN {is_share} THEN wilson(numerator, denominator, 1) END AS ci_high,
                is_mature, metric_version
            FROM ({counts})
            ORDER BY ALL
        """).df()


def _found(metric: str) -> Metric:
    names = [known.name for known in METRICS]
    if metric not in names:
        raise NotAMetricError(f"There is no metric {metric}. {meant(metric, names)}")
    return METRICS[names.index(metric)]


def _counts(con: duckdb.DuckDBPyConnection, metric: Metric, columns: Sequence[str], grouped: Sequence[str]) -> str:
    """Return the SELECT of numerator and denominator: of a view's rows added up, of a table's counted as the view does."""
    groups = "".join(f"{key}, " for key in grouped)
    if {"metric", "numerator", "denominator"} <= set(columns):
        ((given, its),) = con.execute(
            f"SELECT count(*), count(*) FILTER (metric = {literal(metric.name)}) FROM given"
        ).fetchall()
        if given and not its:
            raise KeyError(f"The frame has no row of {metric.name}, which is in {metric.basis.found_in}.")
        return f"""
            SELECT {groups}metric, category, sum(numerator) AS numerator, sum(denominator) AS denominator,
                bool_and(is_mature) AS is_mature, max(metric_version) AS metric_version
            FROM given WHERE metric = {literal(metric.name)} GROUP BY ALL
        """
    basis = metric.basis
    if "rate" in columns:
        raise NotAddableError(
            f"The frame has rates without what they are made of, and rates cannot be averaged. Keep numerator, denominator and "
            f"metric of {basis.found_in}."
        )
    if not basis.source.isidentifier():
        raise KeyError(f"{metric.name} is made from several tables: read {basis.found_in}, and give its rows.")
    parts = [metric.numerator, metric.denominator, *(condition for _, condition in metric.shares), "is_mature"]
    lacking = set(_OF[basis.source]) - set(columns)
    if lacking and (missing := [name for name in columns_in(*parts) if name in lacking]):
        raise KeyError(f"{metric.name} is made from {basis.source}: the frame lacks its {', '.join(missing)}.")
    rows = ", ".join(told(metric))
    return f"""
        SELECT * EXCLUDE (told), unnest(told, max_depth := 2)
        FROM (SELECT {groups}bool_and(is_mature) AS is_mature, [{rows}] AS told FROM given GROUP BY ALL)
    """


def _key(key: str, columns: Sequence[str]) -> str:
    """Return the SQL of a column to group by, or of a span of the frame's day."""
    if key in columns:
        return quoted(key)
    day = next((name for name in _DAYS if name in columns), None)
    if key in _SPANS and day:
        return f"date_trunc('{key}', {quoted(day)}::DATE)"
    raise KeyError(f"The frame has no column {key}" + (f", and no day to make a {key} of." if key in _SPANS else "."))


def _require_addable(
    con: duckdb.DuckDBPyConnection, metric: Metric, columns: Sequence[str], grouped: Sequence[str]
) -> None:
    """See to it that no group adds up what counts the same thing twice."""
    where = f"WHERE metric = {literal(metric.name)}" if "metric" in columns else ""
    told = {name: quoted(name) for name in columns}
    if "org_key" in told:  # says the level too
        told.setdefault("org_level", "if(org_key = '', 0, len(string_split(org_key, ' › ')))")
    for name, why in _ONE_OF.items():
        if name not in told and name in _OF[metric.basis.found_in]:
            raise KeyError(f"The frame lacks {name}, without which nobody can tell whether rows count twice: {why}.")
        if name in told:
            groups = f"GROUP BY {', '.join(key.rpartition(' AS ')[0] for key in grouped)}" if grouped else ""
            found = f"SELECT count(DISTINCT {told[name]}) AS kinds FROM given {where} {groups}"
            ((kinds,),) = con.execute(f"SELECT max(kinds) FROM ({found})").fetchall()
            if kinds is not None and kinds > 1:
                raise NotAddableError(f"{metric.name} cannot be added up over several {name}: {why}.")
