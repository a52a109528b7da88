from datetime import date

import numpy as np
import polars as pl
import pytest

from churn_platform.core.bgnbd import BetaGeometricNBD
from churn_platform.core.purchase_forecast import purchase_forecast
from churn_platform_tests.core.bgnbd_shop import histories, purchase_times

SNAPSHOT, HORIZON = date(2025, 8, 1), 90
TRUTH = BetaGeometricNBD(r=0.8, alpha=40.0, a=0.8, b=2.5)
AGE = np.random.default_rng(3).uniform(100, 700, 3_000)
TIMES = purchase_times(TRUTH, 3_000, seed=5)


def shop() -> pl.DataFrame:
    """Customers that follow TRUTH, whose purchases are worth 10 to 90."""
    frequency, recency = histories(TIMES, AGE)
    value = np.random.default_rng(4).uniform(10, 90, len(AGE))
    return pl.DataFrame(
        {
            "user_id": [f"u{number}" for number in range(len(AGE))],
            "purchase_days": (frequency + 1).astype(int),
            "age_days": AGE,
            "recency_days": AGE - recency,
            "orders": (frequency + 1).astype(int) * 2,
            "spend": (frequency + 1) * value,
        }
    )


def forecast(bought: pl.DataFrame | None = None) -> pl.DataFrame:
    return purchase_forecast(shop() if bought is None else bought, SNAPSHOT, HORIZON, default_order_value=7.5)


def test_orders_spend_and_staying_agree_with_the_model_and_with_one_another() -> None:
    found = forecast()
    assert found["user_id"].to_list() == shop()["user_id"].to_list()
    assert set(found["forecast_by"]) == {"bgnbd"}
    frequency, recency = histories(TIMES, AGE)
    expected = 2 * TRUTH.expected_purchases(frequency, recency, AGE, HORIZON)
    assert found["expected_orders"].sum() == pytest.approx(expected.sum(), rel=0.05)
    staying = 1 - TRUTH.probability_no_purchase(frequency, recency, AGE, HORIZON)
    assert (found["spend_if_staying"] * staying).sum() == pytest.approx(found["expected_spend"].sum(), rel=0.05)
    assert (found["spend_if_staying"] >= found["expected_spend"] * (1 - 1e-9)).all()


def test_the_days_of_the_next_purchase_are_where_it_falls() -> None:
    """Of those who do buy again, as many within the quantiles as they say; age ends where the forecast begins."""
    found = forecast()
    wait = np.where(AGE[:, None] < TIMES, TIMES - AGE[:, None], np.inf).min(axis=1)
    returning = np.isfinite(wait)
    ten_years = 3650
    for column, share in (("next_purchase_from", 0.1), ("next_purchase_on", 0.5), ("next_purchase_until", 0.9)):
        told = (found[column] - SNAPSHOT).dt.total_days().to_numpy()
        assert (wait < told + 1)[returning & (told < ten_years)].mean() == pytest.approx(share, abs=0.03)


def test_where_nobody_came_back_the_pace_so_far_is_the_forecast() -> None:
    once = shop().with_columns(purchase_days=1, orders=1, recency_days="age_days")
    found = forecast(once)
    assert set(found["forecast_by"]) == {"pace"}
    assert found["expected_orders"].to_list() == pytest.approx((HORIZON / AGE).tolist())
    assert found["next_purchase_on"].null_count() == found["probability_alive"].null_count() == once.height
    young = once.head(1).with_columns(age_days=2.0, recency_days=2.0)
    assert forecast(young)["expected_orders"].to_list() == [3.0], "of a new customer, at the pace of 30 days"


def test_a_source_without_amounts_takes_the_default_for_an_order() -> None:
    found = forecast(shop().with_columns(spend=0.0))
    ratio = found["expected_spend"] / found["expected_orders"]
    assert ratio.to_list() == pytest.approx([7.5] * found.height)


def test_a_customer_without_amounts_takes_the_mean_of_the_shop() -> None:
    part = shop().with_columns(spend=pl.when(pl.int_range(pl.len()) == 0).then(0.0).otherwise("spend"))
    first = forecast(part).with_columns(value=pl.col("expected_spend") / pl.col("expected_orders")).row(0, named=True)
    assert 2 * first["value"] == pytest.approx(50, rel=0.05)


def test_values_that_do_not_differ_are_taken_as_they_are() -> None:
    alike = shop().with_columns(spend=pl.col("purchase_days") * 4.0)
    found = forecast(alike)
    assert (found["expected_spend"] / found["expected_orders"]).to_list() == pytest.approx([2.0] * found.height)


def test_nobody_yet_is_an_empty_forecast() -> None:
    assert forecast(shop().head(0)).height == 0
