"""A day's lead versions."""

import datetime as dt
import fnmatch
import re
from dataclasses import replace
from functools import partial

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.errors import NotFoundError
from herobase_pipeline.lake.engine import number
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.pulling.day import WHOLE, Mode, Pulled, last_seen, pull
from herobase_pipeline.settings import Settings
from herobase_pipeline.spelling import meant
from herobase_pipeline.tables import LEAD_DATA, SIMPLE_LEADS


def pull_simple_leads(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, mode: Mode = WHOLE) -> Pulled:
    """Pull the leads last modified on a local day and add their versions to the day's files (trap T1).

    A refresh asks only for what was modified since the last pull.

    Raises:
        NotFoundError: a pattern of the settings fits none of the projects, so it would give empty days for ever.
        HeroBaseError: a window failed; the files are as they were.
        UnreadableError: the leads cannot be read; the files are as they were.

    """
    since = last_seen(lake, SIMPLE_LEADS, day, settings) if mode.refresh else None
    if since is None:
        _refuse_unknown_projects(herobase, settings)
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


def _refuse_unknown_projects(herobase: HeroBase, settings: Settings) -> None:
    """Refuse a pattern that fits no project, where the account may see which there are (``*`` fits all)."""
    patterns = [pattern for pattern in settings.projects if pattern.strip("*")]
    if not patterns or (names := herobase.project_names) is None:
        return
    for pattern in patterns:
        fits = re.compile(fnmatch.translate(pattern.replace("[", "[[]")), re.IGNORECASE)  # only * and ? are wildcards
        if not any(fits.match(name) for name in names):
            raise NotFoundError(
                f"HEROBASE_PROJECTS: no project that the account may see is called {pattern}, so nothing was asked for. "
                f"{meant(pattern, names)}"
            )
