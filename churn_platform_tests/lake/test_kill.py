"""kill -9 in the middle of an ingest: the next normal run gives the lake of an undisturbed one."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import polars as pl
import pytest

from churn_platform.lake.ingest import ingest
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, at, mapping_of

CHILD = """
import sys
from pathlib import Path
from churn_platform.lake.ingest import ingest
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, at, mapping_of
print("ready", flush=True)
ingest(Path(sys.argv[1]), "history", mapping_of(), Home(Path(sys.argv[2])), "UTC", ARRIVED)
print("done", flush=True)
"""


def content_hash(home: Home) -> tuple[object, ...]:
    with duckdb.connect() as connection:
        create_raw_events_view(connection, Ledger(home).fragments())
        return connection.execute("SELECT count(*), bit_xor(hash(raw_events)) FROM raw_events").fetchall()[0]


def start(path: Path, home: Home) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(path), str(home.root)]
    root = Path(__file__).parents[2]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_ingest_is_completed_by_the_next_one(kills: int, tmp_path: Path) -> None:
    days = pl.datetime_range(at(2023, 12, 1), at(2024, 3, 1), interval="1d", eager=True)
    path = tmp_path / "a.parquet"
    pl.DataFrame({"time": days.sample(20_000, with_replacement=True, seed=1)}).with_columns(
        user=pl.lit("u"), type=pl.lit("view"), qty=pl.int_range(pl.len()), price=2.0
    ).write_parquet(path)
    undisturbed = Home(tmp_path / "undisturbed").create()
    began = time.monotonic()
    ingest(path, "history", mapping_of(), undisturbed, "UTC", ARRIVED)
    usual = time.monotonic() - began
    home, moments, killed = Home(tmp_path / "home").create(), random.Random(7), 0  # noqa: S311 - moments of a test
    for attempt in range(kills):
        with start(path, home) as child:
            time.sleep(usual * (attempt + moments.random()) / kills)
            child.send_signal(signal.SIGKILL)
        killed += child.returncode == -signal.SIGKILL
        assert not Ledger(home).fragments() or content_hash(home) == content_hash(undisturbed)
    assert killed > kills / 2
    ingest(path, "history", mapping_of(), home, "UTC", ARRIVED)
    assert content_hash(home) == content_hash(undisturbed)
    assert not list((home.lake / ".staging").glob("*"))
