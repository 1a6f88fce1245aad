"""A day's lead versions."""

import datetime as dt
from dataclasses import replace
from functools import partial

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.lake.engine import number
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.pulling.day import WHOLE, Mode, Pulled, last_seen, pull
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import LEAD_DATA, SIMPLE_LEADS


def pull_simple_leads(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, mode: Mode = WHOLE) -> Pulled:
    """Pull the leads last modified on a local day and add their versions to the day's files (trap T1).

    A refresh asks only for what was modified since the last pull.

    Raises:
        HeroBaseError: a window failed; the files are as they were.
        UnreadableError: the leads cannot be read; the files are as they were.

    """
    since = last_seen(lake, SIMPLE_LEADS, day, settings) if mode.refresh else None
    with pull("simpleleads", day, herobase, lake, settings, (SIMPLE_LEADS, LEAD_DATA), since) as day_pull:
        landing, con = day_pull.landing, day_pull.landing.con
        day_pull.ask(partial(herobase.simple_leads, settings.projects))
        landing.gather()
        account = day_pull.account()
        day_pull.set_aside(anew=False)
        con.execute(f"CREATE TEMP VIEW pulled_leads AS SELECT *, {landing.unknown(without=())} FROM pulled")
        con.execute(f"CREATE TEMP VIEW seen_versions AS {stored(lake, SIMPLE_LEADS, day)}")
        observed = {"day": day, "observed_at": herobase.budget.utcnow()}
        before = number(con, f"SELECT count(*) FROM ({stored(lake, SIMPLE_LEADS, day)})")
        rows = {
            LEAD_DATA.name: write(lake, con, LEAD_DATA, day=day, params=day_pull.params),
            SIMPLE_LEADS.name: write(
                lake,
                con,
                SIMPLE_LEADS,
                day=day,
                params=day_pull.params | observed,
                complete=day_pull.complete,
            ),
        }
        account = replace(account, kept=rows[SIMPLE_LEADS.name] - before)
        return day_pull.pulled(rows, account, f"SELECT max(last_modified_at) FROM ({stored(lake, SIMPLE_LEADS, day)})")
