"""What the org units were called and where they stood, as the calls tell it."""

from herobase_pipeline.tables.schema import Column, Table, Type, of

# the last call of each day tells, of those that have a path themselves
_TOLD = of("calls", "org_path org_source started_at call_id date")
_VERSION = _TOLD + of("calls", "org_names")

ORG_HISTORY = Table(
    name="org_history",
    description="Each org unit's name and parent through time, from the hierarchy on the calls themselves.",  # trap T26
    grain="one row a unit and span of time with one name and one parent",
    columns=(
        Column("org_code", Type.TEXT, "the unit's code; the key, whatever its case", made_from=_TOLD),
        Column("org_name", Type.TEXT, "its name then", made_from=_VERSION),
        Column("parent_code", Type.TEXT, "code of the unit above then; NULL for a root", made_from=_TOLD),
        Column("valid_from", Type.INSTANT, "start of the first call with this name and parent", made_from=_VERSION),
        Column(
            "valid_to",
            Type.INSTANT,
            "start of the first call with the next ones; NULL for the last known",
            made_from=_VERSION,
        ),
        Column("latest_name", Type.TEXT, "its last known name", made_from=_VERSION),
    ),
)
