"""For notebooks: rates of any frame of counts, rolled up by any of its columns. Counts are summed first and divided last."""

import datetime as dt
import warnings
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from herobase_pipeline.lake.catalogue import INTERVAL, selection
from herobase_pipeline.lake.engine import bare, literal, quoted
from herobase_pipeline.partitions import in_words
from herobase_pipeline.reading.days import BY_NAME, DAYS, SITE, Read, recall
from herobase_pipeline.reading.errors import NotLoadedWarning
from herobase_pipeline.reading.lakes import lakes_of
from herobase_pipeline.spelling import meant
from herobase_pipeline.tables import LOADED_DAYS
from herobase_pipeline.tables.lineage import columns_in
from herobase_pipeline.tables.metrics import BY_AGENT, METRICS, Metric, Unit
from herobase_pipeline.tables.rates import NOT_LOADED, reason, told, where_nothing_is_lacking, with_what_is_lacking

if TYPE_CHECKING:
    import pandas as pd

_SPANS = ("week", "month", "quarter", "year")
LOADED = "herobase_loaded"
"""Where a frame of rates remembers, by site, how many days of each day, week, month and so on are loaded, and how many it has."""
_OF_LEADS = ("by_closing_call", "by_last_contact", "by_lead_user", "by_system", "outbound", "is_mature")
# what a count must not be summed over, and why
_ONE_OF = {
    "org_level": "every call and lead counts once at each level of the hierarchy. Choose one level, as by read(..., level=2), "
    'or read pandas at level="leaf", or group by org_level',
    "age_days": "each age of a cohort holds the counts of the younger ones. Choose one age, or group by age_days",
    "regime": "each rule counts the same calls in windows of its own. Choose one, or group by regime",
}


class NotAMetricError(LookupError):
    """There is no metric of that name; the message says which are meant perhaps."""


class NotAddableError(ValueError):
    """What was asked for would count something twice, or average rates; the message says what to do instead (trap T30)."""


def metrics(
    frame: Any, metric: str, by: str | Sequence[str] = (), *, data_dir: str | Path | None = None
) -> "pd.DataFrame":
    """Return a metric of a frame, rolled up by some of its columns.

    Days of which a side of the rate is not loaded are in neither its numerator nor its denominator.

    Args:
        frame: rows of the table that the metric is made from (``call_outcomes``, ``call_hours``, ``agent_days``,
            ``lead_conversion``, ``lead_cohorts``), or of the view that gives it (``outcome_rates`` and so on); pandas, polars
            or Arrow. Of rates of closed leads also rows of ``leads``, joined with anything that is known of a lead, such as
            its declared fields.
        metric: its name; ``SELECT * FROM metrics`` says what each is.
        by: columns to group by, and ``week``, ``month``, ``quarter`` or ``year`` of the frame's day.
        data_dir: the lake, or the folder of the sites' lakes, that says which days are loaded; by default where the frame was
            read from. A frame of polars or Arrow does not remember it: without ``data_dir`` a day without a row is taken for
            not loaded.

    Returns:
        ``by``, ``metric``, ``category`` (of a mix), ``numerator``, ``denominator``, ``rate`` (NULL over an empty denominator),
        ``ci_low`` and ``ci_high`` (Wilson, 95 %; NULL where the rate is no share), ``is_mature`` (all rows are, and all days of
        the week, month and so on, or else of the days that were read, are over and loaded), ``metric_version`` and ``reason``:
        why there is no rate.

    Raises:
        NotAMetricError: there is no such metric.
        NotAddableError: rows would count twice, or the frame has rates without their counts.
        KeyError: the frame lacks a column.
        TypeError: it is no frame.

    Warns:
        NotLoadedWarning: days are left out, as a side of the rate is not loaded.

    """
    keys = [by] if isinstance(by, str) else list(by)
    known = _known(metric)
    remembered = recall(frame)
    reads = remembered
    with bare() as con:
        con.execute(INTERVAL)
        try:
            con.register("frame", frame)
        except (TypeError, duckdb.InvalidInputException):
            raise TypeError(
                f"A frame of pandas, polars or Arrow is needed, and this is a {type(frame).__name__}."
            ) from None
        are_leads = _define_given(con, is_remembered=bool(remembered) or data_dir is not None)
        columns = [name for (name, *_) in con.execute("DESCRIBE given").fetchall()]
        found = _of_these(known, columns)
        if data_dir is not None:
            reads = {site: Read(lake, BY_NAME[found.basis.found_in]) for site, lake in lakes_of(data_dir).items()}
        reads = _of_the_frame(con, reads, columns)
        grouped = [f"{_key(key, columns)} AS {quoted(key)}" for key in keys]
        day = _day_in(columns) or ""
        rows = _of_the_metric(con, found, columns)
        once = {"org_level"} if are_leads or any(read.is_of_leaves for read in remembered.values()) else set()
        _require_addable(con, found, columns, grouped, once)
        rows = _with_what_is_lacking(con, found, rows, columns, reads)
        counts, whole = _counts(found, rows, columns, grouped), "true"
        if day and day not in keys:
            counts, whole = _with_whole_spans(con, counts, reads, day, keys), "is_whole"
        rate = f"SELECT *, {reason(found.basis)} AS reason FROM ({counts})"
        is_share = f"reason IS NULL AND {found.unit is Unit.SHARE}"
        rates: pd.DataFrame = con.execute(f"""
            SELECT
                {"".join(f"{quoted(key)}, " for key in keys)}
                metric, category::VARCHAR AS category, numerator, denominator,
                CASE WHEN reason IS NULL THEN numerator / denominator END AS rate,
                CASE WHEN {is_share} THEN wilson(numerator, denominator, -1) END AS ci_low,
                CASE WHEN {is_share} THEN wilson(numerator, denominator, 1) END AS ci_high,
                if(is_mature, {whole}, is_mature) AS is_mature, metric_version, reason
            FROM ({rate})
            ORDER BY ALL
        """).df()
        loaded = _loaded(con, [key for key in keys if key in _SPANS and key not in columns])
        if day in keys and len(reads) == 1:
            loaded = _loaded_days(con, day, *reads.values())
        if loaded:
            rates.attrs[LOADED] = loaded
        return rates


