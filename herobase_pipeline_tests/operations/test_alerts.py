"""Alerts, as they arrive: a mail server and a webhook that take what the sensor sends, tick by tick."""

import datetime as dt
import email
import email.policy
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tomllib
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import dagster as dg
import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from herobase_pipeline import notices
from herobase_pipeline.assets.site import Site
from herobase_pipeline.lake import gaps
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.writing import write
from herobase_pipeline.operations import checks, failed_runs, incidents, try_alerts
from herobase_pipeline.operations.alerts import CALM, OFF, alert
from herobase_pipeline.operations.incidents import UNSEEN
from herobase_pipeline.operations.rules import RULES
from herobase_pipeline.settings import Settings, SettingsError
from herobase_pipeline.sites import all_settings
from herobase_pipeline.tables import ACCOUNT, DELIVERIES, HEALTH
from herobase_pipeline_tests.conftest import ROOT, Centre, site, writer

PULLED = "calls,simple_leads,call_outcomes"
SECRET = "s3cret-in-an-address"
MINUTE = dt.timedelta(minutes=1)


@dataclass
class Recipient:
    """Who takes messages, or refuses them: ``messages`` has title and text of each that was taken."""

    url: str
    messages: list[tuple[str, str]] = field(default_factory=list)
    asked: int = 0
    refuses: bool = False

    def take(self) -> list[tuple[str, str]]:
        """What has come since it was asked last."""
        taken, self.messages[:] = list(self.messages), []
        return taken

    def titles(self) -> list[str]:
        """The same, but for the texts and for the account at the end."""
        return [title.partition(" [")[0] for title, _ in self.take()]


@pytest.fixture
def mail() -> Iterator[Recipient]:
    """A mail server, and a mailbox in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = Recipient(
        f"mailto://127.0.0.1:{port}?mode=insecure&from=lake@nord.example&to=ops@nord.example&name={SECRET}"
    )

    async def take(_server, _session, envelope):
        here.asked += 1
        if here.refuses:
            return "451 not now"
        sent = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert sent.get_content_type() == "text/plain"
        assert envelope.rcpt_tos == ["ops@nord.example"]
        here.messages.append((sent["subject"], sent.get_content()))
        return "250 OK"

    controller = Controller(SimpleNamespace(handle_DATA=take), hostname="127.0.0.1", port=port)
    controller.start()
    yield here
    controller.stop()


@pytest.fixture
def hook() -> Iterator[Recipient]:
    """A webhook."""
    here = Recipient("")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            here.asked += 1
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not here.refuses:
                here.messages.append((sent["title"], sent["message"]))
            self.send_response(500 if here.refuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"json://user:{SECRET}@127.0.0.1:{server.server_port}/"
        running = threading.Thread(target=server.serve_forever, args=(0.05,))
        running.start()
        yield here
        server.shutdown()
        running.join()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No failure is waited for."""
    monkeypatch.setattr(failed_runs, "SETTLED", dt.timedelta())
    monkeypatch.setattr(notices, "PAUSE_S", 0.0)


@pytest.fixture
def ticking(instance, watched, monkeypatch) -> Callable[..., tuple[Centre, Callable[..., str]]]:
    """A factory of a call centre with a Dagster that keeps its state, and of its sensor's next tick, which says what it did."""

    def start(**settings: object) -> tuple[Centre, Callable[..., str]]:
        here = watched(**settings)
        here.instance = instance
        cursor: list[str | None] = [None]

        def tick(*recipients: Recipient, kept: str | None = None) -> str:
            urls = tuple(SecretStr(each.url) for each in recipients)
            given = Settings.model_validate({**here.settings.model_dump(), "alert_urls": urls})
            monkeypatch.setattr(Site, "load", lambda _: given)
            context = dg.build_sensor_context(instance=instance, cursor=kept or cursor[0])
            told = alert(Site(given)).evaluate_tick(context)
            assert not told.run_requests
            cursor[0] = told.cursor
            for each in recipients:
                assert SECRET not in f"{told.skip_message} {told.cursor}"
                assert each.url not in f"{told.skip_message} {told.cursor}"
            return str(told.skip_message)

        return here, tick

    return start


