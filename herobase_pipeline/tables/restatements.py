"""What was published and then changed: the record of it."""

from dataclasses import dataclass

from herobase_pipeline.tables.conversion import LEAD_CONVERSION
from herobase_pipeline.tables.outcomes import CALL_OUTCOMES
from herobase_pipeline.tables.schema import Column, Table, Type


@dataclass(frozen=True)
class Published:
    """A table whose numbers people have seen, and by what they know them.

    Attributes:
        table: the table.
        day: its column of the day.
        category: its column of what is counted apart within a node and campaign.

    """

    table: Table
    day: str
    category: str


PUBLISHED = (Published(CALL_OUTCOMES, "date", "end_cause"), Published(LEAD_CONVERSION, "closed_date", "closure"))


def _of_each(name: str) -> tuple[str, ...]:
    """Return a column of each published table, by its name or by what it is to ``Published``."""
    return tuple(f"{published.table.name}.{getattr(published, name, name)}" for published in PUBLISHED)


_NUMBERS = _of_each("is_mature") + tuple(
    f"{published.table.name}.{column.name}" for published in PUBLISHED for column in published.table if column.additive
)

RESTATEMENTS = Table(
    name="restatements",
    description="Each number of a published day that a later run changed: a call that came late, a lead that was re-opened "
    "or classified anew. Only ever grows. A day is published once its numbers are mature.",  # trap T12
    grain="one row a change of a number",
    columns=(
        Column("restated_at", Type.INSTANT, "when the table was written with the new value"),
        Column("run_id", Type.TEXT, "Dagster's run that wrote it; NULL in files from before it was kept"),
        Column(
            "cause", Type.TEXT, "what the run had that the one before had not: which tables were pulled, and by what"
        ),
        Column("table_name", Type.TEXT, f"the table: {', '.join(published.table.name for published in PUBLISHED)}"),
        Column("day", Type.DAY, "the published day", made_from=_of_each("day")),
        Column("org_level", Type.COUNT, "depth of the node; 0 is everything", made_from=_of_each("org_level")),
        Column("org_key", Type.TEXT, "org codes of the node joined by ' › '", made_from=_of_each("org_key")),
        Column("org_name", Type.TEXT, "the node's name at that time", made_from=_of_each("org_name")),
        Column("campaign_id", Type.TEXT, "the campaign", made_from=_of_each("campaign_id")),
        Column("category", Type.TEXT, "the end cause or closure", made_from=_of_each("category")),
        Column("measure", Type.TEXT, "the column that changed"),
        Column("old_value", Type.NUMBER, "what it was; 0 where there was no row", made_from=_NUMBERS),
        Column("new_value", Type.NUMBER, "what it became", made_from=_NUMBERS),
    ),
)
