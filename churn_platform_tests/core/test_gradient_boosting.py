import numpy as np
import polars as pl
import pytest

from churn_platform.core.gradient_boosting import BoostedModel, BoostingParameters, choose_rounds
from churn_platform.core.metrics import auc
from churn_platform.core.purging import latest_validation
from churn_platform.errors import InputError, NotEnoughData
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

FRAME = shop_frame()
LATER = shop_frame(seed=9)
INPUTS, CHURNED = FRAME.select(FEATURES), FRAME["churned"].to_numpy()
SMALL = BoostingParameters(seeds=3)
MODEL = BoostedModel.fit(INPUTS, CHURNED, rounds=60, parameters=SMALL)


def test_learns_what_holds_for_other_users() -> None:
    assert auc(LATER["churned"], MODEL.predict(LATER)) > 0.75
    assert MODEL.dropped == ("views_30d",)


def test_training_twice_gives_the_same_bytes() -> None:
    again = BoostedModel.fit(INPUTS, CHURNED, rounds=60, parameters=SMALL)
    assert again.to_bytes() == MODEL.to_bytes()


def test_what_the_offset_says_is_not_learnt_again() -> None:
    half = np.arange(FRAME.height) % 2
    marked, stormy = INPUTS.with_columns(half=pl.Series(half)), np.where(half == 1, 1, CHURNED)
    known, unknown = (
        BoostedModel.fit(marked, stormy, rounds=60, parameters=SMALL, offset=offset) for offset in (half * 6.0, None)
    )
    apart = [
        margin[half == 1].mean() - margin[half == 0].mean()
        for margin in (known.predict_margin(marked), unknown.predict_margin(marked))
    ]
    assert abs(apart[0]) < 0.1
    assert apart[1] > 1
    nothing = BoostedModel.fit(INPUTS, CHURNED, rounds=60, parameters=SMALL, offset=np.zeros(FRAME.height))
    assert nothing.predict_margin(INPUTS) == pytest.approx(MODEL.predict_margin(INPUTS), abs=1e-4)


def test_seeds_differ_and_their_margins_are_averaged() -> None:
    files = MODEL.to_bytes()
    assert sorted(files) == ["boosted.json", "boosted_0.ubj", "boosted_1.ubj", "boosted_2.ubj"]
    assert files["boosted_0.ubj"] != files["boosted_1.ubj"]
    alone = [BoostedModel(MODEL.features, (), 60, (booster,)).predict_margin(INPUTS) for booster in MODEL.boosters]
    assert MODEL.predict_margin(INPUTS) == pytest.approx(np.mean(alone, axis=0), abs=1e-6)


def test_contributions_are_exact() -> None:
    parts = MODEL.contributions(LATER)
    assert parts.features == MODEL.features
    assert parts.margin == pytest.approx(MODEL.predict_margin(LATER), abs=1e-4)
    strength = dict(zip(parts.features, np.abs(parts.values).mean(axis=0), strict=True))
    assert min(strength["recency_days"], strength["orders_90d"]) > strength["spend_90d"]


def test_approximate_contributions_add_up_too_and_mostly_agree_on_the_strongest_feature() -> None:
    exact, approximate = MODEL.contributions(LATER), MODEL.contributions(LATER, exact=False)
    assert approximate.margin == pytest.approx(MODEL.predict_margin(LATER), abs=1e-4)
    strongest = [np.abs(parts.values).argmax(axis=1) for parts in (exact, approximate)]
    assert (strongest[0] == strongest[1]).mean() > 0.8


def test_bytes_round_trip_is_the_same_model() -> None:
    loaded = BoostedModel.from_bytes(MODEL.to_bytes())
    assert loaded.predict_margin(LATER).tolist() == MODEL.predict_margin(LATER).tolist()
    assert (loaded.features, loaded.dropped, loaded.rounds) == (MODEL.features, MODEL.dropped, MODEL.rounds)
    assert loaded.to_bytes() == MODEL.to_bytes()


def test_column_order_does_not_matter_but_absence_does() -> None:
    shuffled = LATER.select(reversed(FEATURES))
    assert MODEL.predict_margin(shuffled).tolist() == MODEL.predict_margin(LATER).tolist()
    with pytest.raises(InputError, match="missing: orders_90d"):
        MODEL.predict(LATER.drop("orders_90d"))


def test_no_users_give_no_scores() -> None:
    assert MODEL.predict(LATER.head(0)).shape == (0,)


def test_a_missing_file_is_named() -> None:
    files = MODEL.to_bytes()
    del files["boosted_1.ubj"]
    with pytest.raises(InputError, match=r"lacks its file boosted_1\.ubj"):
        BoostedModel.from_bytes(files)


def test_early_stopping_stops_later_on_signal_than_on_noise() -> None:
    split = latest_validation(FRAME["snapshot_date"], WINDOW_DAYS)
    assert split is not None
    signal = choose_rounds(INPUTS, CHURNED, FRAME["snapshot_date"], split, SMALL)
    coin = np.random.default_rng(0).integers(0, 2, FRAME.height)
    noise = choose_rounds(INPUTS, coin, FRAME["snapshot_date"], split, SMALL)
    assert noise.rounds < 40 < signal.rounds < SMALL.max_rounds
    assert auc(CHURNED[split.validation], signal.validation_margin) > 0.75


def test_rounds_are_chosen_without_the_rows_that_are_purged() -> None:
    split = latest_validation(FRAME["snapshot_date"], WINDOW_DAYS)
    assert split is not None
    purged = ~(split.fit | split.validation)
    assert purged.any()
    flipped = np.where(purged, 1 - CHURNED, CHURNED)
    kept = choose_rounds(INPUTS, CHURNED, FRAME["snapshot_date"], split, SMALL)
    changed = choose_rounds(INPUTS, flipped, FRAME["snapshot_date"], split, SMALL)
    assert changed.rounds == kept.rounds
    assert changed.validation_margin.tolist() == kept.validation_margin.tolist()


@pytest.mark.parametrize(("rows", "smallest_leaf"), [(100, 5.0), (10_000, 20.0), (1_000_000, 50.0)])
def test_the_smallest_leaf_follows_the_size_of_the_shop(rows: int, smallest_leaf: float) -> None:
    assert BoostingParameters().for_xgboost(rows, seed=0)["min_child_weight"] == smallest_leaf


def test_one_class_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="churners"):
        BoostedModel.fit(pl.DataFrame({"a": [1, 2]}), [1, 1], rounds=1)
