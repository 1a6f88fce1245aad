"""An erased person is gone everywhere, stays so, and the numbers stay what they were (trap T38; GDPR Art. 17)."""

import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from herobase_pipeline.assets import erasures
from herobase_pipeline.erasing import person, procedure
from herobase_pipeline.erasing.looked import days_to_look_at
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.erasing.requests import named as read
from herobase_pipeline.lake import registering, writing
from herobase_pipeline.lake.catalogue import define_views
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.erased import register
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.pulling.accounting import set_aside
from herobase_pipeline.reading import reader as hb
from herobase_pipeline.tables import (
    CALL_PHONES,
    CALLS,
    LEAD_DATA,
    LEAD_FIELDS,
    LEADS,
    SEARCH_ROWS,
    SIMPLE_LEADS,
    TABLES,
)
from herobase_pipeline_tests.conftest import ASSETS, NOW, Centre, alias, failure, once
from herobase_pipeline_tests.test_lake_of_before import LAKE as LAKE_OF_BEFORE

PULLED = "calls,simple_leads"
COUNTED = ("call_outcomes", "call_hours")
FOLLOWED = ("lead_conversion", "lead_cohorts", "agent_days", "cumulative_incidence", "drop_rates", "org_history")
METRICS = (*COUNTED, *FOLLOWED)
DERIVED = ",".join(("leads", *FOLLOWED, "private/lead_fields"))
FIRST, LAST = "2026-09-07", "2026-09-20"
BEFORE = dt.datetime(2026, 9, 21, 9, tzinfo=dt.UTC)
SEARCH = {"saved_searches": ("api_import_export",), "saved_searches_csv": ("api_import_export",), "raw_leads": True}
EXPORTS = "search_leads,private/search_rows,private/raw_leads"


def days() -> list[str]:
    first = dt.date.fromisoformat(FIRST)
    return [str(first + dt.timedelta(days=n)) for n in range(14)]


def plain(value: str) -> str:
    return re.sub(r"\D", "", value).removeprefix("45")[-8:]


def of_leads(here: Centre, leads: Iterable[str]) -> set[str]:
    """What the lake tells of some leads: ids, numbers, names and addresses, as an independent scan looks for them."""
    wanted = set(leads)
    found = set(wanted)
    for lead, phone in here.rows(
        "SELECT lead_id, phone FROM calls JOIN call_phones USING (call_id) WHERE phone IS NOT NULL"
    ):
        if lead in wanted:
            found.add(plain(phone))
    for lead, data in here.rows("SELECT lead_id, data FROM lead_data WHERE data <> '{}'"):
        if lead in wanted:
            fields = json.loads(data)
            found |= {v for k, v in fields.items() if re.search("mail|adresse", k, re.IGNORECASE) and len(v) > 5}
            found |= {
                plain(v)
                for k, v in fields.items()
                if re.search("telefon|phone|mobil", k, re.IGNORECASE) and len(plain(v)) == 8
            }
    return found


def told(root: Path, *more: Path) -> dict[str, str]:
    """Everything that stands under some folders: each file's bytes, and of Parquet each decoded value."""
    texts: dict[str, str] = {}
    for path in (path for folder in (root, *more) for path in folder.rglob("*") if path.is_file()):
        texts[f"bytes of {path}"] = path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            table = pq.ParquetFile(path).read()
            texts[f"values of {path}"] = "\n".join(
                str(value) for name in table.column_names if not re.search("(?<!lead)_id$", name)
                for value in table[name].to_pylist()
            )  # fmt: skip
    return texts


def left(texts: dict[str, str], of: set[str]) -> list[str]:
    """Where something is left: a number in any spelling, anything else as it is."""
    found = []
    for where, text in texts.items():
        joined = re.sub(r"(?<=\d)[ ./()-]{1,2}(?=\d)", "", text)  # numbers without their punctuation
        for each in of:
            sought, there = (each, joined) if each.isdigit() else (each.encode().decode("latin-1"), text)
            sought = sought if where.startswith("bytes") else each
            before = r"(?:^|[^0-9a-zA-Z])(?:\+?(?:00)?45)?"
            if sought in there and re.search(before + re.escape(sought) + "(?![0-9a-zA-Z])", there):
                found.append(where)
                break
    return found


def numbers(here: Centre) -> dict[str, list[tuple[object, ...]]]:
    return {name: here.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in METRICS}


def of_calls(here: Centre) -> list[tuple[object, ...]]:
    return here.rows("SELECT count(*), count(DISTINCT lead_id), count(lead_id), sum(conversation_s) FROM calls")


def erased_by_now(here: Centre, leads: Iterable[str]) -> set[str]:
    return {lead for lead in leads if (found := here.world.lead(lead, here.now)) is not None and found.erased}


@pytest.fixture
def loaded(centre, tmp_path_factory) -> Centre:
    """Two weeks as they were loaded the day after, and everything that is made of them; then it is November."""
    here: Centre = centre(now=BEFORE, calls_per_day=300)

    def load(folder: Path) -> None:
        here.load(f"{PULLED},call_outcomes,call_hours", FIRST, LAST)
        here.load(DERIVED)
        here.lake.root.rename(folder)

    shutil.copytree(once(tmp_path_factory, "two weeks", load), here.lake.root)
    here.clock[0] = NOW
    return here


def erase(here: Centre, *named: str) -> None:
    """Erase some leads and numbers by hand, without Dagster."""
    lake = claim(here.lake, here.settings)
    requests = [Request(*told, "list", NOW) for name in named if (told := read(name))]
    assert len(requests) == len(named)
    procedure.erase(lake, here.settings.zone, requests)


