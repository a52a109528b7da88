"""DuckDB without the network: its extensions come from their wheels on this machine, nothing is ever downloaded."""

import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import duckdb

from churn_platform.errors import UsageError

Extension = Literal["excel", "postgres"]

# DuckDB derives the entry point's name from the file's, and the postgres wheel names its file otherwise.
ENTRY_NAMES: dict[Extension, str] = {"excel": "excel", "postgres": "postgres_scanner"}


def connect_offline(
    file: Path | str = ":memory:", *, read_only: bool = False, settings: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB so that it never downloads an extension, nor loads one on its own; close it, or use it in a `with`.

    Args:
        settings: DuckDB's own, for the whole database, such as memory_limit.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        **(settings or {}),
    }
    return duckdb.connect(str(file), read_only=read_only, config=config)


def load_extension(connection: duckdb.DuckDBPyConnection, name: Extension, needed_for: str) -> None:
    """Load an extension into one connection.

    Args:
        needed_for: what cannot be done without it, as the error begins, such as 'Reading orders.xlsx'.

    Raises:
        UsageError: the wheel is missing or serves another DuckDB; says what to install.
    """
    file = extension_file(name, needed_for)
    with tempfile.TemporaryDirectory(prefix="churn-extension-") as folder:
        link = Path(folder) / f"{ENTRY_NAMES[name]}.duckdb_extension"
        link.symlink_to(file)
        connection.load_extension(str(link))


def extension_file(name: Extension, needed_for: str) -> Path:
    """The extension's file in the wheel `duckdb-extension-<name>`, which serves exactly one DuckDB release.

    Raises:
        UsageError: the wheel is missing or serves another DuckDB; says what to install.
    """
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = package.submodule_search_locations if package else None
    for folder in folders or []:
        file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if file.is_file():
            return file
    raise UsageError(
        f"{needed_for} needs DuckDB's {name} extension for DuckDB {duckdb.__version__}, expected from the package "
        f"duckdb-extension-{name}, {'which holds another release' if folders else 'which is not installed'}. "
        f"Install duckdb-extension-{name}=={duckdb.__version__}, or all of them with churn-platform[sources]."
    )
