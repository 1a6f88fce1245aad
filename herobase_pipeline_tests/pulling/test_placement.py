"""What a lake remembers of its calls' hierarchy, and when it learns anew."""

import datetime as dt
import json
from contextlib import contextmanager

import duckdb
import pytest

from herobase_pipeline.herobase.organisation import OrgTree
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling.placement import evidence, find, recall, remember

TREE = OrgTree.of([{"orgCode": "HQ"}, {"orgCode": "Salg", "parent": "HQ"}, {"orgCode": "Nord", "parent": "HQ"}])
DAY = dt.date(2026, 11, 18)
FIELDS = ("orgHierarchy", "orgTrail")


@contextmanager
def pulled(calls: int, field: str | None, path=("HQ", "Salg")):
    """A pull of so many calls, half of them of another team, that carry their path in a field, or nowhere."""
    with duckdb.connect() as con:
        con.execute(
            'CREATE TABLE pulled (call_id VARCHAR, agent VARCHAR, "wire:orgHierarchy" VARCHAR, "wire:orgTrail" VARCHAR)'
        )
        other = [path[0], "Nord"] if path[0] == "HQ" else ["Nord", path[-1]]
        for number in range(calls):
            value = json.dumps(list(path) if number % 2 else other)
            con.execute(
                "INSERT INTO pulled VALUES (?, 'anna', ?, ?)",
                [str(number), *(value if name == field else None for name in FIELDS)],
            )
        yield con


def pull(lake: Lake, day: dt.date, calls: int, field: str | None, **more) -> tuple[str, ...]:
    with pulled(calls, field, **more) as con:
        found = find(con, FIELDS, TREE, None, recall(lake))
        remember(lake, found, day, evidence(con, found.fields))
        return found.fields


@pytest.fixture
def lake(tmp_path):
    here = Lake(tmp_path)
    assert pull(here, DAY, 300, "orgHierarchy") == ("orgHierarchy",)
    return here


def test_few_calls_override_neither_field_nor_direction(lake):
    with pulled(10, "orgTrail", path=("Salg", "HQ")) as con:
        assert find(con, FIELDS, TREE, None, recall(lake)).fields == ("orgHierarchy",)
    with pulled(10, "orgHierarchy", path=("Salg", "HQ")) as con:
        assert not find(con, FIELDS, TREE, None, recall(lake)).leaf_first


def test_a_field_that_is_empty_on_as_many_calls_is_given_up_for_the_one_that_has_paths(lake):
    assert pull(lake, DAY + dt.timedelta(1), 300, "orgTrail") == ("orgTrail",)
    assert recall(lake).form.fields == ("orgTrail",)
    with pulled(10, "orgTrail") as con:
        assert find(con, FIELDS, TREE, None, recall(lake)).fields == ("orgTrail",)


def test_an_old_day_with_another_field_is_read_by_it_and_changes_nothing_for_today(lake):
    assert pull(lake, DAY - dt.timedelta(300), 300, "orgTrail") == ("orgTrail",)
    assert recall(lake).form.fields == ("orgHierarchy",)


def test_a_day_without_any_does_not_make_it_forget(lake):
    assert pull(lake, DAY + dt.timedelta(1), 300, None) == ()
    assert recall(lake).form.fields == ("orgHierarchy",)


def test_what_few_calls_showed_first_is_learnt_anew_from_more(tmp_path):
    lake = Lake(tmp_path)
    assert pull(lake, DAY, 4, "orgTrail") == ("orgTrail",)
    assert pull(lake, DAY, 60, "orgHierarchy") == ("orgHierarchy",)


def test_no_call_leaves_no_memory(tmp_path):
    lake = Lake(tmp_path)
    assert pull(lake, DAY, 0, None) == ()
    assert recall(lake) is None
