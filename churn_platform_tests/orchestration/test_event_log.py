"""The event log stores what belongs together in one transaction, in Dagster's own tables."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from dagster import AssetKey, AssetMaterialization, EventLogEntry
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

from churn_platform.orchestration.event_log import PooledEventLogStorage

RUN = "11111111-2222-3333-4444-555555555555"
DAYS = [f"2026-01-{day:02}" for day in range(1, 21)]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[PooledEventLogStorage]:
    opened = PooledEventLogStorage(str(tmp_path))
    yield opened
    opened.dispose()


def materialised(days: Sequence[str]) -> list[EventLogEntry]:
    """An event per day, as a step over these partitions tells them."""
    return [
        EventLogEntry(
            error_info=None,
            level=20,
            user_message="",
            run_id=RUN,
            timestamp=time.time(),
            step_key="user_days",
            job_name="full_refresh",
            dagster_event=DagsterEvent(
                event_type_value="ASSET_MATERIALIZATION",
                job_name="full_refresh",
                step_key="user_days",
                event_specific_data=StepMaterializationData(
                    AssetMaterialization(AssetKey("user_days"), partition=day), []
                ),
            ),
        )
        for day in days
    ]


def told_days(storage: SqliteEventLogStorage) -> set[str]:
    return set(storage.get_materialized_partitions(AssetKey("user_days")))


def test_a_batch_is_stored_as_single_events_are(storage: PooledEventLogStorage, tmp_path: Path) -> None:
    storage.store_event_batch(materialised(DAYS))

    assert told_days(storage) == set(DAYS)
    assert len(storage.get_logs_for_run(RUN)) == len(DAYS)
    assert told_days(SqliteEventLogStorage(str(tmp_path))) == set(DAYS), "Dagster's own class reads the same"


def test_a_batch_that_fails_leaves_nothing(storage: PooledEventLogStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    store, stored = SqliteEventLogStorage.store_event, list[EventLogEntry]()

    def fails_at_the_fifth(self: SqliteEventLogStorage, event: EventLogEntry) -> None:
        if len(stored) == 4:
            raise sqlite3.OperationalError("disk I/O error")
        stored.append(event)
        store(self, event)

    monkeypatch.setattr(SqliteEventLogStorage, "store_event", fails_at_the_fifth)
    with pytest.raises(sqlite3.OperationalError):
        storage.store_event_batch(materialised(DAYS))

    assert told_days(storage) == set()
    assert list(storage.get_logs_for_run(RUN)) == []
    monkeypatch.undo()
    for event in materialised(DAYS[:2]):
        storage.store_event(event)
    assert told_days(storage) == set(DAYS[:2])


def test_tables_are_found_once_they_are_there(storage: PooledEventLogStorage) -> None:
    assert not storage.has_table("coupons")

    with storage.index_connection() as connection:
        connection.exec_driver_sql("CREATE TABLE coupons (code TEXT)")

    assert storage.has_table("coupons")
