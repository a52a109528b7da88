"""Expected demand per category over the next weeks, with an interval, tested on past weeks beside a naive forecast."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Demand known so far, shape (weeks, categories) → the next WEEKS_AHEAD weeks, shape (WEEKS_AHEAD, categories).
Method = Callable[[Floats], Floats]

WEEKS_AHEAD = 8
SEASON = 52
ORIGINS = 12
INTERVAL = (0.1, 0.9)
_SMOOTHING = 0.3
_GROWTH_WEEKS = 8
_SHORTEST_HISTORY = WEEKS_AHEAD + ORIGINS


def _naive(known: Floats) -> Floats:
    return np.repeat(known[-1:], WEEKS_AHEAD, axis=0)


def _seasonal_naive(known: Floats) -> Floats:
    return known[len(known) - SEASON :][:WEEKS_AHEAD]


def _smoothed(known: Floats) -> Floats:
    """Simple exponential smoothing: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 8.1."""
    weights = _SMOOTHING * (1 - _SMOOTHING) ** np.arange(len(known))[::-1]
    level = weights @ known / weights.sum()
    return np.repeat(level[None, :], WEEKS_AHEAD, axis=0)


def _seasonal_growth(known: Floats) -> Floats:
    """Last year's weeks times the growth of the whole shop over the latest weeks that have a year before them."""
    weeks = min(_GROWTH_WEEKS, len(known) - SEASON)
    if weeks < 1:
        return _seasonal_naive(known)
    a_year_ago = known[len(known) - SEASON - weeks : len(known) - SEASON].sum()
    growth = known[-weeks:].sum() / a_year_ago if a_year_ago > 0 else 1.0
    return _seasonal_naive(known) * growth


def _blend(known: Floats) -> Floats:
    return (_seasonal_growth(known) + _smoothed(known)) / 2


WITH_A_YEAR: Mapping[str, Method] = {
    "seasonal_naive": _seasonal_naive,
    "seasonal_growth": _seasonal_growth,
    "smoothed": _smoothed,
    "blend": _blend,
}
WITHOUT: Mapping[str, Method] = {"naive": _naive, "smoothed": _smoothed}


@dataclass(frozen=True)
class _Backtest:
    """A method at past origins: actual and forecast demand, both of shape (origins, WEEKS_AHEAD, categories)."""

    actual: Floats
    forecast: Floats

    def error(self, origins: slice) -> float:
        """Sum of the absolute errors over the sum of the demand, of all categories together."""
        missed = np.abs(self.actual[origins] - self.forecast[origins]).sum()
        return float(missed / max(self.actual[origins].sum(), 1e-12))

    def error_by_category(self, origins: slice) -> Floats:
        """Likewise by category; NaN of one without demand."""
        demand = self.actual[origins].sum(axis=(0, 1))
        missed = np.abs(self.actual[origins] - self.forecast[origins]).sum(axis=(0, 1))
        return np.where(demand > 0, missed / np.maximum(demand, 1e-12), np.nan)

    def spread(self, origins: slice) -> Floats:
        """The ends of the interval by weeks ahead, in units of the root of the forecast; shape (2, WEEKS_AHEAD)."""
        missed = (self.actual[origins] - self.forecast[origins]) / _root(self.forecast[origins])
        ends = np.quantile(missed.transpose(1, 0, 2).reshape(WEEKS_AHEAD, -1), INTERVAL, axis=1)
        return np.stack([np.minimum(ends[0], 0.0), np.maximum(ends[1], 0.0)])


