"""The usual mapping and arrival of the lake's tests, and what a lake holds."""

from collections.abc import Mapping as MappingType
from datetime import UTC, datetime

import duckdb

from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.settings import Home

ARRIVED = datetime(2024, 6, 1, 4, 0, tzinfo=UTC)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, *, second: int = 0) -> datetime:
    """A time as DuckDB's TIMESTAMP gives it."""
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - it has no zone


def mapping_of(columns: MappingType[str, str] | None = None, /, **source: object) -> Mapping:
    """A mapping of the columns `user, time, type, qty, price`, changed as given."""
    usual = {"user_id": "user", "event_time": "time", "event_type": "type", "quantity": "qty", "unit_price": "price"}
    return Mapping.model_validate(
        {"source": {"name": "shop", "max_rejected_share": 0.5, **source}, "columns": columns or usual}
    )


def events(home: Home, columns: str = "*") -> list[tuple[object, ...]]:
    """The committed events, in the order of their files and rows."""
    with duckdb.connect() as connection:
        create_raw_events_view(connection, Ledger(home).fragments())
        query = f"SELECT {columns} FROM raw_events ORDER BY source_file, source_row"
        return connection.sql(query).fetchall()


def quarantined(home: Home, fingerprint: str) -> list[tuple[object, ...]]:
    """source_row, reason, detail, original of a file's quarantined rows, by row."""
    path = home.quarantine / "files" / f"{fingerprint}.parquet"
    with duckdb.connect() as connection:
        query = "SELECT source_row, reason, detail, original FROM read_parquet(?) ORDER BY source_row"
        return connection.execute(query, [str(path)]).fetchall()
