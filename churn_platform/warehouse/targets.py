"""A candidate's targets, judged by Great Expectations on model_evaluation and kept among the other quality results."""

from datetime import datetime

import duckdb

from churn_platform.contracts.duckdb_execution import run_suite
from churn_platform.contracts.expectations import suite
from churn_platform.contracts.results import GateResult, RuleResult
from churn_platform.contracts.rules import Scope
from churn_platform.contracts.targets import EVALUATION, Target
from churn_platform.core.acceptance import Verdict
from churn_platform.sql.library import default_library
from churn_platform.warehouse.quality_results import record_results


def judge_targets(
    connection: duckdb.DuckDBPyConnection, targets: list[Target], *, run_id: str, checked_at: datetime
) -> list[Verdict]:
    """One verdict per target, in order; what was not measured, or could not be evaluated, misses its target.

    Every result is written to `quality_results` under the table model_evaluation. The connection must be in autocommit
    mode, and `checked_at` an aware time.
    """
    contract, rules = default_library().contract(EVALUATION), [target.rule for target in targets]
    said = run_suite(connection, EVALUATION, suite(contract, rules, Scope(EVALUATION)))
    verdicts, results = [], []
    for target in targets:
        name, found = target.rule.name, said[target.rule.name]
        shown = connection.execute(target.observed_sql).fetchall()[0][1]
        observed = found.reason or shown or target.unmeasured
        missed = 1 if found.status == "failed" else 0
        verdicts.append(Verdict(name, observed, target.required, met=found.status == "passed"))
        results.append(RuleResult(name, "critical", found.status, observed, missed, reason=found.reason))
    rows = connection.table(EVALUATION).count("*").fetchall()[0][0]
    record_results(connection, GateResult(EVALUATION, results, rows), run_id=run_id, checked_at=checked_at)
    return verdicts
