"""What a run will cost, and how it waits where the account's daily quota is spent (trap T16)."""

import datetime as dt
from collections.abc import Collection
from typing import Any

import dagster as dg

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.errors import HeroBaseError
from herobase_pipeline.herobase.quota import quoted_for

NAP = dt.timedelta(minutes=5)
"""How long a step that waits for a new quota sleeps at a stretch."""
_NAPS = 20_000  # two months
_SLACK = dt.timedelta(seconds=5)


def foretell(context: dg.AssetExecutionContext, client: HeroBase, service: str, days: int) -> int | None:
    """Say what a run will cost in requests against what the account has left, and return that, if HeroBase says so."""
    try:
        limit, count = (quoted_for(service, ask()) for ask in (client.request_limits, client.request_counts))
    except HeroBaseError:
        limit = count = None
    cost = f"{days} days of {service} take about {days} requests" if days > 1 else f"A day of {service} takes a request"
    if limit is None or count is None:
        context.log.info(f"{cost}; HeroBase does not say what this account has left.")
        return None
    if (left := limit - count) < days:
        context.log.warning(f"{cost}; the account has {left} of {limit} left: the run will wait for the next quota.")
    else:
        context.log.info(f"{cost}; the account has {left} of {limit} left.")
    return left


def wait_for_quota(
    context: dg.AssetExecutionContext, client: HeroBase, service: str, resets_at: dt.datetime
) -> dg.RetryRequested:
    """Return what ends the step's attempt, so that it is made again once the quota starts anew.

    While it waits the step holds no slot of its pool, so that other services of HeroBase can be asked. It wakes up now and
    then, as a sleeping step does not notice that it was terminated.
    """
    reason = f"The account's daily quota of {service} is spent until {resets_at:%Y-%m-%d %H:%M} UTC."
    context.log.warning(f"{reason} This run waits for that, and then goes on by itself.")
    wait = max(resets_at - client.budget.utcnow(), dt.timedelta()) + _SLACK
    return dg.RetryRequested(max_retries=_NAPS, seconds_to_wait=min(wait, NAP).total_seconds())


def done_before(
    context: dg.AssetExecutionContext, keys: Collection[dg.AssetKey]
) -> dict[str, dict[dg.AssetKey, dict[str, Any]]]:
    """Return the days that earlier attempts of this step have finished: their metadata, by day and asset."""
    if not context.retry_number:
        return {}
    found: dict[str, dict[dg.AssetKey, dict[str, Any]]] = {}
    for entry in context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        if made is not None and made.partition is not None and made.asset_key in keys:
            found.setdefault(made.partition, {})[made.asset_key] = dict(made.metadata)
    return {day: made for day, made in found.items() if made.keys() == set(keys)}