def _of_the_frame(con: duckdb.DuckDBPyConnection, reads: Mapping[str, Read], columns: Sequence[str]) -> dict[str, Read]:
    """Return how the frame's rows were read: of several sites those that were not left out since."""
    if len(reads) < 2:
        return dict(reads)
    if SITE not in columns:
        raise NotAddableError(
            "The frame lacks site, without which nobody can tell of which days its rows know all. Keep the column."
        )
    there = {site for (site,) in con.execute(f"SELECT DISTINCT {SITE} FROM given").fetchall()}
    # what had no row when it was read was not loaded, or quiet; what has none any more was left out by somebody
    return {site: read for site, read in reads.items() if site in there or read.rows_first is None}


def _known(metric: str) -> list[Metric]:
    """Return the metrics of that name: the one that is declared first, then the same of other counts."""
    found = [known for known in (*METRICS, *BY_AGENT) if known.name == metric]
    if not found:
        raise NotAMetricError(f"There is no metric {metric}. {meant(metric, [known.name for known in METRICS])}")
    return found


def _define_given(con: duckdb.DuckDBPyConnection, *, is_remembered: bool) -> bool:
    """Make ``given``, the rows of the frame; a lead's row is one of lead_conversion then. Returns whether they are leads.

    Whether a lead's row is mature is known by its day alone, so of a frame that does not remember its lake nobody knows.
    """
    columns = {name for (name, *_) in con.execute("DESCRIBE frame").fetchall()}
    if not {"closed_at", "closure", "attribution"} <= columns or "leads" in columns:
        con.execute("CREATE TEMP VIEW given AS FROM frame")
        return False
    if own := sorted(columns & set(_OF_LEADS)):
        raise NotAddableError(f"The leads have columns of yours named {', '.join(own)}, as counts are: rename them.")
    if "lead_id" in columns:
        ((twice,),) = con.execute("SELECT count(lead_id) - count(DISTINCT lead_id) FROM frame").fetchall()
        if twice:
            raise NotAddableError(
                f"{twice} rows are of a lead that the frame has already: join what has one row a lead."
            )
    counts = ["1 AS leads", f"{'true' if is_remembered else 'NULL::BOOLEAN'} AS is_mature"]
    counts += [
        f"(attribution = '{how}')::INT AS by_{how}" for how in ("closing_call", "last_contact", "lead_user", "system")
    ]
    left_out = ["attempts"] if "attempts" in columns else []
    if "credited_incoming" in columns:
        counts.append("coalesce(NOT credited_incoming, false)::INT AS outbound")
        counts += ["if(outbound = 1, attempts_to_close, 0) AS attempts"] if "attempts_to_close" in columns else []
    rows = f"* EXCLUDE ({', '.join(left_out)})" if left_out else "*"
    con.execute(f"CREATE TEMP VIEW given AS SELECT {rows}, {', '.join(counts)} FROM frame WHERE closed_at IS NOT NULL")
    return True


