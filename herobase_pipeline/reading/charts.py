"""The charts: of outcomes by day and of rates, drawn from frames. No files, no Dagster.

The colours are those of Okabe and Ito (2008), which people who do not see all colours can tell apart.
"""

import datetime as dt
import io

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DAILY, MONTHLY, AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter
from pandas.api.types import is_datetime64_any_dtype
from PIL import Image

_COLOURS = {
    "NormalDisconnect": "#009E73",
    "DroppedCall": "#D55E00",
    "VoiceMail": "#56B4E9",
    "NoResponse": "#0072B2",
    "Busy": "#E69F00",
    "DialingCancelled": "#CC79A7",
    "Success": "#009E73",
    "NotInterested": "#D55E00",
    "Unqualified": "#E69F00",
    "InvalidLead": "#CC79A7",
    "NotSet": "#56B4E9",
}
_OTHERS = ("#999999", "#F0E442", "#000000", "#44AA99", "#882255")
_GAP, _INK = "#EEEEEE", "#0072B2"
_PANELS, _ROWS, _LABEL = 24, 60, 30
_REST = "(others)"
_WEEK = 7  # days, in which axes of dates count


class Chart(Figure):
    """A figure that a notebook shows by itself."""

    def _repr_png_(self) -> bytes:
        return png(self)


def outcomes(days: pd.DataFrame, title: str, first: dt.date, last: dt.date) -> Chart:
    """Draw what became of the dials of each day, as stacked bars; a day that is not known is hatched, not a zero.

    Args:
        days: ``day``, ``end_cause`` and ``dials``; of a known day without dials one row without an ``end_cause``.
        title: what it shows.
        first: the first day that is shown, known or not.
        last: the last.

    """
    figure = Chart(figsize=(8.4, 3), dpi=96, layout="constrained")
    axes = _axes(figure, title)
    _dates(axes)
    known = pd.DatetimeIndex(days["day"].unique())
    for gap in pd.date_range(first, last).difference(known):
        middle = float(date2num(gap))
        axes.axvspan(middle - 0.5, middle + 0.5, facecolor=_GAP, edgecolor="white", hatch="//", linewidth=0)
    days = days[days["dials"] > 0].fillna({"end_cause": "(none)"})
    wide = days.pivot_table(index="day", columns="end_cause", values="dials", aggfunc="sum", fill_value=0)
    _stack(axes, wide.set_axis(pd.DatetimeIndex(wide.index)))
    axes.set_xlim(float(date2num(first)) - 0.6, float(date2num(last)) + 0.6)
    axes.set_ylabel("dials")
    return figure


def mix(counts: pd.DataFrame, title: str, *, as_shares: bool = True) -> Chart:
    """Draw counts by category as stacked bars, as shares of each bar or as they are.

    Args:
        counts: a row a bar, a column a category, such as ``groupby([...]).size().unstack()`` gives.
        title: what it shows.
        as_shares: each bar adds up to 1.

    """
    figure = Chart(figsize=(8.4, 3.2), dpi=96, layout="constrained")
    axes = _axes(figure, title)
    _stack(axes, counts.div(counts.sum(axis=1), axis=0) if as_shares else counts)
    axes.set_xlabel(str(counts.index.name or ""))
    if as_shares:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


def rate(points: pd.DataFrame, title: str) -> Chart:
    """Draw a rate through time with its interval; what is not mature yet is hollow, as it may still change.

    What has no rate is left out, and the title says how much that is and why.

    Args:
        points: ``day`` (where the point stands), ``rate``, ``ci_low``, ``ci_high`` (shares), ``is_mature``, and
            ``reason`` where there is no rate.
        title: what it shows.

    """
    figure = Chart(figsize=(8.4, 3), dpi=96, layout="constrained")
    axes = _axes(figure, title + _left_out(points))
    _dates(axes)
    _line(axes, points.dropna(subset=["rate"]), "day")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def rates(points: pd.DataFrame, title: str = "") -> Chart:
    """Draw what ``herobase_pipeline.metrics`` gives: through time or age a panel a group, else a row a group.

    Intervals (95 %) are drawn where there are any; what is not mature yet, or a span of which days are missing, is hollow.
    What has no rate is left out, and the title says how much that is and why.

    Args:
        points: a frame of ``metrics``.
        title: what it shows; by default the metric's name.

    Raises:
        ValueError: there is nothing to draw, or more groups than anybody can look at.

    """
    keys = [str(name) for name in points.columns[: list(points.columns).index("metric")]]
    along = next((key for key in keys if key == "age_days" or is_datetime64_any_dtype(points[key])), None)
    drawn = points.dropna(subset=["rate"])
    naming = [key for key in keys if key != along] + (["category"] if drawn["category"].notna().any() else [])
    groups = (
        {" · ".join(map(str, name)): of for name, of in drawn.groupby(naming, dropna=False)} if naming else {"": drawn}
    )
    most = _PANELS if along else _ROWS
    if drawn.empty or len(groups) > most:
        what = "nothing" if drawn.empty else f"{len(groups)} groups"
        raise ValueError(
            f"There is {what} to draw, and {most} groups fit at most: choose a level, some groups or other days."
        )
    shown = (title or str(drawn["metric"].iloc[0])) + _left_out(points)
    return _panels(groups, along, shown) if along else _ranking(groups, shown)


