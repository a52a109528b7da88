"""Dagster's event log in SQLite, with connections that stay open.

Dagster 1.13.27 opens a new engine for every event, and SQLite checkpoints its journal whenever the last connection
closes. A history load writes an event per arrival day and asset: 212 days of three assets took 48 s that way, and 13 s
with this class on the same busy machine. Drop it when Dagster keeps its own connections open.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from dagster import Field, StringSource
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

from churn_platform.settings import Home, environment

# The index and the run at work; a reader of many runs (the UI) reopens older ones.
OPEN_DATABASES = 8


class PooledEventLogStorage(SqliteEventLogStorage):
    """The same files and tables in `CHURN_HOME/dagster/history/runs`, so that either class reads the other's."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        home = Home(environment().shop_home())
        return cls(config_value.get("base_dir", str(home.dagster / "history" / "runs")), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
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
        return self._engines[shard]

    def dispose(self) -> None:
        """Close every connection."""
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()
        super().dispose()


def _no_sync_per_commit(connection: Any, _: Any) -> None:
    """In WAL mode a kill loses nothing so; a power cut may lose the newest events, never the file."""
    connection.execute("PRAGMA synchronous = NORMAL")
