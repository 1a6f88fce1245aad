"""A file a day, for people without an API: CSV for spreadsheets, or JSON lines (RFC 4180, jsonlines.org).

They lie in the private zone, as ``private/delivery_files/<delivery>/<day>.csv``. A lead is delivered once its line is on the
disk; a file that somebody takes away does not come back.
"""

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herobase_pipeline.cells import harmless
from herobase_pipeline.delivering.destinations.answers import Outcome, Target, What
from herobase_pipeline.lake import handed_out
from herobase_pipeline.lake.handed_out import KEY
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings

if TYPE_CHECKING:
    from herobase_pipeline.delivering.declarations import Delivery


def target(settings: Settings, delivery: "Delivery", now: dt.datetime) -> Target:
    """Return the delivery's own folder, and in it the files of the local day; another delivery has another."""
    zone, its = settings.zone, handed_out.folder(Lake(settings.data_dir)) / delivery.name
    names = [each.field_name for each in delivery.field_mappings]
    header, line = _CSV_OR_JSON[delivery.format]

    def send(body: Mapping[str, Any], key: str) -> Outcome:
        day = now.astimezone(zone).date()
        handed_out.append(its, f"{day}", delivery.format, header(names), line(names, body, key))
        return Outcome(What.DELIVERED)

    return Target(delivery.name, send, lambda key, sent_at: _look_up(its, key, sent_at.astimezone(zone).date()))


def _look_up(folder: Path, key: str, day: dt.date) -> Outcome | None:
    """Return whether a line is in the files; None where those of its day were taken away, perhaps with it."""
    if handed_out.has(folder, key):
        return Outcome(What.DELIVERED, "it is in the file")
    return Outcome(What.NOT_DONE, "it is in no file") if [*folder.glob(f"{day}*")] else None


def _csv_header(names: Sequence[str]) -> str:
    """Return the first line: with UTF-8's mark, by which a spreadsheet knows the letters."""
    return "\ufeff" + _row([KEY, *map(_harmless, names)])


def _csv_line(names: Sequence[str], body: Mapping[str, Any], key: str) -> str:
    its = dict(flat(body))
    return _row([key, *(_harmless(its.get(name, "")) for name in names)])


def _row(cells: Sequence[Any]) -> str:
    """Return a line with semicolons, as a Danish spreadsheet opens it at a click."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _json_line(_: Sequence[str], body: Mapping[str, Any], key: str) -> str:
    return json.dumps({KEY: key} | dict(body) | {KEY: key}, ensure_ascii=False) + "\n"


def _harmless(value: Any) -> Any:
    """Return a value as a cell that no spreadsheet runs."""
    return harmless(value) if isinstance(value, str) else value


def flat(body: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a body, each by its dotted name."""
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


_CSV_OR_JSON = {"csv": (_csv_header, _csv_line), "jsonl": (lambda _: "", _json_line)}