def _left_out(points: pd.DataFrame) -> str:
    """Return a line on the points that have no rate, by reason; nothing where all have one."""
    without = points[points["rate"].isna()]
    if without.empty:
        return ""
    reasons = without["reason"].dropna() if "reason" in without else pd.Series(dtype=str)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.value_counts().items())
    return f"\n{len(without)} of {len(points)} points have no rate" + (f": {told}" if told else "")


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG in 64 colours."""
    drawn, picture = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(64).save(picture, format="png", optimize=True)
    return picture.getvalue()


def _panels(groups: dict[str, pd.DataFrame], along: str, title: str) -> Chart:
    across = min(len(groups), 3)
    down = -(-len(groups) // across)
    size = (8.4, 3) if len(groups) == 1 else (3.2 * across + 1, 2 * down + 0.6)
    figure = Chart(figsize=size, dpi=96, layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    for axes, (name, points) in zip(grid, groups.items(), strict=False):
        _dress(axes, name[:60])
        _line(axes, points, along)
        if along == "age_days":
            axes.set_xlabel("days since the first dial", fontsize=8)
        else:
            low, high = axes.get_xlim()
            if high - low < _WEEK:  # of a single week no ticks can be chosen
                axes.set_xlim(low - _WEEK / 2, high + _WEEK / 2)
            _dates(axes, {MONTHLY: 7, DAILY: 9})
    for axes in grid[max(len(groups) - across, 0) : len(groups)]:
        axes.tick_params(labelbottom=True)
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    if _is_share(groups):
        grid[0].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


def _ranking(groups: dict[str, pd.DataFrame], title: str) -> Chart:
    ordered = pd.concat([points.assign(group=name or "all") for name, points in groups.items()])
    ordered = ordered.sort_values("rate").reset_index(drop=True)
    figure = Chart(figsize=(7, 0.28 * len(ordered) + 0.9), dpi=96, layout="constrained")
    axes = _axes(figure, title)
    _markers(axes, ordered, "rate")
    axes.set_yticks(range(len(ordered)), [_label(group) for group in ordered["group"]])
    axes.grid(axis="x", color=_GAP)
    axes.set_axisbelow(True)
    if _is_share(groups):
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


def _is_share(groups: dict[str, pd.DataFrame]) -> bool:
    return any(points["ci_low"].notna().any() for points in groups.values())


def _line(axes: Axes, points: pd.DataFrame, along: str) -> None:
    axes.plot(points[along], points["rate"], color=_INK, linewidth=1, alpha=0.4)
    _markers(axes, points, along)


def _markers(axes: Axes, points: pd.DataFrame, along: str) -> None:
    """Draw each point with its interval, if it has one: above each other where ``along`` is the rate itself."""
    is_mature = points["is_mature"].fillna(value=False).astype(bool)
    for kind, face, label in ((True, _INK, "95 % interval"), (False, "white", "not all in yet")):
        some = points[is_mature == kind]
        if some.empty:
            continue
        reach = [(some["rate"] - some["ci_low"]).fillna(0), (some["ci_high"] - some["rate"]).fillna(0)]
        upright = along != "rate"
        x, y = (some[along], some["rate"]) if upright else (some["rate"], some.index)
        axes.errorbar(
            x, y, yerr=reach if upright else None, xerr=None if upright else reach,
            fmt="o", color=_INK, markerfacecolor=face, markersize=5, label=label,
        )  # fmt: skip


def _stack(axes: Axes, wide: pd.DataFrame) -> None:
    """Draw a bar a row, made of its columns; what is documented has the same colour in every chart."""
    wide = wide.set_axis([str(name) for name in wide.columns], axis=1)
    others = wide.drop(columns=[name for name in wide if name in _COLOURS]).sum().sort_values(ascending=False)
    colours = _COLOURS | dict(zip(others.index[: len(_OTHERS)], _OTHERS, strict=False))
    if len(others) > len(_OTHERS):
        wide = wide.assign(**{_REST: wide[others.index[len(_OTHERS) :]].sum(axis=1)})
        colours |= {_REST: "#BBBBBB"}
    below = pd.Series(0.0, index=wide.index)
    for name in (name for name in colours if name in wide):
        axes.bar(wide.index, wide[name], bottom=below, color=colours[name], label=_label(name))
        below += wide[name]
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if not wide.empty:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, reverse=True)


def _label(name: str) -> str:
    """Return a name as a label: short, seen by the legend, and never read as a formula."""
    short = name if len(name) <= _LABEL else name[: _LABEL - 1] + "…"
    return short.replace("$", r"\$").lstrip("_") or "(empty)"


def _axes(figure: Figure, title: str) -> Axes:
    axes = figure.add_subplot()
    _dress(axes, title)
    return axes


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _dates(axes: Axes, fewer: dict[int, int] | None = None) -> None:
    locator = AutoDateLocator(maxticks=fewer)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
