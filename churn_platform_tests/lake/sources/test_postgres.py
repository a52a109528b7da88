"""A PostgreSQL relation as a source, against a real server: whole, by cursor, killed, and misdeclared."""

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from churn_platform.errors import InputError, UsageError
from churn_platform.lake.ingest import ingest
from churn_platform.lake.landing import accept, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.sources.postgres import Batch, PostgresRows
from churn_platform.lake.sources.pulls import PullReport, pull
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, at, events, mapping_of
from churn_platform_tests.lake.sources.postgres_server import PostgresServer, postgres_server

ORDERS = """
DROP SCHEMA public CASCADE; CREATE SCHEMA public;
CREATE TABLE orders (id bigint, "user" text, time timestamptz, type text, qty integer, price numeric(9, 2), note jsonb);
"""
INSERT = """
INSERT INTO orders
SELECT n, 'u' || mod(n, 7), timestamptz '2024-03-01 00:00Z' + n * interval '1 hour', 'purchase', mod(n, 3) + 1, 9.99,
    '{"n": 1}'
FROM generate_series(%d, %d) AS n
"""
COLUMNS = {
    "event_id": "id", "user_id": "user", "event_time": "time", "event_type": "type", "quantity": "qty",
    "unit_price": "price",
}  # fmt: skip
KILLED_CHILD = """
import os, signal, sys
from pathlib import Path
from churn_platform.lake.journal import Journal
from churn_platform.lake.sources import pulls
from churn_platform.settings import Home
from churn_platform_tests.lake.sources.test_postgres import orders_mapping
commit, settle = Journal.append, pulls.settle

def die(): os.kill(os.getpid(), signal.SIGKILL)
def before_commit(journal, record): die() if record["cursor"] == sys.argv[4] else commit(journal, record)
def before_name(part, folder, name): die() if name == sys.argv[4] else settle(part, folder, name)

if sys.argv[3] == "commit": Journal.append = before_commit
else: pulls.settle = before_name
pulls.pull(Home(Path(sys.argv[1])), orders_mapping(sys.argv[2], batch_rows=10), "history")
"""


@pytest.fixture(scope="module")
def running() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def server(running: PostgresServer) -> PostgresServer:
    running.execute(ORDERS)
    running.execute(INSERT % (1, 25))
    return running


def orders_mapping(dsn: str, **declared: object) -> Mapping:
    postgres = {"dsn": dsn, "table": "orders", "cursor": "id", **declared}
    return mapping_of(COLUMNS, postgres={name: value for name, value in postgres.items() if value is not None})


def land_waiting(home: Home, mapping: Mapping) -> None:
    for file in waiting(home):
        ingest(file.path, file.mode, mapping, home, "UTC", ARRIVED)
        accept(file)


def ids(home: Home) -> list[int]:
    return sorted(int(str(event_id)) for (event_id,) in events(home, "event_id"))


def rows_by_file(report: PullReport) -> list[int]:
    with duckdb.connect() as connection:
        return [len(connection.read_parquet(str(file.path)).fetchall()) for file in report.files]


def test_a_whole_table_lands_in_batches_and_then_only_what_is_new(server: PostgresServer, home: Home) -> None:
    mapping = orders_mapping(server.dsn, batch_rows=10)
    first = pull(home, mapping, "history")
    assert (first.rows, first.cursor, rows_by_file(first)) == (25, "25", [10, 10, 5])
    assert [file.path.name for file in first.files] == [f"orders-00000{number}.parquet" for number in (1, 2, 3)]
    land_waiting(home, mapping)
    assert ids(home) == list(range(1, 26))
    assert events(home, "user_id, event_time, quantity, amount, source_row, source_file")[0] == (
        "u1", at(2024, 3, 1, 1), 2, Decimal("19.98"), 1, "orders-000001.parquet",
    )  # fmt: skip

    assert pull(home, mapping, "live") == PullReport([], 0, "25")
    server.execute(INSERT % (26, 28))
    second = pull(home, mapping, "live")
    assert (second.rows, second.cursor) == (3, "28")
    assert [(file.path.parent, file.mode) for file in second.files] == [(home.landing, "live")]
    land_waiting(home, mapping)
    assert ids(home) == list(range(1, 29))