def contents(here: Centre) -> dict[str, str]:
    """Each file's rows, but when an erasure was seen and done."""
    times = {"seen_at", "done_at"}
    found = {}
    for path in sorted(here.lake.root.rglob("part.parquet")):
        table = pq.ParquetFile(path).read()
        rows = table.drop_columns(sorted(times & set(table.column_names))).to_pylist()
        found[str(path.relative_to(here.lake.root))] = "\n".join(sorted(map(str, rows)))
    return found


def test_t38_who_was_erased_is_gone_from_every_value_and_byte_and_numbers_stay(loaded, tmp_path):
    here = loaded
    home = tmp_path / ".dagster"
    home.mkdir()
    known = [lead for (lead,) in here.rows("SELECT lead_id FROM leads")]
    already = {lead for lead in known if lead.startswith("erased-")}  # within the run that saw it
    assert already
    gone = erased_by_now(here, known)
    assert len(gone) > 20
    shared = of_leads(here, set(known) - gone)  # streets, above all
    traces = of_leads(here, gone) - shared
    assert len(traces) > 3 * len(gone)
    assert not [each for each in of_leads(here, gone) & shared if re.fullmatch(r"\d{8}", each)]
    before, calls, leads = (
        numbers(here),
        of_calls(here),
        here.rows("SELECT count(*), sum(dials), sum(attempts) FROM leads"),
    )
    linked = {call.id for day in days() for call in here.truth(day) if call.lead_id in gone}
    files = here.files()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        here.instance = instance
        result = here.load("erasures")
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("erased_are_gone", True), check.description
    assert not left(told(here.lake.root, home), traces)

    assert of_calls(here) == calls
    here.load(DERIVED)
    assert numbers(here) == before
    assert here.rows("SELECT count(*), sum(dials), sum(attempts) FROM leads") == leads
    marked = {lead for (lead,) in here.rows("SELECT lead_id FROM leads WHERE erased")}
    assert marked == {alias(lead) for lead in gone} | already
    tokens = here.rows("SELECT call_id, phone_token, lead_id FROM calls")
    assert {call for call, _, _ in tokens} >= linked
    assert all((lead.startswith("erased-") and token is None) for call, token, lead in tokens if call in linked)
    assert not [call for (call,) in here.rows("SELECT call_id FROM call_phones") if call in linked]

    rows = {who: rest for who, *rest in here.rows("SELECT * FROM erasures")}
    assert {alias(lead) for lead in gone} <= {f"erased-{who}" for who in rows}
    assert all(
        done and source == "status" and "nothing found" in proof for _, source, _, done, _, proof in rows.values()
    )
    of_known = [rows[alias(lead).removeprefix("erased-")] for lead in gone]
    assert all(files >= 1 for *_, files, _ in of_known)
    changed = {name for name, content in here.files().items() if files.get(name) not in (None, content)}
    assert changed
    assert here.told("erasures")["files_rewritten"] <= len(files)


def some_leads(here: Centre, count: int) -> list[str]:
    """Leads that were dialled, and have fields."""
    rows = here.rows(
        "SELECT lead_id FROM leads SEMI JOIN lead_data USING (lead_id) "
        "WHERE dials > 1 AND NOT erased ORDER BY hash(lead_id), lead_id"
    )
    return [lead for (lead,) in rows[:count]]


def test_a_lead_seen_as_anonymized_leaves_every_file_within_the_run_that_saw_it(loaded):
    here = loaded
    known = [lead for (lead,) in here.rows("SELECT lead_id FROM leads")]
    gone = erased_by_now(here, known)
    day = here.rows(
        "SELECT day FROM (SELECT unnest(range(DATE '2026-10-01', DATE '2026-11-20', INTERVAL 1 DAY))::DATE AS day) LIMIT 1"
    )[0][0]
    changed = {}
    while not changed:
        bounds = here.window(str(day))
        changed = {
            lead.id for lead in here.world.leads(here.now, bounds.start, bounds.end) if lead.status.name == "Anonymized"
        } & gone
        day += dt.timedelta(days=1)
    day -= dt.timedelta(days=1)
    traces = of_leads(here, changed) - of_leads(here, set(known) - changed)
    here.load("simple_leads", str(day))
    assert not left(told(here.lake.root), traces)
    assert {alias(lead) for lead in changed} <= {
        lead for (lead,) in here.rows("SELECT lead_id FROM calls UNION FROM (SELECT lead_id FROM simple_leads)")
    }


def test_t38_a_backfill_of_everything_brings_nobody_back(centre):
    here = centre(now=BEFORE, calls_per_day=150, settings=SEARCH)
    first, last = "2026-09-14", "2026-09-18"
    everything = f"{PULLED},{EXPORTS}"
    here.load(f"{everything},call_outcomes,call_hours", first, last)
    here.load(DERIVED)
    by_hand = some_leads(here, 6)
    (number,) = {phone for (phone,) in here.rows(
        f"SELECT any_value(phone) FROM calls JOIN call_phones USING (call_id) WHERE lead_id = '{by_hand[0]}'"
    )}  # fmt: skip
    shared = of_leads(here, {lead for (lead,) in here.rows("SELECT lead_id FROM leads")} - set(by_hand))
    traces = of_leads(here, by_hand) - shared
    digits = plain(number)
    lists = here.lake.root / "erase"
    lists.mkdir()
    (lists / "first.txt").write_text(f"# from the mail of Monday\n0045 {digits[:4]}-{digits[4:]}\n\n", encoding="utf-8")
    (lists / "second.txt").write_text("\n".join(f" {lead.lower()} " for lead in by_hand[1:]), encoding="utf-8-sig")
    before, calls = numbers(here), of_calls(here)
    here.load("erasures")
    assert not list(lists.iterdir())
    assert not left(told(here.lake.root), traces)
    sources = dict(here.rows("SELECT source, count(*) FROM erasures WHERE files_rewritten > 3 GROUP BY source"))
    assert sources["list"] == 6

    for export in (PULLED, EXPORTS):
        here.load(export, first, last)  # the sandbox still has all but those whom it anonymized itself
        assert not left(told(here.lake.root), traces), export
    here.load(DERIVED)
    assert not left(told(here.lake.root), traces)
    assert of_calls(here) == calls
    assert numbers(here) == before
    assert here.told("private/raw_leads")["records_erased"] > 0
    versions = here.rows(
        "SELECT lead_id, last_modified_at, status, count(*) FROM simple_leads GROUP BY ALL HAVING count(*) > 1"
    )
    assert not versions


