"""A success is handed on once (trap T39): through real runs, against the HERO in the box, whose own projects are counted."""

import datetime as dt
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from herobase_pipeline.definitions import defs
from herobase_pipeline.delivering import decide
from herobase_pipeline.delivering.ledger import ledger
from herobase_pipeline.erasing.procedure import erase
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.settings import SANDBOX_HERO_KEY
from herobase_pipeline.tables import LEAD_DATA, SIMPLE_LEADS
from herobase_pipeline_tests.conftest import alias, failure, writer
from herobase_pipeline_tests.delivering.conftest import FIRST, LAST, PULLED
from herobase_pipeline_tests.delivering.files import SENDS, declared, plan, states

MAPPED = {
    "customer.email": 'lead_field = "email"\nrequired = true',
    "customer.last_name": 'lead_field = "Lastname"\nmax_length = 40',
    "measure": 'static_value = "TLF"',
    "project_match.partner_source": 'column = "campaign_code"',
}


def emails(here) -> Counter[str]:
    """Whom HERO has a project of."""
    return Counter(project["customer"]["email"] for project in here.sandbox.destinations.projects)


def expected(here) -> Counter[str]:
    """The e-mails of the successes that were closed since deliver_from, from the fields as they were pulled."""
    rows = here.rows("""
        SELECT lead_id, arg_max(data, last_modified_at) FROM lead_data
        SEMI JOIN (
            SELECT lead_id FROM leads
            WHERE closure = 'Success' AND closed_date >= DATE '2026-11-16' AND NOT erased
                AND status NOT IN ('Removed', 'Anonymized', 'DoNotCall', 'GlobalDoNotCall')
        ) USING (lead_id)
        GROUP BY lead_id
    """)
    return Counter(told["Email"] for _, data in rows if (told := json.loads(data or "{}")).get("Email"))


def test_t39_each_success_arrives_once_however_often_it_runs(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED))
    here.load(SENDS)
    assert emails(here) == expected(here)
    assert len(emails(here)) > 3
    assert states(here) == Counter(delivered=len(emails(here)))
    assert plan(here)["done"] == len(emails(here))
    assert plan(here)["send"] == 0
    here.load(PULLED, FIRST, LAST)  # a backfill
    here.load("leads")
    here.load(SENDS)
    assert emails(here) == expected(here)
    assert max(emails(here).values()) == 1


def test_nothing_is_sent_that_is_not_live_or_only_planned(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED, is_live="false"))
    here.load(SENDS)
    assert not here.sandbox.destinations.projects
    assert plan(here)["send"] == sum(expected(here).values())
    (folder / "hero.toml").write_text(declared(MAPPED))
    here.load("delivery_plan")
    assert not here.sandbox.destinations.projects
    assert not [r for r in here.sandbox.requests if r.path.startswith("/hero")]
    assert plan(here)["send"] == sum(expected(here).values())


@pytest.mark.parametrize(
    ("fault", "state", "arrives"),
    [
        ("status=500 commits", "unknown", True),
        ("cut=0", "unknown", True),
        ("cut", "unknown", True),
        ("status=500", "unknown", False),
        ("error", "rejected", False),
        ("status=422", "rejected", False),
        ("status=503 reset=7 times=1", "delivered", True),
        ("status=429 times=2", "delivered", True),
    ],
)
def test_t39_no_fault_sends_twice_and_none_loses_a_success(delivering, fault, state, arrives):
    here, folder = delivering()
    here.sandbox.script(f"/hero/* {fault}")
    (folder / "hero.toml").write_text(declared(MAPPED, max_per_run="3"))
    here.materialize(SENDS)
    assert states(here) == Counter({state: 3})
    assert sum(emails(here).values()) == (3 if arrives else 0)
    here.sandbox.heal()
    (folder / "hero.toml").write_text(declared(MAPPED))
    here.load(SENDS)
    assert max(emails(here).values()) == 1
    kept = states(here)
    assert kept.total() == sum(expected(here).values())
    assert kept["delivered"] == kept.total() - (3 if state != "delivered" else 0)


