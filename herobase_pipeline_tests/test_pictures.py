"""The pictures on the metric assets: they show the numbers of the lake, and a gap is a gap."""

import base64
import datetime as dt
import io
import itertools

import dagster as dg
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import herobase_pipeline as hb
from herobase_pipeline.assets import pictures
from herobase_pipeline.reading import charts
from herobase_pipeline.reading.rates import LOADED
from herobase_pipeline.tables import CALL_OUTCOMES
from herobase_pipeline.tables.drops import REGIMES

pytestmark = pytest.mark.slow
FIRST, LAST = "2026-11-09", "2026-11-12"


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


def ticks(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_xticklabels()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


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


def test_outcomes_are_drawn_again_only_where_a_number_is_another(centre, drawn):
    here = centre()
    here.load("calls,call_outcomes", FIRST, LAST)
    first = shown(here, "call_outcomes", LAST)
    here.load("call_outcomes", LAST)
    assert shown(here, "call_outcomes", LAST)[pictures.OUTCOMES] == first[pictures.OUTCOMES]
    assert len(drawn) == 1
    here.lake.remove(CALL_OUTCOMES, dt.date.fromisoformat(FIRST))  # a day that is not known any more
    here.load("call_outcomes", LAST)
    assert len(drawn) == 2
    assert shown(here, "call_outcomes", LAST)[pictures.OUTCOMES] != first[pictures.OUTCOMES]


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
    assert (hollow.get_label(), full.get_label()) == (charts.NOT_FINAL, charts.WITH_INTERVAL)
    assert [pd.Timestamp(x).date() for x in hollow.lines[0].get_xdata()] == [dt.date(2026, 11, 16)]
    assert ticks(axes) == ["wk 45\n2 Nov\n2026", "wk 46\n9 Nov", "wk 47\n16 Nov"]
    assert [text.get_text() for text in axes.texts] == ["3 of 7 days"]  # up to Wednesday
    assert legend(figure) == [charts.WITH_INTERVAL, charts.NOT_FINAL]


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
    assert pictures.outcomes(here.lake, dt.date.fromisoformat(LAST))[pictures.OUTCOMES]
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


# -- weeks ---------------------------------------------------------------------------------------------------------------


MONDAYS = [dt.date(2026, 12, 14) + dt.timedelta(weeks=n) for n in range(5)]  # over the turn of a year


def weeks_of(loaded: dict[int, int], **groups: dict[int, float]) -> pd.DataFrame:
    """Rates as ``metrics`` gives them: by team the rate of each week, and how many days of each week are loaded."""
    rows = [
        {
            "week": pd.Timestamp(MONDAYS[n]), "unit": unit, "metric": "m", "category": None, "rate": rate,
            "ci_low": rate - 0.1, "ci_high": rate + 0.1, "is_mature": loaded.get(n) == 7, "reason": None,
        }
        for unit, by_week in groups.items()
        for n, rate in by_week.items()
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    frame.attrs[LOADED] = {"": {str(MONDAYS[n]): [days, 7] for n, days in loaded.items()}}
    return frame


def stretches(axes: Axes) -> list[list[dt.date]]:
    """The weeks that a line leads over without a break."""
    found: list[list[dt.date]] = [[]]
    for x, y in zip(axes.lines[0].get_xdata(), axes.lines[0].get_ydata(), strict=True):
        if pd.isna(y):
            found.append([])
        else:
            found[-1].append(pd.Timestamp(x).date())
    return [stretch for stretch in found if stretch]


def hatched(axes: Axes) -> list[dt.date]:
    """The middles of what is hatched."""
    of_gaps = [patch for patch in axes.patches if patch.get_hatch()]
    middles = [round(patch.get_x() + patch.get_width() / 2) for patch in of_gaps]
    return sorted(dt.date(1970, 1, 1) + dt.timedelta(days=middle) for middle in middles)


def test_one_week_is_one_week_and_no_axis_of_years():
    (axes,) = charts.rates(weeks_of({0: 7}, A={0: 0.5})).axes
    assert ticks(axes) == ["wk 51\n14 Dec\n2026"]
    low, high = axes.get_xlim()
    assert high - low < 9  # days


def test_weeks_are_named_as_weeks_and_a_new_year_is_said():
    (axes,) = charts.rates(weeks_of(dict.fromkeys(range(5), 7), A=dict.fromkeys(range(5), 0.5))).axes
    assert ticks(axes) == ["wk 51\n14 Dec\n2026", "wk 52\n21 Dec", "wk 53\n28 Dec", "wk 1\n4 Jan\n2027", "wk 2\n11 Jan"]
    assert [hb.week(monday) for monday in MONDAYS[2:4]] == ["wk 53, 28 Dec", "wk 1, 4 Jan"]
    assert hb.week(dt.date(2027, 1, 3)) == "wk 53, 28 Dec"  # its Sunday


def test_a_week_that_is_not_loaded_is_a_gap_that_no_line_leads_over_and_a_part_of_one_says_how_much():
    a = {0: 0.4, 1: 0.5, 2: 0.9, 3: 0.5, 4: 0.4}
    figure = charts.rates(weeks_of({0: 3, 1: 7, 2: 0, 3: 7, 4: 6}, A=a, B={1: 0.2}))
    one, other = (axes for axes in figure.axes if axes.axison)
    assert stretches(one) == [MONDAYS[:2], MONDAYS[3:]]
    assert stretches(other) == [[MONDAYS[1]]]
    assert hatched(one) == hatched(other) == [MONDAYS[2]]
    assert [text.get_text() for text in one.texts] == ["3 of 7 days", "6 of 7 days"]
    assert legend(figure) == [charts.WITH_INTERVAL, charts.NOT_FINAL, charts.NOT_LOADED]
    assert figure.get_suptitle() == "m\n1 of 6 points are not drawn: no day of their week is loaded"
    hollow = [bars for bars in one.containers if bars.get_label() == charts.NOT_FINAL]
    assert [pd.Timestamp(x).date() for x in hollow[0].lines[0].get_xdata()] == [MONDAYS[0], MONDAYS[4]]


def test_a_week_without_a_point_breaks_the_line_where_nobody_knows_what_is_loaded():
    points = weeks_of({0: 7}, A={0: 0.4, 1: 0.5, 3: 0.5})
    points.attrs.clear()
    (axes,) = charts.rates(points).axes
    assert stretches(axes) == [MONDAYS[:2], [MONDAYS[3]]]
    assert len(ticks(axes)) == 4


def test_what_a_rule_allows_is_a_line_at_what_the_rule_says():
    (allowed,) = {regime.limit_rate for regime in REGIMES if regime.name == "us_ftc_30d_campaign"}
    points = weeks_of({0: 7}, A={0: 0.5}, B={0: 0.1}).drop(columns="week")
    figure = charts.rates(points, limit=allowed)
    (axes,) = figure.axes
    (line,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert list(line.get_xdata()) == [0.03, 0.03]
    assert legend(figure) == [charts.WITH_INTERVAL, "the rule allows 3 %"]


def test_a_frame_that_metrics_did_not_give_is_told_what_to_give():
    with pytest.raises(ValueError, match=r"draws what hb.metrics gives, and this is a list"):
        charts.rates([1, 2])
    with pytest.raises(ValueError, match=r"a DataFrame without metric and rate. Give charts.rates\(hb.metrics\(frame"):
        charts.rates(pd.DataFrame({"calls": [1]}))
