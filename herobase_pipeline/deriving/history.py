"""``org_history``, from what the calls of each day told of the units: only days that changed are looked at again."""

from importlib.resources import files
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.deriving import made
from herobase_pipeline.deriving.following import follow
from herobase_pipeline.deriving.made import Seen
from herobase_pipeline.deriving.session import Derived
from herobase_pipeline.deriving.sources import loaded_days_of, require_loaded
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.completeness import complete_days, define_complete_days
from herobase_pipeline.lake.engine import file_literal, literal
from herobase_pipeline.lake.gone import define_past
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables import CALLS, ORG_HISTORY

SIGHTINGS = files("herobase_pipeline.tables").joinpath("org_sightings.sql").read_text(encoding="utf-8")
"""What the calls of a day told of each unit."""


def derive_history(lake: Lake, zone: ZoneInfo, *, anew: bool = False) -> Derived:
    """Make ``org_history`` from all calls.

    Args:
        lake: where.
        zone: the business time zone.
        anew: look at every day again, whatever has changed.

    Raises:
        NotLoadedError: calls are not loaded for any day.
        NotDerivedError: a file could not be read or written.

    """
    require_loaded(lake, ORG_HISTORY, [CALLS])
    known = lake.known(ORG_HISTORY)
    by = made.recipe(zone, SIGHTINGS, ORG_HISTORY.query, *map(str, ORG_HISTORY))

    def make(con: duckdb.DuckDBPyConnection) -> Derived:
        before = None if anew else made.read(lake, ORG_HISTORY, by)
        paths = {day: lake.file(CALLS, day) for day in lake.days(CALLS)}
        marks = made.marks(lake, [*paths.values()])
        sources = {name: Seen(mark=mark) for name, mark in marks.items()}
        if before and not made.is_kept(lake, before, known):
            before = None
        same = [
            day for day, path in paths.items()
            if before and before.sources.get(name := made.name(lake, path)) == sources.get(name)
        ]  # fmt: skip
        con.execute(f"CREATE TEMP VIEW calls AS {view(lake, CALLS, paths.keys() - set(same))}")
        kept = ""
        if same:
            days = ", ".join(literal(str(day)) for day in same)
            source = f"read_parquet({file_literal(known)}, hive_partitioning = false)"
            kept = f"UNION ALL BY NAME SELECT * FROM {source} WHERE date IN ({days})"
        con.execute(f"CREATE TEMP TABLE org_sightings AS ({SIGHTINGS}) {kept}")
        define_past(con, lake, ORG_HISTORY)
        define_complete_days(con, [(list(paths.values()), [])])
        with lake.replacing_beside(ORG_HISTORY, known) as aside:
            con.execute(f"COPY (FROM org_sightings ORDER BY date, unit) TO {literal(str(aside))} (FORMAT parquet)")
        loaded = loaded_days_of(con, lake, [CALLS])
        rows = write(lake, con, ORG_HISTORY, complete=complete_days(con), loaded=loaded)
        made.keep(lake, ORG_HISTORY, by, sources, beside=[known])
        return Derived(rows, 0, is_whole=True)

    return follow(lake, zone, ORG_HISTORY, [CALLS], by, make, anew=anew)