def test_a_destination_that_refuses_the_key_is_asked_once(delivering):
    here, folder = delivering()
    here.settings = here.settings.model_copy(update={"hero_api_key": type(here.settings.password)("another")})
    (folder / "hero.toml").write_text(declared(MAPPED))
    result = here.materialize(SENDS)
    assert "127.0.0.1 answered 401" in failure(result)
    assert "another" not in failure(result)
    assert len([r for r in here.sandbox.requests if r.path.startswith("/hero")]) == 1
    assert not states(here)
    assert plan(here)["send"] == sum(expected(here).values())


def test_after_some_failures_in_a_row_nothing_more_is_sent(delivering):
    here, folder = delivering()
    here.sandbox.script("/hero/* status=500")
    (folder / "hero.toml").write_text(declared(MAPPED, stop_after_failures="2"))
    result = here.materialize(SENDS)
    assert "2 failures in a row" in failure(result)
    assert states(here) == Counter(unknown=2)


def test_what_was_closed_before_deliver_from_is_never_sent_by_a_backfill(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED, deliver_from="2026-11-20"))
    here.load(PULLED, "2026-11-09", LAST)
    here.load("leads")
    here.load(SENDS)
    assert not here.sandbox.destinations.projects
    reasons = here.rows("SELECT DISTINCT reason FROM delivery_plan WHERE decision = 'not_eligible'")
    assert ("closed before deliver_from",) in reasons
    assert plan(here)["send"] == 0


def test_a_lead_that_was_just_closed_waits(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED, settle_minutes=str(30 * 24 * 60)))
    here.load(SENDS)
    assert not here.sandbox.destinations.projects
    assert plan(here)["not_yet"] == plan(here).total() - plan(here)["not_eligible"] > 0


def test_t39_two_leads_of_one_customer_are_sent_once(delivering):
    here, folder = delivering()
    one = MAPPED | {"customer.email": 'static_value = "the.same@example.dk"'}
    (folder / "hero.toml").write_text(declared(one))
    here.load(SENDS)
    assert emails(here) == Counter({"the.same@example.dk": 1})
    here.load(SENDS)
    assert emails(here) == Counter({"the.same@example.dk": 1})
    assert plan(here)["invalid"] == plan(here).total() - plan(here)["not_eligible"] - 1


def test_a_lead_that_breaks_a_rule_is_held_back_and_says_which(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED | {"customer.title": 'lead_field = "Titel"\nrequired = true'}))
    here.load(SENDS)
    assert not here.sandbox.destinations.projects
    rows = here.rows("SELECT DISTINCT reason FROM delivery_plan WHERE decision = 'invalid'")
    assert all("customer.title: it is required, and empty" in reason for (reason,) in rows)


def test_a_wrong_file_sends_nothing_and_stops_no_other(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED))
    (folder / "wrong.toml").write_text(declared(MAPPED, closures='["Sucess"]'))
    result = here.materialize(SENDS)
    assert "wrong.toml, line 5: closures must be of" in failure(result)
    assert emails(here) == expected(here)


def test_the_switch_stops_everything_until_it_is_let_go(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED))
    settings = {"settings": here.settings}
    assert defs.resolve_job_def("stop_deliveries").execute_in_process(resources=settings).success
    result = here.materialize(SENDS)
    assert "deliveries are stopped" in failure(result)
    assert not here.sandbox.destinations.projects
    assert plan(here)["send"] == sum(expected(here).values())
    assert defs.resolve_job_def("resume_deliveries").execute_in_process(resources=settings).success
    here.load(SENDS)
    assert emails(here) == expected(here)


