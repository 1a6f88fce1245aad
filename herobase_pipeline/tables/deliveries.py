"""What is handed on to other systems: what is planned, what became of it, and what was said (trap T39)."""

from collections.abc import Sequence

from herobase_pipeline.tables.schema import HASH, Column, Holds, Table, Type, of


def _delivery(made_from: Sequence[str] = ()) -> Column:
    return Column("delivery", Type.TEXT, "name of the file in deliveries", made_from=tuple(made_from))


_DESTINATION = Column("destination", Type.TEXT, "the system that it goes to")
_KEY = Column(
    "key",
    Type.TEXT,
    "keyed hash of destination, account, lead and closure, never of what is sent: one key is sent once",
    length=HASH,
)


def _lead(made_from: Sequence[str], and_else: str = "") -> Column:
    return Column(
        "lead_id",
        Type.TEXT,
        f"HeroBase's id of the lead; of an erased one a keyed hash that begins with erased-{and_else}",
        made_from=tuple(made_from),
        holds=Holds.LEAD,
    )


_DECIDES = (
    of("leads", "status closure campaign_id campaign_code closed_at closed_date erased")
    + of("lead_data", "data custom_data")
    + of("search_lead_data", "data custom_data")
    + of("raw_leads", "field_name field_value")
    + of("lead_fields", "declaration")
)

DELIVERY_PLAN = Table(
    name="delivery_plan",
    description="What each delivery would do with each lead that was closed as it asks for, and why.",
    grain="one row a delivery and lead",
    order="delivery, lead_id",
    columns=(
        _delivery(),
        _lead(of("leads", "lead_id closure")),
        Column(
            "decision",
            Type.TEXT,
            "send: with the next run, if the delivery is live; done: it is in deliveries; invalid: the lead breaks a rule of the "
            "mapping; not_yet: it waits; not_eligible: it is never sent",
            made_from=_DECIDES,
        ),
        Column("reason", Type.TEXT, "why, without anything of the customer", made_from=_DECIDES),
    ),
)

DELIVERIES = Table(
    name="deliveries",
    description="Every lead that was handed on, or may have been: the latest state of each. And the mappings of fields "
    "that Heron was given.",
    grain="one row a key",
    order="delivery, first_tried_at, key",
    columns=(
        _delivery(of("delivery_plan", "delivery")),
        _DESTINATION,
        _lead(of("delivery_plan", "lead_id"), "; NULL: the mappings of a file"),
        _KEY,
        Column(
            "state",
            Type.TEXT,
            "delivered; rejected by the destination; unknown: it may or may not have arrived, and is never sent again by itself; "
            "needs_action: it was delivered and is another since, so a person decides",
            made_from=of("delivery_plan", "decision"),
        ),
        Column("attempts", Type.COUNT, "requests that were made for it"),
        Column("remote_id", Type.TEXT, "what the destination calls it, where it says so"),
        Column("reason", Type.TEXT, "why it is in this state, without anything of the customer"),
        Column("first_tried_at", Type.INSTANT, "when it was first tried"),
        Column("last_tried_at", Type.INSTANT, "when something last became of it"),
    ),
)

DELIVERY_PAYLOADS = Table(
    name="delivery_payloads",
    description="Every step of every delivery, with what was sent and what the destination said of it. Only ever grows, but for "
    "erased persons. Private.",
    grain="one row an event",
    private=True,
    order="happened_at, key, state",
    columns=(
        Column("happened_at", Type.INSTANT, "when it happened"),
        _delivery(of("delivery_plan", "delivery")),
        _DESTINATION,
        _lead(of("delivery_plan", "lead_id"), "; NULL: the mappings of a file"),
        _KEY,
        Column(
            "state",
            Type.TEXT,
            "as in deliveries; sending: the request is about to leave; not_sent: it did not",
            made_from=of("delivery_plan", "decision"),
        ),
        Column("attempts", Type.COUNT, "requests that were made for it"),
        Column("remote_id", Type.TEXT, "what the destination calls it, where it says so"),
        Column("reason", Type.TEXT, "why, without anything of the customer"),
        Column("said", Type.TEXT, "the destination's own words", holds=Holds.TEXT),
        Column("body", Type.TEXT, "what was sent, as JSON; with the event sending", holds=Holds.TEXT),
    ),
)
