"""Dagster's event log in SQLite, with connections that stay open.

Dagster 1.13.27 opens a new engine for every event, and SQLite checkpoints its journal whenever the last connection
closes. A history load writes an event per arrival day and asset: 212 days of three assets took 48 s that way, and 13 s
with this class on the same busy machine. Nor does Dagster's storage in SQLite write the events of an asset's partitions
together, though they are handed over so. Drop this class when it does both.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from dagster import EventLogEntry, Field, StringSource
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

from churn_platform.settings import Home, environment

# The index and the run at work; a reader of many runs (the UI) reopens older ones.
OPEN_DATABASES = 8
EVENTS_AT_ONCE = 1_000


class PooledEventLogStorage(SqliteEventLogStorage):
    """The same files and tables in `CHURN_HOME/dagster/history/runs`, so that either class reads the other's."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._tables: set[str] = set()
        self._batch: _Batch | None = None
        # Dagster collects the events of an asset's partitions only where this is set
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_AT_ONCE))
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        home = Home(environment().shop_home())
        return cls(config_value.get("base_dir", str(home.dagster / "history" / "runs")), inst_data)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store all events in a transaction per database, none after an error; Dagster then stores them one by one."""
        with self._db_lock, _Batch() as batch:
            self._batch = batch
            try:
                super().store_event_batch(events)
            finally:
                self._batch = None

    def has_table(self, table_name: str) -> bool:
        """Whether the index has the table; Dagster asks, on a connection of its own, for every event and check."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if self._batch and self._batch.thread == threading.get_ident():
            yield self._batch.connection(shard, self._engine(shard))
            return
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        """The open database of a shard, with Dagster's tables; the caller holds the lock."""
        if shard not in self._engines:
            self._engines[shard] = create_engine(
                self.conn_string_for_shard(shard),
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
            event.listen(self._engines[shard], "connect", _no_sync_per_commit)
        self._engines.move_to_end(shard)
        while len(self._engines) > OPEN_DATABASES:
            _, oldest = self._engines.popitem(last=False)
            oldest.dispose()
        if shard not in self._initialized_dbs:
            self._initdb(self._engines[shard])
            self._initialized_dbs.add(shard)
        return self._engines[shard]

    def dispose(self) -> None:
        """Close every connection."""
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()
        super().dispose()


class _Batch(ExitStack):
    """A transaction per shard for events of one thread, all committed together at the end of its `with`."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()
        self._connections: dict[str, Connection] = {}

    def connection(self, shard: str, engine: Engine) -> Connection:
        if shard not in self._connections:
            self._connections[shard] = self.enter_context(engine.begin())
        return self._connections[shard]


def _no_sync_per_commit(connection: Any, _: Any) -> None:
    """In WAL mode a kill loses nothing so; a power cut may lose the newest events, never the file."""
    connection.execute("PRAGMA synchronous = NORMAL")
