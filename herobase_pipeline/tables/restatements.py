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

RESTATEMENTS = Table(
    name="restatements",
    description="Each number of a published day that a later run changed: a call that came late, a lead that was re-opened "
    "or classified anew (trap T12). Only ever grows. A day is published once its numbers are mature.",
    grain="one row a change of a number",
    columns=(
        Column("restated_at", Type.INSTANT, "when the table was written with the new value"),
        Column("table_name", Type.TEXT, f"the table: {', '.join(published.table.name for published in PUBLISHED)}"),
        Column("day", Type.DAY, "the published day"),
        Column("org_level", Type.COUNT, "depth of the node; 0 is everything"),
        Column("org_key", Type.TEXT, "org codes of the node joined by ' › '"),
        Column("org_name", Type.TEXT, "the node's name at that time"),
        Column("campaign_id", Type.TEXT, "the campaign"),
        Column("category", Type.TEXT, "the end cause or closure"),
        Column("measure", Type.TEXT, "the column that changed"),
        Column("old_value", Type.NUMBER, "what it was; 0 where there was no row"),
        Column("new_value", Type.NUMBER, "what it became"),
    ),
)
