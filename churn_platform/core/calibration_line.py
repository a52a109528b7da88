"""Slope and intercept of calibration (Cox 1958, 'Two Further Applications of a Model for Binary Regression',
Biometrika 45).

The slope is b of logit P(churned) = a + b * logit(p): below 1, the probabilities are too extreme. The intercept is a
with b held at 1 ('calibration in the large'): above 0, the probabilities are too low on the whole.
"""

import numpy as np
from numpy.typing import NDArray

from churn_platform.core.matched_loss import log_odds, sigmoid

Floats = NDArray[np.float64]

_STEPS = 30
_TOLERANCE = 1e-10
_LARGEST_STEP = 2.0
# Of the determinant of the information per user: below it churners and stayers lie apart, and no slope is the best.
_SMALLEST_INFORMATION = 1e-12


def calibration_slope(outcome: Floats, probability: Floats, weights: Floats, *, inside: float) -> Floats:
    """b per row of weights, shape (resamples,); NaN where the probabilities are all alike or tell the outcome for sure.

    Args:
        outcome, probability: shape (users,); probabilities are kept `inside` away from 0 and 1.
        weights: shape (resamples, users).
    """
    margin = log_odds(probability, inside=inside)
    if np.ptp(margin) == 0:
        return np.full(len(weights), np.nan)
    return _fitted(outcome, np.zeros_like(margin), np.column_stack([np.ones_like(margin), margin]), weights)[:, 1]


def calibration_intercept(outcome: Floats, probability: Floats, weights: Floats, *, inside: float) -> Floats:
    """a with b = 1 per row of weights, shape (resamples,); arguments as for `calibration_slope`."""
    margin = log_odds(probability, inside=inside)
    return _fitted(outcome, margin, np.ones((len(margin), 1)), weights)[:, 0]


def _fitted(outcome: Floats, offset: Floats, design: Floats, weights: Floats) -> Floats:
    """Coefficients of a logistic regression per row of weights, shape (resamples, columns).

    Each resample takes one Newton step from the fit to all users, which is the resample's own fit to the order of
    1 / users and spares a fit per resample (Moulton and Zeger 1991, 'Bootstrapping Generalized Linear Models',
    Computational Statistics and Data Analysis 11).
    """
    start, everyone = np.zeros((1, design.shape[1])), np.ones((1, len(outcome)))
    for _ in range(_STEPS):
        step = _newton_step(outcome, offset, design, everyone, start[0])
        start = start + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        if np.isnan(step).any():
            return np.full((len(weights), design.shape[1]), np.nan)
        if np.abs(step).max() < _TOLERANCE:
            break
    return np.asarray(start + _newton_step(outcome, offset, design, weights, start[0]))


def _newton_step(outcome: Floats, offset: Floats, design: Floats, weights: Floats, coefficients: Floats) -> Floats:
    expected = sigmoid(offset + design @ coefficients)
    gradient = weights @ (design * (outcome - expected)[:, None])
    products = np.einsum("ui,uj->uij", design, design).reshape(len(design), -1)
    information = weights @ (products * (expected * (1 - expected))[:, None])
    matrix = information.reshape(len(weights), design.shape[1], design.shape[1])
    informed = np.linalg.det(matrix) > _SMALLEST_INFORMATION * weights.sum(axis=1) ** design.shape[1]
    solvable = np.where(informed[:, None, None], matrix, np.eye(design.shape[1]))
    step = np.linalg.solve(solvable, gradient[:, :, None])[:, :, 0]
    return np.where(informed[:, None], step, np.nan)
