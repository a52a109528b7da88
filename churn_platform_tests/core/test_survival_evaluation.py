"""Out of time: what a fold may learn from, which horizons it can be held against, and the baselines beside the view."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from churn_platform.core import survival_evaluation
from churn_platform.core.metrics import auc, brier, ece
from churn_platform.core.survival import churned_by, fit_hazards
from churn_platform.core.survival_evaluation import (
    MARGINAL,
    MARGINAL_HAZARDS,
    MODELS,
    PREDICTION_SCHEMA,
    ROW_SCHEMA,
    SURVIVAL_VIEW,
    SurvivalEvaluation,
    as_known_on,
    evaluate_survival,
)
from churn_platform_tests.core.test_survival import FEATURES, shop

WINDOW = 90
SNAPSHOTS = [date(2024, 1, 1) + timedelta(days=30 * n) for n in range(10)]
FOLD = SNAPSHOTS[8]  # 240 days after the first


def customers(watermark: date = SNAPSHOTS[9] + timedelta(days=WINDOW)) -> pl.DataFrame:
    """Ten snapshots of 600 customers each, with what is known of them at the watermark."""
    parts = [
        shop(600, seed=number, snapshots=1).with_columns(
            snapshot_date=pl.lit(day), observed_days=pl.lit((watermark - day).days - WINDOW, dtype=pl.Int64)
        )
        for number, day in enumerate(SNAPSHOTS)
    ]
    return pl.concat(parts).with_columns(
        days_to_churn=pl.when(pl.col("days_to_churn") <= pl.col("observed_days")).then("days_to_churn").otherwise(None)
    )


def predictions(frame: pl.DataFrame, fold: date = FOLD) -> pl.DataFrame:
    """A churn model that is right on average and knows who leaves at once a little."""
    users = frame.filter(snapshot_date=fold)
    better = 0.4 + 0.2 * (churned_by(users, 0) - 0.4)
    return users.select("user_id", fold="snapshot_date").with_columns(probability=pl.Series(better))


def evaluated(frame: pl.DataFrame, fold: date = FOLD) -> SurvivalEvaluation:
    return evaluate_survival(
        frame, predictions(frame, fold), FEATURES, folds=[fold], labelled=SNAPSHOTS, window_days=WINDOW
    )


def horizons(frame: pl.DataFrame, fold: date = FOLD) -> list[int]:
    return sorted(evaluated(frame, fold).rows["horizon_days"].unique())


def test_what_was_known_on_a_day_is_what_had_closed_by_then() -> None:
    known = as_known_on(customers(), SNAPSHOTS[5], WINDOW)
    seen = known.group_by("snapshot_date").agg(pl.col("observed_days").first()).sort("snapshot_date")
    assert seen.rows() == [(SNAPSHOTS[0], 60), (SNAPSHOTS[1], 30), (SNAPSHOTS[2], 0)]


def test_what_was_not_yet_seen_by_the_watermark_is_not_known_either() -> None:
    early = customers(watermark=SNAPSHOTS[4])
    assert as_known_on(early, SNAPSHOTS[9], WINDOW)["observed_days"].max() == 30


@pytest.mark.parametrize(
    ("days_after_the_fold", "expected"),
    [(119, []), (120, [30]), (149, [30]), (150, [30, 60]), (180, [30, 60, 90]), (269, [30, 60, 90])],
)
def test_a_horizon_is_tested_from_the_day_on_which_its_outcome_is_known(
    days_after_the_fold: int, expected: list[int]
) -> None:
    """Nothing of 180 days was learnt by the fold: that takes 270 days, and the first snapshot is 240 before it."""
    assert horizons(customers(FOLD + timedelta(days=days_after_the_fold))) == expected


def test_a_horizon_that_nothing_was_learnt_of_is_not_tested_however_late_it_is() -> None:
    late = customers(FOLD + timedelta(days=1_000))
    assert horizons(late) == [30, 60, 90]
    assert horizons(late, SNAPSHOTS[9]) == [30, 60, 90, 180]
    assert horizons(late, SNAPSHOTS[2]) == []


def test_the_hazards_of_a_fold_know_nothing_that_closed_after_it() -> None:
    """Whatever closed later turned into its opposite moves no figure, but of the fold itself."""
    frame = customers(FOLD + timedelta(days=180))
    known = (pl.lit(FOLD) - pl.col("snapshot_date")).dt.total_days() - WINDOW
    later = (pl.col("snapshot_date") < FOLD) & (pl.col("days_to_churn").is_null() | (pl.col("days_to_churn") > known))
    opposite = pl.when(pl.col("days_to_churn").is_null()).then(pl.max_horizontal(known + 1, 0)).otherwise(None)
    changed = frame.with_columns(days_to_churn=pl.when(later).then(opposite).otherwise("days_to_churn"))
    assert changed.filter(later).height > 1_000
    assert evaluated(changed).rows.equals(evaluated(frame).rows)
    earlier = frame.with_columns(
        days_to_churn=pl.when(pl.col("snapshot_date") < SNAPSHOTS[4]).then(pl.lit(10)).otherwise("days_to_churn")
    )
    assert not evaluated(earlier).rows.equals(evaluated(frame).rows)


def test_a_snapshot_that_is_only_a_fold_is_not_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[date] = []

    def spy(known: pl.DataFrame, features: list[str]) -> object:
        seen.extend(known["snapshot_date"].unique())
        return fit_hazards(known, features)

    monkeypatch.setattr(survival_evaluation, "fit_hazards", spy)
    frame = customers(FOLD + timedelta(days=180))
    evaluate_survival(frame, predictions(frame), FEATURES, folds=[FOLD], labelled=SNAPSHOTS[1:], window_days=WINDOW)
    assert sorted(seen) == SNAPSHOTS[1:6]


def test_the_rows_are_the_metrics_of_the_view_and_both_baselines() -> None:
    found = evaluated(customers(FOLD + timedelta(days=180)))
    assert dict(found.rows.schema) == ROW_SCHEMA
    assert dict(found.predictions.schema) == PREDICTION_SCHEMA
    users = found.predictions.filter(horizon_days=60)
    outcome, probability = users["churned"].to_numpy(), users["probability"].to_numpy()
    rows = found.rows.filter(horizon_days=60)
    figures = {(model, metric): value for model, metric, value in rows.select("model", "metric", "value").iter_rows()}
    assert {model for model, _ in figures} == set(MODELS)
    assert figures[SURVIVAL_VIEW, "users"] == 600
    assert figures[SURVIVAL_VIEW, "churn_rate"] == outcome.mean()
    for metric, of in {"auc": auc, "ece": ece, "brier": brier}.items():
        assert figures[SURVIVAL_VIEW, metric] == of(outcome, probability)
    assert figures[MARGINAL, "auc"] == 0.5
    assert figures[MARGINAL_HAZARDS, "log_loss"] - figures[SURVIVAL_VIEW, "log_loss"] == pytest.approx(
        figures[MARGINAL_HAZARDS, "log_loss_gain"]
    )
    assert figures[MARGINAL_HAZARDS, "log_loss_gain"] > 0
    assert figures[MARGINAL, "log_loss_gain"] > figures[MARGINAL_HAZARDS, "log_loss_gain"]
    intervals = rows.filter(~pl.col("metric").is_in(["users", "churn_rate"]))
    assert intervals.filter(~pl.col("value").is_between("lower", "upper")).is_empty()


def test_customers_whom_the_churn_model_did_not_score_are_left_out() -> None:
    frame = customers(FOLD + timedelta(days=180))
    made = predictions(frame)[:400]
    found = evaluate_survival(frame, made, FEATURES, folds=[FOLD], labelled=SNAPSHOTS, window_days=WINDOW)
    assert found.predictions.filter(horizon_days=30).height == 400


def test_a_horizon_at_which_all_had_the_same_outcome_is_left_out() -> None:
    frame = customers(FOLD + timedelta(days=180)).with_columns(
        days_to_churn=pl.when(pl.col("snapshot_date") == FOLD).then(pl.lit(20)).otherwise("days_to_churn")
    )
    made = predictions(frame)
    found = evaluate_survival(frame, made, FEATURES, folds=[FOLD], labelled=SNAPSHOTS, window_days=WINDOW)
    assert found.rows.is_empty()
    assert np.isfinite(found.predictions["probability"].to_numpy()).all()