def test_what_is_wrong_is_told_once_and_that_it_is_over_once(ticking, mail, hook, capfd, caplog):
    here, tick = ticking(calls_per_day=60)
    here.load(PULLED, "2026-11-18", "2026-11-19")
    here.load("health")
    assert tick(mail, hook) == "Incidents now: 0. Sent: 0 that began, 0 that are over."

    here.sandbox.script("/calls status=403")
    failed = here.materialize("calls", "2026-11-19")
    assert not failed.success
    here.load("health")  # which has it too, as no_partition_left_failed
    assert here.rows('SELECT "check" FROM health') == [("no_partition_left_failed",)]
    assert tick(mail, hook) == "Incidents now: 1. Sent: 2 that began, 0 that are over."
    ((title, text),) = mail.take()
    (posted,) = hook.take()
    assert title == posted[0] == "ERROR: calls has failed [127.0.0.1]"
    assert "Ask HeroBase's support to grant the web-service account GET on Calls" in text
    assert f"The days: 2026-11-19. Failed runs: {failed.run_id.split('-')[0]}." in text
    assert re.search(r"Since 20\d\d-\d\d-\d\d \d\d:\d\d \(Europe/Copenhagen\)\.", text)
    assert "What to do: Do what the sentence says" in text
    assert text.split() == posted[1].split()

    assert not here.materialize("calls", "2026-11-19").success  # again: the same incident
    here.load("simple_leads", "2026-11-16")
    here.load("health")
    tick(mail, hook)
    ((title, text),) = mail.take()
    assert title == "ERROR: the check no_gap_days of simple_leads fails [127.0.0.1]"
    assert "1 to look at, the latest 2026-11-17: not loaded." in text
    assert "What should be: No day is missing between the first and the last" in text
    assert "What to do: Materialize the days listed." in text
    assert "Since 2026-11-20 13:00 (Europe/Copenhagen)." in text
    here.load("simple_leads", "2026-11-13")  # two days more: another wording of the same
    here.clock[0] += MINUTE
    here.load("health")
    assert "3 to look at" in str(here.rows("SELECT message FROM health"))
    tick(mail, hook)
    assert mail.take() == []
    assert len(hook.take()) == 1

    here.sandbox.heal()
    here.load("calls", "2026-11-19")
    here.load("simple_leads", "2026-11-14", "2026-11-17")
    here.load("health")
    gone = here.now
    assert tick(mail, hook).startswith("Incidents now: 0. Sent: 0")
    here.clock[0] += CALM
    assert tick(mail, hook) == "Incidents now: 0. Sent: 0 that began, 4 that are over."
    over = dict(mail.take())
    assert set(over) == {
        "Over: calls has failed [127.0.0.1]",
        "Over: the check no_gap_days of simple_leads fails [127.0.0.1]",
    }
    assert f"has been gone since {gone.astimezone(here.settings.zone):%Y-%m-%d %H:%M}" in next(iter(over.values()))
    assert len(hook.take()) == 2
    assert tick(mail, hook).startswith("Incidents now: 0. Sent: 0 that began, 0")
    assert mail.take() == hook.take() == []

    private = "SELECT agent FROM calls UNION SELECT lead_id FROM calls UNION SELECT phone FROM call_phones"
    said = f"{text} {posted} {over} {caplog.text} {capfd.readouterr()}"
    assert not [value for (value,) in here.rows(private) if value and value in said]
    assert SECRET not in said


@pytest.mark.parametrize("morning", ["2026-03-29T07:00+02:00", "2026-10-25T07:00+01:00", "2026-11-20T07:00+01:00"])
def test_a_day_that_is_not_loaded_by_seven_is_told_then_and_not_before(ticking, hook, morning):
    due = dt.datetime.fromisoformat(morning)
    yesterday = due.date() - dt.timedelta(days=1)
    here, tick = ticking(now=due - MINUTE, calls_per_day=20)
    assert here.now.astimezone(here.settings.zone).strftime("%H:%M") == "06:59"
    assert tick(hook).startswith("Incidents now: 0.")
    here.clock[0] += MINUTE
    tick(hook)
    ((title, text),) = hook.take()
    assert title == f"ERROR: {yesterday} is not loaded [127.0.0.1]"
    assert "not since the day was over: calls, simple_leads." in text
    assert f"Since {due.date()} 07:00 (Europe/Copenhagen)." in text
    here.clock[0] += MINUTE
    tick(hook)
    here.load("calls", str(yesterday))  # one of both: another wording
    tick(hook)
    assert hook.take() == []


