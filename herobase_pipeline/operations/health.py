"""The asset ``health``: what all the checks find now and since when, and whether yesterday is loaded."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa

from herobase_pipeline.assets.own_lake import own_lake
from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.specs import spec
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.deriving.session import NotDerivedError, deriving
from herobase_pipeline.lake import arrow, catalogue, gaps
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.damage import without_damaged
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Lake, written
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.operations import checks
from herobase_pipeline.operations.alerts import in_words
from herobase_pipeline.operations.rules import ERROR, RULES, WARN, Look
from herobase_pipeline.partitions import local_day
from herobase_pipeline.pulling.services import DAY_SERVICES
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_OUTCOMES, HEALTH, LEAD_CONVERSION, Table

ALL_IS_WELL = "nothing_is_wrong"
_WHOLE = "whole"


def health(site: Site) -> dg.AssetsDefinition:
    """Return the asset of what is wrong with a site's tables."""

    @dg.multi_asset(
        name=site.called(HEALTH.name),
        required_resource_keys={site.resource},
        specs=[spec(site, HEALTH, group="health", deps=list(dict.fromkeys(rule.table for rule in RULES)))],
        check_specs=[
            dg.AssetCheckSpec(
                ALL_IS_WELL,
                asset=site.key(HEALTH),
                description="No check of any table fails. Those that do are listed with the days, since when, and what to do.",
            )
        ],
    )
    @step_of(site)
    def look_at_everything(
        context: dg.AssetExecutionContext, settings: Settings
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Look at everything, and say in words what is wrong."""
        lake = own_lake(settings)
        look = Look(site, context.instance, settings, checks.utcnow())
        try:
            wrong = _look(lake, look)
        except NotDerivedError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        catalogue.refresh(lake, settings.zone)
        fails = ", ".join(f"{row['check']} of {row['table_name']}" for row in wrong)
        yield dg.MaterializeResult(
            metadata={
                "in_short": f"Wrong: {fails}." if wrong else "All is well.",
                **_loaded(look),
                "wrong": _listed(wrong, settings.zone),
                "alerts": in_words(settings),
                **_accepted(lake),
                "dagster/row_count": len(wrong),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=ALL_IS_WELL,
                    passed=not wrong,
                    severity=ERROR if any(row["severity"] == ERROR.name for row in wrong) else WARN,
                    description=f"Wrong: {fails}." if wrong else "All is well.",
                )
            ],
        )

    return look_at_everything


def _look(lake: Lake, look: Look) -> list[dict[str, Any]]:
    """Write the table anew and return its rows; what was wrong at the last look keeps its ``since``."""
    with deriving(lake, look.settings.zone, HEALTH) as con:
        seen = con.execute(f'SELECT "check", table_name, since FROM ({stored(lake, HEALTH)})').fetchall()
        since = {(check, table): first for check, table, first in seen}
        wrong = [
            {
                "check": rule.name,
                "table_name": rule.table.name,
                "severity": rule.severity.name,
                "days": sorted({day for day, _ in found}),
                "since": since.get((rule.name, rule.table.name), look.now),
                "message": f"{checks.in_words(found).rstrip('.')}. {rule.remedy}",
            }
            for rule, found in checks.findings(RULES, look)
            if found
        ]
        con.register("wrong", pa.Table.from_pylist(wrong, arrow.schema(HEALTH)))
        write(lake, con, HEALTH, "FROM wrong")
    return wrong


def _listed(wrong: Sequence[dict[str, Any]], zone: ZoneInfo) -> dg.MetadataValue[str]:
    """Return what is wrong as a list for the UI, what is worst first; a table would be wider than the page."""
    lines = [
        f"* **{row['severity']}: {row['check']} of {row['table_name']}**, since {row['since'].astimezone(zone):%Y-%m-%d %H:%M}. "
        f"{checks.cell(row['message'])}"
        for row in sorted(wrong, key=lambda row: (row["severity"], row["table_name"], row["check"]))
    ]
    return dg.MetadataValue.md("\n".join(lines) if lines else "All is well.")


def _loaded(look: Look) -> dict[str, dg.MetadataValue[str]]:
    """Return for the UI whether yesterday is loaded, in a line, and of each table how far it is, as a list."""
    today = local_day(look.now, look.settings.zone)
    yesterday = today - dt.timedelta(days=1)
    lines, lacking, lake = [], [], without_damaged(look.lake)
    with spool(lake) as folder, connect(look.settings.zone, folder) as con:
        pulled = [service.tables[0] for service in DAY_SERVICES if service.is_wanted(look.settings)]
        for table in (*pulled, CALL_OUTCOMES, LEAD_CONVERSION):
            whole = known_in_full(con, lake.footers(table))
            before, now = (_state(look, table, day, whole) for day in (yesterday, today))
            lacking += [f"{table.name} is {before}"] if before != _WHOLE else []
            lines.append(
                f"* **{table.name}**: yesterday, {yesterday}, {before}; today {now}; the latest whole day is "
                f"{max(whole, default='none')}"
            )
    in_short = f"not whole: {', '.join(lacking)}." if lacking else "loaded and counted, whole."
    return {
        "yesterday": dg.MetadataValue.text(f"{yesterday} is {in_short}"),
        "loaded": dg.MetadataValue.md("\n".join(lines)),
    }


def _state(look: Look, table: Table, day: dt.date, whole: set[dt.date]) -> str:
    """Return in words how far a day of a table is loaded."""
    if day in whole:
        return _WHOLE
    file = look.lake.file(table, day if table.daily else None)
    if not table.daily:
        return "not all known"
    if not (seconds := written(file)):
        return "not loaded"
    return f"in part, as of {dt.datetime.fromtimestamp(seconds, look.settings.zone):%Y-%m-%d %H:%M}"


def _accepted(lake: Lake) -> dict[str, dg.MetadataValue[str]]:
    """Return the gaps that somebody accepted, for the UI; what is wrong with their file is among what is wrong."""
    try:
        accepted = gaps.accepted(lake)
    except gaps.GapsError:
        return {}
    lines = [
        f"* {', '.join(gap.tables) or 'all'}: {gap.first} to {gap.last}. {checks.cell(gap.reason)}" for gap in accepted
    ]
    return {"accepted_gaps": dg.MetadataValue.md("\n".join(lines))} if lines else {}