def test_a_list_that_cannot_be_read_erases_nobody_of_it_and_says_which_line(loaded):
    here = loaded
    lists = here.lake.root / "erase"
    lists.mkdir()
    (lists / "Hansen.txt").write_text("4711S12\nAnne Hansen\n", encoding="utf-8")
    result = here.materialize("erasures")
    assert not result.success
    assert "List 1 of 1 by name, in" in failure(result)
    assert "line 2: neither a lead's id nor a phone number" in failure(result)
    assert "Hansen" not in failure(result)
    assert (lists / "Hansen.txt").exists()
    assert not here.rows("SELECT * FROM erasures WHERE source = 'list'")


KILLER = """
import datetime as dt, os, signal, sys
from pathlib import Path
from herobase_pipeline.erasing import procedure
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings

replace, left = Path.replace, int(sys.argv[2])

def killing(self, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = killing
settings = Settings.load()
asked = [Request("lead", lead, "list", dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)) for lead in sys.argv[3:]]
procedure.erase(claim(Lake(Path(sys.argv[1])), settings), settings.zone, asked)
"""


@pytest.fixture(scope="module")
def ends() -> dict[str, tuple[dict[str, str], int]]:
    """What an erasure came to that nobody killed, and how many files it changed: made by the first test that compares."""
    return {}


@pytest.mark.parametrize("after", [0, 1, 2, 3, 9, 20, -2])
def test_kill_9_at_any_step_and_again_comes_to_the_same_end(loaded, tmp_path, ends, after: int):
    here = loaded
    wanted = some_leads(here, 8)
    traces = of_leads(here, wanted) - of_leads(
        here, {lead for (lead,) in here.rows("SELECT lead_id FROM leads")} - set(wanted)
    )
    if "calm" not in ends:
        copy = tmp_path / "copy"
        shutil.copytree(here.lake.root, copy)
        erase(here, *wanted)
        written = int(here.rows("SELECT max(files_rewritten) FROM erasures")[0][0])
        assert written > 4
        ends["calm"] = contents(here), len(changed(copy, here.lake.root))
        shutil.rmtree(here.lake.root)
        copy.rename(here.lake.root)
    end, files = ends["calm"]
    steps = files + 1  # the register, the note, each other file, the catalogue, the note
    killed = subprocess.run(
        [sys.executable, "-c", KILLER, str(here.lake.root), str(after if after >= 0 else steps + after), *wanted],
        env={**os.environ, **environment(here)},
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if after == 0:  # nothing was noted yet: who asked has to ask again
        erase(here, *wanted)
    here.load("metrics")  # any run that writes goes on with it
    assert not left(told(here.lake.root), traces)
    found = contents(here)
    assert {name: text for name, text in found.items() if "metrics" not in name} == end


def changed(one: Path, other: Path) -> list[Path]:
    """The files that are not the same, byte for byte."""
    paths = [path.relative_to(other) for path in other.rglob("part.parquet")]
    return [
        path for path in paths if not (one / path).exists() or (one / path).read_bytes() != (other / path).read_bytes()
    ]


def environment(here: Centre) -> dict[str, str]:
    s = here.settings
    return {
        "HEROBASE_URL": str(s.url), "HEROBASE_USERNAME": s.username, "HEROBASE_PASSWORD": s.password.get_secret_value(),
        "HEROBASE_PII_KEY": "test key", "HEROBASE_DATA_DIR": str(s.data_dir),
    }  # fmt: skip


def test_a_file_from_a_backup_is_found_by_the_check_and_cleaned_by_the_next_run(loaded, tmp_path):
    here = loaded
    wanted = some_leads(here, 3)
    backup = tmp_path / "backup"
    shutil.copytree(here.lake.root, backup)
    traces = of_leads(here, wanted) - of_leads(
        here, {lead for (lead,) in here.rows("SELECT lead_id FROM leads")} - set(wanted)
    )
    erase(here, *wanted)
    for zone in ("lake", "private"):
        for folder in (backup / zone).iterdir():
            if folder.name not in (".notes", "erased", "erasures"):
                shutil.copytree(folder, here.lake.root / zone / folder.name, dirs_exist_ok=True)
    assert left(told(here.lake.root), traces)
    here.load("leads")  # made from files that have them, and without them all the same
    assert not left({w: t for w, t in told(here.lake.root).items() if "/leads/" in w}, traces)
    result = here.load("erasures")
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert not left(told(here.lake.root), traces)


def test_the_check_finds_what_no_writer_of_ours_left_and_says_where_without_whom(loaded):
    here = loaded
    (lead,) = some_leads(here, 1)
    ((phone,),) = here.rows(
        f"SELECT any_value(phone) FROM calls JOIN call_phones USING (call_id) WHERE lead_id = '{lead}'"
    )
    erase(here, lead)
    (here.lake.root / "notes of Monday.txt").write_text(
        f"call back 0045 {plain(phone)[:2]} {plain(phone)[2:]}", encoding="utf-8"
    )
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT 'see {lead}' AS remark) TO '{here.lake.root}/lake/export.parquet' (FORMAT parquet)")
    (check,) = here.load("erasures").get_asset_check_evaluations()
    assert not check.passed
    assert "notes of Monday.txt" in check.description
    assert "export.parquet.remark" in check.description
    assert lead not in str(check)
    assert plain(phone) not in str(check).replace(" ", "")
    found = here.rows("SELECT proof FROM erasures WHERE proof LIKE '%found in%'")
    assert len(found) == 1