def test_rows_of_one_cursor_value_are_never_parted(server: PostgresServer, home: Home) -> None:
    server.execute("UPDATE orders SET time = date_trunc('day', time)")
    mapping = orders_mapping(server.dsn, cursor="time", batch_rows=1)
    report = pull(home, mapping, "history")
    assert rows_by_file(report) == [23, 2]
    assert report.cursor == "2024-03-02T00:00:00+00:00"
    assert pull(home, mapping, "history").files == []


@pytest.mark.parametrize("style", ["ISO, MDY", "German", "SQL, DMY", "Postgres, DMY"])
def test_a_cursor_of_times_keeps_its_microseconds_in_any_date_style(
    style: str, server: PostgresServer, home: Home
) -> None:
    server.execute(
        f"ALTER DATABASE postgres SET datestyle = '{style}'; ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'"
    )
    server.execute("UPDATE orders SET time = time + id * interval '1 microsecond'")
    mapping = orders_mapping(server.dsn, cursor="time", batch_rows=7)
    report = pull(home, mapping, "history")
    server.execute("ALTER DATABASE postgres RESET datestyle; ALTER DATABASE postgres RESET timezone")
    assert rows_by_file(report) == [7, 7, 7, 4]
    land_waiting(home, mapping)
    assert (at(2024, 3, 1, 1).replace(microsecond=1),) in events(home, "event_time")
    assert len(set(events(home, "event_time"))) == 25


def test_a_query_is_pulled_as_a_table_is(server: PostgresServer, home: Home) -> None:
    query = """SELECT o.*, 'it''s' AS shop FROM orders AS o WHERE id % 2 = 0;"""
    mapping = orders_mapping(server.dsn, table=None, query=query, batch_rows=5)
    assert pull(home, mapping, "history").rows == 12
    land_waiting(home, mapping)
    assert ids(home) == list(range(2, 25, 2))


def test_without_a_cursor_the_same_rows_land_once(server: PostgresServer, home: Home) -> None:
    mapping = orders_mapping(server.dsn, cursor=None)
    for _ in range(2):
        assert pull(home, mapping, "history").cursor is None
        land_waiting(home, mapping)
    assert len(Ledger(home).landed()) == 1
    assert pull(home, mapping, "history") == PullReport([], 0, None)


def test_rows_without_a_cursor_value_are_told(server: PostgresServer, home: Home) -> None:
    server.execute("UPDATE orders SET id = NULL WHERE id > 20")
    report = pull(home, orders_mapping(server.dsn), "history")
    assert (report.rows, report.without_cursor) == (20, 5)
    assert report.told == "20 rows pulled from PostgreSQL, up to 20. 5 rows were left, as their cursor is NULL."


def test_young_rows_wait_for_transactions_that_are_still_open(server: PostgresServer, home: Home) -> None:
    server.execute("UPDATE orders SET time = now() WHERE id > 20")
    mapping = orders_mapping(server.dsn, cursor="time", delay_seconds=3600)
    assert pull(home, mapping, "history").rows == 20
    server.execute("UPDATE orders SET time = now() - interval '2 hours' WHERE id > 20")
    assert pull(home, mapping, "history").rows == 5


@pytest.mark.parametrize(("moment", "at_which"), [
    ("commit", "10"), ("commit", "20"), ("commit", "25"),
    ("name", "orders-000001.parquet"), ("name", "orders-000003.parquet"),
])  # fmt: skip
def test_a_pull_killed_between_batch_and_commit_loses_and_doubles_nothing(
    moment: str, at_which: str, server: PostgresServer, home: Home
) -> None:
    command = [sys.executable, "-c", KILLED_CHILD, str(home.root), server.dsn, moment, at_which]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -signal.SIGKILL
    mapping = orders_mapping(server.dsn, batch_rows=10)
    land_waiting(home, mapping)
    before = len(ids(home))
    assert before < 25
    report = pull(home, mapping, "history")
    assert report.rows == {"commit": 25 - before, "name": max(0, 15 - before)}[moment]
    land_waiting(home, mapping)
    assert ids(home) == list(range(1, 26))
    assert not list(home.landing.rglob(".*"))


