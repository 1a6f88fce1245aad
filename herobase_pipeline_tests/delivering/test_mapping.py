"""From a lead to what is sent, in the fixed order: pick, static, regex_remove, trim, value map, type, max_length, required."""

import datetime as dt

import pytest

from herobase_pipeline.delivering.declarations import Delivery, FieldMapping
from herobase_pipeline.delivering.mapping import Lead, mapped

TODAY = dt.date(2026, 11, 20)
FIELDS = {
    "Email": " Max@Example.org ",
    "By": "Århus",
    "Telefon": "+45 20 30 40 50",
    "Beløb": "1234,5",
    "Antal": "12",
    "Dato": "31-12-2026",
    "Tom": "  ",
    "Ja": "Ja",
    "Lang": "x" * 20,
}
COLUMNS = {
    "agent": "MB1.A12",
    "org_path": ["HQ", "MB1"],
    "closed_at": dt.datetime(2026, 11, 19, 10, 30, tzinfo=dt.UTC),
    "closed_date": dt.date(2026, 11, 19),
    "erased": False,
    "closing_call_id": None,
}


def value(**words):
    """What one field becomes, or the rule that it breaks."""
    delivery = Delivery(
        name="x",
        destination="hero",
        deliver_from=TODAY,
        field_mappings=(FieldMapping(field_name="it", **words),),
        value_mappings={"by": {"Århus": "Aarhus"}},
    )
    found = mapped(delivery, Lead("L1", FIELDS, COLUMNS), TODAY)
    return found.broken[0].removeprefix("it: ") if found.broken else found.body.get("it")


@pytest.mark.parametrize(
    ("words", "becomes"),
    [
        ({"lead_field": "Email"}, "Max@Example.org"),
        ({"lead_field": "email "}, "Max@Example.org"),  # HeroBase's services differ in upper and lower case
        ({"lead_field": "Nowhere"}, None),
        ({"lead_field": "Tom"}, None),
        ({"lead_field": "Tom", "static_value": "none"}, "none"),
        ({"lead_field": "Email", "static_value": "none"}, "Max@Example.org"),
        ({"static_value": 3}, "3"),
        ({"static_value": 3, "value_type": "Integer"}, 3),
        ({"static_value": True, "value_type": "Boolean"}, True),
        ({"static_value_key": "date_today"}, "2026-11-20"),
        ({"column": "agent"}, "MB1.A12"),
        ({"column": "org_path"}, "HQ › MB1"),
        ({"column": "closed_at"}, "2026-11-19T10:30:00+00:00"),
        ({"column": "closed_date", "value_type": "Date"}, "2026-11-19"),
        ({"column": "erased", "value_type": "Boolean"}, False),
        ({"column": "closing_call_id"}, None),
        ({"lead_field": "Telefon", "regex_remove": r"\s|^\+45"}, "20304050"),
        ({"lead_field": "By", "value_mapping_name": "by"}, "Aarhus"),
        ({"lead_field": "Email", "value_mapping_name": "by"}, "its value is not in value_mappings.by"),
        ({"lead_field": "Tom", "value_mapping_name": "by"}, None),
        ({"lead_field": "Beløb", "value_type": "Number"}, 1234.5),
        ({"lead_field": "By", "value_type": "Number"}, "it is no Number"),
        ({"lead_field": "Antal", "value_type": "Integer"}, 12),
        ({"lead_field": "Beløb", "value_type": "Integer"}, "it is no Integer"),
        ({"lead_field": "Dato", "value_type": "Date"}, "2026-12-31"),
        ({"lead_field": "Antal", "value_type": "Date"}, "it is no Date"),
        ({"lead_field": "Ja", "value_type": "Boolean"}, True),
        ({"lead_field": "Lang", "max_length": 20}, "x" * 20),
        ({"lead_field": "Lang", "max_length": 19}, "it is longer than max_length, 19"),
        ({"lead_field": "Lang", "max_length": 1, "regex_remove": "x{19}"}, "x"),
        ({"lead_field": "Tom", "required": True}, "it is required, and empty"),
        ({"lead_field": "Email", "regex_remove": ".*", "required": True}, "it is required, and empty"),
        ({"column": "erased", "value_type": "Boolean", "required": True}, False),
    ],
)
def test_a_field_is_filled_in_the_fixed_order(words, becomes):
    found = value(**words)
    assert (found, type(found)) == (becomes, type(becomes))


def test_dots_lead_into_objects_and_what_is_empty_is_left_out():
    mappings = [
        FieldMapping(field_name="customer.email", lead_field="Email"),
        FieldMapping(field_name="customer.title", lead_field="Tom"),
        FieldMapping(field_name="address.city", lead_field="By"),
        FieldMapping(field_name="projectaddress.city", lead_field="Nowhere"),
    ]
    delivery = Delivery(name="x", destination="hero", deliver_from=TODAY, field_mappings=tuple(mappings))
    assert mapped(delivery, Lead("L1", FIELDS, COLUMNS), TODAY).body == {
        "customer": {"email": "Max@Example.org"},
        "address": {"city": "Århus"},
    }


def test_a_broken_rule_says_nothing_of_the_customer():
    found = [value(lead_field=name, value_type="Date", max_length=1) for name in FIELDS]
    assert not [
        text
        for text in found
        for told in FIELDS.values()
        if told.strip() and text and told.strip() in text and len(told) > 3
    ]


@pytest.mark.parametrize(("kind", "rule"), [("Integer", "it is no Integer"), ("Number", "it is no Number")])
def test_a_number_that_no_machine_holds_breaks_the_rule_and_nothing_else(kind, rule):
    FIELDS["Lang tal"] = "9" * 5_000
    assert value(lead_field="Lang tal", value_type=kind) == rule
