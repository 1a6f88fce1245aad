"""Deriving a table: one run at a time, with errors that quote nobody."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.lake.damage import damaged, damaged_files, name_of, set_aside
from herobase_pipeline.lake.disk import DiskError, in_words
from herobase_pipeline.lake.engine import ROOMY, connect
from herobase_pipeline.lake.layout import Lake, locked, make_folder
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.tables import Table


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


class DamagedSourceError(NotDerivedError):
    """A file that a table is made from is not as it was written."""

    def __init__(self, lake: Lake, table: Table, found: Sequence[Path]) -> None:
        """Name the files, and say what to do."""
        names = ", ".join(name_of(lake, path) for path in found)
        super().__init__(
            f"{table.name} could not be made, so it is as it was. Damaged on the disk: {names}. Put back what was there from a "
            f"back-up, or materialize it, which brings it anew; then materialize {table.name}."
        )


@contextmanager
def deriving(
    lake: Lake,
    zone: ZoneInfo,
    table: Table,
    reads: Sequence[Table] = (),
    days: Collection[dt.date] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection to derive a table in; one run at a time, so that what was read last is written last.

    A monthly table that it ``reads`` is not written meanwhile, else a lead could be met in two months, or in none. Files of its
    own that are damaged count as if they were not there.

    Raises:
        DiskError: the disk is full, or may not be written to.
        DamagedSourceError: a file that it reads is damaged; of daily tables those of ``days``, or all.
        NotDerivedError: DuckDB fails within the block.

    """
    with ExitStack() as turns, spool(lake) as folder, connect(zone, folder, ROOMY) as con:
        for each in (*(source for source in reads if source.monthly), table):
            turns.enter_context(turn(lake, each))
        if found := [path for each in reads for path in damaged(lake, each, lake.files(each, days))]:
            raise DamagedSourceError(lake, table, found)
        set_aside(lake, table, lake.every_file(table))
        try:
            yield con
        except duckdb.Error as error:
            if words := in_words(lake, error):
                raise DiskError(words) from None
            if found := damaged_files(lake):
                raise DamagedSourceError(lake, table, found) from None
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
