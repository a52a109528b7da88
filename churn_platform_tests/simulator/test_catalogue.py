import numpy as np
import pytest

from churn_platform.simulator.catalogue import DEPARTMENTS, draw_catalogue

CATALOGUE = draw_catalogue(seed=7)


def test_the_catalogue_has_about_400_distinct_skus_in_12_departments() -> None:
    frame = CATALOGUE.frame()
    assert frame["sku"].n_unique() == frame.height == 408
    assert set(frame["department"]) == set(DEPARTMENTS) and len(DEPARTMENTS) == 12


def test_prices_are_positive_cents_and_popularity_is_a_distribution() -> None:
    assert (CATALOGUE.price > 0).all()
    assert np.round(CATALOGUE.price, 2) == pytest.approx(CATALOGUE.price)
    assert CATALOGUE.popularity.sum() == pytest.approx(1)
    assert CATALOGUE.popularity.max() > 20 * CATALOGUE.popularity.min()


def test_a_seed_decides_the_catalogue() -> None:
    assert draw_catalogue(7).frame().equals(CATALOGUE.frame())
    assert not draw_catalogue(8).frame().equals(CATALOGUE.frame())


@pytest.mark.parametrize("department", [0, 5, 11])
def test_choices_prefer_the_department_and_cost_what_is_expected(department: int) -> None:
    preferred = np.full(40_000, department)
    chosen = CATALOGUE.choose(preferred, np.random.default_rng(1))
    elsewhere = CATALOGUE.popularity[CATALOGUE.department == department].sum()
    assert (CATALOGUE.department[chosen] == department).mean() == pytest.approx(0.6 + 0.4 * elsewhere, abs=0.01)
    expected = CATALOGUE.expected_price(preferred[:1])[0]
    assert CATALOGUE.price[chosen].mean() == pytest.approx(expected, rel=0.03)
