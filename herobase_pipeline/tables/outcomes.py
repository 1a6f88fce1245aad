"""What became of calls, per node of the hierarchy that was captured on them."""

from herobase_pipeline.tables.schema import Column, Table, Type, of


def org_node(
    path: tuple[str, ...] = (), latest: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> tuple[Column, ...]:
    """Return the columns of an org node (see ``rolled_up`` in counting.sql).

    Args:
        path: what the paths are made from.
        latest: what decides which spelling of a path is the last of the day.
        names: what the names are made from, beside the path and its order.

    """
    spelled = path + latest
    return (
        Column(
            "org_level", Type.COUNT, "depth of the node; 0 is everything, with a hierarchy or without", made_from=path
        ),
        Column("org_path", Type.TEXTS, "org codes from the root to the node; empty at level 0", made_from=spelled),
        Column(
            "org_key",
            Type.TEXT,
            "org_path joined by ' › ' (› in a code doubled), to group by; empty text at level 0",
            made_from=spelled,
        ),
        Column("org_code", Type.TEXT, "the node's code; NULL at level 0", made_from=spelled),
        Column("org_name", Type.TEXT, "the node's name at that time; (all) at level 0", made_from=spelled + names),
    )


_DIAL = of("calls", "incoming call_status")
_HANDLED = of("calls", "incoming settled")

_NODE = org_node(of("calls", "org_path"), of("calls", "started_at"), of("calls", "org_names call_id"))
_CAMPAIGN = Column(
    "campaign_id", Type.TEXT, "the campaign; NULL for calls without one", made_from=of("calls", "campaign_id")
)
_END_CAUSE = Column("end_cause", Type.TEXT, "CallEndCause", made_from=of("calls", "end_cause"))
_MEASURES = (
    Column("calls", Type.COUNT, "calls started on the day", additive=True, made_from=of("calls", "date")),
    Column("connected", Type.COUNT, "of these, answered", additive=True, made_from=of("calls", "connected")),
    Column(
        "dialing_s",
        Type.SECONDS,
        "seconds of dialling and ringing",
        additive=True,
        made_from=of("calls", "dialing_s"),
    ),
    Column("conversation_s", Type.SECONDS, "seconds of talk", additive=True, made_from=of("calls", "conversation_s")),
    Column(
        "wrap_up_s",
        Type.SECONDS,
        "seconds of work after the call",
        additive=True,
        made_from=of("calls", "wrap_up_s"),
    ),
    Column(
        "dials",
        Type.COUNT,
        "outbound calls, transfer legs not counted",  # traps T17, T22
        additive=True,
        made_from=_DIAL,
    ),
    Column(
        "settled_dials",
        Type.COUNT,
        "of these, with a final outcome: what rates are made of",
        additive=True,
        made_from=_DIAL + of("calls", "settled"),
    ),
    Column(
        "handled_dialing_s",
        Type.SECONDS,
        "seconds of dialling of settled outbound calls, transfer legs included",
        additive=True,
        made_from=of("calls", "dialing_s") + _HANDLED,
    ),
    Column(
        "handled_talk_s",
        Type.SECONDS,
        "seconds of talk of the same calls",
        additive=True,
        made_from=of("calls", "conversation_s") + _HANDLED,
    ),
    Column(
        "handled_wrap_up_s",
        Type.SECONDS,
        "seconds of work after the same calls",
        additive=True,
        made_from=of("calls", "wrap_up_s") + _HANDLED,
    ),
    Column(
        "is_mature",
        Type.FLAG,
        "the day was over when it was pulled, and every call of the row is settled",
        made_from=of("calls", "settled date"),
    ),
)

CALL_OUTCOMES = Table(
    name="call_outcomes",
    description="Calls by end cause, per day, org node at call time and campaign. Every call counts once at each level "
    "of its path. Sum within one level only.",
    grain="one row a day, org node, campaign and end cause",
    daily=True,
    columns=(*_NODE, _CAMPAIGN, _END_CAUSE, *_MEASURES),
)
CALL_HOURS = Table(
    name="call_hours",
    description="Calls by end cause and hour, per day, org node at call time and campaign: when whom one reaches. Every call "
    "counts once at each level of its path. Sum within one level only.",
    grain="one row a day, hour, org node, campaign and end cause",
    daily=True,
    columns=(
        *_NODE,
        _CAMPAIGN,
        Column(
            "hour",
            Type.COUNT,
            "hour of the local day in which the call began, 0 to 23; what the end of summer time repeats is one hour",
            made_from=of("calls", "started_at"),
        ),
        _END_CAUSE,
        *_MEASURES,
    ),
)
