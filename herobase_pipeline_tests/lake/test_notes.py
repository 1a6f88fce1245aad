"""What a lake keeps about itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.layout import Lake


def test_a_note_is_there_once_it_is_written_and_for_each_name_apart(tmp_path):
    lake = Lake(tmp_path)
    assert notes.read(lake, "one") is None
    with notes.updating(lake, "one") as note:
        note["Ærø"] = [1, None]
    assert notes.read(lake, "one") == {"Ærø": [1, None]}
    assert notes.read(lake, "other") is None


def test_a_block_that_fails_changes_nothing(tmp_path):
    lake = Lake(tmp_path)
    with notes.updating(lake, "one") as note:
        note["kept"] = 1
    with pytest.raises(ZeroDivisionError), notes.updating(lake, "one") as note:
        note["kept"] = 1 / 0
    assert notes.read(lake, "one") == {"kept": 1}


def test_writers_wait_for_each_other(tmp_path):
    lake = Lake(tmp_path)

    def count(_: int) -> None:
        with notes.updating(lake, "count") as note:
            note["times"] = note.get("times", 0) + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    assert notes.read(lake, "count") == {"times": 40}


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_note_counts_as_none_and_is_written_anew(tmp_path, text):
    lake = Lake(tmp_path)
    with notes.updating(lake, "one") as note:
        note["a"] = 1
    file = tmp_path / "lake" / ".notes" / "one.json"
    file.write_text(text)
    assert notes.read(lake, "one") is None
    with notes.updating(lake, "one") as note:
        assert note == {}
        note["b"] = 2
    assert notes.read(lake, "one") == {"b": 2}
