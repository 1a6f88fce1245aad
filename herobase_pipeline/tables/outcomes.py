"""What became of calls, per node of the hierarchy that was captured on them."""

from herobase_pipeline.tables.schema import Column, Table, Type

ORG_NODE = (
    Column("org_level", Type.COUNT, "depth of the node; 0 is everything, with a hierarchy or without"),
    Column("org_path", Type.TEXTS, "org codes from the root to the node; empty at level 0"),
    Column("org_key", Type.TEXT, "org_path joined by ' › ', to group by; empty text at level 0"),
    Column("org_code", Type.TEXT, "the node's code; NULL at level 0"),
    Column("org_name", Type.TEXT, "the node's name at that time; (all) at level 0"),
)

CALL_OUTCOMES = Table(
    name="call_outcomes",
    description="Calls by end cause, per day, org node at call time and campaign. Every call counts once at each level "
    "of its path. Sum within one level only.",
    grain="one row a day, org node, campaign and end cause",
    daily=True,
    columns=(
        *ORG_NODE,
        Column("campaign_id", Type.TEXT, "the campaign; NULL for calls without one"),
        Column("end_cause", Type.TEXT, "CallEndCause"),
        Column("calls", Type.COUNT, "calls started on the day"),
        Column("connected", Type.COUNT, "of these, answered"),
        Column("dialing_s", Type.SECONDS, "seconds of dialling and ringing"),
        Column("conversation_s", Type.SECONDS, "seconds of talk"),
        Column("wrap_up_s", Type.SECONDS, "seconds of work after the call"),
    ),
)
