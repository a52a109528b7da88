import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.polynomial.legendre import leggauss
from scipy.special import hyp2f1
from scipy.stats import beta, gamma

from churn_platform.core.bgnbd import BetaGeometricNBD
from churn_platform.errors import InputError, NotEnoughData
from churn_platform_tests.core.bgnbd_shop import histories, purchase_times

# The published fit of the CDNOW 1/10 sample, in weeks (Fader, Hardie & Lee 2005, table 2).
PUBLISHED = BetaGeometricNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
GENERATOR = np.random.default_rng(3)
AGE = GENERATOR.uniform(60, 100, 6000)
TIMES = purchase_times(PUBLISHED, 6000, seed=5)
FREQUENCY, RECENCY = histories(TIMES, AGE)
FITTED = BetaGeometricNBD.fit(FREQUENCY, RECENCY, AGE)

models = st.builds(
    BetaGeometricNBD,
    r=st.floats(0.1, 5),
    alpha=st.floats(0.5, 50),
    a=st.floats(0.05, 5),
    b=st.floats(0.1, 10),
)


@st.composite
def one_history(draw: st.DrawFn) -> tuple[list[float], list[float], list[float]]:
    age = draw(st.floats(0.5, 300))
    frequency = draw(st.integers(0, 40))
    recency = draw(st.floats(0, 1)) * age if frequency else 0.0
    return [float(frequency)], [recency], [age]


def test_the_fit_finds_the_parameters_that_made_the_customers() -> None:
    assert pytest.approx(PUBLISHED.r, rel=0.1) == FITTED.r
    assert pytest.approx(PUBLISHED.alpha, rel=0.15) == FITTED.alpha
    assert FITTED.a / (FITTED.a + FITTED.b) == pytest.approx(0.793 / (0.793 + 2.426), rel=0.15)
    assert FITTED.log_likelihood(FREQUENCY, RECENCY, AGE) > PUBLISHED.log_likelihood(FREQUENCY, RECENCY, AGE)


@pytest.mark.parametrize("name", ["r", "alpha", "a", "b"])
@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_no_step_from_the_fit_is_likelier(name: str, factor: float) -> None:
    moved = FITTED.to_dict() | {name: FITTED.to_dict()[name] * factor}
    assert BetaGeometricNBD.from_dict(moved).log_likelihood(FREQUENCY, RECENCY, AGE) < FITTED.log_likelihood(
        FREQUENCY, RECENCY, AGE
    )


def test_the_order_of_customers_does_not_matter_and_weights_stand_for_repetition() -> None:
    order = np.random.default_rng(0).permutation(500)
    parts = [FREQUENCY[:500], RECENCY[:500], AGE[:500]]
    whole = BetaGeometricNBD.fit(parts[0], parts[1], parts[2])
    assert BetaGeometricNBD.fit(parts[0][order], parts[1][order], parts[2][order]) == whole
    twice = BetaGeometricNBD.fit(*(np.tile(part, 2) for part in parts))
    weighted = BetaGeometricNBD.fit(parts[0], parts[1], parts[2], weights=np.full(500, 2.0))
    assert weighted == twice
    ignored = BetaGeometricNBD.fit(FREQUENCY, RECENCY, AGE, weights=(np.arange(6000) < 500).astype(float))
    assert ignored == whole


def test_the_unit_of_time_does_not_matter() -> None:
    in_days = BetaGeometricNBD.fit(FREQUENCY, RECENCY * 7, AGE * 7)
    assert [in_days.r, in_days.alpha, in_days.a, in_days.b] == pytest.approx(
        [FITTED.r, FITTED.alpha * 7, FITTED.a, FITTED.b], rel=1e-3
    )


@pytest.mark.parametrize(("x", "t_x", "t"), [(2, 30.43, 38.86), (0, 0.0, 20.0), (5, 4.0, 30.0)])
def test_the_likelihood_is_the_mean_over_all_rates_and_dropouts(x: int, t_x: float, t: float) -> None:
    """FHL equation 3, integrated numerically."""
    model = BetaGeometricNBD(2.0, 9.0, 1.5, 2.5)

    nodes, weights = leggauss(200)
    p, rate = (nodes[:, None] + 1) / 2, 2 * (nodes + 1)
    alive = (1 - p) ** x * rate**x * np.exp(-rate * t)
    gone = p * (1 - p) ** (x - 1) * rate**x * np.exp(-rate * t_x) if x else 0.0
    density = gamma.pdf(rate, model.r, scale=1 / model.alpha) * beta.pdf(p, model.a, model.b)
    likelihood = weights / 2 @ ((alive + gone) * density) @ (2 * weights)
    assert model.log_likelihood([x], [t_x], [t]) == pytest.approx(math.log(likelihood), abs=1e-4)


def test_the_worked_example_of_the_authors() -> None:
    """Customer 1 of CDNOW in the authors' spreadsheet note: 1.226 purchases expected in the next 39 weeks."""
    assert PUBLISHED.expected_purchases([2], [30.43], [38.86], 39) == pytest.approx([1.226], abs=5e-4)


def test_alive_and_silent_by_hand() -> None:
    model = BetaGeometricNBD(r=1.0, alpha=10.0, a=1.0, b=2.0)
    assert model.probability_alive([0, 1], [0, 10], [20, 20]).tolist() == pytest.approx([1.0, 1 / (1 + 0.5 * 1.5**2)])
    alive = 1 / (1 + 0.5 * 1.5**2)
    silent = model.probability_no_purchase([0, 1], [0, 10], [20, 20], 30)
    assert silent.tolist() == pytest.approx([0.5, 1 - alive * (1 - 0.25)])


