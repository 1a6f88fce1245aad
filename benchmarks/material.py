"""The records that everybody lands: one day of calls from the sandbox, as HeroBase streams it and as the floors want it."""

import datetime as dt
import json
import sys
from pathlib import Path

import requests

from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings

CALLS, LINES, UNITS = "calls.json", "calls.ndjson", "units.json"
DAY = dt.date(2026, 3, 2)
_START, _SPAN = "2026-03-01T23:00:00Z", "PT24H"  # that day in Copenhagen


def make(folder: Path, calls: int) -> int:
    """Write about ``calls`` calls of one day into ``folder``; returns how many there are."""
    settings = SandboxSettings(calls_per_day=calls)
    with (
        Sandbox(settings, now=lambda: dt.datetime(2026, 4, 1, tzinfo=dt.UTC)) as sandbox,
        requests.Session() as session,
    ):
        session.auth = (sandbox.username, sandbox.password)
        units = session.get(f"{sandbox.url}/organizationalunits", params={"include": "parent"}).json()
        root = next(unit["orgCode"] for unit in units if "parent" not in unit)
        params = {"OrgCode": root, "StartTime": _START, "TimeSpan": _SPAN}
        records = session.get(f"{sandbox.url}/calls", params=params).json()
    lines = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
    (folder / UNITS).write_text(json.dumps(units), encoding="utf-8")
    (folder / CALLS).write_text("[" + ",".join(lines) + "]", encoding="utf-8")
    (folder / LINES).write_text("\n".join(lines), encoding="utf-8")
    return len(records)


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), int(sys.argv[2])))
