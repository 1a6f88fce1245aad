"""What a person reads adds up to everything, or says what it lacks: notebooks and pictures over a crooked world.

Teams lie at two depths, one is a unit with calls of its own above another, one is renamed, one is moved, two have one name, a
campaign is renamed, calls have no hierarchy, one week is half loaded, and of one day the leads are missing.
"""

import datetime as dt
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

import herobase_pipeline as hb
from herobase_pipeline.assets import pictures
from herobase_pipeline.lake.catalogue import refresh
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.reading import charts
from herobase_pipeline.tables import (
    CALL_OUTCOMES,
    CALLS,
    CAMPAIGNS,
    CUMULATIVE_INCIDENCE,
    DROP_RATES,
    LEAD_COHORTS,
    LEAD_CONVERSION,
    LEADS,
    ORG_HISTORY,
    SIMPLE_LEADS,
)
from herobase_pipeline_tests.conftest import ROOT
from herobase_pipeline_tests.tables.making import (
    ZONE,
    Row,
    after,
    at,
    call,
    closing,
    contact,
    day,
    dropped,
    fill,
    make,
    version,
)

pytestmark = pytest.mark.slow
WEEKS = 5
NOT_LOADED = {day(n) for n in (8, 9, 10)}  # of the second week three days
WITHOUT_LEADS = {day(15)}
CLOSURES = ("Success", "NotInterested", "NotInterested", "Unqualified")


def team(number: int, on: int) -> dict[str, Any]:
    """Where the calls of a team lie, and what that is called, on a day."""
    deep, renamed = ["C", "North", "A"], "Alfa" if on < 20 else "Beta"
    return {
        0: {"org_path": deep, "org_names": ["Centre", "North", renamed]},
        1: {"org_path": ["C", "Flat"], "org_names": ["Centre", "Team"]},
        2: {"org_path": ["C", "South" if on < 17 else "North", "M"], "org_names": ["Centre", "Side", "Movers"]},
        3: {"org_path": ["c", "Twin"], "org_names": ["Centre", "Team"]},  # another spelling of C
        4: {"org_path": ["C", "North"], "org_names": ["Centre", "North"]},  # above A
        5: {"org_path": [], "org_names": [], "org_source": "missing"},
    }[number]


def of_day(on: int) -> tuple[list[Row], list[Row]]:
    """The calls of a day, and the versions of the leads that they closed."""
    calls: list[Row] = []
    versions: list[Row] = []
    for number in range(6):
        for n in range(3 + (on + number) % 4):
            start, lead = after(at("09:00", on), minutes=20 * number + n), f"{on}-{number}-{n}"
            where = team(number, on) | {"campaign_id": f"C{n % 2}", "call_id": f"call {lead}"}
            kind = (on + number + n) % 5
            if number == 5:
                calls.append(dropped(start, lead, **where))
            elif kind == 0:
                calls.append(call(start, lead, **where))
            elif kind == 1:
                calls.append(contact(start, lead, **where))
            else:
                closure = CLOSURES[(on + n) % 4]
                calls.append(closing(start, lead, **where, lead_closure=closure))
                versions.append(version(after(start, minutes=2), lead, closure=closure, campaign_id=f"C{n % 2}"))
            if kind < 2:
                versions.append(version(after(start, minutes=2), lead, "RedialAutomatic", campaign_id=f"C{n % 2}"))
    return calls, versions


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("crooked"))
    for on in range(7 * WEEKS):
        if day(on) in NOT_LOADED:
            continue
        calls, versions = of_day(on)
        fill(lake, CALLS, calls, day(on), [day(on)])
        if day(on) not in WITHOUT_LEADS:
            fill(lake, SIMPLE_LEADS, versions, day(on), [day(on)])
    for on, name in ((0, "Spring"), (6, "Summer"), (9, "Summer sale")):
        rows = [{"campaign_id": f"C{n}", "campaign_code": f"K{n}", "name": name} for n in range(2)]
        fill(lake, CAMPAIGNS, rows, day(on))
    make(lake, CALL_OUTCOMES, LEADS, LEAD_CONVERSION, LEAD_COHORTS, CUMULATIVE_INCIDENCE, DROP_RATES, ORG_HISTORY)
    refresh(lake, ZONE)
    return lake


