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

from herobase_pipeline.assets import pictures
from herobase_pipeline.reading import charts

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


FIRST_SHOWN, LAST_SHOWN = dt.date(2026, 11, 1), dt.date(2026, 11, 6)


def drawn_of(*rows: tuple[str, str | None, int]) -> Figure:
    days = pd.DataFrame(rows, columns=["day", "end_cause", "dials"])
    return charts.outcomes(days.assign(day=pd.to_datetime(days["day"])), "t", FIRST_SHOWN, LAST_SHOWN)


def test_a_day_that_is_not_known_is_hatched_also_at_the_edges_and_a_quiet_one_is_not():
    figure = drawn_of(("2026-11-02", "Busy", 5), ("2026-11-03", None, 0), ("2026-11-05", "Busy", 7))
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    epoch = dt.date(1970, 1, 1)
    days = sorted(epoch + dt.timedelta(days=round(patch.get_x() + patch.get_width() / 2)) for patch in hatched)
    assert [day.day for day in days] == [1, 4, 6]


def test_dials_without_a_known_end_cause_are_drawn_too():
    figure = drawn_of(
        ("2026-11-02", "Busy", 5), ("2026-11-02", None, 900), ("2026-11-03", "", 3), ("2026-11-03", "New$a_{$", 1)
    )
    charts.png(figure)
    bars = {label: sum(by_day.values()) for label, by_day in heights(figure).items()}
    assert bars == {"Busy": 5, "(none)": 900, "(empty)": 3, r"New\$a_{\$": 1}


def test_very_many_end_causes_are_put_together():
    figure = drawn_of(*(("2026-11-02", f"{'x' * 400}{number}", number + 1) for number in range(60)))
    charts.png(figure)
    bars = heights(figure)
    assert len(bars) == 2  # shortened they have one name; the others are one
    assert max(map(len, bars)) == 30
    assert "(others)" in bars


def test_days_without_any_dial_can_be_drawn():
    assert charts.png(drawn_of(("2026-11-02", None, 0))).startswith(b"\x89PNG")


def test_a_catalogue_that_vanishes_while_a_picture_is_drawn_fails_no_run(centre):
    here = centre(calls_per_day=60)
    here.load("calls,simple_leads,call_outcomes", FIRST, LAST)
    here.load("leads,lead_conversion")
    assert pictures.conversion(here.lake)
    here.lake.catalogue.unlink()
    assert pictures.outcomes(here.lake, dt.date.fromisoformat(LAST)).keys() == {pictures.OUTCOMES}
    assert pictures.conversion(here.lake) == {}


def test_closings_are_drawn_again_only_once_a_day_became_whole(centre, drawn):
    here = centre()
    here.load("calls,simple_leads,call_outcomes", "2026-11-09", "2026-11-15")
    here.load("leads,lead_conversion")
    first = shown(here, "lead_conversion")
    drawn.clear()
    here.load("leads,lead_conversion")
    again = shown(here, "lead_conversion")
    assert (drawn, again[pictures.CONVERSION], again["whole_days"]) == (
        [],
        first[pictures.CONVERSION],
        first["whole_days"],
    )
    here.load("calls,simple_leads,call_outcomes", "2026-11-16")
    drawn.clear()
    here.load("leads,lead_conversion")
    later = shown(here, "lead_conversion")
    assert len(drawn) == 1
    assert later["whole_days"].value == first["whole_days"].value + 1
    assert later[pictures.CONVERSION] != first[pictures.CONVERSION]
