"""The partitions: days of the business zone, today included while it runs."""

import dagster as dg

from herobase_pipeline.settings import Settings


def _days(settings: Settings) -> dg.DailyPartitionsDefinition:
    return dg.DailyPartitionsDefinition(str(settings.start_date), timezone=settings.timezone, end_offset=1)


DAYS = _days(Settings.load())
