"""A home that never had a model still publishes; what others drop into landing/ holds nobody up."""

import time
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from churn_platform.lake.ledger import Ledger
from churn_platform.orchestration.arrivals import SETTLE_SECONDS
from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import SHORT_WINDOWS, SIMULATED_MAPPING, churn, materialise, rows

pytestmark = pytest.mark.lifecycle


@pytest.fixture(scope="module")
def young(small_shop: SmallShop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Path, Path]:
    """The first 100 days of the small shop: one label window has closed, and no fold can be tested."""
    folder = tmp_path_factory.mktemp("young")
    source = folder / "young.parquet"
    pl.read_parquet(small_shop.source).filter(pl.col("occurred_at") < datetime(2025, 4, 10, tzinfo=UTC)).write_parquet(
        source
    )
    definition = folder / "churn.toml"
    definition.write_text(SHORT_WINDOWS)
    return Home(folder / "home").create(), source, definition


def test_the_next_rung_scores_and_publishes_where_no_model_can_be_tested(young: tuple[Home, Path, Path]) -> None:
    home, source, definition = young
    (home.landing / "somebody_elses.csv").write_text("this,is\nnot,ours\n")
    arguments = ["run", "--source", source, "--mapping", SIMULATED_MAPPING, "--definition", definition]
    ended = churn(*arguments, home=home.root)
    assert ended.code == 1, ended.output
    assert "data_readiness_rules failed" in ended.output and "days of history are needed" in ended.output
    assert not home.registry_file.exists(), "no model was trained"
    assert "These scores come from the bgnbd" in ended.output
    assert rows(home.published_file, "SELECT DISTINCT scored_by FROM churn_scores_latest") == [("bgnbd",)]
    assert rows(home.published_file, "SELECT count(*) FROM model_evaluation") == [(0,)]
    assert rows(home.published_file, "SELECT verdict FROM data_readiness WHERE rule = 'out_of_time_test'") == [
        ("fail",)
    ]
    assert len(Ledger(home).landed()) == 1
    assert churn("readiness", home=home.root).code == 1


def test_a_file_of_somebody_else_that_has_settled_is_moved_aside(young: tuple[Home, Path, Path]) -> None:
    home, source, definition = young
    (home.landing / "anothers.csv").write_text("this,is\nnot,ours\n")
    time.sleep(SETTLE_SECONDS)
    arguments = ["run", "--source", source, "--mapping", SIMULATED_MAPPING, "--definition", definition]
    assert churn(*arguments, home=home.root).code == 1
    assert (home.rejected / "anothers.csv").exists()
    assert "anothers.csv has no column 'customer'" in (home.rejected / "anothers.csv.error.txt").read_text()


def test_a_label_whose_window_is_open_is_not_built_by_hand_either(
    young: tuple[Home, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _, _ = young
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    before = rows(home.warehouse_file, "SELECT DISTINCT snapshot_date FROM churn_labels ORDER BY 1")
    day = Ledger(home).days()[-1]
    for asked in (date(2025, 4, 1), date(2031, 1, 1)):
        ended = materialise(home, ["churn_labels"], day, day, rebuild=[asked])
        assert not ended.success
    assert rows(home.warehouse_file, "SELECT DISTINCT snapshot_date FROM churn_labels ORDER BY 1") == before
