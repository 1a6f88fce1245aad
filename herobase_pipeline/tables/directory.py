"""The small lists, pulled whole and kept by the day of the pull; and the account's rights and limits."""

from herobase_pipeline.tables.schema import Column, Table, Type

_OBSERVED = Column("observed_at", Type.INSTANT, "when the list was pulled")
_OF_CAMPAIGN = (
    Column("campaign_id", Type.TEXT, "the campaign's id", "campaign.uniqueId|campaignId"),
    Column("campaign_code", Type.TEXT, "the campaign's code", "campaign.code|campaignCode"),
)
_RECORD = Column("record", Type.TEXT, "JSON of the whole record as HeroBase gave it")

ORG_UNITS = Table(
    name="org_units",
    description="The org units of today. History comes from the calls themselves, never from here.",
    grain="one row a unit and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("org_code", Type.TEXT, "the unit's code", "orgCode"),
        Column("name", Type.TEXT, "its name", "name"),
        Column("parent_code", Type.TEXT, "code of the unit above; NULL for a root", "parent"),
        _OBSERVED,
        _RECORD,
    ),
)

USERS = Table(
    name="users",
    description="The users of today: agents, back office and integrations. Personal data of employees.",
    grain="one row a user and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("org_code", Type.TEXT, "the user's code, as it stands on calls and leads", "orgCode"),
        Column("name", Type.TEXT, "the user's name", "name"),
        Column("username", Type.TEXT, "the login", "username"),
        Column("email", Type.TEXT, "e-mail address", "email"),
        Column("active", Type.FLAG, "may log in", "active"),
        Column("unit_code", Type.TEXT, "code of the unit the user is in today", "parent.orgCode"),
        _OBSERVED,
        _RECORD,
    ),
)

CAMPAIGNS = Table(
    name="campaigns",
    description="The campaigns of today, closed ones included.",
    grain="one row a campaign and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("campaign_id", Type.TEXT, "the campaign's id", "uniqueId"),
        Column("campaign_code", Type.TEXT, "the code used for imports", "code"),
        Column("name", Type.TEXT, "its name", "name"),
        Column("project", Type.TEXT, "name of its project", "project.name"),
        Column("active", Type.FLAG, "open for dialling", "active"),
        _OBSERVED,
        _RECORD,
    ),
)

PROJECTS = Table(
    name="projects",
    description="The projects that the account may see. A project without a right is missing here without an error.",
    grain="one row a project and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("project_id", Type.TEXT, "the project's id", "uniqueId"),
        Column("name", Type.TEXT, "its name, which HEROBASE_PROJECTS is matched against", "name"),
        Column("active", Type.FLAG, "in use", "active"),
        _OBSERVED,
        _RECORD,
    ),
)

LEAD_DEFINITIONS = Table(
    name="lead_definitions",
    description="The lead definitions of today: which fields the leads of a campaign have. Empty where HeroBase has no such "
    "list.",
    grain="one row a definition and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("definition_id", Type.TEXT, "the definition's id", "uniqueId|id"),
        Column("name", Type.TEXT, "its name", "name|leadDefinitionName"),
        _OBSERVED,
        _RECORD,
    ),
)

LEAD_DEFINITION_FIELDS = Table(
    name="lead_definition_fields",
    description="The fields of the lead definitions of today, in their order. Nobody has published what HeroBase calls these "
    "properties: what is found is here, and the record beside it.",
    grain="one row a definition, field and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("definition_id", Type.TEXT, "the definition's id", "definition.uniqueId|definition.id"),
        Column("definition_name", Type.TEXT, "the definition's name", "definition.name|definition.leadDefinitionName"),
        Column("name", Type.TEXT, "the field's name as people see it", "name|displayName|caption|label|title"),
        Column("import_name", Type.TEXT, "its name in the data of leads", "importName|importFieldName|fieldName|code"),
        Column(
            "type",
            Type.TEXT,
            "its type, by HeroBase's name for it",
            "type.name|fieldType.name|dataType.name|entryType.name|kind.name",
        ),
        Column("sort_order", Type.COUNT, "its place in the definition", "sortOrder|order|position|sequence|index"),
        Column(
            "access",
            Type.TEXT,
            "who gets to see it: None, Partner or Full",
            "access.name|entryAccess.name|accessClass.name|exposure.name",
        ),
        Column(
            "closure",
            Type.TEXT,
            "the LeadClosure that its values are mapped to",
            "closure.name|leadClosure.name|mappedClosure.name|systemClosure.name|closureMapping.name",
        ),
        Column("editable", Type.FLAG, "may be edited", "editable|isEditable|canEdit|editability"),
        _OBSERVED,
        _RECORD,
    ),
)

LEAD_POOLS = Table(
    name="lead_pools",
    description="The lead pools of today: groups of leads uploaded together. Empty where HeroBase has no such list.",
    grain="one row a pool and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("pool_id", Type.TEXT, "the pool's id", "uniqueId|id"),
        Column("name", Type.TEXT, "its name, as it stands on leads", "name|leadPoolName"),
        *_OF_CAMPAIGN,
        Column("active", Type.FLAG, "in use", "active|isActive"),
        _OBSERVED,
        _RECORD,
    ),
)

LEAD_SEGMENTS = Table(
    name="lead_segments",
    description="The lead segments of today, of which nothing is documented but the path. Empty where HeroBase has no such list.",
    grain="one row a segment and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("segment_id", Type.TEXT, "the segment's id", "uniqueId|id"),
        Column("name", Type.TEXT, "its name", "name|segmentName"),
        *_OF_CAMPAIGN,
        _OBSERVED,
        _RECORD,
    ),
)

HOOKS = Table(
    name="hooks",
    description="The webhooks of today: whom HeroBase notifies of closed leads. An address may hold a secret, so its host "
    "alone is kept. Empty where HeroBase has no such list.",
    grain="one row a hook and day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("hook_id", Type.TEXT, "the hook's id", "id|uniqueId"),
        Column("name", Type.TEXT, "its name", "name"),
        Column("host", Type.TEXT, "host that is notified; NULL where none can be read", "host"),
        Column("campaign_code", Type.TEXT, "the campaign it is for; NULL for all", "campaignCode|campaign.code"),
        Column("lead_status", Type.TEXT, "the status or release type that it waits for", "leadStatus|leadReleaseType"),
        Column("lead_closure", Type.TEXT, "the closure that it waits for", "leadClosure"),
        Column("active", Type.FLAG, "in use", "isActive|active"),
        _OBSERVED,
        Column("record", Type.TEXT, "JSON of the record: what is known to hold no secret, and the names of the rest"),
    ),
)

ACCOUNT = Table(
    name="account",
    description="What the web-service account may do, and its request limits and counts, as observed.",
    grain="one row a day of pull",
    daily=True,
    snapshot=True,
    columns=(
        Column("username", Type.TEXT, "the account", "username"),
        Column("project_rights", Type.TEXTS, "patterns of the projects it may see", "projectRights"),
        Column("resource_rights", Type.TEXT, "JSON: resource to verbs", "resourceRights"),
        Column("limits", Type.TEXT, "JSON of /myaccount/request/limits; NULL if it may not be read", "limits"),
        Column("counts", Type.TEXT, "JSON of /myaccount/request/counts; NULL if it may not be read", "counts"),
        _OBSERVED,
        _RECORD,
    ),
)
