from datetime import date

import numpy as np
import polars as pl
import pytest

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.evaluation import (
    CHAMPION,
    LOGISTIC,
    RECENCY_RULE,
    RHYTHM_RULE,
    RICH_LOGISTIC,
    FoldEvaluation,
    Protocol,
    evaluate_fold,
    plain_features,
)
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.held_out import FITTED_METRICS
from churn_platform.core.metrics import METRICS, auc
from churn_platform.core.ranked_users import DIRECTED
from churn_platform.core.snapshot_means import snapshot_means
from churn_platform.errors import InputError, NotEnoughData
from churn_platform_tests.core.bgnbd_shop import FEATURES as RHYTHM_FEATURES
from churn_platform_tests.core.bgnbd_shop import rhythm_frame
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

FRAME = shop_frame()
FOLD = date(2024, 7, 29)
PROTOCOL = Protocol(WINDOW_DAYS, capacity=50, resamples=100, parameters=BoostingParameters(seeds=1, max_rounds=100))


@pytest.fixture(scope="module")
def evaluated() -> FoldEvaluation:
    return evaluate_fold(FRAME, FOLD, FEATURES, PROTOCOL)


def value(evaluated: FoldEvaluation, model: str, metric: str) -> dict[str, float]:
    return evaluated.rows.row(by_predicate=(pl.col("model") == model) & (pl.col("metric") == metric), named=True)


def test_only_snapshots_closed_by_the_fold_are_trained_on(evaluated: FoldEvaluation) -> None:
    assert evaluated.training_snapshots[-1] == date(2024, 4, 30)
    assert len(evaluated.training_snapshots) == 5
    assert evaluated.training_rows == 5 * 400
    assert evaluated.champion.report.last_snapshot == date(2024, 4, 30)


def test_purged_rows_and_the_folds_outcomes_move_no_prediction(evaluated: FoldEvaluation) -> None:
    later = pl.col("snapshot_date") > date(2024, 4, 30)
    flipped = FRAME.with_columns(churned=pl.when(later).then(1 - pl.col("churned")).otherwise("churned"))
    again = evaluate_fold(flipped, FOLD, FEATURES, PROTOCOL)
    models = [CHAMPION, RECENCY_RULE, LOGISTIC]
    assert again.predictions.select(models).equals(evaluated.predictions.select(models))
    assert value(again, CHAMPION, "auc")["value"] == pytest.approx(1 - value(evaluated, CHAMPION, "auc")["value"])


def test_every_user_of_the_fold_is_scored_by_every_model(evaluated: FoldEvaluation) -> None:
    fold = FRAME.filter(pl.col("snapshot_date") == FOLD)
    models = [CHAMPION, RECENCY_RULE, LOGISTIC, RICH_LOGISTIC, RHYTHM_RULE]
    assert evaluated.predictions.columns == ["user_id", "snapshot_date", "churned", *models]
    assert evaluated.predictions["user_id"].to_list() == fold["user_id"].to_list()
    assert evaluated.predictions.null_count().sum_horizontal().item() == 0
    assert evaluated.users == 400
    assert evaluated.churn_rate == pytest.approx(fold["churned"].mean())


def test_rows_are_long_unique_and_complete(evaluated: FoldEvaluation) -> None:
    assert evaluated.rows.columns == ["fold", "population", "model", "metric", "value", "lower", "upper"]
    assert evaluated.rows.select("fold", "population", "model", "metric").is_duplicated().any() is False
    for model in (CHAMPION, RECENCY_RULE, RHYTHM_RULE, LOGISTIC):
        present = set(evaluated.rows.filter(pl.col("model") == model)["metric"])
        assert {*METRICS, "in_sample_auc", "psi"} <= present
        assert ("auc_gain" in present) == (model != CHAMPION)
    held = evaluated.rows.drop_nulls().select(
        (pl.col("lower") <= pl.col("value")) & (pl.col("value") <= pl.col("upper"))
    )
    assert held.to_series().all()
    without = evaluated.rows.filter(pl.col("lower").is_null())
    on_every_side = ("auc", *FITTED_METRICS)
    assert set(without.filter(model=CHAMPION)["metric"]) == {
        f"{side}_{metric}" for side in ("in_sample", "out_of_sample") for metric in on_every_side
    }
    assert set(without.filter(pl.col("model") != CHAMPION)["metric"]) == {"in_sample_auc"}


