"""EMP against numerical integration of its definition over every threshold."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.stats import beta

from churn_platform.core import metrics
from churn_platform.core.maximum_profit import cut_points, expected_maximum_profit

GENERATOR = np.random.default_rng(4)
Y = (GENERATOR.random(400) < 0.3).astype(int)
P = np.clip(np.round(0.3 + 0.25 * (Y - 0.3) + GENERATOR.normal(0, 0.15, 400), 2), 0, 1)


def integrated(y: np.ndarray, p: np.ndarray) -> float:
    """The integral over the share that accepts, at each the best of all thresholds; the paper's values."""
    thresholds = np.r_[np.inf, np.unique(p)]
    churners = np.array([((p >= at) & (y == 1)).mean() for at in thresholds])
    stayers = np.array([((p >= at) & (y == 0)).mean() for at in thresholds])
    shares = np.linspace(0, 1, 20_001)
    best = np.max(200 * ((shares[:, None] * (1 - 0.05) - 0.005) * churners - (0.05 + 0.005) * stayers), axis=1)
    return float(trapezoid(best * beta.pdf(shares, 6, 14), shares))


def test_it_is_the_integral_over_the_best_thresholds() -> None:
    assert metrics.emp(Y, P) == pytest.approx(integrated(Y, P), rel=1e-4)


def test_a_perfect_ranking_contacts_the_churners_and_nobody_else() -> None:
    """With 30 % accepting on average, a churner brings 200 * (0.3 * 0.95 - 0.005)."""
    y = np.array([1] * 25 + [0] * 75)
    assert metrics.emp(y, np.linspace(1, 0, 100)) == pytest.approx(0.25 * 200 * (0.3 * 0.95 - 0.005), rel=1e-3)


def test_where_hardly_anybody_churns_a_random_ranking_earns_nothing() -> None:
    y = np.zeros(1000, dtype=int)
    y[::100] = 1
    assert metrics.emp(y, np.full(1000, 0.5)) == pytest.approx(0, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=3, max_size=40))
def test_only_the_corners_of_the_hull_are_ever_best(rows: list[tuple[int, int]]) -> None:
    y, score = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assume(0 < y.sum() < len(y))
    levels = np.unique(score)[::-1]
    churners = np.array([float(((score == level) & (y == 1)).sum()) for level in levels])
    stayers = np.array([float(((score == level) & (y == 0)).sum()) for level in levels])
    corners, everyone = cut_points(churners, stayers), np.array([float(len(y))])
    assert corners[0] == 0 and corners[-1] == len(levels)
    contacted = [np.r_[0, np.cumsum(part)][None, :] for part in (churners, stayers)]
    by_corners = expected_maximum_profit(*(part[:, corners] for part in contacted), everyone)
    assert by_corners == pytest.approx(expected_maximum_profit(*contacted, everyone))
