"""How good churn probabilities are: point values and 95 % intervals by bootstrap over users.

Every metric is computed on weighted users, so that all resamples of a bootstrap are one array operation:
a resample is a row of counts, shape (resamples, users). `y` is 1 for churned, `p` is P(churn), one row per user.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.core.calibration_line import calibration_intercept, calibration_slope
from churn_platform.core.maximum_profit import cut_points, expected_maximum_profit
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


def precision_at_capacity(y: ArrayLike, p: ArrayLike, capacity: int) -> float:
    """Churn rate of the `capacity` users with the highest scores; a tied group is taken in part."""
    return _point("precision_at_capacity", y, p, capacity)


def bottom_decile_lift(y: ArrayLike, p: ArrayLike) -> float:
    """Retention rate of the 10 % with the lowest scores over that of all; a tied group is taken in part."""
    return _point("bottom_decile_lift", y, p)


def emp(y: ArrayLike, p: ArrayLike) -> float:
    """Expected maximum profit per user, for the values of core/maximum_profit.py."""
    return _point("emp", y, p)


def slope(y: ArrayLike, p: ArrayLike) -> float:
    """Calibration slope (core/calibration_line.py): 1 is best, below 1 the probabilities are too extreme."""
    return _point("calibration_slope", y, p)


def intercept(y: ArrayLike, p: ArrayLike) -> float:
    """Calibration intercept (core/calibration_line.py), log-odds: 0 is best, above 0 the probabilities are too low."""
    return _point("calibration_intercept", y, p)


def evaluate(y: ArrayLike, p: ArrayLike, *, capacity: int, resamples: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """Every metric of METRICS of one model, as `evaluate_models` does."""
    return evaluate_models(y, {"": p}, capacity=capacity, resamples=resamples, seed=seed)[""]


def evaluate_models(
    y: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    *,
    capacity: int,
    gains: Sequence[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:
    """Model → metric → its interval, all models and metrics on the same resamples of users.

    A calibration slope that does not exist, as where all probabilities are alike, is left out.

    Args:
        probabilities: model → P(churn) per user; the first is the one that the others are compared with.
        capacity: users that a campaign can contact.
        gains: metrics of which every other model also gets `<metric>_gain`: how much better the first one is, paired
            over users. Positive means better: for brier, log_loss and ece, where less is better, the difference turns.
        resamples: bootstrap resamples; one without a churner or a stayer is left out of the interval.

    Raises:
        InputError: shapes differ, an outcome is not 0 or 1, a probability is outside [0, 1]; or a metric of `gains` is
            unknown or best neither high nor low.
        NotEnoughData: all users churned or none did.
    """
    signs = {metric: _sign(metric) for metric in gains}
    checked = {model: _checked(y, p, probabilities=True) for model, p in probabilities.items()}
    first, users = next(iter(checked)), len(np.asarray(y))
    blocks: list[dict[str, dict[str, Floats]]] = []
    for weights in chain([np.ones((1, users))], _resampled_weights(users, resamples, seed)):
        block = {model: _values(*scored, weights, list(METRICS), capacity) for model, scored in checked.items()}
        for model in list(block)[1:]:
            for metric, sign in signs.items():
                block[model][f"{metric}_gain"] = sign * (block[first][metric] - block[model][metric])
        blocks.append(block)
    point, *resampled = blocks
    return {
        model: {
            metric: _interval(float(value[0]), np.concatenate([block[model][metric] for block in resampled]))
            for metric, value in found.items()
            if np.isfinite(value[0])
        }
        for model, found in point.items()
    }


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
        InputError, NotEnoughData: as `evaluate_models`, for any fold.
    """
    names, index = np.unique(np.concatenate([np.asarray(fold.users) for fold in folds]), return_inverse=True)
    rows = np.split(index, np.cumsum([len(np.asarray(fold.users)) for fold in folds])[:-1])
    gains = [_paired(fold.y, fold.p, fold.q, metric) for fold in folds]
    resampled = [
        np.mean([gain(weights[:, at]) for gain, at in zip(gains, rows, strict=True)], axis=0)
        for weights in _resampled_weights(len(names), resamples, seed)
    ]
    point = [gain(np.ones((1, len(at))))[0] for gain, at in zip(gains, rows, strict=True)]
    return _interval(float(np.mean(point)), np.concatenate(resampled))


