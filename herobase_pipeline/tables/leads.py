"""Lead versions as pulled, and leads as derived from all their versions and calls."""

from herobase_pipeline.enums import LeadClosure, LeadStatus
from herobase_pipeline.tables.schema import Column, Holds, Table, Type, of


def of_versions(columns: str) -> tuple[str, ...]:
    """Return some columns of the tables that have lead versions, for ``made_from``."""
    return of("simple_leads", columns) + of("search_leads", columns)


# what decides which version of a lead, which of its calls and which dials a value is from; see leads.sql
# whether a saved search adds a version to simple_leads depends on what both say of it; see lead_versions.sql
_LATEST = of_versions("last_modified_at observed_at status closure")
_ONLY_CALLED = of("calls", "started_at call_id call_status")  # of a lead without a version, the last call
_HOW_CREDITED = _LATEST + of("calls", "started_at ended_at end_cause call_status lead_closure")
_CREDITED = _HOW_CREDITED + of("calls", "call_id")  # the last of equal ones
_DIAL = of("calls", "incoming call_status")
_FIRST_DIAL_AT = _DIAL + of("calls", "started_at")
_FIRST_DIAL = _FIRST_DIAL_AT + of("calls", "call_id")
_ATTEMPTS = _FIRST_DIAL + of("calls", "ended_at end_cause agent")
_CLOSED_AT = _CREDITED + of_versions("first_processed_at")
_USER = of_versions("first_processed_by last_modified_by")  # who closed it, where no call did

SIMPLE_LEADS = Table(
    name="simple_leads",
    description="Every version of a lead that was ever seen, on the local day of its modification. Only ever grows.",
    grain="one row a version of a lead",
    daily=True,
    order="last_modified_at, lead_id, observed_at",
    columns=(
        Column("lead_id", Type.TEXT, "HeroBase's id of the lead", "uniqueId", required=True, holds=Holds.LEAD),
        Column("last_modified_at", Type.INSTANT, "when this version came to be", "lastModifiedTime", required=True),
        Column("modified_date", Type.DAY, "local day of last_modified_at"),
        Column("status", Type.TEXT, "LeadStatus; a value not documented is kept as given", "status", LeadStatus),
        Column(
            "closure", Type.TEXT, "LeadClosure; NotSet while open or when closed by the system", "closure", LeadClosure
        ),
        Column("priority", Type.COUNT, "the dialler's priority", "priority"),
        Column("campaign_id", Type.TEXT, "the campaign's id; its code where HeroBase gives no id", "campaign.uniqueId"),
        Column("campaign_code", Type.TEXT, "the campaign's code", "campaign.code"),
        Column("lead_pool", Type.TEXT, "name of its lead pool; NULL where HeroBase does not give it", "leadPool.name"),
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
            "JSON array of the codes in closureData, any other text withheld; NULL if none",
            "closureData",
            holds=Holds.TEXT,
        ),
        Column("observed_at", Type.INSTANT, "when this version was first pulled"),
        Column("origin", Type.TEXT, "observed: pulled within two days of the modification; else backfilled"),  # trap T3
        Column(
            "extra",
            Type.TEXT,
            "JSON object of the fields that this version does not know: their names and kinds of value; NULL if there are none",
            holds=Holds.TEXT,
        ),
    ),
)

