"""A ranking that nobody leads on three calls: rates drawn towards the mean of all, the more the fewer they are made of.

Empirical Bayes: Efron and Morris (1975), "Data Analysis Using Stein's Estimator and its Generalizations"; for shares the prior
is a beta distribution, its two numbers found by the moments of Kleinman (1973), "Proportions with Extraneous Variance".
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herobase_pipeline.reading.rates import metrics

if TYPE_CHECKING:
    import pandas as pd

_CERTAIN = 0.95


def ranking(
    frame: Any, metric: str, by: str | Sequence[str] = "agent", *, data_dir: str | Path | None = None
) -> "pd.DataFrame":
    """Return a metric by agent, or by other columns, the best first, so that chance does not decide who that is.

    Each rate is drawn towards that of all together: little where it is made of much, and far where it is made of a few calls. How
    far depends on how much the rates differ beyond chance. Where they do not, all are about equal, and so say the intervals.

    Args:
        frame: as for ``metrics``, such as ``read("agent_days")``.
        metric: the name of a metric that is a share.
        by: as for ``metrics``. Rows without a value there are left out, such as calls that no agent took part in.
        data_dir: as for ``metrics``.

    Returns:
        The columns of ``metrics``, with ``rank`` in front of them, and behind them ``shrunk`` (the rate, drawn towards the
        mean), ``shrunk_low`` and ``shrunk_high`` (the interval in which it lies with 95 %). A rate that is no share, as it
        has more above the line than below, and one that cannot be told, has none of these, and no rank.

    Raises:
        ValueError: the metric is no share, or it is one of several categories.
        NotAMetricError, NotAddableError, KeyError, TypeError: as ``metrics`` does.

    """
    from scipy.stats import beta

    keys = [by] if isinstance(by, str) else list(by)
    found = metrics(frame, metric, keys, data_dir=data_dir).dropna(subset=keys)
    if found["category"].notna().any():
        raise ValueError(f"{metric} has several categories, which cannot be ranked together: choose a metric of one.")
    told = found[found["denominator"].gt(0) & found["reason"].isna()]
    if told["ci_low"].isna().all() and len(told):
        raise ValueError(
            f"{metric} is no share, so its rates cannot be drawn towards their mean: sort by rate instead."
        )
    shares = told[told["ci_low"].notna()]
    successes, tries = shares["numerator"], shares["denominator"]
    if len(shares):
        mean, weight = _prior(successes, tries)
        above, below = successes + mean * weight, tries - successes + (1 - mean) * weight
        edge = (1 - _CERTAIN) / 2
        found.loc[shares.index, "shrunk"] = above / (above + below)
        found.loc[shares.index, "shrunk_low"] = beta.ppf(edge, above, below)
        found.loc[shares.index, "shrunk_high"] = beta.ppf(1 - edge, above, below)
    else:
        found[["shrunk", "shrunk_low", "shrunk_high"]] = float("nan")
    found.insert(0, "rank", found["shrunk"].rank(ascending=False, method="min").astype("Int64"))
    return found.sort_values("rank", kind="stable").reset_index(drop=True)


def _prior(successes: "pd.Series[float]", tries: "pd.Series[float]") -> tuple[float, float]:
    """Return the mean of all, and how many tries it weighs against those of one.

    The variance of the rates beyond that of chance gives the weight. It is at most as much as all tries together: of rates that
    differ by no more than chance it would be infinite, as if nobody could differ from the others. And at least one try, so that
    who has none or all still has an interval.
    """
    total = tries.sum()
    mean = successes.sum() / total
    spread = float((tries * (successes / tries - mean) ** 2).sum())
    by_chance = mean * (1 - mean) * (len(tries) - 1)
    between = (spread - by_chance) / (total - (tries**2).sum() / total) if len(tries) > 1 else 0.0
    most = max(float(total), 1.0)
    mean = min(
        max(mean, 0.5 / (total + 1)), (total + 0.5) / (total + 1)
    )  # a prior that is certain could not be shown wrong
    return mean, min(max(mean * (1 - mean) / between - 1, 1.0), most) if between > 0 else most