def test_values_rescore_from_the_predictions(evaluated: FoldEvaluation) -> None:
    frame = evaluated.predictions
    champion, rule = (auc(frame["churned"], frame[model]) for model in (CHAMPION, RECENCY_RULE))
    assert value(evaluated, CHAMPION, "auc")["value"] == pytest.approx(champion)
    assert value(evaluated, RECENCY_RULE, "auc_gain")["value"] == pytest.approx(champion - rule)
    assert value(evaluated, RECENCY_RULE, "auc_gain")["lower"] > 0


def test_in_sample_figures_rescore_from_the_training_rows(evaluated: FoldEvaluation) -> None:
    training = FRAME.filter(pl.col("snapshot_date").is_in(evaluated.training_snapshots))
    champion, days, outcome = evaluated.champion, training["snapshot_date"], training["churned"].to_numpy()
    margin = champion.predict_margin(training)
    assert value(evaluated, CHAMPION, "in_sample_auc")["value"] == snapshot_means(days, outcome, margin, ["auc"])["auc"]
    fitted = champion.fitted_probability(margin, days)
    for metric, expected in snapshot_means(days, outcome, fitted, FITTED_METRICS).items():
        assert value(evaluated, CHAMPION, f"in_sample_{metric}")["value"] == expected


def test_what_the_model_learnt_from_fits_better_than_customers_held_out(evaluated: FoldEvaluation) -> None:
    for metric, sign in (("auc", 1), ("pr_auc", 1), ("log_loss", -1), ("brier", -1)):
        learnt, held = (
            value(evaluated, CHAMPION, f"{side}_{metric}")["value"] for side in ("in_sample", "out_of_sample")
        )
        assert sign * learnt > sign * held


def test_the_held_out_customers_score_lies_near_the_out_of_time_one(evaluated: FoldEvaluation) -> None:
    assert value(evaluated, CHAMPION, "out_of_sample_auc")["value"] == pytest.approx(
        value(evaluated, CHAMPION, "auc")["value"], abs=0.05
    )


def test_the_surplus_is_what_the_auc_gains_out_of_time_and_the_rule_does_not(evaluated: FoldEvaluation) -> None:
    own, learnt = value(evaluated, CHAMPION, "auc"), value(evaluated, CHAMPION, "in_sample_auc")["value"]
    rule = value(evaluated, RECENCY_RULE, "auc")["value"] - value(evaluated, RECENCY_RULE, "in_sample_auc")["value"]
    surplus = value(evaluated, CHAMPION, "auc_surplus")
    for end in ("value", "lower", "upper"):
        assert surplus[end] == pytest.approx(own[end] - learnt - max(0.0, rule))
    assert surplus["lower"] < 0


def test_a_column_that_leaks_only_at_the_fold_shows_as_a_surplus() -> None:
    """In training it is noise about the outcome, at the fold the outcome itself: as of a table filled in afterwards."""
    noise = pl.Series("leak", np.random.default_rng(3).normal(0, 1.5, FRAME.height))
    leaking = FRAME.with_columns(noise).with_columns(
        leak=pl.when(pl.col("snapshot_date") == FOLD)
        .then(pl.col("churned") * 6.0 - 3)
        .otherwise(pl.col("leak") + pl.col("churned"))
    )
    found = evaluate_fold(leaking, FOLD, [*FEATURES, "leak"], PROTOCOL)
    assert value(found, CHAMPION, "auc_surplus")["lower"] > 0


def test_everyone_is_tested_by_the_same_models_and_moves_no_figure_of_the_eligible(evaluated: FoldEvaluation) -> None:
    fold = FRAME.filter(pl.col("snapshot_date") == FOLD)
    gone = fold.with_columns(
        user_id=pl.lit("x") + pl.col("user_id"), recency_days=pl.lit(300, pl.Int64), churned=pl.lit(1, pl.Int8)
    )
    everyone = pl.concat([fold, gone.head(100)])
    found = evaluate_fold(FRAME, FOLD, FEATURES, PROTOCOL, everyone)
    assert found.rows.filter(population="eligible").equals(evaluated.rows)
    assert found.predictions.equals(evaluated.predictions)
    assert found.everyone is not None
    assert found.everyone["user_id"].to_list() == everyone["user_id"].to_list()
    assert found.everyone.head(fold.height).equals(found.predictions)
    of_all = found.rows.filter(population="all")
    assert set(of_all["model"]) == {CHAMPION, RECENCY_RULE, RHYTHM_RULE, LOGISTIC, RICH_LOGISTIC}
    assert set(of_all.filter(model=CHAMPION)["metric"]) == set(METRICS)
    expected = auc(everyone["churned"], found.everyone[CHAMPION])
    assert of_all.filter(model=CHAMPION, metric="auc")["value"].item() == pytest.approx(expected)


