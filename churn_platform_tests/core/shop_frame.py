"""A small labelled training set with a known churn hazard."""

from datetime import date, timedelta

import numpy as np
import polars as pl

FEATURES = ["recency_days", "orders_90d", "spend_90d", "median_gap_days", "views_30d"]
WINDOW_DAYS = 90


def shop_frame(users: int = 400, snapshots: int = 8, seed: int = 1) -> pl.DataFrame:
    """Grain user and snapshot, 30 days apart. The log-odds of churn rise with recency and fall with orders.

    median_gap_days is null for users of one order; views_30d is always 0.
    """
    generator = np.random.default_rng(seed)
    frames = []
    for step in range(snapshots):
        recency = generator.integers(1, 180, users)
        orders = generator.poisson(3, users)
        margin = 0.02 * (recency - 90) - 0.5 * (orders - 3)
        gap = np.where(orders > 1, 90 / np.maximum(orders, 1), np.nan)
        frames.append(
            pl.DataFrame(
                {
                    "user_id": [f"u{i:04d}" for i in range(users)],
                    "snapshot_date": [date(2024, 1, 1) + timedelta(days=30 * step)] * users,
                    "churned": (generator.random(users) < 1 / (1 + np.exp(-margin))).astype(np.int8),
                    "recency_days": recency,
                    "orders_90d": orders,
                    "spend_90d": orders * generator.gamma(2, 20, users),
                    "median_gap_days": gap,
                    "views_30d": np.zeros(users, dtype=np.int64),
                }
            ).with_columns(pl.col("median_gap_days").fill_nan(None))
        )
    return pl.concat(frames)
