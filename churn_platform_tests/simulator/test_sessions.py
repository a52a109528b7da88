import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.simulator.customers import draw_customers, shop_calendar
from churn_platform.simulator.orders import draw_orders
from churn_platform.simulator.seasons import SECONDS_PER_DAY
from churn_platform.simulator.sessions import NO_ORDER, WARMTH_AT_DEATH, draw_sessions, warmth
from churn_platform.simulator.shop_settings import ShopSettings

SETTINGS = ShopSettings()
CALENDAR = shop_calendar(SETTINGS)
CUSTOMERS, _ = draw_customers(SETTINGS, 0, CALENDAR)
ORDERS = draw_orders(CUSTOMERS, CALENDAR, SETTINGS.days, np.random.default_rng(3))
SESSIONS = draw_sessions(CUSTOMERS, ORDERS, CALENDAR, SETTINGS.days, np.random.default_rng(5))


@given(st.floats(-500, 500), st.floats(0, 500))
def test_warmth_is_a_share_that_never_rises(since_death: float, later: float) -> None:
    now, then = warmth(np.array([since_death, since_death + later]))
    assert 0 <= then <= now <= 1


def test_warmth_is_full_long_before_death_and_for_the_immortal() -> None:
    assert warmth(np.array([-45.0, -np.inf])).tolist() == [1.0, 1.0]
    assert warmth(np.array([0.0]))[0] == pytest.approx(WARMTH_AT_DEATH)
    assert warmth(np.array([40.0]))[0] == pytest.approx(WARMTH_AT_DEATH / np.e)


def test_every_order_has_exactly_one_visit_of_its_customer_on_its_day() -> None:
    ordering = SESSIONS.order != NO_ORDER
    order = SESSIONS.order[ordering]
    assert np.array_equal(np.sort(order), np.arange(ORDERS.owner.size))
    assert np.array_equal(SESSIONS.owner[ordering], ORDERS.owner[order])
    assert np.array_equal(SESSIONS.second[ordering] // SECONDS_PER_DAY, np.floor(ORDERS.time[order]))


def test_visits_are_numbered_per_customer_in_time() -> None:
    follows = SESSIONS.owner[1:] == SESSIONS.owner[:-1]
    assert (np.diff(SESSIONS.number)[follows] == 1).all()
    assert (np.diff(SESSIONS.second)[follows] >= 0).all()
    assert (SESSIONS.number[1:][~follows] == 1).all()


def test_no_visit_lies_outside_membership_and_window() -> None:
    day = SESSIONS.second / SECONDS_PER_DAY
    assert (np.floor(day) >= np.floor(CUSTOMERS.start[SESSIONS.owner])).all()
    assert (day < SETTINGS.days).all()


def test_browsing_fades_before_death_and_lingers_after() -> None:
    since_death = SESSIONS.second / SECONDS_PER_DAY - CUSTOMERS.death[SESSIONS.owner]
    browsing = since_death[SESSIONS.order == NO_ORDER]
    watched = np.flatnonzero((CUSTOMERS.death - CUSTOMERS.start > 90) & (CUSTOMERS.death < SETTINGS.days - 60))
    assert watched.size > 100
    mine = np.isin(SESSIONS.owner[SESSIONS.order == NO_ORDER], watched)

    def visits(first: int, last: int) -> int:
        return int(((browsing >= first) & (browsing < last))[mine].sum())

    assert visits(-90, -45) > 1.15 * visits(-45, 0) > 1.5 * visits(0, 45) > 0
