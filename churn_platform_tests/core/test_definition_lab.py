from datetime import date

import polars as pl
import pytest

from churn_platform.core.definition_lab import HorizonSummary, recommend, summarise

JANUARY, MARCH = date(2024, 1, 1), date(2024, 3, 1)
# horizon 30 has passed for both snapshots, twice for both; 90 for both, twice for January only
LAB = pl.DataFrame(
    [
        (JANUARY, 30, 100, 60, 40, 30, 12.0),
        (MARCH, 30, 200, 80, 30, 26, 20.0),
        (JANUARY, 90, 100, 30, 8, 6, 100.0),
        (MARCH, 90, 200, 40, 3, None, None),
    ],
    schema=["snapshot_date", "horizon_days", "eligible", "churned", "came_back", "came_back_within_another",
            "median_days_until_back"],
    orient="row",
)  # fmt: skip


def summary(horizon: int, coming_back: float | None) -> HorizonSummary:
    return HorizonSummary(horizon, 2, 0.4, 0.3, 0.5, coming_back, 20.0, 0.1)


def test_each_horizon_is_summed_over_the_snapshots_that_it_has_passed_for() -> None:
    short, long = summarise(LAB, current_horizon=90)
    assert (short.horizon_days, short.snapshots, long.horizon_days, long.snapshots) == (30, 2, 90, 2)
    assert (short.churn_rate, short.lowest, short.highest) == pytest.approx((0.5, 0.4, 0.6))
    assert short.coming_back == pytest.approx(56 / 140)
    assert long.coming_back == pytest.approx(6 / 30), "only January's second horizon has passed"
    assert (short.median_days_until_back, long.median_days_until_back) == (20.0, 100.0)


def test_who_changes_the_label_is_told_against_the_current_horizon() -> None:
    short, long = summarise(LAB, current_horizon=90)
    assert short.other_label == pytest.approx((30 + 40) / 300)
    assert long.other_label == 0.0
    assert [found.other_label for found in summarise(LAB, current_horizon=77)] == [None, None]


def test_the_shortest_horizon_that_is_sure_enough_is_recommended() -> None:
    found = recommend([summary(14, 0.5), summary(30, 0.21), summary(60, 0.2), summary(90, 0.1)])
    assert found.horizon_days == 60
    assert "60 days is the shortest" in found.reason and "20% do" in found.reason


def test_where_none_is_sure_the_longest_known_one_is() -> None:
    found = recommend([summary(14, 0.5), summary(30, 0.4), summary(60, None)])
    assert found.horizon_days == 30
    assert "A longer history may show a surer one" in found.reason


def test_a_short_history_recommends_nothing() -> None:
    assert recommend([]).horizon_days is None
    assert "too short" in recommend([summary(30, None)]).reason
