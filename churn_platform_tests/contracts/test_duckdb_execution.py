import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.duckdb_execution import run_suite
from churn_platform.contracts.expectations import suite
from churn_platform.contracts.rules import Scope, derive_rules

WriteContract = Callable[..., Contract]

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def connection(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect(tmp_path / "warehouse.duckdb")
    opened.execute("CREATE TABLE dim_users AS SELECT 'u1' AS user_id")
    opened.execute("CREATE TABLE orders AS SELECT 'o1' AS order_id, 'u1' AS user_id, 5::DECIMAL(18,2) AS spend")
    return opened


def statuses(connection: duckdb.DuckDBPyConnection, contract: Contract) -> dict[str, str]:
    found = run_suite(connection, "orders", suite(contract, derive_rules(contract), Scope("")))
    return {name: verdict.status for name, verdict in found.items() if verdict.status != "passed"}


def test_a_row_inserted_after_a_validation_is_seen_by_the_next(
    connection: duckdb.DuckDBPyConnection, write_contract: WriteContract
) -> None:
    contract = write_contract()
    assert statuses(connection, contract) == {}
    connection.execute("INSERT INTO orders VALUES (NULL, 'u1', -1)")
    assert statuses(connection, contract) == {"not_null__order_id": "failed", "between__spend": "failed"}
    connection.execute("DELETE FROM orders WHERE order_id IS NULL")
    assert statuses(connection, contract) == {}


def test_the_connection_stays_open_and_usable(
    connection: duckdb.DuckDBPyConnection, write_contract: WriteContract
) -> None:
    statuses(connection, write_contract())
    assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(1,)]
    connection.begin()
    connection.rollback()


def test_a_rule_that_cannot_be_evaluated_says_why_and_leaves_the_others_alone(
    connection: duckdb.DuckDBPyConnection, write_contract: WriteContract
) -> None:
    connection.execute("DROP TABLE dim_users")
    contract = write_contract()
    found = run_suite(connection, "orders", suite(contract, derive_rules(contract), Scope("")))
    assert found["foreign_key__user_id"].status == "not_run"
    assert "dim_users does not exist" in found["foreign_key__user_id"].reason
    assert {verdict.status for name, verdict in found.items() if name != "foreign_key__user_id"} == {"passed"}


def test_nothing_is_printed_or_logged(
    connection: duckdb.DuckDBPyConnection,
    write_contract: WriteContract,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    connection.execute("DROP TABLE dim_users")
    assert statuses(connection, write_contract()) == {"foreign_key__user_id": "not_run"}
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith("great_expectations")] == []


def test_great_expectations_is_imported_on_first_use_only() -> None:
    code = (
        "import sys, churn_platform.warehouse.gate, churn_platform.contracts.expectations;"
        "assert not {'great_expectations', 'sqlalchemy', 'dagster'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
