"""Demand per category: methods on series with a known answer, the choice, the interval, and what the table holds."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from churn_platform.core.demand_forecast import WEEKS_AHEAD, demand_forecast

MONDAY = date(2023, 1, 2)


def table(**series: NDArray[np.float64]) -> pl.DataFrame:
    """One row per category and week with demand."""
    rows = [
        {"category": name, "week_start": MONDAY + timedelta(weeks=week), "quantity": float(quantity)}
        for name, values in series.items()
        for week, quantity in enumerate(values)
        if quantity > 0
    ]
    return pl.DataFrame(rows)


def forecast(weeks: pl.DataFrame) -> pl.DataFrame:
    return demand_forecast(weeks, date(2026, 1, 1))


def season(weeks: int) -> NDArray[np.float64]:
    return 100 + 80 * np.sin(2 * np.pi * np.arange(weeks) / 52)


def test_steady_demand_goes_on_and_the_interval_is_a_point() -> None:
    found = forecast(table(tea=np.full(40, 12.0)))
    assert found["expected_quantity"].to_list() == pytest.approx([12.0] * WEEKS_AHEAD)
    assert found["lower"].to_list() == pytest.approx(found["upper"].to_list())
    assert found["backtest_error"].to_list() == pytest.approx([0.0] * WEEKS_AHEAD, abs=1e-12)


def test_the_weeks_follow_the_last_one_known() -> None:
    found = forecast(table(tea=np.full(40, 12.0)))
    assert found["week_start"].to_list() == [MONDAY + timedelta(weeks=40 + step) for step in range(WEEKS_AHEAD)]


def test_a_year_that_repeats_is_forecast_by_last_year() -> None:
    found = forecast(table(tea=season(120)))
    assert found["method"].unique().to_list() == ["seasonal_naive"]
    assert found["expected_quantity"].to_list() == pytest.approx(season(120 + WEEKS_AHEAD)[120:].tolist())


def test_a_year_that_grows_is_forecast_by_last_year_times_the_growth_and_beats_last_year_alone() -> None:
    growing = season(140) * 1.5 ** (np.arange(140) / 52)
    found = forecast(table(tea=growing[:112]))
    assert found["method"].unique().to_list() == ["seasonal_growth"]
    assert found["expected_quantity"].to_list() == pytest.approx(growing[112 : 112 + WEEKS_AHEAD].tolist())
    assert found["benchmark"].unique().to_list() == ["seasonal_naive"]
    assert (found["backtest_error"] < found["benchmark_error"]).all()


def test_without_a_year_the_benchmark_is_the_last_week_and_noise_is_smoothed() -> None:
    noise = np.random.default_rng(0).poisson(50, size=50).astype(float)
    found = forecast(table(tea=noise))
    assert found["benchmark"].unique().to_list() == ["naive"]
    assert found["method"].unique().to_list() == ["smoothed"]
    assert found["backtest_error"][0] < found["benchmark_error"][0]


def test_the_choice_does_not_see_the_weeks_that_it_is_tested_on() -> None:
    values = np.random.default_rng(1).poisson(50, size=60).astype(float)
    changed = values.copy()
    changed[-4:] *= 10
    assert forecast(table(tea=values))["method"][0] == forecast(table(tea=changed))["method"][0]
    assert forecast(table(tea=values))["backtest_error"][0] < forecast(table(tea=changed))["backtest_error"][0]


def test_the_interval_holds_about_four_of_five_weeks_of_counts() -> None:
    rng = np.random.default_rng(2)
    series = {f"c{number}": rng.poisson(20 + number, size=80).astype(float) for number in range(40)}
    known = table(**{name: values[:72] for name, values in series.items()})
    found = forecast(known).sort("category", "week_start")
    actual = np.concatenate([series[name][72:80] for name in sorted(series)])
    within = ((found["lower"].to_numpy() <= actual) & (actual <= found["upper"].to_numpy())).mean()
    assert 0.7 <= within <= 0.9
    assert 0.7 <= found["backtest_coverage"][0] <= 0.9


def test_a_week_without_a_row_had_no_demand() -> None:
    found = forecast(table(tea=np.full(40, 12.0), ice=np.where(np.arange(40) < 20, 9.0, 0.0)))
    ice = found.filter(category="ice")
    assert ice["expected_quantity"].max() < 1.0
    assert ice["backtest_error"].null_count() in (0, WEEKS_AHEAD)


@pytest.mark.parametrize("weeks", [0, 1, 19])
def test_too_few_weeks_give_no_rows(weeks: int) -> None:
    known = (
        table(tea=np.full(weeks, 5.0))
        if weeks
        else pl.DataFrame(schema={"category": pl.String, "week_start": pl.Date, "quantity": pl.Float64})
    )
    assert forecast(known).is_empty()


def test_rows_are_ordered_and_whole() -> None:
    found = forecast(table(tea=np.full(20, 5.0), jam=np.full(20, 3.0)))
    assert found.height == 2 * WEEKS_AHEAD
    assert (found["lower"] <= found["expected_quantity"]).all()
    assert (found["expected_quantity"] <= found["upper"]).all()