def test_a_file_that_cannot_be_read_is_no_proof_and_quotes_nobody(loaded):
    (loaded.lake.root / "lake" / "broken.parquet").write_bytes(b"PAR1 Anne Hansen 20123456")
    result = loaded.materialize("erasures")
    assert not result.success
    assert failure(result).startswith("The scan could not be finished")
    assert "Hansen" not in failure(result)


def test_a_lake_of_before_is_cleaned_of_whom_it_says_to_be_anonymized(centre, tmp_path):
    with zipfile.ZipFile(LAKE_OF_BEFORE) as archive:
        archive.extractall(tmp_path / "data")
    here = centre(calls_per_day=40, unknown_fields=True)
    gone = {lead for (lead,) in here.rows("SELECT lead_id FROM simple_leads WHERE status = 'Anonymized'")}
    assert gone
    calls = of_calls(here)
    here.load("erasures")
    assert not left(told(here.lake.root), gone)
    assert of_calls(here) == calls
    assert {alias(lead) for lead in gone} <= {lead for (lead,) in here.rows("SELECT lead_id FROM simple_leads")}


def test_private_files_tell_nothing_in_their_footers(loaded):
    private = loaded.lake.root / "private"
    for path in (*private.rglob("part.parquet"), loaded.lake.known(LEAD_FIELDS)):
        meta = pq.ParquetFile(path).metadata
        groups = [meta.row_group(n) for n in range(meta.num_row_groups)]
        assert not any(group.column(n).is_stats_set for group in groups for n in range(meta.num_columns)), path


def test_where_rows_are_deleted_the_numbers_of_the_past_are_restated(loaded):
    here = replace(loaded, settings=loaded.settings.model_copy(update={"erasure_mode": "delete_rows"}))
    wanted = [lead for (lead,) in here.rows(
        "SELECT lead_id FROM leads WHERE closure = 'Success' AND dials > 0 AND NOT erased ORDER BY lead_id LIMIT 3"
    )]  # fmt: skip
    dials = dict(here.rows("SELECT lead_id, count(*) FROM calls GROUP BY ALL"))
    before = of_calls(here)[0][0]
    erase(here, *wanted)
    assert not here.rows(f"SELECT * FROM calls WHERE lead_id IN {(*wanted, *map(alias, wanted))}")
    assert of_calls(here)[0][0] == before - sum(dials[lead] for lead in wanted)
    here.load("call_outcomes,call_hours", FIRST, LAST)
    here.load("leads")
    here.load("lead_conversion")
    restated = here.rows(
        "SELECT table_name, sum(old_value - new_value), any_value(cause) FROM restatements "
        "WHERE org_level = 0 AND measure IN ('calls', 'leads') GROUP BY ALL ORDER BY ALL"
    )
    assert [(name, lost) for name, lost, _ in restated] == [
        ("call_outcomes", sum(dials[lead] for lead in wanted)),
        ("lead_conversion", 3),
    ]
    here.load(PULLED, FIRST, LAST)
    assert not here.rows(f"SELECT * FROM calls WHERE lead_id IN {(*wanted, *map(alias, wanted))}")
    assert here.told("calls")["records_repeated"] >= 0


def test_two_erasures_and_a_backfill_at_once_leave_nobody(loaded):
    here = loaded
    one, other = (some_leads(here, 8)[n::2] for n in (0, 1))
    traces = of_leads(here, {*one, *other})
    traces -= of_leads(here, {lead for (lead,) in here.rows("SELECT lead_id FROM leads")} - {*one, *other})
    script = KILLER.replace("left = Path.replace, int(sys.argv[2])", "left = Path.replace, 10**9")
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(here.lake.root), "0", *leads], env={**os.environ, **environment(here)}
        )
        for leads in (one, other)
    ]
    here.load(PULLED, FIRST, LAST)
    here.load("leads")
    assert [run.wait() for run in runs] == [0, 0]
    assert not left(told(here.lake.root), traces)
    assert len(here.rows("SELECT * FROM erasures WHERE source = 'list' AND done_at IS NOT NULL")) == 8


def test_what_cannot_be_read_and_tells_an_erased_person_goes_too(loaded):
    here = loaded
    lead, other = some_leads(here, 2)
    ((phone,),) = here.rows(
        f"SELECT any_value(phone) FROM calls JOIN call_phones USING (call_id) WHERE lead_id = '{lead}'"
    )
    lake = claim(here.lake, here.settings)
    day = dt.date.fromisoformat(FIRST)
    texts = [
        f'{{"uniqueId": "{lead}", "x": }}',
        f'{{"n": "{plain(phone)[:4]} {plain(phone)[4:]}"',
        f'{{"uniqueId": "{other}", "x": }}',
    ]
    records = [("broken", text) for text in texts]
    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        set_aside(lake, con, "calls", day, records, NOW, anew=False)
    erase(here, lead)
    assert here.rows("SELECT text FROM unreadable") == [(texts[2],)]
    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        set_aside(lake, con, "calls", day, records, NOW, anew=False)
    assert here.rows("SELECT text FROM unreadable") == [(texts[2],)]


