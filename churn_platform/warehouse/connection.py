"""Connections to DuckDB files, all opened the same way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb


@contextmanager
def open_database(file: Path | str, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB file (or ':memory:') and close it again, also after an error.

    Extensions are never downloaded or loaded on their own: a run must not depend on the network.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    connection = duckdb.connect(str(file), read_only=read_only, config=config)
    try:
        yield connection
    finally:
        connection.close()


def table_exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether the schema `main` of the open file has a table of that name."""
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables()"
        " WHERE database_name = current_database() AND schema_name = 'main' AND table_name = $table",
        {"table": table},
    ).fetchone()
    return found is not None
