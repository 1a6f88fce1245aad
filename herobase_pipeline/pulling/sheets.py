"""A day's rows of the exports that come as CSV: of saved searches, and RawLeads.

A row does not say when its lead was modified, so it belongs to the day that was asked for, which is asked for exactly.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from herobase_pipeline.herobase.client import HeroBase, Record
from herobase_pipeline.herobase.documents import Segment
from herobase_pipeline.herobase.errors import BrokenOffError, NotJsonError
from herobase_pipeline.herobase.salvage import Unreadable
from herobase_pipeline.herobase.windows import FLOOR
from herobase_pipeline.lake.engine import number
from herobase_pipeline.lake.landing import Landing
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.sheets import CutSheetError, Sheet, id_column, sheet
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.partitions import Window, day_bounds
from herobase_pipeline.pulling.day import WHOLE, Asked, Mode, Pulling, last_seen, pull
from herobase_pipeline.pulling.searches import existing
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import RAW_LEADS, SEARCH_ROWS, Table

Ask = Callable[[Window], Iterator[bytes]]
_RAW = tuple(column.field or "" for column in RAW_LEADS if column.field)


def pull_search_rows(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, mode: Mode = WHOLE) -> Pulling:
    """Pull what the saved searches give as CSV for a local day, and add to the day's file what was not as it is now.

    Raises:
        SearchFailedError: the linked user has no such search.
        HeroBaseError: a window failed; the file is as it was.
        UnreadableError: too many rows cannot be read; the file is as it was.

    """
    searches = {
        search: existing(search, partial(herobase.saved_search_csv, search)) for search in settings.saved_searches_csv
    }
    return _pull("leads/csv", SEARCH_ROWS, searches, _searched, day, herobase, lake, settings, mode)


def pull_raw_leads(day: dt.date, herobase: HeroBase, lake: Lake, settings: Settings, mode: Mode = WHOLE) -> Pulling:
    """Pull the fields of the leads modified on a local day, and add to the day's file those that were not as they are now.

    Raises:
        HeroBaseError: a window failed; the file is as it was.
        UnreadableError: too many rows cannot be read; the file is as it was.

    """
    asked = {"": partial(herobase.raw_leads, settings.projects)}
    return _pull("rawleads", RAW_LEADS, asked, _raw, day, herobase, lake, settings, mode)


def _pull(
    service: str,
    table: Table,
    asks: Mapping[str, Ask],
    records: Callable[[Sheet, Sequence[Sequence[str]]], list[Record]],
    day: dt.date,
    herobase: HeroBase,
    lake: Lake,
    settings: Settings,
    mode: Mode,
) -> Pulling:
    since = last_seen(lake, table, day, settings) if mode.refresh else None
    if since is not None and since >= day_bounds(day, settings.zone).end:  # nothing is new of it but what changed late
        since = None
    with pull(service, day, herobase, lake, settings, (table,), since) as day_pull:
        landing, con = day_pull.landing, day_pull.landing.con
        for search, ask in asks.items():
            day_pull.ask(_Segments(service, landing, ask, records).of, search, one_of_many=bool(search))
        yield from day_pull.pause(Asked.ALL)
        day_pull.gather()
        account = day_pull.account()
        day_pull.set_aside(anew=False)
        before = number(con, f"SELECT count(*) FROM ({stored(lake, table, day)})")
        params: Record = {"observed_at": day_pull.asked_at}
        if table is RAW_LEADS:
            params["is_whole"] = not landing.unreadable
        rows = write(lake, con, table, day=day, params=params, complete=day_pull.complete)
        newest = f"SELECT max(observed_at) FROM ({stored(lake, table, day)})"
        nameless = number(con, "SELECT count(*) FROM pulled WHERE lead_id IS NULL")
        details = {"rows_without_lead_id": nameless} if nameless else {}
        return day_pull.pulled({table.name: rows}, replace(account, kept=max(rows - before, 0)), newest, details)


@dataclass
class _Segments:
    """The answers to one question, as segments of JSON for the landing.

    Attributes:
        service: the service's path.
        landing: where they go.
        ask: asks for the table of a window.
        records: makes records of a table's rows.

    """

    service: str
    landing: Landing
    ask: Ask
    records: Callable[[Sheet, Sequence[Sequence[str]]], list[Record]]
    _header: Sequence[str] | None = None
    _may_be_unended: bool = False

    def of(self, window: Window) -> Iterator[Segment]:
        """Yield the rows of a window.

        Raises:
            BrokenOffError: the table was cut.

        """
        found = self._sheet(window)
        try:
            if found.header is not None and found.header != self._header is not None:
                raise self._cut(window)  # within the header
            yield from self._read(found)
        except CutSheetError:
            raise self._cut(window) from None
        finally:
            found.path.unlink()
        if found.names and not found.is_ended:
            self._require_unended(found, window)
        self._header = found.header

    def _cut(self, window: Window) -> BrokenOffError:
        return BrokenOffError(
            f"{self.service} from {window.start:%Y-%m-%d %H:%M:%S} to {window.end:%Y-%m-%d %H:%M:%S} UTC: HeroBase's table broke "
            "off in the middle of a line, so none of it was kept. Run it again; if it stays, report it to HeroBase."
        )

    def _sheet(self, window: Window) -> Sheet:
        return sheet(self.landing.con, self.ask(window), self.landing.spool / f"{uuid.uuid4().hex}.csv")

    def _read(self, found: Sheet) -> Iterator[Segment]:
        for rows, broken in found.batches():
            made = self.records(found, rows) if rows else []
            keys = frozenset(made[0]) if made else frozenset()
            aside = tuple(Unreadable(row.reason, row.text) for row in broken)
            yield Segment(msgspec.json.encode(made), len(made), keys, aside)

    def _require_unended(self, found: Sheet, window: Window) -> None:
        """Ask for a moment of the same window, to see whether HeroBase never ends the last line of its tables.

        Raises:
            BrokenOffError: it does, so this one was cut; or nobody can tell.

        """
        if self._may_be_unended:
            return
        short = self._sheet(Window(window.start, min(window.start + FLOOR, window.end)))
        short.path.unlink()
        if short.is_ended or short.header != found.header:
            raise self._cut(window)
        self._may_be_unended = True


def _searched(found: Sheet, rows: Sequence[Sequence[str]]) -> list[Record]:
    lead = id_column(found.names, rows)
    return [
        {"leadId": None if lead is None else row[lead], "fields": dict(zip(found.names, row, strict=True))}
        for row in rows
    ]


def _raw(found: Sheet, rows: Sequence[Sequence[str]]) -> list[Record]:
    """Return the fields of leads; the columns by their names where they have them, else in the documented order."""
    plain = [name.casefold().replace(" ", "") for name in found.names]
    order = [plain.index(name.casefold()) for name in _RAW] if {n.casefold() for n in _RAW} <= set(plain) else range(3)
    if len(found.names) < len(_RAW):
        if not found.is_ended:
            raise CutSheetError
        raise NotJsonError(
            f"rawleads: HeroBase answered with a table of {len(found.names)} columns, and a lead's id, a field's name and its "
            "text were expected. Run it again; if it stays, ask HeroBase what changed in their API.",
            "a table of other columns",
        )
    return [dict(zip(_RAW, (row[column] for column in order), strict=True)) for row in rows]
