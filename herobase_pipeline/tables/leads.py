"""Lead versions as pulled, and leads as derived from all their versions and calls."""

from herobase_pipeline.herobase.enums import LeadClosure, LeadStatus
from herobase_pipeline.tables.schema import Column, Table, Type

SIMPLE_LEADS = Table(
    name="simple_leads",
    description="Every version of a lead that was ever seen, on the local day of its modification. Only ever grows.",
    grain="one row a version of a lead",
    daily=True,
    columns=(
        Column("lead_id", Type.TEXT, "HeroBase's id of the lead", "uniqueId", required=True),
        Column("last_modified_at", Type.INSTANT, "when this version came to be", "lastModifiedTime", required=True),
        Column("modified_date", Type.DAY, "local day of last_modified_at"),
        Column("status", Type.TEXT, "LeadStatus; a value not documented is kept as given", "status", LeadStatus),
        Column(
            "closure", Type.TEXT, "LeadClosure; NotSet while open or when closed by the system", "closure", LeadClosure
        ),
        Column("priority", Type.COUNT, "the dialler's priority", "priority"),
        Column("campaign_id", Type.TEXT, "the campaign's id; its code where HeroBase gives no id", "campaign.uniqueId"),
        Column("campaign_code", Type.TEXT, "the campaign's code", "campaign.code"),
        Column("uploaded_at", Type.INSTANT, "when the lead was uploaded", "uploadTime"),
        Column(
            "first_processed_at", Type.INSTANT, "when an agent first closed it; NULL if none did", "firstProcessedTime"
        ),
        Column(
            "owner_org_code",
            Type.TEXT,
            "unit that owns the lead; one constant a tenant in practice",
            "ownerOrgUnit.orgCode",
        ),
        Column("uploaded_by", Type.TEXT, "org code of who uploaded it", "uploadedByUser.orgCode"),
        Column(
            "first_processed_by", Type.TEXT, "org code of the agent who first closed it", "firstProcessedByUser.orgCode"
        ),
        Column(
            "last_modified_by",
            Type.TEXT,
            "org code of the last editor, back office included",
            "lastModifiedByUser.orgCode",
        ),
        Column(
            "closure_data",
            Type.TEXT,
            "JSON of closureData, withheld where it may identify a customer; NULL if none",
            "closureData",
        ),
        Column("observed_at", Type.INSTANT, "when this version was first pulled"),
        Column("origin", Type.TEXT, "observed: pulled within two days of the modification; else backfilled (trap T3)"),
        Column("extra", Type.TEXT, "JSON of fields that this version does not know; NULL if there are none"),
    ),
)

LEAD_DATA = Table(
    name="lead_data",
    description="The lead fields of each version, as HeroBase gives them. Identifies customers: private.",
    grain="one row a version of a lead",
    daily=True,
    private=True,
    columns=(
        Column("lead_id", Type.TEXT, "HeroBase's id of the lead", "uniqueId", required=True),
        Column("last_modified_at", Type.INSTANT, "when this version came to be", "lastModifiedTime", required=True),
        Column("data", Type.TEXT, "JSON of the lead's fields, all values text", "data"),
        Column("custom_data", Type.TEXT, "JSON of customData; NULL if there is none", "customData"),
    ),
)

LEADS = Table(
    name="leads",
    description="Every lead once: where it stands, and what calls it took to get there.",
    grain="one row a lead",
    order="lead_id",
    columns=(
        Column("lead_id", Type.TEXT, "HeroBase's id of the lead"),
        Column("status", Type.TEXT, "LeadStatus of the latest version; NULL for a lead that only calls tell of"),
        Column("closure", Type.TEXT, "LeadClosure; as it was closed, also once it is withdrawn or erased"),
        Column("campaign_id", Type.TEXT, "the campaign's id; as it was closed"),
        Column("campaign_code", Type.TEXT, "the campaign's code; as it was closed"),
        Column("uploaded_at", Type.INSTANT, "when it was uploaded"),
        Column("uploaded_date", Type.DAY, "local day of uploaded_at"),
        Column("first_dial_at", Type.INSTANT, "start of its first dial; NULL if it was never dialled"),
        Column(
            "first_completed_at", Type.INSTANT, "start of its first dial that has an end cause and was not cancelled"
        ),
        Column("first_contact_at", Type.INSTANT, "start of its first dial that reached a person"),
        Column("dials", Type.COUNT, "outbound calls, transfer legs not counted (trap T17)", additive=True),
        Column(
            "attempts",
            Type.COUNT,
            "dials, with alternative numbers and recalls after a drop as one (T18, T21)",
            additive=True,
        ),
        Column("contacts", Type.COUNT, "dials that reached a person", additive=True),
        Column(
            "closed_at",
            Type.INSTANT,
            "end of the closing call, else the first closed version seen since it was last open, or where it was never seen "
            "open, when an agent first closed it; NULL while open",
        ),
        Column("closed_date", Type.DAY, "local day of closed_at"),
        Column("closing_call_id", Type.TEXT, "the call that closed it; NULL if none is known"),
        Column(
            "attribution",
            Type.TEXT,
            "whom the closing is credited to (T28): closing_call; last_contact, in the 24 hours before; lead_user, a person "
            "outside a call; system; open",
        ),
        Column("agent", Type.TEXT, "org code of the agent or user credited"),
        Column(
            "org_path",
            Type.TEXTS,
            "org codes root→leaf of the credited call, at call time; empty where no call is credited",
        ),
        Column("org_names", Type.TEXTS, "names of the same units"),
        Column("credited_incoming", Type.FLAG, "the credited call was inbound; NULL where no call is credited"),
        Column("cohort_date", Type.DAY, "local day of its first dial"),
        Column(
            "known_through",
            Type.DAY,
            "the last day up to which it is known whether it was closed: of the unbroken run of loaded days from cohort_date",
        ),
        Column("first_dial_path", Type.TEXTS, "org codes root→leaf of its first dial, at call time; empty without"),
        Column("first_dial_names", Type.TEXTS, "names of the same units"),
        Column("first_dial_campaign_id", Type.TEXT, "campaign of its first dial"),
        Column("attempt_dates", Type.DAYS, "local day of each attempt, in order"),
        Column(
            "attempts_to_close", Type.COUNT, "attempts begun before it was closed; NULL while it is open", additive=True
        ),
        Column("versions", Type.COUNT, "versions seen", additive=True),
        Column("erased", Type.FLAG, "HeroBase has anonymised it"),
    ),
)