def test_a_missing_day_is_told_until_it_is_loaded_and_no_check_tells_it_again(ticking, hook):
    here, tick = ticking(now=dt.datetime(2026, 11, 19, 6, tzinfo=dt.UTC), calls_per_day=20)
    here.load(PULLED, "2026-11-16", "2026-11-17")
    here.load("health")
    assert [row[0] for row in here.rows('SELECT DISTINCT "check" FROM health')] == ["yesterday_is_loaded"]
    tick(hook)
    assert hook.titles() == ["ERROR: 2026-11-18 is not loaded"]
    here.clock[0] += dt.timedelta(hours=23)  # yesterday is the 19th, and it is not seven yet
    here.load(PULLED, "2026-11-19")
    here.load("health")
    assert {row[0] for row in here.rows('SELECT "check" FROM health')} == {"no_gap_days"}
    tick(hook)
    here.clock[0] += dt.timedelta(hours=2)
    tick(hook)
    assert hook.titles() == []
    gap = "[[gap]]\nfirst = 2026-11-18\nlast = 2026-11-18\nreason = 'x'\ntables = ['simple_leads']\n"
    gaps.file(here.lake).write_text(gap)
    tick(hook)
    here.load("calls,call_outcomes", "2026-11-18")
    here.load("health")
    tick(hook)
    assert hook.titles() == []
    here.clock[0] += CALM
    tick(hook)
    assert hook.titles() == ["Over: 2026-11-18 is not loaded"]


def test_an_address_that_fails_is_tried_again_and_the_other_is_told_nothing_twice(ticking, mail, hook):
    here, tick = ticking()
    hook.refuses = True
    told = tick(mail, mail, hook)
    assert told == (
        "Incidents now: 1. Sent: 1 that began, 0 that are over. Address 3 (json) waits: it refused the message, or could "
        "not be reached. The next tick tries again."
    )
    tick(mail, hook)
    assert (mail.titles(), mail.asked, hook.asked) == (["ERROR: 2026-11-19 is not loaded"], 1, 2)
    hook.refuses, mail.refuses = False, True
    tick(mail, hook)
    assert (mail.titles(), hook.titles()) == ([], ["ERROR: 2026-11-19 is not loaded"])
    here.load("calls,simple_leads", "2026-11-19")
    tick(mail, hook)
    here.clock[0] += CALM
    assert "Address 1 (mailto) waits" in tick(mail, hook)
    assert hook.titles() == ["Over: 2026-11-19 is not loaded"]
    mail.refuses = False
    tick(mail, hook)
    tick(mail, hook)
    assert (mail.titles(), hook.titles()) == (["Over: 2026-11-19 is not loaded"], [])


def test_a_new_address_is_told_what_is_wrong_now_and_an_equal_one_is_no_other(ticking, mail, hook):
    here, tick = ticking(calls_per_day=20)
    tick(hook)
    assert hook.titles() == ["ERROR: 2026-11-19 is not loaded"]
    tick(hook, mail, hook)
    assert (mail.titles(), hook.titles()) == (["ERROR: 2026-11-19 is not loaded"], [])
    here.load("calls,simple_leads", "2026-11-19")
    tick(hook, mail)
    here.clock[0] += CALM
    tick(hook, mail)
    assert (hook.titles(), mail.titles()) == (["Over: 2026-11-19 is not loaded"], ["Over: 2026-11-19 is not loaded"])
    late = Recipient(f"{hook.url}?another=1")
    tick(late)
    assert hook.titles() == []  # the server of both


def test_what_comes_and_goes_is_told_once(ticking, hook):
    here, tick = ticking(calls_per_day=20)
    gap = "[[gap]]\nfirst = 2026-11-19\nlast = 2026-11-19\nreason = 'x'\n"
    for _ in range(5):
        gaps.file(here.lake).unlink(missing_ok=True)
        tick(hook)
        here.clock[0] += MINUTE
        gaps.file(here.lake).parent.mkdir(exist_ok=True)
        gaps.file(here.lake).write_text(gap)
        tick(hook)
        here.clock[0] += MINUTE
    assert hook.titles() == ["ERROR: 2026-11-19 is not loaded"]
    here.clock[0] += CALM
    tick(hook)
    assert hook.titles() == ["Over: 2026-11-19 is not loaded"]


