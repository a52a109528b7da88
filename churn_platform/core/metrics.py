"""How good churn probabilities are: point values and 95 % intervals by bootstrap over users.

Every metric is computed on weighted users, so that all resamples of a bootstrap are one array operation:
a resample is a row of counts, shape (resamples, users). `y` is 1 for churned, `p` is P(churn), one row per user.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.errors import InputError, NotEnoughData, suggest

Floats = NDArray[np.float64]

ECE_BINS = 10
PROBABILITY_FLOOR = 1e-6
_CELLS_PER_BLOCK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % percentile-bootstrap interval, widened where needed to hold the value: resampling inflates
    a small calibration error, so that its percentiles can lie above it."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class _Ranked:
    """Users in ascending order of score. `churners` and `stayers` hold the weight per group of tied scores,
    shape (resamples, groups)."""

    outcome: Floats
    score: Floats
    weights: Floats
    churners: Floats
    stayers: Floats


def auc(y: ArrayLike, p: ArrayLike) -> float:
    """Area under the ROC curve: P(a churner is scored above a stayer), ties counting half."""
    return _point("auc", y, p)


def pr_auc(y: ArrayLike, p: ArrayLike) -> float:
    """Average precision: the sum over thresholds of recall gained times precision."""
    return _point("pr_auc", y, p)


def ks(y: ArrayLike, p: ArrayLike) -> float:
    """Kolmogorov-Smirnov: the largest distance between the score distributions of churners and stayers."""
    return _point("ks", y, p)


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Mean squared error of the probabilities."""
    return _point("brier", y, p)


def log_loss(y: ArrayLike, p: ArrayLike) -> float:
    """Mean negative log-likelihood in nats, probabilities kept 1e-6 away from 0 and 1."""
    return _point("log_loss", y, p)


def ece(y: ArrayLike, p: ArrayLike) -> float:
    """Expected calibration error over ten bins of equal user count, in score order (ties in the order given)."""
    return _point("ece", y, p)


def top_decile_lift(y: ArrayLike, p: ArrayLike) -> float:
    """Churn rate of the 10 % with the highest scores over the churn rate of all; a tied group is taken in part."""
    return _point("top_decile_lift", y, p)


def recall_at_capacity(y: ArrayLike, p: ArrayLike, capacity: int) -> float:
    """Share of all churners among the `capacity` users with the highest scores; a tied group is taken in part."""
    return _point("recall_at_capacity", y, p, capacity)


