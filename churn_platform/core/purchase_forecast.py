"""What every customer is expected to buy over the horizon, and when next: BG/NBD for when, gamma-gamma for how much."""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.bgnbd import BetaGeometricNBD
from churn_platform.core.gamma_gamma import GammaGamma
from churn_platform.errors import NotEnoughData

Floats = NDArray[np.float64]

EARLY, LATE = 0.1, 0.9
MICROSECONDS_PER_DAY = 86_400_000_000
_LONGEST_WAIT_DAYS = 3650.0
_SHORTEST_PACE_DAYS = 30.0


def purchase_forecast(
    histories: pl.DataFrame, snapshot: date, horizon_days: int, *, default_order_value: float
) -> pl.DataFrame:
    """Forecast from the day of the snapshot on; purchases of one day count as one.

    The BG/NBD is fitted by the likelihood of all histories (nobody is left out, so its base rate is right), the
    gamma-gamma on the customers whose purchases have a value. Where nobody came back yet, or all values are alike,
    the pace so far and the shop's mean value stand in.

    Args:
        histories: one row per customer who bought before the snapshot: user_id; purchase_days; age_days and
            recency_days, since the first and the last of them; orders; spend (0 where the source has no amounts).
        snapshot: the day whose opening midnight the histories are as of.
        horizon_days: how far ahead.
        default_order_value: of an order, where the source has no amounts at all.

    Returns:
        Grain user_id, in the order given: snapshot_date, user_id, probability_alive, expected_orders, expected_spend,
        spend_if_staying (expected spend given at least one purchase in the horizon), next_purchase_from,
        next_purchase_on, next_purchase_until (the 10 %, 50 % and 90 % points of the next purchase's day, if there is to
        be one; at most ten years ahead), forecast_by (bgnbd or pace). By pace alone, probability_alive and the days of
        the next purchase are null.
    """
    days = _column(histories, "purchase_days")
    orders_per_day = float(_column(histories, "orders").sum() / max(days.sum(), 1.0))
    value = _value_per_day(histories, default_order_value * orders_per_day)
    try:
        forecast = _by_rate(histories, snapshot, horizon_days)
    except NotEnoughData:
        forecast = _by_pace(histories, horizon_days)
    purchases, if_staying = pl.col("purchases"), pl.col("purchases_if_staying")
    return (
        forecast.with_columns(value=pl.Series(value, dtype=pl.Float64))
        .with_columns(
            snapshot_date=pl.lit(snapshot),
            expected_orders=purchases * orders_per_day,
            expected_spend=purchases * pl.col("value"),
            spend_if_staying=if_staying * pl.col("value"),
        )
        .drop("purchases", "purchases_if_staying", "value")
    )


def _by_rate(histories: pl.DataFrame, snapshot: date, horizon_days: int) -> pl.DataFrame:
    age = _column(histories, "age_days")
    history = (_column(histories, "purchase_days") - 1, age - _column(histories, "recency_days"), age)
    model = BetaGeometricNBD.fit(*history)
    purchases = model.expected_purchases(*history, horizon_days)
    any_purchase = 1 - model.probability_no_purchase(*history, horizon_days)

    def day(share: float) -> pl.Series:
        wait = np.minimum(model.next_purchase_quantile(*history, share), _LONGEST_WAIT_DAYS)
        return pl.Series(np.floor(wait) * MICROSECONDS_PER_DAY).cast(pl.Duration("us"))

    waits = {
        "next_purchase_from": day(EARLY),
        "next_purchase_on": day(0.5),
        "next_purchase_until": day(LATE),
    }
    return histories.select("user_id").with_columns(
        probability_alive=pl.Series(model.probability_alive(*history), dtype=pl.Float64),
        purchases=pl.Series(purchases, dtype=pl.Float64),
        # who stays buys at least once; the quotient loses its digits where hardly anybody does
        purchases_if_staying=pl.Series(np.maximum(purchases / np.maximum(any_purchase, 1e-12), 1.0), dtype=pl.Float64),
        forecast_by=pl.lit("bgnbd"),
        **{name: pl.lit(snapshot) + wait for name, wait in waits.items()},
    )


def _by_pace(histories: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    pace = _column(histories, "purchase_days") / np.maximum(_column(histories, "age_days"), _SHORTEST_PACE_DAYS)
    purchases = pl.Series(pace * horizon_days, dtype=pl.Float64)
    unknown = pl.lit(None, pl.Date)
    return histories.select("user_id").with_columns(
        probability_alive=pl.lit(None, pl.Float64),
        purchases=purchases,
        purchases_if_staying=purchases.clip(lower_bound=1.0),
        forecast_by=pl.lit("pace"),
        next_purchase_from=unknown,
        next_purchase_on=unknown,
        next_purchase_until=unknown,
    )


def _value_per_day(histories: pl.DataFrame, default: float) -> Floats:
    """The expected value of a day with a purchase, shape (customers,)."""
    days, spend = _column(histories, "purchase_days"), _column(histories, "spend")
    valued = spend > 0
    if not valued.any():
        return np.full(len(days), default)
    counted = np.where(valued, days, 0.0)
    mean = np.where(valued, spend / np.maximum(days, 1.0), 0.0)
    try:
        model = GammaGamma.fit(counted[valued], mean[valued])
    except NotEnoughData:
        return np.where(valued, mean, mean[valued].mean())
    return model.expected_value(counted, mean)


def _column(histories: pl.DataFrame, name: str) -> Floats:
    return histories.get_column(name).cast(pl.Float64).to_numpy()
