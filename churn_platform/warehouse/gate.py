"""Write, audit, publish: the one way in which a table of the warehouse changes. No bad row is ever visible."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.duckdb_execution import Verdict, run_suite
from churn_platform.contracts.expectations import suite
from churn_platform.contracts.quoting import quoted, quoted_list
from churn_platform.contracts.results import GateResult, RuleResult
from churn_platform.contracts.rules import Rule, Scope, derive_rules
from churn_platform.errors import DefinitionError, UsageError
from churn_platform.warehouse.failing_rows import (
    Failing,
    quarantine_file,
    write_failing_rows,
)
from churn_platform.warehouse.partition import Partition
from churn_platform.warehouse.quality_results import record_results

__all__ = ["GateResult", "Partition", "RuleResult", "create_table", "write_audit_publish"]

Build = Callable[[duckdb.DuckDBPyConnection, str], object]


def write_audit_publish(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    build: Build,
    *,
    run_id: str,
    quarantine: Path,
    partition: Partition | None = None,
    checked_at: datetime,
) -> GateResult:
    """Build a table aside, check it against its contract, and publish it only if every critical rule passes.

    `build(connection, name)` creates the table `name`; columns may come in any order and are published in the
    contract's. Without a partition the whole table is replaced; with one (incremental tables only), the rows of its
    range, which is the whole table where no row lies outside it. Either happens in one transaction, so a reader and a
    run after a crash see the old rows or the new ones.
    On a failure the published table stays and all failing rows are in `quarantine/gates/<table>/<run_id>.parquet`.
    Every result is written to `quality_results` of the same database. The connection must be in autocommit mode.

    Raises:
        DefinitionError: the built columns are not those of the contract, or the published table has other columns.
        UsageError: the partition does not fit the contract, or the run id or `checked_at` cannot be used.
    """
    _check_request(contract, run_id, partition, checked_at)
    _require_autocommit(connection)
    audit = f"{contract.table}__audit"
    connection.execute(f"DROP TABLE IF EXISTS {quoted(audit)}")
    began = time.monotonic()
    try:
        build(connection, audit)
        _require_autocommit(connection)
        _check_built_columns(connection, contract, audit)
        outside = partition.outside if partition else None
        _adapt_published(connection, contract)
        scope = Scope(quoted(audit), _kept_rows(connection, contract, partition), outside)
        built = time.monotonic()
        result = _audit(connection, contract, audit, scope, quarantine_file(quarantine, contract.table, run_id))
        result = replace(result, build_seconds=built - began, audit_seconds=time.monotonic() - built)
        record_results(connection, result, run_id=run_id, checked_at=checked_at)
        if result.passed:
            _publish(connection, contract, audit, partition if scope.kept else None)
        return result
    finally:
        with suppress(duckdb.TransactionException):  # a build that raised may have left its own transaction open
            connection.rollback()
        connection.execute(f"DROP TABLE IF EXISTS {quoted(audit)}")


def create_table(connection: duckdb.DuckDBPyConnection, contract: Contract, name: str) -> None:
    """Create the empty table `name` with the columns and types of a contract."""
    columns = ", ".join(f"{quoted(column)} {kind}" for column, kind in contract.types.items())
    connection.execute(f"CREATE TABLE {quoted(name)} ({columns})")


def table_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column → DuckDB type, in table order; empty where the current schema has no such table."""
    rows = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $table"
        " AND schema_name = current_schema() AND database_name = current_database() ORDER BY column_index",
        {"table": table},
    ).fetchall()
    return dict(rows)


def _check_request(contract: Contract, run_id: str, partition: Partition | None, checked_at: datetime) -> None:
    if not re.fullmatch(r"[\w-][\w.-]*", run_id):
        raise UsageError(f"The run id '{run_id}' names a file: use letters, digits, '_', '-' and '.' only.")
    if checked_at.tzinfo is None:
        raise UsageError(f"checked_at {checked_at} has no time zone: pass an aware time, such as datetime.now(UTC).")
    if partition and partition.column != contract.partition_column:
        expected = contract.partition_column or "none: it is a full table"
        raise UsageError(f"{contract.table} is partitioned by {expected}, not by {partition.column}.")


