"""How the texts of fields are read (trap T32)."""

import datetime as dt
import json
import unicodedata
from collections.abc import Iterator

import duckdb
import pytest

from herobase_pipeline.fields.census import Finding
from herobase_pipeline.fields.columns import MACROS, typed
from herobase_pipeline.fields.declarations import declaration
from herobase_pipeline.fields.projection import project
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.tables import CAMPAIGNS, LEAD_DATA, SIMPLE_LEADS
from herobase_pipeline_tests.tables.making import DAY, ZONE, at, fill, read, temporary_lake, version


@pytest.fixture(scope="module")
def con(tmp_path_factory) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(ZONE, tmp_path_factory.mktemp("spool")) as con:
        con.execute(MACROS)
        yield con


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        ("da_number", "12,5", 12.5),
        ("da_number", "1.234,50", 1234.5),
        ("da_number", "12.345.678", 12345678.0),
        ("da_number", "1 234,50", 1234.5),
        ("da_number", "1\u00a0234", 1234.0),
        ("da_number", " 7 ", 7.0),
        ("da_number", "0", 0.0),
        ("da_number", "-3", -3.0),
        ("da_number", "", None),
        ("da_number", "n/a", None),
        ("da_number", "1,234.50", None),
        ("da_number", "14.15", None),
        ("da_number", "1e5", None),
        ("da_number", "inf", None),
        ("da_number", "9" * 400, None),
        ("da_number", "0.123", None),
        ("da_number", "000.123", None),
        ("da_number", "1\u202f234,50\u200b", 1234.5),
        ("da_number", "\u22123,5", -3.5),
        ("en_number", "0,123", None),
        ("en_number", "0.123", 0.123),
        ("en_number", "1,234.50", 1234.5),
        ("en_number", "12.5", 12.5),
        ("en_number", "12,5", None),
        ("en_number", "1.234,50", None),
        ("da_date", "31-12-2026", dt.date(2026, 12, 31)),
        ("da_date", "1-2-2026", dt.date(2026, 2, 1)),
        ("da_date", "2026-12-31", dt.date(2026, 12, 31)),
        ("da_date", "31.12.2026", dt.date(2026, 12, 31)),
        ("da_date", "31/12-2026", dt.date(2026, 12, 31)),
        ("da_date", "31-12-2026 00:00:00", dt.date(2026, 12, 31)),
        ("da_date", "2026-12-31T00:00:00.0000000", dt.date(2026, 12, 31)),
        ("da_date", "31-02-2026", None),
        ("da_date", "31-12-26", None),
        ("da_date", "12-31-2026", None),
        ("da_date", "31-12-2026 09:30", None),
        ("da_date", "1-1-0000", None),
        ("da_date", "0001-01-01T00:00:00", None),
        ("da_date", "31-12-9999", None),
        ("da_date", "\u202f31-12-2026\ufeff", dt.date(2026, 12, 31)),
        ("en_date", "2026-12-31", dt.date(2026, 12, 31)),
        ("en_date", "1/2/2026", None),
        ("da_flag", "Ja", True),
        ("da_flag", "JA ", True),
        ("da_flag", "nej", False),
        ("da_flag", "1", True),
        ("da_flag", "Ja tak", None),
        ("da_flag", "", None),
        ("en_flag", "YES", True),
        ("en_flag", "Ja", None),
        ("da_instant", "31-12-2026 09:30", dt.datetime(2026, 12, 31, 8, 30, tzinfo=dt.UTC)),
        ("da_instant", "2026-07-01T09:30:00Z", dt.datetime(2026, 7, 1, 9, 30, tzinfo=dt.UTC)),
        ("da_instant", "kl. 13", None),
        ("da_instant", "31/12-2026 09:30", dt.datetime(2026, 12, 31, 8, 30, tzinfo=dt.UTC)),
        ("da_instant", "31-12-2026 09.30.15", dt.datetime(2026, 12, 31, 8, 30, 15, tzinfo=dt.UTC)),
        ("da_instant", "31-12-9999 00:00", None),
        ("en_instant", "0001-01-01T00:00:00", None),
        ("plain", " \tx\u00a0\n", "x"),
        ("plain", "  ", None),
    ],
)
def test_t32_a_text_is_read_by_its_locale(con, reader, text, value):
    given = "$1" if reader == "plain" else "plain($1)"
    assert con.execute(f"SELECT {reader}({given})", [text]).fetchall() == [(value,)]


