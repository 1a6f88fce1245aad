"""The charts: of outcomes by day and of a rate through time, drawn from frames. No files, no Dagster.

The colours are those of Okabe and Ito (2008), which people who do not see all colours can tell apart.
"""

import io

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter
from PIL import Image

_COLOURS = {
    "NormalDisconnect": "#009E73",
    "DroppedCall": "#D55E00",
    "VoiceMail": "#56B4E9",
    "NoResponse": "#0072B2",
    "Busy": "#E69F00",
    "DialingCancelled": "#CC79A7",
}
_OTHER, _GAP, _INK = "#999999", "#EEEEEE", "#0072B2"


def outcomes(days: pd.DataFrame, title: str) -> Figure:
    """Draw what became of the dials of each day, as stacked bars; a day that is not known is a gap, not a zero.

    Args:
        days: ``day``, ``end_cause`` and ``dials``; of a known day without dials one row, with ``end_cause`` None.
        title: what it shows.

    """
    figure, axes = _figure(title)
    known = pd.DatetimeIndex(days["day"].unique())
    for gap in pd.date_range(known.min(), known.max()).difference(known):
        middle = float(date2num(gap))
        axes.axvspan(middle - 0.5, middle + 0.5, facecolor=_GAP, edgecolor="white", hatch="//", linewidth=0)
    wide = days.pivot_table(index="day", columns="end_cause", values="dials", aggfunc="sum", fill_value=0)
    below = pd.Series(0.0, index=wide.index)
    causes = [str(cause) for cause in wide.columns]
    for cause in sorted(causes, key=lambda cause: [*_COLOURS, cause].index(cause)):
        axes.bar(
            pd.DatetimeIndex(wide.index), wide[cause], bottom=below, color=_COLOURS.get(cause, _OTHER), label=cause
        )
        below += wide[cause]
    axes.set_ylabel("dials")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if not wide.empty:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, reverse=True)
    return figure


def rate(points: pd.DataFrame, title: str) -> Figure:
    """Draw a rate through time with its interval; what is not mature yet is drawn hollow, as it may still change.

    Args:
        points: ``day`` (where the point stands), ``rate``, ``ci_low``, ``ci_high`` (shares) and ``is_mature``; a rate of
            NaN leaves a gap.
        title: what it shows.

    """
    figure, axes = _figure(title)
    axes.plot(points["day"], points["rate"], color=_INK, linewidth=1, alpha=0.4)
    for is_mature, of_kind in points.dropna(subset="rate").groupby(
        points["is_mature"].fillna(value=False).astype(bool)
    ):
        reach = [of_kind["rate"] - of_kind["ci_low"], of_kind["ci_high"] - of_kind["rate"]]
        face, label = (_INK, "95 % interval") if is_mature else ("white", "not all in yet")
        axes.errorbar(
            of_kind["day"], of_kind["rate"], yerr=reach, fmt="o", color=_INK, markerfacecolor=face, label=label
        )
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    if axes.has_data() and axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG of about 800 × 300 pixels and 10 kB."""
    drawn, picture = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(64).save(picture, format="png", optimize=True)
    return picture.getvalue()


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.4, 3), dpi=96, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return figure, axes
