import re
from collections.abc import Callable

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.rules import Scope, derive_rules

WriteContract = Callable[..., Contract]

FULL = Scope('"fct_orders__audit"')


def rule_names(contract: Contract) -> list[str]:
    return [rule.name for rule in derive_rules(contract)]


def test_rules_follow_from_the_contract(write_contract: WriteContract) -> None:
    assert rule_names(write_contract()) == [
        "not_empty",
        "unique__order_id",
        "not_null__order_id",
        "not_null__user_id",
        "foreign_key__user_id",
        "between__spend",
    ]


def test_a_table_that_may_be_empty_has_no_rule_about_it(write_contract: WriteContract) -> None:
    assert "not_empty" not in rule_names(write_contract(may_be_empty=True))


def test_severity_is_critical_unless_a_row_rule_says_otherwise(write_contract: WriteContract) -> None:
    large = {"name": "large", "bad": "spend > 9", "severity": "warning"}
    rules = derive_rules(write_contract(rules=[large, {"name": "one", "bad": "spend = 1"}]))
    assert {rule.name: rule.severity for rule in rules if rule.severity != "critical"} == {"large": "warning"}
    assert rules[-1].columns == ("spend",)


def test_names_are_dagster_check_names_and_unique(write_contract: WriteContract) -> None:
    names = rule_names(write_contract(grain=["order_id", "user_id"], rules=[{"name": "odd_1", "bad": "spend = 1"}]))
    assert "unique__order_id__user_id" in names
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)


def incremental(write_contract: WriteContract, grain: list[str], *, unique: bool = False) -> Contract:
    columns = [
        {"name": "event_id", "type": "VARCHAR", "meaning": "x", "unique": unique},
        {"name": "known_date", "type": "DATE", "meaning": "x"},
    ]
    return write_contract(table="stg_events", grain=grain, materialisation="arrival_day", columns=columns)


def sql_of(contract: Contract, name: str, scope: Scope) -> str:
    return next(rule for rule in derive_rules(contract) if rule.name == name).bad_rows_sql(scope)


def test_only_a_key_without_the_partition_column_looks_at_other_partitions(write_contract: WriteContract) -> None:
    beside = Scope('"stg_events__audit"', kept="(SELECT * FROM stg_events)")
    assert "stg_events)" in sql_of(incremental(write_contract, ["event_id"]), "unique__event_id", beside)
    within = incremental(write_contract, ["event_id", "known_date"])
    assert "stg_events)" not in sql_of(within, "unique__event_id__known_date", beside)


def test_a_unique_column_looks_at_other_partitions_whatever_the_grain(write_contract: WriteContract) -> None:
    beside = Scope('"stg_events__audit"', kept="(SELECT * FROM stg_events)")
    contract = incremental(write_contract, ["event_id", "known_date"], unique=True)
    assert "stg_events)" in sql_of(contract, "unique__event_id", beside)
    assert {"unique__event_id", "unique__event_id__known_date"} <= set(rule_names(contract))
    assert "kept" not in sql_of(contract, "unique__event_id", FULL)


def test_a_grain_that_is_one_unique_column_is_one_rule(write_contract: WriteContract) -> None:
    names = rule_names(incremental(write_contract, ["event_id"], unique=True))
    assert names.count("unique__event_id") == 1
