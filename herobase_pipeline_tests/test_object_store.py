"""A lake on an object store: all that a lake on a disk does, equal to it, by the same code."""

import datetime as dt
import multiprocessing
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import herobase_pipeline as hb
from herobase_pipeline.addresses import is_remote, place
from herobase_pipeline.delivering.ledger import ledger
from herobase_pipeline.lake import catalogue, moving, store
from herobase_pipeline.lake.engine import ROOMY, bare, connect, file_literal
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.layout import Forgetting, Lake
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALLS, LEADS, TABLES
from herobase_pipeline_tests.conftest import NOW, Centre, centres, failure
from herobase_pipeline_tests.object_store import ask_only, object_store

FIRST, LAST = "2026-11-18", "2026-11-19"
WHOLE = "campaigns,org_units,leads,lead_conversion,lead_cohorts,org_history,private/lead_fields,private/erased,erasures,health"
DELIVERIES = "delivery_plan,deliveries,private/delivery_payloads"
SOLD = """
destination = "file"
is_enabled = true
is_live = true
deliver_from = 2026-01-01
format = "csv"
closures = ["Success"]
settle_minutes = 0
[[field_mappings]]
field_name = "agent"
column = "agent"
"""
BY_DAY = "calls,private/call_phones,simple_leads,private/lead_data"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An object store on a port of its own, and a bucket in it."""
    with pytest.MonkeyPatch.context() as patch, object_store() as environment:
        ask_only(environment, patch)
        place("s3://lakes").fs.mkdir("lakes")
        yield "s3://lakes"


@pytest.fixture(scope="module")
def both(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Centre, Centre]]:
    """The same centre, loaded onto a disk and into a bucket by the same runs."""
    with pytest.MonkeyPatch.context() as patch, centres(tmp_path_factory.mktemp("disk"), patch) as start:
        files = tmp_path_factory.mktemp("deliveries")
        (files / "sold.toml").write_text(SOLD)
        on_disk = start(calls_per_day=100, settings={"deliveries_dir": files})
        in_bucket = Centre(
            on_disk.sandbox,
            Settings(**{**_login(on_disk), "data_dir": f"{bucket}/centre", "deliveries_dir": files}),
            on_disk.clock,
            start(calls_per_day=1, data="unused").instance,
        )
        on_disk.clock[0] = NOW
        for here in (on_disk, in_bucket):
            _load(here)
        yield on_disk, in_bucket


def _login(here: Centre) -> dict[str, Any]:
    box = here.sandbox
    return {"url": box.url, "username": box.username, "password": box.password, "pii_key": "test key"}


def _load(here: Centre) -> None:
    here.load(BY_DAY, FIRST, LAST)
    here.load("call_outcomes", FIRST, LAST)
    here.load(f"{WHOLE},{DELIVERIES}")


def rows(lake: Lake, table) -> list[tuple[Any, ...]]:
    """What a table's files have, decoded, but for when it was seen or made."""
    files = lake.files(table)
    if not files:
        return []
    with bare() as con:
        listed = "[" + ", ".join(map(file_literal, files)) + "]"
        source = f"read_parquet({listed}, union_by_name = true, hive_partitioning = false, filename = true)"
        columns = [name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        shown = [
            name
            for name in columns
            if name not in ("observed_at", "filename", "seen_at", "done_at", "asked_at", "since")
        ]
        day = "regexp_extract(filename, '(date|month)=([0-9-]+)', 2) AS place"
        quoted = ", ".join(f'"{name}"' for name in shown)
        return con.execute(f"SELECT {quoted}, {day} FROM {source} ORDER BY ALL").fetchall()


def test_every_table_is_as_on_a_disk(both):
    on_disk, in_bucket = both
    assert is_remote(in_bucket.lake.root)
    compared = 0
    for table in TABLES:
        if table.name in ("account", "health", "restatements", "erasures"):  # which say what was done, and when
            continue
        assert in_bucket.lake.days(table) == on_disk.lake.days(table)
        assert rows(in_bucket.lake, table) == rows(on_disk.lake, table), table.name
        compared += bool(on_disk.lake.files(table))
    assert compared > 15


def test_nothing_lies_on_the_disk_of_a_lake_on_an_object_store(both, tmp_path: Path):
    _, in_bucket = both
    assert not Path("s3:").exists()
    assert not list(tmp_path.rglob("part.parquet"))
    assert {str(path).partition("://")[0] for path in in_bucket.lake.files(CALLS)} == {"s3"}


@pytest.mark.parametrize("to", ["pandas", "polars", "arrow"])
def test_the_reader_reads_both_alike(both, to: str):
    on_disk, in_bucket = both
    for table in ("call_outcomes", "leads", "conversion_rates", "org_history"):
        one, other = (hb.read(table, to=to, data_dir=str(here.lake.root)) for here in both)
        assert one.equals(other) or sorted(map(str, _records(one))) == sorted(map(str, _records(other)))
    assert hb.about(str(in_bucket.lake.root)).splitlines()[3:] == hb.about(on_disk.lake.root).splitlines()[3:]


def _records(frame: Any) -> list[Any]:
    return (
        frame.to_dict("records")
        if hasattr(frame, "to_dict") and not hasattr(frame, "to_dicts")
        else (frame.to_dicts() if hasattr(frame, "to_dicts") else frame.to_pylist())
    )


def test_metrics_of_both_are_the_same(both):
    one, other = (
        hb.metrics(
            hb.read("call_outcomes", FIRST, LAST, level="leaf", data_dir=str(here.lake.root)), "answer_rate_per_dial"
        )
        for here in both
    )
    assert one.equals(other)
    assert one["denominator"].iloc[0] > 0


def test_a_connection_answers_from_the_bucket(both):
    on_disk, in_bucket = both
    with hb.connect(str(in_bucket.lake.root)) as far, hb.connect(on_disk.lake.root) as near:
        query = "SELECT metric, sum(numerator), sum(denominator) FROM outcome_rates GROUP BY ALL ORDER BY ALL"
        assert far.execute(query).fetchall() == near.execute(query).fetchall()


def test_a_day_again_and_a_refresh_change_what_they_change_on_a_disk(both):
    on_disk, in_bucket = both
    today = NOW.date().isoformat()
    for here in both:
        here.clock[0] = NOW
        result = here.materialize(BY_DAY, LAST)
        assert result.success, failure(result)
        result = here.materialize(f"{BY_DAY},call_outcomes", today, tags={"herobase/refresh": "true"})
        assert result.success, failure(result)
        here.load("leads,lead_conversion,lead_cohorts,org_history")
    for table in (CALLS, LEADS):
        assert rows(in_bucket.lake, table) == rows(on_disk.lake, table)


def test_who_is_erased_is_gone_from_the_bucket(both):
    _, in_bucket = both
    ((phone,),) = in_bucket.rows("SELECT phone FROM call_phones WHERE phone IS NOT NULL ORDER BY phone LIMIT 1")
    store._say(in_bucket.lake.root / "erase" / "letter.txt", phone.encode())
    result = in_bucket.load("erasures")
    (check,) = result.get_asset_check_evaluations()
    assert check.passed, check.description
    assert in_bucket.rows(f"SELECT count(*) FROM call_phones WHERE phone = '{phone}'") == [(0,)]
    assert not list((in_bucket.lake.root / "erase").glob("*"))


def test_deliveries_are_sent_from_there_once(both):
    _, in_bucket = both
    counts = "SELECT state, count(*) FROM deliveries GROUP BY ALL ORDER BY ALL"
    for _ in range(2):
        in_bucket.load(DELIVERIES)
        folder = in_bucket.lake.root / "private" / "delivery_files" / "sold"
        lines = [line for path in folder.glob("*.csv") for line in path.read_text("utf-8-sig").splitlines()[1:]]
        keys = [line.partition(";")[0] for line in lines]
        assert len(keys) == len(set(keys)) > 0
        assert in_bucket.rows(counts) == [("delivered", len(keys))]


def test_who_may_not_write_there_is_told_so(both):
    """Another account's lake is refused there too."""
    _, in_bucket = both
    other = Centre(
        in_bucket.sandbox,
        in_bucket.settings.model_copy(update={"username": "somebody@else.example"}),
        in_bucket.clock,
        in_bucket.instance,
    )
    assert "The lake in s3://lakes/centre was filled with" in failure(other.materialize("calls", FIRST))


def test_a_teams_calls_cost_a_part_of_the_bytes_and_few_requests(both, bucket: str, monkeypatch: pytest.MonkeyPatch):
    on_disk, _ = both
    day, lake = dt.date.fromisoformat(FIRST), Lake(place(f"{bucket}/large"), Forgetting(b"test key"))
    calls = file_literal(on_disk.lake.file(CALLS, day))
    ids = "sha256(call_id || n) AS call_id, left(sha256(n || call_id), 32) AS phone_token"  # which do not compress
    many = f"SELECT * REPLACE ({ids}) FROM read_parquet({calls}), range(1500) AS _(n)"
    with spool(lake) as folder, connect(on_disk.settings.zone, folder, ROOMY) as con:
        write(lake, con, CALLS, many, day=day, complete=[day])
    catalogue.refresh(lake, on_disk.settings.zone)
    team = hb.read("calls", FIRST, FIRST, data_dir=on_disk.lake.root)["org_key"].mode()[0]
    fetched = _count_bytes(monkeypatch)
    rows = hb.read("calls", FIRST, FIRST, org=team, columns=["started_at", "end_cause"], data_dir=str(lake.root))
    assert len(rows) % 1500 == 0
    assert len(rows) > 0
    assert 0 < sum(fetched) < store.mark(lake.file(CALLS, day))[0] / 2
    assert len(fetched) < 100  # requests: not one for each small piece


def _count_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from s3fs.core import S3File

    fetched: list[int] = []
    fetch = S3File._fetch_range

    def counting(self, start, end):
        content = fetch(self, start, end)
        fetched.append(len(content))
        return content

    monkeypatch.setattr(S3File, "_fetch_range", counting)
    return fetched


def test_a_lake_is_moved_there_by_one_command_and_back(
    both, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    on_disk, _ = both
    here, there, back = tmp_path / "here", f"{bucket}/moved", tmp_path / "back"
    shutil.copytree(on_disk.lake.root, here)
    before = {table: rows(on_disk.lake, table) for table in TABLES}
    assert moving.main([str(here), there]) == 0
    assert "files moved, each compared" in capsys.readouterr().out
    assert not [path for path in here.rglob("*") if path.is_file()]
    assert {table: rows(Lake(place(there)), table) for table in TABLES} == before
    assert len(hb.read("calls", FIRST, data_dir=there)) == len(hb.read("calls", FIRST, data_dir=on_disk.lake.root))
    assert moving.main([there, str(back)]) == 0
    assert {table: rows(Lake(back), table) for table in TABLES} == before
    assert stat.S_IMODE((back / "private").stat().st_mode) == 0o700
    moved = Centre(
        on_disk.sandbox, on_disk.settings.model_copy(update={"data_dir": back}), on_disk.clock, on_disk.instance
    )
    moved.load(f"{BY_DAY},call_outcomes", LAST)  # it is still the account's own
    assert moving.main([str(back), str(on_disk.lake.root)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert moving.main([str(tmp_path / "nothing"), there]) == 2
    assert "There is no lake" in capsys.readouterr().err


def test_no_lake_is_moved_into_itself_nor_in_part(both, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    on_disk, _ = both
    here = tmp_path / "here"
    shutil.copytree(on_disk.lake.root, here)
    before = sorted(path for path in here.rglob("*") if path.is_file())
    for target in (here, here / "nord", tmp_path):
        assert moving.main([str(here), str(target)]) == 2
        assert "one lies in the other" in capsys.readouterr().err
    (here / "private").rename(tmp_path / "elsewhere")
    (here / "private").symlink_to(tmp_path / "elsewhere")
    assert moving.main([str(here), str(tmp_path / "there")]) == 2
    assert "is a link" in capsys.readouterr().err
    (here / "private").unlink()
    (tmp_path / "elsewhere").rename(here / "private")
    file = Lake(here).files(CALLS)[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    assert moving.main([str(here), str(tmp_path / "there")]) == 2
    assert "Damaged on the disk" in capsys.readouterr().err
    assert sorted(path for path in here.rglob("*") if path.is_file()) == before


def test_a_bucket_without_a_prefix_is_a_lake_too(both, tmp_path: Path):
    on_disk, _ = both
    here, back = tmp_path / "here", tmp_path / "back"
    shutil.copytree(on_disk.lake.root, here)
    place("s3://lakes").fs.mkdir("bare")
    assert moving.main([str(here), "s3a://bare/"]) == 0
    assert len(hb.read("calls", FIRST, data_dir="s3://bare")) > 0
    assert moving.main(["s3://bare", str(back)]) == 0
    assert rows(Lake(back), CALLS) == rows(on_disk.lake, CALLS)
    assert not store.files_below(place("s3://bare"))


def test_what_a_killed_worker_left_on_its_machine_goes(both, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    _, in_bucket = both
    monkeypatch.setattr(store.tempfile, "tempdir", str(tmp_path))
    left = store.on_this_machine() / "left"
    left.mkdir(parents=True)
    (left / "page.json").write_text("20 12 34 56")
    with spool(in_bucket.lake) as mine:
        assert not left.exists()
        assert stat.S_IMODE(mine.stat().st_mode) == stat.S_IMODE(mine.parent.stat().st_mode) & 0o700 == 0o700
    assert not mine.exists()


# -- locks ----------------------------------------------------------------------------------------------------------------


def test_a_lock_on_an_object_store_is_one_holders_at_a_time(bucket: str):
    folder, inside, most = place(f"{bucket}/locks/one"), [0], [0]
    guard = threading.Lock()

    def hold() -> None:
        for _ in range(3):
            with store.locked(folder):
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.01)
                with guard:
                    inside[0] -= 1

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (inside, most) == ([0], [1])


def test_a_listing_that_began_before_a_lock_is_not_believed_once_it_is_held(
    bucket: str, monkeypatch: pytest.MonkeyPatch
):
    lake = Lake(place(f"{bucket}/listed"))
    file, listed, is_locked, really = lake.file(CALLS, NOW.date()), threading.Event(), threading.Event(), store._listed

    def slowly(folder: Path) -> Any:
        found = really(folder)
        if threading.current_thread() is ahead:
            listed.set()
            assert is_locked.wait(60)
        return found

    ahead = threading.Thread(target=lake.files, args=(CALLS,))  # as the next day of a range looks what it has
    monkeypatch.setattr(store, "_listed", slowly)
    ahead.start()
    assert listed.wait(60)
    store.system(file).pipe_file(str(file), b"of another process")
    with store.locked(file.parent):
        is_locked.set()
        ahead.join(60)
        assert lake.is_there(file)


def test_a_lease_whose_holder_died_is_anybodys_after_a_while(bucket: str, monkeypatch: pytest.MonkeyPatch):
    folder = place(f"{bucket}/locks/dead")
    monkeypatch.setattr(store, "_LEASE_S", 3.0)
    store._say(store._lease(folder, 7), b"held")
    began = time.monotonic()
    with store.locked(folder):
        assert time.monotonic() - began > 1
        assert store.lease_of(folder).number == 8
    assert not store.lease_of(folder).is_held


def test_a_held_lease_is_renewed(bucket: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "_LEASE_S", 2.0)
    folder = place(f"{bucket}/locks/long")
    with store.locked(folder):
        time.sleep(3.5)
        assert store.now(folder / ".locks") - store.lease_of(folder).renewed < 2


def test_who_lost_a_lock_writes_nothing(bucket: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "_TRUSTED_S", 0)
    folder = place(f"{bucket}/locks/lost")
    with store.locked(folder):
        store.put_bytes(folder / "file", b"mine")
        number = store.lease_of(folder).number
        store._say(store._lease(folder, number + 1), b"held")  # somebody took it, as we were asleep
        with pytest.raises(store.LockLostError, match="another process has taken it"):
            store.put_bytes(folder / "file", b"late")
    assert store.read_bytes(folder / "file") == b"mine"


def test_a_sender_that_lost_its_turn_keeps_its_hands_off(both, monkeypatch: pytest.MonkeyPatch):
    """Else it would delete the journal of the one who has it, and what that one sent would be sent again."""
    monkeypatch.setattr(store, "_TRUSTED_S", 0)
    _, in_bucket = both
    lake = claim(in_bucket.lake, in_bucket.settings)
    folder = lake.under_way("delivering")
    journal = folder / "journal.jsonl"

    def late() -> None:
        with ledger(lake, in_bucket.settings.zone, lambda: NOW):
            store._say(store._lease(folder, store.lease_of(folder).number + 1), b"held")
            store._say(journal, b"")  # the other one's

    with pytest.raises(store.LockLostError):
        late()
    assert journal.exists()
    journal.unlink()
    store._say(store._lease(folder, store.lease_of(folder).number), b"")


def test_a_store_that_keeps_to_no_condition_is_refused(bucket: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "_conditional", set())
    monkeypatch.setattr(store, "_put_new", lambda _: True)
    with pytest.raises(OSError, match="If-None-Match"), store.locked(place(f"{bucket}/locks/none")):
        pass


def test_of_two_who_take_over_one_gets_it(bucket: str):
    """The one who comes late with a number that is over does not believe that it holds the lock."""
    folder = place(f"{bucket}/locks/late")
    with store.locked(folder):
        pass
    with store.locked(folder):
        holder = store.lease_of(folder).number
        assert not store._put_new(store._lease(folder, holder))


def _killed_inside(address: str, entered) -> None:
    with store.locked(place(address)):
        entered.set()
        time.sleep(60)


@pytest.mark.slow
def test_a_process_that_is_killed_keeps_no_lock(bucket: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "_LEASE_S", 3.0)
    context = multiprocessing.get_context("fork")
    entered = context.Event()
    process = context.Process(target=_killed_inside, args=(f"{bucket}/locks/killed", entered))
    process.start()
    assert entered.wait(30)
    process.kill()
    process.join()
    with store.locked(place(f"{bucket}/locks/killed")):
        pass
