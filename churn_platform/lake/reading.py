"""The DuckDB that reads a user's file: bounded in memory, and its failures are told of that file."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from churn_platform.errors import InputError
from churn_platform.extensions import connect_offline
from churn_platform.lake.source_file import FileFacts

MEMORY_LIMIT = "2GB"
OPEN_FILES = 4096


@contextmanager
def reading(facts: FileFacts, spill: Path, memory_limit: str = MEMORY_LIMIT) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB without extensions that spills into a folder of the home.

    Raises:
        InputError: DuckDB cannot read the file.
    """
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings = {
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "partitioned_write_max_open_files": str(min(OPEN_FILES, soft_limit // 2)),
    }
    with connect_offline(settings=settings) as connection:
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        try:
            yield connection
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            if "No space left" in str(error):
                raise
            raise InputError(
                f"{facts.path.name} cannot be read as {facts.kind}: {str(error).splitlines()[0]} "
                "The file is damaged or mixes line ends, quotes or types. Export it again."
            ) from error
