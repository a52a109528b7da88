"""How good churn probabilities are: point values and 95 % intervals by bootstrap over users.

`y` is 1 for churned, `p` is P(churn), one row per user.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.core.ranked_users import BEST_AT_A_VALUE, LOWER_IS_BETTER, METRICS, RankedUsers
from churn_platform.errors import InputError, NotEnoughData, suggest

Floats = NDArray[np.float64]

# So small that a block stays in the cache of the processor: larger ones take twice the time.
_CELLS_PER_BLOCK = 500_000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % percentile-bootstrap interval, widened where needed to hold the value: resampling inflates
    a small calibration error, so that its percentiles can lie above it."""

    value: float
    lower: float
    upper: float


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


def point_values(
    y: ArrayLike, p: ArrayLike, metrics: Sequence[str], *, capacity: int | None = None
) -> dict[str, float]:
    """Metric → its value, without an interval. Of metrics that only rank, `p` may be any score.

    Raises:
        InputError, NotEnoughData: as `evaluate_models`.
    """
    of_probabilities = not (LOWER_IS_BETTER | BEST_AT_A_VALUE).isdisjoint(metrics)
    users = RankedUsers.of(*_checked(y, p, probabilities=of_probabilities))
    found = users.values(np.ones((1, len(users.score))), metrics, capacity)
    return {metric: float(value[0]) for metric, value in found.items()}


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
    ranked = {model: RankedUsers.of(*_checked(y, p, probabilities=True)) for model, p in probabilities.items()}
    first, users = next(iter(ranked)), len(np.asarray(y))
    blocks: list[dict[str, dict[str, Floats]]] = []
    for weights in chain([np.ones((1, users))], _resampled_weights(users, resamples, seed)):
        block = {model: of.values(weights, list(METRICS), capacity) for model, of in ranked.items()}
        for model in list(block)[1:]:
            for metric, sign in signs.items():
                block[model][f"{metric}_gain"] = sign * (block[first][metric] - block[model][metric])
        blocks.append(block)
    point, *resampled = blocks
    return {
        model: {
            metric: percentile_interval(float(value[0]), np.concatenate([block[model][metric] for block in resampled]))
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


def pooled_gain(
    folds: Sequence[PairedScores], metric: str, *, capacity: int | None = None, resamples: int = 1000, seed: int = 0
) -> Interval:
    """The mean over folds of how much better `p` is than `q`, on resamples of customers.

    A customer is drawn once for all folds, since the same customer's outcomes at two dates are not independent.
    `capacity` is for the metrics that have one.

    Raises:
        InputError, NotEnoughData: as `evaluate_models`, for any fold.
    """
    names, index = np.unique(np.concatenate([np.asarray(fold.users) for fold in folds]), return_inverse=True)
    rows = np.split(index, np.cumsum([len(np.asarray(fold.users)) for fold in folds])[:-1])
    gains = [_paired(fold, metric, capacity) for fold in folds]
    resampled = [
        np.mean([gain(weights[:, at]) for gain, at in zip(gains, rows, strict=True)], axis=0)
        for weights in _resampled_weights(len(names), resamples, seed)
    ]
    point = [gain(np.ones((1, len(at))))[0] for gain, at in zip(gains, rows, strict=True)]
    return percentile_interval(float(np.mean(point)), np.concatenate(resampled))


def _paired(fold: PairedScores, metric: str, capacity: int | None) -> Callable[[Floats], Floats]:
    """Weights, shape (resamples, users) → the gain of `p` over `q`, shape (resamples,)."""
    sign = _sign(metric)
    first, second = (RankedUsers.of(*_checked(fold.y, score, probabilities=sign < 0)) for score in (fold.p, fold.q))

    def gain(weights: Floats) -> Floats:
        ours, theirs = (users.values(weights, [metric], capacity)[metric] for users in (first, second))
        return sign * (ours - theirs)

    return gain


def _sign(metric: str) -> float:
    """1 where more of a metric is better, -1 where less is."""
    if metric not in METRICS:
        raise InputError(f"Unknown metric '{metric}'.{suggest(metric, list(METRICS))}")
    if metric in BEST_AT_A_VALUE:
        raise InputError(f"{metric} is best at a value of its own, so a difference is no gain. Compare log_loss.")
    return -1.0 if metric in LOWER_IS_BETTER else 1.0


def _point(name: str, y: ArrayLike, p: ArrayLike, capacity: int | None = None) -> float:
    return point_values(y, p, [name], capacity=capacity)[name]


def _resampled_weights(users: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each user was drawn, in blocks of resamples that fit in memory; blocks do not change the draws."""
    generator = np.random.default_rng(seed)
    block = max(1, _CELLS_PER_BLOCK // users)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        draws = [np.bincount(generator.integers(0, users, users), minlength=users) for _ in range(rows)]
        yield np.stack(draws).astype(np.float64)


def percentile_interval(value: float, resampled: Floats) -> Interval:
    """The 95 % interval of a value by what resamples of users gave, shape (resamples,); NaN where one gave none."""
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