def differences(one: Centre, other: Centre, but: set[str]) -> dict[str, int]:
    """How many leads differ, by column, but for some leads."""
    names = [name for name, *_ in one.rows("DESCRIBE leads")]
    both = [{row[0]: row for row in here.rows("SELECT * FROM leads")} for here in (one, other)]
    assert both[0].keys() == both[1].keys()
    pairs = [(row, both[1][lead]) for lead, row in both[0].items() if lead not in but]
    return Counter(name for row, same in pairs for name, a, b in zip(names, row, same, strict=True) if a != b)


def test_what_is_past_its_time_goes_once_it_was_said_and_numbers_stay(loaded, monkeypatch):
    now = [dt.datetime(2026, 9, 22, 9, tzinfo=dt.UTC)]
    monkeypatch.setattr("herobase_pipeline.assets.retention.utcnow", lambda: now[0])
    here = replace(loaded, settings=loaded.settings.model_copy(update={"keep_private_days": 4, "keep_calls_days": 9}))
    before = numbers(here)
    leads, names = here.rows("SELECT * FROM leads ORDER BY ALL"), [name for name, *_ in here.rows("DESCRIBE leads")]
    known = here.rows("SELECT * FROM known_days ORDER BY ALL"), here.rows("SELECT * FROM loaded_days ORDER BY ALL")
    files = here.files()
    complete = here.lake.root.with_name("complete")
    shutil.copytree(here.lake.root, complete)
    here.load("retention")
    shown = here.told("retention")
    assert (shown["files_deleted"], shown["files_past_their_time"]) == (0, 6 + 11 + 11)
    assert "private/lead_data**: 2026-09-07 to 2026-09-17" in shown["would_be_deleted"]
    assert here.files() == files

    now[0] += dt.timedelta(hours=21)
    here.load("retention")
    assert here.told("retention")["files_deleted"] == 7 + 12 + 12  # it is the next day
    heard = {lead for (lead,) in here.rows("SELECT lead_id FROM leads WHERE lead_id IS NOT NULL")}
    heard &= {lead for (lead,) in here.rows(
        "SELECT lead_id FROM calls WHERE date >= '2026-09-14' UNION SELECT lead_id FROM simple_leads WHERE date >= '2026-09-14'"
    )}  # fmt: skip
    old = here.rows("SELECT call_id, lead_id FROM calls WHERE date < '2026-09-14'")
    assert 0 < len(old) < 1_000
    assert {lead for _, lead in old} <= heard
    assert here.rows("SELECT min(date) FROM lead_data") == [(dt.date(2026, 9, 19),)]
    assert here.rows("SELECT min(date) FROM call_phones") == [(dt.date(2026, 9, 19),)]
    assert here.rows("SELECT min(last_modified_at) >= TIMESTAMPTZ '2026-09-18 22:00:00+00' FROM lead_fields") == [
        (True,)
    ]
    here.load(DERIVED)
    assert here.rows("SELECT * FROM leads ORDER BY ALL") == leads
    assert numbers(here) == before
    assert (
        here.rows("SELECT * FROM known_days ORDER BY ALL"),
        here.rows("SELECT * FROM loaded_days ORDER BY ALL"),
    ) == known
    assert not here.rows("SELECT * FROM restatements")
    assert "past their time" in failure(here.materialize("call_outcomes", FIRST))

    whole = replace(here, settings=loaded.settings.model_copy(update={"data_dir": complete}))
    for each in (here, whole):  # what comes later is counted as if nothing had been deleted
        each.load(f"{PULLED},call_outcomes,call_hours", "2026-09-21", "2026-09-25")
        each.load(DERIVED)
    again = {
        lead for (lead,) in here.rows("SELECT lead_id FROM calls WHERE date >= '2026-09-21' AND lead_id IS NOT NULL")
    } - heard
    again &= {row[0] for row in leads}
    assert 0 < len(again) < 30  # called again after so long: their dials of now are not added
    unknown = {row[0] for row in leads if None in row[names.index("attribution") :][:1]}  # no version was loaded then
    assert differences(here, whole, again | unknown) == {}
    begun = "SELECT lead_id, first_dial_at, first_dial_path, cohort_date, status FROM leads ORDER BY 1"
    assert here.rows(begun) == whole.rows(begun)
    assert here.rows("SELECT * FROM call_outcomes ORDER BY ALL") == whole.rows(
        "SELECT * FROM call_outcomes ORDER BY ALL"
    )
    assert here.rows("SELECT * FROM org_history ORDER BY ALL") == whole.rows("SELECT * FROM org_history ORDER BY ALL")
    here.load("calls", FIRST)
    here.load("call_outcomes,call_hours", FIRST)


def test_calls_from_which_not_all_is_made_yet_stay_past_their_time(loaded, monkeypatch):
    monkeypatch.setattr("herobase_pipeline.assets.retention.utcnow", lambda: dt.datetime(2026, 9, 22, 9, tzinfo=dt.UTC))
    here = replace(loaded, settings=loaded.settings.model_copy(update={"keep_calls_days": 9}))
    here.load("calls", FIRST)  # newer than what was counted
    here.load("retention")
    assert "calls**: 2026-09-08 to 2026-09-12" in here.told("retention")["would_be_deleted"]


