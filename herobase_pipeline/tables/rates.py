"""The views of rates and the table of metrics, both made from the registry."""

from collections.abc import Iterator

from herobase_pipeline.tables.agents import AGENT_DAYS
from herobase_pipeline.tables.metrics import (
    AGENTS,
    BASES,
    CALLS,
    CLOSINGS,
    COHORTS,
    METRICS,
    POOLS,
    YIELD,
    Basis,
    Metric,
    Unit,
    found_in,
    metrics_of,
)
from herobase_pipeline.tables.outcomes import org_node
from herobase_pipeline.tables.schema import Column, Table, Type, of

_RATE = (
    Column("metric", Type.TEXT, "name of the metric; what it is stands in metrics"),
    Column("category", Type.TEXT, "the end cause or closure whose share it is; NULL for a metric without"),
    Column("numerator", Type.NUMBER, "what is counted; NULL where a part of it is not loaded"),
    Column("denominator", Type.NUMBER, "what it is divided by; NULL where a part of the rate is not loaded"),
    Column("rate", Type.NUMBER, "numerator / denominator; NULL over an empty denominator, and where reason says so"),
    Column("ci_low", Type.SHARE, "lower end of the Wilson interval, 95 %; NULL where the rate is no share"),
    Column("ci_high", Type.SHARE, "upper end"),
    Column("is_mature", Type.FLAG, "all that the rate is made of is over, loaded and settled"),
    Column("metric_version", Type.COUNT, "version of the metric's definition"),  # trap T40
    Column("reason", Type.TEXT, "why there is no rate; NULL where there is one"),
)
NOTHING_COUNTED, TOO_YOUNG, NOT_LOADED = "nothing counted", "too young, or not all days loaded", " not loaded"
"""Reasons for a rate of NULL; before the last stands what is not loaded."""
_CAMPAIGN = Column("campaign_id", Type.TEXT, "the campaign; NULL for none")
# a node that two tables spell differently on a day is shown in one of the spellings
NODE_NAMES = {
    "org_path": "max(org_path)",
    "org_key": "arg_max(org_key, org_path)",
    "org_code": "max(org_path)[-1]",
    "org_name": "max(org_name)",
}


def _view(name: str, description: str, grain: str, keys: tuple[Column, ...]) -> Table:
    bases = [basis for basis in BASES if basis.found_in == name]
    columns = (*keys, *_RATE)
    sources = ["day", *(column.name for column in columns[1:])]
    named = ", ".join(f"{source}::{c.type} AS {c.name}" for source, c in zip(sources, columns, strict=True))
    rates = "\nUNION ALL BY NAME\n".join(_rates(basis) for basis in bases)
    return Table(name, description, grain, columns, view=f"SELECT {named} FROM (\n{rates}\n)")


def _rates(basis: Basis) -> str:
    """Return the SELECT of a basis' rates: counted once for all of them, then divided."""
    keys = {"day": basis.day, **basis.keys}
    names = NODE_NAMES if "node" in keys else {}
    shown = ", ".join(f"{sql} AS {name}" for name, sql in {**keys, **names, "is_mature": "bool_and(is_mature)"}.items())
    rows = ",\n    ".join(row for metric in metrics_of(basis) for row in told(metric))
    source, lacking = basis.source, "NULL::VARCHAR"
    if basis.lacking:
        source, lacking = with_what_is_lacking(basis), "any_value(lacking)"
    counts = f"SELECT {shown}, {lacking} AS lacking, [\n    {rows}\n] AS told FROM {source} GROUP BY {', '.join(keys.values())}"
    ends = ", ".join(
        f"CASE WHEN is_share AND reason IS NULL THEN wilson(numerator, denominator, {sign}) END AS ci_{end}"
        for end, sign in (("low", -1), ("high", 1))
    )
    each = f"SELECT * EXCLUDE (told), unnest(told, max_depth := 2) FROM ({counts})"
    if basis.lacking:
        each = f"SELECT * REPLACE ({where_nothing_is_lacking('numerator', 'denominator')}) FROM ({each})"
    return (
        f"SELECT *, {reason(basis)} AS reason, CASE WHEN reason IS NULL THEN numerator / denominator END AS rate, {ends} "
        f"FROM ({each})"
    )


