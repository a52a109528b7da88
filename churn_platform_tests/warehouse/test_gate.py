"""The gate on real DuckDB files: what is published, what is kept, what is refused."""

import glob
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from churn_platform.contracts.contract import Contract
from churn_platform.errors import DefinitionError, UsageError
from churn_platform.warehouse.gate import GateResult, write_audit_publish
from churn_platform.warehouse.partition import Partition

pytestmark = pytest.mark.filterwarnings("error")

NOON = datetime(2025, 1, 5, 12, tzinfo=UTC)
MONDAY, TUESDAY = date(2025, 1, 6), date(2025, 1, 7)
BAD_ORDERS = "(NULL, 'u1', 5), ('o2', 'u1', -1), ('o3', 'u9', 0), ('o4', 'u1', 1), ('o4', 'u1', 2)"


def contract(materialisation: str = "full", grain: str = "order_id", **changes: object) -> Contract:
    columns: list[dict[str, object]] = [
        {"name": "order_id", "type": "VARCHAR", "meaning": "x", "nullable": False},
        {"name": "user_id", "type": "VARCHAR", "meaning": "x", "references": "dim_users.user_id"},
        {"name": "spend", "type": "DECIMAL(18,2)", "meaning": "x", "min": 0},
    ]
    if materialisation != "full":
        columns.append({"name": "known_date", "type": "DATE", "meaning": "x", "nullable": False})
    keys = {"table": "fct_orders", "stage": "warehouse", "description": "x", "owner": "team:data"}
    return Contract.model_validate(
        keys | {"grain": grain.split(), "materialisation": materialisation, "columns": columns} | changes
    )


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as opened:
        opened.execute("CREATE TABLE dim_users AS SELECT 'u1' AS user_id")
        yield opened


Write = Callable[..., GateResult]


