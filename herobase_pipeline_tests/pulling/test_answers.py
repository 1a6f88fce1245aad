"""What is noted of a day's answers while the next day is asked for already."""

import datetime as dt
from pathlib import Path

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.answers import Answers, cut_days

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
ONE, TWO = dt.date(2026, 11, 17), dt.date(2026, 11, 18)


def answers(lake: Lake, day: dt.date) -> Answers:
    return Answers(lake, "calls", day, NOW, short=False)


def told_as_cut(lake: Lake, *days: dt.date) -> None:
    with notes.updating(lake, "answers") as note:
        note["calls"] = {"cut": [str(day) for day in days]}


def test_a_day_that_was_cut_is_told_until_its_file_is_written(tmp_path: Path):
    lake = Lake(tmp_path)
    told_as_cut(lake, ONE, TWO)
    answers(lake, ONE).keep()  # and then its file could not be written
    assert cut_days(lake, "calls") == [ONE, TWO]
    again = answers(lake, ONE)
    again.keep()
    again.written()
    assert cut_days(lake, "calls") == [TWO]


def test_a_day_that_is_seen_to_be_cut_while_its_file_is_written_stays_told(tmp_path: Path):
    lake = Lake(tmp_path)
    told_as_cut(lake, ONE)
    with notes.updating(lake, "answers") as note:
        note["calls"] |= {"whole": 1_900, "on": str(NOW.date())}
    one = answers(lake, ONE)
    assert not one.doubted(1_700)  # so it is believed to be whole
    one.keep()
    two = answers(lake, TWO)
    assert two.doubted(1_700)  # as many again
    two.found(1_700, cut=True)
    one.written()
    assert cut_days(lake, "calls") == [ONE]


def test_a_note_that_is_lost_meanwhile_fails_no_day(tmp_path: Path):
    lake = Lake(tmp_path)
    told_as_cut(lake, ONE)
    one = answers(lake, ONE)
    one.keep()
    notes.file_of(lake, "answers").unlink()
    one.written()
    assert cut_days(lake, "calls") == []
