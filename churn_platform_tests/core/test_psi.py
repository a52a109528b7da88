import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from churn_platform.core.psi import divergence, psi, psi_interval
from churn_platform.errors import InputError, NotEnoughData

samples = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=80)


@given(samples)
def test_nothing_has_moved_against_itself(sample: list[float]) -> None:
    assert psi(sample, sample) == pytest.approx(0.0)


@given(samples, samples)
def test_never_negative_and_blind_to_monotone_transforms(expected: list[float], actual: list[float]) -> None:
    value = psi(expected, actual)
    assert value >= 0
    assert psi(np.exp(np.array(expected) / 10), np.exp(np.array(actual) / 10)) == pytest.approx(value)


def test_equals_the_formula() -> None:
    expected, actual = [0.0] * 50 + [1.0] * 50, [0.0] * 25 + [1.0] * 75
    before, after = np.array([50.5, 50.5]) / 101, np.array([25.5, 75.5]) / 101
    assert psi(expected, actual, bins=2) == pytest.approx(((after - before) * np.log(after / before)).sum())


def test_grows_with_the_shift() -> None:
    base = np.random.default_rng(0).normal(size=4000)
    assert psi(base, base + 0.05) < 0.1
    assert psi(base, base + 0.6) > 0.25


def test_null_is_a_bin_of_its_own() -> None:
    whole = np.arange(100.0)
    holes = np.where(whole >= 90, np.nan, whole)
    assert psi(whole, holes) > 0.25
    assert psi(holes, holes) == pytest.approx(0.0)


def test_empty_samples_and_one_bin_are_refused() -> None:
    with pytest.raises(NotEnoughData, match="0 and 1 rows"):
        psi([], [1.0])
    with pytest.raises(InputError, match="at least 2 bins"):
        psi([1.0], [1.0], bins=1)


def test_what_never_varies_has_not_moved_however_few_rows_there_are() -> None:
    assert psi([0.0] * 10_000, [0.0] * 20) == 0.0
    assert psi([float("nan")] * 900, [float("nan")] * 3) == 0.0


@given(samples, samples)
def test_the_interval_holds_the_value_and_begins_nowhere_below_0(expected: list[float], actual: list[float]) -> None:
    found = psi_interval(expected, actual, resamples=50)
    assert found.value == psi(expected, actual)
    assert 0 <= found.lower <= found.value <= found.upper
    assert psi_interval(expected, actual, resamples=50) == found


@given(st.floats(1.5, 4.0))
def test_the_interval_shrinks_with_the_users(power: float) -> None:
    """A quarter of its width from sixteen times as many, where something has moved."""

    def width(users: int) -> float:
        found = psi_interval(np.linspace(0, 1, 1000), np.linspace(0, 1, users) ** power)
        return found.upper - found.lower

    assert width(16 * 400) == pytest.approx(width(400) / 4, rel=0.25)


def test_its_ends_are_those_of_resampled_users() -> None:
    """Of 100 users, of whom 75 were in the upper bin, 66 to 83 are so in 95 % of the resamples: binomial."""
    expected, actual = [0.0] * 50 + [1.0] * 50, [0.0] * 25 + [1.0] * 75
    index = np.array([psi(expected, [0.0] * (100 - upper) + [1.0] * upper, bins=2) for upper in range(101)])
    bias = binom.pmf(range(101), 100, 0.75) @ index - index[75]
    found = psi_interval(expected, actual, bins=2, resamples=20_000)
    assert (found.lower, found.value, found.upper) == pytest.approx(
        (index[66] - 2 * bias, index[75], index[83] - 2 * bias), abs=0.002
    )


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_most_intervals_hold_the_index_of_the_populations(shift: float) -> None:
    generator = np.random.default_rng(0)
    training = generator.normal(size=20_000)
    truth = psi(training, generator.normal(shift, 1, 1_000_000))
    folds = [psi_interval(training, generator.normal(shift, 1, 1000), resamples=200, seed=seed) for seed in range(100)]
    assert sum(fold.lower <= truth <= fold.upper for fold in folds) >= 90


def test_a_null_that_no_resample_draws_is_no_bin() -> None:
    assert psi_interval([0.0] * 9, [0.0] * 9).upper == 0.0
    found = psi_interval([0.0] * 1000, [0.0] * 999 + [float("nan")])
    assert 0 <= found.lower <= found.value <= found.upper


def test_two_sides_without_rows_have_not_moved() -> None:
    with np.errstate(all="raise"):
        assert divergence([0, 0], [0, 0]) == 0.0
