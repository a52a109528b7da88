"""How far a reading has come, told from beside it."""

import glob
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

from churn_platform.lake.source_file import CONTAINERS, FileFacts

REPORT_SECONDS = 0.5

# Rows read so far, and rows to read.
Report = Callable[[int, int], None]


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection, facts: FileFacts, report: Report | None) -> Iterator[None]:
    """Call `report` about twice a second from another thread with estimates of how far the connection's query is."""
    if report is None:
        yield
        return
    done, records = threading.Event(), _expected_records(connection, facts)

    def watch() -> None:
        while not done.wait(REPORT_SECONDS):
            report(int(records * max(0.0, connection.query_progress()) / 100), records)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _expected_records(connection: duckdb.DuckDBPyConnection, facts: FileFacts) -> int:
    if facts.kind not in CONTAINERS:
        return facts.lines
    if facts.kind == "xlsx":
        return int(connection.execute("SELECT count(*) FROM records").fetchall()[0][0])
    connection.execute("SET VARIABLE file = ?", [glob.escape(str(facts.path))])
    rows = connection.execute("SELECT sum(num_rows) FROM parquet_file_metadata(getvariable('file'))").fetchall()
    return int(rows[0][0])
