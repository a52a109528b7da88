"""The rule every shop has: who has been silent for longer is likelier to be gone."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.isotonic import isotonic_regression

from churn_platform.errors import InputError, NotEnoughData

Floats = NDArray[np.float64]

_PSEUDO_USERS = 20.0


@dataclass(frozen=True)
class RecencyRule:
    """Churn probability as a non-decreasing function of the days since the last activity.

    `days` ascend, `rates` do not descend; between two points the rate is interpolated, beyond the ends it is flat.
    """

    days: tuple[float, ...]
    rates: tuple[float, ...]

    @classmethod
    def fit(cls, recency_days: ArrayLike, churned: ArrayLike) -> Self:
        """Isotonic regression, each pooled block drawn to the overall rate by the weight of 20 users.

        Args:
            recency_days: whole days since the last activity, one per user and snapshot.
            churned: 1 churned, 0 stayed.

        Raises:
            InputError: shapes differ or a recency is null.
            NotEnoughData: no rows.
        """
        recency = _complete(recency_days)
        outcome = np.asarray(churned, dtype=np.float64)
        if recency.shape != outcome.shape:
            raise InputError(f"Expected one recency per outcome, but got {recency.shape} and {outcome.shape}.")
        if not len(recency):
            raise NotEnoughData("The recency rule needs at least one labelled user, but got none.")
        distinct, position = np.unique(recency, return_inverse=True)
        users = np.bincount(position).astype(np.float64)
        pooled = isotonic_regression(np.bincount(position, outcome) / users, sample_weight=users)
        _, block = np.unique(pooled, return_inverse=True)
        size = np.bincount(block, users)
        days = np.bincount(block, users * distinct) / size
        shrunk = (np.bincount(block, users * pooled) + _PSEUDO_USERS * outcome.mean()) / (size + _PSEUDO_USERS)
        rates = np.clip(isotonic_regression(shrunk, sample_weight=size), 0.0, 1.0)
        return cls(tuple(days.tolist()), tuple(rates.tolist()))

    def predict(self, recency_days: ArrayLike) -> Floats:
        """Churn probability per user; never falls as recency grows.

        Raises:
            InputError: a recency is null.
        """
        return np.asarray(np.interp(_complete(recency_days), self.days, self.rates), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {"days": list(self.days), "rates": list(self.rates)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The rule that `to_dict` described."""
        return cls(tuple(stored["days"]), tuple(stored["rates"]))


def _complete(recency_days: ArrayLike) -> Floats:
    recency = np.asarray(recency_days, dtype=np.float64)
    if np.isnan(recency).any():
        raise InputError(
            f"{int(np.isnan(recency).sum())} of {recency.size} users have no recency_days. "
            "An eligible user has an activity before the snapshot: check the population."
        )
    return recency
