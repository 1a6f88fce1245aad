"""The lake that a run writes, if it is that of its settings."""

import dagster as dg

from herobase_pipeline.erasing.procedure import NotErasedError, finish
from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings


def own_lake(settings: Settings) -> Lake:
    """Return the lake of the settings, once an erasure that was cut short is finished.

    Raises:
        dagster.Failure: it was filled with another account, zone or key; or the erasure cannot be finished.

    """
    try:
        lake = claim(Lake(settings.data_dir), settings)
        finish(lake, settings.zone)
    except (ForeignLakeError, NotErasedError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return lake
