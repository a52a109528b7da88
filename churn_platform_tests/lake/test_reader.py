"""raw_events: the same columns and types, with and without fragments."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb

from churn_platform.lake.canonical import CANONICAL_TYPES
from churn_platform.lake.ingest import FileReport
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.settings import Home

ROWS = "user,time,type,qty,price\nu,2024-03-01,view,,\nu,2024-03-05,view,,\n"


def described(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in connection.execute("DESCRIBE raw_events").fetchall()]


def test_an_empty_lake_has_the_columns_and_types_of_a_full_one(
    write: Callable[[str, str], Path], land: Callable[..., FileReport], home: Home
) -> None:
    land(write("a.csv", ROWS))
    with duckdb.connect() as connection:
        create_raw_events_view(connection, [])
        empty = described(connection)
        assert connection.execute("SELECT count(*) FROM raw_events").fetchall() == [(0,)]
        create_raw_events_view(connection, Ledger(home).fragments(first=date(2024, 3, 2)))
        assert described(connection) == empty == [*CANONICAL_TYPES.items(), ("known_date", "DATE")]
        assert connection.execute("SELECT known_date FROM raw_events").fetchall() == [(date(2024, 3, 5),)]


def test_fragments_without_a_ledger_line_are_not_read(
    write: Callable[[str, str], Path], land: Callable[..., FileReport], home: Home
) -> None:
    land(write("a.csv", ROWS))
    committed = Ledger(home).fragments()
    (committed[0].parent / "0123456789abcdef.parquet").write_bytes(committed[0].read_bytes())
    assert Ledger(home).fragments() == committed