def _of_these(known: Sequence[Metric], columns: Sequence[str]) -> Metric:
    """Return the metric of the counts, or the view, that a frame has the columns of; of none, the one declared first."""
    if len(known) > 1 and "agent" in columns and not {"org_level", "leads"} & set(columns):
        return known[1]
    return known[0]


def _of_the_metric(con: duckdb.DuckDBPyConnection, metric: Metric, columns: Sequence[str]) -> str:
    """Return the SELECT of the rows that a metric can be made of: a view's rows of it, or those of the table behind it."""
    if _are_rates(columns):
        query = f"SELECT count(*), count(*) FILTER (metric = {literal(metric.name)}) FROM given"
        ((given, its),) = con.execute(query).fetchall()
        if given and not its:
            raise KeyError(f"The frame has no row of {metric.name}, which is in {metric.basis.found_in}.")
        return f"FROM given WHERE metric = {literal(metric.name)}"
    basis = metric.basis
    if "rate" in columns:
        raise NotAddableError(
            f"The frame has rates without what they are made of, and rates cannot be averaged. Keep numerator, denominator and "
            f"metric of {basis.found_in}."
        )
    if not basis.source.isidentifier():
        raise KeyError(f"{metric.name} is made from several tables: read {basis.found_in}, and give its rows.")
    parts = [metric.numerator, metric.denominator, *(condition for _, condition in metric.shares), "is_mature"]
    lacking = set(BY_NAME[basis.source].names) - set(columns)
    if lacking and (missing := [name for name in columns_in(*parts) if name in lacking]):
        raise KeyError(f"{metric.name} is made from {basis.source}: the frame lacks its {', '.join(missing)}.")
    return "FROM given"


def _are_rates(columns: Sequence[str]) -> bool:
    return {"metric", "numerator", "denominator"} <= set(columns)


def _with_what_is_lacking(
    con: duckdb.DuckDBPyConnection, metric: Metric, rows: str, columns: Sequence[str], reads: Mapping[str, Read]
) -> str:
    """Return the rows with ``lacking``: what is not loaded of their day, whose counts are NULL then; warn of such days."""
    day = metric.basis.day
    if _are_rates(columns):  # which know it themselves
        lacking = f"if(numerator IS NULL, regexp_replace(reason, '{NOT_LOADED}$', ''), NULL)"
        day, told = (
            next((name for name in DAYS if name in columns), ""),
            lacking if "reason" in columns else "NULL::VARCHAR",
        )
        told = f"SELECT *, {told} AS lacking FROM ({rows})"
    elif reads and metric.basis.lacking and day in columns:
        counted = [quoted(c.name) for c in BY_NAME[metric.basis.source] if c.additive and c.name in columns]
        known = where_nothing_is_lacking(*counted)
        parts = []
        for number, (site, read) in enumerate(reads.items()):
            loaded = f"loaded_days_{number}"
            con.execute(f"CREATE TEMP TABLE {loaded} AS {selection(read.lake, LOADED_DAYS)}")
            whose = f"WHERE {SITE} = {literal(site)}" if len(reads) > 1 else ""
            of_site = with_what_is_lacking(metric.basis, f"(SELECT * FROM ({rows}) {whose})", loaded)
            parts.append(f"SELECT * REPLACE ({known}) FROM {of_site}")
        told = " UNION ALL BY NAME ".join(parts)
    else:
        return f"SELECT *, NULL::VARCHAR AS lacking FROM ({rows})"
    if day:
        query = (
            f"SELECT DISTINCT {quoted(day)}::DATE AS day, lacking FROM ({told}) WHERE lacking IS NOT NULL ORDER BY ALL"
        )
        _warn(metric, con.execute(query).fetchall())
    return told


