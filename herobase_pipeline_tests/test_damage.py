"""A file that is damaged on the disk is noticed and named, and materializing its day brings it anew."""

import datetime as dt
import os

import duckdb
import pytest

import herobase_pipeline as hb
from herobase_pipeline.deriving.by_day import derive_by_day
from herobase_pipeline.erasing.procedure import NotErasedError, erase
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.lake import damage, fingerprints, gone
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.layout import PART
from herobase_pipeline.operations.rules import RULES, Look
from herobase_pipeline.tables import (
    CALL_OUTCOMES,
    CALL_PHONES,
    CALLS,
    ERASED,
    HEALTH,
    LEAD_CONVERSION,
    LEAD_DATA,
    LEADS,
    ORG_HISTORY,
    PROJECTS,
    SIMPLE_LEADS,
    TABLES,
)
from herobase_pipeline_tests.conftest import NOW, SITE, centres, failure

DAY, ON = "2026-11-17", dt.date(2026, 11, 17)
PULLED = "calls,private/call_phones,simple_leads,private/lead_data"
DERIVED = "leads,lead_conversion,org_history"
CUT, EMPTY, ZEROS, TURNED = "cut", "empty", "zeros", "one bit turned"


def spoil(path, how):
    """Damage a file as disks do; its length stays, but for a cut."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    match how:
        case "cut":
            content = content[: 2 * middle]
        case "empty":
            content = bytearray()
        case "zeros":
            content[middle : middle + 512] = bytes(min(512, len(content) - middle))
        case _:
            content[middle] ^= 4
    path.write_bytes(content)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, centres(tmp_path_factory.mktemp("damage"), patch) as start:
        yield _loaded(start())


def _loaded(here):
    here.load(PULLED, "2026-11-16", "2026-11-18")
    here.load("call_outcomes", "2026-11-16", "2026-11-18")
    here.load(DERIVED)
    return here


RULES_OF_DAMAGE = [rule for rule in RULES if rule.name == "files_undamaged"]


def looked(here, hour=12):
    """What the checks of damage find at a full hour, by table."""
    look = Look(SITE, here.instance, here.settings, NOW.replace(hour=hour))
    return {rule.table.name: found for rule in RULES_OF_DAMAGE if (found := rule.find(look))}


def wrong(here):
    """What health says, by check and table."""
    here.load("health")
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        rows = con.execute(f"SELECT \"check\", table_name, message FROM '{here.lake.file(HEALTH)}'").fetchall()
    return {f"{check} of {table}": message for check, table, message in rows}


def rows(here, table):
    observed = "* EXCLUDE (observed_at)" if "observed_at" in table.names else "*"
    extra = " EXCLUDE (observed_at, origin)" if "origin" in table.names else ""
    what = f"*{extra}" if extra else observed
    return sorted(map(str, here.rows(f"SELECT {what} FROM {table.name}")))


@pytest.mark.parametrize(
    ("table", "how"),
    [
        (CALLS, EMPTY),
        (CALLS, TURNED),
        (CALL_PHONES, ZEROS),
        (SIMPLE_LEADS, CUT),
        (SIMPLE_LEADS, TURNED),
        (LEAD_DATA, CUT),
    ],
    ids=lambda of: getattr(of, "name", of),
)
def test_a_damaged_day_that_was_pulled_is_named_and_pulled_anew(loaded, table, how):
    here, before = loaded, rows(loaded, table)
    path = here.lake.file(table, ON)
    spoil(path, how)
    name = str(path.relative_to(here.lake.root))
    group = "calls" if table in (CALLS, CALL_PHONES) else "simple_leads"
    assert looked(here) == {group: [(ON, f"{name} is damaged on the disk")]}
    refused = failure(here.materialize("call_outcomes", DAY))
    assert (name in refused) == (table is CALLS)
    done = here.load(PULLED, DAY)
    assert rows(here, table) == before
    assert looked(here) == {}
    assert {path.name for path in here.leftovers()} <= {".known", ".digests"}
    told = [e.step_materialization_data.materialization.metadata for e in done.get_asset_materialization_events()]
    shown = {metadata["damaged_files"].value for metadata in told if "damaged_files" in metadata}
    assert shown == {name}


@pytest.mark.parametrize(
    ("table", "how"),
    [(CALL_OUTCOMES, TURNED), (LEADS, CUT), (LEADS, TURNED), (LEAD_CONVERSION, CUT), (ORG_HISTORY, TURNED)],
    ids=lambda of: getattr(of, "name", of),
)
def test_what_is_derived_and_damaged_is_made_anew(loaded, table, how):
    here, before = loaded, rows(loaded, table)
    files = here.lake.every_file(table)
    if table is CALL_OUTCOMES:
        files = [here.lake.file(table, ON)]
    for path in files:
        spoil(path, how)
    told = looked(here)
    assert told.keys() == {"leads"}
    assert {what.split()[0] for _, what in told["leads"]} == {str(path.relative_to(here.lake.root)) for path in files}
    here.load(table.name, *([DAY] if table is CALL_OUTCOMES else []))
    assert rows(here, table) == before
    assert looked(here) == {}


def test_a_bit_that_turns_by_itself_is_found_within_twelve_hours_and_then_at_each_look(loaded):
    """A disk that forgets changes no time of a file; a look that reads all each hour would be dear."""
    here = loaded
    path = here.lake.file(CALLS, ON)
    was = path.stat()
    spoil(path, TURNED)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    found = [hour for hour in range(12) if looked(here, hour)]
    assert found
    assert found == list(range(found[0], 12))
    here.load(PULLED, DAY)
    assert looked(here) == {}


def test_the_other_checks_go_on_and_a_read_names_the_file(loaded):
    here = loaded
    path = here.lake.file(CALLS, ON)
    spoil(path, CUT)
    with pytest.raises(hb.DamagedError, match=f"lake/calls/date={DAY}/{PART}"):
        hb.read("calls", data_dir=here.lake.root)
    told = wrong(here)
    assert "not loaded" in told["no_gap_days of calls"]
    assert f"date={DAY}" in told["files_undamaged of calls"]
    here.load(PULLED, DAY)
    assert "files_undamaged of calls" not in wrong(here)
    assert len(hb.read("calls", data_dir=here.lake.root))


def test_a_lake_from_before_files_were_noted_is_believed_if_it_can_be_read(loaded):
    here = loaded
    for table in TABLES:
        here.lake.fingerprints(table).unlink(missing_ok=True)
    assert looked(here) == {}
    assert fingerprints.read(here.lake.fingerprints(CALLS)).keys() == {
        f"date={day}/{PART}" for day in here.lake.days(CALLS)
    }
    here.lake.fingerprints(CALLS).unlink()
    path = here.lake.file(CALLS, ON)
    spoil(path, CUT)
    assert looked(here).keys() == {"calls"}
    here.load(PULLED, DAY)


def test_what_somebody_put_there_is_believed(loaded):
    here = loaded
    path = here.lake.file(CALLS, ON)
    here.rows(
        f"COPY (SELECT * FROM read_parquet('{path}', hive_partitioning = false) LIMIT 5) TO '{path}' (FORMAT parquet)"
    )
    assert damage.damaged(here.lake, CALLS) == []
    assert looked(here) == {}


def person(here):
    """Somebody to erase, who has calls and a lead."""
    ((lead,),) = here.rows(
        f"SELECT min(lead_id) FROM calls JOIN leads USING (lead_id) WHERE date = DATE '{DAY}' AND NOT erased"
    )
    return lead, Request("lead", lead, "list", NOW)


def mend(here):
    here.load(PULLED, "2026-11-16", "2026-11-18")
    here.load("call_outcomes", "2026-11-16", "2026-11-18")
    here.load(DERIVED)
    assert looked(here) == {}


def test_an_erasure_writes_no_damaged_rows_anew_and_says_which_they_are(loaded):
    here, zone = loaded, loaded.settings.zone
    lake = claim(here.lake, here.settings)
    lead, request = person(here)
    path = here.lake.file(CALLS, ON)
    spoil(path, TURNED)
    with pytest.raises((NotErasedError, damage.DamagedError), match=f"lake/calls/date={DAY}"):
        erase(lake, zone, [request])
    assert looked(here).keys() == {"calls"}
    here.load(PULLED, DAY)
    erase(lake, zone, [])
    mend(here)
    assert here.rows(f"SELECT count(*) FROM calls WHERE lead_id = '{lead}'") == [(0,)]


def test_the_register_of_the_erased_is_written_by_nobody_once_it_is_damaged(loaded):
    here = loaded
    lake = claim(here.lake, here.settings)
    erase(lake, here.settings.zone, [person(here)[1]])
    path, whole = here.lake.file(ERASED), here.lake.file(ERASED).read_bytes()
    spoil(path, TURNED)
    assert looked(here).keys() == {"erasures"}
    for select, day in (("calls", DAY), ("leads", None), ("private/erased,erasures", None)):
        said = failure(here.materialize(select, day))
        assert "private/erased" in said
        assert "back-up" in said
    path.write_bytes(whole)
    mend(here)


def test_a_lead_is_erased_also_where_what_is_known_of_days_is_damaged(loaded):
    here = loaded
    lake = claim(here.lake, here.settings)
    lead, request = person(here)
    spoil(here.lake.known(LEADS), CUT)
    erase(lake, here.settings.zone, [request])
    left = [path for path in here.lake.root.rglob("*.parquet*") if lead.encode() in path.read_bytes()]
    assert left == []
    here.load(DERIVED)
    assert here.rows(f"SELECT count(*) FROM leads WHERE lead_id = '{lead}'") == [(0,)]
    mend(here)


def test_until_it_is_made_anew_what_reads_a_damaged_table_refuses_also_after_a_crash(loaded, monkeypatch):
    here, before = loaded, rows(loaded, LEADS)
    (path,) = here.lake.files(LEADS)
    spoil(path, TURNED)
    with monkeypatch.context() as crashing:
        crashing.setattr("herobase_pipeline.deriving.leads.write_known", lambda *_: 1 / 0)
        crashing.setattr("herobase_pipeline.deriving.leads._make_all", lambda *_: 1 / 0)
        assert not here.materialize("leads").success
    with pytest.raises(damage.DamagedError, match="lake/leads"):
        derive_by_day(here.lake, here.settings.zone, LEAD_CONVERSION)
    assert looked(here).keys() == {"leads"}
    mend(here)
    assert rows(here, LEADS) == before


def test_what_is_made_from_calls_that_are_gone_is_not_made_anew_by_itself(loaded):
    here = loaded
    (path,) = here.lake.files(LEADS)
    whole = path.read_bytes()
    gone.remember(here.lake, CALLS, {ON: True})
    spoil(path, TURNED)
    assert "HEROBASE_KEEP_CALLS_DAYS" in failure(here.materialize("leads"))
    path.write_bytes(whole)
    gone.is_back(here.lake, CALLS, ON)
    mend(here)


def test_a_file_from_a_back_up_that_is_as_long_as_the_one_of_now_is_believed(loaded):
    here = loaded
    here.load("projects")
    ((path,),) = [here.lake.files(PROJECTS)]
    kept = path.read_bytes()
    for _ in range(3):
        here.load("projects")
    assert (len(path.read_bytes()), path.read_bytes() == kept) == (len(kept), False)
    path.write_bytes(kept)
    assert looked(here) == {}


def test_one_damaged_file_beside_a_table_hides_nothing_else_that_is_wrong(loaded):
    here = loaded
    spoil(here.lake.known(LEADS), CUT)
    assert "files_undamaged of leads" in wrong(here)
    here.load(DERIVED)
    assert looked(here) == {}


def test_a_file_that_nobody_may_read_is_not_called_damaged(loaded, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(PermissionError):
        damage.is_readable(loaded.lake.file(CALLS, ON))


def test_the_note_stays_short_and_keeps_the_last_of_each_file(tmp_path):
    register = tmp_path / "notes" / "fingerprints.txt"
    prints = [fingerprints.Fingerprint(f"{n:064x}", n, n) for n in range(3_000)]
    for n in range(0, 3_000, 3):
        fingerprints.note(register, {"date=a/part.parquet": prints[n], "date=b c/part.parquet": prints[n + 1]})
    with register.open("a") as torn:
        torn.write("0" * 30)
    fingerprints.note(register, {"date=a/part.parquet": prints[-1]})
    found = fingerprints.read(register)
    assert found["date=a/part.parquet"][-2:] == [prints[2_997], prints[-1]]
    assert found["date=b c/part.parquet"][-1] == prints[2_998]
    assert {len(each) for each in found.values()} == {fingerprints.KEPT}
    assert register.stat().st_size < 150_000
    assert [path.name for path in register.parent.iterdir()] == [register.name]
