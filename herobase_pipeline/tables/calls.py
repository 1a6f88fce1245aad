"""Calls as pulled: one row a call, on the local day of its start."""

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure
from herobase_pipeline.tables.schema import HASH, Column, Holds, Table, Type

CALLS = Table(
    name="calls",
    description="Every call, on the local day of its start, with the org hierarchy that HeroBase captured on it.",
    grain="one row a call",
    daily=True,
    order="org_key, started_at, call_id",  # a unit's calls lie together, so that who asks for them reads little else
    row_group=4_096,
    columns=(
        Column(
            "call_id",
            Type.TEXT,
            "HeroBase's id of the call, unique within one HeroBase site",
            "uniqueId",
            required=True,
        ),
        Column("call_date", Type.DAY, "local day of its start: the day the call belongs to"),
        Column("started_at", Type.INSTANT, "when dialling began", "startTime", required=True),
        Column("connected_at", Type.INSTANT, "when it was answered; NULL if it was not", field="connectTime"),
        Column("ended_at", Type.INSTANT, "when it ended; NULL while it is in progress", field="endTime"),
        Column(
            "end_cause", Type.TEXT, "CallEndCause; a value not documented is kept as given", "endCause", CallEndCause
        ),
        Column("call_status", Type.TEXT, "CallStatus: what the call left its lead in", "leadStatus", CallStatus),
        Column("lead_closure", Type.TEXT, "LeadClosure that the call left its lead with", "leadClosure", LeadClosure),
        Column(
            "connected",
            Type.FLAG,
            "the lead answered; a call without the field counts by its connect time",
            "connected",
        ),
        Column("incoming", Type.FLAG, "an inbound call; a call without the field counts as outbound", "incoming"),
        Column("campaign_type", Type.TEXT, "free text of HeroBase, not documented", "campaignType"),
        Column("dialing_s", Type.SECONDS, "seconds of dialling and ringing; NULL if not given", "dialingDuration"),
        Column("conversation_s", Type.SECONDS, "seconds of talk; NULL if not given", "conversationDuration"),
        Column("wrap_up_s", Type.SECONDS, "seconds of work after the call; NULL if not given", "wrapUpDuration"),
        Column("lead_id", Type.TEXT, "the lead that was called; NULL if none", "uniqueLeadId", holds=Holds.LEAD),
        Column("campaign_id", Type.TEXT, "the campaign's id; its code where HeroBase gives no id", "campaign.uniqueId"),
        Column("campaign_code", Type.TEXT, "the campaign's code", "campaign.code"),
        Column("agent", Type.TEXT, "org code of the agent; NULL where no agent took part", "user.orgCode"),
        Column("org_path", Type.TEXTS, "org codes root→leaf at call time; empty where org_source is missing"),
        Column(
            "org_key",
            Type.TEXT,
            "org_path joined by ' › ' (› in a code doubled), to group by; empty text where org_source is missing",
        ),
        Column(
            "org_names",
            Type.TEXTS,
            "names of the same units, as the call gives them; where it gives codes only, as they were called when it was pulled",
        ),
        Column(
            "org_source",
            Type.TEXT,
            "where org_path is from: call; sweep (asked unit by unit, so the path is that of the day of the pull); or missing",
        ),
        Column(
            "phone_token",
            Type.TEXT,
            "keyed hash of the number: equal numbers have equal tokens; NULL of an erased person",
            "leadPhoneNumber",
            read_by="token",
            holds=Holds.NUMBER,
            length=HASH,
        ),
        Column("settled", Type.FLAG, "its outcome is final: it has one, or it is 8 days old and never got one"),
        Column("observed_at", Type.INSTANT, "when this row was pulled"),
        Column(
            "extra",
            Type.TEXT,
            "JSON object of the fields that this version does not know: their names and kinds of value; NULL if there are none",
            holds=Holds.TEXT,
        ),
    ),
)

CALL_PHONES = Table(
    name="call_phones",
    description="The number each call dialled, and its fields that this version does not know. Identifies customers: private.",
    grain="one row a call that has a number or such fields",
    daily=True,
    private=True,
    order="call_id",
    columns=(
        Column("call_id", Type.TEXT, "HeroBase's id of the call", "uniqueId"),
        Column(
            "phone",
            Type.TEXT,
            "the dialled number as given; NULL if there is none",
            "leadPhoneNumber",
            holds=Holds.TEXT,
        ),
        Column(
            "extra",
            Type.TEXT,
            "JSON object of the fields that this version does not know, whole; NULL if there are none",
            holds=Holds.TEXT,
        ),
    ),
)