def test_same_input_same_rows(evaluated: FoldEvaluation) -> None:
    assert evaluate_fold(FRAME, FOLD, FEATURES, PROTOCOL).rows.equals(evaluated.rows)


def test_a_moved_population_shows_in_psi(evaluated: FoldEvaluation) -> None:
    moved = FRAME.with_columns(
        pl.when(pl.col("snapshot_date") == FOLD).then(170).otherwise("recency_days").alias("recency_days")
    )
    usual = value(evaluated, CHAMPION, "psi")
    assert usual["value"] < 0.1
    far = value(evaluate_fold(moved, FOLD, FEATURES, PROTOCOL), CHAMPION, "psi")
    assert far["value"] > 0.25
    assert usual["lower"] <= usual["value"] < usual["upper"] < far["lower"] < far["upper"]


def test_an_unknown_fold_and_a_short_history_are_named() -> None:
    with pytest.raises(NotEnoughData, match=r"No labelled user at the fold 2024-08-01; .* 8 snapshots from 2024-01-01"):
        evaluate_fold(FRAME, date(2024, 8, 1), FEATURES, PROTOCOL)
    with pytest.raises(NotEnoughData, match="No snapshot's label window of 90 days ends by the fold 2024-03-01"):
        evaluate_fold(FRAME, date(2024, 3, 1), FEATURES, PROTOCOL)


@pytest.mark.parametrize(("outcome", "same"), [(0, "stayed"), (1, "churned")])
def test_one_outcome_only_is_refused_with_where_and_what_to_do(outcome: int, same: str) -> None:
    def alike(snapshots: pl.Expr) -> pl.DataFrame:
        return FRAME.with_columns(churned=pl.when(snapshots).then(pl.lit(outcome, pl.Int8)).otherwise("churned"))

    with pytest.raises(NotEnoughData, match=f"All 2000 customers of the training snapshots {same}.*horizon_days"):
        evaluate_fold(alike(pl.col("snapshot_date") <= date(2024, 4, 30)), FOLD, FEATURES, PROTOCOL)
    with pytest.raises(NotEnoughData, match=f"All 400 customers of the fold 2024-07-29 {same}.*horizon_days"):
        evaluate_fold(alike(pl.col("snapshot_date") == FOLD), FOLD, FEATURES, PROTOCOL)


def test_constant_features_alone_are_refused_and_beside_others_left_out(evaluated: FoldEvaluation) -> None:
    assert evaluated.champion.report.dropped_features == ("views_30d",)
    constant = FRAME.with_columns(recency_days=pl.lit(9, pl.Int64))
    with pytest.raises(NotEnoughData, match=r"0 such features\. Load a longer history"):
        evaluate_fold(constant, FOLD, ["recency_days", "views_30d"], PROTOCOL)


def test_missing_columns_and_leaks_are_named() -> None:
    with pytest.raises(InputError, match=r"lacks the column 'spend_90'\. Did you mean 'spend_90d'"):
        evaluate_fold(FRAME, FOLD, [*FEATURES, "spend_90"], PROTOCOL)
    with pytest.raises(InputError, match="Not a feature: churned"):
        evaluate_fold(FRAME, FOLD, [*FEATURES, "churned"], PROTOCOL)


def test_a_bgnbd_is_a_baseline_where_its_columns_exist(evaluated: FoldEvaluation) -> None:
    assert BGNBD not in evaluated.rows["model"].to_list()
    shop = rhythm_frame(customers=600)
    result = evaluate_fold(shop, FOLD, RHYTHM_FEATURES, PROTOCOL)
    assert result.predictions.columns[-1] == BGNBD
    own = auc(result.predictions["churned"], result.predictions[BGNBD])
    champion = auc(result.predictions["churned"], result.predictions[CHAMPION])
    assert value(result, BGNBD, "auc")["value"] == pytest.approx(own)
    assert value(result, BGNBD, "auc_gain")["value"] == pytest.approx(champion - own)
    present = set(result.rows.filter(pl.col("model") == BGNBD)["metric"])
    assert {*METRICS, "in_sample_auc", "psi", *(f"{metric}_gain" for metric in DIRECTED)} == present


def test_the_plain_logistic_sees_recency_orders_and_spend_only() -> None:
    features = ["recency_days", "orders_30d", "spend_90d", "views_30d", "tenure_days"]
    assert plain_features(features) == ["recency_days", "orders_30d", "spend_90d"]
