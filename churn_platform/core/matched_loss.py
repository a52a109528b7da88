"""Comparing models between seasons: log loss after the base rate of each snapshot is given away."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_NEWTON_STEPS = 8
_LARGEST_STEP = 2.0


def sigmoid(margin: NDArray[np.floating]) -> Floats:
    """Probability of a log-odds margin, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * margin.astype(np.float64))))


def log_odds(probability: ArrayLike, *, inside: float) -> Floats:
    """Log-odds of probabilities, those nearer to 0 or 1 than `inside` taken as that near, so that all are finite."""
    p = np.clip(np.asarray(probability, dtype=np.float64), inside, 1 - inside)
    return np.asarray(np.log(p / (1 - p)))


def matched_losses(churned: Floats, margin: Floats, snapshot: NDArray[np.generic]) -> Floats:
    """Negative log-likelihood per row, in nats, after shifting each snapshot's margins to its own churn rate.

    Churn rates swing with the season, so plain log loss on one validation period rewards the model whose mean happens
    to be near that period's. Matched, it measures how well users of one snapshot are told apart, and how boldly.

    Args:
        churned: 0 or 1 per row.
        margin: log-odds of churn per row.
        snapshot: the snapshot of each row.
    """
    losses = np.empty(len(churned))
    for day in np.unique(snapshot):
        rows = snapshot == day
        outcome, own = churned[rows], margin[rows].astype(np.float64)
        shifted = own + matching_shift(outcome, own)
        losses[rows] = np.logaddexp(0.0, shifted) - outcome * shifted
    return losses


def matching_shift(churned: Floats, margin: Floats) -> float:
    """What to add to all log-odds for the mean probability to be the churn rate; half a user more on either side keeps
    it finite."""
    rate = (churned.sum() + 0.5) / (len(churned) + 1)
    shift = float(np.log(rate / (1 - rate)) - np.median(margin))
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(margin + shift)
        slope = max(float((p * (1 - p)).mean()), 1e-6)
        shift += float(np.clip((rate - p.mean()) / slope, -_LARGEST_STEP, _LARGEST_STEP))
    return shift