def with_what_is_lacking(basis: Basis, counted: str = "", loaded: str = "loaded_days") -> str:
    """Return the SQL of a basis' counts, or of others of its days, with ``lacking``: what of their day is not loaded."""
    return f"""(
    SELECT counted.*, {basis.lacking} AS lacking
    FROM {counted or basis.source} AS counted
    LEFT JOIN (SELECT day AS loaded_day, * EXCLUDE (day) FROM {loaded}) ON loaded_day = {basis.day}
)"""


def where_nothing_is_lacking(*columns: str) -> str:
    """Return the SQL of columns that are NULL in rows with something ``lacking``; without ``if()``, for the catalogue."""
    return ", ".join(f"CASE WHEN lacking IS NULL THEN {column} END AS {column}" for column in columns)


def reason(basis: Basis) -> str:
    """Return the SQL of why there is no rate, over ``lacking``, ``denominator`` and ``is_mature``; NULL where there is one."""
    too_young = f"WHEN NOT is_mature THEN '{TOO_YOUNG}' " if basis.blank_until_mature else ""
    return (
        f"CASE WHEN lacking IS NOT NULL THEN lacking || '{NOT_LOADED}' "
        f"WHEN coalesce(denominator, 0) <= 0 THEN '{NOTHING_COUNTED}' {too_young}END"
    )


def told(metric: Metric) -> Iterator[str]:
    """Yield a row of numerator and denominator, for a mix one a category."""
    for category, condition in metric.shares or (("", ""),):
        named = f"'{category}'" if category else "NULL"
        numerator = f"{metric.numerator} FILTER ({condition})" if condition else metric.numerator
        yield (
            f"{{'metric': '{metric.name}', 'category': {named}::VARCHAR, "
            f"'numerator': coalesce({numerator}, 0)::DOUBLE, 'denominator': coalesce({metric.denominator}, 0)::DOUBLE, "
            f"'is_share': {metric.unit is Unit.SHARE}, 'metric_version': {metric.version}}}"
        )


