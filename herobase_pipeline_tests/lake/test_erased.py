"""What a writer leaves out of erased persons: the same, whether it judges every row again or only those that are new."""

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from herobase_pipeline.lake.engine import connect, define_token, literal
from herobase_pipeline.lake.erased import Register
from herobase_pipeline.lake.layout import Forgetting, Lake
from herobase_pipeline.lake.registering import add
from herobase_pipeline.lake.writing import stored, write
from herobase_pipeline.tables import CALL_PHONES, CALLS, LEAD_DATA, SEARCH_ROWS, SIMPLE_LEADS, UNREADABLE

DAY, KEY = dt.date(2026, 3, 2), b"a key"
LEADS = [f"K{n}X" for n in range(4)]
PHONES = [f"+4520304{n}50" for n in range(4)]
TABLES = (CALLS, CALL_PHONES, SIMPLE_LEADS, LEAD_DATA, SEARCH_ROWS, UNREADABLE)
_AT = "TIMESTAMPTZ '2026-03-02 10:00:00Z'"

some = st.lists(st.tuples(st.sampled_from([None, *LEADS]), st.sampled_from([None, *PHONES])), max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pull"), some),
        st.tuples(st.just("erase a lead"), st.sampled_from(LEADS)),
        st.tuples(st.just("erase a number"), st.sampled_from(PHONES)),
        st.tuples(st.just("put back"), st.none()),
    ),
    min_size=2,
    max_size=9,
)


@pytest.fixture(scope="module")
def con():
    with connect(ZoneInfo("Europe/Copenhagen"), Path("/nowhere")) as con:
        define_token(con, KEY)
        yield con


def rows(table, pulled, n):
    """What a pull brings for a table: of each call or lead its number, in the table's own columns."""
    told = []
    for i, (lead, phone) in enumerate(pulled):
        its = literal(lead) if lead else "NULL"
        number = literal(phone) if phone else "NULL"
        told.append(
            {
                CALLS: f"SELECT 'c{n}-{i}' AS call_id, {its} AS lead_id, token({number}) AS phone_token",
                CALL_PHONES: f"SELECT 'c{n}-{i}' AS call_id, {number} AS phone",
                SIMPLE_LEADS: f"SELECT coalesce({its}, 'K9X') AS lead_id, {_AT} AS last_modified_at, '{n}-{i}' AS status",
                LEAD_DATA: f"SELECT coalesce({its}, 'K9X') AS lead_id, {_AT} AS last_modified_at, "
                f'\'{{"Phone": "\' || {number} || \'", "n": "x{n}"}}\' AS data',
                SEARCH_ROWS: f"SELECT 's' AS search, {its} AS lead_id, {_AT} AS observed_at, 'tel. ' || {number} AS fields",
                UNREADABLE: f"SELECT 'calls' AS service, 'r{n}-{i}' AS reason, concat_ws(' ', {its}, {number}) AS text",
            }[table]
        )
    return "FROM seen" + "".join(f" UNION ALL BY NAME {row}" for row in told)


def play(lake, con, done):
    """Do the steps; returns what each table's file holds in the end."""
    backup = None
    for n, (what, of) in enumerate(done):
        if what == "pull":
            for table in TABLES:
                day = DAY if table.daily else None
                if not lake.file(table, day).exists():
                    write(
                        lake, con, table, f"SELECT {', '.join(f'NULL AS {c.name}' for c in table)} WHERE false", day=day
                    )
                write(lake, con, table, rows(table, of, n), day=day)
            if backup is None:
                backup = lake.root.with_name(f"{lake.root.name} backup")
                shutil.copytree(lake.root, backup)
        elif what == "put back" and backup:
            for file in backup.rglob("part.parquet"):
                if "erased" not in file.parts:  # the register is not
                    shutil.copy(file, lake.root / file.relative_to(backup))
        elif what.startswith("erase"):
            lead = what == "erase a lead"
            keys = f"lead_key({literal(of)})" if lead else f"unnest(phone_keys({literal(of)}))"
            add(
                lake,
                con,
                f"SELECT 'someone' AS person, '{'lead' if lead else 'phone'}' AS kind, {keys} AS identifier, "
                f"true AS is_asked, 'list' AS source, {_AT} AS asked_at",
            )
    return {
        table.name: sorted(con.execute(stored(lake, table, DAY if table.daily else None)).fetchall(), key=repr)
        for table in TABLES
    }


@example(
    [("pull", [("K0X", PHONES[0])]), ("erase a lead", "K0X"), ("pull", []), ("put back", None)], [("K0X", PHONES[1])]
)
@given(steps, some)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("deletes_rows", [False, True])
def test_what_was_judged_before_comes_out_as_if_it_were_judged_again(
    con, tmp_path_factory, monkeypatch, deletes_rows, done, last
):
    done = [*done, ("pull", last)]
    root = tmp_path_factory.mktemp("lake")
    lake = Lake(root / "short", Forgetting(KEY, deletes_rows))
    short = play(lake, con, done)
    with monkeypatch.context() as patched:
        patched.setattr(Register, "has_judged", lambda *_: False)
        assert short == play(replace(lake, root=root / "long"), con, done)
