"""The spreadsheet: its counts are those of the world, its formulas are made of counts, and no name is run."""

import csv
import datetime as dt
import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

import herobase_pipeline as hb
from herobase_pipeline.cells import harmless
from herobase_pipeline.enums import CallEndCause, LeadClosure
from herobase_pipeline.lake import reports
from herobase_pipeline.lake.catalogue import refresh
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import empty, write
from herobase_pipeline.reading import weekly, workbook
from herobase_pipeline.tables import CALL_OUTCOMES, LEAD_CONVERSION
from herobase_pipeline_tests import second
from herobase_pipeline_tests.conftest import Centre, centres, failure

pytestmark = pytest.mark.slow
AT = dt.datetime(2026, 11, 23, 5, 30, tzinfo=dt.UTC)  # Monday, half past six in Copenhagen
FIRST, LAST, GAP = dt.date(2026, 11, 9), dt.date(2026, 11, 22), dt.date(2026, 11, 18)
WEEKS = [dt.date(2026, 10, 19) + dt.timedelta(weeks=n) for n in range(5)]
Z = 1.959963984540054
CAUSES = [cause.name for cause in CallEndCause][1:]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """Two weeks, of which a day is missing, and the workbook of Monday morning."""
    with pytest.MonkeyPatch.context() as patch, centres(tmp_path_factory.mktemp("centre"), patch) as start:
        here = start(now=AT, calls_per_day=120)
        patch.setattr(weekly, "utcnow", lambda: AT)
        by_day = "calls,private/call_phones,simple_leads,private/lead_data,call_outcomes"
        here.load(by_day, str(FIRST), str(GAP - second.DAY))
        here.load(by_day, str(GAP + second.DAY), str(LAST))
        here.load("campaigns,leads,lead_conversion,workbook")
        yield here


def file(here: Centre, name: str) -> Path:
    return reports.file(here.lake, "workbook", "2026-11-23", name)


def book(path: Path, *, values: bool = True) -> openpyxl.Workbook:
    with warnings.catch_warnings(action="error"):
        return openpyxl.load_workbook(path, data_only=values)


def table(sheet: Worksheet) -> list[dict[str, Any]]:
    """The rows of a sheet by their headings, of which the first of a name counts."""
    heads, *rows = sheet.iter_rows(values_only=True)
    return [dict(reversed(list(zip(heads, row, strict=True)))) for row in rows]


def days() -> list[dt.date]:
    return [FIRST + n * second.DAY for n in range((LAST - FIRST).days + 1) if FIRST + n * second.DAY != GAP]


@pytest.fixture(scope="module")
def seen(loaded) -> second.Seen:
    return second.observed(loaded.world, loaded.settings.zone, [(day, AT) for day in days()])


def monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())


def team_of(names: tuple[str, ...]) -> str:
    return names[-1] if names else "(no team)"


# -- numbers -------------------------------------------------------------------------------------------------------------


def test_outcomes_are_those_of_the_world_by_week_and_team(loaded, seen):
    expected: Counter = Counter()
    for call in filter(second.is_dial, seen.all_calls):
        key = monday(seen.day(call.start)), team_of(call.org_names)
        expected[(*key, "dials")] += 1
        if seen.settled(call):
            expected[(*key, call.end_cause.name)] += 1
    *rows, last = table(book(file(loaded, "workbook.xlsx"))["outcomes"])
    heads = {"dials": "dials", **dict.fromkeys(CAUSES)}
    heads |= {name: next(head for head in rows[0] if str(head).startswith(name)) for name in CAUSES}
    found = {
        (row["week from"].date(), row["team"], name): row[head]
        for row in rows
        for name, head in heads.items()
        if row[head]
    }
    assert found == {key: number for key, number in expected.items() if key[2] in heads and number}
    assert len(found) > 30
    for name, head in heads.items():
        assert last[head] == sum(number for key, number in expected.items() if key[2] == name)


