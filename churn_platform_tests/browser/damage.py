"""Damage to one fragment of the lake, such as a bug upstream or a bad disk would do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import duckdb

from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home

BAD_EVENT = "an-event-of-nobody"


@contextmanager
def row_without_user(home: Home, day: date) -> Iterator[None]:
    """Inside: the committed fragment of an arrival day holds a row more, with a null user_id. Afterwards: as it was."""
    fragment = Ledger(home).fragments(day, day)[0]
    original = fragment.read_bytes()
    damaged = fragment.with_suffix(".damaged")
    with duckdb.connect() as connection:
        connection.execute("SET VARIABLE fragment = ?", [str(fragment)])
        connection.execute("SET VARIABLE damaged = ?", [str(damaged)])
        connection.execute("SET VARIABLE bad_event = ?", [BAD_EVENT])
        connection.execute(
            """
            CREATE TEMP TABLE rows AS FROM read_parquet(getvariable('fragment'), hive_partitioning = false);
            INSERT INTO rows SELECT * REPLACE (NULL AS user_id, getvariable('bad_event') AS event_id, -1 AS source_row)
            FROM rows LIMIT 1;
            COPY rows TO (getvariable('damaged')) (FORMAT parquet)
            """
        )
    damaged.replace(fragment)
    try:
        yield
    finally:
        fragment.write_bytes(original)


def content(home: Home, table: str) -> tuple[int, int]:
    """Row count and content hash of a warehouse table, read-only, while no run is writing."""
    with duckdb.connect(str(home.warehouse_file), read_only=True) as connection:
        rows = connection.table(table)
        found = rows.aggregate(f"count(*), coalesce(bit_xor(hash({table})), 0)").fetchall()[0]
    return int(found[0]), int(found[1])
