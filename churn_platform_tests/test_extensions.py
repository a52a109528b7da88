"""DuckDB's extensions come from their wheels, and a missing one says what to install."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import duckdb
import pytest

from churn_platform.errors import UsageError
from churn_platform.extensions import Extension, extension_file, load_extension

QUIET: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@pytest.mark.parametrize(("name", "function"), [("excel", "read_xlsx"), ("postgres", "postgres_query")])
def test_an_extension_is_loaded_into_one_connection(name: Extension, function: str) -> None:
    known = "SELECT count(*) > 0 FROM duckdb_functions() WHERE function_name = ?"
    with duckdb.connect(config=QUIET) as connection:
        assert connection.execute(known, [function]).fetchall() == [(False,)]
        load_extension(connection, name, "A test")
        assert connection.execute(known, [function]).fetchall() == [(True,)]


def test_a_missing_wheel_is_named_with_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as raised:
        extension_file("postgres", "Pulling from PostgreSQL")
    for part in (
        "Pulling from PostgreSQL needs",
        "is not installed",
        f"duckdb-extension-postgres=={duckdb.__version__}",
        "churn-platform[sources]",
    ):
        assert part in str(raised.value)


def test_a_wheel_for_another_release_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = ModuleSpec("duckdb_extension_excel", None, is_package=True)
    other.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: other)
    with pytest.raises(UsageError, match="holds another release"):
        extension_file("excel", "A test")