def test_what_is_unknown_waits_for_a_person_and_is_sent_again_only_then(delivering, monkeypatch, capsys):
    here, folder = delivering()
    here.sandbox.script("/hero/* status=500 nth=1; /hero/* status=500 commits nth=2")
    (folder / "hero.toml").write_text(declared(MAPPED))
    here.load(SENDS)
    assert states(here)["unknown"] == 2
    here.load(SENDS)
    assert states(here)["unknown"] == 2
    names = ("url", "username", "data_dir")
    environment = {f"HEROBASE_{name.upper()}": str(getattr(here.settings, name)) for name in names}
    for name, value in (
        environment | {"HEROBASE_PASSWORD": here.sandbox.password, "HEROBASE_PII_KEY": "test key"}
    ).items():
        monkeypatch.setenv(name, value)
    assert decide.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    bodies = here.rows("SELECT left(key, 10), body FROM delivery_payloads WHERE state = 'sending'")
    sent = {key: json.loads(body)["customer"]["email"] for key, body in bodies}
    keys = [line.split()[0] for line in lines]
    lost, arrived = sorted(keys, key=lambda key: emails(here)[sent[key]])  # as a person finds out by looking there
    assert decide.main([lost]) == 2
    assert decide.main(["no-such-key", "again"]) == 2
    assert decide.main([lost, "again"]) == 0
    assert decide.main([arrived, "arrived"]) == 0
    assert decide.main([arrived, "again"]) == 2  # it is decided
    here.load(SENDS)
    assert emails(here) == expected(here)
    assert states(here) == Counter(delivered=sum(expected(here).values()))


def test_t12_what_changes_after_it_was_sent_is_shown_and_never_sent_again(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED))
    here.load(SENDS)
    sent = emails(here)
    rows = here.rows("SELECT lead_id FROM deliveries ORDER BY lead_id LIMIT 3")
    reopened, corrected, erased = (lead for (lead,) in rows)
    later = here.now + dt.timedelta(hours=1)
    lake, zone = writer(here.lake.root), here.settings.zone
    day = later.date()
    with spool(lake) as aside, connect(zone, aside) as con:
        stamp = f"TIMESTAMPTZ '{later}'"
        new = f"SELECT * REPLACE ({stamp} AS last_modified_at, {stamp} AS observed_at, DATE '{day}' AS modified_date"
        write(
            lake,
            con,
            SIMPLE_LEADS,
            f"FROM seen UNION ALL BY NAME {new}, 'RedialAutomatic' AS status, 'NotSet' AS closure) "
            f"FROM ({view(lake, SIMPLE_LEADS)}) AS it WHERE lead_id = '{reopened}' "
            f"UNION ALL BY NAME {new}) FROM ({view(lake, SIMPLE_LEADS)}) AS it WHERE lead_id IN ('{corrected}', '{erased}')",
            day=day,
        )
        write(
            lake,
            con,
            LEAD_DATA,
            f"FROM seen UNION ALL BY NAME SELECT * REPLACE ({stamp} AS last_modified_at, "
            'replace(data, \'"Lastname":"\', \'"Lastname":"van \') AS data) '
            f"FROM ({view(lake, LEAD_DATA)}) AS it WHERE lead_id = '{corrected}'",
            day=day,
        )
    erase(lake, zone, [Request("lead", erased, "list", later)])
    here.load("leads")
    here.load(SENDS)
    assert emails(here) == sent
    found = dict(here.rows("SELECT lead_id, reason FROM deliveries WHERE state = 'needs_action'"))
    assert found == {
        reopened: "the lead is no longer closed as Success",
        corrected: "the lead has another customer.last_name since",
        alias(erased): "the person was erased here: erase them in hero too",
    }
    assert not here.rows(f"SELECT * FROM delivery_payloads WHERE lead_id IN ('{erased}', '{alias(erased)}')")
    with ledger(lake, zone, lambda: here.now) as book:
        for key in [event.key for event in book.latest.values() if event.state == "needs_action"]:
            decide.decide(book, key, "settled")
    here.load(SENDS)
    assert states(here) == Counter(delivered=sum(sent.values()))  # what a person has settled stays so
    assert emails(here) == sent


