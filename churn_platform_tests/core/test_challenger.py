"""How far two models agree, and which of them was right, by hand and against the metrics themselves."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from churn_platform.core.challenger import OUTCOME_COLUMNS, agreement, outcomes
from churn_platform.core.metrics import PairedScores, auc, pooled_gain

FOUR = pl.DataFrame(
    {
        "user_id": ["a", "b", "c", "d"],
        "champion_probability": [0.9, 0.7, 0.4, 0.1],
        "challenger_probability": [0.8, 0.2, 0.6, 0.1],
        "champion_band": ["critical", "high", "medium", "low"],
        "challenger_band": ["critical", "low", "high", "low"],
        "expected_value": [1.0, 1.0, 1.0, 100.0],
    }
)


def test_four_customers_by_hand() -> None:
    found = agreement(FOUR, capacity=2)
    assert found["customers"] == 4
    assert found["rank_correlation"] == pytest.approx(0.8)
    assert found["band_change_share"] == 0.5
    assert found["risk_overlap"] == 0.5  # a and b against a and c
    assert found["campaign_overlap"] == 1.0  # d with 10 and a, by both
    assert found["mean_difference"] == pytest.approx(-0.1)


def test_the_same_scores_agree_in_everything() -> None:
    same = FOUR.with_columns(challenger_probability="champion_probability", challenger_band="champion_band")
    assert agreement(same, capacity=3) == {
        "customers": 4,
        "rank_correlation": pytest.approx(1.0),
        "band_change_share": 0.0,
        "risk_overlap": 1.0,
        "campaign_overlap": 1.0,
        "mean_difference": 0.0,
    }


def test_the_rank_correlation_is_that_of_scipy_with_ties() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.random(500).round(1), rng.random(500).round(1)
    frame = pl.DataFrame(
        {
            "user_id": [f"u{n}" for n in range(500)],
            "champion_probability": one,
            "challenger_probability": two,
            "champion_band": "low",
            "challenger_band": "low",
            "expected_value": 1.0,
        }
    )
    assert agreement(frame, capacity=10)["rank_correlation"] == pytest.approx(spearmanr(one, two).statistic)


def test_where_nothing_can_be_said_nothing_is() -> None:
    constant = FOUR.with_columns(challenger_probability=0.5)
    assert agreement(constant, capacity=2)["rank_correlation"] is None
    assert agreement(FOUR, capacity=0)["risk_overlap"] is None
    assert agreement(FOUR, capacity=0)["campaign_overlap"] is None
    assert agreement(FOUR, capacity=100)["risk_overlap"] == 1.0
    empty = outcomes([], [], [])
    assert empty == dict.fromkeys(OUTCOME_COLUMNS)
    one_class = outcomes([1, 1], [0.4, 0.5], [0.2, 0.9])
    assert one_class == {**dict.fromkeys(OUTCOME_COLUMNS), "churn_rate": 1.0}


def test_a_positive_gain_speaks_for_the_challenger() -> None:
    rng = np.random.default_rng(5)
    truth = rng.uniform(0.05, 0.95, 800)
    churned = (rng.random(800) < truth).astype(float)
    poor = np.clip(truth + rng.normal(0, 0.3, 800), 0.01, 0.99)
    found = outcomes(churned, champion=poor, challenger=truth)
    assert set(found) == set(OUTCOME_COLUMNS)
    assert found["churn_rate"] == churned.mean()
    assert found["challenger_auc"] == auc(churned, truth)
    for metric in ("auc", "log_loss", "ece"):
        expected = pooled_gain([PairedScores(np.arange(len(churned)), churned, truth, poor)], metric)
        assert (found[f"{metric}_gain"], found[f"{metric}_gain_lower"], found[f"{metric}_gain_upper"]) == (
            expected.value,
            expected.lower,
            expected.upper,
        )
    assert found["auc_gain_lower"] > 0 and found["log_loss_gain_lower"] > 0  # type: ignore[operator]
    swapped = outcomes(churned, champion=truth, challenger=poor)
    assert swapped["auc_gain_upper"] < 0  # type: ignore[operator]
