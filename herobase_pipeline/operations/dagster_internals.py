"""What the operations know of Dagster beyond its documented API: all of it, as seen in 1.13.

``test_dagster_internals`` holds it against the Dagster that is installed, and says what to look at when Dagster moves.
"""

from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg

AssetJob: TypeAlias = Any
"""What ``define_asset_job`` returns: Dagster has no public name for it."""
WILL_RETRY = "dagster/will_retry"
"""Tag of a failed run that Dagster's daemon makes again."""
RETRIED_BY = "dagster/auto_retry_run_id"
"""Tag of a failed run that was made again: the new run's id."""
BACKFILL = "dagster/backfill"
"""Tag of a backfill's runs: its id."""
BACKFILL_ENDED = frozenset({"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"})
"""Statuses of a backfill that starts no more runs."""


def is_of_an_ended_backfill(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a run belongs to a backfill that starts no more runs, or that was deleted."""
    backfill_id = run.tags.get(BACKFILL)
    backfill = instance.get_backfill(backfill_id) if backfill_id else None
    return backfill_id is not None and (backfill is None or backfill.status.value in BACKFILL_ENDED)


def launches_here(instance: dg.DagsterInstance) -> bool:
    """Return whether runs are processes of this machine, so that the system knows which of them live."""
    return type(instance.run_launcher).__name__ == "DefaultRunLauncher"


def processes(instance: dg.DagsterInstance, run_id: str) -> list[int]:
    """Return the ids of the processes that Dagster started for a run on this machine, in their order."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    found = [entry.get_dagster_event().engine_event_data.metadata.get("pid") for entry in events]
    return [int(str(pid.value)) for pid in found if pid is not None]


def event_files(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """Return the files in which SQLite keeps a run's events, whether they exist or not; none where it is not SQLite."""
    path_of = getattr(instance.event_log_storage, "path_for_shard", None)
    if path_of is None:
        return []
    path = Path(path_of(run_id))
    return [path, *(path.with_name(path.name + more) for more in ("-wal", "-shm"))]
