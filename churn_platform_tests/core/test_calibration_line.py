"""Slope and intercept against scikit-learn's logistic regression, and their intervals against refitted resamples."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from churn_platform.core import metrics
from churn_platform.core.calibration_line import calibration_intercept, calibration_slope
from churn_platform.core.matched_loss import sigmoid

GENERATOR = np.random.default_rng(8)
USERS = 1500
MARGIN = GENERATOR.normal(0, 1.2, USERS)
Y = (GENERATOR.random(USERS) < sigmoid(0.3 + 0.7 * MARGIN)).astype(np.float64)
P = sigmoid(MARGIN)
ONCE = np.ones((1, USERS))


def refitted_slope(rows: np.ndarray) -> float:
    fitted = LogisticRegression(C=1e9, tol=1e-10).fit(MARGIN[rows, None], Y[rows])
    return float(fitted.coef_[0, 0])


def test_the_slope_is_that_of_a_logistic_regression_on_the_log_odds() -> None:
    assert metrics.slope(Y, P) == pytest.approx(refitted_slope(np.arange(USERS)), abs=1e-5)
    assert metrics.slope(Y, P) < 0.9, "the probabilities were made too extreme"


def test_the_intercept_lifts_the_mean_probability_to_the_churn_rate() -> None:
    shift = metrics.intercept(Y, P)
    assert sigmoid(MARGIN + shift).mean() == pytest.approx(Y.mean())
    assert shift > 0, "the probabilities were made too low"


def test_calibrated_probabilities_have_slope_1_and_intercept_0_within_the_interval() -> None:
    outcome = (GENERATOR.random(USERS) < P).astype(np.float64)
    found = metrics.evaluate(outcome, P, capacity=10, resamples=300)
    assert found["calibration_slope"].lower < 1 < found["calibration_slope"].upper
    assert found["calibration_intercept"].lower < 0 < found["calibration_intercept"].upper


def test_one_step_from_the_fit_to_all_is_as_good_as_a_fit_per_resample() -> None:
    drawn = [GENERATOR.integers(0, USERS, USERS) for _ in range(40)]
    weights = np.stack([np.bincount(rows, minlength=USERS) for rows in drawn]).astype(np.float64)
    quick = calibration_slope(Y, P, weights, inside=1e-6)
    exact = np.array([refitted_slope(rows) for rows in drawn])
    assert np.abs(quick - exact).max() < 0.2 * exact.std()
    assert quick.std() == pytest.approx(exact.std(), rel=0.05)


def test_no_slope_is_the_best_where_all_is_alike_or_told_for_sure() -> None:
    assert np.isnan(calibration_slope(Y, np.full(USERS, 0.4), ONCE, inside=1e-6)).all()
    sure = np.where(Y == 1, 1 - 1e-6, 1e-6)
    assert np.isnan(calibration_slope(Y, sure, ONCE, inside=1e-6)).all()


def test_extreme_probabilities_still_have_an_intercept() -> None:
    p = np.where(GENERATOR.random(USERS) < 0.5, 1 - 1e-6, 1e-6)
    shift = calibration_intercept(Y, p, ONCE, inside=1e-6)[0]
    assert sigmoid(np.log(p / (1 - p)) + shift).mean() == pytest.approx(Y.mean())