def test_make_person_prints_what_is_held_of_a_lead_or_a_number(loaded, monkeypatch, capsys):
    here = loaded
    (lead,) = some_leads(here, 1)
    for name, value in environment(here).items():
        monkeypatch.setenv(name, value)
    calls = here.rows(
        f"SELECT call_id, phone FROM calls LEFT JOIN call_phones USING (call_id) WHERE lead_id = '{lead}'"
    )
    phone = next(phone for _, phone in calls if phone)
    assert person.main([lead.lower(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["call_id"] for row in found["calls"]} == {call for call, _ in calls}
    assert {
        row["lead_id"] for table in ("leads", "simple_leads", "lead_data", "lead_fields") for row in found[table]
    } == {lead}
    assert {row["phone"] for row in found["call_phones"]} == {phone for _, phone in calls if phone}
    assert person.main(["0045", plain(phone)[:4], plain(phone)[4:]]) == 0
    text = capsys.readouterr().out
    assert f"  lead_id: {lead}" in text
    assert all(f"  call_id: {call}" in text for call, _ in calls)
    erase(here, lead)
    assert person.main([lead]) == 0
    text = capsys.readouterr().out
    assert "erasures: 1 row" in text
    assert "lead_data" not in text
    assert person.main(["Hansen"]) == 2
    assert "neither a lead's id nor a phone number" in capsys.readouterr().err


def test_the_check_and_the_register_can_be_run_alone(loaded):
    key = dg.AssetCheckKey(dg.AssetKey("erasures"), "erased_are_gone")
    resources = {"settings": loaded.settings}
    result = dg.materialize(ASSETS, selection=dg.AssetSelection.checks(key), resources=resources)
    assert [each.check_name for each in result.get_asset_check_evaluations()] == ["erased_are_gone"]
    loaded.load("private/erased")
    assert loaded.told("erasures")["persons"] > 0


def test_a_number_of_a_household_stays_with_the_leads_that_did_not_ask(loaded):
    here = loaded
    one, other = some_leads(here, 2)
    token = f"(SELECT any_value(phone_token) FROM calls WHERE lead_id = '{one}')"
    day = here.rows(f"SELECT min(date) FROM calls WHERE lead_id = '{other}'")[0][0]
    lake = claim(here.lake, here.settings)
    with (
        spool(lake) as folder,
        connect(here.settings.zone, folder) as con,
    ):  # the other becomes one of the same household
        define_views(con, lake, (CALLS,))
        con.execute(f"CREATE TEMP TABLE shared AS SELECT {token} AS token")
        changed = f"CASE WHEN lead_id = '{other}' THEN (SELECT token FROM shared) ELSE phone_token END AS phone_token"
        write(lake, con, CALLS, f"SELECT * REPLACE ({changed}) FROM seen", day=day)
        ((token,),) = con.execute("FROM shared").fetchall()
    assert len(here.rows(f"SELECT DISTINCT lead_id FROM calls WHERE phone_token = '{token}'")) == 2
    erase(here, one)
    assert here.rows(f"SELECT DISTINCT lead_id FROM calls WHERE phone_token = '{token}'") == [(other,)]


def test_a_number_that_was_handed_in_before_its_lead_came_is_erased_as_it_comes(centre):
    here = centre(now=BEFORE, calls_per_day=100)
    here.load(PULLED, FIRST)
    later = here.truth("2026-09-08")
    known = {call.lead_id for call in here.truth(FIRST)}
    lead, phone = next(
        (call.lead_id, call.phone) for call in later if call.lead_id and call.phone and call.lead_id not in known
    )
    erase(here, phone)
    here.load(PULLED, "2026-09-08")
    here.load("leads,private/lead_fields")
    assert not here.rows(f"SELECT * FROM calls WHERE lead_id = '{lead}'")
    assert here.rows(f"SELECT * FROM calls WHERE lead_id = '{alias(lead)}'")
    assert plain(phone) not in {
        plain(number) for (number,) in here.rows("SELECT phone FROM call_phones WHERE phone IS NOT NULL")
    }


def test_a_register_that_was_put_back_from_a_backup_fails_the_check(loaded, tmp_path):
    here = loaded
    one, other = some_leads(here, 2)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        here.instance = instance
        erase(here, one)
        here.load("erasures")
        backup = [(file, file.read_bytes()) for file in here.lake.root.glob("*/eras*/**/part.parquet")]
        assert len(backup) == 2
        erase(here, other)
        here.load("erasures")
        for file, content in backup:
            file.write_bytes(content)
        (check,) = here.load("erasures").get_asset_check_evaluations()
    assert not check.passed
    assert "a backup was put in its place" in check.description


def test_a_person_of_whom_a_pull_learns_more_meanwhile_is_not_done(loaded, monkeypatch):
    here = loaded
    (lead,) = some_leads(here, 1)
    rewrite = procedure.rewrite

    def learning(lake, con, *rest, **more):  # as a pull does, between a look and the end
        with connect(here.settings.zone, tmp) as own:
            own_lake = claim(here.lake, here.settings)
            procedure.register(own, own_lake)
            source = "'list' AS source, now() AS asked_at"
            phone = f"'phone' AS kind, '{'0' * 32}' AS identifier, false AS is_asked"
            registering.add(own_lake, own, f"SELECT lead_key('{lead}') AS person, {phone}, {source}")
        monkeypatch.setattr(procedure, "rewrite", rewrite)
        return rewrite(lake, con, *rest, **more)

    tmp = here.lake.root.with_name("spool")
    tmp.mkdir()
    monkeypatch.setattr(procedure, "rewrite", learning)
    erase(here, lead)
    key = alias(lead).removeprefix("erased-")
    assert here.rows(f"SELECT done_at FROM erasures WHERE person = '{key}'") == [(None,)]
    here.load("metrics")  # any run that writes goes on with it
    assert here.rows(f"SELECT done_at IS NOT NULL FROM erasures WHERE person = '{key}'") == [(True,)]


def test_an_analyst_without_the_private_folder_reads_all_that_is_not_private(loaded):
    here = loaded
    erase(here, *some_leads(here, 2))
    here.load("metrics")
    (here.lake.root / "private").rename(here.lake.root.with_name("kept away"))
    for table in (table for table in TABLES if not table.private and here.lake.files(table)):
        assert not hb.read(table.name, data_dir=here.lake.root).empty, table.name


def test_days_of_a_lead_that_are_back_while_others_are_gone_change_nothing(loaded, monkeypatch):
    now = [dt.datetime(2026, 9, 22, 9, tzinfo=dt.UTC)]
    monkeypatch.setattr("herobase_pipeline.assets.retention.utcnow", lambda: now[0])
    here = replace(loaded, settings=loaded.settings.model_copy(update={"keep_calls_days": 9}))
    here.load("retention")
    now[0] += dt.timedelta(hours=21)
    here.load("retention")
    here.load(DERIVED)
    told = here.rows("SELECT * FROM leads ORDER BY ALL"), numbers(here)
    here.load("calls", FIRST)
    here.load("call_outcomes,call_hours", FIRST)
    here.load(DERIVED)
    assert (here.rows("SELECT * FROM leads ORDER BY ALL"), numbers(here)) == told
    here.lake.known(LEADS).unlink()
    here.load(DERIVED)  # anew, as nothing is known of the days, and with the leads whose calls are gone
    assert (here.rows("SELECT * FROM leads ORDER BY ALL"), numbers(here)) == told
    assert not here.rows("SELECT * FROM restatements")


def test_a_day_that_waits_does_not_do_so_for_ever_once_calls_of_it_are_gone(loaded, monkeypatch):
    now = [dt.datetime(2026, 9, 22, 9, tzinfo=dt.UTC)]
    monkeypatch.setattr("herobase_pipeline.assets.retention.utcnow", lambda: now[0])
    changed = {"keep_calls_days": 9, "erasure_mode": "delete_rows"}
    here = replace(loaded, settings=loaded.settings.model_copy(update=changed))
    here.load("retention")
    now[0] += dt.timedelta(hours=21)
    here.load("retention")
    first = f"SELECT lead_id FROM calls WHERE date = '{FIRST}' AND lead_id IS NOT NULL ORDER BY 1"
    erase(here, here.rows(first)[0][0])
    assert here.rows(first)
    here.load(DERIVED)
    now[0] += dt.timedelta(days=40)
    here.load("retention")
    assert not here.rows(first)


@pytest.mark.parametrize("lost", ["private/erased", "*/eras*"])
def test_a_register_that_is_lacking_fails_the_check_until_it_is_back(loaded, tmp_path, lost):
    here = loaded
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        here.instance = instance
        erase(here, *some_leads(here, 2))
        here.load("erasures")
        kept = {file: file.read_bytes() for file in here.lake.root.glob(f"{lost}/**/part.parquet")}
        for file in kept:
            file.unlink()
        found = [here.load("erasures").get_asset_check_evaluations()[0] for _ in range(2)]
        assert [check.passed for check in found] == [False, False]
        for file, content in kept.items():
            file.write_bytes(content)
        assert here.load("erasures").get_asset_check_evaluations()[0].passed


def test_what_is_added_to_a_list_while_it_is_taken_over_is_not_lost(loaded, monkeypatch):
    here = loaded
    one, other = some_leads(here, 2)
    lists = here.lake.root / "erase"
    lists.mkdir()
    (lists / "Hansen.txt").write_text(one, encoding="utf-8")
    sweep = erasures.sweep

    def adding_meanwhile(*asked):
        (lists / "Hansen.txt").write_text(f"{one}\n{other}", encoding="utf-8")
        return sweep(*asked)

    monkeypatch.setattr(erasures, "sweep", adding_meanwhile)
    result = here.materialize("erasures")
    assert not result.success
    assert "1 lists were taken over and are still there" in failure(result)
    assert "Hansen" not in failure(result)
    monkeypatch.setattr(erasures, "sweep", sweep)
    here.load("erasures")
    assert not list(lists.iterdir())
    assert not here.rows(f"SELECT * FROM calls WHERE lead_id IN ('{one}', '{other}')")


def test_a_long_list_is_taken_over(loaded):
    here = loaded
    (lead,) = some_leads(here, 1)
    phones = here.rows(
        f"SELECT phone FROM calls JOIN call_phones USING (call_id) WHERE lead_id = '{lead}' AND phone <> ''"
    )
    erase(here, phones[0][0], *(str(20_000_000 + 7_919 * n) for n in range(6_000)))
    assert not here.rows(f"SELECT * FROM calls WHERE lead_id = '{lead}'")


def test_an_agents_address_among_a_leads_fields_is_not_the_persons(loaded):
    here = loaded
    (lead,) = some_leads(here, 1)
    here.load("users")
    ((email,),) = here.rows("SELECT any_value(email) FROM users WHERE email IS NOT NULL")
    lake = claim(here.lake, here.settings)
    day = here.rows(f"SELECT max(date) FROM lead_data WHERE lead_id = '{lead}'")[0][0]
    fields = f"CASE WHEN lead_id = '{lead}' THEN '{{\"Sælger e-mail\": \"{email}\"}}' ELSE data END AS data"
    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        write(lake, con, LEAD_DATA, f"SELECT * REPLACE ({fields}) FROM seen", day=day)
    erase(here, lead)
    assert here.load("erasures").get_asset_check_evaluations()[0].passed


@pytest.mark.parametrize(
    "text", ["25-10-2026", "2026-10-25", "1/2/2026", "2012345", "-", "0", "1234567890123456", "Hansen"]
)
def test_what_is_no_person_is_refused(text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("listed", "called"), [("0046701234567", "46701234567"), ("+46701234567", "0046 70 123 45 67")]
)
def test_a_foreign_number_is_one_however_it_is_written(centre, listed, called):
    here = centre()
    lake = claim(here.lake, here.settings)
    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        register(con, lake)
        ((same,),) = con.execute("SELECT list_has_any(phone_keys($1), phone_keys($2))", [listed, called]).fetchall()
    assert same


@pytest.mark.parametrize("lost", ["the call", "its lead and number", "the day's calls"])
def test_a_number_whose_call_does_not_say_any_more_whose_it_is_goes_too(loaded, lost):
    """A writer that was killed between the two files of a day left it so, or one file was put back from a backup."""
    here, day = loaded, dt.date(2026, 9, 8)
    ((lead, call, phone),) = here.rows(
        "SELECT lead_id, call_id, phone FROM calls JOIN call_phones USING (date, call_id) "
        f"WHERE date = DATE '{day}' AND lead_id IS NOT NULL AND phone IS NOT NULL ORDER BY call_id LIMIT 1"
    )
    lake = claim(here.lake, here.settings)
    erase(here, phone)  # so that the number is registered with the leads that it is of
    assert not here.rows(f"SELECT * FROM call_phones WHERE phone = '{phone}'")
    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        rest = {
            "the call": f"FROM seen WHERE call_id <> '{call}'",
            "its lead and number": f"SELECT * REPLACE (if(call_id = '{call}', NULL, lead_id) AS lead_id) FROM seen",
        }
        if lost in rest:
            write(lake, con, CALLS, rest[lost], day=day)
        else:
            lake.remove(CALLS, day)
        # put back by hand, as no writer of ours would
        file = lake.file(CALL_PHONES, day)
        rows = pq.ParquetFile(file).read()
        back = {"call_id": [call], "phone": [phone], "extra": [None]}
        pq.write_table(pa.concat_tables([rows, pa.table(back, rows.schema)]), file)
        write(lake, con, CALL_PHONES, "FROM seen", day=day)
    assert not here.rows(f"SELECT * FROM call_phones WHERE phone = '{phone}'"), lead
    pq.write_table(pa.concat_tables([rows, pa.table(back, rows.schema)]), file)
    procedure.erase(lake, here.settings.zone, everyone=True)
    assert not here.rows(f"SELECT * FROM call_phones WHERE phone = '{phone}'"), lead


def test_a_number_of_a_household_stays_in_a_new_call_of_another_lead(loaded):
    here = loaded
    ((phone, token),) = here.rows(
        "SELECT phone, phone_token FROM calls JOIN call_phones USING (date, call_id) "
        "WHERE lead_id IS NOT NULL AND phone IS NOT NULL AND date = DATE '2026-09-18' ORDER BY call_id LIMIT 1"
    )
    leads = here.rows(
        f"SELECT DISTINCT lead_id FROM calls JOIN call_phones USING (date, call_id) WHERE phone = '{phone}'"
    )
    erase(here, *(lead for (lead,) in leads))
    lake, day = claim(here.lake, here.settings), dt.date(2026, 9, 18)
    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        new = "FROM seen UNION ALL BY NAME SELECT 'new' AS call_id, {}"
        write(lake, con, CALLS, new.format(f"'K4711X' AS lead_id, '{token}' AS phone_token"), day=day)
        write(lake, con, CALL_PHONES, new.format(f"'{phone}' AS phone"), day=day)
    assert here.rows(f"SELECT call_id FROM call_phones WHERE phone = '{phone}'") == [("new",)]


def test_a_writer_that_was_under_way_when_somebody_was_registered_leaves_nobody(loaded, monkeypatch):
    here = loaded
    ((lead,),) = here.rows("SELECT min(lead_id) FROM simple_leads WHERE date = DATE '2026-09-18'")
    lake, fill = claim(here.lake, here.settings), writing._fill

    def slow(*arguments, **words):
        rows = fill(*arguments, **words)
        monkeypatch.setattr(writing, "_fill", fill)
        with spool(lake) as aside, connect(here.settings.zone, aside) as other:  # and looks at the file of before
            register(other, lake)
            key = f"lead_key('{lead}')"
            who = f"{key} AS person, 'lead' AS kind, {key} AS identifier, true AS is_asked, 'list' AS source, now() AS asked_at"
            registering.add(lake, other, f"SELECT {who}")
        return rows

    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        monkeypatch.setattr(writing, "_fill", slow)
        write(lake, con, SIMPLE_LEADS, "FROM seen", day=dt.date(2026, 9, 18))
    assert not here.rows(f"SELECT * FROM simple_leads WHERE lead_id = '{lead}' AND date = DATE '2026-09-18'")
    assert here.rows(f"SELECT * FROM simple_leads WHERE lead_id = '{alias(lead)}' AND date = DATE '2026-09-18'")


@pytest.mark.parametrize("table", [SIMPLE_LEADS, SEARCH_ROWS])
def test_a_pull_that_was_killed_before_it_erased_is_looked_at_when_leads_are_made(loaded, table):
    here, day = loaded, dt.date(2026, 9, 19)
    lake = claim(here.lake, here.settings)
    procedure.erase(lake, here.settings.zone)
    assert days_to_look_at(lake) == []
    ((lead,),) = here.rows(
        "SELECT min(lead_id) FROM leads WHERE NOT erased AND lead_id NOT LIKE 'erased-%' AND status = 'UserProcessed'"
    )
    with spool(lake) as folder, connect(here.settings.zone, folder) as con:
        if table is SIMPLE_LEADS:
            row = f"SELECT '{lead}' AS lead_id, TIMESTAMPTZ '{day} 12:00Z' AS last_modified_at, 'Anonymized' AS status"
        else:
            row = f"SELECT 's' AS search, '{lead}' AS lead_id, '{{\"Status\": \"Anonymized\"}}' AS fields, "
            row += f"TIMESTAMPTZ '{day} 12:00Z' AS observed_at"
        write(lake, con, table, f"FROM seen UNION ALL BY NAME {row}", day=day)
    assert days_to_look_at(lake) == [day]
    here.load("leads")
    assert not left(told(here.lake.root), {lead})
    assert here.rows(f"SELECT erased FROM leads WHERE lead_id = '{alias(lead)}'") == [(True,)]
