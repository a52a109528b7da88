from pathlib import Path

import duckdb
import pytest

from churn_platform.warehouse.connection import open_database, table_exists


def test_what_is_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    with open_database(file) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    with open_database(file, read_only=True) as connection:
        assert connection.execute("FROM t").fetchall() == [(1,)]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    with open_database(file):
        pass
    with (
        open_database(file, read_only=True) as connection,
        pytest.raises(duckdb.InvalidInputException, match="read-only"),
    ):
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")


def test_a_reader_of_a_file_that_is_not_there_creates_none(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    with pytest.raises(duckdb.IOException), open_database(file, read_only=True):
        pass
    assert not file.exists()


def test_the_connection_is_closed_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), open_database(":memory:") as connection:
        raise ZeroDivisionError
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        connection.execute("SELECT 1")


def test_extensions_are_neither_downloaded_nor_loaded_on_their_own() -> None:
    with open_database(":memory:") as connection:
        for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert connection.execute("SELECT current_setting($name)", {"name": setting}).fetchall() == [(False,)]


def test_only_tables_of_the_open_file_itself_exist(tmp_path: Path) -> None:
    with open_database(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS x")
        connection.execute("CREATE VIEW seen AS FROM mine")
        connection.execute("CREATE SCHEMA other; CREATE TABLE other.theirs AS FROM mine")
        connection.execute("ATTACH ':memory:' AS beside; CREATE TABLE beside.elsewhere AS FROM mine")
        assert table_exists(connection, "mine")
        for name in ("seen", "theirs", "elsewhere", "nobody's"):
            assert not table_exists(connection, name)
