"""From probabilities to the score that a shop acts on: percentile, band, value at risk, reasons."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.matched_loss import log_odds
from churn_platform.core.reasons import Catalogue, single_reasons
from churn_platform.core.recency_rule import RecencyRule

Floats = NDArray[np.float64]

RECENCY = "recency_days"


@dataclass(frozen=True)
class Bands:
    """Lower edges of the risk bands, as churn probabilities."""

    medium: float
    high: float
    critical: float


@dataclass(frozen=True)
class Stamp:
    """What every score of one snapshot carries."""

    snapshot: date
    scored_by: str
    model_version: str
    definition_version: str
    horizon_days: int
    valid_days: int


def score(
    users: pl.DataFrame, margin: Floats, probability: Floats, reasons: pl.DataFrame, bands: Bands, stamp: Stamp
) -> pl.DataFrame:
    """Lay out the scores of one snapshot.

    Args:
        users: one row per user: user_id, expected_value (expected spend over the horizon if the
            customer stays, in currency).
        margin: the score by which users are ranked, log-odds before anything moves all alike, shape (users,).
        probability: calibrated churn probability per user, shape (users,).
        reasons: the columns of `top_reasons` per user and whether they are exact, in the same order.

    Returns:
        One row per user with the columns of the table churn_scores; risk_percentile is the share (in percent) of the
        snapshot's users whose probability is not above the user's own.
    """
    risk = pl.col("churn_probability")
    return (
        users.select("user_id", "expected_value")
        .with_columns(
            pl.Series("churn_score", margin, dtype=pl.Float64),
            pl.Series("churn_probability", probability, dtype=pl.Float64),
        )
        .with_columns(
            risk_percentile=risk.rank("max") / pl.len() * 100,
            risk_band=band_of(risk, bands),
            value_at_risk=risk * pl.col("expected_value"),
            snapshot_date=pl.lit(stamp.snapshot),
            scored_by=pl.lit(stamp.scored_by),
            model_version=pl.lit(stamp.model_version),
            definition_version=pl.lit(stamp.definition_version),
            horizon_days=pl.lit(stamp.horizon_days),
            expires_on=pl.lit(stamp.snapshot + timedelta(days=stamp.valid_days)),
        )
        .hstack(reasons)
    )


def band_of(risk: pl.Expr, bands: Bands) -> pl.Expr:
    """The risk band of a churn probability; null for a null."""
    return (
        pl.when(risk >= bands.critical)
        .then(pl.lit("critical"))
        .when(risk >= bands.high)
        .then(pl.lit("high"))
        .when(risk >= bands.medium)
        .then(pl.lit("medium"))
        .when(risk.is_not_null())
        .then(pl.lit("low"))
    )


def rule_margin(rule: RecencyRule, recency_days: Floats) -> Floats:
    """The log-odds of what the recency rule predicts, shape (users,); finite."""
    return log_odds(rule.predict(recency_days), inside=1e-6)


def rule_reasons(rule: RecencyRule, recency_days: Floats, usual: float, catalogue: Catalogue) -> pl.DataFrame:
    """The one reason of the recency rule: how far the silence moves the log-odds from the `usual` ones."""
    contribution = rule_margin(rule, recency_days) - usual
    days = pl.DataFrame({RECENCY: np.round(recency_days)}, schema={RECENCY: pl.Float64})
    return single_reasons(RECENCY, contribution, days, catalogue)
