"""Every expectation type in use passes on good rows and fails on bad ones, on a real DuckDB table."""

from datetime import date, datetime
from typing import get_args

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.contracts.contract import Column, Contract, RowRule
from churn_platform.contracts.duckdb_execution import Verdict, run_suite
from churn_platform.contracts.expectations import suite
from churn_platform.contracts.quoting import literal
from churn_platform.contracts.rules import Kind, Rule, Scope, derive_rules

pytestmark = pytest.mark.filterwarnings("error")

GOOD = (
    "(1, 'u1', DATE '2025-01-05', 'treat', 5.00, 0.5, TIMESTAMP '2025-01-05 10:00:00', true, 'a:b', DATE '2020-01-01')"
)
CASES: list[tuple[Kind, str, str]] = [
    ("not_empty", "not_empty", ""),
    ("in_partition", "in_partition__known_date", GOOD.replace("2025-01-05'", "2025-01-07'", 1)),
    ("unique", "unique__id", f"{GOOD}, {GOOD}"),
    ("unique", "unique__id", GOOD.replace("(1,", "(77,")),
    ("not_null", "not_null__id", GOOD.replace("(1,", "(NULL,")),
    ("between", "between__amount", GOOD.replace("5.00", "-0.01")),
    ("between", "between__amount", GOOD.replace("5.00", "10.01")),
    ("between", "between__share", GOOD.replace(" 0.5,", " -1e-9,")),
    ("finite", "finite_numbers", GOOD.replace(" 0.5,", " 'nan',")),
    ("finite", "finite_numbers", GOOD.replace(" 0.5,", " 'inf',")),
    ("between", "between__first_day", GOOD.replace("2020-01-01", "2019-12-31")),
    ("between", "between__seen_at", GOOD.replace("10:00:00", "12:00:01")),
    ("one_of", "one_of__arm", GOOD.replace("'treat'", "'Treat'")),
    ("one_of", "one_of__flag", GOOD.replace("true", "false")),
    ("foreign_key", "foreign_key__user_id", GOOD.replace("'u1'", "'u9'")),
    ("row", "odd_text", GOOD.replace("'a:b'", "'%{x} :name'")),
]


def columns() -> list[Column]:
    specs: list[dict[str, object]] = [
        {"name": "id", "type": "BIGINT", "nullable": False},
        {"name": "user_id", "type": "VARCHAR", "references": "dim_users.user_id"},
        {"name": "known_date", "type": "DATE", "nullable": False},
        {"name": "arm", "type": "VARCHAR", "one_of": ["treat", "it's:{a}"]},
        {"name": "amount", "type": "DECIMAL(18,2)", "min": 0, "max": 10},
        {"name": "share", "type": "DOUBLE", "min": 0},
        {"name": "seen_at", "type": "TIMESTAMP", "max": datetime.fromisoformat("2025-01-05 12:00:00")},
        {"name": "flag", "type": "BOOLEAN", "one_of": [True]},
        {"name": "note", "type": "VARCHAR"},
        {"name": "first_day", "type": "DATE", "min": date(2020, 1, 1)},
    ]
    return [Column.model_validate(spec | {"meaning": "x"}) for spec in specs]


def contract() -> Contract:
    return Contract(
        table="things",
        stage="staging",
        description="things",
        owner="team:data",
        grain=["id"],
        materialisation="arrival_day",
        columns=columns(),
        rules=[RowRule(name="odd_text", bad="note LIKE '%\\%{x} :name' ESCAPE '\\' AND note::VARCHAR <> '' -- odd")],
    )


