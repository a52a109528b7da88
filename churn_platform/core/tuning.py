"""Tuning the trees: what may be tried, on whose outcomes it is judged, and when the best of it beats the defaults.

Nothing is tried on a test: the rows end where the label windows had closed before the earliest fold, so that at every
fold the tuned parameters are what could have been chosen by its date. Of the latest of these snapshots, half of the
customers judge the search and the other half confirm its best, since the best of many trials looks better than it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.gradient_boosting import BoostingParameters, choose_rounds
from churn_platform.core.logistic_baseline import seasonal_effects
from churn_platform.core.matched_loss import matched_losses
from churn_platform.core.purging import PurgedSplit, closed_by, latest_validation
from churn_platform.core.snapshots import SnapshotPlan
from churn_platform.errors import NotEnoughData

Floats = NDArray[np.float64]

# As the blend's choice in churn_model: what is simpler, here the defaults, stays unless it is clearly worse.
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Range:
    """The values that a parameter may take, both ends included; `log`: each factor of ten is as likely."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


# The defaults lie inside. Rounds are no parameter: early stopping chooses them, for every trial anew.
SPACE = {
    "learning_rate": Range(0.02, 0.1, log=True),
    "max_depth": Range(2, 6, whole=True),
    "subsample": Range(0.4, 1.0),
    "colsample_bytree": Range(0.1, 0.8),
    "reg_lambda": Range(1.0, 100.0, log=True),
}


@dataclass(frozen=True)
class Tuning:
    """What a search has found.

    Attributes:
        parameters: the best of all trials by the searching half.
        trials: how many were tried, the defaults among them.
        rows, first_validation, last_validation: what was learnt from and judged on.
        default_loss, loss: mean matched log loss of the defaults and of the best on the searching half, nats.
        gain: by how much the best has less of it than the defaults on the confirming half, nats per row.
        standard_error: of the gain, over customers.
    """

    parameters: BoostingParameters
    trials: int
    rows: int
    first_validation: date
    last_validation: date
    default_loss: float
    loss: float
    gain: float
    standard_error: float

    @property
    def adopted(self) -> bool:
        """Whether the best is better than the defaults beyond the noise."""
        return self.gain > _STANDARD_ERRORS * self.standard_error


@dataclass(frozen=True)
class TuningData:
    """Rows of the snapshots that a search may see, the season's part of those to learn from (`offset`), and the two
    halves of those to validate on."""

    features: pl.DataFrame
    churned: Floats
    snapshot_date: pl.Series
    user_id: pl.Series
    offset: Floats
    search: PurgedSplit
    confirmation: PurgedSplit

    @classmethod
    def of(cls, rows: pl.DataFrame, features: Sequence[str], *, window_days: int) -> Self:
        """Split what `searchable_rows` has left.

        Raises:
            NotEnoughData: no snapshot can be validated on, or a half of it, or what is learnt from, has one outcome.
        """
        split = latest_validation(rows["snapshot_date"], window_days) if rows.height else None
        if split is None:
            days = rows["snapshot_date"].n_unique() if rows.height else 0
            raise NotEnoughData(
                f"{days} snapshot(s) had closed labels before the earliest fold; a search needs one to validate on "
                f"whose date is {window_days} days or more after one to learn from. Load more history, prescribe later "
                "folds under [evaluation] in churn.toml, or stay with the defaults: they need no search."
            )
        # dense ranks alternate, so that a customer of two snapshots is in one half
        odd = (rows["user_id"].rank("dense") % 2 == 1).to_numpy()
        churned = rows["churned"].to_numpy().astype(np.float64)
        halves = [replace(split, validation=split.validation & half) for half in (odd, ~odd)]
        for mask in (split.fit, *(half.validation for half in halves)):
            if len(np.unique(churned[mask])) < 2:
                raise NotEnoughData(
                    f"Of {int(mask.sum())} rows that the search learns from or is judged on, all have the same outcome."
                    " Load more history, or stay with the defaults: they need no search."
                )
        learnt = rows.filter(split.fit)
        season = seasonal_effects(learnt.select(features), churned[split.fit], learnt["snapshot_date"])
        offset = season.of_training(learnt["snapshot_date"])
        return cls(rows.select(features), churned, rows["snapshot_date"], rows["user_id"], offset, *halves)

    def loss(self, parameters: BoostingParameters) -> float:
        """What a search minimises: the mean matched log loss on the searching half, in nats."""
        return float(self._losses(parameters, self.search).mean())

    def gain(self, parameters: BoostingParameters) -> tuple[float, float]:
        """Mean gain over the defaults on the confirming half, nats per row, and its standard error over customers."""
        default = BoostingParameters()
        if parameters == default:
            return 0.0, 0.0
        gains = self._losses(default, self.confirmation) - self._losses(parameters, self.confirmation)
        mean = float(gains.mean())
        _, customer = np.unique(self.user_id.filter(self.confirmation.validation).to_numpy(), return_inverse=True)
        # rows of one customer are not independent: the residuals of each are summed first
        sums = np.bincount(customer, gains - mean)
        count = len(sums)
        return mean, float(np.sqrt((sums**2).sum() * count / max(count - 1, 1)) / len(gains))

    def _losses(self, parameters: BoostingParameters, split: PurgedSplit) -> Floats:
        stopped = choose_rounds(self.features, self.churned, self.snapshot_date, split, parameters, offset=self.offset)
        snapshot = self.snapshot_date.filter(split.validation).to_numpy()
        return matched_losses(self.churned[split.validation], stopped.validation_margin, snapshot)


def searchable_rows(frame: pl.DataFrame, plan: SnapshotPlan, *, window_days: int) -> pl.DataFrame:
    """The rows of the training snapshots whose label windows had closed by the earliest fold; none without a fold."""
    if not plan.folds:
        return frame.clear()
    training = frame.filter(pl.col("snapshot_date").is_in(plan.labelled))
    return training.filter(closed_by(training["snapshot_date"], min(plan.folds), window_days))
