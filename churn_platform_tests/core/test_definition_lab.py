from datetime import date

import polars as pl
import pytest

from churn_platform.core.definition_lab import HorizonSummary, recommend, summarise

JANUARY, MARCH = date(2024, 1, 1), date(2024, 3, 1)
# horizon 30 and 90 have passed for both snapshots, 180 for January only
LAB = pl.DataFrame(
    [
        (JANUARY, 30, 100, 60, 40, 12.0),
        (MARCH, 30, 200, 80, 30, 20.0),
        (JANUARY, 90, 100, 30, 8, 100.0),
        (MARCH, 90, 200, 40, 3, None),
        (JANUARY, 180, 100, 20, 0, None),
    ],
    schema=["snapshot_date", "horizon_days", "eligible", "churned", "came_back", "median_days_until_back"],
    orient="row",
)


def summary(horizon: int, late: float | None) -> HorizonSummary:
    return HorizonSummary(horizon, 2, 0.4, 0.3, 0.5, 0.6, late, 20.0, 0.1)


def test_each_horizon_is_summed_over_the_snapshots_that_it_has_passed_for() -> None:
    short, long, longest = summarise(LAB, current_horizon=90)
    assert [found.horizon_days for found in (short, long, longest)] == [30, 90, 180]
    assert [found.snapshots for found in (short, long, longest)] == [2, 2, 1]
    assert (short.churn_rate, short.lowest, short.highest) == pytest.approx((0.5, 0.4, 0.6))
    assert (short.median_days_until_back, long.median_days_until_back) == (20.0, 100.0)


def test_returns_are_those_by_the_end_of_the_longest_horizon() -> None:
    """Of January's 100, 80 come back within 180 days, 40 of them after 30 days and 10 after 90."""
    short, long, longest = summarise(LAB, current_horizon=90)
    assert (short.come_back, long.come_back, longest.come_back) == pytest.approx((40 / 60, 10 / 30, 0.0))
    assert (short.late_returns, long.late_returns, longest.late_returns) == pytest.approx((0.5, 0.125, 0.0))


def test_who_changes_the_label_is_told_against_the_current_horizon() -> None:
    short, long, _ = summarise(LAB, current_horizon=90)
    assert short.other_label == pytest.approx((30 + 40) / 300)
    assert long.other_label == 0.0
    assert [found.other_label for found in summarise(LAB, current_horizon=77)] == [None, None, None]


def test_the_shortest_horizon_after_which_few_come_back_is_recommended() -> None:
    found = recommend([summary(14, 0.5), summary(30, 0.21), summary(60, 0.2), summary(90, 0.0)])
    assert found.horizon_days == 60
    assert "60 days is the shortest" in found.reason and "within 90 days" in found.reason and "20% do" in found.reason


def test_a_short_history_recommends_nothing() -> None:
    for few in ([], [summary(30, 0.0)], [summary(30, None), summary(60, None)]):
        assert recommend(few).horizon_days is None
        assert "too short" in recommend(few).reason


def test_a_shop_where_nobody_comes_back_recommends_nothing() -> None:
    gone = LAB.with_columns(churned="eligible")
    assert recommend(summarise(gone, current_horizon=90)).horizon_days is None
