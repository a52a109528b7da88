"""Customers who buy exactly as BG/NBD says, with known parameters."""

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.bgnbd import BetaGeometricNBD

Floats = NDArray[np.float64]

FEATURES = ["recency_days", "active_days_total", "active_tenure_days", "active_days_90d", "views_30d"]
WINDOW_DAYS = 90
# Per day: a customer buys every 40 days on average, and is lost after one in four repeat purchases.
TRUTH = BetaGeometricNBD(r=1.5, alpha=60.0, a=0.8, b=2.4)

_MOST_PURCHASES = 250
_LOOKBACK_DAYS = 180


def purchase_times(model: BetaGeometricNBD, customers: int, seed: int) -> Floats:
    """Times of the repeat purchases since the first, shape (customers, 250); infinite after the drop-out."""
    generator = np.random.default_rng(seed)
    rate = generator.gamma(model.r, 1 / model.alpha, (customers, 1))
    dropout = np.maximum(generator.beta(model.a, model.b, customers), 1e-12)
    last = np.minimum(generator.geometric(dropout), _MOST_PURCHASES)
    times = np.cumsum(generator.exponential(1.0, (customers, _MOST_PURCHASES)) / rate, axis=1)
    return np.where(np.arange(_MOST_PURCHASES) < last[:, None], times, np.inf)


def histories(times: Floats, age: Floats) -> tuple[Floats, Floats]:
    """(frequency, recency) at each customer's age."""
    seen = times <= age[:, None]
    return seen.sum(axis=1).astype(np.float64), np.where(seen, times, 0.0).max(axis=1)


def rhythm_frame(customers: int = 1500, snapshots: int = 8, seed: int = 1) -> pl.DataFrame:
    """Grain user and snapshot, 30 days apart: the customers with a purchase in the 180 days before, and their outcome
    in the 90 days after. First purchases spread over 400 days; the first snapshot opens day 250."""
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 400, customers)
    days = np.floor(np.column_stack([first, first[:, None] + purchase_times(TRUTH, customers, seed)]))
    return pl.concat([_snapshot(days, 250 + 30 * step) for step in range(snapshots)])


def _snapshot(days: Floats, opening: int) -> pl.DataFrame:
    distinct = np.concatenate([np.ones((len(days), 1), dtype=bool), days[:, 1:] != days[:, :-1]], axis=1)
    before = days < opening
    latest = np.where(before, days, -np.inf).max(axis=1)
    eligible = latest >= opening - _LOOKBACK_DAYS
    recent = before & (days >= opening - WINDOW_DAYS)
    bought = ((days >= opening) & (days < opening + WINDOW_DAYS)).any(axis=1)
    return pl.DataFrame(
        {
            "user_id": [f"u{i:05d}" for i in range(len(days))],
            "snapshot_date": [date(2024, 1, 1) + timedelta(days=opening - 250)] * len(days),
            "churned": (~bought).astype(np.int8),
            "recency_days": opening - latest,
            "active_days_total": (before & distinct).sum(axis=1),
            "active_tenure_days": (opening - days[:, 0]).astype(np.int64),
            "active_days_90d": (recent & distinct).sum(axis=1),
            "views_30d": np.zeros(len(days), dtype=np.int64),
        }
    ).filter(pl.Series(eligible))
