"""Expected maximum profit of a retention campaign (EMP): Verbraken, Verbeke and Baesens 2013, 'A Novel Profit
Maximizing Metric for Measuring Classification Performance of Customer Churn Prediction Models', IEEE TKDE 25(5).

A campaign contacts everyone above a threshold. A share gamma of the contacted churners accepts the offer and stays; it
is unknown, with a Beta(6, 14) distribution. Every contacted stayer takes the offer. Per customer of the population,
with the churners F0 and stayers F1 contacted as shares of everyone, the profit is

    LIFETIME_VALUE * (gamma * (1 - delta) - phi) * F0 - LIFETIME_VALUE * (delta + phi) * F1

with delta = OFFER / LIFETIME_VALUE and phi = CONTACT / LIFETIME_VALUE. EMP is the expectation over gamma of the best
threshold's profit. The values are the authors' own, so that models and shops can be compared; they are no shop's
economics.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_sh_jacobi

Floats = NDArray[np.float64]

LIFETIME_VALUE, OFFER, CONTACT = 200.0, 10.0, 1.0
ACCEPTING, REFUSING = 6.0, 14.0
_NODES = 64


def cut_points(churners: Floats, stayers: Floats) -> NDArray[np.int64]:
    """How many groups to contact at the corners of the convex hull of the ROC curve, ascending from 0: no other
    threshold is ever the most profitable.

    Args:
        churners, stayers: per group of equal score, the highest first, shape (groups,).
    """
    x, y = (np.r_[0.0, np.cumsum(part)] for part in (stayers, churners))
    hull: list[int] = []
    for at in range(len(x)):
        while len(hull) > 1 and _left_turn(x, y, hull[-2], hull[-1], at):
            hull.pop()
        hull.append(at)
    return np.array(hull, dtype=np.int64)


def expected_maximum_profit(churners: Floats, stayers: Floats, everyone: Floats) -> Floats:
    """EMP in the currency of LIFETIME_VALUE per customer, shape (resamples,).

    Args:
        churners, stayers: weight of those whom each threshold contacts, shape (resamples, thresholds).
        everyone: weight of all customers, shape (resamples,).
    """
    shares, weights = _acceptance()
    delta, phi = OFFER / LIFETIME_VALUE, CONTACT / LIFETIME_VALUE
    profit = np.zeros(len(everyone))
    for share, weight in zip(shares, weights, strict=True):
        earned = (share * (1 - delta) - phi) * churners - (delta + phi) * stayers
        profit += weight * LIFETIME_VALUE * earned.max(axis=1)
    return profit / everyone


def _left_turn(x: Floats, y: Floats, first: int, second: int, third: int) -> bool:
    """Whether the second of three points lies on or below the line from the first to the third."""
    turn = (x[second] - x[first]) * (y[third] - y[first]) - (y[second] - y[first]) * (x[third] - x[first])
    return bool(turn >= 0)


@cache
def _acceptance() -> tuple[Floats, Floats]:
    """Gauss-Jacobi nodes and weights of the Beta(ACCEPTING, REFUSING) distribution; the weights sum to 1."""
    nodes, weights = roots_sh_jacobi(_NODES, ACCEPTING + REFUSING - 1, ACCEPTING)
    return nodes, weights / weights.sum()
