"""Segments apart: what holds on the whole need not hold for the new."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from churn_platform.core.curves import wilson_interval
from churn_platform.core.metrics import auc
from churn_platform.core.segment_evaluation import METRICS, evaluate_segments
from churn_platform.errors import InputError

GENERATOR = np.random.default_rng(2)
FOLDS = (date(2025, 1, 1), date(2025, 4, 1))


def predictions() -> pl.DataFrame:
    """Good on the active, no better than chance on the new, and all of the lost stay away."""
    frames = []
    for fold in FOLDS:
        risk = GENERATOR.random(300)
        segment = np.repeat(["active", "new", "lost"], 100)
        chance = np.where(segment == "active", risk, np.where(segment == "new", 0.5, 1.0))
        frames.append(
            pl.DataFrame(
                {
                    "fold": [fold] * 300,
                    "user_id": [f"u{number:03}" for number in range(300)],
                    "segment": segment,
                    "churned": GENERATOR.random(300) < chance,
                    "probability": risk,
                }
            )
        )
    return pl.concat(frames)


FRAME = predictions()


def figures(rows: pl.DataFrame, fold: date, segment: str) -> dict[str, tuple[float, float | None, float | None]]:
    found = rows.filter(fold=fold, segment=segment).select("metric", "value", "lower", "upper").rows()
    return {metric: (value, lower, upper) for metric, value, lower, upper in found}


def test_each_segment_is_measured_on_its_own_customers() -> None:
    rows = evaluate_segments(FRAME, resamples=100)
    assert rows.select("fold", "segment", "metric").is_unique().all()
    for fold in FOLDS:
        own = FRAME.filter(fold=fold, segment="active")
        found = figures(rows, fold, "active")
        assert found["users"][0] == 100
        assert found["churn_rate"][0] == own["churned"].mean()
        assert found["churn_rate"][1:] == tuple(float(end) for end in wilson_interval(own["churned"].mean(), 100))
        assert found["mean_probability"][0] == pytest.approx(own["probability"].mean())
        assert found["auc"][0] == pytest.approx(auc(own["churned"], own["probability"]))
        assert found["auc"][1] > 0.6  # type: ignore[operator]
        assert figures(rows, fold, "new")["auc"][1] < 0.5  # type: ignore[operator]


def test_a_segment_of_one_outcome_has_a_rate_and_no_auc() -> None:
    rows = evaluate_segments(FRAME, resamples=20)
    lost = figures(rows, FOLDS[0], "lost")
    assert set(lost) == {"users", "churn_rate", "mean_probability"}
    assert lost["churn_rate"][0] == 1.0 and lost["churn_rate"][1] < 1.0  # type: ignore[operator]
    assert set(figures(rows, FOLDS[0], "new")) == {"users", "churn_rate", "mean_probability", *METRICS}


def test_the_order_of_the_rows_changes_nothing() -> None:
    shuffled = FRAME.sample(fraction=1.0, shuffle=True, seed=3)
    assert evaluate_segments(shuffled, resamples=20).equals(evaluate_segments(FRAME, resamples=20))


def test_a_customer_without_a_segment_is_refused() -> None:
    with pytest.raises(InputError, match="1 of 600 predictions have no segment"):
        evaluate_segments(FRAME.with_columns(segment=pl.when(pl.int_range(pl.len()) > 0).then("segment")))