def test_conversion_is_that_of_the_world_by_week_and_team(loaded, seen):
    expected: Counter = Counter()
    for lead in second.leads(seen):
        if lead["closed_date"] in days():
            expected[monday(lead["closed_date"]), team_of(lead["org_names"]), lead["closure"]] += 1
    *rows, last = table(book(file(loaded, "workbook.xlsx"))["conversion"])
    heads = {
        closure.name: next(head for head in rows[0] if str(head).startswith(closure.name)) for closure in LeadClosure
    }
    found = {
        (row["week from"].date(), row["team"], name): row[head]
        for row in rows
        for name, head in heads.items()
        if row[head]
    }
    assert found == {key: number for key, number in expected.items() if number}
    assert len(found) > 20
    by_closure = Counter()
    for (_, _, closure), number in expected.items():
        by_closure[closure] += number
    yes, no = by_closure["Success"], by_closure["NotInterested"]
    assert last["conversion_net"] == pytest.approx(yes / (yes + no))


def test_rates_are_those_that_metrics_gives(loaded):
    """The registry's own reading of the same lake, by a way that has no formulas."""
    with warnings.catch_warnings(action="ignore"):
        for name, source, names in (
            ("outcomes", "call_outcomes", ("answer_rate_per_dial", "contact_rate_per_dial", "voicemail_rate_per_dial")),
            ("conversion", "lead_conversion", ("conversion_net", "conversion_per_lead_closed")),
        ):
            frame = hb.labelled(hb.read(source, FIRST, LAST, level="leaf", data_dir=loaded.lake.root))
            frame = frame[frame.iloc[:, 0].dt.date.isin(days())]
            *rows, _ = table(book(file(loaded, "workbook.xlsx"))[name])
            for metric in names:
                told = hb.metrics(frame, metric, by=["week", "unit"]).dropna(subset=["rate"])
                expected = {(row.week.date(), row.unit): row.rate for row in told.itertuples()}
                found = {
                    (row["week from"].date(), row["team"]): row[metric]
                    for row in rows
                    if isinstance(row[metric], int | float)
                }
                assert set(found) == set(expected), metric
                assert found == pytest.approx(expected)
                assert len(found) > 10


def evaluated(sheet: Worksheet) -> dict[str, Any]:
    """All cells of a sheet, with what their formulas give: sums, quotients and Wilson's ends."""
    cells = {cell.coordinate: cell.value for row in sheet.iter_rows() for cell in row}

    def value(name: str) -> float:
        given = cells[name]
        return float(compute(given) if isinstance(given, str) else given or 0)

    def compute(formula: str) -> float | str:
        if added := re.fullmatch(r"=SUM\(([A-Z]+)(\d+):\1(\d+)\)", formula):
            return sum(value(f"{added[1]}{row}") for row in range(int(added[2]), int(added[3]) + 1))
        if chosen := re.fullmatch(r'=IF\(([A-Z]+\d+)>0,(.*),""\)', formula):
            return arithmetic(chosen[2]) if value(chosen[1]) > 0 else ""
        return arithmetic(formula.removeprefix("="))

    def arithmetic(text: str) -> float:
        text = re.sub(r"\b[A-Z]+\d+\b", lambda cell: repr(value(cell[0])), text.replace("z_95", str(Z)))
        assert re.fullmatch(r"[-+*/^().\de]|(?:[-+*/^().\de]|SQRT)+", text), text
        ((result,),) = duckdb.execute(
            f"SELECT ({text})::DOUBLE"
        ).fetchall()  # whose ^ is a power, and / no whole division
        return float(result)

    return {name: compute(v) if isinstance(v, str) and v.startswith("=") else v for name, v in cells.items()}


@pytest.mark.parametrize("name", ["outcomes", "conversion"])
def test_each_formula_gives_what_is_kept_beside_it_and_none_is_made_of_rates(loaded, name):
    formulas = book(file(loaded, "workbook.xlsx"), values=False)[name]
    kept = book(file(loaded, "workbook.xlsx"))[name]
    cells, computed = evaluated(formulas), 0
    heads = {cell.column_letter: str(cell.value) for cell in formulas[1]}
    rates = {letter for letter, head in heads.items() if "rate" in head.split("_") or head.startswith("conversion_")}
    assert len(rates) >= 2
    for row in formulas.iter_rows(min_row=2):
        for cell in row:
            if isinstance(cell.value, str) and cell.value.startswith("="):
                assert (kept[cell.coordinate].value or 0) == pytest.approx(cells[cell.coordinate] or 0)
                referred = re.findall(r"([A-Z]+)(\d+)", re.sub("SQRT|z_95|IF|SUM", "", cell.value))
                assert not {letter for letter, _ in referred} & rates
                is_sum = cell.value.startswith("=SUM(")
                assert not is_sum or cell.row == formulas.max_row
                if is_sum:
                    assert {int(at) for _, at in referred} == {2, formulas.max_row - 1}
                else:
                    assert {int(at) for _, at in referred} == {cell.row}
                computed += 1
    assert computed > 100
    last = [str(cell.value) for cell in formulas[formulas.max_row][3:]]
    assert all(value.startswith("=") for value in last)
    assert sum(value.startswith("=SUM(") for value in last) >= 6


