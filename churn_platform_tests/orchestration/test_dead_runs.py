"""Runs of killed processes, in a real Dagster instance and with real processes that hold the lock."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus

from churn_platform.orchestration.dead_runs import START_UP, fail_dead_runs
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock
from churn_platform_tests.orchestration.lock_holder import lock_held_by

Status = DagsterRunStatus


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    folder = tmp_path / "dagster"
    folder.mkdir()
    with DagsterInstance.local_temp(str(folder)) as opened:
        yield opened


def start_run(instance: DagsterInstance, status: DagsterRunStatus = Status.STARTED) -> str:
    return instance.add_run(DagsterRun(job_name="daily_refresh", status=status)).run_id


def age(tmp_path: Path, run_id: str, by: timedelta) -> None:
    """Make a run's record look as if it had last changed `by` ago."""
    then = (datetime.now(UTC) - by).strftime("%Y-%m-%d %H:%M:%S.%f")
    connection = sqlite3.connect(tmp_path / "dagster" / "history" / "runs.db")
    changed = connection.execute("UPDATE runs SET update_timestamp = ? WHERE run_id = ?", (then, run_id)).rowcount
    connection.commit()
    connection.close()
    assert changed == 1


def status_of(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_started_run_whose_process_was_killed_is_failed_at_once(instance: DagsterInstance, home: Home) -> None:
    run_id = start_run(instance)
    with lock_held_by(run_id, home.lock_file) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert fail_dead_runs(instance, home) == [run_id]
    assert status_of(instance, run_id) == Status.FAILURE
    assert fail_dead_runs(instance, home) == []


def test_a_run_whose_process_holds_the_home_is_left_alone(
    instance: DagsterInstance, home: Home, tmp_path: Path
) -> None:
    run_id, other = start_run(instance), start_run(instance)
    for started in (run_id, other):
        age(tmp_path, started, timedelta(hours=5))
    with lock_held_by(run_id, home.lock_file):
        assert fail_dead_runs(instance, home) == []
        assert status_of(instance, run_id) == status_of(instance, other) == Status.STARTED


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING])
def test_a_run_that_never_took_the_lock_is_given_time_to_start(
    instance: DagsterInstance, home: Home, tmp_path: Path, status: DagsterRunStatus
) -> None:
    run_id = start_run(instance, status)
    assert fail_dead_runs(instance, home) == []
    age(tmp_path, run_id, START_UP - timedelta(seconds=20))
    assert fail_dead_runs(instance, home) == []
    assert status_of(instance, run_id) == status
    age(tmp_path, run_id, START_UP + timedelta(seconds=1))
    assert fail_dead_runs(instance, home) == [run_id]
    assert status_of(instance, run_id) == Status.FAILURE


@pytest.fixture(params=["Asia/Tokyo", "America/New_York"])
def _elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's clock is set to another zone."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_elsewhere")
def test_the_time_to_start_does_not_depend_on_the_machines_zone(
    instance: DagsterInstance, home: Home, tmp_path: Path
) -> None:
    run_id = start_run(instance, Status.STARTING)
    assert fail_dead_runs(instance, home) == []
    age(tmp_path, run_id, START_UP + timedelta(seconds=1))
    assert fail_dead_runs(instance, home) == [run_id]


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.FAILURE, Status.CANCELED])
def test_a_run_that_has_finished_is_not_judged(
    instance: DagsterInstance, home: Home, tmp_path: Path, status: DagsterRunStatus
) -> None:
    run_id = start_run(instance, status)
    age(tmp_path, run_id, timedelta(hours=5))
    assert fail_dead_runs(instance, home) == []
    assert status_of(instance, run_id) == status


def test_a_young_run_is_left_while_the_dead_one_before_it_is_failed(instance: DagsterInstance, home: Home) -> None:
    dead, young = start_run(instance), start_run(instance, Status.STARTING)
    with lock_held_by(dead, home.lock_file) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert fail_dead_runs(instance, home) == [dead]
    assert status_of(instance, young) == Status.STARTING


def test_a_run_that_gave_the_home_back_is_given_time_to_say_how_it_ended(
    instance: DagsterInstance, home: Home, tmp_path: Path
) -> None:
    ending = start_run(instance)
    with WriterLock(home.lock_file) as lock:
        lock.acquire(ending)
    assert fail_dead_runs(instance, home) == []
    assert status_of(instance, ending) == Status.STARTED
    age(tmp_path, ending, START_UP + timedelta(seconds=1))
    assert fail_dead_runs(instance, home) == [ending]


def test_a_run_that_ends_between_the_look_and_the_lock_keeps_its_end(
    instance: DagsterInstance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = start_run(instance)
    running = WriterLock(home.lock_file)
    running.acquire(ending)
    acquire = WriterLock.acquire

    def acquire_after_the_end(lock: WriterLock, holder: str, *, wait_seconds: float = 0) -> None:
        running.release()
        success = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, job_name="daily_refresh")
        instance.report_dagster_event(success, ending)
        acquire(lock, holder, wait_seconds=wait_seconds)

    monkeypatch.setattr(WriterLock, "acquire", acquire_after_the_end)
    assert fail_dead_runs(instance, home) == []
    assert status_of(instance, ending) == Status.SUCCESS


def test_the_failure_says_what_happened(instance: DagsterInstance, home: Home, tmp_path: Path) -> None:
    run_id = start_run(instance)
    age(tmp_path, run_id, timedelta(hours=1))
    fail_dead_runs(instance, home)
    told = [record.message for record in instance.all_logs(run_id)]
    assert any("The process of this run died without finishing it" in message for message in told)


def test_the_home_is_free_after_the_judgement_and_still_names_its_last_holder(
    instance: DagsterInstance, home: Home
) -> None:
    start_run(instance)
    with WriterLock(home.lock_file) as lock:
        lock.acquire("run-0")
    assert fail_dead_runs(instance, home) == []
    with WriterLock(home.lock_file) as free:
        assert free.last_holder() == "run-0"
        free.acquire("run-1")


def test_without_unfinished_runs_the_lock_is_not_touched(instance: DagsterInstance, home: Home) -> None:
    assert fail_dead_runs(instance, home) == []
    assert not home.lock_file.exists()