def evaluate(y: ArrayLike, p: ArrayLike, *, capacity: int, resamples: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """Every metric of METRICS, each with its interval, all on the same resamples of users.

    Args:
        capacity: users that a campaign can contact.
        resamples: bootstrap resamples; one without a churner or a stayer is left out of the interval.

    Raises:
        InputError: shapes differ, an outcome is not 0 or 1, or a probability is outside [0, 1].
        NotEnoughData: all users churned or none did.
    """
    outcome, score = _checked(y, p, probabilities=True)
    point = _values(outcome, score, np.ones((1, len(outcome))), list(METRICS), capacity)
    blocks = [
        _values(outcome, score, weights, list(METRICS), capacity)
        for weights in _resampled_weights(len(outcome), resamples, seed)
    ]
    return {
        name: _interval(float(point[name][0]), np.concatenate([block[name] for block in blocks])) for name in METRICS
    }


def paired_gain(
    y: ArrayLike,
    p: ArrayLike,
    q: ArrayLike,
    metric: str,
    *,
    capacity: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """How much better `p` is than `q` in one metric, on the same resamples of the same users.

    Positive means that `p` is better: for brier, log_loss and ece, where less is better, it is q's value less p's.

    Raises:
        InputError: as `evaluate`; or an unknown metric, or recall_at_capacity without a capacity.
        NotEnoughData: all users churned or none did.
    """
    gain, users = _paired(y, p, q, metric, capacity), len(np.asarray(y))
    resampled = np.concatenate([gain(weights) for weights in _resampled_weights(users, resamples, seed)])
    return _interval(float(gain(np.ones((1, users)))[0]), resampled)


@dataclass(frozen=True)
class PairedScores:
    """One fold: its users' ids, outcomes and the probabilities of two models, each of shape (users,)."""

    users: ArrayLike
    y: ArrayLike
    p: ArrayLike
    q: ArrayLike


def pooled_gain(folds: Sequence[PairedScores], metric: str, *, resamples: int = 1000, seed: int = 0) -> Interval:
    """The mean over folds of how much better `p` is than `q`, on resamples of customers.

    A customer is drawn once for all folds, since the same customer's outcomes at two dates are not independent.

    Raises:
        InputError, NotEnoughData: as `paired_gain`, for any fold.
    """
    names, index = np.unique(np.concatenate([np.asarray(fold.users) for fold in folds]), return_inverse=True)
    rows = np.split(index, np.cumsum([len(np.asarray(fold.users)) for fold in folds])[:-1])
    gains = [_paired(fold.y, fold.p, fold.q, metric, None) for fold in folds]
    resampled = [
        np.mean([gain(weights[:, at]) for gain, at in zip(gains, rows, strict=True)], axis=0)
        for weights in _resampled_weights(len(names), resamples, seed)
    ]
    point = [gain(np.ones((1, len(at))))[0] for gain, at in zip(gains, rows, strict=True)]
    return _interval(float(np.mean(point)), np.concatenate(resampled))


def _paired(y: ArrayLike, p: ArrayLike, q: ArrayLike, metric: str, capacity: int | None) -> Callable[[Floats], Floats]:
    """Weights, shape (resamples, users) → the gain of `p` over `q`, shape (resamples,)."""
    if metric not in METRICS:
        raise InputError(f"Unknown metric '{metric}'.{suggest(metric, list(METRICS))}")
    probabilities = metric in _LOWER_IS_BETTER
    outcome, first = _checked(y, p, probabilities=probabilities)
    _, second = _checked(y, q, probabilities=probabilities)
    sign = -1.0 if probabilities else 1.0

    def gain(weights: Floats) -> Floats:
        ours = _values(outcome, first, weights, [metric], capacity)[metric]
        theirs = _values(outcome, second, weights, [metric], capacity)[metric]
        return sign * (ours - theirs)

    return gain


def _auc(ranked: _Ranked, _: int | None) -> Floats:
    stayers_below = np.cumsum(ranked.stayers, axis=1) - ranked.stayers / 2
    pairs = ranked.churners.sum(axis=1) * ranked.stayers.sum(axis=1)
    return np.asarray((ranked.churners * stayers_below).sum(axis=1) / pairs)


def _pr_auc(ranked: _Ranked, _: int | None) -> Floats:
    churners, everyone = _best_first(ranked)
    precision = np.cumsum(churners, axis=1) / np.maximum(np.cumsum(everyone, axis=1), 1e-12)
    return np.asarray((churners * precision).sum(axis=1) / churners.sum(axis=1))


def _ks(ranked: _Ranked, _: int | None) -> Floats:
    churners = np.cumsum(ranked.churners, axis=1) / ranked.churners.sum(axis=1, keepdims=True)
    stayers = np.cumsum(ranked.stayers, axis=1) / ranked.stayers.sum(axis=1, keepdims=True)
    return np.asarray(np.abs(churners - stayers).max(axis=1))


def _brier(ranked: _Ranked, _: int | None) -> Floats:
    return np.asarray(ranked.weights @ (ranked.score - ranked.outcome) ** 2 / ranked.weights.sum(axis=1))


def _log_loss(ranked: _Ranked, _: int | None) -> Floats:
    p = np.clip(ranked.score, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    loss = -(ranked.outcome * np.log(p) + (1 - ranked.outcome) * np.log1p(-p))
    return np.asarray(ranked.weights @ loss / ranked.weights.sum(axis=1))


def _ece(ranked: _Ranked, _: int | None) -> Floats:
    resamples = len(ranked.weights)
    total = ranked.weights.sum(axis=1, keepdims=True)
    middle = np.cumsum(ranked.weights, axis=1) - ranked.weights / 2
    bins = np.minimum((ECE_BINS * middle / total).astype(np.int64), ECE_BINS - 1)
    cell = (bins + ECE_BINS * np.arange(resamples)[:, None]).ravel()
    error = (ranked.weights * (ranked.outcome - ranked.score)).ravel()
    per_bin = np.bincount(cell, error, minlength=ECE_BINS * resamples).reshape(resamples, ECE_BINS)
    return np.asarray(np.abs(per_bin).sum(axis=1) / total[:, 0])


def _top_decile_lift(ranked: _Ranked, _: int | None) -> Floats:
    total = ranked.weights.sum(axis=1)
    rate = ranked.churners.sum(axis=1) / total
    return np.asarray(_churners_among_best(ranked, total / 10) / (total / 10) / rate)


def _recall_at_capacity(ranked: _Ranked, capacity: int | None) -> Floats:
    if capacity is None or capacity < 1:
        raise InputError(f"recall_at_capacity needs a capacity of at least 1 user, but got {capacity}.")
    total = ranked.weights.sum(axis=1)
    contacted = total * min(1.0, capacity / len(ranked.score))
    return np.asarray(_churners_among_best(ranked, contacted) / ranked.churners.sum(axis=1))


METRICS: dict[str, Callable[[_Ranked, int | None], Floats]] = {
    "auc": _auc,
    "pr_auc": _pr_auc,
    "ks": _ks,
    "brier": _brier,
    "log_loss": _log_loss,
    "ece": _ece,
    "top_decile_lift": _top_decile_lift,
    "recall_at_capacity": _recall_at_capacity,
}
_LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece"})


def _best_first(ranked: _Ranked) -> tuple[Floats, Floats]:
    churners = ranked.churners[:, ::-1]
    return churners, churners + ranked.stayers[:, ::-1]


def _churners_among_best(ranked: _Ranked, count: Floats) -> Floats:
    """Weight of churners among the `count` (per resample) best-scored users."""
    churners, everyone = _best_first(ranked)
    before = np.cumsum(everyone, axis=1) - everyone
    share_taken = np.clip((count[:, None] - before) / np.where(everyone > 0, everyone, 1), 0, 1)
    return np.asarray((share_taken * churners).sum(axis=1))


def _point(name: str, y: ArrayLike, p: ArrayLike, capacity: int | None = None) -> float:
    outcome, score = _checked(y, p, probabilities=name in _LOWER_IS_BETTER)
    return float(_values(outcome, score, np.ones((1, len(outcome))), [name], capacity)[name][0])


def _values(
    outcome: Floats, score: Floats, weights: Floats, names: list[str], capacity: int | None
) -> dict[str, Floats]:
    order = np.argsort(score, kind="stable")
    ordered_outcome, ordered_score, ordered_weights = outcome[order], score[order], weights[:, order]
    group_starts = np.flatnonzero(np.r_[True, np.diff(ordered_score) > 0])
    churners = np.add.reduceat(ordered_weights * ordered_outcome, group_starts, axis=1)
    stayers = np.add.reduceat(ordered_weights * (1 - ordered_outcome), group_starts, axis=1)
    ranked = _Ranked(ordered_outcome, ordered_score, ordered_weights, churners, stayers)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: METRICS[name](ranked, capacity) for name in names}


def _resampled_weights(users: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each user was drawn, in blocks of resamples that fit in memory; blocks do not change the draws."""
    generator = np.random.default_rng(seed)
    block = max(1, _CELLS_PER_BLOCK // users)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        draws = [np.bincount(generator.integers(0, users, users), minlength=users) for _ in range(rows)]
        yield np.stack(draws).astype(np.float64)


def _interval(value: float, resampled: Floats) -> Interval:
    lower, upper = np.nanquantile(resampled, [0.025, 0.975])
    return Interval(value, min(float(lower), value), max(float(upper), value))


def _checked(y: ArrayLike, p: ArrayLike, *, probabilities: bool) -> tuple[Floats, Floats]:
    outcome, score = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    if outcome.ndim != 1 or outcome.shape != score.shape:
        raise InputError(
            f"Expected one outcome and one score per user, but their shapes are {outcome.shape} and {score.shape}."
        )
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise InputError(
            "An outcome is neither 0 (stayed) nor 1 (churned). Leave out users whose label window is open."
        )
    if not np.isfinite(score).all():
        raise InputError(
            f"{int((~np.isfinite(score)).sum())} of {len(score)} scores are null or infinite; score every user."
        )
    if probabilities and ((score < 0) | (score > 1)).any():
        raise InputError(f"Probabilities must lie in [0, 1], but they span {score.min():g} to {score.max():g}.")
    if len(np.unique(outcome)) < 2:
        raise NotEnoughData(
            f"Of {len(outcome)} users, {int(outcome.sum())} churned: metrics need churners and stayers."
        )
    return outcome, score
