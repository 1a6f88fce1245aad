"""Who asked to be forgotten: the register of keyed hashes, and what was done for each person."""

from herobase_pipeline.tables.schema import HASH, Column, Table, Type

FOUND = "found in"
"""How a proof says that something is left, before it says where."""
_SOURCE = Column("source", Type.TEXT, "status: HeroBase says Anonymized; list: handed over by hand")
_ASKED_AT = Column("asked_at", Type.INSTANT, "when the person was anonymized in HeroBase, or the list was written")

ERASED = Table(
    name="erased",
    description="The register of erased persons: keyed hashes of their lead ids, numbers and addresses, by which every writer "
    "leaves them out. Only ever grows. Private.",
    grain="one row an identifier of a person",
    private=True,
    order="person, kind, identifier",
    columns=(
        Column("person", Type.TEXT, "keyed hash of what the person was named by: a lead id, or a phone number"),
        Column("kind", Type.TEXT, "what the identifier is of: lead, phone or mail"),
        Column("identifier", Type.TEXT, "its keyed hash", length=HASH),
        Column(
            "is_asked",
            Type.FLAG,
            "whatever has it is erased; else it was found in rows of the person, and only tells rows without a lead",
        ),
        _SOURCE,
        _ASKED_AT,
        Column("seen_at", Type.INSTANT, "when the identifier was registered"),
    ),
)

ERASURES = Table(
    name="erasures",
    description="Who was erased, and the proof that they are gone (GDPR Art. 17). Nobody can be told from a row without the key "
    "of HEROBASE_PII_KEY and what the person was named by.",
    grain="one row a person",
    order="seen_at, person",
    columns=(
        Column(
            "person",
            Type.TEXT,
            "keyed hash of what the person was named by. A lead's stands behind erased- as lead_id in other tables",
        ),
        _ASKED_AT,
        _SOURCE,
        Column("seen_at", Type.INSTANT, "when it was seen here"),
        Column("done_at", Type.INSTANT, "when every file that held the person was rewritten; NULL while one is not"),
        Column("files_rewritten", Type.COUNT, "files that held the person"),
        Column("proof", Type.TEXT, "what the last scan looked at and found; NULL before the first scan"),
    ),
)
