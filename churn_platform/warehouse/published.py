"""`published/churn.duckdb`, which analysts read: replaced whole, so a reader sees yesterday or today, never half."""

from pathlib import Path

import duckdb

from churn_platform.contracts.quoting import literal, quoted
from churn_platform.lake.journal import sync_to_disk
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.gate import create_table

PUBLISHED_TABLES = (
    "churn_scores",
    "churn_scores_latest",
    "user_profiles",
    "survival_forecast",
    "demand_forecast",
    "segment_traits",
    "segment_moves",
    "retention_campaign",
    "model_evaluation",
    "survival_evaluation",
    "model_evaluation_by_segment",
    "model_registry",
    "shadow_scores",
    "challenger_comparison",
    "data_readiness",
    "quality_results",
    "data_dictionary",
)

# Of these only the newest snapshots are published.
BY_SNAPSHOT = ("churn_scores", "shadow_scores")

# The oldest DuckDB client that opens the file.
STORAGE_VERSION = "v1.2.0"


def publish(connection: duckdb.DuckDBPyConnection, file: Path, *, snapshots: int) -> dict[str, int]:
    """Copy the published tables into a new file and rename it over the old one.

    Args:
        connection: the warehouse, open.
        file: the published file.
        snapshots: how many of the newest snapshots of churn_scores to keep, and the same of shadow_scores; older ones
            stay in the warehouse.

    Returns:
        Rows by table.
    """
    draft = file.with_name(f".{file.name}.draft")
    for leftover in (draft, draft.with_name(draft.name + ".wal")):
        leftover.unlink(missing_ok=True)
    connection.execute(f"ATTACH {literal(str(draft))} AS published (STORAGE_VERSION {literal(STORAGE_VERSION)})")
    for table in PUBLISHED_TABLES:
        if not table_exists(connection, table):  # no model has been evaluated yet: the ladder's lower rungs score
            create_table(connection, default_library().contract(table), table)
    try:
        rows = {table: _copy(connection, table, snapshots) for table in PUBLISHED_TABLES}
    finally:
        connection.execute("DETACH published")
    sync_to_disk(draft)
    draft.replace(file)
    sync_to_disk(file.parent)
    return rows


def _copy(connection: duckdb.DuckDBPyConnection, table: str, snapshots: int) -> int:
    newest = "(SELECT DISTINCT snapshot_date FROM churn_scores ORDER BY snapshot_date DESC LIMIT $snapshots)"
    limited = table in BY_SNAPSHOT
    where = f" WHERE snapshot_date IN {newest}" if limited else ""
    connection.execute(
        f"CREATE TABLE published.{quoted(table)} AS SELECT * FROM main.{quoted(table)}{where}",
        {"snapshots": snapshots} if limited else None,
    )
    counted = connection.execute(f"SELECT count(*) FROM published.{quoted(table)}").fetchall()
    return int(counted[0][0])