@pytest.mark.parametrize("garbage", ["{", "null", '{"told": 3}', '{"told": {"x": {"y": {}}}}', "é"])
def test_a_cursor_that_cannot_be_read_is_begun_anew(ticking, hook, garbage):
    _, tick = ticking()
    assert tick(hook, kept=garbage).startswith("The cursor could not be read")
    assert hook.titles() == ["ERROR: 2026-11-19 is not loaded"]
    assert tick(hook).startswith("Incidents now: 1. Sent: 0")


def test_a_damaged_health_is_told_and_nothing_is_called_over(ticking, hook):
    here, tick = ticking(calls_per_day=20)
    here.load("calls,simple_leads", "2026-11-16")
    here.load("calls,simple_leads", "2026-11-19")
    here.load("health")
    tick(hook)
    began = [f"ERROR: the check no_gap_days of {table} fails" for table in ("calls", "simple_leads")]
    assert hook.titles() == began
    here.lake.file(HEALTH).write_bytes(b"PAR1 Hans Hemmelig")
    tick(hook)
    ((title, text),) = hook.take()
    assert title.startswith("ERROR: nobody knows what is wrong")
    assert "Hans" not in text
    here.clock[0] += 2 * CALM
    tick(hook)
    assert hook.titles() == []
    for _ in range(2):  # it says once of itself that it was damaged
        here.load("health")
    tick(hook)
    here.clock[0] += CALM
    tick(hook)
    assert hook.titles() == ["Over: nobody knows what is wrong"]


def test_that_nobody_has_looked_for_long_is_told(ticking, hook):
    here, tick = ticking(calls_per_day=20)
    here.load("calls,simple_leads", "2026-11-19")
    tick(hook)
    here.load("health")
    tick(hook)
    assert hook.titles() == []
    long_ago = dt.datetime.now(dt.UTC) - UNSEEN - MINUTE
    os.utime(here.lake.file(HEALTH), (long_ago.timestamp(),) * 2)
    tick(hook)
    ((title, text),) = hook.take()
    assert title.startswith("ERROR: nothing has been checked lately")
    assert f"Since {long_ago.astimezone(here.settings.zone):%Y-%m-%d %H:%M}" in text
    assert "Look at the runs of the job check" in text


def test_what_is_of_herobase_has_words_of_its_own(ticking, mail):
    here, tick = ticking()
    here.lake.root.mkdir()
    with connect(here.settings.zone, here.lake.root) as con:

        def put(table, values: str, day: str | None = None) -> None:
            given = re.findall(r" AS (\w+)", values)
            nothing = ", ".join(f"NULL AS {name}" for name in table.names if name not in given)
            on = dt.date.fromisoformat(day) if day else None
            write(writer(here.lake.root), con, table, f"SELECT {values}, {nothing}", day=on)

        limits = """'{"/calls": 2980}' AS limits, '{"/calls": 2900}' AS counts"""
        put(ACCOUNT, f"""{limits}, ['*', 'client C*'] AS project_rights""", "2026-11-18")
        put(ACCOUNT, f"""{limits}, ['*'] AS project_rights""", "2026-11-19")
        put(DELIVERIES, "'hero' AS delivery, 'unknown' AS state, TIMESTAMPTZ '2026-11-19 12:00:00+00' AS last_tried_at")
    here.load("health")
    tick(mail)
    told = dict(mail.take())
    for title, found, todo in (
        ("WARN: the quota is nearly spent", "/calls: 80 of 2980 requests left", "Put off backfills"),
        ("WARN: the account's rights have changed", "lost projects client C*", "To HeroBase's support:"),
        ("ERROR: deliveries wait for a decision", "hero: 1 unknown", "make deliveries lists them."),
    ):
        text = told[f"{title} [127.0.0.1]"]
        assert found in text
        assert f"What to do: {todo}" in text or todo in text.partition("What to do: ")[2]