def _paired(y: ArrayLike, p: ArrayLike, q: ArrayLike, metric: str) -> Callable[[Floats], Floats]:
    """Weights, shape (resamples, users) → the gain of `p` over `q`, shape (resamples,)."""
    sign = _sign(metric)
    outcome, first = _checked(y, p, probabilities=sign < 0)
    _, second = _checked(y, q, probabilities=sign < 0)

    def gain(weights: Floats) -> Floats:
        ours = _values(outcome, first, weights, [metric], None)[metric]
        theirs = _values(outcome, second, weights, [metric], None)[metric]
        return sign * (ours - theirs)

    return gain


def _sign(metric: str) -> float:
    """1 where more of a metric is better, -1 where less is."""
    if metric not in METRICS:
        raise InputError(f"Unknown metric '{metric}'.{suggest(metric, list(METRICS))}")
    if metric in _BEST_AT_A_VALUE:
        raise InputError(f"{metric} is best at a value of its own, so a difference is no gain. Compare log_loss.")
    return -1.0 if metric in _LOWER_IS_BETTER else 1.0


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


def _bottom_decile_lift(ranked: _Ranked, _: int | None) -> Floats:
    total = ranked.weights.sum(axis=1)
    rate = ranked.stayers.sum(axis=1) / total
    everyone = ranked.churners + ranked.stayers
    return np.asarray(_weight_among_first(ranked.stayers, everyone, total / 10) / (total / 10) / rate)


def _recall_at_capacity(ranked: _Ranked, capacity: int | None) -> Floats:
    contacted = _contacted(ranked, capacity)
    return np.asarray(_churners_among_best(ranked, contacted) / ranked.churners.sum(axis=1))


def _precision_at_capacity(ranked: _Ranked, capacity: int | None) -> Floats:
    contacted = _contacted(ranked, capacity)
    return np.asarray(_churners_among_best(ranked, contacted) / contacted)


def _contacted(ranked: _Ranked, capacity: int | None) -> Floats:
    """Weight of the users whom a campaign contacts, per resample."""
    if capacity is None or capacity < 1:
        raise InputError(f"A metric at capacity needs a capacity of at least 1 user, but got {capacity}.")
    return np.asarray(ranked.weights.sum(axis=1) * min(1.0, capacity / len(ranked.score)))


def _emp(ranked: _Ranked, _: int | None) -> Floats:
    group_starts = np.flatnonzero(np.r_[True, np.diff(ranked.score) > 0])
    churners = np.add.reduceat(ranked.outcome, group_starts)[::-1]
    stayers = np.add.reduceat(1 - ranked.outcome, group_starts)[::-1]
    cuts = cut_points(churners, stayers)  # of all users: a resample that chose its own would flatter itself
    return expected_maximum_profit(ranked.churners[:, ::-1], ranked.stayers[:, ::-1], cuts)


def _calibration_slope(ranked: _Ranked, _: int | None) -> Floats:
    return calibration_slope(ranked.outcome, ranked.score, ranked.weights, inside=PROBABILITY_FLOOR)


def _calibration_intercept(ranked: _Ranked, _: int | None) -> Floats:
    return calibration_intercept(ranked.outcome, ranked.score, ranked.weights, inside=PROBABILITY_FLOOR)


METRICS: dict[str, Callable[[_Ranked, int | None], Floats]] = {
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
_LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece"})
_BEST_AT_A_VALUE = frozenset({"calibration_slope", "calibration_intercept"})


def _best_first(ranked: _Ranked) -> tuple[Floats, Floats]:
    churners = ranked.churners[:, ::-1]
    return churners, churners + ranked.stayers[:, ::-1]


def _churners_among_best(ranked: _Ranked, count: Floats) -> Floats:
    """Weight of churners among the `count` (per resample) best-scored users."""
    return _weight_among_first(*_best_first(ranked), count)


def _weight_among_first(part: Floats, everyone: Floats, count: Floats) -> Floats:
    """Weight of `part` among the first `count` (per resample) of everyone, a group being taken in part."""
    before = np.cumsum(everyone, axis=1) - everyone
    share_taken = np.clip((count[:, None] - before) / np.where(everyone > 0, everyone, 1), 0, 1)
    return np.asarray((share_taken * part).sum(axis=1))


def _point(name: str, y: ArrayLike, p: ArrayLike, capacity: int | None = None) -> float:
    outcome, score = _checked(y, p, probabilities=name in _LOWER_IS_BETTER | _BEST_AT_A_VALUE)
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
