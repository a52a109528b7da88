"""Runs whose process was killed: Dagster still counts them as running; without the home's lock they are not."""

from datetime import UTC, datetime, timedelta

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter

from churn_platform.errors import HomeBusy
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock

UNFINISHED = [
    DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING,
]  # fmt: skip
# A run loads the definitions before it takes the lock, and records its end after it has given it back.
START_UP = timedelta(minutes=2)


def fail_dead_runs(instance: DagsterInstance, home: Home) -> list[str]:
    """Mark as failed every unfinished run whose process died with the home's lock; return their ids.

    While a process holds the lock nothing is judged. A run that never took the lock is given two minutes to start, and
    one that has given it back two minutes to say how it ended.
    """
    unfinished = RunsFilter(statuses=UNFINISHED)
    if not instance.get_runs_count(unfinished):
        return []
    lock = WriterLock(home.lock_file)
    try:
        lock.acquire(lock.last_holder() or "recovery")
    except HomeBusy:
        return []
    with lock:
        records = instance.get_run_records(unfinished)  # a run may have ended since they were counted
        dead = [record.dagster_run for record in records if _is_dead(record, lock.killed_holder)]
        for run in dead:
            instance.report_run_failed(
                run, "The process of this run died without finishing it; nothing half-written is visible."
            )
    return [run.run_id for run in dead]


def _is_dead(record: RunRecord, killed_holder: str | None) -> bool:
    return (
        record.dagster_run.run_id == killed_holder
        or datetime.now(UTC) - record.update_timestamp.replace(tzinfo=UTC) > START_UP
    )
