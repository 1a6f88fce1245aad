"""A ranking in which chance does not decide who is first: rates drawn towards that of all, far where they are made of little.

Empirical Bayes: Efron and Morris (1975), "Data Analysis Using Stein's Estimator and its Generalizations". The prior of a share is
a beta distribution, which is not known either, least of all where there are few rates: as Morris (1983), "Parametric Empirical
Bayes Inference", asks for, each possible one counts by how well it fits. Computed as by Gelman et al., "Bayesian Data Analysis",
section 5.3, on a grid of its mean and its weight.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herobase_pipeline.reading.rates import metrics

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_CERTAIN = 0.95
_STEPS = 61  # of the grid, each way


def ranking(
    frame: Any, metric: str, by: str | Sequence[str] = "agent", *, data_dir: str | Path | None = None
) -> "pd.DataFrame":
    """Return a metric by agent, or by other columns, the best first, so that chance does not decide who that is.

    Each rate is drawn towards that of all together: little where it is made of much, and far where it is made of a few calls. How
    far depends on how much the rates differ beyond chance. Where they do not, all are about equal, and so say the intervals. Of
    two or three agents nobody can tell how much agents differ, so that few calls count for more there.

    Args:
        frame: as for ``metrics``, such as ``read("agent_days")``.
        metric: the name of a metric that is a share.
        by: as for ``metrics``. Rows without a value there are left out, such as calls that no agent took part in. An agent
            that is spelled in two ways, or is one in each of several sites, is told apart by ``person`` of ``labelled``.
        data_dir: as for ``metrics``.

    Returns:
        The columns of ``metrics``, with ``rank`` in front of them, and behind them ``shrunk`` (the rate, drawn towards the
        mean), ``shrunk_low`` and ``shrunk_high`` (the interval in which it lies with 95 %). A rate that is no share, as it
        has more above the line than below, and one that cannot be told, has none of these, and no rank.

    Raises:
        ValueError: the metric is no share, or it is one of several categories.
        NotAMetricError, NotAddableError, KeyError, TypeError: as ``metrics`` does.

    """
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
    found[["shrunk", "shrunk_low", "shrunk_high"]] = float("nan")
    if len(shares):
        drawn = _drawn(shares["numerator"].to_numpy(float), shares["denominator"].to_numpy(float))
        for name, values in zip(("shrunk", "shrunk_low", "shrunk_high"), drawn, strict=True):
            found.loc[shares.index, name] = values
    found.insert(0, "rank", found["shrunk"].rank(ascending=False, method="min").astype("Int64"))
    return found.sort_values("rank", kind="stable").reset_index(drop=True)


def _drawn(successes: "np.ndarray[Any, Any]", tries: "np.ndarray[Any, Any]") -> "tuple[np.ndarray[Any, Any], ...]":
    """Return what each share is expected to be, and the ends of its interval.

    Over all priors on the grid each share is a mixture of beta distributions; the interval is that of the one beta distribution
    with the same mean and variance.
    """
    import numpy as np
    from scipy.special import betaln, expit, logit
    from scipy.stats import beta

    total = tries.sum()
    middle = (successes.sum() + 0.5) / (total + 1)
    spread = np.sqrt(
        1 / (middle * (1 - middle) * total) + 4 / len(tries)
    )  # of the logit: by chance, and between agents
    means = expit(logit(middle) + np.linspace(-4, 4, _STEPS) * spread)
    weights = np.exp(np.linspace(np.log(0.5), np.log(10 * total + 10), _STEPS))
    mean, weight = (grid.ravel() for grid in np.meshgrid(means, weights))
    for_, against = mean * weight, (1 - mean) * weight
    fits = np.log(for_) + np.log(against) - 2.5 * np.log(weight)  # flat in the mean, and in 1 / sqrt(weight)
    for k, n in zip(successes, tries, strict=True):
        fits += betaln(k + for_, n - k + against) - betaln(for_, against)
    likely = np.exp(fits - fits.max())
    likely /= likely.sum()
    expected, squared = np.empty_like(tries), np.empty_like(tries)
    for each, (k, n) in enumerate(zip(successes, tries, strict=True)):
        above, all_ = k + for_, n + weight
        expected[each] = (likely * above / all_).sum()
        squared[each] = (likely * above * (above + 1) / (all_ * (all_ + 1))).sum()
    size = expected * (1 - expected) / (squared - expected**2) - 1
    low, high = (
        beta.ppf(edge, expected * size, (1 - expected) * size) for edge in ((1 - _CERTAIN) / 2, (1 + _CERTAIN) / 2)
    )
    return expected, low, high
