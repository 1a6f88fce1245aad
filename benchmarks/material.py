"""The records that everybody lands, as HeroBase streams them and as the floors want them.

Calls are a day of the sandbox's. Leads are made here: 100,000 in a day with 60 fields of their own each is more than the
sandbox has, and only their size and shape matter.
"""

import argparse
import datetime as dt
import json
import random
from pathlib import Path

import requests

from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings

CALLS, LEADS, UNITS = "calls.json", "leads.json", "units.json"
LINES = {CALLS: "calls.ndjson", LEADS: "leads.ndjson"}
DAY = dt.date(2026, 3, 2)
FIELDS = 60
_START, _SPAN = "2026-03-01T23:00:00Z", "PT24H"  # that day in Copenhagen
_WORDS = (
    "aftale",
    "bil",
    "bolig",
    "el",
    "forsikring",
    "fiber",
    "gas",
    "hus",
    "jord",
    "kunde",
    "lån",
    "net",
    "pris",
    "tak",
    "år",
)


def make_calls(folder: Path, calls: int) -> int:
    """Write about ``calls`` calls of one day into ``folder``, and the units; returns how many there are."""
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
    (folder / UNITS).write_text(json.dumps(units), encoding="utf-8")
    return _write(folder, CALLS, records)


def make_leads(folder: Path, leads: int) -> int:
    """Write ``leads`` leads of one day into ``folder``, in the order of their last modification."""
    draw = random.Random(1)
    day = dt.datetime.combine(DAY, dt.time())
    return _write(
        folder, LEADS, [_lead(draw, i, day + dt.timedelta(seconds=86_400 * i // leads)) for i in range(leads)]
    )


def _lead(draw: random.Random, number: int, at: dt.datetime) -> dict[str, object]:
    closed = draw.random() < 0.4
    return {
        "uniqueId": f"{10_000_000 + number}S3064",
        "status": "UserProcessed" if closed else "RedialAutomatic",
        "closure": draw.choice(["Success", "NotInterested"]) if closed else "NotSet",
        "priority": 5,
        "campaign": {"code": "Abo Nysalg 5G", "uniqueId": "CAMP10072S3064"},
        "data": {f"Felt {i:02}": _text(draw) for i in range(FIELDS)},
        "closureData": [],
        "uploadTime": "2026-02-16T05:51:23.0000000",
        "firstProcessedTime": f"{at.isoformat()}.0000000",
        "lastModifiedTime": f"{at.isoformat()}.0000000",
        "ownerOrgUnit": {"orgCode": "Nord-Salg A/S"},
        "uploadedByUser": {"orgCode": "API_Import@nord-salg.dk"},
        "firstProcessedByUser": {"orgCode": f"agent{draw.randrange(800)}@nord-salg.dk"},
        "lastModifiedByUser": {"orgCode": f"agent{draw.randrange(800)}@nord-salg.dk"},
    }


def _text(draw: random.Random) -> str:
    kind = draw.randrange(4)
    if kind == 0:
        return ""
    if kind == 1:
        return str(draw.randrange(100_000))
    return " ".join(draw.choices(_WORDS, k=1 if kind == 2 else draw.randrange(2, 8)))


def _write(folder: Path, name: str, records: list[dict[str, object]]) -> int:
    lines = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
    (folder / name).write_text("[" + ",".join(lines) + "]", encoding="utf-8")
    (folder / LINES[name]).write_text("\n".join(lines), encoding="utf-8")
    return len(records)


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m benchmarks.material", description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--calls", type=int, default=100_000)
    options.add_argument("--leads", type=int, default=0)
    asked = options.parse_args()
    made = {CALLS: make_calls(asked.folder, asked.calls)}
    if asked.leads:
        made[LEADS] = make_leads(asked.folder, asked.leads)
    print(json.dumps(made))
