from datetime import date
from pathlib import Path

import pytest

from churn_platform.contracts.contract import load_contract
from churn_platform.errors import DefinitionError

ORDERS = """\
description: one row per order and arrival day
owner: team:data
grain: [order_id, known_date]
materialisation: arrival_day
columns:
  - {name: order_id, type: VARCHAR, meaning: the order}
  - {name: known_date, type: DATE, meaning: arrival day, min: 2020-01-01}
  - {name: user_id, type: text, meaning: who ordered, references: dim_users.user_id}
  - {name: spend, type: "DECIMAL(18,2)", meaning: paid, unit: currency, min: 0, max: 9.5}
  - {name: arm, type: VARCHAR, meaning: test arm, one_of: [treat, holdout]}
rules:
  - {name: no_gift, bad: "spend = 0 AND arm = 'treat'", severity: warning}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "warehouse" / "fct_orders.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_table_is_the_file_and_stage_the_folder(tmp_path: Path) -> None:
    contract = load_contract(write(tmp_path, ORDERS))
    assert (contract.table, contract.stage, contract.partition_column) == ("fct_orders", "warehouse", "known_date")
    assert contract.column_names == ["order_id", "known_date", "user_id", "spend", "arm"]
    assert contract.references == {"user_id": ("dim_users", "user_id")}
    assert contract.may_be_empty is False
    assert contract.column("known_date").min == date(2020, 1, 1)
    assert contract.column("arm").one_of == ["treat", "holdout"]


def test_types_are_canonical_and_only_keys_are_not_nullable_by_default(tmp_path: Path) -> None:
    contract = load_contract(write(tmp_path, ORDERS))
    assert contract.types["user_id"] == "VARCHAR"
    assert [column.name for column in contract.columns if not column.nullable] == ["order_id", "known_date"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("owner: team:data", "owners: team:data", r"line 2, owners: unknown key\. Did you mean 'owner'\?"),
        ("owner: team:data\n", "", r"line 1, owner: missing"),
        ("owner: team:data", "owner: data", r"line 2, owner: .*pattern"),
        (
            "type: VARCHAR, meaning: the",
            "typ: VARCHAR, meaning: the",
            r"line 6, columns\[0\]\.typ: unknown key\. Did you mean 'type'",
        ),
        ("type: DATE", "type: DAET", r"line 7, columns\[1\]\.type: is not a DuckDB type.*'DAET'"),
        ("min: 0, max: 9.5", "min: 10, max: 9.5", r"line 9, columns\[3\]: min 10 is above max 9\.5"),
        ("min: 0, max: 9.5", "min: low", r"line 9, columns\[3\]\.min: must be a number, a date.*'low'"),
        ("min: 0, max: 9.5", "min: 2020-01-01, max: 9.5", r"must be of one kind"),
        (
            "grain: [order_id, known_date]",
            "grain: [order_idd]",
            r"grain needs the column 'order_idd'\. Did you mean 'order_id'\?",
        ),
        ("grain: [order_id, known_date]", "grain: []", r"line 3, grain: .*at least 1"),
        ("name: known_date", "name: day", r"needs the column 'known_date'"),
        (
            "materialisation: arrival_day",
            "materialisation: daily",
            r"line 4, materialisation: .*'full', 'arrival_day' or 'snapshot'",
        ),
        ("meaning: the order}", "meaning: the order, nullable: true}", r"'order_id', so it cannot be nullable"),
        ("dim_users.user_id", "dim_users", r"line 8, columns\[2\]\.references: .*pattern"),
        ("dim_users.user_id", "fct_orders.user_id", r"references its own table"),
        ("name: arm", "name: at", r"line 10, columns\[4\]\.name: 'at' is a word of SQL"),
        ("name: arm", "name: Spend", r"line 5, columns: repeats Spend, spend"),
        ("one_of: [treat, holdout]", "one_of: []", r"columns\[4\]\.one_of: .*at least 1"),
        ("spend = 0", "spent = 0", r"rule 'no_gift' uses the unknown column 'spent'\. Did you mean 'spend'\?"),
        ("spend = 0 AND", "spend = = AND", r"rule 'no_gift'.*is not a SQL condition"),
        ("name: no_gift", "name: not_null__spend", r"line 12, rules\[0\]\.name: is the name of a rule derived"),
        ("severity: warning", "severity: mild", r"line 12, rules\[0\]\.severity: .*'critical' or 'warning'"),
        ("description:", "table: x\ndescription:", r"line 1, table: unknown key\. The file's name"),
        ("rules:", "owner: team:x\nrules:", r"line 11: the key 'owner' stands twice \(first on line 2\)"),
        ("grain: [order_id, known_date]", "grain: [order_id", r"cannot be read as YAML"),
    ],
)
def test_a_wrong_contract_is_refused_at_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ORDERS
    path = write(tmp_path, ORDERS.replace(old, new))
    with pytest.raises(DefinitionError, match=f"(?s)fct_orders.yml.*{message}"):
        load_contract(path)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = ORDERS.replace("type: DATE", "type: DAET").replace("severity: warning", "severity: mild")
    with pytest.raises(DefinitionError, match=r"(?s)line 7.*\n.*line 12"):
        load_contract(write(tmp_path, text))


def test_a_missing_file_names_what_exists(tmp_path: Path) -> None:
    there = write(tmp_path, ORDERS)
    with pytest.raises(DefinitionError, match=r"dim_x\.yml does not exist\. Contracts beside it: fct_orders\.yml"):
        load_contract(there.with_name("dim_x.yml"))


TOLD = ORDERS.replace(
    'type: "DECIMAL(18,2)", meaning: paid',
    'type: DOUBLE, meaning: paid, family: value, reason: "spent {value}", '
    'zh: {meaning: 购买金额, reason: "消费 {value}"}',
)


def test_a_feature_is_told_in_both_languages(tmp_path: Path) -> None:
    contract = load_contract(write(tmp_path, TOLD))
    spend, arm = contract.column("spend"), contract.column("arm")
    assert (spend.reason_in("en"), spend.reason_in("zh")) == ("spent {value}", "消费 {value}")
    assert (spend.meaning_in("en"), spend.meaning_in("zh")) == ("paid", "购买金额")
    assert arm.meaning_in("zh") == "test arm"
    with pytest.raises(DefinitionError, match="arm has no reason"):
        arm.reason_in("zh")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (', zh: {meaning: 购买金额, reason: "消费 {value}"}', "", "spend has its reason in English only.*zh: {meaning"),
        (', reason: "消费 {value}"}', "}", "spend has its reason in English only"),
        ('reason: "spent {value}", ', "", "spend has its reason in Chinese only"),
        ("meaning: 购买金额, ", "", r"columns\[3\]\.zh\.meaning: missing"),
        ("meaning: 购买金额", "mening: 购买金额", r"columns\[3\]\.zh\.mening: unknown key\. Did you mean 'meaning'"),
        ('reason: "消费 {value}"', 'reason: ""', r"columns\[3\]\.zh\.reason: .*at least 1"),
        ("消费 {value}", "消费金额", "spend tells its {value} in one language only"),
    ],
)
def test_a_feature_with_a_text_in_one_language_only_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TOLD
    with pytest.raises(DefinitionError, match=f"(?s)fct_orders.yml, line 9.*{message}"):
        load_contract(write(tmp_path, TOLD.replace(old, new)))


@pytest.mark.parametrize("text", ["", "- a\n- b\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DefinitionError, match="must hold a mapping"):
        load_contract(write(tmp_path, text))


def test_a_subquery_in_a_rule_may_use_columns_of_other_tables(tmp_path: Path) -> None:
    text = ORDERS.replace("spend = 0 AND arm = 'treat'", "arm IN (SELECT name FROM retired_arms)")
    assert load_contract(write(tmp_path, text)).rules[0].bad == "arm IN (SELECT name FROM retired_arms)"