@pytest.fixture
def write(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> Write:
    """Write rows, given as SQL VALUES, through the gate."""

    def write_rows(
        rows: str, of: Contract | None = None, run_id: str = "run-1", partition: Partition | None = None
    ) -> GateResult:
        table = of or contract()

        def build(opened: duckdb.DuckDBPyConnection, name: str) -> None:
            types = ", ".join(f"{column} {kind}" for column, kind in table.types.items())
            opened.execute(f"CREATE TABLE {name} ({types})")
            if rows:
                opened.execute(f"INSERT INTO {name} VALUES {rows}")

        return write_audit_publish(
            connection, table, build, run_id=run_id, quarantine=tmp_path / "q[1]", partition=partition, checked_at=NOON
        )

    return write_rows


def rows_of(
    connection: duckdb.DuckDBPyConnection, query: str = "SELECT order_id FROM fct_orders"
) -> list[tuple[object, ...]]:
    return connection.execute(f"{query} ORDER BY ALL").fetchall()


def tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [str(name) for (name,) in rows_of(connection, "SELECT table_name FROM duckdb_tables()")]


def statuses(result: GateResult) -> dict[str, str]:
    return {found.name: found.status for found in result.results if found.status != "passed"}


def test_good_rows_are_published_and_replaced(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    first = write("('o1', 'u1', 5), ('o2', NULL, NULL)")
    assert (first.passed, first.row_count, first.quarantine, statuses(first)) == (True, 2, None, {})
    assert write("('o3', 'u1', 5)", run_id="run-2").passed
    assert rows_of(connection) == [("o3",)]
    assert tables(connection) == ["dim_users", "fct_orders", "quality_results"]


def test_bad_rows_leave_the_last_good_version(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    write("('o1', 'u1', 5)")
    result = write(BAD_ORDERS, run_id="run-2")
    assert not result.passed
    assert statuses(result) == dict.fromkeys(
        ["unique__order_id", "not_null__order_id", "foreign_key__user_id", "between__spend"], "failed"
    )
    assert rows_of(connection) == [("o1",)]
    assert tables(connection) == ["dim_users", "fct_orders", "quality_results"]
    assert "between__spend: 1 of 5 rows break the rule 'spend is at least 0.'" in result.summary


def test_a_first_write_that_fails_publishes_nothing(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    assert not write(BAD_ORDERS).passed
    assert tables(connection) == ["dim_users", "quality_results"]


def test_an_empty_table_fails_unless_the_contract_allows_it(
    connection: duckdb.DuckDBPyConnection, write: Write
) -> None:
    result = write("")
    assert (result.passed, statuses(result), result.quarantine) == (False, {"not_empty": "failed"}, None)
    assert result.results[0].observed == "0 rows"
    assert write("", of=contract(may_be_empty=True)).passed
    assert rows_of(connection) == []


def test_all_failing_rows_are_in_quarantine_with_every_column(
    connection: duckdb.DuckDBPyConnection, write: Write, tmp_path: Path
) -> None:
    result = write(BAD_ORDERS)
    assert result.quarantine == tmp_path / "q[1]" / "gates" / "fct_orders" / "run-1.parquet"
    assert [file.name for file in result.quarantine.parent.iterdir()] == ["run-1.parquet"]
    kept = connection.execute("SELECT * FROM read_parquet($file)", {"file": glob.escape(str(result.quarantine))})
    assert [column[0] for column in kept.description] == ["order_id", "user_id", "spend", "failed_expectation"]
    assert sorted((str(row[0]), float(row[2]), row[3]) for row in kept.fetchall()) == [
        ("None", 5.0, "not_null__order_id"),
        ("o2", -1.0, "between__spend"),
        ("o3", 0.0, "foreign_key__user_id"),
        ("o4", 1.0, "unique__order_id"),
        ("o4", 2.0, "unique__order_id"),
    ]


def test_a_failed_rule_shows_keys_and_the_query_that_finds_all_rows(
    connection: duckdb.DuckDBPyConnection, write: Write
) -> None:
    many = ", ".join(f"('o{number:03}', 'u1', -{number})" for number in range(1, 31))
    failed = next(found for found in write(many).results if found.name == "between__spend")
    assert (failed.observed, failed.failing_rows, len(failed.failing_keys)) == ("30 of 30 rows", 30, 20)
    assert failed.failing_keys[0] == {"order_id": "o001"}
    assert len(connection.execute(failed.query).fetchall()) == 30


def test_keys_that_are_no_plain_values_are_shown_as_text(write: Write) -> None:
    table = contract("arrival_day", "order_id known_date")
    failed = next(
        found for found in write("('o1', 'u1', -1, '2025-01-06')", of=table).results if found.status == "failed"
    )
    assert failed.failing_keys == [{"order_id": "o1", "known_date": "2025-01-06"}]


def test_a_warning_shows_and_does_not_stop(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    rules = [{"name": "small", "bad": "spend < 3", "severity": "warning"}]
    result = write("('o1', 'u1', 5), ('o2', 'u1', 1)", of=contract(rules=rules))
    assert (result.passed, statuses(result)) == (True, {"small": "failed"})
    assert rows_of(connection) == [("o1",), ("o2",)]
    assert rows_of(connection, next(found.query for found in result.results if found.query))[0][0] == "o2"


def test_a_rule_that_cannot_run_stops_the_table(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    connection.execute("DROP TABLE dim_users")
    result = write("('o1', 'u1', 5)")
    assert (result.passed, statuses(result)) == (False, {"foreign_key__user_id": "not_run"})
    assert "could not evaluate it" in result.summary
    assert "dim_users does not exist" in result.summary
    assert tables(connection) == ["quality_results"]


def test_every_result_is_recorded_once_per_run(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    write(BAD_ORDERS)
    recorded = rows_of(
        connection, "SELECT expectation, status, failing_rows, observed, checked_at FROM quality_results"
    )
    assert len(recorded) == 5
    assert ("between__spend", "failed", 1, "1 of 5 rows", NOON.replace(tzinfo=None)) in recorded
    assert ("not_empty", "passed", 0, "5 rows", NOON.replace(tzinfo=None)) in recorded
    write("('o1', 'u1', 5)")
    write("('o1', 'u1', 5)", run_id="run-2")
    counted = "SELECT run_id, severity, status, count(*) FROM quality_results GROUP BY ALL"
    assert rows_of(connection, counted) == [("run-1", "critical", "passed", 5), ("run-2", "critical", "passed", 5)]


def test_columns_are_published_in_contract_order(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    def build(opened: duckdb.DuckDBPyConnection, name: str) -> None:
        opened.execute(f"CREATE TABLE {name} AS SELECT 1::DECIMAL(18,2) AS spend, 'o1' AS order_id, 'u1' AS user_id")

    write_audit_publish(connection, contract(), build, run_id="r", quarantine=tmp_path, checked_at=NOON)
    assert connection.execute("SELECT * FROM fct_orders").fetchall() == [("o1", "u1", 1)]


def test_built_columns_that_differ_from_the_contract_are_listed(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    def build(opened: duckdb.DuckDBPyConnection, name: str) -> None:
        opened.execute(f"CREATE TABLE {name} AS SELECT 'o1' AS order_id, 1.5::DOUBLE AS spend, 2 AS surplus")

    with pytest.raises(DefinitionError) as raised:
        write_audit_publish(connection, contract(), build, run_id="r", quarantine=tmp_path, checked_at=NOON)
    assert "missing user_id VARCHAR; not in the contract: surplus INTEGER; " in str(raised.value)
    assert "spend is DOUBLE, expected DECIMAL(18,2)" in str(raised.value)
    assert tables(connection) == ["dim_users"]


def test_a_build_that_makes_no_table_is_told_so(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="must create the table fct_orders__audit"):
        write_audit_publish(
            connection, contract(), lambda opened, name: None, run_id="r", quarantine=tmp_path, checked_at=NOON
        )


@pytest.mark.parametrize("begin", [False, True])
def test_a_build_that_raises_midway_leaves_the_table(
    connection: duckdb.DuckDBPyConnection, write: Write, tmp_path: Path, begin: bool
) -> None:
    write("('o1', 'u1', 5)")

    def build(opened: duckdb.DuckDBPyConnection, name: str) -> None:
        if begin:
            opened.begin()
        opened.execute(f"CREATE TABLE {name} AS SELECT * FROM fct_orders")
        opened.execute("SELECT * FROM no_such_table")

    with pytest.raises(duckdb.CatalogException, match="no_such_table"):
        write_audit_publish(connection, contract(), build, run_id="r", quarantine=tmp_path, checked_at=NOON)
    assert rows_of(connection) == [("o1",)]
    assert "fct_orders__audit" not in tables(connection)


def test_a_swap_that_fails_leaves_the_table(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    write("('o1', 'u1', 5, '2025-01-06')", of=contract("arrival_day"))
    connection.execute("CREATE UNIQUE INDEX user_key ON fct_orders (user_id)")
    tuesday = Partition("known_date", TUESDAY, TUESDAY)
    with pytest.raises(duckdb.ConstraintException):
        write("('o2', 'u1', 5, '2025-01-07')", of=contract("arrival_day"), partition=tuesday)
    assert rows_of(connection) == [("o1",)]
    assert "fct_orders__audit" not in tables(connection)


def test_a_range_that_holds_the_whole_table_replaces_it(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    write("('o1', 'u1', 5, '2025-01-06')", of=contract("arrival_day"))
    both_days = Partition("known_date", MONDAY, TUESDAY)
    assert write("('o2', 'u1', 5, '2025-01-07')", of=contract("arrival_day"), partition=both_days).passed
    assert rows_of(connection) == [("o2",)]
    assert "fct_orders__audit" not in tables(connection)


def test_an_uncommitted_build_is_refused(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    def build(opened: duckdb.DuckDBPyConnection, name: str) -> None:
        opened.begin()
        opened.execute(f"CREATE TABLE {name} AS SELECT 1 AS x")

    with pytest.raises(UsageError, match="open transaction"):
        write_audit_publish(connection, contract(), build, run_id="r", quarantine=tmp_path, checked_at=NOON)


def test_an_audit_table_left_by_a_killed_run_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(file) as opened:
        opened.execute("CREATE TABLE fct_orders AS SELECT 'o1' AS order_id, 'u1' AS user_id, 5::DECIMAL(18,2) AS spend")
        opened.execute("CREATE TABLE dim_users AS SELECT 'u1' AS user_id")
    code = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import duckdb
from churn_platform.warehouse.gate import write_audit_publish
from churn_platform.contracts.contract import Contract

def build(opened, name):
    opened.execute(f"CREATE TABLE {name} AS SELECT 1 AS half_built")
    os.kill(os.getpid(), signal.SIGKILL)

table = Contract.model_validate_json(sys.argv[2])
with duckdb.connect(sys.argv[1]) as opened:
    write_audit_publish(opened, table, build, run_id="r", quarantine=Path("q"), checked_at=datetime.now(UTC))
"""
    command = [sys.executable, "-c", code, str(file), contract().model_dump_json()]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    with duckdb.connect(file) as opened:
        assert tables(opened) == ["dim_users", "fct_orders", "fct_orders__audit"]
        assert rows_of(opened) == [("o1",)]
        result = write_audit_publish(
            opened,
            contract(),
            lambda to, name: to.execute(f"CREATE TABLE {name} AS SELECT * REPLACE ('o2' AS order_id) FROM fct_orders"),
            run_id="r2",
            quarantine=tmp_path,
            checked_at=NOON,
        )
        assert result.passed
        assert rows_of(opened) == [("o2",)]


def test_a_partition_replaces_its_own_rows_only(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    table = contract("arrival_day")
    monday, tuesday = Partition("known_date", MONDAY, MONDAY), Partition("known_date", TUESDAY, TUESDAY)
    assert write("('o1', 'u1', 5, '2025-01-06')", of=table, partition=monday).passed
    assert write("('o2', 'u1', 5, '2025-01-07')", of=table, partition=tuesday).passed
    for _ in range(2):
        assert write("('o3', 'u1', 5, '2025-01-07')", of=table, partition=tuesday).passed
    assert rows_of(connection) == [("o1",), ("o3",)]
    assert write("('o4', 'u1', 5, '2025-01-07')", of=table).passed
    assert rows_of(connection) == [("o4",)]


def test_a_partition_of_single_days_leaves_the_days_between(
    connection: duckdb.DuckDBPyConnection, write: Write
) -> None:
    table = contract("arrival_day")
    write("('o1', 'u1', 5, '2025-01-06'), ('o2', 'u1', 5, '2025-01-07'), ('o3', 'u1', 5, '2025-01-08')", of=table)
    ends = Partition.of_dates("known_date", [date(2025, 1, 8), MONDAY])
    assert write("('o4', 'u1', 5, '2025-01-06')", of=table, partition=ends).passed
    assert rows_of(connection) == [("o2",), ("o4",)]
    between = write("('o5', 'u1', 5, '2025-01-07')", of=table, partition=ends)
    assert statuses(between) == {"in_partition__known_date": "failed"}


def test_rows_outside_the_partition_are_refused(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    monday = Partition("known_date", MONDAY, MONDAY)
    rows = "('o1', 'u1', 5, '2025-01-06'), ('o2', 'u1', 5, '2025-01-07')"
    result = write(rows, of=contract("arrival_day"), partition=monday)
    assert statuses(result) == {"in_partition__known_date": "failed"}
    assert tables(connection) == ["dim_users", "quality_results"]


def test_a_key_is_unique_over_all_partitions(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    table = contract("arrival_day")
    monday, tuesday = Partition("known_date", MONDAY, MONDAY), Partition("known_date", TUESDAY, TUESDAY)
    write("('o1', 'u1', 5, '2025-01-06')", of=table, partition=monday)
    again = write("('o1', 'u1', 6, '2025-01-07'), ('o2', 'u1', 6, '2025-01-07')", of=table, partition=tuesday)
    assert statuses(again) == {"unique__order_id": "failed"}
    assert next(found.failing_keys for found in again.results if found.failing_rows) == [{"order_id": "o1"}]
    assert rows_of(connection) == [("o1",)]
    assert write("('o1', 'u1', 7, '2025-01-06')", of=table, partition=monday).passed


def test_a_key_with_the_partition_column_may_come_again(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    table = contract("arrival_day", "order_id known_date")
    for day in (MONDAY, TUESDAY):
        assert write(f"('o1', 'u1', 5, '{day}')", of=table, partition=Partition("known_date", day, day)).passed
    assert rows_of(connection) == [("o1",), ("o1",)]


def test_older_rows_get_nulls_in_a_new_nullable_column_and_lose_a_dropped_one(
    connection: duckdb.DuckDBPyConnection, write: Write
) -> None:
    connection.execute(
        "CREATE TABLE fct_orders AS SELECT 'o1' AS order_id, 'u1' AS user_id, DATE '2025-01-06' AS known_date, 1 AS old"
    )
    tuesday = Partition("known_date", TUESDAY, TUESDAY)
    assert write("('o2', 'u1', 5, '2025-01-07')", of=contract("arrival_day"), partition=tuesday).passed
    kept = rows_of(connection, "SELECT order_id, user_id, spend FROM fct_orders")
    assert [(order, user, spend is None) for order, user, spend in kept] == [("o1", "u1", True), ("o2", "u1", False)]
    assert "old" not in connection.table("fct_orders").columns


def test_older_rows_cannot_get_a_column_that_is_never_null(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    monday, tuesday = Partition("known_date", MONDAY, MONDAY), Partition("known_date", TUESDAY, TUESDAY)
    connection.execute("CREATE TABLE fct_orders AS SELECT 'u1' AS user_id, DATE '2025-01-06' AS known_date")
    with pytest.raises(DefinitionError, match=r"missing order_id VARCHAR.*make the new columns nullable"):
        write("('o2', 'u1', 5, '2025-01-07')", of=contract("arrival_day"), partition=tuesday)
    assert rows_of(connection, "SELECT user_id FROM fct_orders") == [("u1",)]
    assert write("('o2', 'u1', 5, '2025-01-06')", of=contract("arrival_day"), partition=monday).passed
    assert rows_of(connection, "SELECT order_id, user_id FROM fct_orders") == [("o2", "u1")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run_id": "../run"}, r"run id '\.\./run'"),
        ({"checked_at": NOON.replace(tzinfo=None)}, "has no time zone"),
        ({"partition": Partition("snapshot_date", MONDAY, MONDAY)}, "is partitioned by none: it is a full table"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    request: dict[str, object] = {"run_id": "r", "quarantine": tmp_path, "checked_at": NOON}
    with pytest.raises(UsageError, match=message):
        write_audit_publish(connection, contract(), lambda opened, name: None, **request | changes)  # type: ignore[arg-type]
    assert tables(connection) == ["dim_users"]


def test_a_connection_in_a_transaction_is_refused(connection: duckdb.DuckDBPyConnection, write: Write) -> None:
    connection.begin()
    with pytest.raises(UsageError, match="commit it first"):
        write("('o1', 'u1', 5)")
    connection.rollback()
    assert tables(connection) == ["dim_users"]
