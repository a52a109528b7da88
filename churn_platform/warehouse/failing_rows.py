"""The rows that a gate refused, kept in the quarantine."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from churn_platform.contracts.quoting import literal, quoted_list
from churn_platform.contracts.results import KeyValue
from churn_platform.contracts.rules import Rule, Scope

SHOWN_KEYS = 20


@dataclass(frozen=True)
class Failing:
    """The failing rows of one rule: how many, the grain columns of the first 20, and the query that finds them all."""

    rows: int
    keys: list[dict[str, KeyValue]]
    query: str


def quarantine_file(quarantine: Path, table: str, run_id: str) -> Path:
    """Where the failing rows of a table in a run lie."""
    return quarantine / "gates" / table / f"{run_id}.parquet"


def write_failing_rows(
    connection: duckdb.DuckDBPyConnection, failed: Sequence[Rule], scope: Scope, grain: Sequence[str], file: Path
) -> dict[str, Failing]:
    """Write all columns of all rows that break the failed rules, with `failed_expectation`, and describe them by rule.

    A row that breaks two rules stands there twice. The file appears whole or not at all. A rule without rows of its own
    (an empty table) gives no entry, and no file is written for it alone.
    """
    rules = [rule for rule in failed if rule.kind != "not_empty"]
    if not rules:
        return {}
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    selects = [
        f"SELECT *, $rule_{number} AS failed_expectation FROM ({rule.bad_rows_sql(scope)}) AS bad_{number}"
        for number, rule in enumerate(rules)
    ]
    names: dict[str, str] = {f"rule_{number}": rule.name for number, rule in enumerate(rules)}
    connection.execute(
        f"COPY ({' UNION ALL '.join(selects)}) TO $file (FORMAT parquet)", names | {"file": str(partial)}
    )
    partial.replace(file)
    return {rule.name: _describe(connection, file, rule.name, grain) for rule in rules}


def _describe(connection: duckdb.DuckDBPyConnection, file: Path, rule: str, grain: Sequence[str]) -> Failing:
    parameters: dict[str, str | int] = {"file": glob.escape(str(file)), "rule": rule}
    counted = connection.execute(
        "SELECT count(*) FROM read_parquet($file) WHERE failed_expectation = $rule", parameters
    ).fetchall()
    keys = connection.execute(
        f"SELECT DISTINCT {quoted_list(grain)} FROM read_parquet($file) WHERE failed_expectation = $rule"
        " ORDER BY ALL LIMIT $shown",
        parameters | {"shown": SHOWN_KEYS},
    ).fetchall()
    query = f"SELECT * FROM read_parquet({literal(glob.escape(str(file)))}) WHERE failed_expectation = {literal(rule)}"
    return Failing(int(counted[0][0]), [_printable(grain, key) for key in keys], query)


def _printable(names: Sequence[str], values: Sequence[object]) -> dict[str, KeyValue]:
    return {
        name: value if value is None or isinstance(value, str | int | float | bool) else str(value)
        for name, value in zip(names, values, strict=True)
    }
