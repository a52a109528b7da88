"""Metrics of churn probabilities on weighted users, for all resamples of a bootstrap at once.

A resample is a row of counts, shape (resamples, users): how often each user was drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from churn_platform.core.calibration_line import calibration_intercept, calibration_slope
from churn_platform.core.maximum_profit import cut_points, expected_maximum_profit
from churn_platform.errors import InputError

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

ECE_BINS = 10
PROBABILITY_FLOOR = 1e-6


@dataclass(frozen=True)
class RankedUsers:
    """Users in ascending order of score; `group_starts` are the places where a group of tied scores begins."""

    order: Places
    outcome: Floats
    score: Floats
    group_starts: Places

    @classmethod
    def of(cls, outcome: Floats, score: Floats) -> Self:
        """Both of shape (users,), in any order."""
        order = np.argsort(score, kind="stable")
        ascending = score[order]
        return cls(order, outcome[order], ascending, np.flatnonzero(np.r_[True, np.diff(ascending) > 0]))

    @cached_property
    def cuts(self) -> Places:
        """Where the most profitable threshold can lie: of all users, since a resample that chose its own would flatter
        itself."""
        churners = np.add.reduceat(self.outcome, self.group_starts)[::-1]
        stayers = np.add.reduceat(1 - self.outcome, self.group_starts)[::-1]
        return cut_points(churners, stayers)

    def values(self, weights: Floats, names: Sequence[str], capacity: int | None = None) -> dict[str, Floats]:
        """Metric → its value in each resample; weights of shape (resamples, users), users in the order given."""
        ordered = weights[:, self.order]
        churners = np.add.reduceat(ordered * self.outcome, self.group_starts, axis=1)
        stayers = np.add.reduceat(ordered * (1 - self.outcome), self.group_starts, axis=1)
        resampled = _Resampled(self, ordered, churners, stayers)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {name: METRICS[name](resampled, capacity) for name in names}


@dataclass(frozen=True)
class _Resampled:
    """Weights of ranked users, shape (resamples, users), and of their churners and stayers per group of tied scores,
    shape (resamples, groups); `..._below` are those of all groups up to one, itself included."""

    users: RankedUsers
    weights: Floats
    churners: Floats
    stayers: Floats

    @cached_property
    def churners_below(self) -> Floats:
        return np.cumsum(self.churners, axis=1)

    @cached_property
    def stayers_below(self) -> Floats:
        return np.cumsum(self.stayers, axis=1)

    @cached_property
    def below(self) -> Floats:
        return self.churners_below + self.stayers_below

    @property
    def all_churners(self) -> Floats:
        return self.churners_below[:, -1]

    @property
    def all_stayers(self) -> Floats:
        return self.stayers_below[:, -1]

    @property
    def everyone(self) -> Floats:
        return self.all_churners + self.all_stayers


def _auc(of: _Resampled, _: int | None) -> Floats:
    stayers_below = of.stayers_below - of.stayers / 2
    return np.asarray((of.churners * stayers_below).sum(axis=1) / (of.all_churners * of.all_stayers))


def _pr_auc(of: _Resampled, _: int | None) -> Floats:
    churners = of.all_churners[:, None] - of.churners_below + of.churners
    stayers = of.all_stayers[:, None] - of.stayers_below + of.stayers
    precision = churners / np.maximum(churners + stayers, 1e-12)
    return np.asarray((of.churners * precision).sum(axis=1) / of.all_churners)


def _ks(of: _Resampled, _: int | None) -> Floats:
    distance = of.churners_below / of.all_churners[:, None] - of.stayers_below / of.all_stayers[:, None]
    return np.asarray(np.abs(distance).max(axis=1))


def _brier(of: _Resampled, _: int | None) -> Floats:
    return np.asarray(of.weights @ (of.users.score - of.users.outcome) ** 2 / of.everyone)


def _log_loss(of: _Resampled, _: int | None) -> Floats:
    p = np.clip(of.users.score, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    loss = -(of.users.outcome * np.log(p) + (1 - of.users.outcome) * np.log1p(-p))
    return np.asarray(of.weights @ loss / of.everyone)


def _ece(of: _Resampled, _: int | None) -> Floats:
    resamples, total = len(of.weights), of.everyone
    middle = np.cumsum(of.weights, axis=1) - of.weights / 2
    bins = np.minimum((ECE_BINS * middle / total[:, None]).astype(np.int64), ECE_BINS - 1)
    cell = (bins + ECE_BINS * np.arange(resamples)[:, None]).ravel()
    error = (of.weights * (of.users.outcome - of.users.score)).ravel()
    per_bin = np.bincount(cell, error, minlength=ECE_BINS * resamples).reshape(resamples, ECE_BINS)
    return np.asarray(np.abs(per_bin).sum(axis=1) / total)


def _top_decile_lift(of: _Resampled, _: int | None) -> Floats:
    tenth = of.everyone / 10
    return np.asarray(_churners_among_best(of, tenth) / tenth / (of.all_churners / of.everyone))


def _bottom_decile_lift(of: _Resampled, _: int | None) -> Floats:
    tenth = of.everyone / 10
    stayers = tenth - _churners_among_lowest(of, tenth)
    return np.asarray(stayers / tenth / (of.all_stayers / of.everyone))


def _recall_at_capacity(of: _Resampled, capacity: int | None) -> Floats:
    return np.asarray(_churners_among_best(of, _contacted(of, capacity)) / of.all_churners)


def _precision_at_capacity(of: _Resampled, capacity: int | None) -> Floats:
    contacted = _contacted(of, capacity)
    return np.asarray(_churners_among_best(of, contacted) / contacted)


def _contacted(of: _Resampled, capacity: int | None) -> Floats:
    """Weight of the users whom a campaign contacts, per resample."""
    if capacity is None or capacity < 1:
        raise InputError(f"A metric at capacity needs a capacity of at least 1 user, but got {capacity}.")
    return np.asarray(of.everyone * min(1.0, capacity / len(of.users.score)))


def _emp(of: _Resampled, _: int | None) -> Floats:
    left = len(of.users.group_starts) - of.users.cuts  # how many groups, the lowest, are not contacted
    churners, stayers = (
        below[:, -1:] - np.where(left > 0, below[:, left - 1], 0.0) for below in (of.churners_below, of.stayers_below)
    )
    return expected_maximum_profit(churners, stayers, of.everyone)


def _calibration_slope(of: _Resampled, _: int | None) -> Floats:
    return calibration_slope(of.users.outcome, of.users.score, of.weights, inside=PROBABILITY_FLOOR)


def _calibration_intercept(of: _Resampled, _: int | None) -> Floats:
    return calibration_intercept(of.users.outcome, of.users.score, of.weights, inside=PROBABILITY_FLOOR)


def _churners_among_best(of: _Resampled, count: Floats) -> Floats:
    """Weight of churners among the `count` (per resample) best-scored users, a group being taken in part."""
    return of.all_churners - _churners_among_lowest(of, of.everyone - count)


def _churners_among_lowest(of: _Resampled, count: Floats) -> Floats:
    """Weight of churners among the `count` (per resample) lowest-scored users, a group being taken in part."""
    group = np.array([np.searchsorted(row, limit) for row, limit in zip(of.below, count, strict=True)])
    at = np.arange(len(count)), np.minimum(group, of.below.shape[1] - 1)
    missing = np.clip((of.below[at] - count) / np.maximum(of.churners[at] + of.stayers[at], 1.0), 0, 1)
    return np.asarray(of.churners_below[at] - missing * of.churners[at])


METRICS: dict[str, Callable[[_Resampled, int | None], Floats]] = {
    "auc": _auc,
    "pr_auc": _pr_auc,
    "ks": _ks,
    "brier": _brier,
    "log_loss": _log_loss,
    "ece": _ece,
    "top_decile_lift": _top_decile_lift,
    "recall_at_capacity": _recall_at_capacity,
    "precision_at_capacity": _precision_at_capacity,
    "bottom_decile_lift": _bottom_decile_lift,
    "emp": _emp,
    "calibration_slope": _calibration_slope,
    "calibration_intercept": _calibration_intercept,
}
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece"})
BEST_AT_A_VALUE = frozenset({"calibration_slope", "calibration_intercept"})
# Of these more, or less, is better, so that a model can gain over another.
DIRECTED = tuple(metric for metric in METRICS if metric not in BEST_AT_A_VALUE)


def best_by(metric: str, values: Mapping[str, float]) -> str:
    """Of one or more models by their value of a metric that has a direction, the name of the best, of equal ones the
    first."""
    return (min if metric in LOWER_IS_BETTER else max)(values, key=values.__getitem__)
