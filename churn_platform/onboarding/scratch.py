"""Room for looking at data: DuckDB in memory, without extensions from the network, and a folder that does not stay."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from churn_platform.extensions import connect_offline

MEMORY: Final = "2GB"
FOLDERS: Final = ".churn-init-"


@contextmanager
def scratch_connection(spill: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that is closed at the end.

    Args:
        spill: where more than 2 GB goes; default: DuckDB's own place.
    """
    spilling = {} if spill is None else {"temp_directory": str(spill)}
    with connect_offline(settings={"memory_limit": MEMORY, **spilling}) as connection:
        connection.execute("SET enable_progress_bar = false")
        yield connection


@contextmanager
def scratch_folder(place: Path) -> Iterator[Path]:
    """A new folder in `place` that is removed at the end; those that a killed process left there are removed first."""
    for left in place.glob(f"{FOLDERS}*"):
        if left.is_symlink() or not left.is_dir():
            continue
        try:
            with _held(left):
                shutil.rmtree(left)
        except OSError:  # in use, or somebody else's
            continue
    with tempfile.TemporaryDirectory(prefix=FOLDERS, dir=place) as folder, _held(Path(folder)):
        yield Path(folder)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder as long as this process lives.

    Raises:
        OSError: another process holds it, or it cannot be written to.
    """
    descriptor = os.open(folder / ".in-use", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
