"""A disk that is full, or a folder that nobody may write to: said in words, and what was there stays."""

import errno
from concurrent.futures import ThreadPoolExecutor

import pytest

import herobase_pipeline as hb
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.disk import in_words
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline_tests.torture.children import Work

DAY, NEW = "2026-11-18", "2026-11-17"
FULL, CLOSED = "The disk of {} is full", "{} cannot be written to (Permission denied)"
EACH = {
    "calls,call_outcomes": NEW,
    "simple_leads": DAY,
    "call_outcomes": DAY,
    "leads": None,
    "org_units": None,
    "private/erased,erasures": None,
    "health": None,
}


@pytest.mark.parametrize("says", [FULL, CLOSED], ids=["full", "closed"])
def test_a_disk_that_takes_nothing_fails_the_run_in_words_and_changes_nothing(centre, tmp_path, says):
    here = centre(calls_per_day=60)
    here.load("calls,simple_leads,call_outcomes", DAY)
    here.load("leads,lead_conversion")
    notes.file_of(here.lake, "followed_leads").unlink()  # else they would stay as they are
    root, before = here.lake.root, here.files()
    settings = {name: getattr(here.settings, name) for name in here.settings.model_fields_set}
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    modes = {folder: folder.stat().st_mode for folder in folders}
    is_full = says is FULL
    if not is_full:
        for folder in folders:
            folder.chmod(0o555)
    rules = {"largest": 300} if is_full else {"closed": True}
    works = [Work(select, settings, here.now, tmp_path / "aside", first=day, **rules) for select, day in EACH.items()]
    with ThreadPoolExecutor(3) as pool:
        told = dict(zip(EACH, pool.map(Work.finish, works), strict=True))
    for folder, mode in modes.items():
        folder.chmod(mode)
    assert [select for select, sentence in told.items() if says.format(root) not in sentence] == []
    after = here.files()
    assert {name for name, was in before.items() if after[name] != was} <= {
        "private/erased/part.parquet"
    }  # its owner may
    assert len(hb.read("calls", data_dir=root)) == len(here.truth(DAY))
    here.load("calls,call_outcomes", NEW)


def test_the_disk_that_is_full_is_named_also_where_it_is_another(tmp_path):
    other = tmp_path / "another disk"
    error = OSError(errno.ENOSPC, "No space left on device", str(other / "herobase.duckdb"))
    assert str(in_words(Lake(tmp_path / "data"), error)).startswith(f"The disk of {other} is full")
    assert in_words(Lake(tmp_path / "data"), OSError(errno.EIO, "Input/output error")) is None
