"""What each agent did on a day: calls, time and closed leads, in the unit that each call was made in."""

from herobase_pipeline.tables.outcomes import CALL_OUTCOMES
from herobase_pipeline.tables.schema import Column, Table, Type, of

_DIAL = of("calls", "incoming call_status")
_SETTLED = _DIAL + of("calls", "settled")
_HANDLED = of("calls", "incoming settled")
_CONTACT = of("calls", "end_cause")
_CLOSED = of("leads", "closed_at attribution")
_SPELLED = of("calls", "started_at") + of("leads", "closed_at")
_PATH = of("calls", "org_path") + of("leads", "org_path") + _SPELLED
_NAMES = _PATH + of("calls", "org_names call_id") + of("leads", "org_names lead_id")

_OF_CALLS = {column.name: column for column in CALL_OUTCOMES}
"""Counts that are the same as by org node."""

AGENT_DAYS = Table(
    name="agent_days",
    description="What each agent did, per day, org unit and campaign. Each call counts once, in the unit it was made in; each "
    "lead that a person closed once, with whoever is credited with it. Over all agents they add up to level 0 of call_outcomes "
    "and to the leads of lead_conversion that no system closed.",
    grain="one row a day, agent, org path and campaign",
    columns=(
        Column(
            "date",
            Type.DAY,
            "local day of the calls, and of the closings",
            made_from=of("calls", "date") + of("leads", "closed_date"),
        ),
        Column(
            "agent",
            Type.TEXT,
            "org code of the agent; NULL for calls in which none took part, such as dropped ones",
            made_from=of("calls", "agent") + of("leads", "agent") + _SPELLED,
        ),
        Column(
            "org_path",
            Type.TEXTS,
            "org codes from the root to the unit of the call; empty for calls without a hierarchy, and for leads that were "
            "closed outside a call",
            made_from=_PATH,
        ),
        Column("org_key", Type.TEXT, "org_path joined by ' › ' (› in a code doubled), to group by", made_from=_PATH),
        Column("org_names", Type.TEXTS, "names of the same units at that time", made_from=_NAMES),
        Column("org_code", Type.TEXT, "the unit's code; NULL where org_path is empty", made_from=_PATH),
        Column(
            "org_name", Type.TEXT, "the unit's name at that time; (no team) where org_path is empty", made_from=_NAMES
        ),
        Column(
            "campaign_id",
            Type.TEXT,
            "the campaign; NULL for none",
            made_from=of("calls", "campaign_id") + of("leads", "campaign_id"),
        ),
        Column(
            "calls",
            Type.COUNT,
            "calls of the day, incoming ones and transfer legs too",
            additive=True,
            made_from=of("calls", "date"),
        ),
        _OF_CALLS["dials"],
        _OF_CALLS["settled_dials"],
        Column(
            "unsettled",
            Type.COUNT,
            "calls, of any kind, without a final outcome yet",
            additive=True,
            made_from=of("calls", "settled"),
        ),
        Column(
            "completed",
            Type.COUNT,
            "of these, not cancelled, with a documented end cause: what contacts are a share of",
            additive=True,
            made_from=_SETTLED + _CONTACT,
        ),
        Column(
            "contacts",
            Type.COUNT,
            "of these, that reached a person (NormalDisconnect)",
            additive=True,
            made_from=_SETTLED + _CONTACT,
        ),
        _OF_CALLS["dialing_s"],
        Column("talk_s", Type.SECONDS, "seconds of talk", additive=True, made_from=of("calls", "conversation_s")),
        _OF_CALLS["wrap_up_s"],
        _OF_CALLS["handled_dialing_s"],
        _OF_CALLS["handled_talk_s"],
        _OF_CALLS["handled_wrap_up_s"],
        Column(
            "contact_talk_s",
            Type.SECONDS,
            "handled_talk_s of calls that reached a person",
            additive=True,
            made_from=of("calls", "conversation_s") + _HANDLED + _CONTACT,
        ),
        Column(
            "contact_wrap_up_s",
            Type.SECONDS,
            "handled_wrap_up_s of the same calls",
            additive=True,
            made_from=of("calls", "wrap_up_s") + _HANDLED + _CONTACT,
        ),
        Column("closings", Type.COUNT, "leads that the agent closed", additive=True, made_from=_CLOSED),
        Column(
            "successes",
            Type.COUNT,
            "of these, with Success",
            additive=True,
            made_from=_CLOSED + of("leads", "closure"),
        ),
        Column(
            "not_interested",
            Type.COUNT,
            "of these, with NotInterested",
            additive=True,
            made_from=_CLOSED + of("leads", "closure"),
        ),
        Column(
            "outbound_successes",
            Type.COUNT,
            "of the successes, those credited to an outbound call",
            additive=True,
            made_from=_CLOSED + of("leads", "closure credited_incoming"),
        ),
        Column(
            "is_mature",
            Type.FLAG,
            "the day was over when its calls and leads were pulled, and every call of the row is settled",
            made_from=of("calls", "settled date") + of("leads", "closed_date"),
        ),
    ),
)
