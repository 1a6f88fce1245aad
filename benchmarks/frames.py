"""Two of the derived tables made by pandas from the same files, each in a process of its own, beside ours.

``tell`` prints the seconds and the peak memory. What pandas makes is less: ``leads`` without attempts, withdrawals, the closing
call itself and the days of each lead, and ``call_outcomes`` without names, maturity and restatements.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from benchmarks.report import peak_mb, show

_CLOSED = (
    *("UserProcessed", "Depleted", "Abandoned", "Failed", "Expired"),
    *("Removed", "Anonymized", "DoNotCall", "GlobalDoNotCall"),
)
_COUNTED = {
    "calls": ("connected", "size"),
    "connected": ("connected", "sum"),
    "dialing_s": ("dialing_s", "sum"),
    "conversation_s": ("conversation_s", "sum"),
    "wrap_up_s": ("wrap_up_s", "sum"),
    "dials": ("is_dial", "sum"),
    "settled_dials": ("is_settled_dial", "sum"),
}
_KEYS = ("date", "campaign_id", "end_cause")


def leaf_first(lake: Path) -> str:
    """The calls counted by full path first and then by node: as who knows the trick would."""
    calls = _calls_with_dials(lake)
    leaves = calls.groupby([*_KEYS, "org_key"], dropna=False, observed=True).agg(**_COUNTED).reset_index()
    leaves["node"] = leaves["org_key"].map(_nodes)
    by_node = leaves.drop(columns="org_key").explode("node").groupby([*_KEYS, "node"], dropna=False, observed=True)
    return f"{len(by_node.sum()):,} rows"


def call_by_call(lake: Path) -> str:
    """Each call put under each of its nodes: as it is usually done."""
    calls = _calls_with_dials(lake)
    calls["node"] = calls["org_key"].map({key: _nodes(key) for key in calls["org_key"].unique()})
    nodes = calls.drop(columns="org_key").explode("node").groupby([*_KEYS, "node"], dropna=False, observed=True)
    return f"{len(nodes.agg(**_COUNTED)):,} rows"


def leads(lake: Path) -> str:
    """Of each lead the latest version, its first dial, its first closing and the contact before it."""
    columns = ["lead_id", "last_modified_at", "status", "closure", "campaign_id", "uploaded_at", "lead_pool"]
    versions = pd.read_parquet(lake / "simple_leads", columns=columns).sort_values(["lead_id", "last_modified_at"])
    found = versions.drop_duplicates("lead_id", keep="last").set_index("lead_id")
    found["versions"] = versions.groupby("lead_id").size()
    closings = versions[versions["status"].isin(_CLOSED)]
    found["closed_at"] = closings.groupby("lead_id")["last_modified_at"].min()
    columns = ["lead_id", "started_at", "end_cause", "incoming", "agent", "org_key"]
    calls = pd.read_parquet(lake / "calls", columns=columns)
    calls = calls[calls["lead_id"].notna()].sort_values(["lead_id", "started_at"])
    dials = calls[~calls["incoming"]]
    found["dials"] = dials.groupby("lead_id").size()
    first = dials.drop_duplicates("lead_id").set_index("lead_id")
    found["first_dial_at"], found["first_dial_key"] = first["started_at"], first["org_key"]
    contacts = calls[calls["end_cause"] == "NormalDisconnect"].merge(found[["closed_at"]], "left", "lead_id")
    before = contacts[contacts["started_at"] <= contacts["closed_at"]].drop_duplicates("lead_id", keep="last")
    found[["agent", "org_key"]] = before.set_index("lead_id")[["agent", "org_key"]]
    return f"{len(found):,} rows"


_WAYS = {leaf_first: "call_outcomes", call_by_call: "call_outcomes", leads: "leads"}


def tell(folder: Path, ours: dict[str, float]) -> None:
    """Print what each way takes; ``ours`` are the seconds of the steps of a run that made the whole anew."""
    rows = []
    for way, table in _WAYS.items():
        command = [sys.executable, "-m", "benchmarks.frames", str(folder), way.__name__]
        told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
        name, seconds = way.__name__.replace("_", " "), told["seconds"]
        cells = (f"{seconds:.1f}", f"{ours[table]:.1f}", f"{seconds / ours[table]:.1f}", f"{told['peak_mb']:,.0f}")
        rows.append([table if name == table else f"{table}, {name}", *cells])
    show(
        "Tables of the year by pandas",
        ["", "seconds", "ours, with its files", "ours is faster ×, goal ≥ 20", "peak MB"],
        rows,
        [f"{way.__name__.replace('_', ' ')}: {(way.__doc__ or '').splitlines()[0]}" for way in _WAYS],
    )


def _calls_with_dials(lake: Path) -> pd.DataFrame:
    columns = ["date", "org_key", "campaign_id", "end_cause", "call_status", "incoming", "settled", "connected"]
    calls = pd.read_parquet(lake / "calls", columns=[*columns, "dialing_s", "conversation_s", "wrap_up_s"])
    calls["is_dial"] = ~calls["incoming"] & (calls["call_status"] != "Transferred")
    calls["is_settled_dial"] = calls["is_dial"] & calls["settled"]
    return calls


def _nodes(key: str) -> list[str]:
    codes = key.split("›")
    return ["", *("›".join(codes[: depth + 1]) for depth in range(len(codes)))]


def main() -> None:
    """Make one table, and print a JSON object."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    options.add_argument("folder", type=Path, help="where benchmarks.year made a year")
    options.add_argument("way", choices=[way.__name__ for way in _WAYS])
    asked = options.parse_args()
    (way,) = (way for way in _WAYS if way.__name__ == asked.way)
    began = time.perf_counter()
    rows = way(asked.folder / "lake")
    print(json.dumps({"seconds": time.perf_counter() - began, "rows": rows, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
