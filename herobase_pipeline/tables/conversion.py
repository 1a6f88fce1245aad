"""How leads were closed, per node of the hierarchy at the time of the call that closed them."""

from herobase_pipeline.tables.outcomes import org_node
from herobase_pipeline.tables.schema import Column, Table, Type, of

LEAD_CONVERSION = Table(
    name="lead_conversion",
    description="Closed leads by closure, per day of closing, org node of the credited call and campaign. Every closed "
    "lead counts once at each level of its path; one that no call is credited with, at level 0 only.",
    grain="one row a closing day, org node, campaign, lead pool and closure",
    columns=(
        Column("closed_date", Type.DAY, "local day of closing", made_from=of("leads", "closed_date")),
        *org_node(of("leads", "org_path"), of("leads", "closed_at"), of("leads", "org_names lead_id")),
        Column("campaign_id", Type.TEXT, "the campaign", made_from=of("leads", "campaign_id")),
        Column(
            "lead_pool",
            Type.TEXT,
            "the lead pool; NULL where HeroBase does not give it",
            made_from=of("leads", "lead_pool"),
        ),
        Column(
            "closure",
            Type.TEXT,
            "LeadClosure; NotSet was closed by the system, not by an agent",  # trap T37
            made_from=of("leads", "closure"),
        ),
        Column("leads", Type.COUNT, "leads closed on the day", additive=True, made_from=of("leads", "closed_at")),
        Column(
            "by_closing_call",
            Type.COUNT,
            "of these, credited to the call that closed them",
            additive=True,
            made_from=of("leads", "attribution"),
        ),
        Column(
            "by_last_contact",
            Type.COUNT,
            "of these, credited to the last contact in 24 hours before",
            additive=True,
            made_from=of("leads", "attribution"),
        ),
        Column(
            "by_lead_user",
            Type.COUNT,
            "of these, closed by a person outside a call; at level 0 only",
            additive=True,
            made_from=of("leads", "attribution"),
        ),
        Column(
            "by_system",
            Type.COUNT,
            "of these, closed by the system; at level 0 only",
            additive=True,
            made_from=of("leads", "attribution"),
        ),
        Column(
            "outbound",
            Type.COUNT,
            "of these, credited to an outbound call",
            additive=True,
            made_from=of("leads", "credited_incoming"),
        ),
        Column(
            "attempts",
            Type.COUNT,
            "attempts that it took to close the outbound ones",
            additive=True,
            made_from=of("leads", "attempts_to_close credited_incoming"),
        ),
        Column(
            "is_mature",
            Type.FLAG,
            "the day was over when its calls and leads were pulled",
            made_from=of("leads", "closed_date"),
        ),
    ),
)
