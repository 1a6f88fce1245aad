"""A machine with a proxy, and a lake that an older version wrote."""

import datetime as dt
import json
import shutil

import pytest

import herobase_pipeline as hb
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.writing import write
from herobase_pipeline.tables import CALLS, LEAD_DATA, SIMPLE_LEADS

DAY = "2026-11-18"
NAME = "Hans Jensen"


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_this_machine_is_reached_without_the_proxy_and_with_our_login(centre, monkeypatch, tmp_path, proxy):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    here = centre(calls_per_day=60)
    here.load("calls", DAY)
    assert {call_id for (call_id,) in here.rows("SELECT call_id FROM calls")} == {call.id for call in here.truth(DAY)}


def rewrite(here, table, query):
    with connect(here.settings.zone, here.lake.root) as con:
        write(claim(here.lake, here.settings), con, table, query, day=here.lake.days(table)[0])


def test_names_in_files_of_older_versions_move_to_the_private_zone_and_no_version_is_doubled(centre):
    here = centre(calls_per_day=60)
    here.load("calls,simple_leads", DAY)
    versions, private = (here.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ("simple_leads", "lead_data"))
    seen_first = here.rows("SELECT lead_id, last_modified_at, observed_at FROM simple_leads ORDER BY ALL")
    lead = {"firstName": NAME, "inside": [{"lastName": NAME}]}
    old = json.dumps({"lead": lead, "remark": NAME}, ensure_ascii=False)
    closure = json.dumps([{"code": "K7", "text": NAME}, NAME, "A_1"])
    rewrite(here, CALLS, f"SELECT * REPLACE ('{old}' AS extra) FROM seen")
    rewrite(here, SIMPLE_LEADS, f"SELECT * REPLACE ('{old}' AS extra, '{closure}' AS closure_data) FROM seen")
    rewrite(here, LEAD_DATA, "SELECT * REPLACE (NULL AS extra, NULL AS closure_data) FROM seen")
    here.load("calls,simple_leads", DAY)

    kinds = {"lead": "object", "remark": "text"}
    here_still = "NOT starts_with(lead_id, 'erased-')"
    extras = here.rows(f"SELECT DISTINCT extra FROM simple_leads WHERE {here_still}")
    assert [json.loads(extra) for (extra,) in extras] == [kinds]
    codes = [{"code": "K7"}, "withheld", "A_1"]
    closures = here.rows(f"SELECT DISTINCT closure_data FROM simple_leads WHERE {here_still}")
    assert [json.loads(c) for (c,) in closures] == [codes]
    assert here.rows("SELECT lead_id, last_modified_at, observed_at FROM simple_leads ORDER BY ALL") == seen_first
    moved = here.rows("SELECT extra, closure_data FROM lead_data")
    assert (len(moved), private) == (private, here.rows(f"SELECT count(*) FROM simple_leads WHERE {here_still}")[0][0])
    assert versions > private
    assert all((json.loads(e), json.loads(c)) == (json.loads(old), json.loads(closure)) for e, c in moved)
    for table in ("calls", "simple_leads"):
        assert not [row for row in here.rows(f"SELECT * FROM {table}") if NAME in str(row)]


@pytest.mark.parametrize("folder", ["back\\slash", "prod [2026]", "q?x", "date=2020-01-01"])
def test_a_data_folder_of_any_name_is_pulled_into_derived_from_and_read(centre, folder):
    here = centre(data=folder, calls_per_day=80)
    here.load("calls,simple_leads,call_outcomes", DAY)
    here.load("leads,lead_conversion")
    truth = len(here.truth(DAY))
    assert here.rows("SELECT date, count(*) FROM calls GROUP BY date") == [(dt.date.fromisoformat(DAY), truth)]
    with hb.connect(here.lake.root) as con:
        assert con.execute("SELECT count(*) FROM calls").fetchall() == [(truth,)]
        assert con.execute("SELECT sum(calls) FROM call_outcomes WHERE org_level = 0").fetchall() == [(truth,)]
    assert len(hb.read("calls", data_dir=here.lake.root)) == truth
    copied = here.lake.root.with_name(f"copy of {folder}")
    shutil.copytree(here.lake.root, copied)
    shutil.rmtree(here.lake.root / "lake" / "calls")
    assert len(hb.read("calls", data_dir=copied)) == truth
