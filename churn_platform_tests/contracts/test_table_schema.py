from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import dagster as dg

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.results import GateResult, RuleResult, not_run
from churn_platform.contracts.rules import derive_rules
from churn_platform.contracts.table_schema import (
    check_results,
    check_specs,
    dagster_table_schema,
)

WriteContract = Callable[..., Contract]

WARNING = {"name": "large", "bad": "spend > 1000", "severity": "warning"}


def test_schema_carries_types_meanings_units_and_constraints(write_contract: WriteContract) -> None:
    schema = dagster_table_schema(write_contract())
    order, user, spend = schema.columns
    assert [(column.name, column.type) for column in schema.columns] == [
        ("order_id", "VARCHAR"),
        ("user_id", "VARCHAR"),
        ("spend", "DECIMAL(18,2)"),
    ]
    assert (order.constraints.unique, order.constraints.nullable) == (True, False)
    assert (user.constraints.unique, list(user.constraints.other)) == (
        False,
        ["Every user_id that is not null exists in dim_users.user_id."],
    )
    assert (spend.description, spend.constraints.nullable) == ("paid (currency)", True)
    assert list(spend.constraints.other) == ["spend is at least 0."]


def test_a_key_of_two_columns_is_a_constraint_of_the_table(write_contract: WriteContract) -> None:
    schema = dagster_table_schema(write_contract(grain=["order_id", "user_id"]))
    assert "No two rows share order_id + user_id." in schema.constraints.other
    assert schema.columns[0].constraints.unique is False


def test_one_check_a_rule_and_only_critical_ones_block(write_contract: WriteContract) -> None:
    contract = write_contract(rules=[WARNING])
    specs = check_specs(contract, "fct_orders")
    assert [spec.name for spec in specs] == [rule.name for rule in derive_rules(contract)]
    assert {spec.name for spec in specs if not spec.blocking} == {"large"}
    assert {spec.asset_key for spec in specs} == {dg.AssetKey("fct_orders")}


def test_results_show_keys_query_and_severity() -> None:
    found = [
        RuleResult("not_empty", "critical", "passed", "3 rows"),
        RuleResult(
            "unique__order_id",
            "critical",
            "failed",
            "2 of 3 rows",
            2,
            [{"order_id": "o1"}, {"order_id": None}],
            "SELECT 1",
            "2 of 3 rows break it",
        ),
        RuleResult("large", "warning", "not_run", reason="no such table"),
    ]
    passed, failed, unrun = check_results(GateResult("fct_orders", found, 3, Path("q.parquet")), "fct_orders")
    assert (passed.passed, passed.metadata["observed"].value) == (True, "3 rows")
    assert (failed.passed, failed.severity, failed.check_name) == (
        False,
        dg.AssetCheckSeverity.ERROR,
        "unique__order_id",
    )
    keys = failed.metadata["failing_keys"]
    assert isinstance(keys, dg.TableMetadataValue)
    assert [record.data for record in keys.records] == [{"order_id": "o1"}, {"order_id": None}]
    assert failed.metadata["query"] == dg.MetadataValue.text("SELECT 1")
    assert failed.metadata["failing_rows"].value == 2
    assert (unrun.passed, unrun.severity, unrun.description) == (False, dg.AssetCheckSeverity.WARN, "no such table")


def test_a_build_that_raised_gives_a_failed_result_for_every_spec(write_contract: WriteContract) -> None:
    contract = write_contract(rules=[WARNING])
    result = not_run(contract, f"the build raised on {date(2025, 1, 1)}")
    assert not result.passed
    assert [found.check_name for found in check_results(result, "fct_orders")] == [
        spec.name for spec in check_specs(contract, "fct_orders")
    ]
    assert {found.passed for found in check_results(result, "fct_orders")} == {False}


def test_dagster_accepts_specs_and_results_of_one_asset(write_contract: WriteContract) -> None:
    contract = write_contract()
    result = GateResult("fct_orders", [RuleResult(r.name, r.severity, "passed") for r in derive_rules(contract)], 1)

    @dg.asset(check_specs=check_specs(contract, "fct_orders"))
    def fct_orders() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        yield from check_results(result, "fct_orders")
        yield dg.MaterializeResult(metadata={"dagster/column_schema": dagster_table_schema(contract)})

    outcome = dg.materialize([fct_orders], instance=dg.DagsterInstance.ephemeral())
    assert {evaluation.check_name for evaluation in outcome.get_asset_check_evaluations()} == {
        rule.name for rule in derive_rules(contract)
    }
