"""The season's part of the churn rate: what the same date of the year before says about a snapshot."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.matched_loss import log_odds

Floats = NDArray[np.float64]

YEAR = timedelta(days=365)
# Half the usual distance of training snapshots: so near, the first or the last of them speaks for a day beyond it.
EDGE = timedelta(days=15)
# A rate of fewer users is too noisy to correct others by: its standard error is above .035.
MINIMUM_USERS = 200
# A season in which nobody, or everybody, churned moves the others by no more than one in a hundred would.
_INSIDE = 0.01


@dataclass(frozen=True)
class SeasonalRates:
    """Churn rates of the training snapshots; ascending, the three tuples aligned. `overall` is that of all rows.

    The correction is that of a changed base rate: the log-odds move by those of the expected rate less those of the
    training rows' (King and Zeng 2001, Logistic Regression in Rare Events Data, section 4.1; Saerens, Latinne and
    Decaestecker 2002, equation 2.4). The expected rate is the one of the same date of the year before. The training
    snapshots begin one lookback after the first event, so it exists from lookback + 365 days of history on.
    """

    snapshots: tuple[date, ...]
    rates: tuple[float, ...]
    users: tuple[int, ...]
    overall: float

    @classmethod
    def of(cls, churned: Floats, snapshot_date: pl.Series) -> Self:
        """The rates of labelled rows: 1 churned, 0 stayed, and the snapshot of each."""
        by_snapshot = (
            pl.DataFrame({"snapshot": snapshot_date, "churned": churned})
            .group_by("snapshot")
            .agg(rate=pl.col("churned").mean(), users=pl.len())
            .sort("snapshot")
        )
        return cls(
            snapshots=tuple(by_snapshot["snapshot"].to_list()),
            rates=tuple(by_snapshot["rate"].to_list()),
            users=tuple(by_snapshot["users"].to_list()),
            overall=float(churned.mean()),
        )

    def a_year_before(self, snapshot: date) -> float | None:
        """The churn rate 365 days before, between two training snapshots in proportion to their distance.

        Up to EDGE beyond the first or the last it is theirs. None farther away, or where one that speaks has fewer than
        MINIMUM_USERS users.
        """
        day = snapshot - YEAR
        if not self.snapshots or not self.snapshots[0] - EDGE <= day <= self.snapshots[-1] + EDGE:
            return None
        days, asked = np.array([known.toordinal() for known in self.snapshots]), day.toordinal()
        about = np.searchsorted(days, asked, side="right") - 1, np.searchsorted(days, asked)
        if np.array(self.users)[np.clip(about, 0, len(days) - 1)].min() < MINIMUM_USERS:
            return None
        return float(np.interp(asked, days, self.rates))

    def shift(self, snapshot: date) -> float:
        """What the season adds to the log-odds of every user of a snapshot; 0 where nothing is known of it."""
        expected = self.a_year_before(snapshot)
        if expected is None:
            return 0.0
        then, usual = log_odds([expected, self.overall], inside=_INSIDE)
        return float(then - usual)

    def shifts(self, snapshot_date: pl.Series) -> Floats:
        """`shift` of each row's snapshot, shape (rows,)."""
        by_day = {day: self.shift(day) for day in snapshot_date.unique()}
        return snapshot_date.replace_strict(by_day, return_dtype=pl.Float64).to_numpy()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, dates as ISO text, for JSON."""
        return {
            "snapshots": [day.isoformat() for day in self.snapshots],
            "rates": list(self.rates),
            "users": list(self.users),
            "overall": self.overall,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The rates that `to_dict` described."""
        return cls(
            snapshots=tuple(date.fromisoformat(day) for day in stored["snapshots"]),
            rates=tuple(stored["rates"]),
            users=tuple(stored["users"]),
            overall=stored["overall"],
        )
