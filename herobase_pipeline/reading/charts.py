"""The charts: of outcomes by day and of rates, drawn from frames. No files, no Dagster.

The colours are those of Okabe and Ito (2008), which people who do not see all colours can tell apart.
"""

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DAILY, MONTHLY, AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter, StrMethodFormatter
from pandas.api.types import is_datetime64_any_dtype
from PIL import Image

from herobase_pipeline.reading.days import recall
from herobase_pipeline.reading.rates import LOADED
from herobase_pipeline.tables.metrics import METRICS

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
_GAP, _INK, _LIMIT, _BEFORE = "#EEEEEE", "#0072B2", "#D55E00", "#777777"
_PANELS, _ROWS, _LABEL = 24, 60, 30
_REST = "(others)"
_STEPS = {"week": ("W-MON", 7), "month": ("MS", 30), "quarter": ("QS", 91), "year": ("YS", 365)}
"""Of each span of time how pandas counts it, and about how many days it has."""
_TICKS, _TICKS_OF_A_PANEL, _FEW_DAYS = 9, 5, 9
_NUMBERED = {"age_days": "days since the first dial", "hour": "hour of the day"}
"""What points lie along that is no date."""
_NEEDED = ("metric", "category", "rate", "ci_low", "ci_high", "is_mature")
FINAL, WITH_INTERVAL = "solid: final", "solid: final, with its 95 % interval"
NOT_FINAL = "hollow: can still change, as days are missing or not settled"
NOT_LOADED = "hatched: no day loaded"


class _Time(NamedTuple):
    """The axis of time.

    Attributes:
        along: the column of it.
        steps: each week, month and so on from the first to the last, whether there is a point or not; None for single days.
        loaded: how many days of each are loaded, and how many it has, where that is known.

    """

    along: str
    steps: pd.DatetimeIndex | None
    loaded: dict[pd.Timestamp, tuple[int, int]]

    @property
    def gaps(self) -> list[pd.Timestamp]:
        """The steps of which no day is loaded."""
        return [step for step, (known, _) in self.loaded.items() if not known]

    @property
    def width(self) -> float:
        """How many days of the axis a step takes."""
        return _STEPS[self.along][1] if self.along in _STEPS else 1


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
    _day_ticks(axes, first, last)
    known = pd.DatetimeIndex(days["day"].unique())
    for gap in pd.date_range(first, last).difference(known):
        _hatch(axes, gap, 1)
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
    """Draw one rate through time with its interval; what is not final yet is hollow, as it may still change.

    A week of which no day is loaded is hatched, one of which some are says how many, and no line leads over a gap. What has no
    rate is left out, and the title says how much that is and why.

    Args:
        points: ``day`` or ``week`` (where the point stands), ``rate``, ``ci_low``, ``ci_high`` (shares), ``is_mature``, and
            ``reason`` where there is no rate.
        title: what it shows.

    """
    time = _time(points, next(name for name in (*_STEPS, "day") if name in points))
    drawn, left_out = _drawn(points, time)
    figure = Chart(figsize=(8.4, 3), dpi=96, layout="constrained")
    axes = _axes(figure, title + left_out)
    _through_time(axes, drawn, time)
    _make_room(axes, time)
    _time_ticks(axes, drawn, time, _TICKS)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    _legend(figure, [axes], time)
    return figure


def rates(points: pd.DataFrame, title: str = "", *, limit: float | None = None) -> Chart:
    """Draw what ``herobase_pipeline.metrics`` gives: through time or age a panel a group, else a row a group.

    Intervals (95 %) are drawn where there are any; what is not mature yet, or a span of which days are missing, is hollow, and
    says how many of its days are loaded. A week of which none is loaded is hatched, and no line leads over it. What has no rate
    is left out, and the title says how much that is and why.

    Args:
        points: a frame of ``metrics``.
        title: what it shows; by default the metric's name.
        limit: a rate that a rule allows, such as that of ``drop_rates.limit_rate``: it is drawn as a line.

    Raises:
        ValueError: the frame is none of ``metrics``, there is nothing to draw, or more groups than anybody can look at.

    """
    _require_rates(points)
    keys = [str(name) for name in points.columns[: list(points.columns).index("metric")]]
    along = next((key for key in keys if key in _NUMBERED or is_datetime64_any_dtype(points[key])), None)
    time = _time(points, along) if along else None
    drawn, left_out = _drawn(points, time)
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
    shown = (title or str(drawn["metric"].iloc[0])) + left_out
    return _panels(groups, time, shown, limit) if time else _ranking(groups, shown, limit)