OUTCOME_RATES = _view(
    "outcome_rates",
    "Rates of calls, per day, org node at call time and campaign.",
    "one row a day, org node, campaign, metric and category",
    (Column("date", Type.DAY, CALLS.of_day), *org_node(), _CAMPAIGN),
)
HOUR_RATES = _view(
    "hour_rates",
    "Rates of calls by the local hour in which they began, per day, org node at call time and campaign: the metrics of "
    "outcome_rates.",
    "one row a day, hour, org node, campaign, metric and category",
    (
        Column("date", Type.DAY, CALLS.of_day),
        *org_node(),
        _CAMPAIGN,
        Column("hour", Type.COUNT, "hour of the local day, 0 to 23"),
    ),
)
CONVERSION_RATES = _view(
    "conversion_rates",
    "Rates of closed leads, per day, org node of the credited call and campaign.",
    "one row a day, org node, campaign, metric and category",
    (Column("date", Type.DAY, f"{CLOSINGS.of_day}; of rates per call: {YIELD.of_day}"), *org_node(), _CAMPAIGN),
)
AGENT_RATES = _view(
    "agent_rates",
    "Rates of what each agent did, per day, org unit of the call and campaign. Of few calls a rate says little: hb.ranking "
    "takes that into account.",
    "one row a day, agent, org path, campaign and metric",
    (
        Column("date", Type.DAY, AGENTS.of_day),
        *(
            Column(c.name, c.type, c.description)
            for c in AGENT_DAYS
            if c.name in AGENTS.keys and c.name != "campaign_id"
        ),
        _CAMPAIGN,
    ),
)
COHORT_RATES = _view(
    "cohort_rates",
    "Rates of the leads first dialled on a day, at each age, per org node and campaign of that dial. NULL until the cohort "
    "is old enough, as it would look low only for being young.",  # trap T36
    "one row a first-dial day, org node, campaign, age and metric",
    (
        Column("cohort_date", Type.DAY, COHORTS.of_day),
        *org_node(),
        _CAMPAIGN,
        Column("age_days", Type.COUNT, "local days since the first dial"),
    ),
)
POOL_RATES = _view(
    "pool_rates",
    "How far the leads uploaded on a day are used up, per campaign, as of the last run.",
    "one row an upload day, campaign and metric",
    (Column("uploaded_date", Type.DAY, POOLS.of_day), _CAMPAIGN),
)
# what each file says of its days
_OUTCOMES_DAY = of("call_outcomes", "date")
_CLOSINGS_DAY = of("lead_conversion", "closed_date")
KNOWN_DAYS = Table(
    name="known_days",
    description="The days that were over when they were pulled and counted: where no row is a quiet day, and no gap.",
    grain="one row a day",
    columns=(
        Column("day", Type.DAY, "the local day", made_from=_OUTCOMES_DAY + _CLOSINGS_DAY),
        Column("outcomes_known", Type.FLAG, "call_outcomes has counted all its calls", made_from=_OUTCOMES_DAY),
        Column("closings_known", Type.FLAG, "lead_conversion knows all its closings", made_from=_CLOSINGS_DAY),
    ),
)
LOADED_DAYS = Table(
    name="loaded_days",
    description="Which days are loaded, whole or in part, and counted: what a rate of the day can be made of. Today is one of "
    "them while it runs; known_days has those that were over.",
    grain="one row a day",
    columns=(
        Column("day", Type.DAY, "the local day", made_from=_OUTCOMES_DAY + _CLOSINGS_DAY),
        Column("outcomes_loaded", Type.FLAG, "call_outcomes has counted its calls", made_from=_OUTCOMES_DAY),
        Column(
            "closings_loaded", Type.FLAG, "lead_conversion was made with its calls and leads", made_from=_CLOSINGS_DAY
        ),
        Column(
            "lacking",
            Type.TEXT,
            "what closings_loaded lacks: calls or leads; NULL if nothing",
            made_from=_OUTCOMES_DAY + _CLOSINGS_DAY,
        ),
    ),
)
METRIC_REGISTRY = Table(
    name="metrics",
    description="What each rate is: its numerator, its denominator, and what one has to know before one quotes it.",
    grain="one row a metric",
    columns=(
        Column("metric", Type.TEXT, "its name"),
        Column("found_in", Type.TEXT, "the table or view that gives it"),
        Column("also_in", Type.TEXT, "others that give it, of other counts, joined by a comma; NULL if none do"),
        Column("numerator", Type.TEXT, "what is counted, in words"),
        Column("denominator", Type.TEXT, "what it is divided by, in words"),
        Column("unit", Type.TEXT, "what the rate is in; a share has a Wilson interval, 95 %"),
        Column("date_basis", Type.TEXT, "the day that it is counted on"),
        Column("grain", Type.TEXT, "what it is given for"),
        Column("caveat", Type.TEXT, "what one has to know before one quotes it"),
        Column("metric_version", Type.COUNT, "version of the definition"),  # trap T40
    ),
)


def registry() -> list[dict[str, str | int | None]]:
    """Return the rows of ``metrics``."""
    return [
        {
            "metric": metric.name,
            "found_in": metric.basis.found_in,
            "also_in": ", ".join(found_in(metric.name)[1:]) or None,
            "numerator": metric.numerator_words,
            "denominator": metric.denominator_words,
            "unit": metric.unit.value,
            "date_basis": metric.basis.of_day,
            "grain": metric.basis.grain,
            "caveat": metric.caveat,
            "metric_version": metric.version,
        }
        for metric in METRICS
    ]
