"""A fifth of the customers, the same ones everywhere, and a figure that a memorised outcome does not lift."""

from datetime import date

import numpy as np
import polars as pl

from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.held_out import held_out, held_out_auc, snapshot_auc
from churn_platform.core.metrics import auc
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
    seen = snapshot_auc(always["snapshot_date"], always["churned"].to_numpy(), model.predict_margin(always))
    unseen = held_out_auc(always, features, model, WINDOW_DAYS, deep)
    assert unseen is not None
    assert seen > unseen + 0.1
    honest = held_out_auc(FRAME, FEATURES, champion(FRAME, FEATURES), WINDOW_DAYS, QUICK)
    assert honest is not None and honest > 0.75


def test_there_is_none_where_the_others_all_did_the_same() -> None:
    alike = FRAME.with_columns(churned=pl.Series(held_out(FRAME["user_id"])).cast(pl.Int8))
    assert held_out_auc(alike, FEATURES, champion(FRAME, FEATURES), WINDOW_DAYS, QUICK) is None


def test_the_auc_of_snapshots_is_their_mean_and_of_one_class_alone_that_of_all_rows() -> None:
    days = pl.Series([date(2024, 1, 1)] * 4 + [date(2024, 2, 1)] * 4)
    y, p = np.array([0.0, 0, 1, 1, 0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.8, 0.6, 0.7, 0.9])
    assert snapshot_auc(days, y, p) == (1.0 + auc(y[4:], p[4:])) / 2
    one_class_each = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    assert snapshot_auc(days, one_class_each, p) == auc(one_class_each, p)
