"""Records that could not be read, set aside as they came."""

from herobase_pipeline.tables.schema import Column, Holds, Table, Type

UNREADABLE = Table(
    name="unreadable",
    description="Records from HeroBase that could not be read, so they are in no other table, on the day that was asked for. A "
    "day without a file had none. Their text may identify customers: private.",
    grain="one row a record that was set aside",
    daily=True,
    snapshot=True,
    private=True,
    order="service, reason, text",
    columns=(
        Column("service", Type.TEXT, "the service that gave it, by its path in the API"),
        Column("day", Type.DAY, "local day that was asked for"),
        Column("reason", Type.TEXT, "why it could not be read"),
        Column("text", Type.TEXT, "the record as it came", holds=Holds.TEXT),
        Column("observed_at", Type.INSTANT, "when it was pulled first"),
    ),
)
