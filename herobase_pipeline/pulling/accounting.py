"""Where each record of a pull went: none is dropped in silence."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from herobase_pipeline.lake.landing import SetAside
from herobase_pipeline.lake.layout import Lake, exists
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables.unreadable import UNREADABLE

_ALLOWED, _SHARE = 3, 0.05  # records of a pull, and of those that came: beyond both the answers mean something else


@dataclass(frozen=True)
class Account:
    """Where the records of a pull went: what came is the sum of the others.

    Attributes:
        came: records received, in all answers.
        of_the_day: those of the day that was asked for, and those of the following that came again.
        of_other_days: those of the margins that were asked for as well.
        outside: different records of neither.
        set_aside: different records that cannot be read, by reason.
        kept: different records of the day; for lead versions, new ones.
        erased: those of erased persons, where these are not kept.

    """

    came: int
    of_the_day: int
    of_other_days: int
    outside: int
    set_aside: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    erased: int = 0

    @property
    def repeated(self) -> int:
        """Records that were there already."""
        return self.of_the_day - self.kept

    def shown(self) -> dict[str, int]:
        """Return the numbers as the UI shows them."""
        return {
            "records": self.came,
            "records_kept": self.kept,
            "records_repeated": self.repeated,
            "records_of_other_days": self.of_other_days,
            "records_outside": self.outside,
            "records_set_aside": self.set_aside.total(),
            **({"records_erased": self.erased} if self.erased else {}),
        }

    def refusal(self, service: str, day: dt.date) -> str | None:
        """Return the sentence with which the pull fails if too little of what came can be kept; None if enough can."""
        lost = self.set_aside.total() + self.outside
        if not lost or (lost <= max(_ALLOWED, _SHARE * self.came) and lost < self.came):
            return None
        reasons = [f"{number} {reason}" for reason, number in self.set_aside.most_common()]
        reasons += [f"{self.outside} of days that were not asked for"] if self.outside else []
        return (
            f"{lost} of the {self.came} records that HeroBase gave of {service} for {day} cannot be kept ({'; '.join(reasons)}), "
            "so nothing was changed. Compare one answer with the forms in herobase_pipeline/lake/reading.sql, and report it."
        )


def set_aside(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    service: str,
    day: dt.date,
    records: Sequence[SetAside],
    observed_at: dt.datetime,
    *,
    anew: bool,
) -> None:
    """Keep the records that cannot be read in the file of a day.

    Args:
        lake: where.
        con: a connection.
        service: what gave them.
        day: the day that was asked for.
        records: why each cannot be read, and its text.
        observed_at: when.
        anew: they take the place of those that the service gave of that day before.

    """
    if not records and not (anew and exists(lake.file(UNREADABLE, day))):
        return
    before = "FROM seen" + (" WHERE service <> $service" if anew else "")
    write(
        lake,
        con,
        UNREADABLE,
        f"""
        SELECT service, $day AS day, reason, text, min(observed_at) AS observed_at
        FROM (
            {before}
            UNION ALL BY NAME
            SELECT $service AS service, unnest($reasons::VARCHAR[]) AS reason, unnest($texts::VARCHAR[]) AS text,
                $observed_at AS observed_at
        )
        GROUP BY ALL""",
        day=day,
        params={
            "service": service,
            "day": day,
            "reasons": [reason for reason, _ in records],
            "texts": [text for _, text in records],
            "observed_at": observed_at,
        },
    )
