"""The small lists, pulled whole and kept by the day of the pull; and the account's rights and limits."""

from herobase_pipeline.tables.schema import Column, Table, Type

_OBSERVED = Column("observed_at", Type.INSTANT, "when the list was pulled")
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
    description="The projects that the account may see. A project without a right is missing here without an error (T15).",
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