def _warn(metric: Metric, lacking: Sequence[tuple[dt.date, str]]) -> None:
    if lacking:
        what = " and ".join(dict.fromkeys(part for _, of_day in lacking for part in of_day.split(" and ")))
        warnings.warn(
            f"{metric.name}: {what} not loaded, or not counted since, for {in_words([day for day, _ in lacking])}: these days "
            "are in no rate.",
            NotLoadedWarning,
            stacklevel=4,
        )


def _counts(metric: Metric, rows: str, columns: Sequence[str], grouped: Sequence[str]) -> str:
    """Return the SELECT of numerator and denominator: of a view's rows added up, of a table's counted as the view does."""
    groups = "".join(f"{key}, " for key in grouped)
    if _are_rates(columns):
        return f"""
            SELECT {groups}metric, category, sum(numerator) AS numerator, sum(denominator) AS denominator,
                bool_and(is_mature) AS is_mature, max(metric_version) AS metric_version,
                if(bool_and(lacking IS NOT NULL), any_value(lacking), NULL) AS lacking
            FROM ({rows}) GROUP BY ALL
        """
    return f"""
        SELECT * REPLACE ({where_nothing_is_lacking("numerator", "denominator")})
        FROM (
            SELECT * EXCLUDE (told), unnest(told, max_depth := 2)
            FROM (
                SELECT {groups}bool_and(is_mature) AS is_mature,
                    if(bool_and(lacking IS NOT NULL), any_value(lacking), NULL) AS lacking,
                    [{", ".join(told(metric))}] AS told
                FROM ({rows}) GROUP BY ALL
            )
        )
    """


def _with_whole_spans(
    con: duckdb.DuckDBPyConnection, counts: str, reads: Mapping[str, Read], day: str, keys: Sequence[str]
) -> str:
    """Return the counts with ``is_whole``: whether each day of a group's week, month and so on is over and loaded.

    Without such a span it is that of all days that were read; of several sites, of all of them unless ``site`` is a key.
    """
    spans = {key: _key(key, [day]) for key in keys if key in _SPANS}
    if not (spans or reads):
        return f"SELECT *, true AS is_whole FROM ({counts})"
    found = {site: _told_days(con, day, read, site if len(reads) > 1 else "") for site, read in reads.items()}
    found = found or {"": _told_days(con, day, None, "")}
    by_site = SITE in keys and len(reads) > 1
    if not by_site:
        known, edges = zip(*found.values(), strict=True)
        found = {"": (set.intersection(*known), set().union(*edges))}
    parts = []
    for number, (site, (known_days, all_edges)) in enumerate(found.items()):
        if not all_edges:
            continue
        begin, end = asked = min(all_edges), max(all_edges)
        if spans:  # with all days of the first one and the last one
            begin, end = dt.date(begin.year - 1, 12, 1), dt.date(end.year + 1, 1, 31)
        con.execute(
            f"CREATE TEMP TABLE known_{number} AS SELECT unnest($days::DATE[]) AS day", {"days": sorted(known_days)}
        )
        parts.append(f"""
            SELECT {f"{literal(site)} AS {SITE}, " if by_site else ""}
                {"".join(f"{span} AS {quoted(key)}, " for key, span in spans.items())}
                bool_and({quoted(day)} IN (SELECT day FROM known_{number})) AS is_whole,
                count(*) FILTER ({quoted(day)} IN (SELECT day FROM known_{number})) AS days_loaded, count(*) AS days,
                bool_or({quoted(day)} BETWEEN DATE '{asked[0]}' AND DATE '{asked[1]}') AS is_asked_for
            FROM (SELECT unnest(range(DATE '{begin}', DATE '{end}' + 1, INTERVAL 1 DAY))::DATE AS {quoted(day)})
            GROUP BY ALL
        """)
    if not parts:
        return f"SELECT *, true AS is_whole FROM ({counts})"
    con.execute(f"CREATE TEMP TABLE spans AS {' UNION ALL '.join(parts)}")
    shared = [*([SITE] if by_site else []), *spans]
    joined = f"LEFT JOIN spans USING ({', '.join(map(quoted, shared))})" if shared else "CROSS JOIN spans"
    return f"SELECT counted.*, is_whole FROM ({counts}) AS counted {joined}"


