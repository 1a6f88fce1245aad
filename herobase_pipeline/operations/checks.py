"""The asset checks: whether the numbers can be trusted, at a glance, with the offending days listed.

All checks of a table are one step, so that each run that writes the table can afford them: Dagster shows the result of a check
for the latest materialization only. None is partitioned: Dagster 1.13 has partitioned checks as a preview, and loses their
results in runs of several days.
"""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import dagster as dg

from herobase_pipeline.assets.site import Site
from herobase_pipeline.assets.steps import step_of
from herobase_pipeline.lake import gaps
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.engine import connect, literal
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.operations import by_file
from herobase_pipeline.operations.rules import RULES, Check, Finding, Look
from herobase_pipeline.pulling.services import DAY_SERVICES
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import Table

LISTED = 31  # days; of those before, only how many
OK, NOTHING = "As it should be.", "Nothing is loaded yet."
_MARKUP, _ESCAPED = re.compile(r"([|*<\\])"), r"\\\1"


def utcnow() -> dt.datetime:
    """Return the time that decides which days are due."""
    return dt.datetime.now(dt.UTC)


def findings(checks: Sequence[Check], look: Look) -> Iterator[tuple[Check, list[Finding]]]:
    """Yield each check with what it finds, the latest day first."""
    look = replace(look, read=tuple(dict.fromkeys(table for check in checks for table in check.tables)))
    unwanted = {table for s in DAY_SERVICES if not s.is_wanted(look.settings) for table in s.tables}
    asked = [
        check
        for check in checks
        if isinstance(check.find, str) and look.undamaged.has(check.table) and check.table not in unwanted
    ]
    by_sql = _found_by_sql(asked, look) if asked else {}
    for check in checks:
        found = by_sql.get((check.table.name, check.name), []) if isinstance(check.find, str) else check.find(look)
        yield check, sorted(found, reverse=True)


def _found_by_sql(checks: Sequence[Check], look: Look) -> dict[tuple[str, str], list[Finding]]:
    """Return what checks that are SQL find, by the names of their tables and their own."""
    lake = look.undamaged
    tables = tuple(dict.fromkeys(table for check in checks for table in check.tables))
    counted = dict.fromkeys(each for check in checks for each in check.counted)
    read = [table for table in tables if any(_is_read(table.name, str(check.find)) for check in checks)]
    with spool(lake) as folder, connect(look.settings.zone, folder) as con:
        for each in counted:
            by_file.define(con, lake, look.settings.zone, *each)
        define_views(con, lake, read)  # of the others none, as to make one of a year's files takes as long as a check
        con.execute(f"CREATE TEMP MACRO due() AS DATE {literal(str(look.due))}")
        con.execute("CREATE TEMP TABLE loaded (table_name VARCHAR, day DATE, complete BOOLEAN)")
        con.execute("CREATE TEMP TABLE accepted (first DATE, last DATE, tables VARCHAR[])")
        con.execute("CREATE TEMP TABLE misdeclared (message VARCHAR)")
        try:
            for gap in gaps.accepted(lake):
                con.execute("INSERT INTO accepted VALUES (?, ?, ?)", [gap.first, gap.last, list(gap.tables)])
        except gaps.GapsError as error:  # no gap is accepted then, and the check of gaps says why
            con.execute("INSERT INTO misdeclared VALUES (?)", [str(error)])
        for table in tables:
            days = {"days": lake.days(table), "complete": sorted(known_in_full(con, lake.footers(table)))}
            con.execute(
                f"INSERT INTO loaded SELECT {literal(table.name)}, day, day IN (SELECT unnest($complete::DATE[])) "
                "FROM (SELECT unnest($days::DATE[]) AS day)",
                days,
            )
        return {(check.table.name, check.name): con.execute(str(check.find)).fetchall() for check in checks}


def _is_read(name: str, sql: str) -> bool:
    """Whether SQL reads a table."""
    return re.search(rf"\b(FROM|JOIN) {name}\b", sql) is not None


def in_words(found: Sequence[Finding]) -> str:
    """Return what was found in a sentence's beginning: how much, and the latest of it."""
    day, what = found[0]
    return f"{len(found)} to look at, the latest {day}: {what}"


def listed(found: Sequence[Finding]) -> dg.MetadataValue[str]:
    """Return what was found as a table of days for the UI."""
    rows = [f"| {day} | {cell(what)} |" for day, what in found[:LISTED]]
    more = [f"\nand {len(found) - LISTED} more"] if len(found) > LISTED else []
    return dg.MetadataValue.md("\n".join(["| day | found |", "|---|---|", *rows, *more]))


def cell(text: str) -> str:
    """Return a text as a cell of a table in Markdown."""
    return _MARKUP.sub(_ESCAPED, " ".join(text.split()))


def _checks_of(site: Site, table: Table) -> dg.AssetChecksDefinition:
    """Return the checks of a table, as one step."""
    asset = site.key(table)
    checks = {check.name: check for check in RULES if check.table == table}

    @dg.multi_asset_check(
        name=site.called(f"checks_of_{table.name}"),
        specs=[
            dg.AssetCheckSpec(check.name, asset=asset, description=f"{check.rule} {check.remedy}")
            for check in checks.values()
        ],
        can_subset=True,
        required_resource_keys={site.resource},
    )
    @step_of(site)
    def run(context: dg.AssetCheckExecutionContext, settings: Settings) -> Iterator[dg.AssetCheckResult]:
        look = Look(site, context.instance, settings, utcnow())
        wanted = [checks[key.name] for key in context.selected_asset_check_keys]
        otherwise = OK if look.lake.has(table) else NOTHING
        for check, found in findings(wanted, look):
            yield dg.AssetCheckResult(
                asset_key=asset,
                check_name=check.name,
                passed=not found,
                severity=check.severity,
                description=in_words(found) if found else otherwise,
                metadata={"offending_days": len(found), **({"days": listed(found)} if found else {})},
            )

    return run


def checks(site: Site) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a site's tables."""
    return [_checks_of(site, table) for table in dict.fromkeys(check.table for check in RULES)]
