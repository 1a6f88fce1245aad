"""Leads as they stand at a time, and all their versions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from herobase_pipeline.sandbox.world.calendar import DAYS
from herobase_pipeline.sandbox.world.chance import Array
from herobase_pipeline.sandbox.world.days import NO_DAY, NOBODY, Days, Rows
from herobase_pipeline.sandbox.world.lives import BOOKS, EVENTS, LIVES, MAX_LIFE, Mode

_BATCH = 16_384


@dataclass
class States:
    """Leads as they stand at one time: parallel arrays. Unix times (0: never); ``event``: the last one."""

    rows: Rows
    number: Array
    event: Array
    status: Array
    closure: Array
    modified: Array
    modified_by: Array
    uploaded: Array
    uploaded_by: Array
    processed: Array
    processed_by: Array
    erased: Array

    def __len__(self) -> int:
        return len(self.number)

    def cut(self, which: Array) -> "States":
        """Take some of the leads."""
        columns = {name: value for name, value in vars(self).items() if name != "rows"}
        return States(self.rows.at(which), **{name: value[which] for name, value in columns.items()})


class Leads:
    """Leads of a world, asked for by day of upload."""

    def __init__(self, days: Days) -> None:
        self.days = days

    def changed(self, first: int, last: int, now: int, statuses: Array | None = None) -> Iterator[States]:
        """Yield leads last modified, as known at ``now``, in ``first <= t < last`` (Unix s), in batches.

        ``statuses``: flags by status; leads that never have one of them may be left out.
        """
        calendar = self.days.calendar
        floor = calendar.midnight(0)
        today, from_day, to_day = (calendar.day_of(max(t, floor)) for t in (now, first, last))
        kept: list[tuple[Rows, Array]] = []
        size = 0
        lib = self.days.lib
        lives = lib.has_lead if statuses is None else lib.has_lead & statuses[lib.event_status].any(1)
        for rows in self._cohorts(from_day, to_day, lives):
            candidates, event_days = self._candidates(rows, today, from_day, to_day)
            kept.append((rows.at(candidates), event_days))
            size += len(candidates)
            if size >= _BATCH:
                yield self._within(kept, today, first, last, now)
                kept, size = [], 0
        if size:
            yield self._within(kept, today, first, last, now)

    def _cohorts(self, from_day: int, to_day: int, lives: Array) -> Iterator[Rows]:
        """Leads of some lives that can have been modified between two days, by day of upload; small cohorts together."""
        kept: list[Rows] = []
        size = 0
        for day in range(max(0, from_day - MAX_LIFE), min(DAYS, to_day + 1)):
            rows = self.days.uploaded(day)
            kept.append(rows.at(lives[rows.life].nonzero()[0]))
            size += len(kept[-1])
            if size >= _BATCH:
                yield Rows.joined(kept)
                kept, size = [], 0
        if kept:
            yield Rows.joined(kept)

    def _within(self, kept: list[tuple[Rows, Array]], today: int, first: int, last: int, now: int) -> States:
        rows, event_days = Rows.joined([r for r, _ in kept]), np.concatenate([d for _, d in kept])
        states = self._known(rows, (event_days <= today).sum(1) - 1, event_days, now)
        return states.cut(((states.modified >= first) & (states.modified < last)).nonzero()[0])

    def _candidates(self, rows: Rows, today: int, from_day: int, to_day: int) -> tuple[Array, Array]:
        """Which leads can have their last event so far in the span, going by days, and the days of their events."""
        if len(rows) > BOOKS * LIVES and rows.day[0] == rows.day[-1]:
            # a cohort larger than the book: each life once
            lives = np.arange(BOOKS * LIVES)
            table = self.days.event_days(np.full(len(lives), rows.day[0]), lives)
            which = self._possible(table, today, from_day, to_day)[rows.life].nonzero()[0]
            return which, table[rows.life[which]]
        event_days = self.days.event_days(rows.day, rows.life)
        which = self._possible(event_days, today, from_day, to_day).nonzero()[0]
        return which, event_days[which]

    @staticmethod
    def _possible(event_days: Array, today: int, from_day: int, to_day: int) -> Array:
        # an event of yesterday or today may or may not have happened; one a day early may end after midnight
        low = (event_days < today - 1).sum(1) - 1
        high = (event_days <= today).sum(1) - 1
        begin = (event_days < from_day - 1).sum(1)
        end = (event_days <= to_day).sum(1) - 1
        possible: Array = np.maximum(low, begin) <= np.minimum(high, end)
        return possible

    def _known(self, rows: Rows, event: Array, event_days: Array, now: int) -> States:
        """State at ``now`` of leads whose last event is at most ``event``."""
        days, lib = self.days, self.days.lib
        event = event.astype(np.int64)
        modified = np.zeros(len(rows), np.int64)
        person = np.full(len(rows), NOBODY, np.int64)
        pending = (event >= 0).nonzero()[0]
        while len(pending):
            some = rows.at(pending)
            modified[pending], person[pending] = days.event_times(
                some, event[pending], event_days[pending, event[pending]]
            )
            pending = pending[modified[pending] > now]
            event[pending] -= 1
            pending = pending[event[pending] >= 0]
        known = (event >= 0).nonzero()[0]
        rows, event, event_days = rows.at(known), event[known], event_days[known]
        modified, person = modified[known], person[known]
        uploaded, uploaded_by = days.event_times(rows, np.zeros(len(rows), np.int64), event_days[:, 0])
        first = lib.first_processed[rows.life].astype(np.int64)
        was = ((first >= 0) & (first <= event)).nonzero()[0]
        processed, processed_by = np.zeros(len(rows), np.int64), np.full(len(rows), NOBODY, np.int64)
        processed[was], processed_by[was] = days.event_times(rows.at(was), first[was], event_days[was, first[was]])
        anonymized = lib.anonymized[rows.life]
        return States(
            rows=rows,
            number=days.lead_number(rows),
            event=event,
            status=lib.event_status[rows.life, event],
            closure=lib.event_closure[rows.life, event],
            modified=modified,
            modified_by=person,
            uploaded=uploaded,
            uploaded_by=uploaded_by,
            processed=processed,
            processed_by=processed_by,
            erased=(anonymized >= 0) & (anonymized <= event),
        )

    def state(self, rows: Rows, now: int) -> States:
        """State of these leads at ``now``; leads not uploaded yet, and calls without a lead, are left out."""
        rows = rows.at(self.days.lib.has_lead[rows.life].nonzero()[0])
        event_days = self.days.event_days(rows.day, rows.life)
        event = (event_days <= self.days.calendar.day_of(now)).sum(1) - 1
        return self._known(rows, event, event_days, now)

    def versions(self, rows: Rows, now: int) -> list[tuple[Array, Array, Array, Array, Array]]:
        """All versions by event: (which rows, Unix time, status, closure, person)."""
        days, lib = self.days, self.days.lib
        found = []
        event_days = days.event_days(rows.day, rows.life)
        for e in range(EVENTS):
            mode = lib.event_mode[rows.life, e]
            which = ((mode != Mode.NONE) & (event_days[:, e] < NO_DAY) & lib.has_lead[rows.life]).nonzero()[0]
            if not len(which):
                continue
            some = rows.at(which)
            time, person = days.event_times(some, np.full(len(some), e), event_days[which, e])
            ok = (time <= now).nonzero()[0]
            life = some.life[ok]
            found.append((which[ok], time[ok], lib.event_status[life, e], lib.event_closure[life, e], person[ok]))
        return found
