"""What became of the leads that were first dialled on a day: at each age, and by cumulative incidence."""

from herobase_pipeline.tables.outcomes import org_node
from herobase_pipeline.tables.schema import Column, Table, Type, of

_COHORT = of("leads", "cohort_date versions")  # which leads are in it, and the day that ages count from
_CLOSED = _COHORT + of("leads", "closed_date")
_LIFE = of("leads", "cohort_date known_through closed_date")
_CAUSE = _LIFE + of("leads", "closure")

LEAD_COHORTS = Table(
    name="lead_cohorts",
    description="Leads by the day of their first dial, org node of that dial and campaign: how many had come how far at "
    "each age. A lead is in one cohort for ever. Compare cohorts at equal age, and mature rows only.",
    grain="one row a first-dial day, org node, campaign and age (0 to 30, 60 and 90 days)",
    order="cohort_date, org_level, org_key, campaign_id, age_days",
    columns=(
        Column(
            "cohort_date", Type.DAY, "local day of the first dial that is loaded", made_from=of("leads", "cohort_date")
        ),
        *org_node(of("leads", "first_dial_path"), of("leads", "first_dial_at"), of("leads", "first_dial_names")),
        Column("campaign_id", Type.TEXT, "campaign of the first dial", made_from=of("leads", "first_dial_campaign_id")),
        Column("age_days", Type.COUNT, "local days since the first dial; the counts include this day"),
        Column("leads", Type.COUNT, "leads of the cohort, at every age the same", additive=True, made_from=_COHORT),
        Column(
            "completed",
            Type.COUNT,
            "of these, with a dial that has an end cause and was not cancelled",
            additive=True,
            made_from=_COHORT + of("leads", "first_completed_at"),
        ),
        Column(
            "contacted",
            Type.COUNT,
            "of these, reached",
            additive=True,
            made_from=_COHORT + of("leads", "first_contact_at"),
        ),
        Column("closed", Type.COUNT, "of these, closed by anybody", additive=True, made_from=_CLOSED),
        Column(
            "successes",
            Type.COUNT,
            "of these, closed with Success",
            additive=True,
            made_from=_CLOSED + of("leads", "closure"),
        ),
        Column(
            "rpc",
            Type.COUNT,
            "of these, closed with Success or NotInterested and credited to a call",
            additive=True,
            made_from=_CLOSED + of("leads", "closure attribution"),
        ),
        Column(
            "attempts",
            Type.COUNT,
            "attempts on the leads of the cohort",
            additive=True,
            made_from=_COHORT + of("leads", "attempt_dates"),
        ),
        Column(
            "is_mature",
            Type.FLAG,
            "each day up to this age is over, and its calls and leads are loaded",
            made_from=of("leads", "cohort_date"),
        ),
    ),
)

CUMULATIVE_INCIDENCE = Table(
    name="cumulative_incidence",
    description="Share of a week's leads that ends in success by each age, and in another closure, where leads still open "
    "count as long as they are known (Aalen-Johansen). Ends where fewer than 10 leads are at risk.",
    grain="one row a week of first dials, campaign and age",
    columns=(
        Column("cohort_week", Type.DAY, "Monday of the week of the first dial", made_from=of("leads", "cohort_date")),
        Column("campaign_id", Type.TEXT, "campaign of the first dial", made_from=of("leads", "first_dial_campaign_id")),
        Column("age_days", Type.COUNT, "local days since the first dial", made_from=_LIFE),
        Column("at_risk", Type.COUNT, "leads still open and known at this age", made_from=_LIFE),
        Column("successes", Type.COUNT, "closed with Success at this age", additive=True, made_from=_CAUSE),
        Column("other_closed", Type.COUNT, "closed otherwise at this age", additive=True, made_from=_CAUSE),
        Column(
            "censored", Type.COUNT, "open at this age on the last day that is loaded", additive=True, made_from=_LIFE
        ),
        Column("success_incidence", Type.SHARE, "share closed with Success by this age", made_from=_CAUSE),
        Column(
            "success_ci_low",
            Type.SHARE,
            "lower end of its 95 % interval (Wilson on the effective sample)",
            made_from=_CAUSE,
        ),
        Column("success_ci_high", Type.SHARE, "upper end", made_from=_CAUSE),
        Column("other_incidence", Type.SHARE, "share closed otherwise by this age", made_from=_CAUSE),
        Column("still_open", Type.SHARE, "share still open after this age", made_from=_LIFE),
    ),
)
