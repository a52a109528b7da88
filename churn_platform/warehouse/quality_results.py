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
    written = {"run_id": run_id, "table_name": result.table}
    found = result.results
    columns = {
        "expectation": [rule.name for rule in found],
        "severity": [rule.severity for rule in found],
        "status": [rule.status for rule in found],
        "observed": [rule.observed or rule.reason for rule in found],
        "failing_rows": [rule.failing_rows for rule in found],
    }
    moment = {"checked_at": checked_at.astimezone(UTC).replace(tzinfo=None)}
    connection.begin()
    try:
        connection.execute(CREATE)
        connection.execute(
            "DELETE FROM quality_results"
            " WHERE run_id = $run_id AND table_name = $table_name AND expectation IN (SELECT unnest($expectation))",
            written | {"expectation": columns["expectation"]},
        )
        connection.execute(
            "INSERT INTO quality_results SELECT $run_id, $table_name, unnest($expectation), unnest($severity),"
            " unnest($status), unnest($observed), unnest($failing_rows), $checked_at",
            written | columns | moment,
        )
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