def test_predictions_agree_with_what_simulated_customers_did_next() -> None:
    horizon = 30.0
    later, _ = histories(TIMES, AGE + horizon)
    bought = later - FREQUENCY
    silent = PUBLISHED.probability_no_purchase(FREQUENCY, RECENCY, AGE, horizon)
    expected = PUBLISHED.expected_purchases(FREQUENCY, RECENCY, AGE, horizon)
    for group in (FREQUENCY == 0, FREQUENCY == 1, (FREQUENCY > 1) & (RECENCY < AGE / 2), RECENCY > AGE / 2):
        users = group.sum()
        assert users > 200
        assert silent[group].mean() == pytest.approx((bought[group] == 0).mean(), abs=4 * 0.5 / np.sqrt(users))
        noise = 4 * bought[group].std() / np.sqrt(users)
        assert expected[group].mean() == pytest.approx(bought[group].mean(), abs=noise)


@settings(max_examples=60, deadline=None)
@given(models, one_history(), st.floats(0.1, 100))
def test_the_transformed_expectation_is_equation_10(
    model: BetaGeometricNBD, history: tuple[list[float], list[float], list[float]], horizon: float
) -> None:
    assume(abs(model.a - 1) > 0.01)
    x, _, t = (part[0] for part in history)
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    series = hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + t + horizon))
    assume(np.isfinite(series) and series < 1e8)
    direct = (a + b + x - 1) / (a - 1) * (1 - ((alpha + t) / (alpha + t + horizon)) ** (r + x) * series)
    direct *= model.probability_alive(*history)[0]
    assert model.expected_purchases(*history, horizon)[0] == pytest.approx(direct, rel=1e-5, abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(models, one_history(), st.floats(0.1, 100))
def test_laws(model: BetaGeometricNBD, history: tuple[list[float], list[float], list[float]], horizon: float) -> None:
    x, t_x, t = history
    alive = model.probability_alive(*history)[0]
    silent = model.probability_no_purchase(*history, horizon)[0]
    assert 0 <= alive <= 1
    assert 1 - alive <= silent + 1e-12
    assert silent <= 1
    assert model.probability_no_purchase(*history, horizon * 2)[0] <= silent
    assert model.probability_alive(x, t_x, [t[0] + 10])[0] <= alive
    assert model.expected_purchases(*history, horizon)[0] >= (1 - silent) * (1 - 1e-6) - 1e-9
    if 1e-6 < silent < 1 - 1e-6:
        assert model.no_purchase_log_odds(*history, horizon)[0] == pytest.approx(math.log(silent / (1 - silent)))


def test_nothing_jumps_where_a_is_1() -> None:
    history = ([3.0], [10.0], [30.0])
    left, at, right = (
        BetaGeometricNBD(1.2, 8.0, a, 2.0).expected_purchases(*history, 20)[0] for a in (0.999, 1.0, 1.001)
    )
    assert left > at > right
    assert at == pytest.approx((left + right) / 2, rel=1e-6)


def test_extreme_silence_stays_finite() -> None:
    log_odds = PUBLISHED.no_purchase_log_odds([400], [50], [300], 13)
    assert 100 < log_odds[0] < 2000
    assert PUBLISHED.probability_no_purchase([400], [50], [300], 13).tolist() == [1.0]
    assert PUBLISHED.expected_purchases([400], [299], [300], 13)[0] == pytest.approx(400 / 300 * 13, rel=0.05)


def test_parameters_travel_as_plain_numbers() -> None:
    assert FITTED.to_dict().keys() == {"r", "alpha", "a", "b"}
    assert BetaGeometricNBD.from_dict(FITTED.to_dict()) == FITTED


@pytest.mark.parametrize(
    ("history", "told"),
    [
        (([1, 1], [5, 11], [10, 10]), "1 of 2 .* row 1: frequency 1, recency 11, age 10"),
        (([-1], [0], [10]), "frequency -1"),
        (([0], [3], [10]), "recency 0 where the frequency is 0"),
        (([0], [0], [0]), "age > 0"),
        (([1], [float("nan")], [10]), "no null"),
        (([1, 2], [1], [2]), r"\(2,\), \(1,\) and \(1,\)"),
    ],
)
def test_impossible_histories_are_named(history: tuple[list[float], ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        BetaGeometricNBD.fit(*history)
    with pytest.raises(InputError, match=told):
        PUBLISHED.probability_alive(*history)


def test_bad_weights_horizons_and_customers_who_never_returned_are_refused() -> None:
    with pytest.raises(InputError, match="one weight per customer"):
        BetaGeometricNBD.fit([1], [1], [2], weights=[1, 2])
    with pytest.raises(InputError, match="not negative"):
        BetaGeometricNBD.fit([1], [1], [2], weights=[-1])
    with pytest.raises(NotEnoughData, match="none of 2 has a second purchase"):
        BetaGeometricNBD.fit([0, 0], [0, 0], [5, 9])
    with pytest.raises(InputError, match="positive length of time, but is 0"):
        PUBLISHED.probability_no_purchase([1], [1], [2], 0)
    with pytest.raises(InputError, match="but is -3"):
        PUBLISHED.expected_purchases([1], [1], [2], -3)
