"""HeroBase asked whom it has anonymized, over all time: it may have done so long after a lead's days were pulled."""

import datetime as dt
from typing import NamedTuple

from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.windows import Pull, Source
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.landing import Landing
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.partitions import Window
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import SIMPLE_LEADS

_SINCE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_FEW = 100  # leads: an answer that was cut has more


class Swept(NamedTuple):
    """What HeroBase said: who asked to be forgotten, and how many of its records cannot be read."""

    requests: list[Request]
    unreadable: int


def sweep(herobase: HeroBase, lake: Lake, settings: Settings) -> Swept:
    """Return the leads that HeroBase calls Anonymized, whenever they were modified.

    Raises:
        HeroBaseError: a window failed.

    """
    now = herobase.budget.utcnow()
    with (
        spool(lake) as folder,
        connect(settings.zone, folder) as con,
        Landing(con, folder, (SIMPLE_LEADS,)) as landing,
    ):
        source = Source(
            ask=lambda window: herobase.retrying(
                lambda: landing.document(herobase.anonymized_leads(settings.projects, window))
            ),
            strays=landing.strays,
            edges=lambda window: _edges(landing, window),
            known=lambda: landing.different(now),
            doubted=lambda rows: rows >= _FEW,
            found=lambda _rows, _cut: None,
        )
        Pull(source).run(Window(_SINCE, now + dt.timedelta(days=1)))
        landing.gather()
        found = con.execute(
            "SELECT lead_id, max(last_modified_at) FROM pulled WHERE status = 'Anonymized' GROUP BY lead_id"
        ).fetchall()
        requests = [Request("lead", lead, "status", asked.astimezone(dt.UTC)) for lead, asked in found]
        return Swept(requests, len(landing.unreadable))


def _edges(landing: Landing, window: Window) -> list[list[Window]]:
    """Return the windows between either end of a window and the nearest leads of the last answer."""
    spread = landing.spread(window)
    return [] if spread is None else [[Window(window.start, spread[0])], [Window(spread[1], window.end)]]