LOADED = [n for n in range(7 * WEEKS) if day(n) not in NOT_LOADED]
EVERYTHING = [row for n in LOADED for row in of_day(n)[0]]


def closed(rows: list[Row]) -> list[Row]:
    """The calls that closed a lead of which the version is loaded."""
    return [row for row in rows if row["call_status"] == "UserProcessed" and row["call_date"] not in WITHOUT_LEADS]


def unit(row: Row) -> str:
    """The label of the unit that a call was made in."""
    names = {"a": "Beta", "flat": "Team (Flat)", "twin": "Team (Twin)", "m": "Movers", "north": "North"}
    return names[row["org_path"][-1].lower()] if row["org_path"] else "(no team)"


def executed(notebook: str, lake: Lake, folder: Path) -> tuple[str, list[Any]]:
    """What a notebook printed, and its outputs."""
    command = [sys.executable, "-m", "jupyter", "execute", f"--output={folder / notebook}"]
    here = {
        "HEROBASE_DATA_DIR": str(lake.root),
        "IPYTHONDIR": str(folder),
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [*command, str(ROOT / "notebooks" / f"{notebook}.ipynb")], env=here, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob(f"{notebook}*")
    outputs = [output for cell in nbformat.read(file, 4).cells for output in cell.get("outputs", ())]
    told = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in outputs]
    return "\n".join(told), outputs


def tables(outputs: list[Any]) -> list[pd.DataFrame]:
    """The tables that a notebook showed."""
    pages = [output.get("data", {}).get("text/html") for output in outputs]
    return [frame for page in pages if page for frame in read_html(page)]


def read_html(page: str) -> list[pd.DataFrame]:
    """A table as pandas writes it, without another library to read it."""
    rows = [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    ]
    return [pd.DataFrame(rows[1:], columns=rows[0])]


def test_monday_morning_shows_all_closings_and_dials_by_the_latest_name(lake, tmp_path):
    text, outputs = executed("monday_morning", lake, tmp_path)
    monday, sunday, before = day(28), day(34), day(0)
    assert f"Last week: {monday} to {sunday}; before: {before} to {day(27)}" in text
    assert f"Not loaded in full: 4 of these 35 days, {day(8)} to {day(10)}, {day(15)}." in text
    conversion, dials = tables(outputs)
    for rows, top, bottom in (
        ([row for row in closed(EVERYTHING) if row["call_date"] >= monday], "numerator", "denominator"),
        ([row for row in closed(EVERYTHING) if row["call_date"] < monday], "numerator before", "denominator before"),
    ):
        said = [row for row in rows if row["lead_closure"] in ("Success", "NotInterested")]
        won = [row for row in said if row["lead_closure"] == "Success"]
        for column, of in ((top, won), (bottom, said)):
            shown = {of: float(n) for of, n in zip(conversion["unit"], conversion[column], strict=True) if float(n)}
            assert shown == Counter(map(unit, of))
    head = list(dials.columns)
    assert (head[0], head[-1]) == ("week", "all")
    by_unit = {row[0]: float(row[-1]) for row in dials.to_numpy() if row[0] != "unit"}
    assert by_unit.pop("all") == len(EVERYTHING)
    assert by_unit == Counter(map(unit, EVERYTHING))
    assert f"{lake.root}" in text