def _require_autocommit(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.begin()
    except duckdb.TransactionException as error:
        raise UsageError(
            "The connection has an open transaction that the audit cannot see; commit it first."
        ) from error
    connection.rollback()


def _check_built_columns(connection: duckdb.DuckDBPyConnection, contract: Contract, audit: str) -> None:
    built = table_columns(connection, audit)
    if not built:
        raise DefinitionError(f"The build of {contract.table} must create the table {audit}, even when it is empty.")
    differences = _differences(built, contract.types)
    if differences:
        raise DefinitionError(
            f"The build of {contract.table} and its contract ({contract.stage}/{contract.table}.yml) disagree: "
            f"{'; '.join(differences)}. Change the one that is wrong."
        )


def _differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    missing = [f"missing {name} {expected[name]}" for name in expected if name not in found]
    extra = [f"not in the contract: {name} {found[name]}" for name in found if name not in expected]
    other = [
        f"{name} is {found[name]}, expected {expected[name]}"
        for name in expected
        if name in found and found[name] != expected[name]
    ]
    return missing + extra + other


def _adapt_published(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Give the published rows the columns of a contract that has grown or shrunk: new ones are null in older rows."""
    published = table_columns(connection, contract.table)
    added = [column for column in contract.columns if published and column.name not in published]
    if not all(column.nullable for column in added):
        return
    with _transaction(connection):
        for column in added:
            connection.execute(f"ALTER TABLE {quoted(contract.table)} ADD COLUMN {quoted(column.name)} {column.type}")
        for name in published.keys() - set(contract.types):
            connection.execute(f"ALTER TABLE {quoted(contract.table)} DROP COLUMN {quoted(name)}")


def _kept_rows(connection: duckdb.DuckDBPyConnection, contract: Contract, partition: Partition | None) -> str | None:
    """SQL of the published rows outside the replaced range; None where there are none to keep."""
    published = table_columns(connection, contract.table)
    if partition is None or not published:
        return None
    kept = f"(SELECT * FROM {quoted(contract.table)} WHERE {partition.outside})"
    if not connection.execute(f"SELECT 1 FROM {kept} LIMIT 1").fetchall():
        return None
    differences = _differences(published, contract.types)
    if differences:
        raise DefinitionError(
            f"The published {contract.table} has other columns than its contract: {'; '.join(differences)}. "
            "Its older rows cannot be carried over: make the new columns nullable, or drop the table from "
            "warehouse.duckdb and run full_refresh, which builds again all but past scores and lists."
        )
    return kept


def _audit(
    connection: duckdb.DuckDBPyConnection, contract: Contract, audit: str, scope: Scope, file: Path
) -> GateResult:
    rules = derive_rules(contract)
    unknown = {rule.name: Verdict("not_run", "it gave no result") for rule in rules}
    verdicts = unknown | run_suite(connection, audit, suite(contract, rules, scope))
    row_count = _count(connection, audit)
    failed = [rule for rule in rules if verdicts[rule.name].status == "failed"]
    failing = write_failing_rows(connection, failed, scope, contract.grain, file)
    results = [_rule_result(rule, verdicts[rule.name], row_count, failing.get(rule.name)) for rule in rules]
    return GateResult(contract.table, results, row_count, file if failing else None)


def _rule_result(rule: Rule, verdict: Verdict, row_count: int, failing: Failing | None) -> RuleResult:
    status = verdict.status
    if status == "not_run":
        reason = f"Great Expectations could not evaluate it: {verdict.reason}"
        return RuleResult(rule.name, rule.severity, status, reason=reason)
    if rule.kind == "not_empty":
        reason = "" if status == "passed" else "the table is empty"
        return RuleResult(rule.name, rule.severity, status, f"{row_count} rows", reason=reason)
    if failing is None:
        return RuleResult(rule.name, rule.severity, status, f"0 of {row_count} rows")
    return RuleResult(
        name=rule.name,
        severity=rule.severity,
        status=status,
        observed=f"{failing.rows} of {row_count} rows",
        failing_rows=failing.rows,
        failing_keys=failing.keys,
        query=failing.query,
        reason=f"{failing.rows} of {row_count} rows break the rule '{rule.description}'",
    )


def _publish(
    connection: duckdb.DuckDBPyConnection, contract: Contract, audit: str, partition: Partition | None
) -> None:
    published = table_columns(connection, contract.table)
    with _transaction(connection):
        if partition and not _differences(published, contract.types):
            _replace_partition(connection, contract, audit, partition)
        elif list(table_columns(connection, audit)) == contract.column_names:
            connection.execute(f"DROP TABLE IF EXISTS {quoted(contract.table)}")
            connection.execute(f"ALTER TABLE {quoted(audit)} RENAME TO {quoted(contract.table)}")
        else:
            columns = quoted_list(contract.column_names)
            connection.execute(
                f"CREATE OR REPLACE TABLE {quoted(contract.table)} AS SELECT {columns} FROM {quoted(audit)}"
            )


def _replace_partition(
    connection: duckdb.DuckDBPyConnection, contract: Contract, audit: str, partition: Partition
) -> None:
    columns = quoted_list(contract.column_names)
    connection.execute(f"DELETE FROM {quoted(contract.table)} WHERE {partition.inside}")
    connection.execute(f"INSERT INTO {quoted(contract.table)} ({columns}) SELECT {columns} FROM {quoted(audit)}")
    connection.execute(f"DROP TABLE {quoted(audit)}")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    rows = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()
    return int(rows[0][0])


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
