"""Dropped calls by campaign, in the windows that regulators count in. Rules and sources: reference, domain.md section 3."""

from dataclasses import asdict, dataclass
from typing import Any

from herobase_pipeline.tables.schema import Column, Table, Type, of

# of all levels, that of everything; windows begin with the first day with a dial
_DIALS = of("call_outcomes", "settled_dials end_cause org_level")
_WINDOW = of("call_outcomes", "date dials org_level")


@dataclass(frozen=True)
class Regime:
    """A way to cut time into windows and to judge them.

    Attributes:
        name: its name.
        window_days: length of a window, counted from the first day with a dial; None: calendar months.
        limit_rate: the share of dropped calls that the rule allows; None: no number.
        state: whether the rule is in force.
        source: where it is written.

    """

    name: str
    window_days: int | None
    limit_rate: float | None
    state: str
    source: str


REGIMES = (
    Regime(
        "us_ftc_30d_campaign", 30, 0.03, "in force",
        "16 CFR 310.4(b)(4): each successive 30-day period of a campaign, of calls answered by a person",
    ),
    Regime(
        "uk_legacy_24h_campaign", 1, 0.03, "former",
        "Ofcom until 28 February 2017: any 24 hours of a campaign, here the local day; since then no level is acceptable",
    ),
    Regime("none", None, None, "no number", "Denmark, Germany: no statutory rate; by calendar month, to look at"),
)  # fmt: skip

DROP_RATES = Table(
    name="drop_rates",
    description="Dropped calls as a share of live calls, per campaign and window of a rule. Of all calls, those without an "
    "agent or a hierarchy included; there is no such rate per team. Not computable from HeroBase: the 2 "  # trap T30a
    "seconds of the FTC, and whether a dropped call had been answered by a person.",
    grain="one row a regime, campaign and window",
    columns=(
        Column("regime", Type.TEXT, f"the rule: {'; '.join(f'{r.name} ({r.state}): {r.source}' for r in REGIMES)}"),
        Column(
            "campaign_id",
            Type.TEXT,
            "the campaign; NULL for calls without one",
            made_from=of("call_outcomes", "campaign_id"),
        ),
        Column("window_start", Type.DAY, "first local day of the window", made_from=_WINDOW),
        Column("window_end", Type.DAY, "the day after its last", made_from=_WINDOW),
        Column("dropped", Type.COUNT, "dials with DroppedCall", additive=True, made_from=_DIALS),
        Column("contacts", Type.COUNT, "dials that reached a person", additive=True, made_from=_DIALS),
        Column(
            "voicemails",
            Type.COUNT,
            "dials that an agent marked as voice mail: too few, as not all do",
            additive=True,
            made_from=_DIALS,
        ),
        Column(
            "drop_rate_live_conservative",
            Type.SHARE,
            "dropped / (dropped + contacts): each drop was a person",
            made_from=_DIALS,
        ),
        Column("conservative_ci_low", Type.SHARE, "lower end of its Wilson interval, 95 %", made_from=_DIALS),
        Column("conservative_ci_high", Type.SHARE, "upper end", made_from=_DIALS),
        Column(
            "drop_rate_reasoned",
            Type.SHARE,
            "dropped / (dropped + contacts + voicemails): as many drops were machines as answers are",
            made_from=_DIALS,
        ),
        Column("reasoned_ci_low", Type.SHARE, "lower end of its Wilson interval, 95 %", made_from=_DIALS),
        Column("reasoned_ci_high", Type.SHARE, "upper end", made_from=_DIALS),
        Column("limit_rate", Type.SHARE, "share that the rule allows; NULL for none"),
        Column(
            "is_mature",
            Type.FLAG,
            "each day of the window is over and loaded, and all its calls are settled",
            made_from=_WINDOW + of("call_outcomes", "is_mature"),
        ),
        Column("metric_version", Type.COUNT, "version of the rates' definition"),
    ),
)


def regimes() -> list[dict[str, Any]]:
    """Return the regimes as rows, for the SQL."""
    return [asdict(regime) for regime in REGIMES]
