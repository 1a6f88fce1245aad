"""What runs by itself: today, yesterday, the days before, and what is derived; and what mends a run that was killed."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy

from herobase_pipeline.assets.liveness import at_work, signs
from herobase_pipeline.definitions import defs
from herobase_pipeline.lake import gaps
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Forgetting, Lake
from herobase_pipeline.lake.writing import empty, write
from herobase_pipeline.operations import old_runs, recovery, sensors
from herobase_pipeline.operations.jobs import COUNTED, FROM_ALL_DAYS
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, HEALTH, LEAD_DATA, LEAD_FIELDS, SIMPLE_LEADS
from herobase_pipeline_tests.dagster_internals import EngineEventData, StepMaterializationData
from herobase_pipeline_tests.tables.making import at, call, day, fill, make, opened, version

LOCAL_MORNING = dt.datetime(
    2026, 3, 29, 22, 30, tzinfo=dt.UTC
)  # 00:30 on the 30th in Copenhagen, the clocks just changed

close_yesterday, late_truth, pull_lists, refresh_today = map(
    defs.resolve_schedule_def, ("close_yesterday", "late_truth", "pull_lists", "refresh_today")
)
follow, watch, recover, tidy = map(defs.resolve_sensor_def, ("follow", "watch", "recover", "tidy"))


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    monkeypatch.setenv("HEROBASE_DATA_DIR", str(tmp_path / "data"))
    return Lake(tmp_path / "data")


def tick(schedule, instance, at=LOCAL_MORNING):
    repository = defs.get_repository_def()
    context = dg.build_schedule_context(instance, at, repository_def=repository)
    return schedule.evaluate_tick(context)


def test_every_schedule_and_sensor_runs_on_a_fresh_instance():
    repository = defs.get_repository_def()
    stopped = {s.name for s in repository.schedule_defs if s.default_status is not dg.DefaultScheduleStatus.RUNNING}
    assert stopped == {"deliver"}  # until somebody has seen what it would send
    assert {s.default_status for s in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}
    assert {s.execution_timezone for s in repository.schedule_defs} == {"Europe/Copenhagen"}


def test_days_are_those_of_the_business_zone(instance):
    assert [run.partition_key for run in tick(refresh_today, instance).run_requests] == ["2026-03-30"]
    assert [run.partition_key for run in tick(close_yesterday, instance).run_requests] == ["2026-03-29"]
    late = [run.partition_key for run in tick(late_truth, instance).run_requests]
    assert late == [f"2026-03-{day}" for day in range(29, 20, -1)]
    assert len(tick(pull_lists, instance).run_requests) == 1
    assert defs.resolve_job_def("refresh_today").tags["herobase/refresh"] == "true"


def test_no_day_before_the_first_is_asked_for(instance):
    late = tick(late_truth, instance, dt.datetime(2026, 1, 4, 5, tzinfo=dt.UTC))
    assert [run.partition_key for run in late.run_requests] == ["2026-01-03", "2026-01-02", "2026-01-01"]


@pytest.mark.parametrize(
    ("schedule", "at"),
    [
        (close_yesterday, "2026-01-01T05:00:00Z"),
        (late_truth, "2026-01-01T05:00:00Z"),
        (refresh_today, "2025-12-30T05:00:00Z"),
        (close_yesterday, "2025-12-30T05:00:00Z"),
        (late_truth, "2025-12-30T05:00:00Z"),
    ],
)
def test_before_the_first_day_a_tick_says_why_it_asks_for_none(instance, schedule, at):
    skipped = tick(schedule, instance, dt.datetime.fromisoformat(at))
    assert not skipped.run_requests
    assert "is before HEROBASE_START_DATE, 2026-01-01" in skipped.skip_message


def test_a_tick_does_not_pile_up_on_the_run_of_the_last(instance):
    instance.create_run_for_job(defs.resolve_job_def("pull_lists"), status=dg.DagsterRunStatus.STARTED)
    assert tick(refresh_today, instance).run_requests
    instance.create_run_for_job(defs.resolve_job_def("refresh_today"), status=dg.DagsterRunStatus.STARTED)
    told = tick(refresh_today, instance)
    assert not told.run_requests
    assert "not finished" in told.skip_message


def requests(instance, sensor=follow):
    context = dg.build_sensor_context(instance=instance, definitions=defs)
    return sensor.evaluate_tick(context)


def put(lake: Lake, table, day=None, age_s: float = 0) -> None:
    with connect(Settings().zone, lake.root) as con:
        write(lake, con, table, empty(table), day=day)
    stamp = time.time() - age_s
    os.utime(lake.file(table, day), (stamp, stamp))


def test_what_is_derived_follows_a_backfill_of_old_days(instance, lake):
    days = [dt.date(2026, 3, on) for on in (2, 3, 4, 9)]
    assert "up to date" in requests(instance).skip_message
    for on in days:
        put(lake, CALLS, on, age_s=7200)
        put(lake, SIMPLE_LEADS, on, age_s=7200)
    found = requests(instance).run_requests
    spans = [
        (run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"])
        for run in found
    ]
    assert spans == [("2026-03-02", "2026-03-04"), ("2026-03-09", "2026-03-09")]
    assert {run.job_name for run in found} == {"count_days"}
    for on in days:
        for table in COUNTED:
            put(lake, table, on, age_s=3600)
    assert [run.job_name for run in requests(instance).run_requests] == ["derive"]
    for table in FROM_ALL_DAYS:
        put(lake, table, age_s=1800)
    assert "up to date" in requests(instance).skip_message
    put(lake, CALLS, days[0], age_s=60)
    assert [run.job_name for run in requests(instance).run_requests] == ["count_days"]


def test_days_that_a_run_under_way_counts_itself_are_not_counted_once_more(instance, lake):
    """A refresh writes the calls first: until it has counted them they are newer than their outcomes."""
    for on in (2, 3, 4, 5):
        put(lake, CALLS, dt.date(2026, 3, on), age_s=60)
    tags = {"dagster/partition": "2026-03-05"}
    span = {"dagster/asset_partition_range_start": "2026-03-02", "dagster/asset_partition_range_end": "2026-03-03"}
    outcomes = frozenset({dg.AssetKey(CALL_OUTCOMES.key)})
    for job, of, assets in (
        ("refresh_today", tags, None),
        ("__ASSET_JOB", span, outcomes),
        ("__ASSET_JOB", {}, outcomes),
    ):
        run = dg.DagsterRun(job_name=job, tags=of, status=dg.DagsterRunStatus.STARTED, asset_selection=assets)
        instance.add_run(run)
    (found,) = requests(instance).run_requests
    assert (found.job_name, found.tags["dagster/asset_partition_range_start"]) == ("count_days", "2026-03-04")
    assert found.tags["dagster/asset_partition_range_end"] == "2026-03-04"


@pytest.mark.parametrize("job", ["count_days", "derive"])
def test_what_has_just_failed_is_not_asked_for_at_every_tick(instance, lake, monkeypatch, job):
    """A full disk, or a damaged file, does not pass in seconds."""
    day = dt.date(2026, 3, 2)
    put(lake, CALLS, day, age_s=7200)
    put(lake, SIMPLE_LEADS, day, age_s=7200)
    if job == "derive":
        for table in COUNTED:
            put(lake, table, day, age_s=3600)
    assert [run.job_name for run in requests(instance).run_requests] == [job]
    failed = dg.DagsterRun(job_name=job, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(failed)
    instance.report_run_failed(failed, "the disk is full")
    found = [run.job_name for run in requests(instance).run_requests or ()]
    assert job not in found
    monkeypatch.setattr(sensors, "PATIENCE", dt.timedelta())
    assert job in [run.job_name for run in requests(instance).run_requests]


def test_what_is_made_of_all_days_is_not_made_at_every_tick(instance, lake):
    day = dt.date(2026, 3, 2)

    def made(ago_s: float) -> None:
        for table in FROM_ALL_DAYS:
            put(lake, table, age_s=ago_s)

    for table in (CALLS, SIMPLE_LEADS, *COUNTED):
        put(lake, table, day, age_s=5)
    made(20)
    assert "Waits" in requests(instance).skip_message
    made(40)
    assert [run.job_name for run in requests(instance).run_requests] == ["derive"]
    instance.create_run_for_job(defs.resolve_job_def("refresh_today"), status=dg.DagsterRunStatus.STARTED)
    assert requests(instance).run_requests
    instance.create_run_for_job(defs.resolve_job_def("pull_days"), status=dg.DagsterRunStatus.STARTED)
    assert "Waits" in requests(instance).skip_message  # more days are to come
    made(901)
    assert requests(instance).run_requests


@pytest.mark.parametrize("pulled", ["calls and leads", "leads"])
def test_once_all_is_made_it_rests_also_where_tables_stay_as_they_are(instance, tmp_path, monkeypatch, pulled):
    monkeypatch.setenv("HEROBASE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(sensors, "CALM", dt.timedelta())
    lake = Lake(tmp_path / "data", Forgetting(b"key"))
    fill(lake, SIMPLE_LEADS, [opened(at("09:30"), "one")], day(0), {day(0)})
    fill(lake, CALLS, [call(at("09:00"), "one", call_id="a")], day(0), {day(0)})
    make(lake, *COUNTED, *FROM_ALL_DAYS)
    assert not requests(instance).run_requests
    time.sleep(0.02)  # a disk tells the time of a file in steps of some milliseconds
    fill(lake, SIMPLE_LEADS, [version(at("09:31"), "one")], day(0), {day(0)})
    if "calls" in pulled:
        fill(lake, CALLS, [call(at("09:01"), "one", call_id="a")], day(0), {day(0)})
        make(lake, *COUNTED)
    assert [request.job_name for request in requests(instance).run_requests] == ["derive"]
    time.sleep(0.02)
    for _ in range(3):
        make(lake, *FROM_ALL_DAYS)
        assert not requests(instance).run_requests


def test_declared_fields_are_read_again_every_quarter_of_an_hour_also_where_they_failed(instance, lake):
    day = dt.date(2026, 3, 2)
    put(lake, LEAD_DATA, day, age_s=60)
    assert [run.job_name for run in requests(instance).run_requests] == ["read_fields"]
    put(lake, LEAD_FIELDS, age_s=120)
    assert "up to date" in requests(instance).skip_message
    put(lake, LEAD_FIELDS, age_s=901)
    assert [run.job_name for run in requests(instance).run_requests] == ["read_fields"]
    instance.create_run_for_job(defs.resolve_job_def("read_fields"), status=dg.DagsterRunStatus.FAILURE)
    assert "up to date" in requests(instance).skip_message


def test_a_run_whose_process_was_killed_is_ended_and_one_at_work_is_not(instance, lake):
    job = defs.resolve_job_def("pull_lists")
    killed, alive, silent = (instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED) for _ in range(3))
    code = (
        "import sys, time; from herobase_pipeline.assets.liveness import at_work; "
        "from herobase_pipeline.settings import Settings; s = at_work(Settings(), sys.argv[1]); s.__enter__(); "
        "print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, killed.run_id], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert signs(Settings()) == {killed.run_id: True}
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with at_work(Settings(), alive.run_id):
        told = requests(instance, recover).skip_message
    assert killed.run_id in told
    status = {run.run_id: run.status for run in instance.get_runs()}
    assert status[killed.run_id] is dg.DagsterRunStatus.FAILURE
    assert status[alive.run_id] is status[silent.run_id] is dg.DagsterRunStatus.STARTED
    assert list(Path(lake.root / "private" / ".working").iterdir()) == []


@pytest.mark.usefixtures("lake")
def test_a_run_whose_process_was_killed_before_it_gave_a_sign_is_ended(instance):
    job = defs.resolve_job_def("pull_lists")
    killed, alive = (instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED) for _ in range(2))
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for run, pid in ((killed, process.pid), (alive, os.getpid())):
        instance.report_engine_event("Started process for run.", run, EngineEventData.in_process(pid))
    told = requests(instance, recover).skip_message
    assert killed.run_id in told
    assert alive.run_id not in told
    assert instance.get_run_by_id(killed.run_id).status is dg.DagsterRunStatus.FAILURE
    assert instance.get_run_by_id(alive.run_id).status is dg.DagsterRunStatus.STARTED


@pytest.mark.usefixtures("lake")
def test_dagster_is_reminded_once_of_a_retry_that_it_missed(instance, monkeypatch):
    job = defs.resolve_job_def("pull_lists")
    forgotten, retried, final = (instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED) for _ in range(3))
    for run, will_retry in ((forgotten, "true"), (retried, "true"), (final, "false")):
        instance.report_run_failed(run)
        instance.add_run_tags(run.run_id, {"dagster/will_retry": will_retry})
    instance.add_run_tags(retried.run_id, {"dagster/auto_retry_run_id": "another"})
    assert "All is well" in requests(instance, recover).skip_message
    monkeypatch.setattr(recovery, "_RETRY_AFTER", dt.timedelta())
    assert "All is well" in requests(instance, recover).skip_message  # nobody can make them again: they have no origin
    monkeypatch.setattr(dg.DagsterRun, "remote_job_origin", "here")
    told = requests(instance, recover).skip_message
    assert told == f"Reminded Dagster of the retry of {forgotten.run_id}."
    failures = instance.all_logs(forgotten.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert len(failures) == 2
    assert "All is well" in requests(instance, recover).skip_message


@pytest.fixture
def old_run(instance):
    """Make a run of a job that is some days old, with a day materialized by it if one is given."""
    now = dt.datetime.now(dt.UTC)

    def make(job: str, days: int, status=dg.DagsterRunStatus.SUCCESS, day: str | None = None) -> str:
        tags = {"dagster/partition": day} if day else {}
        run_id = instance.create_run_for_job(defs.resolve_job_def(job), status=status, tags=tags).run_id
        with instance.run_storage.connect() as con:
            con.execute(
                sqlalchemy.text("UPDATE runs SET create_timestamp = :at WHERE run_id = :id"),
                {"at": (now - dt.timedelta(days=days)).replace(tzinfo=None), "id": run_id},
            )
        if day:
            made = StepMaterializationData(dg.AssetMaterialization("calls", partition=day))
            event = dg.DagsterEvent("ASSET_MATERIALIZATION", job, event_specific_data=made, step_key="calls")
            instance.report_dagster_event(event, run_id)
        return run_id

    return make


def test_old_runs_that_go_off_by_themselves_are_deleted_but_for_the_latest(instance, old_run):
    kept = {old_run("pull_days", 400), old_run("derive", 40)}
    kept.add(old_run("derive", 30, dg.DagsterRunStatus.FAILURE))
    kept.add(old_run("refresh_today", 20, dg.DagsterRunStatus.STARTED))
    past = [
        old_run("refresh_today", 15, status) for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
    ]
    kept |= {old_run("refresh_today", 13), old_run("refresh_today", 0)}
    files = [Path(instance.event_log_storage.path_for_shard(run)) for run in past]
    for run in past:
        instance.report_engine_event("so that it has a file", instance.get_run_by_id(run))
    assert all(file.exists() for file in files)
    assert requests(instance, tidy).skip_message == "Deleted 2 runs."
    assert {run.run_id for run in instance.get_runs()} == kept
    assert not any(file.exists() for file in files)
    assert requests(instance, tidy).skip_message == "Nothing is past its time."


def test_a_run_stays_while_it_is_the_latest_that_materialized_its_day(instance, old_run):
    first, only = old_run("refresh_today", 21, day="2026-11-01"), old_run("refresh_today", 20, day="2026-11-02")
    again = old_run("pull_days", 19, day="2026-11-01")
    latest = old_run("refresh_today", 0, day="2026-11-22")
    assert requests(instance, tidy).skip_message == "Deleted 1 runs."
    assert {run.run_id for run in instance.get_runs()} == {only, again, latest}
    assert first not in {run.run_id for run in instance.get_runs()}
    assert instance.get_materialized_partitions(dg.AssetKey("calls")) == {"2026-11-01", "2026-11-02", "2026-11-22"}


def test_a_tick_deletes_no_more_than_it_can(instance, old_run, monkeypatch):
    monkeypatch.setattr(old_runs, "_AT_ONCE", 2)
    for job in ("refresh_today", "check"):
        for _ in range(3):
            old_run(job, 20)
    for job in ("refresh_today", "check"):
        old_run(job, 0)
    told = [requests(instance, tidy).skip_message for _ in range(4)]
    assert told == ["Deleted 2 runs."] * 3 + ["Nothing is past its time."]


def test_a_killed_run_that_somebody_had_terminated_is_not_made_again(instance, lake):
    run = instance.create_run_for_job(defs.resolve_job_def("pull_lists"), status=dg.DagsterRunStatus.STARTED)
    instance.report_run_canceling(run)
    (lake.under_way("working")).mkdir(parents=True)
    (lake.under_way("working") / run.run_id).touch()
    assert run.run_id in requests(instance, recover).skip_message
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED


def test_all_is_looked_at_again_once_something_was_written_or_has_failed(instance, lake, monkeypatch):
    assert "Nothing has changed" in requests(instance, watch).skip_message
    put(lake, CALLS, dt.date(2026, 3, 2), age_s=600)
    (request,) = requests(instance, watch).run_requests
    assert request.job_name in (None, "check")
    put(lake, HEALTH, age_s=500)
    assert "Nothing has changed" in requests(instance, watch).skip_message
    for table in COUNTED:
        put(lake, table, dt.date(2026, 3, 2), age_s=400)
    assert requests(instance, watch).run_requests
    put(lake, HEALTH, age_s=60)
    put(lake, CALLS, dt.date(2026, 3, 3))
    assert "just now" in requests(instance, watch).skip_message
    put(lake, HEALTH, age_s=130)
    assert requests(instance, watch).run_requests
    put(lake, CALLS, dt.date(2026, 3, 3), age_s=1000)
    assert "Nothing has changed" in requests(instance, watch).skip_message
    gaps.file(lake).touch()
    assert requests(instance, watch).run_requests
    gaps.file(lake).unlink()
    failed = instance.create_run_for_job(defs.resolve_job_def("pull_lists"), status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(failed)
    assert requests(instance, watch).run_requests
    monkeypatch.setattr(sensors, "LOOK_AGAIN", dt.timedelta())
    looking = instance.create_run_for_job(defs.resolve_job_def("check"), status=dg.DagsterRunStatus.STARTED)
    assert "under way" in requests(instance, watch).skip_message
    instance.report_run_failed(looking)  # it is not tried again and again
    assert "Nothing has changed" in requests(instance, watch).skip_message


def test_what_is_written_while_all_is_looked_at_is_looked_at_again(instance, lake, monkeypatch):
    monkeypatch.setattr(sensors, "LOOK_AGAIN", dt.timedelta())
    instance.create_run_for_job(defs.resolve_job_def("check"), status=dg.DagsterRunStatus.SUCCESS)
    put(lake, CALLS, dt.date(2026, 3, 2), age_s=-1)  # after the look began, and before health was written
    put(lake, HEALTH, age_s=-2)
    assert requests(instance, watch).run_requests
