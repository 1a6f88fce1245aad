"""A day's lead versions, from SimpleLeads or from saved searches."""

import datetime as dt
import fnmatch
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.errors import NotFoundError
from herobase_pipeline.lake.engine import number
from herobase_pipeline.lake.landing import UnreadableError
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.pulling.day import WHOLE, Asked, Day, Mode, Pulled, Pulling, last_seen, pull
from herobase_pipeline.pulling.searches import existing
from herobase_pipeline.settings import Settings
from herobase_pipeline.spelling import meant
from herobase_pipeline.tables import LEAD_DATA, SEARCH_LEAD_DATA, SEARCH_LEADS, SIMPLE_LEADS, Table

_NEEDED = ("status", "closure", "campaign")  # of a lead, for what is made from it


def pull_simple_leads(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, mode: Mode = WHOLE) -> Pulling:
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
        day_pull.ask(partial(herobase.simple_leads, settings.projects))
        yield from day_pull.pause(Asked.ALL)
        day_pull.gather()
        return _written(day_pull, lake, SIMPLE_LEADS, LEAD_DATA)


def pull_search_leads(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, mode: Mode = WHOLE) -> Pulling:
    """Pull the leads that the saved searches give for a local day and add their versions to the day's files (trap T1).

    A refresh asks only for what was modified since the last pull.

    Raises:
        SearchFailedError: the linked user has no such search.
        HeroBaseError: a window failed; the files are as they were.
        UnreadableError: the leads cannot be read; the files are as they were.

    """
    since = last_seen(lake, SEARCH_LEADS, day, settings) if mode.refresh else None
    with pull("leads", day, herobase, lake, settings, (SEARCH_LEADS, SEARCH_LEAD_DATA), since) as day_pull:
        for search in settings.saved_searches:
            ask = existing(search, partial(herobase.saved_search, search))
            day_pull.ask(ask, search, one_of_many=True)
        yield from day_pull.pause(Asked.ALL)
        day_pull.gather()
        _refuse_to_lack(day_pull, settings.saved_searches)
        return _written(day_pull, lake, SEARCH_LEADS, SEARCH_LEAD_DATA)


def _refuse_to_lack(day_pull: Day, searches: Sequence[str]) -> None:
    """Refuse a search that gives no lead's status, closure or campaign: it would re-open leads that are known to be closed."""
    for search in searches:
        query = """
            SELECT
                count(*),
                count(status),
                if(bool_or(status = 'UserProcessed'), count(closure), count(*)),
                count(coalesce(campaign_id, campaign_code))
            FROM pulled WHERE asked = $search
        """
        ((leads, *given),) = day_pull.landing.con.execute(query, {"search": search}).fetchall()
        lacking = [name for name, with_it in zip(_NEEDED, given, strict=True) if leads and not with_it]
        if lacking:
            raise UnreadableError(
                f"The saved search {search} gives {leads} leads without {' and '.join(lacking)}, so nothing was changed. Log in "
                "to HeroBase as the UI user that the web-service account is linked to, and add it to the search under Leads › "
                "Lead Admin; if it is there, report this."
            )


def _written(day_pull: Day, lake: Lake, versions: Table, data: Table) -> Pulled:
    """Add the versions that have landed, and were gathered, to the day's files."""
    landing, con, day = day_pull.landing, day_pull.landing.con, day_pull.day
    account = day_pull.account()
    day_pull.set_aside(anew=False)
    everything = f"SELECT *, asked AS search, {landing.unknown(without=())} FROM pulled"
    for view, table, extra in (("pulled_leads", versions, "extra"), ("pulled_data", data, "extra_private AS extra")):
        names = [column.name for column in table if column.field or column.name == "search"]
        con.execute(f"CREATE TEMP VIEW {view} AS SELECT {', '.join(names)}, {extra} FROM ({everything})")
    before = stored(lake, versions, day)
    con.execute(f"CREATE TEMP VIEW seen_versions AS {before}")
    seen = number(con, f"SELECT count(*) FROM ({before})")
    params = day_pull.params | {"day": day, "observed_at": day_pull.asked_at}
    sort = day_pull.whole  # a day that is refreshed is written again in minutes, and whole in the night
    rows = {
        data.name: write(lake, con, data, LEAD_DATA.query, day=day, params=day_pull.params, sort=sort),
        versions.name: write(
            lake,
            con,
            versions,
            SIMPLE_LEADS.query,
            day=day,
            params=params,
            complete=day_pull.complete,
            asked=day_pull.asked_at,
            sort=sort,
        ),
    }
    account = replace(account, kept=max(rows[versions.name] - seen, 0))
    return day_pull.pulled(rows, account, f"SELECT max(last_modified_at) FROM ({stored(lake, versions, day)})")


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
