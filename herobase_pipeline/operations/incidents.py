"""What is wrong with an account now, as incidents: each has a beginning and an end, and keeps its key while its wording changes.

They are what the checks find, as ``health`` has it; a day that is not loaded the morning after; runs that failed for good; and
looks that were left out. They say counts, days and this project's own sentences, never a customer's data.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb
import msgspec

from herobase_pipeline.lake import gaps
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.damage import damaged
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.lake.layout import written
from herobase_pipeline.lake.writing import stored
from herobase_pipeline.operations.failed_runs import Failed, Group, failed_for_good
from herobase_pipeline.operations.rules import ERROR, RULES, Look
from herobase_pipeline.partitions import in_words, local_day
from herobase_pipeline.pulling.services import DAY_SERVICES
from herobase_pipeline.tables import CALLS, HEALTH

MORNING = 7  # local hour: by then yesterday is loaded
UNSEEN = dt.timedelta(hours=12)  # the night's pulls are checked by then, and the hourly look begins in the morning
_CHECK, _DAY, _RUN, _LOOK = "check", "day", "run", "look"
"""How the keys begin."""
_TITLES = {
    "quota_left": "the quota is nearly spent",
    "rights_unchanged": "the account's rights have changed",
    "no_project_vanished": "a project has vanished",
    "none_unknown": "deliveries wait for a decision",
}
"""What checks of HeroBase and of other systems find, in a few words."""
_OF_A_DAY = ("no_gap_days", "yesterday_is_loaded")
_OF_A_RUN = ("no_partition_left_failed", "no_day_shrunk")
_FEW = 10  # stretches of days, or runs, that a message names


@dataclass(frozen=True)
class Incident:
    """Something that is wrong now.

    Attributes:
        key: what it is known by, as long as it lasts.
        severity: ERROR where a number is wrong or missing, WARN where a person should look.
        title: what it is, in a few words that stay the same.
        what: what was found.
        todo: what to do.
        since: when it began, or was found first.

    """

    key: str
    severity: str
    title: str
    what: str
    todo: str
    since: dt.datetime


class Memory(msgspec.Struct):
    """What a look must know of those before it, as it is not to be seen any more.

    Attributes:
        days: the days that were not loaded by the morning after, until they are.
        failed: the runs that failed, by what they were of, until that is made good.
        seen: when the last look was.
        health: whether there was the table that says what the checks find.

    """

    days: list[dt.date] = []
    failed: dict[str, Failed] = {}
    seen: dt.datetime | None = None
    health: bool = False


class Found(NamedTuple):
    """What a look found.

    Attributes:
        incidents: what is wrong, what is worst first.
        unknown: how the keys begin of which nobody can say whether they are over.

    """

    incidents: list[Incident]
    unknown: tuple[str, ...] = ()


class _UnreadableError(Exception):
    """The table health cannot be read."""


def look_at(look: Look, memory: Memory) -> Found:
    """Return what is wrong now, and keep in the memory what the next look must know."""
    now = dt.datetime.now(dt.UTC)
    days = list(_days(look, memory))
    runs = [_of_runs(group) for group in failed_for_good(look, memory.failed, memory.seen)]
    memory.seen = now
    # told as a day, or as a run: not a second time as a check; of yesterday nothing is told before the morning
    as_days = {_yesterday(look), *memory.days}
    as_runs = {day for each in memory.failed.values() for day in each.days}
    told = dict.fromkeys(_OF_A_DAY, as_days) | dict.fromkeys(_OF_A_RUN, as_runs)
    try:
        rows = _rows(look, has_been_seen=memory.health)
    except _UnreadableError:
        return Found([_unreadable(look), *days, *runs], (_CHECK,))
    memory.health = look.lake.has(HEALTH)
    checks = [_of_check(row) for row in rows if not told.get(row["check"], set()).issuperset(row["days"])]
    return Found(sorted([*_unseen(look, now), *days, *runs, *checks], key=lambda each: each.severity))


def _rows(look: Look, *, has_been_seen: bool) -> list[dict[str, Any]]:
    """Return what the checks found at the last look.

    Raises:
        _UnreadableError: its file is damaged, or gone.

    """
    if damaged(look.lake, HEALTH) or (has_been_seen and not look.lake.has(HEALTH)):
        raise _UnreadableError
    with bare() as con:  # which needs no room on a disk that may be full
        try:
            found = con.execute(stored(look.lake, HEALTH))
            names = [name for name, *_ in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        except duckdb.Error:  # which may quote what stands there
            raise _UnreadableError from None


def _of_check(row: Mapping[str, Any]) -> Incident:
    name, table = row["check"], row["table_name"]
    rule = next((rule for rule in RULES if (rule.name, rule.table.name) == (name, table)), None)
    remedy = rule.remedy if rule and row["message"].endswith(rule.remedy) else ""
    parts = [
        row["message"].removesuffix(remedy).strip(),
        f"The days: {_few(row['days'])}." if len(row["days"]) > 1 else "",
        f"What should be: {rule.rule}" if rule else "",
    ]
    return Incident(
        f"{_CHECK}/{name}/{table}",
        row["severity"],
        _TITLES.get(name, f"the check {name} of {table} fails"),
        " ".join(filter(None, parts)),
        remedy or "See health in the UI.",
        row["since"],
    )


def _of_runs(group: Group) -> Incident:
    runs = ", ".join(run_id.split("-")[0] for run_id in group.run_ids[:_FEW])
    more = f" and {len(group.run_ids) - _FEW} more" if len(group.run_ids) > _FEW else ""
    days = f" The days: {_few(group.days)}." if group.days else ""
    return Incident(
        f"{_RUN}/{group.key}",
        ERROR.name,
        f"{group.name} has failed",
        f"{group.sentence}{days} Failed runs: {runs}{more}.",
        "Do what the sentence says, and run it again; docs/operate.md has a table of sentences.",
        group.since,
    )


def _unreadable(look: Look) -> Incident:
    return Incident(
        _LOOK,
        ERROR.name,
        "nobody knows what is wrong",
        "The table health cannot be read: its file is damaged on the disk, or gone with the disk.",
        f"See whether HEROBASE_DATA_DIR is there, and run the job {look.site.called('check')}, which makes it anew.",
        look.now,
    )


def _unseen(look: Look, now: dt.datetime) -> Iterator[Incident]:
    """Yield that nobody has looked lately: what is wrong since is not in health."""
    looked = written(look.lake.file(HEALTH)) or min(map(written, look.lake.files(CALLS)), default=now.timestamp())
    last = dt.datetime.fromtimestamp(looked, dt.UTC)
    if now - last > UNSEEN:
        yield Incident(
            _LOOK,
            ERROR.name,
            "nothing has been checked lately",
            f"Nothing was checked within {UNSEEN.total_seconds() / 3600:.0f} hours, so what is wrong since is not known.",
            f"Look at the runs of the job {look.site.called('check')}, and whether its schedule is on.",
            last,
        )


def _yesterday(look: Look) -> dt.date:
    return local_day(look.now, look.settings.zone) - dt.timedelta(days=1)


def _days(look: Look, memory: Memory) -> Iterator[Incident]:
    """Yield the days that were not loaded by the morning after, until they are."""
    zone, yesterday = look.settings.zone, _yesterday(look)
    is_due = look.now.astimezone(zone).hour >= MORNING and yesterday >= look.settings.start_date
    days = sorted({*memory.days, *([yesterday] if is_due else [])})
    missing = {day: tables for day in days if (tables := _not_whole(look, day))}
    memory.days = list(missing)
    for day, tables in missing.items():
        yield Incident(
            f"{_DAY}/{day}",
            ERROR.name,
            f"{day} is not loaded",
            f"By {MORNING:02}:00 the day before is loaded whole. Of {day} this is not, or not since the day was over: "
            f"{', '.join(tables)}.",
            f"Look at the night's runs of {look.site.called('pull_days')}, and materialize the day.",
            dt.datetime.combine(day + dt.timedelta(days=1), dt.time(MORNING), zone),
        )


def _not_whole(look: Look, day: dt.date) -> list[str]:
    """Return which tables by day are not known whole for a day, and have no gap there that somebody accepted."""
    lake = look.lake
    try:
        accepted = [gap for gap in gaps.accepted(lake) if gap.first <= day <= gap.last]
    except gaps.GapsError:  # a check says what is wrong with it
        accepted = []
    tables = [service.tables[0] for service in DAY_SERVICES if service.is_wanted(look.settings)]
    wanted = [t for t in tables if not any(not gap.tables or t.name in gap.tables for gap in accepted)]
    found = []
    with bare() as con:
        for table in wanted:
            file = lake.file(table, day)
            files = [file] if lake.is_there(file) and not damaged(lake, table, [file]) else []
            try:
                is_whole = day in known_in_full(con, files)
            except duckdb.Error:  # of what lies on an object store nobody knows beforehand
                is_whole = False
            if not is_whole:
                found.append(table.name)
    return found


def _few(days: Collection[dt.date]) -> str:
    """Return days in words, of many stretches the first and the last."""
    words = in_words(sorted(days))
    return words if words.count(",") < _FEW else f"{len(days)} from {min(days)} to {max(days)}"
