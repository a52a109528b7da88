"""Columns that tell nothing do not hurt, measured where a column that tells something helps."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from churn_platform.core.evaluation import CHAMPION, FoldEvaluation
from churn_platform.core.metrics import Interval, PairedScores, pooled_gain
from churn_platform.orchestration.shop import Shop
from churn_platform.registry.candidate import evaluate_folds
from churn_platform.simulator.shop import write_shop
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform_tests.integration.shops import SHORT_WINDOWS, SIMULATED_MAPPING, churn

pytestmark = pytest.mark.slow

SHOP = ShopSettings(customers=800, first_day=date(2025, 1, 1), last_day=date(2025, 8, 31), seed=5)
NOISE = [f"noise_{number}" for number in range(30)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A simulated shop, taken through the whole lifecycle."""
    folder = tmp_path_factory.mktemp("shop")
    definition = folder / "churn.toml"
    definition.write_text(SHORT_WINDOWS)
    source: Path = write_shop(SHOP, folder / "source").events
    ended = churn(
        "run", "--source", source, "--mapping", SIMULATED_MAPPING, "--definition", definition, home=folder / "home"
    )
    assert ended.code == 0, ended.output
    return Shop(home_folder=str(folder / "home"))


def test_thirty_columns_of_noise_move_the_auc_by_no_more_than_chance_and_one_hint_by_more(shop: Shop) -> None:
    with shop.warehouse() as connection:
        frame = shop.training_frame(connection)
    generator = np.random.default_rng(12)
    noise = [pl.Series(name, generator.normal(size=frame.height)) for name in NOISE]
    hint = pl.Series("hint", frame["churned"].cast(pl.Float64) + generator.normal(0, 2, frame.height))
    frame = frame.with_columns(*noise, hint)

    plain = evaluated(shop, frame, [])
    assert len(plain) == 3
    with_noise = gained(evaluated(shop, frame, NOISE), plain)
    with_hint = gained(evaluated(shop, frame, ["hint"]), plain)

    assert with_noise.lower <= 0 <= with_noise.upper, with_noise
    assert abs(with_noise.value) < 0.01
    assert with_hint.lower > 0, "the measure sees a column that tells something"


def evaluated(shop: Shop, frame: pl.DataFrame, added: Sequence[str]) -> list[FoldEvaluation]:
    protocol = replace(shop.protocol, resamples=20)
    columns = [name for name in frame.columns if name not in {*NOISE, "hint"} - set(added)]
    return list(evaluate_folds(frame.select(columns), [*shop.features, *added], shop.plan, protocol))


def gained(with_added: Sequence[FoldEvaluation], plain: Sequence[FoldEvaluation]) -> Interval:
    """By how much the mean out-of-time AUC is better with the added columns, over resamples of customers."""
    folds = []
    for one, other in zip(with_added, plain, strict=True):
        assert one.predictions["user_id"].equals(other.predictions["user_id"])
        folds.append(
            PairedScores(
                one.predictions["user_id"].to_numpy(),
                one.predictions["churned"].to_numpy(),
                one.predictions[CHAMPION].to_numpy(),
                other.predictions[CHAMPION].to_numpy(),
            )
        )
    return pooled_gain(folds, "auc")