def test_a_week_that_is_not_whole_says_so_in_its_row(loaded):
    *rows, last = table(book(file(loaded, "workbook.xlsx"))["outcomes"])
    states = {
        row["week from"].date(): {r["the week is"] for r in rows if r["week from"] == row["week from"]} for row in rows
    }
    assert states[WEEKS[0]] == states[WEEKS[1]] == states[WEEKS[2]] == {"not loaded"}
    assert states[WEEKS[3]] <= {"whole", "whole, may still change"}
    assert states[WEEKS[4]] == {"6 of 7 days: without 2026-11-18"}
    empty_rows = [row for row in rows if row["week from"].date() in WEEKS[:3]]
    assert len(empty_rows) == 3
    assert all(row["dials"] is None and not row["contact_rate_per_dial"] for row in empty_rows)
    assert "weeks: not whole, or may still change" in last["the week is"]
    told = loaded.told("workbook")
    assert told["weeks"] == "2026-10-19 to 2026-11-22"
    assert "outcomes of the week from 2026-11-16: 6 of 7 days: without 2026-11-18" in told["not_whole"]


def test_the_counts_to_pivot_have_each_dial_and_each_closed_lead_once_as_dates_and_numbers(loaded, seen):
    sheet = book(file(loaded, "workbook.xlsx"))["counts"]
    rows = table(sheet)
    dials = [call for call in seen.all_calls if second.is_dial(call)]
    leads = [lead for lead in second.leads(seen) if lead["closed_date"] in days()]
    assert Counter(row["table"] for row in rows for _ in range(row["count"])) == {
        "call_outcomes": len(dials),
        "lead_conversion": len(leads),
    }
    settled = Counter(call.end_cause.name for call in dials if seen.settled(call))
    found: Counter = Counter()
    for row in rows:
        assert isinstance(row["day"], dt.datetime)
        assert isinstance(row["count"], int)
        found[row["category"]] += row["count"] * (row["table"] == "call_outcomes")
    assert {name: found[name] for name in settled} == settled
    (made,) = sheet.tables.values()
    assert (made.name, made.ref) == ("counts", f"A1:G{len(rows) + 1}")
    assert sheet.freeze_panes == "A2"
    text = file(loaded, "counts.csv").read_bytes()
    assert text.startswith("\ufeff".encode())
    lines = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert [(line["day"], line["team"], int(line["count"])) for line in lines] == [
        (str(row["day"].date()), row["team"], row["count"]) for row in rows
    ]
    assert any("æ" in line["team"] or "ø" in line["team"] for line in lines)


def test_the_notes_say_which_lake_which_days_and_what_each_rate_is(loaded):
    rows = list(book(file(loaded, "workbook.xlsx"))["notes"].iter_rows(values_only=True))
    told = {what: text for what, text, *_ in rows if what}
    assert told["lake"] == str(loaded.lake.root.absolute())
    assert told["days"] == "2026-10-19 to 2026-11-22, weeks from Monday"
    assert told["made"] == "2026-11-23 06:30 (Europe/Copenhagen)"
    missing = told["not loaded whole, call_outcomes"]
    assert missing == "2026-10-19 to 2026-11-08, 2026-11-18: sums over these days are too low"
    net = next(row for row in rows if row[0] == "conversion_net")
    assert net[1:3] == ("leads closed with Success", "leads closed with Success or NotInterested")
    assert "what Unqualified and InvalidLead mean is the customer's choice" in net[3]


# -- what is asked for ---------------------------------------------------------------------------------------------------