def test_no_customer_and_no_key_leaves_the_private_zone(delivering):
    here, folder = delivering()
    here.sandbox.script("/hero/* error nth=2; /hero/* status=500 nth=3")
    (folder / "hero.toml").write_text(declared(MAPPED))
    result = here.materialize(SENDS)
    told = [*map(str, result.all_events), str(here.told("delivery_plan")), str(here.told("deliveries"))]
    public = b"".join(path.read_bytes() for path in here.lake.root.glob("lake/**/*") if path.is_file())
    private = here.rows("SELECT string_agg(concat_ws(' ', said, body), ' ') FROM delivery_payloads")[0][0]
    for email in expected(here):
        assert email in private
        assert email.encode() not in public
        assert not [text for text in told if email in text]
    assert SANDBOX_HERO_KEY not in "".join(told)
    folders = [path for path in here.lake.root.glob("private/**/*") if path.is_dir()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in folders)


SENDER = """
import datetime as dt, sys
from herobase_pipeline.delivering.deliver import deliver
from herobase_pipeline.herobase.quota import Budget
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.pulling import account
from herobase_pipeline.settings import Settings
settings = Settings.load()
lake = claim(Lake(settings.data_dir), settings)
budget = Budget(utcnow=lambda: dt.datetime.fromisoformat(sys.argv[1]))
account._budget = lambda _: budget
print("ready", flush=True)
deliver(lake, settings, print, sends=True)
"""


@contextmanager
def sender(here):
    """A process that sends what is planned."""
    settings = here.settings
    environment = {
        "HEROBASE_URL": settings.url,
        "HEROBASE_USERNAME": settings.username,
        "HEROBASE_PASSWORD": here.sandbox.password,
        "HEROBASE_PII_KEY": "test key",
        "HEROBASE_DATA_DIR": str(settings.data_dir),
        "HEROBASE_DELIVERIES_DIR": str(settings.deliveries_dir),
        "HERO_URL": settings.hero_url,
        "HERO_API_KEY": SANDBOX_HERO_KEY,
    }
    command = [sys.executable, "-c", SENDER, here.now.isoformat()]
    with subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.mark.slow
def test_kill_9_of_the_sender_sends_nothing_twice_and_leaves_one_unknown_at_most(delivering):
    here, folder = delivering(calls_per_day=1500)
    here.sandbox.script("/hero/* delay=0.05")
    (folder / "hero.toml").write_text(declared(MAPPED))
    kills, chance = (200 if os.environ.get("LONG_TESTS") else 6), random.Random(1)
    for _ in range(kills):
        with sender(here) as process:
            time.sleep(chance.uniform(0.1, 1.5))
            process.kill()
    with sender(here) as process:
        assert process.wait(60) == 0
    kept = states(here)
    assert max(emails(here).values()) == 1
    assert kept["unknown"] <= kills
    assert set(kept) <= {"unknown", "delivered"}
    assert kept.total() == sum(expected(here).values())
    assert kept["delivered"] <= sum(emails(here).values()) <= kept.total()
    delivered = {
        json.loads(body)["customer"]["email"]
        for (body,) in here.rows(
            "SELECT body FROM delivery_payloads SEMI JOIN (FROM deliveries WHERE state = 'delivered') USING (key) "
            "WHERE delivery_payloads.state = 'sending'"
        )
    }
    assert delivered <= set(emails(here))


@pytest.mark.slow
def test_two_senders_at_once_send_each_success_once(delivering):
    here, folder = delivering()
    (folder / "hero.toml").write_text(declared(MAPPED))
    with sender(here) as one, sender(here) as other:
        assert (one.wait(60), other.wait(60)) == (0, 0)
    assert emails(here) == expected(here)
