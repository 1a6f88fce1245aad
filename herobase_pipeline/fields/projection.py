"""``lead_fields``: the declared fields of every lead as typed columns, and what is new or gone among the fields.

A change is a day whose file is another than at the last time. It touches the leads that have rows on that day; what of all
leads is needed to make these anew, and to say which fields are new or gone, is kept beside the table, without a value.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.deriving import made
from herobase_pipeline.deriving.made import Made, Seen
from herobase_pipeline.deriving.session import NotDerivedError, deriving
from herobase_pipeline.deriving.sources import Source, define_sources, macros, require_loaded
from herobase_pipeline.fields.census import Census, Finding, by_name, campaigns, counted, misfits, spellings, unread_of
from herobase_pipeline.fields.columns import MACROS, covering, texts, typed, values
from herobase_pipeline.fields.declarations import Declaration
from herobase_pipeline.lake import arrow
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.engine import define, file_literal, number
from herobase_pipeline.lake.layout import Lake, place_of
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.tables import (
    CALLS,
    CAMPAIGNS,
    LEAD_DATA,
    LEAD_FIELDS,
    RAW_LEADS,
    SEARCH_LEAD_DATA,
    VERSIONS,
    Table,
)

FIELDS_OF_LEADS = (LEAD_DATA, SEARCH_LEAD_DATA, RAW_LEADS)
"""Where the fields of leads are; any of them will do."""
SOURCES = (*FIELDS_OF_LEADS, *VERSIONS, CAMPAIGNS, CALLS)
_OF_LEADS = (*FIELDS_OF_LEADS, *VERSIONS)
_AT_ONCE = 400_000  # leads: what touches more is as dear as everything
_COLUMNS = files("herobase_pipeline.fields").joinpath("columns.py").read_text(encoding="utf-8")
_KEYS = "list_distinct(list_concat(coalesce(json_keys(data), []), coalesce(json_keys(custom_data), [])))"


@dataclass(frozen=True)
class Projected:
    """What came of it: rows, those that no file was for, a line a declared field, and what does not fit."""

    rows: int
    undeclared_rows: int
    fields: Sequence[Census]
    findings: Sequence[Finding]


def project(lake: Lake, zone: ZoneInfo, declarations: Sequence[Declaration], *, anew: bool = False) -> Projected:
    """Make ``lead_fields`` from all lead versions, or only what has changed since it was made last.

    Args:
        lake: where.
        zone: the business time zone.
        declarations: the files of declared fields.
        anew: make every lead again, whatever has changed.

    Raises:
        NotLoadedError: there are no leads, or a file is for projects and the campaigns, which name them, are not loaded.
        NotDerivedError: two files are for the same campaign.

    """
    table, known = typed(declarations), lake.known(LEAD_FIELDS)
    with deriving(lake, zone, LEAD_FIELDS, reads=[*_OF_LEADS, CALLS]) as con:
        recipe = made.recipe(zone, LEAD_FIELDS.query, MACROS, macros(), _COLUMNS, repr(declarations))
        before = None if anew else made.read(lake, LEAD_FIELDS, recipe)
        sources = {
            name: Seen(mark=mark)
            for name, mark in made.marks(lake, [f for t in SOURCES for f in lake.files(t)]).items()
        }
        changed = _changed(lake, before, sources, declarations)
        if changed is None or not _gather_touched(con, lake, declarations, changed):
            gather(con, lake, declarations)
            con.execute("CREATE TEMP TABLE others AS SELECT *, []::VARCHAR[] AS unread FROM leads_now WHERE false")
            kept = ""
        else:
            kept = "SELECT * FROM seen ANTI JOIN wanted USING (lead_id) UNION ALL BY NAME "
        now = spellings(con, "leads_now")
        rows = [
            "SELECT lead_id, last_modified_at, declaration, declaration_version FROM latest WHERE declaration IS NULL"
        ]
        for n, each in enumerate(declarations):  # texts first: to plan both at once takes minutes for 300 fields
            con.execute(f"CREATE TEMP TABLE texts_{n} AS {texts(each, by_name(now[each.name]))}")
            con.execute(f"CREATE TEMP TABLE values_{n} AS {values(each, f'texts_{n}')}")
            con.execute(f"DROP TABLE texts_{n}")
            rows.append(f"FROM values_{n}")
        unread = " UNION ALL ".join(unread_of(each, f"values_{n}") for n, each in enumerate(declarations))
        con.execute(f"""
            CREATE TEMP TABLE told AS
            SELECT leads_now.*, coalesce(unread, []) AS unread
            FROM leads_now LEFT JOIN ({unread or "SELECT NULL AS lead_id, NULL::VARCHAR[] AS unread"}) USING (lead_id)
            UNION ALL BY NAME
            FROM others
        """)
        with lake.replacing_beside(table, known) as aside:
            arrow.write_beside(con, "FROM told", aside)
        count = write(lake, con, table, f"{kept}({' UNION ALL BY NAME '.join(rows)})")
        made.keep(lake, LEAD_FIELDS, recipe, sources, beside=[known])
        written = stored(lake, table)
        con.execute("CREATE TEMP VIEW leads_told AS SELECT * FROM told WHERE is_there")
        seen = spellings(con, "leads_told")
        fields = [line for each in declarations for line in counted(con, written, "leads_told", each)]
        findings = campaigns(con, "leads_told") if declarations else []
        findings += [found for each in declarations for found in misfits(con, "leads_told", each, seen[each.name])]
        undeclared = number(con, f"SELECT count(*) FROM ({written}) WHERE declaration IS NULL")
        return Projected(count, undeclared, fields, findings)


def gather(con: duckdb.DuckDBPyConnection, lake: Lake, declarations: Sequence[Declaration]) -> None:
    """Make ``latest``, every lead with its fields as they came and the file that is for it, and the macros to read them."""
    _require(lake, declarations)
    define_sources(con, lake, SOURCES)
    _make_latest(con, declarations)


def _require(lake: Lake, declarations: Sequence[Declaration]) -> None:
    needed: list[Source] = [FIELDS_OF_LEADS, *([CAMPAIGNS] if any(each.projects for each in declarations) else [])]
    require_loaded(lake, LEAD_FIELDS, needed)


def _make_latest(con: duckdb.DuckDBPyConnection, declarations: Sequence[Declaration]) -> None:
    """Make ``latest`` from the sources as the connection has them, and ``leads_now``, what is kept of these leads."""
    con.execute(MACROS)
    con.execute(f"CREATE TEMP TABLE latest AS {LEAD_FIELDS.query}", {"declared": covering(declarations)})
    for campaign, names in con.execute(
        "SELECT coalesce(campaign, '(none)'), declarations FROM latest WHERE len(declarations) > 1 ORDER BY 1 LIMIT 1"
    ).fetchall():
        raise NotDerivedError(
            f"The campaign {campaign} is in {' and '.join(f'{name}.toml' for name in names)}, so which of them reads its leads "
            "is not clear. Make their patterns of campaigns and projects apart."
        )
    sightings = " UNION ALL ".join(f"SELECT lead_id, date FROM {table.name}" for table in _OF_LEADS)
    con.execute(f"""
        CREATE TEMP TABLE leads_now AS
        SELECT
            lead_id,
            days,
            latest.lead_id IS NOT NULL AS is_there,
            declaration,
            campaign,
            last_modified_at,
            data IS NOT NULL OR custom_data IS NOT NULL AS has_fields,
            coalesce(is_unreadable, false) AS is_unreadable,
            {_KEYS} AS keys
        FROM (SELECT lead_id, list(DISTINCT date) AS days FROM ({sightings}) GROUP BY lead_id)
        LEFT JOIN latest USING (lead_id)
    """)


def _changed(
    lake: Lake, before: Made | None, now: dict[str, Seen], declarations: Sequence[Declaration]
) -> dict[str, list[dt.date]] | None:
    """Return the days that changed, by table; None where every lead has to be made again."""
    if before is None or not made.is_kept(lake, before, lake.known(LEAD_FIELDS)) or before.sources.keys() - now.keys():
        return None
    changed: dict[str, list[dt.date]] = {}
    for name, seen in now.items():
        if name not in before.sources or before.sources[name].mark != seen.mark:
            table, day = place_of(name)
            changed.setdefault(table, []).append(day)
    # which project a campaign is of decides for any lead; so do calls for those that RawLeads alone gives
    if CAMPAIGNS.name in changed and any(each.projects for each in declarations):
        return None
    if CALLS.name in changed and lake.has(RAW_LEADS):
        return None
    return changed


def _gather_touched(
    con: duckdb.DuckDBPyConnection, lake: Lake, declarations: Sequence[Declaration], changed: dict[str, list[dt.date]]
) -> bool:
    """Make ``latest`` of the leads that have rows on changed days, and ``others``, what is kept of those that have none.

    Returns False, and makes neither, where they are too many.
    """
    _require(lake, declarations)
    of_days = [
        f"SELECT lead_id FROM ({view(lake, table, changed[table.name])})"
        for table in _OF_LEADS
        if table.name in changed
    ]
    con.execute(
        f"CREATE TEMP TABLE wanted AS {' UNION '.join(of_days) or 'SELECT NULL::VARCHAR AS lead_id WHERE false'}"
    )
    if number(con, "SELECT count(*) FROM wanted") > _AT_ONCE:
        return False
    known = f"read_parquet({file_literal(lake.known(LEAD_FIELDS))}, hive_partitioning = false)"
    con.execute(f"CREATE TEMP TABLE others AS SELECT * FROM {known} ANTI JOIN wanted USING (lead_id)")
    before = con.execute(
        f"SELECT DISTINCT unnest(days) FROM (FROM {known} SEMI JOIN wanted USING (lead_id))"
    ).fetchall()
    days = {day for (day,) in before}.union(*(of for name, of in changed.items() if name != CAMPAIGNS.name))
    define(con, macros())
    for table in SOURCES:
        con.execute(f"CREATE TEMP VIEW {table.name} AS {_of_wanted(lake, table, days)}")
    _make_latest(con, declarations)
    return True


def _of_wanted(lake: Lake, table: Table, days: Collection[dt.date]) -> str:
    """Return a SELECT of what is needed of a source to make the leads that are ``wanted``."""
    if table is CAMPAIGNS:
        return view(lake, table)
    # the calls of leads that RawLeads alone gives may lie on any day
    some = None if table is CALLS and lake.has(RAW_LEADS) else [] if table is CALLS else days
    return f"SELECT * FROM ({view(lake, table, some)}) SEMI JOIN wanted USING (lead_id)"
