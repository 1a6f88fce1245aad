"""The lake that a run writes, if it is that of its settings."""

import dagster as dg

from herobase_pipeline.lake.identity import ForeignLakeError, claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings


def own_lake(settings: Settings) -> Lake:
    """Return the lake of the settings.

    Raises:
        dagster.Failure: it was filled with another account, zone or key.

    """
    try:
        return claim(Lake(settings.data_dir), settings)
    except ForeignLakeError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
