import json

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from churn_platform.core.logistic_baseline import LogisticBaseline, seasonal_effects
from churn_platform.core.metrics import auc
from churn_platform.errors import InputError, NotEnoughData
from churn_platform_tests.core.shop_frame import FEATURES, shop_frame

FRAME = shop_frame()
INPUTS, CHURNED = FRAME.select(FEATURES), FRAME["churned"].to_numpy()
MODEL = LogisticBaseline.fit(INPUTS, CHURNED)


def test_equals_sklearn_on_the_same_columns() -> None:
    raw = np.log1p(INPUTS.select(MODEL.features).to_numpy().astype(np.float32).astype(np.float64))
    missing = np.isnan(raw)
    standard = np.nan_to_num((raw - np.nanmean(raw, axis=0)) / np.nanstd(raw, axis=0))
    design = np.hstack([standard, missing[:, [MODEL.features.index("median_gap_days")]]])
    other = LogisticRegression(C=0.01, tol=1e-10, max_iter=5000).fit(design, CHURNED)
    assert MODEL.predict(INPUTS) == pytest.approx(other.predict_proba(design)[:, 1], abs=1e-4)


def swinging(by: float) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes where a share of those who stayed in the first snapshot churn after all; and who is of it."""
    first = (FRAME["snapshot_date"] == FRAME["snapshot_date"].min()).to_numpy()
    drawn = np.random.default_rng(3).random(FRAME.height) < by
    return np.where(first & drawn, 1, CHURNED), first


def test_a_snapshots_effect_is_what_its_date_adds_beside_the_features() -> None:
    still, season = LogisticBaseline.fit_with_season(INPUTS, CHURNED, FRAME["snapshot_date"])
    stormy, moved = LogisticBaseline.fit_with_season(INPUTS, swinging(0.4)[0], FRAME["snapshot_date"])
    assert moved.snapshots == tuple(FRAME["snapshot_date"].unique().sort())
    assert moved.users == tuple(FRAME.group_by("snapshot_date").len().sort("snapshot_date")["len"])
    for found in (season, moved):
        assert np.dot(found.effects, found.users) == pytest.approx(0, abs=1e-4)
    assert moved.effects[0] > max(moved.effects[1:]) + 0.5
    assert np.abs(season.effects).max() < 0.5
    assert auc(CHURNED, stormy.predict(INPUTS)) == pytest.approx(auc(CHURNED, still.predict(INPUTS)), abs=0.01)


def test_with_one_snapshot_there_is_no_effect() -> None:
    same = pl.repeat(FRAME["snapshot_date"][0], FRAME.height, eager=True)
    model, season = LogisticBaseline.fit_with_season(INPUTS, CHURNED, same)
    assert season.effects == (0.0,)
    assert model.predict(INPUTS) == pytest.approx(MODEL.predict(INPUTS), abs=1e-3)


def test_a_snapshot_in_which_everybody_churned_has_a_bounded_effect() -> None:
    outcome, first = swinging(1.0)
    _, season = LogisticBaseline.fit_with_season(INPUTS, outcome, FRAME["snapshot_date"])
    assert outcome[first].all()
    assert 1 < season.effects[0] < 10


def test_what_grows_with_the_history_takes_no_part_in_the_effects() -> None:
    days = FRAME["snapshot_date"]
    age = (days - days.min()).dt.total_days()
    outcome, _ = swinging(0.4)
    steady = FRAME.select("recency_days", "orders_90d", "spend_90d")
    growing = FRAME.select(FEATURES).with_columns(
        active_tenure_days=100 + age, orders_365d=age + pl.Series(outcome), spend_total=age * 2
    )
    assert seasonal_effects(growing, outcome, days) == seasonal_effects(steady, outcome, days)
    covered = growing.with_columns(active_tenure_days=365 + age)
    assert seasonal_effects(covered, outcome, days) != seasonal_effects(steady, outcome, days)


def test_without_windows_the_effects_are_beside_what_there_is() -> None:
    other = INPUTS.select(pl.col("median_gap_days"))
    _, beside_all = LogisticBaseline.fit_with_season(other, CHURNED, FRAME["snapshot_date"])
    assert seasonal_effects(other, CHURNED, FRAME["snapshot_date"]) == beside_all


def test_learns_and_drops_what_never_varies() -> None:
    assert auc(CHURNED, MODEL.predict(INPUTS)) > 0.75
    assert MODEL.dropped == ("views_30d",)
    weight = dict(zip(MODEL.features, MODEL.weight, strict=True))
    assert weight["recency_days"] > 0 > weight["orders_90d"]


def test_contributions_add_up_to_the_margin_and_average_to_nothing() -> None:
    parts = MODEL.contributions(INPUTS)
    assert parts.values.shape == (FRAME.height, len(MODEL.features))
    assert parts.margin == pytest.approx(MODEL.predict_margin(INPUTS))
    assert parts.values.mean(axis=0) == pytest.approx(np.zeros(len(MODEL.features)), abs=1e-9)


def test_a_missing_value_counts_as_the_mean_and_its_indicator() -> None:
    position = MODEL.features.index("median_gap_days")
    absent = INPUTS.head(1).with_columns(pl.lit(None, dtype=pl.Float64).alias("median_gap_days"))
    expected = MODEL.missing_weight[position] * (1 - MODEL.missing_share[position])
    assert MODEL.contributions(absent).values[0, position] == pytest.approx(expected)
    assert MODEL.missing_weight[position] != 0


def test_json_round_trip_is_the_same_model() -> None:
    assert LogisticBaseline.from_dict(json.loads(json.dumps(MODEL.to_dict()))) == MODEL


def test_training_twice_gives_the_same_numbers() -> None:
    assert LogisticBaseline.fit(INPUTS, CHURNED) == MODEL


def test_more_penalty_shrinks_the_weights() -> None:
    shrunk = LogisticBaseline.fit(INPUTS, CHURNED, inverse_penalty=1e-5)
    assert np.linalg.norm(shrunk.weight) < np.linalg.norm(MODEL.weight) / 2


def test_a_missing_feature_and_one_class_are_refused() -> None:
    with pytest.raises(InputError, match="spend_90d"):
        MODEL.predict(INPUTS.drop("spend_90d"))
    with pytest.raises(NotEnoughData, match="0 churners"):
        LogisticBaseline.fit(INPUTS, np.zeros(FRAME.height))
