import numpy as np
import pytest

from churn_platform.simulator.catalogue import draw_catalogue
from churn_platform.simulator.customers import BLOCK_SIZE, draw_customers, shop_calendar
from churn_platform.simulator.orders import draw_lines, draw_orders, expected_order_value
from churn_platform.simulator.shop_settings import ShopSettings

SETTINGS = ShopSettings()
CALENDAR = shop_calendar(SETTINGS)
CUSTOMERS, _ = draw_customers(SETTINGS, 0, CALENDAR)
ORDERS = draw_orders(CUSTOMERS, CALENDAR, SETTINGS.days, np.random.default_rng(3))
CATALOGUE = draw_catalogue(7)
LINES = draw_lines(CUSTOMERS, ORDERS, CATALOGUE, np.random.default_rng(4))


def test_orders_lie_between_start_and_death_inside_the_window() -> None:
    assert (ORDERS.time >= CUSTOMERS.start[ORDERS.owner]).all()
    assert (ORDERS.time < np.minimum(CUSTOMERS.death, SETTINGS.days)[ORDERS.owner]).all()


def test_each_customers_orders_are_numbered_in_time() -> None:
    ranked = np.lexsort((ORDERS.time, ORDERS.owner))
    owner, number = ORDERS.owner[ranked], ORDERS.number[ranked]
    follows = owner[1:] == owner[:-1]
    assert (number[1:][follows] == number[:-1][follows] + 1).all()
    assert (number[1:][~follows] == 1).all() and number[0] == 1


def test_those_who_were_there_before_order_at_their_own_rate_from_the_first_day() -> None:
    """A renewal process met in equilibrium has E[N(t)] = t / mean gap for every t, whatever the gaps' shape."""
    existing = CUSTOMERS.arrival < 0
    counts = np.zeros(BLOCK_SIZE)
    for repeat in range(8):
        orders = draw_orders(CUSTOMERS, CALENDAR, SETTINGS.days, np.random.default_rng(repeat))
        counts += np.bincount(orders.owner, minlength=BLOCK_SIZE) / 8
    end = np.minimum(CUSTOMERS.death, SETTINGS.days)
    expected = (CALENDAR.demand(end) - CALENDAR.demand(CUSTOMERS.start)) / CUSTOMERS.mean_gap
    assert counts[existing].sum() == pytest.approx(expected[existing].sum(), rel=0.03)


def test_most_newcomers_order_as_they_join() -> None:
    new = CUSTOMERS.arrival >= 0
    at_once = np.isin(np.arange(BLOCK_SIZE), ORDERS.owner[np.isclose(ORDERS.time, CUSTOMERS.start[ORDERS.owner])])
    assert at_once[new].mean() == pytest.approx(0.75, abs=0.05)
    assert at_once[~new].mean() < 0.02


def test_every_order_has_lines_of_positive_quantity_and_price() -> None:
    assert np.array_equal(np.unique(LINES.order), np.arange(ORDERS.owner.size))
    assert (LINES.quantity >= 1).all() and (LINES.price > 0).all()
    assert (LINES.price <= CATALOGUE.price[LINES.sku]).all()


def test_an_order_is_worth_what_its_customers_value_level_says() -> None:
    amount = np.bincount(LINES.order, weights=LINES.quantity * LINES.price)
    expected = expected_order_value(CUSTOMERS, CATALOGUE)[ORDERS.owner]
    assert amount.mean() == pytest.approx(expected.mean(), rel=0.04)
    rich = expected > np.median(expected)
    assert amount[rich].mean() > 1.5 * amount[~rich].mean()
