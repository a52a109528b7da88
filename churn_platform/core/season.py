"""The season's part of the churn rate: what the same date of the year before says about a snapshot."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

YEAR = timedelta(days=365)
# Half the usual distance of training snapshots: so near, the first or the last of them speaks for a day beyond it.
EDGE = timedelta(days=15)
# The effect of fewer users is too noisy to correct others by: their churn rate has a standard error above .035.
MINIMUM_USERS = 200


@dataclass(frozen=True)
class SeasonalEffects:
    """What its date adds to the log-odds of all users of a training snapshot, beside what their features say.

    The fixed effects of a regression (`seasonal_effects`); over the training rows their mean is 0. Ascending by
    snapshot, the three tuples aligned. The models learn with these effects given, as an offset, so that no feature has
    to stand for the date; a user's log-odds are then the model's margin and the effect of the same date of the year
    before. The training snapshots begin one lookback after the first event, so such an effect exists from
    lookback + 365 days of history on; until then it is 0, the mean of all seasons seen.
    """

    snapshots: tuple[date, ...]
    effects: tuple[float, ...]
    users: tuple[int, ...]

    def of_training(self, snapshot_date: pl.Series) -> Floats:
        """The effect of each training row's own snapshot, shape (rows,)."""
        effects = dict(zip(self.snapshots, self.effects, strict=True))
        return snapshot_date.replace_strict(effects, return_dtype=pl.Float64).to_numpy()

    def shift(self, snapshot: date) -> float:
        """What the season adds to the log-odds of every user of a later snapshot; 0 where nothing is known of it.

        The effect 365 days before, between two training snapshots in proportion to their distance. Up to EDGE beyond
        the first or the last it is theirs. Nothing is known farther away, or where one that speaks has fewer than
        MINIMUM_USERS users.
        """
        day = snapshot - YEAR
        if not self.snapshots or not self.snapshots[0] - EDGE <= day <= self.snapshots[-1] + EDGE:
            return 0.0
        days, asked = np.array([known.toordinal() for known in self.snapshots]), day.toordinal()
        about = np.searchsorted(days, asked, side="right") - 1, np.searchsorted(days, asked)
        if np.array(self.users)[np.clip(about, 0, len(days) - 1)].min() < MINIMUM_USERS:
            return 0.0
        return float(np.interp(asked, days, self.effects))

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
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The effects that `to_dict` described."""
        days = tuple(date.fromisoformat(day) for day in stored["snapshots"])
        return cls(days, tuple(stored["effects"]), tuple(stored["users"]))
