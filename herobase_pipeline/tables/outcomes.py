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
        Column("calls", Type.COUNT, "calls started on the day", additive=True),
        Column("connected", Type.COUNT, "of these, answered", additive=True),
        Column("dialing_s", Type.SECONDS, "seconds of dialling and ringing", additive=True),
        Column("conversation_s", Type.SECONDS, "seconds of talk", additive=True),
        Column("wrap_up_s", Type.SECONDS, "seconds of work after the call", additive=True),
        Column("dials", Type.COUNT, "outbound calls, transfer legs not counted (traps T17, T22)", additive=True),
        Column("settled_dials", Type.COUNT, "of these, with a final outcome: what rates are made of", additive=True),
        Column(
            "handled_dialing_s",
            Type.SECONDS,
            "seconds of dialling of settled outbound calls, transfer legs included",
            additive=True,
        ),
        Column("handled_talk_s", Type.SECONDS, "seconds of talk of the same calls", additive=True),
        Column("handled_wrap_up_s", Type.SECONDS, "seconds of work after the same calls", additive=True),
        Column("is_mature", Type.FLAG, "the day was over when it was pulled, and every call of the row is settled"),
    ),
)
