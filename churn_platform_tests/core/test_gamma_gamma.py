import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import gamma as gamma_law

from churn_platform.core.gamma_gamma import GammaGamma
from churn_platform.errors import InputError, NotEnoughData

TRUTH = GammaGamma(p=5.0, q=4.0, gamma=20.0)

models = st.builds(GammaGamma, p=st.floats(0.2, 20), q=st.floats(1.1, 20), gamma=st.floats(0.1, 100))
counts = st.integers(1, 50)


def shop(customers: int = 8_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Purchases and their mean value of customers that follow TRUTH."""
    rng = np.random.default_rng(seed)
    purchases = rng.integers(1, 9, customers)
    rate = rng.gamma(TRUTH.q, 1 / TRUTH.gamma, customers)
    return purchases.astype(float), rng.gamma(TRUTH.p * purchases) / (rate * purchases)


def test_the_fit_finds_the_parameters_that_made_the_customers() -> None:
    fitted = GammaGamma.fit(*shop())
    assert (fitted.p, fitted.q, fitted.gamma) == pytest.approx((5.0, 4.0, 20.0), rel=0.1)
    assert fitted.log_likelihood(*shop()) >= TRUTH.log_likelihood(*shop())
    assert fitted.mean == pytest.approx(TRUTH.mean, rel=0.03)


@pytest.mark.parametrize("name", ["p", "q", "gamma"])
@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_no_step_from_the_fit_is_likelier(name: str, factor: float) -> None:
    fitted = GammaGamma.fit(*shop())
    moved = GammaGamma.from_dict(fitted.to_dict() | {name: fitted.to_dict()[name] * factor})
    assert moved.log_likelihood(*shop()) < fitted.log_likelihood(*shop())


def test_the_likelihood_is_the_mixture_over_customers() -> None:
    x, m = 3.0, 25.0

    def given_rate(rate: float) -> float:
        mean_of_purchases = gamma_law(TRUTH.p * x, scale=1 / (rate * x)).pdf(m)
        return float(mean_of_purchases * gamma_law(TRUTH.q, scale=1 / TRUTH.gamma).pdf(rate))

    mixed, _ = quad(given_rate, 0, 5)
    assert TRUTH.log_likelihood([x], [m]) == pytest.approx(np.log(mixed))


@given(models, counts, st.floats(0.01, 1000))
def test_the_expectation_lies_between_the_customers_own_mean_and_that_of_all(
    model: GammaGamma, purchases: int, mean: float
) -> None:
    [expected] = model.expected_value([purchases], [mean])
    low, high = sorted([mean, model.mean])
    assert low * (1 - 1e-9) <= expected <= high * (1 + 1e-9)


@given(models, st.floats(0.01, 1000))
def test_the_more_purchases_the_nearer_to_the_own_mean(model: GammaGamma, mean: float) -> None:
    few, many = model.expected_value([1, 40], [mean, mean])
    assert abs(many - mean) <= abs(few - mean) * (1 + 1e-9) + 1e-9


def test_without_a_valued_purchase_the_mean_of_all_is_expected() -> None:
    assert TRUTH.expected_value([0], [np.nan]).tolist() == pytest.approx([TRUTH.mean])


@pytest.mark.parametrize(("purchases", "mean"), [([0], [1.0]), ([1], [0.0]), ([1], [np.nan]), ([1, 2], [1.0])])
def test_impossible_histories_are_refused(purchases: list[int], mean: list[float]) -> None:
    with pytest.raises(InputError):
        GammaGamma.fit(purchases, mean)


@pytest.mark.parametrize(("purchases", "mean"), [([], []), ([3], [5.0]), ([1, 4], [5.0, 5.0])])
def test_customers_that_do_not_differ_tell_nothing(purchases: list[int], mean: list[float]) -> None:
    with pytest.raises(NotEnoughData, match="Load a longer history"):
        GammaGamma.fit(purchases, mean)