def beside(of_each: Sequence[pd.DataFrame], title: str) -> Chart:
    """Draw a share of each unit twice, each with its interval: as it is, and below it, in grey, as it was before.

    Args:
        of_each: of each unit what ``teams.beside_before`` gives.
        title: what it shows.

    """
    figure = Chart(figsize=(8.4, 0.6 * len(of_each) + 1.3), dpi=96, layout="constrained")
    axes = _axes(figure, title)
    for place, rates in enumerate(of_each):
        for (_, row), colour, up in zip(rates.iterrows(), (_INK, _BEFORE), (-0.15, 0.15), strict=True):
            reach = [[row["rate"] - row["ci_low"]], [row["ci_high"] - row["rate"]]]
            axes.errorbar(
                [row["rate"]], [place + up], xerr=reach, fmt="o", color=colour, markersize=5,
                markerfacecolor=colour if row["is_mature"] is True else "white", label=row["span"],
            )  # fmt: skip
    axes.set_yticks(range(len(of_each)), [_label(str(rates["unit"].iloc[0])) for rates in of_each])
    axes.set_ylim(len(of_each) - 0.4, -0.6)
    axes.grid(axis="x", color=_GAP)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    _legend(figure, [axes], None)
    return figure


def _require_rates(points: Any) -> None:
    """See to it that a frame is one of ``metrics``.

    Raises:
        ValueError: it is none; the message says which metric can be made of it.

    """
    if isinstance(points, pd.DataFrame) and set(_NEEDED) <= set(points.columns):
        return
    of = next((read.table.name for read in recall(points).values()), "")
    metric = next((metric for metric in METRICS if of in (metric.basis.source, metric.basis.found_in)), None)
    what = f"rows of {of}" if of else f"a {type(points).__name__} without {_NEEDED[0]} and {_NEEDED[2]}"
    told = f"charts.rates draws what hb.metrics gives, and this is {what}. "
    if metric is None and of:
        raise ValueError(
            f"{told}Read call_outcomes, and give charts.rates(hb.metrics(outcomes, 'contact_rate_per_dial', by='week'))."
        )
    raise ValueError(
        f"{told}Give charts.rates(hb.metrics(frame, {metric.name if metric else 'conversion_net'!r}, by='week'))."
    )


def _drawn(points: pd.DataFrame, time: _Time | None) -> tuple[pd.DataFrame, str]:
    """Return the points that are drawn, and a line on the others; of weeks that are not loaded nothing can be said."""
    told = _left_out(points)
    drawn = points.dropna(subset=["rate"])
    if time and time.steps is not None and time.gaps:
        in_gaps = drawn[time.along].isin(time.gaps)
        if in_gaps.any():
            told += f"\n{in_gaps.sum()} of {len(points)} points are not drawn: no day of their {time.along} is loaded"
        drawn = drawn[~in_gaps]
    return drawn, told


def _time(points: pd.DataFrame, along: str) -> _Time:
    """Return the axis of time that some points lie on; how many days are loaded is what ``metrics`` has told."""
    of_sites = list(points.attrs.get(LOADED, {}).values())
    loaded: dict[pd.Timestamp, tuple[int, int]] = {}
    for of_site in of_sites if along not in _NUMBERED else ():
        for day, (known, days) in of_site.items():  # of several sites a day counts if it is loaded of one
            step = pd.Timestamp(day)
            loaded[step] = max(known, loaded.get(step, (0, 0))[0]), days
    if along not in _STEPS:
        return _Time(along, None, {step: of for step, of in loaded.items() if step not in set(points[along])})
    known = [*points[along].dropna(), *loaded]
    steps = pd.date_range(min(known), max(known), freq=_STEPS[along][0]) if known else pd.DatetimeIndex([])
    return _Time(along, steps, loaded)


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


