"""The sides of `make bench` compute the same: else their times could not be compared."""

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import open_database
from churn_platform_tests.benchmarks import bare_side, pandas_side
from churn_platform_tests.benchmarks.files import ShopExport, shop_export
from churn_platform_tests.benchmarks.pipeline import Size, platform, stages_table

pytestmark = pytest.mark.lifecycle

SETTINGS = ShopSettings(customers=300, first_day=date(2024, 9, 1), last_day=date(2025, 10, 31))


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> ShopExport:
    return shop_export(SETTINGS, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def home(export: ShopExport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after the history."""
    folder = Home(tmp_path_factory.mktemp("bench") / "home").create().root
    told = platform(folder, export, "history", SETTINGS.last_day)
    assert {"raw_events", "stg_events", "user_features", "training_set"} <= told["steps"].keys()
    assert all(0 <= figures["gate"] <= figures["seconds"] for figures in told["steps"].values())
    return folder


def test_the_export_is_split_at_the_last_midnight(export: ShopExport) -> None:
    history, day = pl.read_parquet(export.history), pl.read_parquet(export.last_day)
    assert history["occurred_at"].dt.date().max() < SETTINGS.last_day
    assert day["occurred_at"].dt.date().unique().to_list() == [SETTINGS.last_day]


def test_pandas_and_the_platform_give_the_same_training_set(export: ShopExport, home: Path) -> None:
    shop = Shop(home_folder=str(home))
    snapshots = [pd.Timestamp(day) for day in shop.plan.examined]
    windows = shop.windows
    other = pandas_side.training_set(export.history, snapshots, windows.lookback, windows.horizon)
    with open_database(home / "warehouse.duckdb", read_only=True) as connection:
        own = connection.sql(
            "SELECT user_features.*, churned FROM training_set JOIN user_features USING (snapshot_date, user_id)"
        ).pl()
    keys = ["snapshot_date", "user_id"]
    theirs = pl.from_pandas(other.reset_index()).with_columns(pl.col("snapshot_date").cast(pl.Date))
    features = [name for name in own.columns if name not in (*keys, "is_eligible", "churned")]
    assert set(features) <= set(theirs.columns)
    numbers = pl.col(features).cast(pl.Float64).fill_nan(None)
    assert_frame_equal(
        own.select(*keys, "churned", numbers).sort(keys),
        theirs.select(*keys, "churned", numbers).sort(keys),
        abs_tol=1e-6,
    )


def test_the_bare_script_and_the_platform_give_the_same_tables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_HOME", str(home))
    shop, library = Shop(home_folder=str(home)), default_library()
    bare = home.parent / "bare.duckdb"
    with duckdb.connect(str(bare)) as connection:
        figures = bare_side.run(connection, shop)
    assert set(figures) == set(bare_side.tables(library))
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{home / 'warehouse.duckdb'}' AS own (READ_ONLY)")
        connection.execute(f"ATTACH '{bare}' AS bare (READ_ONLY)")
        for table in figures:
            # what the source does not report is null in the platform; the bare script does not look
            columns = ", ".join(column.name for column in library.contract(table).columns if not column.needs)
            own, other = f"SELECT {columns} FROM own.{table}", f"SELECT {columns} FROM bare.{table}"
            differing = f"({own} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {own})"
            assert connection.execute(f"SELECT count(*) FROM ({differing})").fetchall() == [(0,)], table


def test_the_checks_of_the_bare_script_count_bad_rows() -> None:
    contract = default_library().contract("fct_sessions")
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE dim_users AS SELECT 'ann' AS user_id")
        connection.execute(
            "CREATE TABLE fct_sessions AS SELECT 's' AS session_id, 'bob' AS user_id, DATE '2025-01-01'"
            " AS session_date, DATE '2025-01-01' AS known_date, TIMESTAMP '2025-01-01 12:00' AS started_at,"
            " TIMESTAMP '2025-01-01 11:00' AS ended_at, 0 AS events, 0 AS views, 0 AS searches, 0 AS carts,"
            " 0 AS purchases"
        )
        counted = [sum(connection.execute(query).fetchall()[0]) for query in bare_side.checks(contract)]
    assert sum(counted) == 3  # a customer who is not known, an end before its start, a visit without events


def test_a_size_adds_up_stages_and_ratios() -> None:
    def step(seconds: float, gate: float) -> dict[str, float]:
        return {"seconds": seconds, "gate": gate}

    others = ("dim_users", "fct_orders", "user_features", "churn_labels", "training_set")
    windowed = {name: step(1, 0) for name in others}
    history = {"raw_events": step(5, 0), "stg_events": step(6, 2), "user_days": step(4, 1), **windowed}
    bare = {"stg_events": step(4, 1), "user_days": step(2, 1), **windowed}
    size = Size(
        million_events=1,
        snapshots=12,
        history={"seconds": 50.0, "steps": history, "peak_gib": 1.0},
        bare={"seconds": 11.0, "steps": bare, "peak_gib": 1.0},
        day={"seconds": 4.0, "steps": {}, "peak_gib": 1.0},
        pandas={"seconds": 100.0, "peak_gib": 1.0},
    )
    assert size.ratios == pytest.approx(
        {
            "tables_over_bare": 15 / 11,
            "gates_over_bare": 1.5,
            "gates_share": 0.2,
            "day_over_history": 0.08,
            "pandas_over_platform": 5.0,
        }
    )
    assert stages_table([size]).row_count == 1
