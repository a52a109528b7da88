"""The published file: what it holds, and that a reader and a kill never see half of it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from churn_platform.warehouse import published
from churn_platform.warehouse.connection import open_database
from churn_platform.warehouse.published import BY_SNAPSHOT, PUBLISHED_TABLES, STORAGE_VERSION, publish

ROOT = Path(__file__).parents[2]
SNAPSHOTS = [date(2024, 5, 1) + timedelta(days=day) for day in range(5)]
READER = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    for _ in range(2):
        print(connection.execute("SELECT count(*) FROM user_profiles").fetchall()[0][0], flush=True)
        sys.stdin.readline()
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from churn_platform.warehouse import published
from churn_platform.warehouse.connection import open_database

published.sync_to_disk = lambda path: os.kill(os.getpid(), signal.SIGKILL)
with open_database(sys.argv[1]) as connection:
    connection.execute("INSERT INTO user_profiles VALUES ('new')")
    published.publish(connection, Path(sys.argv[2]), snapshots=90)
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse of all published tables: two users at each of five snapshots, and one row in every other table."""
    with open_database(tmp_path / "warehouse.duckdb") as connection:
        for table in PUBLISHED_TABLES:
            connection.execute(f"CREATE TABLE \"{table}\" AS SELECT 'u1' AS user_id")
        for table in BY_SNAPSHOT:
            connection.execute(
                f"CREATE OR REPLACE TABLE {table} AS SELECT unnest($days) AS snapshot_date, user_id"
                " FROM (VALUES ('u1'), ('u2')) users (user_id)",
                {"days": SNAPSHOTS},
            )
        yield connection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    return tmp_path / "published" / "churn.duckdb"


def profiles(file: Path) -> list[tuple[str]]:
    with open_database(file, read_only=True) as connection:
        return connection.execute("SELECT user_id FROM user_profiles ORDER BY user_id").fetchall()


def test_every_table_is_copied_whole_and_counted(warehouse: duckdb.DuckDBPyConnection, file: Path) -> None:
    rows = publish(warehouse, file, snapshots=90)
    assert rows == {table: 10 if table in BY_SNAPSHOT else 1 for table in PUBLISHED_TABLES}
    with open_database(file, read_only=True) as connection:
        found = {table: connection.table(table).count("*").fetchall()[0][0] for table in PUBLISHED_TABLES}
    assert found == rows
    assert [path.name for path in file.parent.iterdir()] == ["churn.duckdb"]


@pytest.mark.parametrize("table", BY_SNAPSHOT)
@pytest.mark.parametrize("kept", [1, 3, 5, 90])
def test_only_the_newest_snapshots_are_published(
    warehouse: duckdb.DuckDBPyConnection, file: Path, kept: int, table: str
) -> None:
    publish(warehouse, file, snapshots=kept)
    with open_database(file, read_only=True) as connection:
        found = connection.execute(f"SELECT DISTINCT snapshot_date FROM {table} ORDER BY ALL").fetchall()
    assert found == [(day,) for day in SNAPSHOTS[-kept:]]
    assert warehouse.execute(f"SELECT count(*) FROM {table}").fetchall() == [(10,)]


def test_a_snapshot_without_a_shadow_counts_all_the_same(warehouse: duckdb.DuckDBPyConnection, file: Path) -> None:
    warehouse.execute("DELETE FROM shadow_scores WHERE snapshot_date > $day", {"day": SNAPSHOTS[1]})
    assert publish(warehouse, file, snapshots=3)["shadow_scores"] == 0


def test_the_file_is_of_the_storage_version_that_older_clients_open(
    warehouse: duckdb.DuckDBPyConnection, file: Path
) -> None:
    publish(warehouse, file, snapshots=90)
    with open_database(file, read_only=True) as connection:
        query = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()"
        assert connection.execute(query).fetchall() == [(f"{STORAGE_VERSION}+",)]


def test_leftovers_of_a_killed_run_are_removed(warehouse: duckdb.DuckDBPyConnection, file: Path) -> None:
    for leftover in (".churn.duckdb.draft", ".churn.duckdb.draft.wal"):
        (file.parent / leftover).write_bytes(b"half a file")
    publish(warehouse, file, snapshots=90)
    assert profiles(file) == [("u1",)]
    assert [path.name for path in file.parent.iterdir()] == ["churn.duckdb"]


def test_an_open_reader_keeps_the_old_file_and_the_next_one_sees_the_new(
    warehouse: duckdb.DuckDBPyConnection, file: Path
) -> None:
    publish(warehouse, file, snapshots=90)
    command = [sys.executable, "-c", READER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "1\n"
        warehouse.execute("INSERT INTO user_profiles VALUES ('u2')")
        publish(warehouse, file, snapshots=90)
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "1\n"
        reader.stdin.write("\n")
        reader.stdin.flush()
    assert profiles(file) == [("u1",), ("u2",)]


def test_a_table_that_nothing_has_built_yet_is_published_empty(
    warehouse: duckdb.DuckDBPyConnection, file: Path
) -> None:
    warehouse.execute("DROP TABLE model_evaluation")
    assert publish(warehouse, file, snapshots=90)["model_evaluation"] == 0
    with open_database(file, read_only=True) as connection:
        assert "metric" in connection.table("model_evaluation").columns


def test_an_error_midway_leaves_the_old_file_and_the_warehouse_usable(
    warehouse: duckdb.DuckDBPyConnection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = published._copy

    def full_disk(connection: duckdb.DuckDBPyConnection, table: str, snapshots: int) -> int:
        if table == "data_dictionary":
            raise duckdb.IOException("no space left")
        return copy(connection, table, snapshots)

    publish(warehouse, file, snapshots=90)
    before = file.read_bytes()
    warehouse.execute("INSERT INTO user_profiles VALUES ('u2')")
    monkeypatch.setattr(published, "_copy", full_disk)
    with pytest.raises(duckdb.IOException, match="no space left"):
        publish(warehouse, file, snapshots=90)
    assert file.read_bytes() == before
    monkeypatch.undo()
    publish(warehouse, file, snapshots=90)
    assert profiles(file) == [("u1",), ("u2",)]


def test_a_kill_before_the_rename_leaves_the_old_file(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, file: Path
) -> None:
    publish(warehouse, file, snapshots=90)
    before = file.read_bytes()
    warehouse.close()
    command = [sys.executable, "-c", KILLED, str(tmp_path / "warehouse.duckdb"), str(file)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert file.read_bytes() == before
    with open_database(tmp_path / "warehouse.duckdb") as connection:
        publish(connection, file, snapshots=90)
    assert profiles(file) == [("new",), ("u1",)]
    assert [path.name for path in file.parent.iterdir()] == ["churn.duckdb"]