LEAD_DATA = Table(
    name="lead_data",
    description="The lead fields of each version, as HeroBase gives them. Identifies customers: private.",
    grain="one row a version of a lead",
    daily=True,
    private=True,
    order="last_modified_at, lead_id, data",
    columns=(
        Column("lead_id", Type.TEXT, "HeroBase's id of the lead", "uniqueId", required=True, holds=Holds.LEAD),
        Column("last_modified_at", Type.INSTANT, "when this version came to be", "lastModifiedTime", required=True),
        Column("data", Type.TEXT, "JSON of the lead's fields, all values text", "data", holds=Holds.TEXT),
        Column("custom_data", Type.TEXT, "JSON of customData; NULL if there is none", "customData", holds=Holds.TEXT),
        Column(
            "closure_data",
            Type.TEXT,
            "JSON of closureData, whole; NULL if there is none",
            "closureData",
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

_SEARCH = Column("search", Type.TEXT, "name of the saved search that gave it")

SEARCH_LEADS = Table(
    name="search_leads",
    description="Every version of a lead that a saved search was ever seen to give, on the local day of its modification. Only "
    "ever grows. Asked for where HEROBASE_SAVED_SEARCHES names searches.",
    grain="one row a saved search and version of a lead",
    daily=True,
    order=f"search, {SIMPLE_LEADS.order}",
    columns=(_SEARCH, *SIMPLE_LEADS.columns),
)

SEARCH_LEAD_DATA = Table(
    name="search_lead_data",
    description="The lead fields of each version that a saved search gives, as HeroBase gives them: it writes their names in "
    "lower case. Identifies customers: private.",
    grain="one row a saved search and version of a lead",
    daily=True,
    private=True,
    order=f"search, {LEAD_DATA.order}",
    columns=(_SEARCH, *LEAD_DATA.columns),
)

SEARCH_ROWS = Table(
    name="search_rows",
    description="What saved searches gave as CSV, with the columns that they have, on the local day of modification that was "
    "asked for. Only ever grows: a row that changed is there as often as it was seen to change. Asked for where "
    "HEROBASE_SAVED_SEARCHES_CSV names searches. Identifies customers: private.",
    grain="one row a saved search, lead and content",
    daily=True,
    private=True,
    order="search, lead_id, observed_at, fields",
    columns=(
        _SEARCH,
        Column(
            "lead_id",
            Type.TEXT,
            "what stands in the column of lead ids; NULL where the search has none",
            "leadId",
            holds=Holds.LEAD,
        ),
        Column(
            "fields", Type.TEXT, "JSON object: the column's name, and what stands in it", "fields", holds=Holds.TEXT
        ),
        Column("observed_at", Type.INSTANT, "when the row was first pulled with this content"),
    ),
)

RAW_LEADS = Table(
    name="raw_leads",
    description="The fields of leads, a row each, on the local day of modification that was asked for. Only ever grows: a "
    "field that changed is there as often as it was seen to change. Asked for where HEROBASE_RAW_LEADS says so. Identifies "
    "customers: private.",
    grain="one row a lead, field and content",
    daily=True,
    private=True,
    order="lead_id, field_name, observed_at, field_value",
    columns=(
        Column("lead_id", Type.TEXT, "HeroBase's id of the lead", "UniqueLeadId", required=True, holds=Holds.LEAD),
        Column("field_name", Type.TEXT, "the field's name as HeroBase writes it", "FieldName"),
        Column(
            "field_value",
            Type.TEXT,
            "its text; NULL from when the lead came without the field",
            "FieldValue",
            read_by="as_given",
            holds=Holds.TEXT,
        ),
        Column("observed_at", Type.INSTANT, "when the field was first pulled with this content"),
    ),
)

VERSIONS = (SIMPLE_LEADS, SEARCH_LEADS)
"""What leads are made from; any of them will do, and ``lead_versions`` is what they say together."""

LEADS = Table(
    name="leads",
    description="Every lead once: where it stands, and what calls it took to get there.",
    grain="one row a lead",
    monthly=True,
    order="lead_id",
    columns=(
        Column(
            "lead_id",
            Type.TEXT,
            "HeroBase's id of the lead; of an erased one a keyed hash that begins with erased-",
            made_from=of_versions("lead_id") + of("calls", "lead_id"),
            holds=Holds.LEAD,
        ),
        Column(
            "status",
            Type.TEXT,
            "LeadStatus of the latest version; NULL for a lead that only calls name",
            made_from=_LATEST,
        ),
        Column(
            "closure",
            Type.TEXT,
            "LeadClosure; as it was closed, also once it is withdrawn or erased",
            made_from=_LATEST,
        ),
        Column(
            "campaign_id",
            Type.TEXT,
            "the campaign's id; as it was closed",
            made_from=_LATEST + _ONLY_CALLED + of_versions("campaign_id") + of("calls", "campaign_id"),
        ),
        Column(
            "campaign_code",
            Type.TEXT,
            "the campaign's code; as it was closed",
            made_from=_LATEST + _ONLY_CALLED + of_versions("campaign_code") + of("calls", "campaign_code"),
        ),
        Column(
            "lead_pool",
            Type.TEXT,
            "its lead pool; as it was closed; NULL where HeroBase does not give it",
            made_from=_LATEST + of_versions("lead_pool"),
        ),
        Column("uploaded_at", Type.INSTANT, "when it was uploaded", made_from=_LATEST + of_versions("uploaded_at")),
        Column("uploaded_date", Type.DAY, "local day of uploaded_at", made_from=_LATEST + of_versions("uploaded_at")),
        Column(
            "first_dial_at",
            Type.INSTANT,
            "start of its first dial; NULL if it was never dialled",
            made_from=_FIRST_DIAL_AT,
        ),
        Column(
            "first_completed_at",
            Type.INSTANT,
            "start of its first dial that has an end cause and was not cancelled",
            made_from=_FIRST_DIAL_AT + of("calls", "end_cause"),
        ),
        Column(
            "first_contact_at",
            Type.INSTANT,
            "start of its first dial that reached a person",
            made_from=_FIRST_DIAL_AT + of("calls", "end_cause"),
        ),
        Column(
            "dials",
            Type.COUNT,
            "outbound calls, transfer legs not counted",
            additive=True,
            made_from=_DIAL,  # trap T17
        ),
        Column(
            "attempts",
            Type.COUNT,
            "dials, with alternative numbers and recalls after a drop as one",
            additive=True,
            made_from=_ATTEMPTS,
        ),
        Column(
            "contacts",
            Type.COUNT,
            "dials that reached a person",
            additive=True,
            made_from=_DIAL + of("calls", "end_cause"),
        ),
        Column(
            "closed_at",
            Type.INSTANT,
            "end of the closing call, else the first closed version seen since it was last open, or where it was never seen "
            "open, when an agent first closed it; NULL while open",
            made_from=_CLOSED_AT,
        ),
        Column("closed_date", Type.DAY, "local day of closed_at", made_from=_CLOSED_AT),
        Column("closing_call_id", Type.TEXT, "the call that closed it; NULL if none is known", made_from=_CREDITED),
        Column(
            "attribution",
            Type.TEXT,
            "whom the closing is credited to: closing_call; last_contact, in the 24 hours before; lead_user, a person "
            "outside a call; system; open; NULL where nobody knows, as the leads of its last dial's day are not loaded",
            made_from=_HOW_CREDITED + _USER + _DIAL,
        ),
        Column(
            "agent",
            Type.TEXT,
            "org code of the agent or user credited",
            made_from=_CREDITED + _USER + of("calls", "agent"),
        ),
        Column(
            "first_processed_by",
            Type.TEXT,
            "org code of the agent who first closed it, as HeroBase reports it; as it was closed",
            made_from=_LATEST + of_versions("first_processed_by"),
        ),
        Column(
            "last_modified_by",
            Type.TEXT,
            "org code of the last editor, back office included; as it was closed",
            made_from=_LATEST + of_versions("last_modified_by"),
        ),
        Column(
            "org_path",
            Type.TEXTS,
            "org codes root→leaf of the credited call, at call time; empty where no call is credited",
            made_from=_CREDITED + of("calls", "org_path"),
        ),
        Column("org_names", Type.TEXTS, "names of the same units", made_from=_CREDITED + of("calls", "org_names")),
        Column(
            "credited_incoming",
            Type.FLAG,
            "the credited call was inbound; NULL where no call is credited",
            made_from=_CREDITED + of("calls", "incoming"),
        ),
        Column("cohort_date", Type.DAY, "local day of its first dial", made_from=_FIRST_DIAL_AT),
        Column(
            "known_through",
            Type.DAY,
            "the last day up to which it is known whether it was closed: of the unbroken run of loaded days from cohort_date; "
            "looked up as it is read, as each new day changes it",
            made_from=_FIRST_DIAL_AT + of_versions("lead_id"),
            in_file=False,
        ),
        Column(
            "first_dial_path",
            Type.TEXTS,
            "org codes root→leaf of its first dial, at call time; empty without",
            made_from=_FIRST_DIAL + of("calls", "org_path"),
        ),
        Column(
            "first_dial_names", Type.TEXTS, "names of the same units", made_from=_FIRST_DIAL + of("calls", "org_names")
        ),
        Column(
            "first_dial_campaign_id",
            Type.TEXT,
            "campaign of its first dial",
            made_from=_FIRST_DIAL + of("calls", "campaign_id"),
        ),
        Column("attempt_dates", Type.DAYS, "local day of each attempt, in order", made_from=_ATTEMPTS),
        Column(
            "attempts_to_close",
            Type.COUNT,
            "attempts begun before it was closed; NULL while it is open",
            additive=True,
            made_from=_ATTEMPTS + _CLOSED_AT,
        ),
        Column(
            "attempts_to_contact",
            Type.COUNT,
            "attempts until one reached a person (NormalDisconnect), that one included; NULL while nobody was reached",
            made_from=_ATTEMPTS + of("calls", "end_cause"),
        ),
        Column("versions", Type.COUNT, "versions seen", additive=True, made_from=of_versions("last_modified_at")),
        Column(
            "erased",
            Type.FLAG,
            "the person asked to be forgotten: by HeroBase's status, or by a list",
            made_from=_LATEST,
        ),
        Column(
            "active_dates",
            Type.DAYS,
            "the local days of its calls and versions, in order; the month of the first is that of its file",
            made_from=of("calls", "date call_status") + of_versions("date"),
        ),
    ),
)