def test_days_a_unit_and_a_level_are_chosen(loaded, tmp_path):
    team = next(
        row["team"]
        for row in table(book(file(loaded, "workbook.xlsx"))["outcomes"])
        if str(row["team"]).startswith("Team")
    )
    chosen = hb.to_excel(tmp_path / "one.xlsx", "2026-11-10", "2026-11-15", org=team, data_dir=loaded.lake.root)
    *rows, last = table(book(chosen)["outcomes"])
    assert {row["team"] for row in rows} == {team}
    assert {row["the week is"] for row in rows} == {"6 of 7 days, as was asked for"}
    frame = hb.read("call_outcomes", "2026-11-10", "2026-11-15", org=team, level="leaf", data_dir=loaded.lake.root)
    assert last["dials"] == frame["dials"].sum() > 0
    everything = hb.to_excel(tmp_path / "all.xlsx", "2026-11-10", "2026-11-15", level=0, data_dir=loaded.lake.root)
    assert [row["team"] for row in table(book(everything)["outcomes"])][:-1] == ["(all)"]


def test_what_cannot_be_is_refused_in_words(loaded, tmp_path, monkeypatch):
    lake = loaded.lake.root
    with pytest.raises(ValueError, match=r"must end with \.xlsx"):
        hb.to_excel(tmp_path / "x.csv", data_dir=lake)
    with pytest.raises(ValueError, match="everything would count twice"):
        hb.to_excel(tmp_path / "x.xlsx", level=None, data_dir=lake)
    with pytest.raises(ValueError, match="nothing lies between"):
        hb.to_excel(tmp_path / "x.xlsx", "2026-11-12", "2026-11-10", data_dir=lake)
    with pytest.raises(hb.NotLoadedError, match=r"not loaded for 2026-05-04 to 2026-06-07.*Loaded are"):
        hb.to_excel(tmp_path / "x.xlsx", end="2026-06-07", data_dir=lake)
    with pytest.raises(hb.NotLoadedError, match="no lake in"):
        hb.to_excel(tmp_path / "x.xlsx", data_dir=tmp_path / "nothing")
    monkeypatch.setattr(workbook, "MOST_ROWS", 10)
    with pytest.warns(hb.NotLoadedWarning), pytest.raises(hb.TooManyRowsError, match="choose fewer days"):
        hb.to_excel(tmp_path / "x.xlsx", data_dir=lake)
    assert not list(tmp_path.glob("x.*"))


def test_without_any_day_the_asset_fails_in_words(centre):
    here = centre()
    result = here.materialize("workbook")
    assert not result.success
    assert failure(result).startswith("workbook was not made. call_outcomes cannot be read")


# -- names ---------------------------------------------------------------------------------------------------------------

HOSTILE = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "https://evil.example", "{=1+1}", "æøå"]


def made(folder: Path, names: list[str]) -> Lake:
    """A lake by hand of one day, of which each team and campaign is called as a spreadsheet would run it; a quiet day after."""
    lake, day = Lake(folder), dt.date(2026, 11, 9)
    zone = ZoneInfo("Europe/Copenhagen")
    with connect(zone, folder) as con:
        con.execute("CREATE TABLE names (name VARCHAR, number INTEGER)")
        con.executemany("INSERT INTO names VALUES (?, ?)", [[name, number] for number, name in enumerate(names, 1)])
        node = "1 AS org_level, [name] AS org_path, name AS org_key, name AS org_code, name AS org_name, name AS campaign_id"
        above = "0 AS org_level, []::VARCHAR[] AS org_path, '' AS org_key, '(all)' AS org_name, name AS campaign_id"
        counts = "number AS calls, number AS dials, number AS settled_dials, true AS is_mature"
        rows = " UNION ALL BY NAME ".join(
            f"SELECT {of}, 'NormalDisconnect' AS end_cause, {counts} FROM names" for of in (node, above)
        )
        write(lake, con, CALL_OUTCOMES, f"{empty(CALL_OUTCOMES)} UNION ALL BY NAME {rows}", day=day, complete=[day])
        quiet = day + dt.timedelta(days=7)
        write(lake, con, CALL_OUTCOMES, empty(CALL_OUTCOMES), day=quiet, complete=[quiet])
        write(lake, con, LEAD_CONVERSION, empty(LEAD_CONVERSION), complete=[day, quiet])
    refresh(lake, zone)
    return lake


