"""A small list, whole, as the file of the day of the pull."""

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from herobase_pipeline.herobase.client import HeroBase, Record
from herobase_pipeline.herobase.errors import NotFoundError
from herobase_pipeline.herobase.organisation import code_of
from herobase_pipeline.herobase.records import member, reference, text
from herobase_pipeline.herobase.salvage import Unreadable
from herobase_pipeline.lake import arrow
from herobase_pipeline.lake.damage import without_damaged
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
_ADDRESSES = ("urlTemplate", "url", "address", "uri")
_NO_SECRETS = (
    "id",
    "uniqueid",
    "name",
    "campaigncode",
    "leadstatus",
    "leadreleasetype",
    "leadclosure",
    "isactive",
    "active",
)


def pull_list(
    service: str,
    tables: Mapping[Table, Callable[[Sequence[Record]], Sequence[Record]]],
    records: Sequence[Record],
    unreadable: Sequence[Unreadable],
    lake: Lake,
    settings: Settings,
) -> dict[str, int]:
    """Write a small list as the files of today; a list pulled twice a day is kept as it was last.

    Args:
        service: the service's path.
        tables: what makes the records of each table; each column with a ``field`` is read from them.
        records: the records as HeroBase gave them.
        unreadable: those that could not be read; they are set aside.
        lake: where.
        settings: the zone of today.

    Returns:
        The number of rows, by table.

    """
    claim(lake, settings)
    now = dt.datetime.now(dt.UTC)
    day = local_day(now, settings.zone)
    written = {}
    lake = without_damaged(lake, list(tables), [day])
    with spool(lake) as folder, connect(settings.zone, folder) as con:
        set_aside(lake, con, service, day, unreadable, now, anew=True)
        for table, of in tables.items():
            rows = [
                {column.name: _plain(record, column) for column in table if column.field}
                | {"observed_at": now, "record": json.dumps(record, ensure_ascii=False)}
                for record in of(records)
            ]
            con.register("records", pa.Table.from_pylist(rows, arrow.schema(table)))
            written[table.name] = write(lake, con, table, "FROM records", day=day)
    return written


def _plain(record: Record, column: Column) -> Any:
    names = str(column.field).split("|")
    return next((value for name in names if (value := _read(record, name, column.type)) is not None), None)


def _read(record: Record, field: str, type_: Type) -> Any:
    name, _, key = field.partition(".")
    value = reference(record, name, key) if key else member(record, name)
    if type_ is Type.FLAG:
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).casefold())
    if type_ is Type.COUNT:
        return int(str(value)) if re.fullmatch(r"-?\d{1,15}", str(value)) else None
    if type_ is Type.TEXTS:
        return [str(item) for item in value] if isinstance(value, list) else None
    if not isinstance(value, str):
        return None if value is None else json.dumps(value, ensure_ascii=False)
    return (code_of(value) or None) if (key or name) in _KEYS else value


def as_they_are(records: Sequence[Record]) -> Sequence[Record]:
    """Return the records of a list that is one table."""
    return records


def fields_of_definitions(definitions: Sequence[Record]) -> list[Record]:
    """Return the fields of lead definitions, each with its ``definition``: the records of their longest list of records.

    What a definition calls its fields is not documented (API reference, 2.8).
    """
    found = []
    for definition in definitions:
        lists = [v for v in definition.values() if isinstance(v, list) and all(isinstance(item, dict) for item in v)]
        plain = {name: value for name, value in definition.items() if not isinstance(value, list | dict)}
        found += [{**entry, "definition": plain} for entry in max(lists, key=len, default=[])]
    return found


def lead_pools(client: HeroBase) -> list[Record]:
    """Return every lead pool; those that the campaigns tell where HeroBase has no list of them (API reference, 2.7).

    Raises:
        NotFoundError: neither is there.

    """
    try:
        return client.lead_pools()
    except NotFoundError:
        pools = pools_of(client.campaigns(["leadPools"]))
        if pools is None:
            raise
        return pools


def pools_of(campaigns: Sequence[Record]) -> list[Record] | None:
    """Return the lead pools that campaigns tell, each with its campaign; None where no campaign has such a member."""
    told = [(campaign, pools) for campaign in campaigns if isinstance(pools := member(campaign, "leadPools"), list)]
    if not told:
        return None
    return [
        {**(pool if isinstance(pool, dict) else {"name": pool}), "campaign": _keys_of(campaign)}
        for campaign, pools in told
        for pool in pools
    ]


def _keys_of(campaign: Record) -> Record:
    return {name: text(campaign, name) for name in ("uniqueId", "code")}


def without_secrets(hooks: Sequence[Record]) -> list[Record]:
    """Return webhooks with the host of their address, and of the rest only what is known to hold no secret."""
    found = []
    for hook in hooks:
        address = next((url for name in _ADDRESSES if (url := text(hook, name))), "")
        known = {name: value for name, value in hook.items() if name.casefold() in _NO_SECRETS}
        found.append({**known, "host": _host(address), "withheld": sorted(hook.keys() - known.keys())})
    return found


def _host(address: str) -> str | None:
    """Return the host of an address; None where it has none, or one that is a placeholder."""
    try:
        host = urlsplit(address.strip()).hostname
    except ValueError:
        return None
    return host if host and re.fullmatch(r"[\w.-]+|[0-9a-f:]+", host) else None
