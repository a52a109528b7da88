import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.psi import psi
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
