from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.simulator.seasons import (
    FIRST_SHOPPING_HOUR,
    LAST_SHOPPING_HOUR,
    PREFERRED_HOURS,
    SECONDS_PER_DAY,
    Calendar,
    Floats,
    clock_seconds,
)

CALENDAR = Calendar(date(2024, 7, 1), 600)
times = st.lists(st.floats(0, 600, allow_nan=False), min_size=1, max_size=30).map(np.array)


def rate(of: str, day: date) -> float:
    """Demand or risk of one calendar day."""
    edge = np.array([(day - CALENDAR.first_day).days, (day - CALENDAR.first_day).days + 1], dtype=np.float64)
    return float(np.diff(CALENDAR.demand(edge) if of == "demand" else CALENDAR.risk(edge))[0])


@given(times)
def test_demand_and_risk_time_are_invertible(time: Floats) -> None:
    assert CALENDAR.from_demand(CALENDAR.demand(time)) == pytest.approx(time, abs=1e-6)
    assert CALENDAR.from_risk(CALENDAR.risk(time)) == pytest.approx(time, abs=1e-6)


def test_demand_peaks_before_christmas_and_on_saturdays() -> None:
    december_saturday, december_monday = date(2024, 12, 7), date(2024, 12, 2)
    assert rate("demand", december_saturday) > rate("demand", december_monday) > rate("demand", date(2025, 2, 3))


def test_risk_peaks_in_late_january() -> None:
    assert rate("risk", date(2025, 1, 26)) == pytest.approx(1.25)
    assert rate("risk", date(2025, 7, 27)) == pytest.approx(0.75, abs=0.001)


def test_the_calendar_does_not_depend_on_where_it_begins() -> None:
    later = Calendar(date(2024, 9, 10), 100)
    shift = (later.first_day - CALENDAR.first_day).days
    time = np.array([0.0, 10.5, 77.25])
    expected = CALENDAR.demand(time + shift) - CALENDAR.demand(np.array([float(shift)]))
    assert later.demand(time) == pytest.approx(expected)


@given(times, st.integers(0, len(PREFERRED_HOURS) - 1))
def test_the_clock_keeps_day_and_order_and_shopping_hours(time: Floats, rhythm: int) -> None:
    ordered = np.sort(time)
    seconds = clock_seconds(ordered, np.full(ordered.size, rhythm))
    assert (np.diff(seconds) >= 0).all()
    assert (seconds // SECONDS_PER_DAY == np.floor(ordered)).all()
    hour = seconds % SECONDS_PER_DAY / 3600
    assert ((hour >= FIRST_SHOPPING_HOUR) & (hour <= LAST_SHOPPING_HOUR)).all()


@pytest.mark.parametrize("rhythm", range(len(PREFERRED_HOURS)))
def test_the_preferred_hour_is_the_busiest(rhythm: int) -> None:
    time = np.linspace(0, 1, 20_000, endpoint=False)
    hour = clock_seconds(time, np.full(time.size, rhythm)) // 3600
    assert abs(np.bincount(hour).argmax() - PREFERRED_HOURS[rhythm]) <= 1
