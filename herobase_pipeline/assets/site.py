"""An account as Dagster sees it: what is called after it there, and the days of which it has data."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import dagster as dg

from herobase_pipeline.settings import Settings
from herobase_pipeline.sites import ONLY, site_settings
from herobase_pipeline.tables import Table


@dataclass(frozen=True)
class Site:
    """One account. Everything that Dagster knows of it is built from this.

    Attributes:
        settings: its settings as they were when the code was loaded; a run reads them anew.
        name: that of its file in ``sites``; empty for an only account.

    """

    settings: Settings
    name: str = ONLY

    def key(self, table: Table) -> dg.AssetKey:
        """Return the asset key of a table."""
        return self.key_of(table.key)

    def key_of(self, path: Sequence[str]) -> dg.AssetKey:
        """Return the asset key of what is no table."""
        return dg.AssetKey([self.name, *path] if self.name else path)

    def group(self, usual: str) -> str:
        """Return the group in which the graph shows what an only account has in the group ``usual``."""
        return self.name or usual

    def called(self, usual: str) -> str:
        """Return the name of what is called ``usual`` for an only account: a job, a schedule, a step."""
        return f"{self.name}_{usual}" if self.name else usual

    def has_part_in(self, run: dg.DagsterRun) -> bool:
        """Whether a run is of this account, or of this one too."""
        keys = run.asset_selection or ()
        return (
            not self.name or run.job_name.startswith(self.called("")) or any(self.name == key.path[0] for key in keys)
        )

    def load(self) -> Settings:
        """Return the settings as they are now."""
        return site_settings(self.name)

    @property
    def resource(self) -> str:
        """The name of the resource that gives a run the settings."""
        return self.called("settings")

    @property
    def pool(self) -> str:
        """The pool of the steps that ask HeroBase: one at a time, so a process's budget is the account's."""
        return f"{self.settings.quota or self.name}_herobase_api".removeprefix("_")

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
