"""A challenger beside what scores: what would change on the day of its promotion, and which of them was right."""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from churn_platform.core.metrics import evaluate_models

# Threshold-free ranking, honesty of the probabilities, calibration: one of each kind.
OUTCOME_METRICS = ("auc", "log_loss", "ece")
OUTCOME_COLUMNS = (
    "churn_rate",
    *(
        name
        for metric in OUTCOME_METRICS
        for name in (
            f"champion_{metric}",
            f"challenger_{metric}",
            f"{metric}_gain",
            f"{metric}_gain_lower",
            f"{metric}_gain_upper",
        )
    ),
)


def agreement(scores: pl.DataFrame, capacity: int) -> dict[str, float | int | None]:
    """How far a challenger agrees with what scores, over the customers of one snapshot.

    Args:
        scores: one row per customer: user_id, expected_value (currency), and of champion_ and challenger_ each the
            probability and the band.
        capacity: how many customers a campaign reaches.

    Returns:
        customers; rank_correlation (Spearman; None where one of them gives everybody the same probability);
        band_change_share; risk_overlap and campaign_overlap, the share of the `capacity` customers at the highest risk,
        or with the most value at risk, whom both put there (None for a capacity of 0); mean_difference (challenger less
        champion, in probability).
    """
    champion, challenger = pl.col("champion_probability"), pl.col("challenger_probability")
    figures = scores.select(
        rank_correlation=pl.corr(champion, challenger, method="spearman"),
        band_change_share=(pl.col("champion_band") != pl.col("challenger_band")).mean(),
        mean_difference=(challenger - champion).mean(),
    ).row(0, named=True)
    correlation = figures["rank_correlation"]
    return {
        **figures,
        "customers": scores.height,
        "rank_correlation": None if correlation is None or np.isnan(correlation) else min(max(correlation, -1.0), 1.0),
        "risk_overlap": _overlap(scores, champion, challenger, capacity),
        "campaign_overlap": _overlap(
            scores, champion * pl.col("expected_value"), challenger * pl.col("expected_value"), capacity
        ),
    }


def outcomes(churned: ArrayLike, champion: ArrayLike, challenger: ArrayLike) -> dict[str, float | None]:
    """OUTCOME_COLUMNS of customers whose label has closed: AUC, log loss and ECE of both, and the paired gains.

    A gain is positive where the challenger is better; its interval is the 95 % of `metrics.evaluate_models`. All but
    churn_rate are None where all customers churned or none did, and churn_rate too where there is no customer.

    Args:
        churned: 0 or 1, shape (customers,).
        champion: the probability that was acted upon, shape (customers,).
        challenger: the probability in the shadow, shape (customers,).
    """
    found: dict[str, float | None] = dict.fromkeys(OUTCOME_COLUMNS)
    outcome = np.asarray(churned, dtype=np.float64)
    if outcome.size:
        found["churn_rate"] = float(outcome.mean())
    if len(np.unique(outcome)) < 2:
        return found
    measured = evaluate_models(
        outcome,
        {"challenger": challenger, "champion": champion},
        capacity=len(outcome),
        gains=OUTCOME_METRICS,
    )
    for metric in OUTCOME_METRICS:
        gain = measured["champion"][f"{metric}_gain"]
        found[f"champion_{metric}"] = measured["champion"][metric].value
        found[f"challenger_{metric}"] = measured["challenger"][metric].value
        found[f"{metric}_gain"] = gain.value
        found[f"{metric}_gain_lower"], found[f"{metric}_gain_upper"] = gain.lower, gain.upper
    return found


def _overlap(scores: pl.DataFrame, first: pl.Expr, second: pl.Expr, capacity: int) -> float | None:
    """Share of the best `capacity` by one order who are among the best by the other; ties go by user_id."""
    count = min(capacity, scores.height)
    if not count:
        return None
    best = [
        set(scores.sort([order, pl.col("user_id")], descending=[True, False])["user_id"].head(count))
        for order in (first, second)
    ]
    return len(best[0] & best[1]) / count
