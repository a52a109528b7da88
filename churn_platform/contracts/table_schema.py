"""A contract and its gate's results as Dagster sees them."""

import dagster as dg

from churn_platform.contracts.contract import Column, Contract
from churn_platform.contracts.results import GateResult, RuleResult
from churn_platform.contracts.rules import Rule, derive_rules


def dagster_table_schema(contract: Contract) -> dg.TableSchema:
    """The columns with their types, meanings and constraints, for the metadata `dagster/column_schema`."""
    rules = derive_rules(contract)
    return dg.TableSchema(
        columns=[_table_column(contract, column, rules) for column in contract.columns],
        constraints=dg.TableConstraints([rule.description for rule in rules if len(rule.columns) != 1]),
    )


def check_specs(contract: Contract, asset_key: dg.AssetKey | str) -> list[dg.AssetCheckSpec]:
    """One check per rule, evaluated inside the asset's own step; a critical one blocks what is downstream."""
    return [
        dg.AssetCheckSpec(
            rule.name, asset=asset_key, description=rule.description, blocking=rule.severity == "critical"
        )
        for rule in derive_rules(contract)
    ]


def check_results(result: GateResult, asset_key: dg.AssetKey | str) -> list[dg.AssetCheckResult]:
    """One Dagster result per rule; a rule that could not run counts as failed and says why.

    Yield them all, then raise `dg.Failure` if `result.passed` is false.
    """
    return [_check_result(found, asset_key) for found in result.results]


def refused_checks(result: GateResult, asset_key: dg.AssetKey | str) -> list[dg.AssetCheckEvaluation]:
    """The results of a refused table, as evaluations that name no materialisation.

    Of an AssetCheckResult Dagster makes the day's own last materialisation the target, and then shows the check as 'Not
    evaluated' unless that is the newest of the whole table: a refused older day would look as if nothing had happened.
    """
    return [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey.from_coercible(asset_key),
            check_name=str(found.check_name),
            passed=found.passed,
            metadata=found.metadata,
            severity=found.severity,
            description=found.description,
        )
        for found in check_results(result, asset_key)
    ]


def _check_result(found: RuleResult, asset_key: dg.AssetKey | str) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue] = {
        "status": dg.MetadataValue.text(found.status),
        "severity": dg.MetadataValue.text(found.severity),
        "observed": dg.MetadataValue.text(found.observed),
        "failing_rows": dg.MetadataValue.int(found.failing_rows),
    }
    if found.failing_keys:
        metadata["failing_keys"] = dg.MetadataValue.table(
            records=[dg.TableRecord(key) for key in found.failing_keys],
            schema=dg.TableSchema([dg.TableColumn(name) for name in found.failing_keys[0]]),
        )
    if found.query:
        metadata["query"] = dg.MetadataValue.text(found.query)
    return dg.AssetCheckResult(
        passed=found.status == "passed",
        asset_key=asset_key,
        check_name=found.name,
        severity=dg.AssetCheckSeverity.ERROR if found.severity == "critical" else dg.AssetCheckSeverity.WARN,
        description=found.reason or None,
        metadata=metadata,
    )


def _table_column(contract: Contract, column: Column, rules: list[Rule]) -> dg.TableColumn:
    own = [rule for rule in rules if rule.columns == (column.name,)]
    return dg.TableColumn(
        name=column.name,
        type=column.type,
        description=column.meaning + (f" ({column.unit})" if column.unit else ""),
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable,
            unique=column.unique or contract.grain == [column.name],
            other=[rule.description for rule in own if rule.kind not in ("not_null", "unique")],
        ),
    )
