"""``make demo``: two weeks of the sandbox's call centre, loaded by Dagster, as three tables on the terminal."""

import datetime as dt
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from herobase_pipeline.assets.site import Site
from herobase_pipeline.definitions import SITES, defs
from herobase_pipeline.delivering.planning import DONE, INVALID, NOT_ELIGIBLE, NOT_YET, SEND
from herobase_pipeline.enums import CallEndCause, LeadClosure
from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.operations.jobs import DELIVER, DERIVE, FROM_ALL_DAYS, LISTS, PULL_DAYS, PULL_LISTS, by_day
from herobase_pipeline.reading.reader import connect
from herobase_pipeline.tables import DELIVERIES

DAYS = 14
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_NOWHERE = (chr(0x10FFFF),)  # sorts behind every code
_DECISIONS = {SEND: "planned", INVALID: "invalid", NOT_YET: "waits", NOT_ELIGIBLE: "held back"}
_HEADS = {
    "NotApplicable": "in progress",
    "NormalDisconnect": "talked",
    "NoResponse": "no response",
    "Busy": "busy",
    "VoiceMail": "voice mail",
    "DroppedCall": "dropped",
    "DialingCancelled": "cancelled",
    "NotSet": "by the system",
    "Success": "success",
    "NotInterested": "not interested",
    "InvalidLead": "invalid",
    "Unqualified": "unqualified",
}


def main() -> int:
    """Load what is not loaded yet and print the tables, of each site where there are some; returns the exit code."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    for site in SITES:
        if site.name:
            console.rule(f"[bold]{site.name}", align="left")
        if wrong := _show(console, site):
            console.print(wrong)
            return 2
    console.print("Next:      make dev  (the Dagster UI, where these days are listed and others can be loaded)")
    return 0


def _show(console: Console, site: Site) -> str | None:
    """Load and print an account; returns why that cannot be."""
    settings = site.load()
    if settings.url is not None:
        return "The demo is for the sandbox, but HEROBASE_URL is set: unset it, or run make dev for your account."
    try:
        lake = claim(Lake(settings.data_dir), settings)
    except ForeignLakeError as error:
        return str(error)
    yesterday = dt.datetime.now(settings.zone).date() - dt.timedelta(days=1)
    days = [yesterday - dt.timedelta(days=back) for back in reversed(range(DAYS))]
    days = [day for day in days if day >= settings.start_date]
    if not days:
        return (
            f"No day is over yet since HEROBASE_START_DATE, {settings.start_date}, so there is none to show: set an earlier one, "
            "or unset it."
        )
    _load(console, site, lake, days)
    with connect(lake.root) as con:
        _print_outcomes(console, con, days)
        _print_conversion(console, con, days)
        _print_deliveries(console, con)
    console.print(f"Parquet:   {lake.root.absolute()}/lake/<table>/", highlight=False)
    console.print(f"Catalogue: {lake.catalogue}  (DuckDB views over it, with comments)", highlight=False)
    return None


def _load(console: Console, site: Site, lake: Lake, days: Sequence[dt.date]) -> None:
    """Run Dagster for each day that has no file yet, then for the lists and what is derived from all days."""
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    lacking = [day for day in days if not all(lake.file(table, day).exists() for table in by_day(site))]
    if not lacking and all(lake.files(table) for table in (*LISTS, *FROM_ALL_DAYS, DELIVERIES)):
        console.print(f"All {len(days)} days are loaded already; nothing was asked of HeroBase.")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with dg.DagsterInstance.get() as instance, Progress(*columns, console=console) as progress:
        task = progress.add_task("Loading", total=len(lacking) + 3)

        def run(what: str, job: str, day: dt.date | None = None) -> None:
            progress.update(task, description=what)
            made = defs.resolve_job_def(site.called(job))
            made.execute_in_process(_QUIET, instance, str(day) if day else None)
            progress.advance(task)

        for day in lacking:
            run(f"Loading {day}", PULL_DAYS, day)
        run("Loading the lists", PULL_LISTS)
        run("Bringing leads and calls together", DERIVE)
        run("Handing on what was sold", DELIVER)


def _print_outcomes(console: Console, con: duckdb.DuckDBPyConnection, days: Sequence[dt.date]) -> None:
    rows = con.execute(
        """
        SELECT any_value(org_path), arg_max(org_name, date), end_cause, sum(calls)::BIGINT
        FROM call_outcomes WHERE date BETWEEN ? AND ?
        GROUP BY org_level, lower(org_key), end_cause
        """,
        [days[0], days[-1]],
    ).fetchall()
    title = f"What became of calls, {days[0]} to {days[-1]}, by the team at the time of the call"
    _print(console, title, "calls", [cause.name for cause in CallEndCause][1:], rows)


def _print_conversion(console: Console, con: duckdb.DuckDBPyConnection, days: Sequence[dt.date]) -> None:
    rows = con.execute(
        """
        SELECT any_value(org_path), arg_max(org_name, closed_date), closure, sum(leads)::BIGINT
        FROM lead_conversion WHERE closed_date BETWEEN ? AND ?
        GROUP BY org_level, lower(org_key), closure
        """,
        [days[0], days[-1]],
    ).fetchall()
    title = f"How leads were closed, {days[0]} to {days[-1]}, by the team of the call that closed them"
    closures = [closure.name for closure in LeadClosure]
    _print(console, title, "leads", [*closures[1:], closures[0]], rows)


def _print_deliveries(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    """Print what was handed on to the HERO in the box, what is planned, and what is held back and why."""
    rows = con.execute(
        "SELECT delivery, decision, coalesce(reason, ''), count(*) FROM delivery_plan GROUP BY ALL ORDER BY 1, 4 DESC, 2, 3"
    ).fetchall()
    if not rows:
        return
    title = "What was handed on to another system, what is planned, and what is held back"
    grid = Grid("delivery", "what", "why", title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    grid.add_column("leads", justify="right")
    for delivery, decision, reason, leads in rows:
        grid.add_row(delivery, *([reason, ""] if decision == DONE else [_DECISIONS[decision], reason]), f"{leads:,}")
    console.print(grid)


def _print(console: Console, title: str, unit: str, values: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Print counts by org node, each below the one it belongs to, and the share of each value among all of the node."""
    if not rows:
        console.print(f"{title}: no {unit} in these days.")
        return
    nodes: dict[tuple[str, ...], dict[str, int]] = {}
    names: dict[tuple[str, ...], str] = {}
    for path, name, value, count in rows:
        node = tuple(code.casefold() for code in path)
        names[node] = name
        nodes.setdefault(node, {})[value] = count
    values = [*values, *sorted({value for counts in nodes.values() for value in counts} - set(values))]
    grid = Grid(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    grid.add_column("team")
    for head in (unit, *(_HEADS.get(value, value) for value in values)):
        grid.add_column(head, justify="right")
    below = [counts for node, counts in nodes.items() if len(node) == 1]
    rest = {value: count - sum(counts.get(value, 0) for counts in below) for value, count in nodes[()].items()}
    nodes[_NOWHERE], names[_NOWHERE] = {value: count for value, count in rest.items() if count}, "(no team)"
    for node in sorted(nodes):
        total = sum(nodes[node].values())
        cells = (_share(nodes[node].get(value, 0), total) for value in values)
        grid.add_row("  " * len(node) + names[node], f"{total:,}", *cells, style="bold" if not node else None)
    console.print(grid)


def _share(count: int, total: int) -> str:
    return f"{count:,} {count / total:>4.0%}" if count else ""


if __name__ == "__main__":
    sys.exit(main())