def _loaded(con: duckdb.DuckDBPyConnection, spans: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """Return by site how many days of each week, month and so on of a frame are loaded, and how many it has.

    Nothing where the rates are by several such spans, or by none, or no day is told of. Of several sites together it is
    under an empty name.
    """
    if len(spans) != 1 or not con.execute("FROM duckdb_tables() WHERE table_name = 'spans'").fetchall():
        return {}
    sites = [name for (name,) in con.execute("SELECT column_name FROM (DESCRIBE spans)").fetchall() if name == SITE]
    whose = quoted(SITE) if sites else "''"
    query = f"SELECT {whose}, {quoted(spans[0])}::DATE, days_loaded, days FROM spans WHERE is_asked_for ORDER BY ALL"
    found: dict[str, dict[str, list[int]]] = {}
    for site, span, loaded, days in con.execute(query).fetchall():
        found.setdefault(site, {})[str(span)] = [loaded, days]
    return found


def _loaded_days(con: duckdb.DuckDBPyConnection, day: str, read: Read) -> dict[str, dict[str, list[int]]]:
    """Return of each day of a frame, from its first to its last, whether it is loaded, as ``_loaded`` does."""
    known, edges = _told_days(con, day, read, "")
    every = (min(edges) + dt.timedelta(days=n) for n in range((max(edges) - min(edges)).days + 1)) if edges else ()
    return {"": {str(of): [int(of in known), 1] for of in every}}


def _told_days(
    con: duckdb.DuckDBPyConnection, day: str, read: Read | None, site: str
) -> tuple[set[dt.date], set[dt.date]]:
    """Return the days of a frame, or of a site in it, that are over and loaded; and those between which they lie."""
    whose = f"WHERE {SITE} = {literal(site)}" if site else ""
    query = f"SELECT DISTINCT {quoted(day)}::DATE FROM given {whose} ORDER BY ALL"
    days = [of for (of,) in con.execute(query).fetchall() if of]
    first, last = read.span(days) if read else (None, None)
    known = {of for of in (read.known(con) if read else days) if (first or of) <= of <= (last or of)}
    return known, {of for of in (first, last, *known, *days) if of}


def _day_in(columns: Sequence[str]) -> str | None:
    """Return the day of a frame; that of leads is the one of their closing, whatever they are joined with."""
    if {"closed_at", "closed_date"} <= set(columns):
        return "closed_date"
    return next((name for name in DAYS if name in columns), None)


def _key(key: str, columns: Sequence[str]) -> str:
    """Return the SQL of a column to group by, or of a span of the frame's day."""
    if key in columns:
        return quoted(key)
    day = _day_in(columns)
    if key in _SPANS and day:
        return f"date_trunc('{key}', {quoted(day)}::DATE)"
    if key in _SPANS:
        raise KeyError(f"The frame has no column {key}, and no day to make a {key} of.")
    hint = " hb.labelled(frame) adds it." if key in ("unit", "campaign", "person") else ""
    raise KeyError(f"The frame has no column {key}. {meant(key, [*columns, *(_SPANS if day else ())])}{hint}")


def _require_addable(
    con: duckdb.DuckDBPyConnection, metric: Metric, columns: Sequence[str], grouped: Sequence[str], once: Set[str]
) -> None:
    """See to it that no group adds up what counts the same thing twice; over the columns of ``once`` nothing does."""
    where = f"WHERE metric = {literal(metric.name)}" if "metric" in columns else ""
    told = {name: quoted(name) for name in columns}
    if "org_key" in told and "org_level" in BY_NAME[metric.basis.found_in].names:  # says the level too
        told.setdefault("org_level", "if(org_key = '', 0, len(string_split(org_key, ' › ')))")
    for name, why in ((name, why) for name, why in _ONE_OF.items() if name not in once):
        if name not in told and name in BY_NAME[metric.basis.found_in].names:
            raise KeyError(f"The frame lacks {name}, without which nobody can tell whether rows count twice: {why}.")
        if name in told:
            groups = f"GROUP BY {', '.join(key.rpartition(' AS ')[0] for key in grouped)}" if grouped else ""
            found = f"SELECT count(DISTINCT {told[name]}) AS kinds FROM given {where} {groups}"
            ((kinds,),) = con.execute(f"SELECT max(kinds) FROM ({found})").fetchall()
            if kinds is not None and kinds > 1:
                raise NotAddableError(f"{metric.name} cannot be added up over several {name}: {why}.")
