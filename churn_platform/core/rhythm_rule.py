"""The rule that gives every customer a clock of their own: who is silent for longer than is usual for them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.core.recency_rule import RecencyRule

Floats = NDArray[np.float64]

USUAL_GAP = "median_gap_days"


@dataclass(frozen=True)
class RhythmRule:
    """Churn probability as a non-decreasing function of the silence over the customer's own median gap.

    Who was active on one day only has no gap yet: `without_gap` is the churn rate of such customers.
    """

    by_silence: RecencyRule
    without_gap: float

    @classmethod
    def fit(cls, recency_days: ArrayLike, median_gap_days: ArrayLike, churned: ArrayLike) -> Self:
        """Isotonic regression, as in RecencyRule. Of which kind there is nobody gets the churn rate of all.

        Args:
            recency_days: days since the last activity, one per user and snapshot, at least one.
            median_gap_days: between the user's active days; null where there is none.
            churned: 1 churned, 0 stayed.
        """
        silence, outcome = _silence(recency_days, median_gap_days), np.asarray(churned, dtype=np.float64)
        known, rate = ~np.isnan(silence), float(outcome.mean())
        by_silence = RecencyRule.fit(silence[known], outcome[known]) if known.any() else RecencyRule((0.0,), (rate,))
        return cls(by_silence, rate if known.all() else float(outcome[~known].mean()))

    def predict(self, recency_days: ArrayLike, median_gap_days: ArrayLike) -> Floats:
        """Churn probability per user, shape (users,)."""
        silence = _silence(recency_days, median_gap_days)
        known = ~np.isnan(silence)
        return np.where(known, self.by_silence.predict(np.where(known, silence, 0.0)), self.without_gap)


def _silence(recency_days: ArrayLike, median_gap_days: ArrayLike) -> Floats:
    """In gaps; NaN for who has none."""
    return np.asarray(recency_days, dtype=np.float64) / np.asarray(median_gap_days, dtype=np.float64)