SCOPE = Scope(
    '"things__audit"',
    kept="(SELECT * FROM things WHERE known_date <> DATE '2025-01-05')",
    outside="known_date <> DATE '2025-01-05'",
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect()
    opened.execute("CREATE TABLE dim_users AS SELECT 'u1' AS user_id")
    types = ", ".join(f'"{name}" {kind}' for name, kind in contract().types.items())
    opened.execute(f"CREATE TABLE things ({types})")
    opened.execute(f"INSERT INTO things VALUES {GOOD.replace('(1,', '(77,').replace('-05', '-04', 1)}")
    return opened


def verdicts(connection: duckdb.DuckDBPyConnection, rows: str) -> dict[str, Verdict]:
    connection.execute("CREATE OR REPLACE TABLE things__audit AS FROM things LIMIT 0")
    if rows:
        connection.execute(f"INSERT INTO things__audit VALUES {rows}")
    return run_suite(connection, "things__audit", suite(contract(), derive_rules(contract()), SCOPE))


def bad_rows(connection: duckdb.DuckDBPyConnection, rule: Rule) -> int:
    return connection.sql(rule.bad_rows_sql(SCOPE)).shape[0]


def test_good_rows_pass_every_rule(connection: duckdb.DuckDBPyConnection) -> None:
    found = verdicts(connection, f"{GOOD}, (2, NULL, DATE '2025-01-05', NULL, NULL, NULL, NULL, NULL, NULL, NULL)")
    assert found == {rule.name: Verdict("passed") for rule in derive_rules(contract())}
    assert {rule.name: bad_rows(connection, rule) for rule in derive_rules(contract())} == dict.fromkeys(found, 0)


@pytest.mark.parametrize(("kind", "name", "rows"), CASES)
def test_bad_rows_fail_their_rule_only(connection: duckdb.DuckDBPyConnection, kind: Kind, name: str, rows: str) -> None:
    found = verdicts(connection, rows)
    assert [rule for rule, verdict in found.items() if verdict.status != "passed"] == [name]
    assert found[name] == Verdict("failed")
    rule = next(rule for rule in derive_rules(contract()) if rule.name == name)
    assert (rule.kind, bad_rows(connection, rule)) == (kind, rows.count("("))


def test_the_cases_cover_every_kind_and_every_rule() -> None:
    assert {kind for kind, _, _ in CASES} == set(get_args(Kind))
    assert {name for _, name, _ in CASES} >= {rule.name for rule in derive_rules(contract())} - {"not_null__known_date"}


row = st.tuples(
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from(["u1", "u9"]),
    st.dates(date(2019, 12, 25), date(2025, 1, 10)),
    st.none() | st.sampled_from(["treat", "it's:{a}", "other"]),
    st.none() | st.decimals(-1, 11, places=2),
    st.none() | st.floats(-1, 2) | st.sampled_from([float("inf"), float("nan")]),
)


@settings(max_examples=12, deadline=None)
@given(rows=st.lists(row, max_size=4))
def test_great_expectations_fails_exactly_the_rules_that_have_bad_rows(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[object, ...]]
) -> None:
    connection.execute("CREATE OR REPLACE TABLE things__audit AS FROM things LIMIT 0")
    for values in rows:
        connection.execute("INSERT INTO things__audit VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL)", list(values))
    rules = [rule for rule in derive_rules(contract()) if rule.kind != "not_empty"]
    found = run_suite(connection, "things__audit", suite(contract(), rules, SCOPE))
    expected = {rule.name: Verdict("failed" if bad_rows(connection, rule) else "passed") for rule in rules}
    assert found == expected


def test_two_rules_with_one_condition_both_answer(connection: duckdb.DuckDBPyConnection) -> None:
    twice = contract().model_copy(update={"rules": [RowRule(name=name, bad="note = 'x'") for name in ("one", "two")]})
    connection.execute("CREATE OR REPLACE TABLE things__audit AS FROM things LIMIT 0")
    connection.execute(f"INSERT INTO things__audit VALUES {GOOD.replace(literal('a:b'), literal('x'))}")
    found = run_suite(connection, "things__audit", suite(twice, derive_rules(twice), SCOPE))
    assert (found["one"], found["two"]) == (Verdict("failed"), Verdict("failed"))
