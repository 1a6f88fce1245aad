"""A file a day, for people without an API: CSV for spreadsheets, or JSON lines (RFC 4180, jsonlines.org).

The files hold what ``delivery_payloads`` says was delivered, so that none is lost, doubled or half written, whenever a run
is killed. They lie in the private zone, as ``private/delivery_files/<delivery>/<day>.csv``.
"""

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb

from herobase_pipeline.delivering.destinations.answers import Outcome, Target, What
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.handed_out import KEY, folder
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import stored
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import DELIVERY_PAYLOADS

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery

_FORMULA, _NUMBER = re.compile(r"[=+\-@\t\r＝＋－＠]"), re.compile(r"[+-]?\d[\d .,]*")  # the last four of full width
_DELIVERED = """
    SELECT local_day(happened_at), key, body
    FROM ({payloads})
    WHERE delivery = $delivery AND destination = 'file' AND state = 'sending' AND body IS NOT NULL
        AND key IN (SELECT key FROM ({payloads}) WHERE state = 'delivered')
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY happened_at DESC) = 1
    ORDER BY happened_at, key
"""


def target(settings: Settings, delivery: "Delivery") -> Target:  # noqa: ARG001  # it needs no setting
    """Return the delivery's own folder: another delivery has another."""
    return Target(delivery.name)


def send(target: Target, body: Mapping[str, Any], key: str) -> Outcome:  # noqa: ARG001  # what is delivered is written at the end
    """Take a lead into the file of the day, which the run writes at its end."""
    return Outcome(What.DELIVERED)


def look_up(target: Target, key: str, age: dt.timedelta) -> Outcome | None:  # noqa: ARG001  # as destinations have it
    """Say that what is not known to be delivered is in no file."""
    return Outcome(What.NOT_DONE, "it is in no file")


def write(lake: Lake, zone: ZoneInfo, delivery: "Delivery") -> None:
    """Write the files of the days on which something was delivered, where they are not as they should be."""
    with spool(lake) as aside, connect(zone, aside) as con:
        for day, content in _contents(lake, con, delivery).items():
            path = folder(lake) / delivery.name / f"{day}.{delivery.format}"
            if not path.exists() or path.read_bytes() != content:
                with lake.replacing_beside(path) as new:
                    # once more, in the turn of the file: who is erased leaves the payloads first, and then the file
                    new.write_bytes(_contents(lake, con, delivery).get(day, b""))


def _contents(lake: Lake, con: duckdb.DuckDBPyConnection, delivery: "Delivery") -> dict[dt.date, bytes]:
    """Return what the files have to hold, by local day."""
    query = _DELIVERED.format(payloads=stored(lake, DELIVERY_PAYLOADS))
    rows = con.execute(query, {"delivery": delivery.name}).fetchall()
    days = groupby(rows, key=lambda row: row[0])
    names = [each.field_name for each in delivery.field_mappings]
    return {
        day: _WRITERS[delivery.format]([(key, json.loads(body)) for _, key, body in its], names).encode()
        for day, its in days
    }


def _csv(rows: Sequence[tuple[str, Mapping[str, Any]]], declared: Sequence[str]) -> str:
    """Return rows as CSV for a spreadsheet: with UTF-8's mark and semicolons, as a Danish one reads them at a click."""
    flat = [dict(_flat(body)) for _, body in rows]
    names = [*dict.fromkeys((*declared, *(name for each in flat for name in each)))]
    text = io.StringIO(newline="")
    lines = csv.writer(text, delimiter=";", lineterminator="\r\n")
    lines.writerow([KEY, *map(_harmless, names)])
    lines.writerows(
        [key, *(_harmless(each.get(name, "")) for name in names)] for (key, _), each in zip(rows, flat, strict=True)
    )
    return "\ufeff" + text.getvalue()


def _jsonl(rows: Iterable[tuple[str, Mapping[str, Any]]], _: Sequence[str]) -> str:
    return "".join(json.dumps({KEY: key} | dict(body) | {KEY: key}, ensure_ascii=False) + "\n" for key, body in rows)


def _harmless(value: Any) -> Any:
    """Return a value as a cell that no spreadsheet takes for a formula (OWASP, CSV injection); a number stays one."""
    is_formula = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def _flat(body: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


_WRITERS = {"csv": _csv, "jsonl": _jsonl}
