import numpy as np
import pytest

from churn_platform.simulator.customers import (
    BAD_OUTCOME_SHARE,
    BLOCK_SIZE,
    LEAVING_SHARE,
    Contacts,
    Customers,
    draw_customers,
    shop_calendar,
)
from churn_platform.simulator.shop_settings import ShopSettings

SETTINGS = ShopSettings(customers=10_000)
CALENDAR = shop_calendar(SETTINGS)
BLOCKS = [draw_customers(SETTINGS, block, CALENDAR) for block in range(10)]


def each(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.concatenate([getattr(customers, name) for customers, _ in BLOCKS])


def test_customers_are_numbered_over_the_whole_shop() -> None:
    assert np.array_equal(each("index"), np.arange(10 * BLOCK_SIZE))


def test_the_declared_share_joined_before_the_window_and_nobody_after_it() -> None:
    assert (each("arrival") < 0).mean() == pytest.approx(SETTINGS.existing_share, abs=0.02)
    assert each("arrival").max() < SETTINGS.days


def test_a_shop_may_open_on_its_first_day() -> None:
    opened, _ = draw_customers(ShopSettings(existing_share=0.0), 0, CALENDAR)
    assert (opened.arrival >= 0).all()


def test_the_loyal_are_left_over_among_those_who_joined_long_ago() -> None:
    arrival, hazard = each("arrival"), each("hazard")
    assert hazard[arrival < -300].mean() < 0.7 * hazard[arrival >= 0].mean()


def test_nobody_dies_before_joining() -> None:
    assert (each("death") > each("start")).all()


def test_deaths_follow_the_hazard() -> None:
    """Deaths minus the hazard accumulated until them is a martingale: its sum is 0 give or take its root."""
    hazard, start, death = each("hazard"), each("start"), each("death")
    end = np.minimum(death, SETTINGS.days)
    from_contacts = each("support_rate") * BAD_OUTCOME_SHARE * LEAVING_SHARE * (end - start)
    expected = (hazard * (CALENDAR.risk(end) - CALENDAR.risk(start)) + from_contacts).sum()
    assert abs((death < SETTINGS.days).sum() - expected) < 4 * np.sqrt(expected)


def left_at_contact(customers: Customers, contacts: Contacts) -> float:
    """Share of the bad contacts that are the moment of death."""
    return float((contacts.time == customers.death[contacts.owner])[contacts.bad].mean())


def test_half_of_the_bad_contacts_drive_away_and_no_good_one_does() -> None:
    shares = [left_at_contact(customers, contacts) for customers, contacts in BLOCKS]
    assert np.mean(shares) == pytest.approx(LEAVING_SHARE, abs=0.05)
    for customers, contacts in BLOCKS:
        assert not (contacts.time == customers.death[contacts.owner])[~contacts.bad].any()


def test_contacts_lie_between_start_and_death() -> None:
    for customers, contacts in BLOCKS:
        assert (contacts.time >= customers.start[contacts.owner]).all()
        assert (contacts.time <= customers.death[contacts.owner]).all()
