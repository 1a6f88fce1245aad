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
from dagster._core.events import EngineEventData

from herobase_pipeline.assets.working import at_work, signs
from herobase_pipeline.definitions import defs
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.lake.writing import empty, write
from herobase_pipeline.operations import recovery
from herobase_pipeline.operations.jobs import FROM_ALL_DAYS
from herobase_pipeline.operations.recovery import recover
from herobase_pipeline.operations.schedules import close_yesterday, late_truth, pull_lists, refresh_today
from herobase_pipeline.operations.sensors import follow
from herobase_pipeline.operations.tidying import tidy
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, SIMPLE_LEADS

LOCAL_MORNING = dt.datetime(
    2026, 3, 29, 22, 30, tzinfo=dt.UTC
)  # 00:30 on the 30th in Copenhagen, the clocks just changed


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


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
    assert {s.default_status for s in repository.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}
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
    days = [dt.date(2026, 3, day) for day in (2, 3, 4, 9)]
    assert "up to date" in requests(instance).skip_message
    for day in days:
        put(lake, CALLS, day, age_s=7200)
        put(lake, SIMPLE_LEADS, day, age_s=7200)
    found = requests(instance).run_requests
    spans = [
        (run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"])
        for run in found
    ]
    assert spans == [("2026-03-02", "2026-03-04"), ("2026-03-09", "2026-03-09")]
    assert {run.job_name for run in found} == {"count_days"}
    for day in days:
        put(lake, CALL_OUTCOMES, day, age_s=3600)
    assert [run.job_name for run in requests(instance).run_requests] == ["derive"]
    for table in FROM_ALL_DAYS:
        put(lake, table, age_s=1800)
    assert "up to date" in requests(instance).skip_message
    put(lake, CALLS, days[0], age_s=60)
    assert [run.job_name for run in requests(instance).run_requests] == ["count_days"]


def test_what_is_made_of_all_days_is_not_made_at_every_tick(instance, lake):
    put(lake, CALLS, dt.date(2026, 3, 2), age_s=60)
    put(lake, SIMPLE_LEADS, dt.date(2026, 3, 2), age_s=60)
    put(lake, CALL_OUTCOMES, dt.date(2026, 3, 2), age_s=30)
    for table in FROM_ALL_DAYS:
        put(lake, table, age_s=300)
    assert not requests(instance).run_requests


def test_a_run_whose_process_was_killed_is_ended_and_one_at_work_is_not(instance, lake):
    job = defs.resolve_job_def("pull_lists")
    killed, alive, silent = (instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED) for _ in range(3))
    code = (
        "import sys, time; from herobase_pipeline.assets.working import at_work; "
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
    told = requests(instance, recover).skip_message
    assert told == f"Reminded Dagster of the retry of {forgotten.run_id}."
    failures = instance.all_logs(forgotten.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert len(failures) == 2
    assert "All is well" in requests(instance, recover).skip_message


def test_old_runs_that_go_off_by_themselves_are_deleted_but_for_the_latest(instance):
    now = dt.datetime.now(dt.UTC)

    def run(job: str, days: int, status=dg.DagsterRunStatus.SUCCESS) -> str:
        run_id = instance.create_run_for_job(defs.resolve_job_def(job), status=status).run_id
        with instance.run_storage.connect() as con:
            con.execute(
                sqlalchemy.text("UPDATE runs SET create_timestamp = :at WHERE run_id = :id"),
                {"at": (now - dt.timedelta(days=days)).replace(tzinfo=None), "id": run_id},
            )
        return run_id

    kept = {run("pull_days", 400), run("derive", 40), run("derive", 30)}
    kept.add(run("refresh_today", 20, dg.DagsterRunStatus.STARTED))
    for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE):
        run("refresh_today", 15, status)
    kept |= {run("refresh_today", 13), run("refresh_today", 0)}
    assert requests(instance, tidy).skip_message == "Deleted 2 runs."
    assert {run.run_id for run in instance.get_runs()} == kept
    assert requests(instance, tidy).skip_message == "Nothing is past its time."
