"""The partitions: days of the business zone, today included while it runs; and how a backfill is cut into runs."""

import sys

import dagster as dg

from herobase_pipeline.settings import Settings


def _days(settings: Settings) -> dg.DailyPartitionsDefinition:
    return dg.DailyPartitionsDefinition(str(settings.start_date), timezone=settings.timezone, end_offset=1)


def _chunks(settings: Settings) -> dg.BackfillPolicy:
    # the command line runs a range as one run by nature, and refuses assets whose backfills are cut
    if sys.argv[1:3] == ["asset", "materialize"]:
        return dg.BackfillPolicy.single_run()
    return dg.BackfillPolicy.multi_run(max_partitions_per_run=settings.backfill_days)


DAYS = _days(Settings.load())
CHUNKS = _chunks(Settings.load())
