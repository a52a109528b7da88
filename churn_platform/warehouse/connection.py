"""Connections to DuckDB files, all opened the same way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from churn_platform.extensions import connect_offline


@contextmanager
def open_database(file: Path | str, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB file (or ':memory:') without the network and close it again, also after an error."""
    with connect_offline(file, read_only=read_only) as connection:
        yield connection


def table_exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether the schema `main` of the open file has a table of that name."""
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables()"
        " WHERE database_name = current_database() AND schema_name = 'main' AND table_name = $table",
        {"table": table},
    ).fetchone()
    return found is not None
