"""The fields of leads as typed columns: what every lead has. What is declared comes beside it, see ``fields.columns``."""

from herobase_pipeline.tables.leads import of_versions
from herobase_pipeline.tables.schema import Column, Holds, Table, Type, of

_OF_LEADS = of("lead_data", "lead_id") + of("search_lead_data", "lead_id") + of("raw_leads", "lead_id")

LEAD_FIELDS = Table(
    name="lead_fields",
    description="The fields of each lead that are declared, as typed columns, as its latest version has them. What is no "
    "number, date and so on stands beside it, in the column with _raw behind its name. Identifies customers: private.",
    grain="one row a lead that is not erased",
    private=True,
    order="lead_id",
    columns=(
        Column("lead_id", Type.TEXT, "HeroBase's id of the lead", made_from=_OF_LEADS, holds=Holds.LEAD),
        Column(
            "last_modified_at",
            Type.INSTANT,
            "when the version came to be that the fields are of",
            made_from=of("lead_data", "last_modified_at") + of("search_lead_data", "last_modified_at"),
        ),
        Column(
            "declaration",
            Type.TEXT,
            "the file of declared fields it was read by; NULL where none is for its campaign",
            made_from=of_versions("campaign_id campaign_code last_modified_at observed_at")
            + of("calls", "campaign_id campaign_code started_at call_id")
            + of("campaigns", "campaign_id campaign_code project observed_at"),
        ),
        Column("declaration_version", Type.COUNT, "that file's version", made_from=()),
    ),
)
"""What every lead has; ``fields.columns.typed`` adds what is declared."""