def _panels(groups: dict[str, pd.DataFrame], time: _Time, title: str, limit: float | None) -> Chart:
    across = min(len(groups), 3)
    down = -(-len(groups) // across)
    size = (8.4, 3.2) if len(groups) == 1 else (3.2 * across + 1, 2 * down + 0.9)
    figure = Chart(figsize=size, dpi=96, layout="constrained")
    figure.suptitle(title.replace("$", r"\$"), fontsize=11)
    grid = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    for axes, (name, points) in zip(grid, groups.items(), strict=False):
        _dress(axes, name[:60])
        if time.along in _NUMBERED:
            _line(axes, points.set_index(time.along)["rate"])
            _markers(axes, points, time.along)
            axes.set_xlabel(_NUMBERED[time.along], fontsize=8)
        else:
            _through_time(axes, points, time)
        if limit is not None:
            axes.axhline(limit, color=_LIMIT, linestyle="--", linewidth=1, label=_allowed(limit))
    if time.along not in _NUMBERED:
        _make_room(grid[0], time)
        every = pd.concat(groups.values())
        _time_ticks(grid[0], every, time, _TICKS if len(groups) == 1 else _TICKS_OF_A_PANEL)
    for axes in grid[max(len(groups) - across, 0) : len(groups)]:
        axes.tick_params(labelbottom=True)
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    if _is_share(groups):
        grid[0].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    _legend(figure, grid[: len(groups)], time)
    return figure


def _ranking(groups: dict[str, pd.DataFrame], title: str, limit: float | None) -> Chart:
    ordered = pd.concat([points.assign(group=name or "all") for name, points in groups.items()])
    ordered = ordered.sort_values("rate").reset_index(drop=True)
    figure = Chart(figsize=(7, 0.28 * len(ordered) + 1.3), dpi=96, layout="constrained")
    axes = _axes(figure, title)
    _markers(axes, ordered, "rate")
    axes.set_yticks(range(len(ordered)), [_label(group) for group in ordered["group"]])
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.grid(axis="x", color=_GAP)
    axes.set_axisbelow(True)
    if limit is not None:
        axes.axvline(limit, color=_LIMIT, linestyle="--", linewidth=1, label=_allowed(limit))
    if _is_share(groups):
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    _legend(figure, [axes], None)
    return figure


def _allowed(limit: float) -> str:
    return f"the rule allows {limit * 100:g} %"


def _is_share(groups: dict[str, pd.DataFrame]) -> bool:
    return any(points["ci_low"].notna().any() for points in groups.values())


def _through_time(axes: Axes, points: pd.DataFrame, time: _Time) -> None:
    """Draw points along time: no line leads over a step without one, and what is not loaded is seen."""
    line = points.set_index(time.along)["rate"]
    if time.steps is not None and line.index.is_unique and len(line):
        inner = time.steps[(time.steps >= line.index.min()) & (time.steps <= line.index.max())]
        line = line.reindex(inner)  # without a value the line ends
    elif line.index.is_unique and len(line):  # of days: a quiet one is no gap
        inner = [gap for gap in time.gaps if line.index.min() < gap < line.index.max()]
        line = line.reindex(line.index.union(pd.DatetimeIndex(inner)))
    _line(axes, line)
    _markers(axes, points, time.along)
    for gap in time.gaps:
        _hatch(axes, gap, time.width)
    _parts(axes, time)


def _parts(axes: Axes, time: _Time) -> None:
    """Say of each step of which only some days are loaded how many, above what is drawn."""
    parts = {step: of for step, of in time.loaded.items() if 0 < of[0] < of[1]}
    is_narrow = time.steps is not None and len(time.steps) > _FEW_DAYS
    for step, (known, days) in parts.items():
        axes.text(
            float(date2num(step)), 0.99, f"{known} of {days} days", transform=axes.get_xaxis_transform(),
            ha="center", va="top", fontsize=6.5, color="#555555", rotation=90 if is_narrow else 0,
        )  # fmt: skip


def _make_room(axes: Axes, time: _Time) -> None:
    """Leave room above the points for what ``_parts`` writes there."""
    if any(0 < known < days for known, days in time.loaded.values()):
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.15 * (high - low))