SALES = """
version = 2
campaigns = ["one*"]
left_out = ["Telefon"]
[fields]
"Løn / år" = { column = "salary", type = "number" }
"Solgt" = { column = "sold", type = "flag", formerly = ["5G 'solgt'"] }
"Ordre" = { column = "order_id" }
"Dato" = { column = "on_day", type = "date", unreadable = "drop" }
"""


def projected(leads, text=SALES, campaigns=(), more=()):
    """What becomes of leads, each (id, data, custom_data, columns of its version)."""
    files = [declaration("sales", text.encode(), "sales.toml"), *more]
    with temporary_lake() as lake:
        fill(lake, SIMPLE_LEADS, [version(m, i, **columns) for i, m, _, _, columns in leads], DAY)
        given = [{"lead_id": i, "last_modified_at": m, "data": d, "custom_data": c} for i, m, d, c, _ in leads]
        fill(lake, LEAD_DATA, given, DAY)
        if campaigns:
            fill(lake, CAMPAIGNS, campaigns, DAY)
        result = project(lake, ZONE, files)
        return result, {row["lead_id"]: row for row in read(lake, typed(files))}


def lead(name, data, custom=None, modified=None, **columns):
    return (name, modified or at("10:00"), data, custom, columns)


def test_t32_fields_come_and_go_and_are_spelled_anyhow():
    result, rows = projected(
        [
            lead("a", '{"Løn / år":"1.234,50","Solgt":"JA ","Telefon":"22334455"}', '{"ordre":"X1"}'),
            lead("b", '{"løn / ÅR ":"12,5","5G \'solgt\'":"nej","Dato":"31-12-2026"}'),
            lead("c", '{"Løn / år":"n/a","Solgt":"","Ny ting":"x","ny TING":"y","Dato":"i morgen"}'),
            lead("d", "not JSON at all"),
            lead("e", '{"Løn / år":"7"}', campaign_code="Other", campaign_id="C9"),
            lead("f", '{"Løn / år":"7"}', status="Anonymized"),
        ]
    )
    told = {i: (r["salary"], r["salary_raw"], r["sold"], r["order_id"], r["on_day"]) for i, r in rows.items()}
    assert told == {
        "a": (1234.5, None, True, "X1", None),
        "b": (12.5, None, False, None, dt.date(2026, 12, 31)),
        "c": (None, "n/a", None, None, None),
        "d": (None, None, None, None, None),
        "e": (None, None, None, None, None),
        "f": (None, None, None, None, None),
    }
    assert "on_day_raw" not in rows["a"]
    assert {(r["declaration"], r["declaration_version"]) for i, r in rows.items() if i != "e"} == {("sales", 2)}
    assert (rows["e"]["declaration"], result.rows, result.undeclared_rows) == (None, 6, 1)
    assert {line.column: (line.filled, line.unreadable) for line in result.fields} == {
        "salary": (3, 1), "sold": (2, 0), "order_id": (1, 0), "on_day": (2, 1)
    }  # fmt: skip
    assert set(result.findings) == {
        Finding(DAY, "campaign", "", "Other", 1),
        Finding(DAY, "new", "sales", "Ny ting", 1),
        Finding(DAY, "unreadable", "sales", "", 1),
    }


def test_the_latest_version_counts_and_one_that_was_emptied_stays_empty():
    _, rows = projected(
        [
            lead("a", '{"Ordre":"old"}'),
            lead("a", '{"Ordre":"new"}', modified=at("11:00")),
            lead("b", '{"Ordre":"x"}'),
            lead("b", "{}"),
            lead("c", '{"Ordre":"x"}'),
            lead("c", None),
            lead("d", '{"Ordre":"x"}', '{"Solgt":"Ja"}'),
            lead("d", '{"Ordre":""}'),
            lead("e", '{"Ordre":"1"}', '{"Solgt":"nej"}'),
            lead("e", '{"Ordre":"2"}', '{"Solgt":"Ja"}'),
        ]
    )
    assert rows["a"]["order_id"] == "new"
    assert rows["a"]["last_modified_at"] == at("11:00")
    assert {rows[emptied]["order_id"] for emptied in "bcd"} == {None}
    assert rows["d"]["sold"] is None
    assert (rows["e"]["order_id"], rows["e"]["sold"]) in {("1", False), ("2", True)}  # of one of them


def test_the_present_name_comes_before_former_ones_wherever_it_stands():
    _, rows = projected(
        [lead("a", '{"5G \'solgt\'":"nej"}', '{"Solgt":"Ja"}'), lead("b", '{"Solgt":"","5G \'solgt\'":"nej"}')]
    )
    assert (rows["a"]["sold"], rows["b"]["sold"]) == (True, False)


