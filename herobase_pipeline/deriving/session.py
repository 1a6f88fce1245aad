"""Deriving a table: one run at a time, with errors that quote nobody."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.lake.damage import DamagedError, damaged, damaged_files, require_undamaged
from herobase_pipeline.lake.disk import DiskError, in_words
from herobase_pipeline.lake.engine import ROOMY, connect
from herobase_pipeline.lake.gone import gone_days
from herobase_pipeline.lake.layout import Lake, locked, make_folder
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.tables import CALLS, HEALTH, Table

_ONLY_THERE = (
    "Calls that it was made from are past their time and gone (HEROBASE_KEEP_CALLS_DAYS), so what it has of them is nowhere "
    "else: put it back from a back-up, or delete the file, and it is made of what is left."
)


class Derived(NamedTuple):
    """What came of deriving a file.

    Attributes:
        rows: its rows.
        restated: how many published numbers it changed.
        is_whole: whether it knows its day in full.
        versions: how many lead versions it was made from, by the table that told them.
        whole_days: of a table that is made from all days, how many it knows in full.

    """

    rows: int
    restated: int
    is_whole: bool
    versions: Mapping[str, int] = MappingProxyType({})
    whole_days: int = 0


class NotDerivedError(Exception):
    """A table could not be made; what was there stays."""


class NotLoadedError(NotDerivedError):
    """A source lacks days, so what would be derived from it would look like quiet days."""


@contextmanager
def deriving(
    lake: Lake,
    zone: ZoneInfo,
    table: Table,
    reads: Sequence[Table] = (),
    days: Collection[dt.date] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection to derive a table in, in its turn (see ``in_turn`` and ``connected``)."""
    with in_turn(lake, table, reads, days), connected(lake, zone, table) as con:
        yield con


@contextmanager
def in_turn(
    lake: Lake, table: Table, reads: Sequence[Table] = (), days: Collection[dt.date] | None = None
) -> Iterator[None]:
    """Derive a table within the block; one run at a time, so that what was read last is written last.

    A monthly table that it ``reads`` is not written meanwhile, else a lead could be met in two months, or in none. Files of its
    own that are damaged count as if they were not there.

    Raises:
        DamagedError: a file that it reads is damaged (of daily tables those of ``days``, or all), or one of its own that
            cannot be made anew.

    """
    with ExitStack() as turns:
        for each in (*(source for source in reads if source.monthly), table):
            turns.enter_context(turn(lake, each))
        require_undamaged(lake, f"{table.name} was not made, and is as it was.", reads, days)
        if own := damaged(lake, table):
            if table is not HEALTH and gone_days(lake, CALLS):
                raise DamagedError(lake, f"{table.name} was not made. {_ONLY_THERE}", {table: own})
            lake.hidden.update(own)
        yield


@contextmanager
def connected(lake: Lake, zone: ZoneInfo, table: Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection to derive a table in, whose turn it is.

    Raises:
        DiskError: the disk is full, or cannot be written to.
        DamagedError: a file that was read is damaged.
        NotDerivedError: DuckDB fails within the block.

    """
    with spool(lake) as folder, connect(zone, folder, ROOMY) as con:
        try:
            yield con
        except duckdb.Error as error:
            if words := in_words(lake, error):
                raise DiskError(words) from None
            if found := damaged_files(lake):
                raise DamagedError(lake, f"{table.name} could not be made, and is as it was.", found) from None
            raise NotDerivedError(
                f"{table.name} could not be made ({type(error).__name__}), so it is as it was. What DuckDB says is withheld, "
                "as it may quote what stands in a file: report the table and this sentence."
            ) from None


@contextmanager
def turn(lake: Lake, table: Table) -> Iterator[None]:
    """Wait until nobody else derives a table, and keep others from it within the block."""
    folder = lake.under_way("deriving") / table.name  # not the table's folder: its writer locks that
    make_folder(folder, private=True)
    with locked(folder):
        yield
