import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.matched_loss import matched_losses, matching_shift, sigmoid

GENERATOR = np.random.default_rng(2)
SNAPSHOT = np.repeat([1, 2], 500)
MARGIN = GENERATOR.normal(0, 1.5, 1000)
CHURNED = (GENERATOR.random(1000) < sigmoid(MARGIN + np.where(SNAPSHOT == 1, -1.0, 1.0))).astype(float)


@given(st.floats(-8, 8), st.floats(-8, 8))
def test_a_shift_of_a_whole_snapshot_costs_nothing(first: float, second: float) -> None:
    shifted = MARGIN + np.where(SNAPSHOT == 1, first, second)
    expected = matched_losses(CHURNED, MARGIN, SNAPSHOT)
    assert matched_losses(CHURNED, shifted, SNAPSHOT) == pytest.approx(expected, abs=1e-6)


def test_the_true_margin_beats_a_bolder_a_timider_and_a_shuffled_one() -> None:
    best = matched_losses(CHURNED, MARGIN, SNAPSHOT).mean()
    for worse in (2 * MARGIN, 0.3 * MARGIN, GENERATOR.permutation(MARGIN)):
        assert matched_losses(CHURNED, worse, SNAPSHOT).mean() > best + 0.01


def test_equals_log_loss_where_the_rate_is_already_right() -> None:
    rate = (CHURNED[SNAPSHOT == 1].sum() + 0.5) / 501
    constant = np.full(500, np.log(rate / (1 - rate)))
    direct = -(CHURNED[:500] * np.log(rate) + (1 - CHURNED[:500]) * np.log(1 - rate))
    assert matched_losses(CHURNED[:500], constant, SNAPSHOT[:500]) == pytest.approx(direct)


def test_a_snapshot_without_churners_stays_finite() -> None:
    losses = matched_losses(np.zeros(500), MARGIN[:500], SNAPSHOT[:500])
    assert np.isfinite(losses).all()
    assert losses.mean() < 0.02


@given(st.floats(-8, 8))
def test_matched_the_mean_probability_is_the_churn_rate(moved: float) -> None:
    shift = matching_shift(CHURNED, MARGIN + moved)
    assert sigmoid(MARGIN + moved + shift).mean() == pytest.approx((CHURNED.sum() + 0.5) / 1001, abs=1e-6)
    assert np.isfinite(matching_shift(np.ones(5), MARGIN[:5]))


def test_sigmoid_is_the_logistic_function_without_overflow() -> None:
    assert sigmoid(np.array([-1e4, 0.0, np.log(3.0), 1e4])) == pytest.approx([0, 0.5, 0.75, 1])
