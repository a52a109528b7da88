"""How the survival view does out of time, at each fold and for each horizon whose outcome is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.metrics import evaluate_models
from churn_platform.core.survival import (
    DAYS,
    HORIZONS,
    active_curve,
    churned_by,
    fit_hazards,
    rates_only,
)

Floats = NDArray[np.float64]

SURVIVAL_VIEW = "survival_view"
MARGINAL = "survival_marginal"
MARGINAL_HAZARDS = "survival_marginal_hazards"
MODELS: Final = (SURVIVAL_VIEW, MARGINAL_HAZARDS, MARGINAL)
METRICS: Final = ("auc", "brier", "log_loss", "ece")
GAIN: Final = "log_loss"
# Enough for two digits of an interval; there are more of them than in the evaluation of the churn model.
_RESAMPLES: Final = 300

ROW_SCHEMA: Final = {
    "fold": pl.Date,
    "horizon_days": pl.Int32,
    "model": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}
PREDICTION_SCHEMA: Final = {
    "fold": pl.Date,
    "horizon_days": pl.Int32,
    "user_id": pl.String,
    "churned": pl.Float64,
    "probability": pl.Float64,
}


@dataclass(frozen=True)
class SurvivalEvaluation:
    """`rows` with the columns of ROW_SCHEMA; `predictions`, of SURVIVAL_VIEW, with those of PREDICTION_SCHEMA.

    The probability is that of having churned by the horizon, 1 - P(active). SURVIVAL_VIEW is the churn model's
    probability followed by the fitted hazards. MARGINAL_HAZARDS is the same probability followed by the share of all,
    so it tells what the hazards' features add; MARGINAL is the Kaplan-Meier curve of all for everybody. Rows of a
    baseline end with log_loss_gain, by how much the view is better than it, paired over users.
    """

    rows: pl.DataFrame
    predictions: pl.DataFrame


def evaluate_survival(
    customers: pl.DataFrame,
    predictions: pl.DataFrame,
    features: Sequence[str],
    *,
    folds: Sequence[date],
    labelled: Sequence[date],
    window_days: int,
) -> SurvivalEvaluation:
    """Fit the hazards at each fold on what was known then, and hold each horizon against what came.

    A fold has no rows for a horizon whose outcome is not known yet, for which nothing could be learnt by the fold, or
    at which everybody had the same outcome.

    Args:
        customers: as for `fit_hazards`, with user_id; the snapshots to learn from and the folds.
        predictions: fold, user_id and probability, the churn model's, made at the fold.
        features: the columns to learn from.
        labelled: the snapshots that may be learnt from.
        window_days: lead plus horizon of the definition: as long after day t it is known who had churned by t.

    Raises:
        InputError: a feature cannot be read.
    """
    rows: list[tuple[date, int, str, str, float, float | None, float | None]] = []
    kept = [pl.DataFrame(schema=PREDICTION_SCHEMA)]
    learnt_from = customers.filter(pl.col("snapshot_date").is_in(list(labelled)))
    for fold in folds:
        known = as_known_on(learnt_from, fold, window_days)
        made = predictions.filter(fold=fold).select("user_id", "probability")
        users = customers.filter(snapshot_date=fold).join(made, on="user_id", how="inner", maintain_order="left")
        curves = _curves(known, users, features)
        for place, horizon in enumerate(DAYS):
            outcome = churned_by(users, horizon)
            scores = {model: 1 - curve[:, place] for model, curve in curves.items()}
            if horizon not in HORIZONS or not _testable(users, horizon, outcome, scores[SURVIVAL_VIEW]):
                continue
            rows += [(fold, horizon, *row) for row in _measured(outcome, scores)]
            kept.append(_predictions(users, fold, horizon, outcome, scores[SURVIVAL_VIEW]))
    return SurvivalEvaluation(pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row"), pl.concat(kept))


def as_known_on(customers: pl.DataFrame, day: date, window_days: int) -> pl.DataFrame:
    """The same customers with observed_days as it was on that day; those whose label had not closed are left out."""
    known = (pl.lit(day) - pl.col("snapshot_date")).dt.total_days() - window_days
    return customers.with_columns(observed_days=pl.min_horizontal("observed_days", known)).filter(
        pl.col("observed_days") >= 0
    )


def _curves(known: pl.DataFrame, users: pl.DataFrame, features: Sequence[str]) -> Mapping[str, Floats]:
    """Model → P(active), shape (users, DAYS); SURVIVAL_VIEW first."""
    fitted = fit_hazards(known, features)
    rates, probability = rates_only(fitted), users["probability"].to_numpy()
    overall = churned_by(known, 0).mean() if known.height else np.nan
    return {
        SURVIVAL_VIEW: active_curve(probability, fitted, users),
        MARGINAL_HAZARDS: active_curve(probability, rates, users),
        MARGINAL: active_curve(np.full(users.height, overall), rates, users),
    }


def _testable(users: pl.DataFrame, horizon: int, outcome: Floats, score: Floats) -> bool:
    if not users.height or users["observed_days"].min() < horizon:  # type: ignore[operator]
        return False
    return bool(np.isfinite(score).all()) and len(np.unique(outcome)) == 2


def _measured(
    outcome: Floats, scores: Mapping[str, Floats]
) -> list[tuple[str, str, float, float | None, float | None]]:
    facts = {"users": float(len(outcome)), "churn_rate": float(outcome.mean())}
    rows: list[tuple[str, str, float, float | None, float | None]] = [
        (SURVIVAL_VIEW, metric, value, None, None) for metric, value in facts.items()
    ]

    measured = evaluate_models(outcome, scores, capacity=len(outcome), gains=(GAIN,), resamples=_RESAMPLES)
    for model, found in measured.items():
        kept = METRICS if model == SURVIVAL_VIEW else (*METRICS, f"{GAIN}_gain")
        rows += [(model, metric, found[metric].value, found[metric].lower, found[metric].upper) for metric in kept]
    return rows


def _predictions(users: pl.DataFrame, fold: date, horizon: int, outcome: Floats, score: Floats) -> pl.DataFrame:
    made = users.select("user_id").with_columns(
        fold=pl.lit(fold),
        horizon_days=pl.lit(horizon, dtype=pl.Int32),
        churned=pl.Series(outcome),
        probability=pl.Series(score),
    )
    return made.select(list(PREDICTION_SCHEMA))