def demand_forecast(weeks: pl.DataFrame, snapshot: date) -> pl.DataFrame:
    """Forecast the WEEKS_AHEAD whole weeks that follow the last one known.

    Every method is tried from each of the latest ORIGINS weeks that have an outcome. The one with the least error at
    the older half of them is taken for all categories, the naive one included; its error and the coverage of its
    interval are those at the newer half, which had no part in the choice. The interval comes from the errors of all
    categories, in units of the root of the forecast, as counts scatter.

    Args:
        weeks: grain category, week_start (a Monday): quantity. A week without a row had no demand.
        snapshot: the day whose opening midnight the weeks are as of.

    Returns:
        Grain category, week_start: see `demand_forecast.yml`. Empty with fewer than 20 weeks.
    """
    demand, categories, last_week = _matrix(weeks)
    if len(demand) < _SHORTEST_HISTORY:
        return pl.DataFrame(schema=_SCHEMA)
    first_origin = len(demand) - WEEKS_AHEAD - ORIGINS + 1
    methods = WITH_A_YEAR if first_origin >= SEASON else WITHOUT
    tests = {name: _backtest(demand, method) for name, method in methods.items()}
    older, newer = slice(0, ORIGINS // 2), slice(ORIGINS // 2, ORIGINS)
    chosen = min(methods, key=lambda name: round(tests[name].error(older), 9))  # of equals the first
    benchmark = next(iter(methods))
    tested = tests[chosen]
    low, high = _interval(tested.forecast[newer], tested.spread(older))
    covered = (low <= tested.actual[newer]) & (tested.actual[newer] <= high)
    expected = methods[chosen](demand)
    lower, upper = _interval(expected, tested.spread(slice(None)))
    by_week = {
        "category": np.repeat(categories, WEEKS_AHEAD),
        "week_start": [last_week + timedelta(weeks=step + 1) for step in range(WEEKS_AHEAD)] * len(categories),
        "expected_quantity": expected.T.reshape(-1),
        "lower": lower.T.reshape(-1),
        "upper": upper.T.reshape(-1),
        "backtest_error": np.repeat(tested.error_by_category(newer), WEEKS_AHEAD),
        "benchmark_error": np.repeat(tests[benchmark].error_by_category(newer), WEEKS_AHEAD),
    }
    return (
        pl.DataFrame(by_week)
        .with_columns(
            pl.col("backtest_error", "benchmark_error").fill_nan(None),
            snapshot_date=pl.lit(snapshot),
            method=pl.lit(chosen),
            benchmark=pl.lit(benchmark),
            backtest_coverage=pl.lit(float(covered.mean())),
        )
        .select(_SCHEMA.names())
    )


_SCHEMA = pl.Schema(
    {
        "snapshot_date": pl.Date(),
        "category": pl.String(),
        "week_start": pl.Date(),
        "expected_quantity": pl.Float64(),
        "lower": pl.Float64(),
        "upper": pl.Float64(),
        "method": pl.String(),
        "backtest_error": pl.Float64(),
        "benchmark": pl.String(),
        "benchmark_error": pl.Float64(),
        "backtest_coverage": pl.Float64(),
    }
)


def _matrix(weeks: pl.DataFrame) -> tuple[Floats, list[str], date]:
    """Demand by week and category, without gaps; the categories in order; the last week's Monday."""
    if weeks.is_empty():
        return np.empty((0, 0)), [], date.min
    first, last = weeks.select(first=pl.col("week_start").min(), last=pl.col("week_start").max()).row(0)
    every = pl.DataFrame({"week_start": pl.date_range(first, last, "1w", eager=True)})
    wide = every.join(
        weeks.sort("category").pivot("category", index="week_start", values="quantity"), on="week_start", how="left"
    )
    values = wide.sort("week_start").drop("week_start").fill_null(0.0)
    return values.to_numpy().astype(np.float64), values.columns, last


def _backtest(demand: Floats, method: Method) -> _Backtest:
    last = len(demand) - WEEKS_AHEAD
    origins = range(last - ORIGINS + 1, last + 1)
    return _Backtest(
        actual=np.stack([demand[origin : origin + WEEKS_AHEAD] for origin in origins]),
        forecast=np.stack([method(demand[:origin]) for origin in origins]),
    )


def _interval(forecast: Floats, spread: Floats) -> tuple[Floats, Floats]:
    lower, upper = (forecast + end[:, None] * _root(forecast) for end in spread)
    return np.maximum(lower, 0.0), upper


def _root(forecast: Floats) -> Floats:
    return np.sqrt(np.maximum(forecast, 1.0))
