"""Runs whose process was killed: Dagster still counts them as running; without the home's lock they are not."""

from datetime import UTC, datetime, timedelta

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter

from churn_platform.errors import HomeBusy
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock

UNFINISHED = [
    DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING,
]  # fmt: skip
# A run that has just been started loads the definitions before it takes the lock.
START_UP = timedelta(minutes=2)


def fail_dead_runs(instance: DagsterInstance, home: Home) -> list[str]:
    """Mark as failed every unfinished run whose process holds the home no more; return their ids.

    While a process holds the lock nothing is judged. A run that never took the lock is given two minutes to start.
    """
    records = instance.get_run_records(RunsFilter(statuses=UNFINISHED))
    if not records:
        return []
    lock = WriterLock(home.lock_file)
    last_holder = lock.last_holder()
    try:
        lock.acquire(last_holder or "recovery")
    except HomeBusy:
        return []
    with lock:
        dead = [record.dagster_run for record in records if _is_dead(record, last_holder)]
        for run in dead:
            instance.report_run_failed(
                run, "The process of this run died without finishing it; nothing half-written is visible."
            )
    return [run.run_id for run in dead]


def _is_dead(record: RunRecord, last_holder: str | None) -> bool:
    return (
        record.dagster_run.run_id == last_holder
        or datetime.now(UTC) - record.update_timestamp.replace(tzinfo=UTC) > START_UP
    )
