"""A fifth of the customers, the same ones everywhere, and a figure that a memorised outcome does not lift."""

import numpy as np
import polars as pl
import pytest

from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.held_out import FITTED_METRICS, fitted_metrics, held_out, held_out_metrics
from churn_platform.core.metrics import auc, ece, log_loss
from churn_platform.core.snapshot_means import snapshot_means
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

FRAME = shop_frame(users=300, snapshots=6)
QUICK = BoostingParameters(seeds=1, max_rounds=60)


def champion(frame: pl.DataFrame, features: list[str]) -> ChurnModel:
    return ChurnModel.train(
        frame.select(features), frame["churned"], frame["snapshot_date"], window_days=WINDOW_DAYS, parameters=QUICK
    )


def test_a_customer_is_held_out_at_every_snapshot_or_at_none() -> None:
    apart = held_out(FRAME["user_id"])
    by_user = FRAME.select("user_id", apart=pl.Series(apart)).group_by("user_id").agg(pl.col("apart").n_unique())
    assert set(by_user["apart"]) == {1}
    assert 0.15 < apart.mean() < 0.25
    assert (held_out(FRAME["user_id"].reverse())[::-1] == apart).all()


def test_the_figure_is_of_customers_that_the_model_has_not_seen() -> None:
    """A feature that names the customer, each of whom always does the same, is learnt by heart and helps no further."""
    always = FRAME.with_columns(churned=(pl.col("user_id").rank("dense") % 2).cast(pl.Int8)).with_columns(
        name=pl.col("user_id").rank("dense").cast(pl.Float64), recency_days=pl.lit(3) + pl.int_range(pl.len()) % 7
    )
    features = ["recency_days", "name"]
    deep = BoostingParameters(seeds=1, max_rounds=60, max_depth=8, reg_lambda=0.0, colsample_bytree=1.0, max_bin=512)
    model = ChurnModel.train(
        always.select(features), always["churned"], always["snapshot_date"], window_days=WINDOW_DAYS, parameters=deep
    )
    seen = fitted_metrics(model, always, model.predict_margin(always))
    unseen = held_out_metrics(always, features, model, WINDOW_DAYS, deep)
    assert seen.keys() == unseen.keys() == {"auc", *FITTED_METRICS}
    for metric in ("auc", "pr_auc"):
        assert seen[metric] > unseen[metric] + 0.1
    for metric in ("log_loss", "brier"):
        assert seen[metric] < unseen[metric] - 0.02
    honest = held_out_metrics(FRAME, FEATURES, champion(FRAME, FEATURES), WINDOW_DAYS, QUICK)
    assert honest["auc"] > 0.75


def test_there_is_none_where_the_others_all_did_the_same() -> None:
    alike = FRAME.with_columns(churned=pl.Series(held_out(FRAME["user_id"])).cast(pl.Int8))
    assert held_out_metrics(alike, FEATURES, champion(FRAME, FEATURES), WINDOW_DAYS, QUICK) == {}


def test_a_snapshot_of_held_out_customers_only_is_left_out() -> None:
    lone = held_out(FRAME["user_id"]) | (FRAME["snapshot_date"] != FRAME["snapshot_date"].max()).to_numpy()
    earlier = FRAME.filter(snapshot_date=FRAME["snapshot_date"].max()).height
    model = champion(FRAME, FEATURES)
    partly = held_out_metrics(FRAME.filter(lone), FEATURES, model, WINDOW_DAYS, QUICK)
    assert partly == held_out_metrics(FRAME.head(-earlier), FEATURES, model, WINDOW_DAYS, QUICK)


def test_the_season_of_a_training_snapshot_is_no_calibration_error() -> None:
    """Half of the snapshots twice as full of churners, told by no feature: known when fitted, not when predicting."""
    generator = np.random.default_rng(0)
    even = FRAME["snapshot_date"].rank("dense").to_numpy() % 2 == 0
    swinging = FRAME.with_columns(churned=pl.Series((generator.random(FRAME.height) < np.where(even, 0.7, 0.3)) * 1))
    model = champion(swinging, FEATURES)
    margin, days, outcome = model.predict_margin(swinging), swinging["snapshot_date"], swinging["churned"].to_numpy()
    found = fitted_metrics(model, swinging, margin)
    predicted = snapshot_means(days, outcome, model.probability(margin, days), ["auc", *FITTED_METRICS])
    assert predicted["ece"] > 0.15
    assert found["ece"] < 0.1
    assert found["log_loss"] < predicted["log_loss"] - 0.05
    for metric in ("auc", "ks", "pr_auc"):
        assert found[metric] == predicted[metric], "of one snapshot, the level moves no rank"


def test_out_of_sample_knows_the_level_of_its_snapshots_too() -> None:
    found = held_out_metrics(FRAME, FEATURES, champion(FRAME, FEATURES), WINDOW_DAYS, QUICK)
    seen = FRAME.filter(~held_out(FRAME["user_id"]))
    model = champion(FRAME, FEATURES).trained_alike(
        seen.select(FEATURES), seen["churned"], seen["snapshot_date"], window_days=WINDOW_DAYS, parameters=QUICK
    )
    unseen = FRAME.filter(held_out(FRAME["user_id"]))
    rows = unseen.with_columns(
        p=pl.Series(model.fitted_probability(model.predict_margin(unseen), unseen["snapshot_date"]))
    )
    each = [day for _, day in rows.group_by("snapshot_date")]
    for metric, measure in (("auc", auc), ("log_loss", log_loss), ("ece", ece)):
        assert found[metric] == pytest.approx(np.mean([measure(day["churned"], day["p"]) for day in each]))
