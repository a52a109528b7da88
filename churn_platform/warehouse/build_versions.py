"""Which code, settings and files each partition of an incremental table was built from, and how long that took."""

from collections.abc import Collection, Mapping

import duckdb

_CREATE = """
CREATE TABLE IF NOT EXISTS build_versions (
    table_name VARCHAR, partition_key VARCHAR, version VARCHAR, PRIMARY KEY (table_name, partition_key)
);
ALTER TABLE build_versions ADD COLUMN IF NOT EXISTS seconds DOUBLE;
"""


def built_versions(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Partition key → version of what is published of `table`."""
    connection.execute(_CREATE)
    rows = connection.execute(
        "SELECT partition_key, version FROM build_versions WHERE table_name = $table", {"table": table}
    )
    return dict(rows.fetchall())


def record_versions(
    connection: duckdb.DuckDBPyConnection, table: str, versions: Mapping[str, str], *, seconds: float | None = None
) -> None:
    """Note the versions of partitions that have just been published; `seconds` is what building each took."""
    connection.execute(_CREATE)
    connection.execute(
        "INSERT OR REPLACE INTO build_versions SELECT $table, unnest($keys), unnest($versions), $seconds",
        {"table": table, "keys": list(versions.keys()), "versions": list(versions.values()), "seconds": seconds},
    )


def mean_seconds(connection: duckdb.DuckDBPyConnection, table: str) -> float | None:
    """The mean time that building a partition took; None where none was measured."""
    connection.execute(_CREATE)
    rows = connection.execute("SELECT avg(seconds) FROM build_versions WHERE table_name = $table", {"table": table})
    found: float | None = rows.fetchall()[0][0]
    return found


def forget_versions(connection: duckdb.DuckDBPyConnection, table: str, keys: Collection[str]) -> None:
    """Drop the notes of partitions that hold no rows any more."""
    connection.execute(_CREATE)
    connection.execute(
        "DELETE FROM build_versions WHERE table_name = $table AND list_contains($keys, partition_key)",
        {"table": table, "keys": list(keys)},
    )


def outdated(wanted: Mapping[str, str], built: Mapping[str, str]) -> list[str]:
    """Keys of `wanted` that are not built, or were built from something else; in order."""
    return sorted(key for key, version in wanted.items() if built.get(key) != version)