def test_every_check_with_a_title_of_its_own_exists():
    assert set(incidents._TITLES) <= {rule.name for rule in RULES}
    assert {*incidents._OF_A_DAY, *incidents._OF_A_RUN} <= {rule.name for rule in RULES}


def fail(instance: dg.DagsterInstance, job: str, tags: dict[str, str] | None = None) -> str:
    """A run of a job that fails without a sentence."""
    run = dg.DagsterRun(job_name=job, tags=tags or {}, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    instance.report_run_failed(run, "Hans Hemmelig, 20 12 34 56")
    return run.run_id


@pytest.fixture
def accepted(ticking) -> tuple[Centre, Callable[..., str]]:
    """A call centre of which nothing is wrong, as its only gap is accepted."""
    here, tick = ticking(calls_per_day=20)
    here.lake.root.mkdir()
    gaps.file(here.lake).write_text("[[gap]]\nfirst = 2026-11-18\nlast = 2026-11-21\nreason = 'x'\n")
    return here, tick


def test_an_error_that_nobody_here_wrote_is_not_quoted(accepted, hook):
    here, tick = accepted

    @dg.asset
    def thing() -> None:
        raise ValueError("Hans Hemmelig, 20 12 34 56")

    run_id = dg.materialize([thing], instance=here.instance, raise_on_error=False).run_id
    killed = fail(here.instance, "derive")
    told = tick(hook)
    found = hook.take()
    assert sorted(title for title, _ in found) == [
        f"ERROR: {name} has failed [127.0.0.1]" for name in ("derive", "thing")
    ]
    assert f"Run {run_id.split('-')[0]} failed; its page says why." in str(found)
    assert f"Run {killed.split('-')[0]} failed; its page says why." in str(found)
    assert "Hans" not in f"{found} {told}"


def test_a_run_that_dagster_makes_again_is_told_only_where_that_fails_too(accepted, hook, monkeypatch):
    here, tick = accepted
    first = fail(here.instance, "pull_lists")
    here.instance.add_run_tags(first, {"dagster/will_retry": "true"})
    tick(hook)
    assert hook.titles() == []
    again = dg.DagsterRun(job_name="pull_lists", status=dg.DagsterRunStatus.STARTED)
    here.instance.add_run(again)
    here.instance.add_run_tags(first, {"dagster/auto_retry_run_id": again.run_id})
    tick(hook)
    assert hook.titles() == []
    here.instance.report_run_failed(again, "")
    tick(hook)
    assert hook.titles() == ["ERROR: pull_lists has failed"]
    by_hand = dg.DagsterRun(job_name="pull_lists", status=dg.DagsterRunStatus.STARTED)
    here.instance.add_run(by_hand)
    here.instance.report_run_failed(by_hand, "")
    here.instance.add_run_tags(by_hand.run_id, {"dagster/will_retry": "true"})  # and it is not over meanwhile
    tick(hook)
    here.clock[0] += 2 * CALM
    tick(hook)
    assert hook.titles() == []
    good = dg.DagsterRun(job_name="pull_lists", status=dg.DagsterRunStatus.SUCCESS)
    here.instance.add_run(good)
    tick(hook)
    here.clock[0] += CALM
    tick(hook)
    assert hook.titles() == ["Over: pull_lists has failed"]

    forgotten = fail(here.instance, "derive")
    here.instance.add_run_tags(forgotten, {"dagster/will_retry": "true"})
    tick(hook)
    assert hook.titles() == []
    monkeypatch.setattr(failed_runs, "FORGOTTEN", dt.timedelta())
    tick(hook)
    assert hook.titles() == ["ERROR: derive has failed"]


def test_just_after_a_failure_nobody_knows_whether_it_is_for_good(accepted, hook, monkeypatch):
    here, tick = accepted
    monkeypatch.setattr(failed_runs, "SETTLED", MINUTE)
    fail(here.instance, "derive")
    tick(hook)
    assert hook.titles() == []


def test_what_fails_in_one_night_is_one_message_and_over_when_all_of_it_is_made_good(accepted, hook):
    """A right that is missing fails all that a night pulls."""
    here, tick = accepted
    days = [f"2026-11-{day}" for day in range(10, 19)]
    for day in days:
        fail(here.instance, "pull_days", {"dagster/partition": day})
    for chunk in range(3):
        fail(here.instance, "__ASSET_JOB", {"dagster/backfill": "abcdefgh", "dagster/partition": days[chunk]})
    tick(hook)
    told = dict(hook.take())
    assert list(told) == [
        f"ERROR: {name} has failed [127.0.0.1]" for name in ("pull_days", "a backfill of __ASSET_JOB")
    ]
    assert "The days: 2026-11-10 to 2026-11-18." in next(iter(told.values()))
    for number, day in enumerate(days):
        assert tick(hook).startswith("Incidents now: 2."), number
        tags = {"dagster/partition": day}
        here.instance.add_run(dg.DagsterRun(job_name="pull_days", tags=tags, status=dg.DagsterRunStatus.SUCCESS))
    tick(hook)
    here.clock[0] += CALM
    tick(hook)
    assert hook.titles() == ["Over: pull_days has failed"]


def test_a_run_of_several_days_is_made_good_day_by_day(accepted, hook):
    here, tick = accepted
    here.load("calls", "2026-11-16")
    here.sandbox.script("/calls status=403")
    assert not here.materialize("calls", "2026-11-16", "2026-11-18").success
    tick(hook)
    assert hook.titles() == ["ERROR: calls has failed"]
    here.sandbox.heal()
    for day, more in (("2026-11-16", True), ("2026-11-17", True), ("2026-11-18", False)):
        here.load("calls", day)
        assert tick(hook).startswith("Incidents now: 1.") is more
    here.clock[0] += CALM
    tick(hook)
    assert hook.titles() == ["Over: calls has failed"]


def test_without_an_address_it_is_off_and_says_so(ticking):
    here, tick = ticking(calls_per_day=20)
    assert tick() == OFF
    assert alert(Site(here.settings)).description.startswith("Off: HEROBASE_ALERT_URLS is not set")
    here.load("health")
    assert here.told("health")["alerts"] == OFF


def test_health_says_where_alerts_go_and_no_address(watched):
    here = watched(settings={"alert_urls": (f"json://u:{SECRET}@localhost", f"mailto://u:{SECRET}@nord.example")})
    assert "Off" not in alert(Site(here.settings)).description
    here.load("health")
    assert here.told("health")["alerts"] == (
        "On, to 2 addresses (json, mailto). make alert sends a test message to each."
    )


@pytest.mark.usefixtures("project")
def test_an_address_is_in_no_repr_and_a_wrong_one_is_refused_without_it(monkeypatch):
    given = f'json://u:{SECRET}@localhost,"mailto://u:{SECRET}@nord.example?to=a@nord.example,b@nord.example"'
    monkeypatch.setenv("HEROBASE_ALERT_URLS", given)
    settings = Settings.load()
    assert [url.get_secret_value() for url in settings.alert_urls] == [
        given.partition(",")[0], given.partition(",")[2].strip('"'),
    ]  # fmt: skip
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for wrong, told in (
        (f"slack://{SECRET}", "address 2 (slack://)"),
        (SECRET, "address 2 (without a scheme)"),
        (f"nonsense://{SECRET}", "address 2 (nonsense://)"),
        (f"json://[{SECRET}", "address 2 (json://)"),
    ):
        monkeypatch.setenv("HEROBASE_ALERT_URLS", f"json://u:{SECRET}@localhost,{wrong}")
        with pytest.raises(SettingsError) as raised:
            Settings.load()
        assert str(raised.value).startswith(f"HEROBASE_ALERT_URLS: {told} is none that Apprise understands")
        assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_each_site_has_its_own_addresses(project, mail, hook, capsys, monkeypatch):
    # of yesterday nothing is told before the morning
    monkeypatch.setattr(checks, "utcnow", lambda: dt.datetime.now(dt.UTC).replace(hour=12))
    monkeypatch.setenv("HOOK", hook.url)
    site(project, "nord", "HEROBASE_SANDBOX_SEED=1", "HEROBASE_ALERT_URLS=${HOOK}")
    site(project, "syd", "HEROBASE_SANDBOX_SEED=2", f"HEROBASE_ALERT_URLS='{mail.url}'")
    site(project, "vest", "HEROBASE_SANDBOX_SEED=3")
    (project / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(project / "dagster")) as instance:
        for name in ("nord", "syd", "vest"):
            sensor = alert(Site(all_settings()[name], name))
            assert sensor.name == f"{name}_alert"
            sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        run = dg.DagsterRun(job_name="syd_derive", status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        instance.report_run_failed(run, "")
        for name in ("nord", "syd"):
            alert(Site(all_settings()[name], name)).evaluate_tick(dg.build_sensor_context(instance=instance))
    nord, syd = ([title for title, _ in each.take()] for each in (hook, mail))
    assert {title.partition(" [")[2] for title in nord} == {f"nord, sandbox in {project / 'data' / 'nord'}]"}
    assert not any("derive" in title for title in nord)
    assert any("syd_derive has failed [syd, sandbox in " in title for title in syd)

    assert try_alerts.main([]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line] == [
        "== nord ==", "1. json: taken.", "== syd ==", "1. mailto: taken.", "== vest ==", try_alerts.NOT_SET.strip(),
    ]  # fmt: skip
    assert SECRET not in out
    assert (len(hook.take()), len(mail.take())) == (1, 1)
    hook.refuses = True
    assert try_alerts.main(["--site", "nord"]) == 1
    assert "1. json: not taken, it refused the message" in capsys.readouterr().out
    assert mail.take() == []
    assert try_alerts.main(["--site", "vest"]) == 2
    assert try_alerts.main(["--site", "ost"]) == 2
    assert "There is no site ost" in capsys.readouterr().err


def test_make_alert_is_this_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, name = scripts["herobase-alert"].partition(":")
    assert getattr(sys.modules[module], name) is try_alerts.main
    assert "\t@$(BIN)/herobase-alert $(ARGS)\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_make_alert_without_an_address_says_what_to_set(project, capsys):
    (project / "sites").rmdir()
    assert try_alerts.main([]) == 2
    assert capsys.readouterr().err == try_alerts.NOT_SET
    assert "HEROBASE_ALERT_URLS" in try_alerts.NOT_SET


def test_an_address_that_nobody_answers_is_waited_for_once_and_not_for_long(ticking, hook, monkeypatch):
    monkeypatch.setattr(notices, "PAUSE_S", 30.0)
    monkeypatch.setattr(notices, "TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # which takes what is sent, and says nothing
        dead = Recipient(f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=3")
        _, tick = ticking()
        begun = time.monotonic()
        assert "Sent: 2 that began, 0 that are over." in tick(dead, hook)  # it may have come: not once more each minute
        assert time.monotonic() - begun < 10
        assert "Sent: 0 that began" in tick(dead, hook)
        assert hook.titles() == ["ERROR: 2026-11-19 is not loaded"]
        assert notices.send(dead.url, "", "x", "info") == "it has failed within the last half minute"


def test_what_apprise_would_log_of_an_address_is_logged_nowhere(hook, capfd, caplog):
    caplog.set_level(0)
    hook.refuses = True
    assert notices.send(hook.url, "title", "text", "info")
    assert notices.send(f"mailto://127.0.0.1:9?from={SECRET}@nord.example&to={SECRET}@syd.example", "x", "x", "info")
    assert not notices.is_understood(f"slack://{SECRET}")
    assert SECRET not in f"{caplog.text} {capfd.readouterr()}"


def test_where_nothing_is_sent_apprise_is_not_loaded():
    code = "import sys, herobase_pipeline.definitions; sys.exit('apprise' in sys.modules)"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEROBASE_")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=inherited, check=True)


def test_the_addresses_in_the_handbook_are_understood():
    section = (ROOT / "docs/operate.md").read_text(encoding="utf-8").partition("## Alerts")[2].partition("\n## ")[0]
    shown = re.findall(r"`([a-z]+://[^`]+)`", section)
    assert [notices.scheme(address) for address in shown] == ["mailtos", "mailto", "https", "https", "jsons"]
    teams = "https://prod-1.westeurope.logic.azure.com:443/workflows/0123456789abcdef0123456789abcdef/triggers/manual"
    whole = {
        "….logic.azure.com": f"{teams}/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=abc",
        "hooks.slack.com": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    }
    for address in shown:
        given = next((one for known, one in whole.items() if known in address), address)
        assert notices.is_understood(given), address
