"""The history of all gate results, in the warehouse itself: one row per run, table and expectation."""

from datetime import UTC, datetime

import duckdb

from churn_platform.contracts.results import GateResult

CREATE = """
CREATE TABLE IF NOT EXISTS quality_results (
    run_id VARCHAR, table_name VARCHAR, expectation VARCHAR, severity VARCHAR, status VARCHAR,
    observed VARCHAR, failing_rows BIGINT, checked_at TIMESTAMP
)"""


def record_results(
    connection: duckdb.DuckDBPyConnection, result: GateResult, *, run_id: str, checked_at: datetime
) -> None:
    """Append every result in one transaction of its own; a later result of the same run, table and expectation wins.

    `checked_at` must be an aware time; it is stored in UTC.
    """
    moment = checked_at.astimezone(UTC).replace(tzinfo=None)
    connection.begin()
    try:
        connection.execute(CREATE)
        for found in result.results:
            key = {"run_id": run_id, "table_name": result.table, "expectation": found.name}
            connection.execute(
                "DELETE FROM quality_results"
                " WHERE run_id = $run_id AND table_name = $table_name AND expectation = $expectation",
                key,
            )
            connection.execute(
                "INSERT INTO quality_results VALUES"
                " ($run_id, $table_name, $expectation, $severity, $status, $observed, $failing_rows, $checked_at)",
                key
                | {
                    "severity": found.severity,
                    "status": found.status,
                    "observed": found.observed or found.reason,
                    "failing_rows": found.failing_rows,
                    "checked_at": moment,
                },
            )
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
