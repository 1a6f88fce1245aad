"""What is wrong with the lake today."""

from herobase_pipeline.tables.schema import Column, Table, Type

HEALTH = Table(
    name="health",
    description="What is wrong today, in words: a row for each check that fails, with the days, since when and what to do. Empty "
    "when all is well.",
    grain="one row a check that fails",
    order='severity, table_name, "check"',
    columns=(
        Column("check", Type.TEXT, "the check's name"),
        Column("table_name", Type.TEXT, "the table it is of"),
        Column("severity", Type.TEXT, "ERROR where a number is wrong or missing, WARN where a person should look"),
        Column("days", Type.DAYS, "the offending days, in order"),
        Column("since", Type.INSTANT, "when it was found first; it has been found at each look since"),
        Column("message", Type.TEXT, "what was found, and what to do"),
    ),
)
