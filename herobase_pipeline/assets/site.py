"""An account as Dagster sees it: what is called after it there, and the days of which it has data."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import dagster as dg

from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import Table


@dataclass(frozen=True)
class Site:
    """One account. Everything that Dagster knows of it is built from this.

    Attributes:
        settings: its settings as they were when the code was loaded; a run reads them anew.

    """

    settings: Settings

    def key(self, table: Table) -> dg.AssetKey:
        """Return the asset key of a table."""
        return self.key_of(table.key)

    def key_of(self, path: Sequence[str]) -> dg.AssetKey:
        """Return the asset key of what is no table."""
        return dg.AssetKey(path)

    def group(self, usual: str) -> str:
        """Return the group in which the graph shows what an only account has in the group ``usual``."""
        return usual

    def called(self, usual: str) -> str:
        """Return the name of what is called ``usual`` for an only account: a job, a schedule, a step."""
        return usual

    def load(self) -> Settings:
        """Return the settings as they are now."""
        return Settings.load()

    @property
    def resource(self) -> str:
        """The name of the resource that gives a run the settings."""
        return "settings"

    @property
    def pool(self) -> str:
        """The pool of the steps that ask HeroBase: one at a time, so a process's budget is the account's."""
        return "herobase_api"

    @cached_property
    def days(self) -> dg.DailyPartitionsDefinition:
        """The partitions: days of the business zone, today included while it runs."""
        return dg.DailyPartitionsDefinition(
            str(self.settings.start_date), timezone=self.settings.timezone, end_offset=1
        )

    @cached_property
    def chunks(self) -> dg.BackfillPolicy:
        """How a backfill is cut into runs."""
        # the command line runs a range as one run by nature, and refuses assets whose backfills are cut
        if sys.argv[1:3] == ["asset", "materialize"]:
            return dg.BackfillPolicy.single_run()
        return dg.BackfillPolicy.multi_run(max_partitions_per_run=self.settings.backfill_days)