@pytest.mark.parametrize(
    ("declared", "parts"),
    [
        ({"table": "ordrs"}, ["source.postgres.table", '"ordrs" does not exist', "Did you mean 'orders'?"]),
        ({"cursor": "idd"}, ["source.postgres.cursor", "orders has no column 'idd'", "Did you mean 'id'?"]),
        ({"table": None, "query": "SELECT id FROM orders"}, ["columns.user_id", "has no column 'user'"]),
        ({"table": None, "query": "SELECT FROM WHERE"}, ["source.postgres.query", "refuses it", "syntax error"]),
        ({"table": None, "query": "DELETE FROM orders RETURNING *"}, ["source.postgres.query"]),
        ({"delay_seconds": 60}, ["source.postgres.delay_seconds", "BIGINT", "needs times"]),
        ({"dsn": "host=127.0.0.1 port=1 user=shop"}, ["cannot be reached", "port 1 failed", "dsn", "server runs"]),
    ],
)
def test_what_is_not_there_is_named(
    declared: dict[str, object], parts: list[str], server: PostgresServer, home: Home
) -> None:
    with pytest.raises(InputError) as raised:
        pull(home, orders_mapping(**{"dsn": server.dsn, **declared}), "history")
    for part in parts:
        assert part in str(raised.value)
    assert waiting(home) == []
    assert not (home.lake / "pulls.jsonl").exists()
    assert server.execute("SELECT count(*) FROM orders") == "25"


def test_a_server_that_goes_down_during_a_pull_loses_nothing(
    server: PostgresServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = orders_mapping(server.dsn, batch_rows=10)
    write, written = PostgresRows.write, []

    def interrupted(rows: PostgresRows, batch: Batch, file: Path) -> int:
        if written:
            server.stop()
        written.append(batch)
        return write(rows, batch, file)

    monkeypatch.setattr(PostgresRows, "write", interrupted)
    try:
        with pytest.raises(InputError, match=r"did not answer a query of the pull.*run again"):
            pull(home, mapping, "history")
        with pytest.raises(InputError, match="cannot be reached"):
            pull(home, mapping, "history")
    finally:
        server.start()
    monkeypatch.undo()
    assert len(waiting(home)) == 1
    assert pull(home, mapping, "history").rows == 15
    land_waiting(home, mapping)
    assert ids(home) == list(range(1, 26))


def test_the_connection_may_come_from_the_environment(
    server: PostgresServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "shop",
        "PGDATABASE": "postgres",
    }.items():
        monkeypatch.setenv(name, value)
    assert pull(home, orders_mapping(""), "history").rows == 25


def test_a_password_is_asked_of_the_environment_and_appears_nowhere(
    server: PostgresServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for dsn in ("host=h password=hunter2", "postgresql://shop:hunter2@h/db"):
        with pytest.raises(ValueError, match="PGPASSWORD"):
            orders_mapping(dsn)
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    pull(home, orders_mapping(server.dsn), "history")
    with pytest.raises(InputError) as raised:
        pull(home, orders_mapping("host=127.0.0.1 port=1"), "history")
    assert "hunter2" not in str(raised.value)
    assert all(b"hunter2" not in path.read_bytes() for path in home.root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"query": "SELECT 1"}, "give one of table"),
        ({"table": None}, "give one of table"),
        ({"cursor": None, "delay_seconds": 5}, "delay_seconds needs a cursor"),
        ({"batch_rows": 0}, "greater than or equal to 1"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(declared: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        orders_mapping("", **declared)


def test_a_mapping_without_the_section_says_so(home: Home) -> None:
    with pytest.raises(UsageError, match=r"no section \[source\.postgres\]"):
        pull(home, mapping_of(), "history")


def test_without_the_wheel_it_says_what_to_install(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"Install duckdb-extension-postgres==1\.5\.5"):
        pull(home, orders_mapping(""), "history")