def test_a_number_of_json_itself_has_a_point_in_any_locale():
    _, rows = projected(
        [lead("a", '{"Løn / år":1.234}'), lead("b", '{"Løn / år":1234}'), lead("c", '{"Løn / år":"1.234"}')]
    )
    assert {i: row["salary"] for i, row in rows.items()} == {"a": 1.234, "b": 1234, "c": 1234}


def test_a_column_may_have_the_name_of_what_reads_it():
    fields = '"A" = { column = "da_number", type = "number" }\n"B" = { column = "data_texts" }'
    text = f'version = 1\ncampaigns = ["*"]\n[fields]\n{fields}'
    _, rows = projected([lead("a", '{"A":"1,5","B":"x"}')], text)
    assert (rows["a"]["da_number"], rows["a"]["data_texts"]) == (1.5, "x")


def test_500_fields_of_one_lead_are_columns():
    declared = "\n".join(
        f'"F{n}" = {{ column = "f{n}", type = "{("number", "date", "flag", "text")[n % 4]}" }}' for n in range(500)
    )
    data = json.dumps({f"F{n}": ("1,5", "31-12-2026", "Ja", "x")[n % 4] for n in range(500)})
    _, rows = projected([lead("a", data)], f'version = 1\ncampaigns = ["*"]\n[fields]\n{declared}')
    assert [rows["a"][f"f{n}"] for n in range(496, 500)] == [1.5, dt.date(2026, 12, 31), True, "x"]


def test_campaigns_and_fields_are_the_same_however_their_signs_are_made():
    text = SALES.replace("one*", "Indgående*").replace("Ordre", "Årsag")
    spelled = unicodedata.normalize("NFD", "Årsag")
    code = unicodedata.normalize("NFD", " INDGÅENDE 1 ")
    result, rows = projected([lead("a", json.dumps({spelled: "x"}), campaign_code=code)], text)
    assert rows["a"]["order_id"] == "x"
    assert [found for found in result.findings if found.what in ("new", "campaign")] == []


def test_a_field_that_no_lead_of_late_has_has_vanished():
    fields = '"Løn / år":"1","Solgt":"Ja","Dato":""'
    result, _ = projected(
        [lead("old", f'{{{fields},"Ordre":"x"}}', modified=at("10:00", -40)), lead("new", f"{{{fields}}}")]
    )
    assert result.findings == [Finding(DAY - dt.timedelta(40), "vanished", "sales", "Ordre", 1)]


def test_a_declared_name_is_told_however_long():
    name = "Hvor mange personer bor der i husstanden i alt, børn under 18 år medregnet (2026)?"
    result, _ = projected([lead("a", "{}")], SALES.replace("Ordre", name))
    assert name in {found.name for found in result.findings if found.what == "vanished"}


def test_a_name_that_looks_like_a_number_or_an_address_is_withheld():
    result, _ = projected([lead("a", '{"22 33 44 55":"x","a@b.dk":"y"}')])
    assert {found.name for found in result.findings if found.what == "new"} == {"(withheld)"}


def test_a_file_may_be_for_projects_once_the_campaigns_are_loaded():
    text = SALES.replace('campaigns = ["one*"]', 'projects = ["ny*salg"]')
    listed = [
        {"campaign_id": "C1", "campaign_code": "One", "project": project, "observed_at": at("01:00", day)}
        for day, project in enumerate(["Other", "Ny Øst Salg"])
    ]
    _, rows = projected([lead("a", '{"Ordre":"x"}')], text, listed)
    assert rows["a"]["order_id"] == "x"
    with pytest.raises(Exception, match=r"campaigns is not loaded for any day\. Materialize campaigns first"):
        projected([lead("a", '{"Ordre":"x"}')], text)


def test_a_campaign_of_two_files_is_an_error_in_a_sentence():
    other = declaration("other", SALES.replace("one*", "*").encode(), "other.toml")
    with pytest.raises(Exception, match=r"The campaign One is in other\.toml and sales\.toml"):
        projected([lead("a", "{}")], more=[other])


def test_without_any_file_every_lead_has_its_row_and_nothing_is_wrong():
    with temporary_lake() as lake:
        fill(lake, SIMPLE_LEADS, [version(at("10:00"), "a")], DAY)
        fill(lake, LEAD_DATA, [{"lead_id": "a", "last_modified_at": at("10:00"), "data": "{}"}], DAY)
        result = project(lake, ZONE, [])
        assert (result.rows, result.undeclared_rows, result.findings) == (1, 1, [])