def test_no_name_is_run_in_the_workbook_nor_in_the_csv(tmp_path):
    lake = made(tmp_path / "data", HOSTILE)
    chosen = {"start": "2026-11-09", "end": "2026-11-09", "data_dir": lake.root}
    path = hb.to_excel(tmp_path / "x.xlsx", **chosen)
    written = {name.replace("\r", "_x000D_").casefold() for name in HOSTILE}
    for sheet, column in (("outcomes", "team"), ("counts", "team"), ("counts", "team_code"), ("counts", "campaign")):
        cells = book(path, values=False)[sheet]
        number = [cell.value for cell in cells[1]].index(column)
        found = [row[number] for row in cells.iter_rows(min_row=2) if row[number].value]
        assert {cell.data_type for cell in found} == {"s"}
        assert not any(cell.hyperlink for cell in found)
        assert {str(cell.value).replace("\r", "_x000D_").casefold() for cell in found} == written
    with zipfile.ZipFile(path) as parts:
        formulas = re.findall(r"<f>(.*?)</f>", parts.read("xl/worksheets/sheet1.xml").decode())
        assert not [name for name in parts.namelist() if "external" in name.lower()]
    assert all(re.fullmatch(r"(SUM|IF)?[-+*/^()A-Z\d:,.&;_gtz\"]*", formula) for formula in formulas)
    lines = list(
        csv.reader(
            io.StringIO(hb.to_csv(tmp_path / "x.csv", **chosen).read_text("utf-8-sig"), newline=""), delimiter=";"
        )
    )
    cells = [cell for line in lines[1:] for cell in line]
    assert len(lines) == len(HOSTILE) + 1
    assert not [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {line[2] for line in lines[1:]} == set(map(harmless, HOSTILE)) >= {"'=1+1", "'@SUM(A1)", "æøå"}


@pytest.mark.parametrize(
    ("text", "cell"), [("\r=1", "' =1"), ("\t=1", "'\t'=1"), (" =1", "' =1"), ("-5", "-5"), ("a=b", "a=b")]
)
def test_a_text_that_begins_as_a_formula_has_an_apostrophe(text, cell):
    assert harmless(text) == cell


def test_a_quiet_week_has_zeros_and_says_so(tmp_path):
    lake = made(tmp_path / "data", ["Nord"])
    path = hb.to_excel(tmp_path / "x.xlsx", "2026-11-16", "2026-11-16", data_dir=lake.root)
    row, last = table(book(path)["outcomes"])
    assert (row["team"], row["dials"], row["the week is"]) == ("(nothing happened)", 0, "1 of 7 days, as was asked for")
    assert row["contact_rate_per_dial"] in (None, "")
    assert last["dials"] == 0
    assert table(book(path)["counts"]) == []


def test_sites_stand_side_by_side_and_each_says_what_it_lacks(tmp_path):
    made(tmp_path / "data" / "nord", ["Nord"])
    syd = made(tmp_path / "data" / "syd", ["Syd", "Nord"])
    syd.remove(CALL_OUTCOMES, dt.date(2026, 11, 16))
    with warnings.catch_warnings(action="ignore", category=hb.NotLoadedWarning):
        path = hb.to_excel(tmp_path / "x.xlsx", "2026-11-09", "2026-11-22", data_dir=tmp_path / "data")
    *rows, last = table(book(path)["outcomes"])
    found = {(row["site"], row["week from"].day, row["team"]): row["dials"] for row in rows}
    assert {key: number for key, number in found.items() if number} == {
        ("nord", 9, "Nord (Nord, nord)"): 1,
        ("syd", 9, "Nord (Nord, syd)"): 2,
        ("syd", 9, "Syd"): 1,
    }
    assert last["dials"] == 4
    one = hb.to_excel(tmp_path / "one.xlsx", "2026-11-09", "2026-11-09", data_dir=tmp_path / "data", site="syd")
    assert [row["team"] for row in table(book(one)["outcomes"])][:-1] == ["Nord", "Syd"]


def test_duckdb_reads_the_csv_as_it_is_documented(tmp_path):
    path = hb.to_csv(tmp_path / "x.csv", "2026-11-09", "2026-11-09", data_dir=made(tmp_path / "data", ["Nord"]).root)
    assert path.read_bytes().count(b"\r\n") == 2
    found = duckdb.sql(f"SELECT day, team, count FROM read_csv('{path}', delim = ';', header = true)").fetchall()
    assert found == [(dt.date(2026, 11, 9), "Nord", 1)]