def _line(axes: Axes, line: "pd.Series[float]") -> None:
    axes.plot(line.index, line, color=_INK, linewidth=1, alpha=0.4)


def _hatch(axes: Axes, at: Any, width: float) -> None:
    """Show that of a day, or of a longer step of time, nothing is known."""
    middle = float(date2num(at))
    axes.axvspan(middle - width / 2, middle + width / 2, facecolor=_GAP, edgecolor="white", hatch="//", linewidth=0)


def _markers(axes: Axes, points: pd.DataFrame, along: str) -> None:
    """Draw each point with its interval, if it has one: above each other where ``along`` is the rate itself."""
    is_mature = points["is_mature"].fillna(value=False).astype(bool)
    final = WITH_INTERVAL if points["ci_low"].notna().any() else FINAL
    for kind, face, label in ((True, _INK, final), (False, "white", NOT_FINAL)):
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


def _legend(figure: Figure, grid: Iterable[Axes], time: _Time | None) -> None:
    """Say once, below a figure, what its solid, hollow and hatched marks are."""
    told = [pair for axes in grid for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    found: dict[str, Any] = {str(label): handle for handle, label in sorted(told, key=lambda pair: _order(pair[1]))}
    if time and time.gaps:
        found[NOT_LOADED] = Patch(facecolor=_GAP, edgecolor="white", hatch="//", linewidth=0)
    figure.legend(list(found.values()), list(found), loc="outside lower left", ncols=2, frameon=False, fontsize=7.5)


def _order(label: Any) -> int:
    return (FINAL, WITH_INTERVAL, NOT_FINAL).index(label) if label in (FINAL, WITH_INTERVAL, NOT_FINAL) else 3


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


def _time_ticks(axes: Axes, points: pd.DataFrame, time: _Time, most: int) -> None:
    """Name weeks as weeks and months as months, a step each or every so many; the axis is as long as they are."""
    if time.steps is None:
        days = [*points[time.along], *time.loaded]
        _day_ticks(axes, min(days), max(days), most)
        return
    shown = time.steps[:: -(-len(time.steps) // most)]
    labels, year = [], 0
    for step in shown:
        name, of_year = _named(step, time.along)
        labels.append(f"{name}\n{of_year}" if of_year != year and time.along != "year" else name)
        year = of_year
    axes.set_xticks([float(date2num(step)) for step in shown], labels)
    axes.set_xlim(float(date2num(time.steps[0])) - 0.6 * time.width, float(date2num(time.steps[-1])) + 0.6 * time.width)


def _named(step: pd.Timestamp, kind: str) -> tuple[str, int]:
    """Return what a step of time is called, and the year that it is said with."""
    if kind == "week":
        return f"wk {step.isocalendar()[1]}\n{step.day} {step:%b}", step.year
    if kind == "quarter":
        return f"Q{step.quarter}", step.year
    return (f"{step:%b}" if kind == "month" else str(step.year)), step.year


def _day_ticks(axes: Axes, first: Any, last: Any, most: int = _TICKS) -> None:
    """Name a few days each, some weeks by their Mondays, and of more what fits."""
    days = pd.date_range(first, last)
    if len(days) <= _FEW_DAYS:
        shown = days[:: -(-len(days) // most)]
        axes.set_xticks([float(date2num(day)) for day in shown], [f"{day.day} {day:%b}" for day in shown])
    elif len(days) <= 7 * _TICKS:
        mondays = days[days.day_of_week == 0]
        names = [_named(day, "week")[0] for day in mondays]
        axes.set_xticks([float(date2num(day)) for day in mondays], names)
    else:
        locator = AutoDateLocator(maxticks={MONTHLY: 7, DAILY: 9})
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlim(float(date2num(first)) - 0.6, float(date2num(last)) + 0.6)
