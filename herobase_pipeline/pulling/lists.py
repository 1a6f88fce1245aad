"""A small list, whole, as the file of the day of the pull."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from herobase_pipeline.herobase.client import HeroBase, Record
from herobase_pipeline.herobase.errors import NotFoundError, RightMissingError
from herobase_pipeline.herobase.organisation import code_of
from herobase_pipeline.herobase.records import member, reference
from herobase_pipeline.herobase.salvage import Unreadable
from herobase_pipeline.lake import arrow
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.partitions import local_day
from herobase_pipeline.pulling.accounting import set_aside
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import Column, Table, Type

_KEYS = ("orgCode", "code", "uniqueId")


def pull_list(
    service: str,
    table: Table,
    records: Sequence[Mapping[str, Any]],
    unreadable: Sequence[Unreadable],
    lake: Lake,
    settings: Settings,
) -> int:
    """Write a small list as the file of today; a list pulled twice a day is kept as it was last.

    Args:
        service: the service's path.
        table: each column with a ``field`` is read from it.
        records: the records as HeroBase gave them.
        unreadable: those that could not be read; they are set aside.
        lake: where.
        settings: the zone of today.

    Returns:
        The number of rows.

    """
    claim(lake, settings)
    now = dt.datetime.now(dt.UTC)
    day = local_day(now, settings.zone)
    rows = [
        {column.name: _plain(record, column) for column in table if column.field}
        | {"observed_at": now, "record": json.dumps(record, ensure_ascii=False)}
        for record in records
    ]
    with spool(lake) as folder, connect(settings.zone, folder) as con:
        set_aside(lake, con, service, day, unreadable, now, anew=True)
        con.register("records", pa.Table.from_pylist(rows, arrow.schema(table)))
        return write(lake, con, table, "FROM records", day=day)


def _plain(record: Mapping[str, Any], column: Column) -> Any:
    name, _, key = str(column.field).partition(".")
    value = reference(record, name, key) if key else member(record, name)
    if column.type is Type.FLAG:
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).casefold())
    if column.type is Type.TEXTS:
        return [str(item) for item in value] if isinstance(value, list) else None
    if not isinstance(value, str):
        return None if value is None else json.dumps(value, ensure_ascii=False)
    return (code_of(value) or None) if (key or name) in _KEYS else value


def account_with_limits(client: HeroBase) -> list[Record]:
    """Return the account's record with its limits and counts of requests, where it may read them."""
    record = client.account()
    for name, ask in (("limits", client.request_limits), ("counts", client.request_counts)):
        try:
            record[name] = ask()
        except (RightMissingError, NotFoundError):
            record[name] = None
    return [record]
