"""How demand and the risk of leaving move with the calendar, and the hours at which people shop."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEKDAY_DEMAND = np.array([0.95, 0.90, 0.95, 1.00, 1.10, 1.15, 0.95])
YEAR = 365.25
SECONDS_PER_DAY = 86_400
PREFERRED_HOURS = np.array([9, 13, 17, 20])
FIRST_SHOPPING_HOUR, LAST_SHOPPING_HOUR = 6, 23


@dataclass(frozen=True)
class Calendar:
    """Cumulative demand and risk over `days` days from `first_day`; times are days (float) since its midnight.

    Demand time runs faster when people buy more (December, Saturdays): a purchase gap of g means g units of demand
    time, about g average days. Risk time does the same for the hazard of leaving, which peaks in late January.
    Times beyond the calendar are clamped to its ends.
    """

    first_day: date
    days: int

    @cached_property
    def _edges(self) -> Floats:
        return np.arange(self.days + 1, dtype=np.float64)

    @cached_property
    def _dates(self) -> NDArray[np.datetime64]:
        return np.datetime64(self.first_day, "D") + np.arange(self.days)

    @cached_property
    def _day_of_year(self) -> Ints:
        dates = self._dates
        since_new_year: Ints = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
        return since_new_year

    @cached_property
    def _demand(self) -> Floats:
        day = self._day_of_year
        season = 1 + 0.12 * np.cos(2 * np.pi * (day - 335) / YEAR) + 0.35 * np.exp(-(((day - 335) / 18) ** 2) / 2)
        weekday = (self._dates.astype(np.int64) + 3) % 7
        return np.concatenate([[0.0], np.cumsum(season * WEEKDAY_DEMAND[weekday])])

    @cached_property
    def _risk(self) -> Floats:
        season = 1 + 0.25 * np.cos(2 * np.pi * (self._day_of_year - 25) / YEAR)
        return np.concatenate([[0.0], np.cumsum(season)])

    def demand(self, time: Floats) -> Floats:
        """Demand time at a time in days."""
        return np.interp(time, self._edges, self._demand)

    def from_demand(self, demand: Floats) -> Floats:
        """Inverse of `demand`."""
        return np.interp(demand, self._demand, self._edges)

    def risk(self, time: Floats) -> Floats:
        """Risk time at a time in days."""
        return np.interp(time, self._edges, self._risk)

    def from_risk(self, risk: Floats) -> Floats:
        """Inverse of `risk`."""
        return np.interp(risk, self._risk, self._edges)


def clock_seconds(time: Floats, rhythm: Ints) -> Ints:
    """Seconds since the calendar's first midnight, with the day's fraction moved to the customer's shopping hours.

    Args:
        time: days since the first midnight.
        rhythm: index into PREFERRED_HOURS, one per time.

    Within a day and rhythm the map keeps the order; no result lies after 23:00, so an hour's session ends on its day.
    """
    day = np.floor(time)
    hours = np.arange(FIRST_SHOPPING_HOUR, LAST_SHOPPING_HOUR + 1, dtype=np.float64)
    hour = np.empty_like(time)
    for index, preferred in enumerate(PREFERRED_HOURS):
        mine = rhythm == index
        density = 0.3 + np.exp(-(((hours[:-1] + 0.5 - preferred) / 2) ** 2) / 2)
        cumulative = np.concatenate([[0.0], np.cumsum(density) / density.sum()])
        hour[mine] = np.interp((time - day)[mine], cumulative, hours)
    return (day * SECONDS_PER_DAY + np.floor(hour * 3600)).astype(np.int64)
