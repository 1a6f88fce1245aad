"""The lake that a run writes, if it is that of its settings."""

from contextlib import suppress

import dagster as dg

from herobase_pipeline.erasing.procedure import NotErasedError, finish
from herobase_pipeline.lake.damage import DamagedError, require_undamaged
from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import ERASED


def own_lake(settings: Settings) -> Lake:
    """Return the lake of the settings, once an erasure that was cut short is finished.

    Raises:
        dagster.Failure: it was filled with another account, zone or key; the register of erased persons is damaged; or the
            erasure cannot be finished.

    """
    try:
        lake = claim(Lake(settings.data_dir), settings)
        require_undamaged(lake, "Nothing was done.", [ERASED])  # else who was erased could come back
        # every writer leaves out who is registered; the erasure is finished once the file is made anew
        with suppress(DamagedError):
            finish(lake, settings.zone)
    except (ForeignLakeError, NotErasedError, DamagedError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return lake
