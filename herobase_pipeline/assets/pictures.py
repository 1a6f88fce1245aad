"""The pictures that the UI shows on the metric assets: how outcomes and conversion went, of the whole centre."""

import base64
import datetime as dt
import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import dagster as dg
import duckdb

from herobase_pipeline.lake.catalogue import selection
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.tables import CALL_OUTCOMES, KNOWN_DAYS, LEAD_CONVERSION, Table

OUTCOMES, CONVERSION, TEAMS = "outcomes", "conversion", "teams"
"""The names under which the UI shows them."""
OUTCOMES_FROM = "outcomes_drawn_from"
"""A hash of the numbers of which the outcomes were drawn."""
_TEAM = "last week of "
_DAYS = dt.timedelta(days=34)
_WEEKS = 26

# a known day without calls is there without an end cause; one that is not known is not there
_OUTCOMES = """
    SELECT day, end_cause, coalesce(dials, 0) AS dials
    FROM (SELECT day FROM known_days WHERE outcomes_known AND day BETWEEN $first AND $last)
    LEFT JOIN (
        SELECT date AS day, end_cause, sum(settled_dials) AS dials
        FROM call_outcomes
        WHERE org_level = 0 AND settled_dials > 0 AND date BETWEEN $first AND $last
        GROUP BY ALL
    ) USING (day)
    ORDER BY ALL
"""


def outcomes(
    lake: Lake, last: dt.date, before: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, dg.MetadataValue[Any]]:
    """Return the picture of the dials of the five weeks up to a day; nothing where none of these days is known.

    It is the one that was shown ``before`` where that was drawn from the same numbers: to draw takes a second.
    """
    title = f"Settled dials by end cause, five weeks up to {last}; hatched: not known"
    with _tables(lake) as con:
        rows = con.execute(_OUTCOMES, {"first": last - _DAYS, "last": last}).fetchall()
        drawn_from = dg.MetadataValue.text(hashlib.sha256(f"{title} {rows}".encode()).hexdigest())
        if not rows:
            return {}
        if OUTCOMES in before and before.get(OUTCOMES_FROM) == drawn_from:
            return {OUTCOMES: before[OUTCOMES], OUTCOMES_FROM: drawn_from}
        from herobase_pipeline.reading import charts  # takes a second to load, and most runs draw nothing

        days = con.execute(_OUTCOMES, {"first": last - _DAYS, "last": last}).df()
    chart = charts.outcomes(days, title, last - _DAYS, last)
    return {OUTCOMES: _shown(title, charts.png(chart)), OUTCOMES_FROM: drawn_from}


def conversion(lake: Lake) -> dict[str, dg.MetadataValue[Any]]:
    """Return the picture of the net conversion of the latest half year; nothing where no day is known.

    Nor where the catalogue has just been deleted: the next run makes it anew, and the picture.
    """
    from herobase_pipeline.reading import charts
    from herobase_pipeline.reading.errors import NotLoadedError
    from herobase_pipeline.reading.rates import metrics
    from herobase_pipeline.reading.reader import read

    with _tables(lake) as con:
        known = con.execute("SELECT day FROM known_days WHERE closings_known ORDER BY day").df()["day"]
    if known.empty:
        return {}
    latest = known.iloc[-1].date()
    first = max(known.iloc[0].date(), latest - dt.timedelta(days=latest.weekday(), weeks=_WEEKS - 1))
    with warnings.catch_warnings(action="ignore"):  # what is not loaded is drawn hollow
        try:
            closings = read("lead_conversion", first, level=0, data_dir=lake.root)
        except NotLoadedError:
            return {}
        weeks = metrics(closings, "conversion_net", by="week")
    title = "Net conversion by week of closing: successes among leads that said yes or no"
    return {} if weeks["rate"].isna().all() else {CONVERSION: _shown(title, charts.png(charts.rate(weeks, title)))}


def teams(lake: Lake, table: Table, metric: str, units: Sequence[str]) -> dict[str, dg.MetadataValue[Any]]:
    """Return of each unit a line on its last week and the four before, and the picture of both; nothing without units.

    Where a unit is not known its line says so, and where no week is over and loaded there is nothing.
    """
    if not units:
        return {}
    from herobase_pipeline.lake.damage import DamagedError
    from herobase_pipeline.reading import charts
    from herobase_pipeline.reading.errors import NoSuchNameError, NotLoadedError
    from herobase_pipeline.reading.teams import BEFORE, LAST, beside_before, in_words

    shown: dict[str, dg.MetadataValue[Any]] = {}
    drawn = []
    for unit in {unit.casefold(): unit for unit in units}.values():
        try:
            rates = beside_before(table.name, metric, unit, with_leads=table is LEAD_CONVERSION, data_dir=lake.root)
        except NotLoadedError:
            return {}
        except NoSuchNameError as error:
            shown[_TEAM + unit] = dg.MetadataValue.text(f"{error} It is named in HEROBASE_TEAMS.")
            continue
        except (DamagedError, duckdb.Error):  # of another day; health names the file
            shown[_TEAM + unit] = dg.MetadataValue.text(f"{table.name} cannot be read as a whole now; health says why.")
            continue
        now, before = (rates[rates["span"] == span].iloc[0] for span in (LAST, BEFORE))
        shown[_TEAM + unit] = dg.MetadataValue.text(f"{metric}: {in_words(now, before)}")
        drawn.append(rates)
    if any(rates["rate"].notna().any() for rates in drawn):
        title = f"{metric} of each team, last week and the four weeks before"
        shown[TEAMS] = _shown(title, charts.png(charts.beside(drawn, title)))
    return shown


def teams_in(shown: Mapping[str, Any]) -> set[str]:
    """Return the units that what is shown has lines on."""
    return {name.removeprefix(_TEAM).casefold() for name in shown if name.startswith(_TEAM)}


def of_runs_before(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pictures, and the lines on teams, among what was shown of a table before."""
    names = (OUTCOMES, OUTCOMES_FROM, CONVERSION, TEAMS)
    return {name: value for name, value in metadata.items() if name in names or name.startswith(_TEAM)}


@contextmanager
def _tables(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection that has what is drawn; not the catalogue, which somebody may delete meanwhile."""
    with bare() as con:
        for table in (KNOWN_DAYS, CALL_OUTCOMES):
            con.execute(f"CREATE VIEW {table.name} AS {selection(lake, table)}")
        yield con


def _shown(title: str, png: bytes) -> dg.MetadataValue[Any]:
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")