def test_dialler_quality_counts_every_dial_and_every_lead(lake, tmp_path):
    text, outputs = executed("dialler_quality", lake, tmp_path)
    four_weeks = [row for row in EVERYTHING if row["call_date"] > day(6)]
    assert f"{len(four_weeks)} dials with a final outcome; 0 without one yet are not drawn" in text
    answered = [row for row in EVERYTHING if row["end_cause"] in ("DroppedCall", "NormalDisconnect")]
    lost = [row for row in answered if row["end_cause"] == "DroppedCall"]
    assert f"All campaigns together: {len(lost)} dropped of {len(answered)} answered" in text
    assert f"{len(EVERYTHING)} leads that were dialled" in text  # each of them once
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == 4
    by_lead = defaultdict(list)
    for row in sorted(EVERYTHING, key=lambda row: row["started_at"]):
        by_lead[row["lead_id"]].append(row["end_cause"])
    new = [causes for lead, causes in by_lead.items() if int(lead.split("-")[0]) > 6]  # named after its first day
    reached = [causes for causes in new if "NormalDisconnect" in causes]
    assert f"{len(new)} leads were first dialled in these weeks; {len(reached)} of them are reached" in text


def test_better_or_younger_says_of_how_many_leads_it_tells(lake, tmp_path):
    text, _ = executed("better_or_younger", lake, tmp_path)
    known = [row for row in EVERYTHING if row["call_date"] not in WITHOUT_LEADS and row["end_cause"] != "DroppedCall"]
    assert f"{len(EVERYTHING)} leads were dialled" in text
    found = re.search(r"(\d+) are in a cohort.*?Of (\d+) nobody knows", text, re.DOTALL)
    assert found is not None
    assert [int(n) for n in found.groups()] == [len(in_cohorts()), len(EVERYTHING) - len(in_cohorts())]
    assert len(in_cohorts()) >= len(known)
    assert f"{len(in_cohorts())} of {len(EVERYTHING)} dialled leads are followed" in text


def in_cohorts() -> list[Row]:
    """The calls to leads of which a version is loaded."""
    told = {row["lead_id"] for n in LOADED if day(n) not in WITHOUT_LEADS for row in of_day(n)[1]}
    return [row for row in EVERYTHING if row["lead_id"] in told]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The frames that were drawn."""
    frames: list[Any] = []
    for name in ("outcomes", "rate"):
        draw = getattr(charts, name)
        monkeypatch.setattr(charts, name, lambda frame, *rest, draw=draw: frames.append(frame) or draw(frame, *rest))
    return frames


def test_the_picture_of_outcomes_shows_every_dial_of_its_days(lake, drawn):
    assert pictures.outcomes(lake, day(34))
    (frame,) = drawn
    assert frame["dials"].sum() == len(EVERYTHING)
    assert {found.date() for found in frame["day"]} == {day(n) for n in LOADED}


def test_the_picture_of_conversion_shows_every_closing_and_a_week_that_is_not_whole_hollow(lake, drawn):
    assert pictures.conversion(lake)
    (weeks,) = drawn
    said = [row for row in closed(EVERYTHING) if row["lead_closure"] in ("Success", "NotInterested")]
    by_week = Counter((row["call_date"] - dt.timedelta(days=row["call_date"].weekday())) for row in said)
    assert {found.date(): n for found, n in zip(weeks["week"], weeks["denominator"], strict=True)} == by_week
    assert list(weeks["is_mature"]) == [True, False, False, True, True]


def test_the_notebooks_and_the_picture_call_the_same_weeks_whole(lake):
    with pytest.warns(hb.NotLoadedWarning):
        closings = hb.read("lead_conversion", level="leaf", data_dir=lake.root)
    weeks = hb.metrics(closings, "conversion_net", by=["week", "org_code"])
    by_week = weeks.groupby("week")["is_mature"].agg(["min", "max"])
    assert by_week.to_numpy().tolist() == [[True, True], [False, False], [False, False], [True, True], [True, True]]


def test_a_renamed_campaign_is_one_under_its_latest_name(lake):
    with pytest.warns(hb.NotLoadedWarning):
        outcomes = hb.labelled(hb.read("call_outcomes", level=0, data_dir=lake.root))
    assert set(outcomes["campaign_name"]) == {"Summer sale"}
    assert set(outcomes["campaign_code"]) == {"K0", "K1"}
    assert dict(outcomes.groupby("campaign")["calls"].sum()) == {
        f"Summer sale (K{n})": count for n, count in Counter(row["campaign_id"][-1] for row in EVERYTHING).items()
    }
    assert outcomes["calls"].sum() == len(EVERYTHING)
