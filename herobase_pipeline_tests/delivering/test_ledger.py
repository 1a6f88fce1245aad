"""The ledger: what is known of each key, whatever the clock does and whichever file is lost."""

import datetime as dt
import stat
from zoneinfo import ZoneInfo

import pytest

from herobase_pipeline.delivering.ledger import (
    DELIVERED,
    NOT_SENT,
    SENDING,
    UNKNOWN,
    Event,
    LedgerError,
    ledger,
)
from herobase_pipeline.tables import DELIVERIES, DELIVERY_PAYLOADS
from herobase_pipeline_tests.conftest import writer

ZONE, AT = ZoneInfo("Europe/Copenhagen"), dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def lake(tmp_path):
    return writer(tmp_path)


def opened(lake, at=AT):
    return ledger(lake, ZONE, lambda: at)


def event(state, key="k1", at=AT, **words):
    return Event(at, "hero", "hero", "L1", key, state, **words)


def states(lake):
    with opened(lake) as book:
        return {key: each.state for key, each in book.latest.items()}


def test_what_was_sending_when_its_run_was_killed_is_unknown(lake):
    with opened(lake) as book:
        book.record(event(SENDING, body='{"a": 1}'))
        left = book._path.read_bytes()
    lake.remove(DELIVERIES)
    lake.remove(DELIVERY_PAYLOADS)
    book._path.write_bytes(left)
    assert states(lake) == {"k1": UNKNOWN}


def test_a_clock_that_is_set_back_forgets_nothing(lake):
    with opened(lake) as book:
        for state, minutes in ((SENDING, 0), (NOT_SENT, 2), (SENDING, -30), (DELIVERED, -29)):
            book.record(event(state, at=AT + dt.timedelta(minutes=minutes)))
    assert states(lake) == {"k1": DELIVERED}
    with opened(lake) as book:
        assert [each.state for each in book.events] == [SENDING, NOT_SENT, SENDING, DELIVERED]


@pytest.mark.parametrize("table", [DELIVERIES, DELIVERY_PAYLOADS])
def test_either_table_alone_says_what_was_sent_and_the_other_comes_back(lake, table):
    with opened(lake) as book:
        book.record(event(SENDING))
        book.record(event(DELIVERED, remote_id="7"))
    lake.remove(table)
    assert states(lake) == {"k1": DELIVERED}
    with opened(lake) as book:
        book.record(event(SENDING, key="k2"))
        book.record(event(DELIVERED, key="k2"))
    lake.remove(DELIVERY_PAYLOADS)
    assert states(lake) == {"k1": DELIVERED, "k2": DELIVERED}


def test_a_journal_from_a_backup_overrides_nothing_newer(lake):
    with opened(lake) as book:
        book.record(event(SENDING))
        book.record(event(NOT_SENT, at=AT + dt.timedelta(seconds=1)))
        backup = book._path.read_bytes()
        book.record(event(SENDING, at=AT + dt.timedelta(seconds=2)))
        book.record(event(DELIVERED, at=AT + dt.timedelta(seconds=3)))
    book._path.write_bytes(backup)
    assert states(lake) == {"k1": DELIVERED}


def test_a_last_line_that_was_cut_was_not_sent_and_any_other_stops_everything(lake):
    with opened(lake) as book:
        book.record(event(SENDING))
        book.record(event(DELIVERED))
        whole = book._path.read_bytes()
        assert stat.S_IMODE(book._path.stat().st_mode) == 0o600
    lake.remove(DELIVERIES)
    lake.remove(DELIVERY_PAYLOADS)
    book._path.write_bytes(whole + b'{"happened_at": "2026-11-20T12')
    assert states(lake) == {"k1": DELIVERED}
    book._path.write_bytes(b"{cut\n" + whole)
    with pytest.raises(LedgerError, match="Put it back from a backup"), opened(lake):
        pass
