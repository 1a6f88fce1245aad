"""The pictures on the metric assets: they show the numbers of the lake, and a gap is a gap."""

import base64
import datetime as dt
import io
import itertools

import dagster as dg
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from herobase_pipeline import charts
from herobase_pipeline.assets import pictures

pytestmark = pytest.mark.slow
FIRST, LAST = "2026-11-09", "2026-11-12"


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that were drawn."""
    figures: list[Figure] = []
    png = charts.png
    monkeypatch.setattr(charts, "png", lambda figure: figures.append(figure) or png(figure))
    return figures


def shown(here, table: str, day: str | None = None) -> dict[str, dg.MetadataValue]:
    records = dg.AssetRecordsFilter(dg.AssetKey(table), [day] if day else None)
    (record, *_) = here.instance.fetch_materializations(records, limit=1).records
    return dict(record.asset_materialization.metadata)


def picture(value: dg.MetadataValue) -> Image.Image:
    data = str(value.value).partition("base64,")[2].removesuffix(")")
    return Image.open(io.BytesIO(base64.b64decode(data)))


def heights(figure: Figure) -> dict[str, dict[dt.date, float]]:
    """Of each end cause the height of its bar, by day."""
    (axes,) = figure.axes
    first = dt.date(1970, 1, 1)
    return {
        str(bars.get_label()): {
            first + dt.timedelta(days=round(bar.get_x() + bar.get_width() / 2)): bar.get_height() for bar in bars
        }
        for bars in axes.containers
    }


def test_outcomes_are_those_of_the_days_up_to_the_runs_last_one(centre, drawn):
    here = centre()
    here.load("calls,call_outcomes", FIRST, LAST)
    told = shown(here, "call_outcomes", LAST)[pictures.OUTCOMES]
    assert picture(told).size == (806, 288)
    assert len(str(told.value)) < 20_000
    assert pictures.OUTCOMES not in shown(here, "call_outcomes", FIRST)
    counted = here.rows("""
        SELECT end_cause, date, count(*) FROM calls
        WHERE settled AND NOT incoming AND call_status IS DISTINCT FROM 'Transferred' GROUP BY ALL
    """)
    (figure,) = drawn
    bars = heights(figure)
    assert {(cause, day): bars[cause][day] for cause, day, _ in counted} == {(c, d): n for c, d, n in counted}
    assert sum(itertools.chain.from_iterable(by_day.values() for by_day in bars.values())) == sum(
        n for _, _, n in counted
    )


def test_a_refresh_of_today_shows_the_picture_of_the_day_before(centre, drawn):
    here = centre()
    here.load("calls,call_outcomes", "2026-11-19")
    refreshed = here.materialize("calls,call_outcomes", "2026-11-20", tags={"herobase/refresh": "true"})
    assert refreshed.success
    assert len(drawn) == 1
    before, today = (shown(here, "call_outcomes", day)[pictures.OUTCOMES] for day in ("2026-11-19", "2026-11-20"))
    assert today == before


def test_where_no_day_is_known_there_is_no_picture(centre, drawn):
    here = centre()
    here.load("calls,simple_leads,call_outcomes", "2026-11-20")  # still running
    here.load("leads,lead_conversion")
    assert pictures.OUTCOMES not in shown(here, "call_outcomes", "2026-11-20")
    assert pictures.CONVERSION not in shown(here, "lead_conversion")
    assert drawn == []


def test_conversion_is_that_of_the_weeks_and_those_not_all_in_are_hollow(centre, drawn):
    here = centre()
    here.load("calls,simple_leads,call_outcomes", "2026-11-02", "2026-11-18")
    here.load("leads,lead_conversion")
    assert picture(shown(here, "lead_conversion")[pictures.CONVERSION]).size == (806, 288)
    weeks = here.rows("""
        SELECT date_trunc('week', closed_date)::DATE, avg((closure = 'Success')::INT) FROM leads
        WHERE closure IN ('Success', 'NotInterested') AND closed_at IS NOT NULL AND closed_date >= DATE '2026-11-02'
        GROUP BY ALL ORDER BY ALL
    """)
    *_, figure = drawn
    (axes,) = figure.axes
    line = axes.lines[0]
    assert [pd.Timestamp(x).date() for x in line.get_xdata()] == [week for week, _ in weeks]
    assert list(line.get_ydata()) == pytest.approx([rate for _, rate in weeks])
    (full, hollow) = axes.containers
    assert (hollow.get_label(), full.get_label()) == ("not all in yet", "95 % interval")
    assert [pd.Timestamp(x).date() for x in hollow.lines[0].get_xdata()] == [dt.date(2026, 11, 16)]


def test_a_day_that_is_not_known_is_a_gap_and_a_quiet_one_is_not():
    days = pd.DataFrame(
        {
            "day": pd.to_datetime(["2026-11-02", "2026-11-03", "2026-11-05"]),
            "end_cause": ["Busy", None, "Busy"],
            "dials": [5, 0, 7],
        }
    )
    (axes,) = charts.outcomes(days, "t").axes
    gaps = [patch for patch in axes.patches if patch.get_hatch()]
    assert len(gaps) == 1
    assert round(gaps[0].get_x() + gaps[0].get_width() / 2) == (dt.date(2026, 11, 4) - dt.date(1970, 1, 1)).days


def test_days_without_any_dial_can_be_drawn():
    quiet = pd.DataFrame({"day": pd.to_datetime(["2026-11-02"]), "end_cause": [None], "dials": [0]})
    assert charts.png(charts.outcomes(quiet, "t")).startswith(b"\x89PNG")
