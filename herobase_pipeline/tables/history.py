"""What the org units were called and where they stood, as the calls tell it."""

from herobase_pipeline.tables.schema import Column, Table, Type

ORG_HISTORY = Table(
    name="org_history",
    description="Each org unit's name and parent through time, from the hierarchy on the calls themselves (trap T26).",
    grain="one row a unit and span of time with one name and one parent",
    columns=(
        Column("org_code", Type.TEXT, "the unit's code; the key, whatever its case"),
        Column("org_name", Type.TEXT, "its name then"),
        Column("parent_code", Type.TEXT, "code of the unit above then; NULL for a root"),
        Column("valid_from", Type.INSTANT, "start of the first call with this name and parent"),
        Column("valid_to", Type.INSTANT, "start of the first call with the next ones; NULL for the last known"),
        Column("latest_name", Type.TEXT, "its last known name"),
    ),
)
