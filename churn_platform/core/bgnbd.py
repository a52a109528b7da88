"""The BG/NBD model: how often a customer buys while alive, and whether they still are.

Fader, Hardie & Lee (2005), 'Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model', Marketing
Science 24(2), cited here as FHL. A customer buys at a Poisson rate that is gamma(r, alpha) over customers, and after
each repeat purchase drops out with a probability that is beta(a, b) over customers. A customer's history is three
numbers: `frequency` x, the repeat purchases; `recency` t_x, the time from the first purchase to the last (0 if x is 0);
`age` T, the time from the first purchase to now. Any unit of time serves, as long as it is one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, hyp2f1

from churn_platform.errors import InputError, NotEnoughData

Floats = NDArray[np.float64]

# Bounds of the log parameters, time in units of the mean age: they only bind where the likelihood has no inner maximum,
# as where nobody seems to have dropped out (a towards 0) or all drop out alike (a and b towards infinity).
_LOG_BOUND = 7.0
_ITERATIONS = 500
_POLE_DISTANCE = 1e-5


@dataclass(frozen=True)
class BetaGeometricNBD:
    """Four positive numbers: rates are gamma(r, alpha), alpha in units of time; drop-out is beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, weights: ArrayLike | None = None) -> Self:
        """Maximum likelihood (FHL equation 6, summed over customers), by L-BFGS-B on the log parameters.

        Equal histories are counted once with their number, so that the order of customers does not matter.

        Args:
            frequency, recency, age: one history per customer, shape (customers,).
            weights: how often each customer counts; once by default.

        Raises:
            InputError: shapes differ, a value is null, or a history is impossible.
            NotEnoughData: nobody bought a second time, so that nothing is known about rates.
        """
        histories = np.column_stack(_histories(frequency, recency, age))
        count = np.ones(len(histories)) if weights is None else np.asarray(weights, dtype=np.float64)
        if count.shape != (len(histories),) or not (np.isfinite(count) & (count >= 0)).all():
            raise InputError("BG/NBD needs one weight per customer, finite and not negative.")
        distinct, position = np.unique(histories, axis=0, return_inverse=True)
        grouped = np.bincount(position.ravel(), count, minlength=len(distinct)).astype(np.float64)
        distinct, grouped = distinct[grouped > 0], grouped[grouped > 0]
        if not distinct[:, 0].any():
            raise NotEnoughData(
                f"BG/NBD needs customers who came back, but none of {len(histories)} has a second purchase. "
                "Load a longer history."
            )
        unit = float(np.average(distinct[:, 2], weights=grouped))
        likelihood = _Likelihood(distinct[:, 0], distinct[:, 1] / unit, distinct[:, 2] / unit, grouped)
        found = minimize(
            likelihood.negative_mean,
            np.zeros(4),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 4,
            options={"maxiter": _ITERATIONS, "ftol": 1e-13, "gtol": 1e-8},
        )
        r, alpha, a, b = np.exp(found.x).tolist()
        return cls(r, alpha * unit, a, b)

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> float:
        """Sum over customers of the log of FHL equation 6. Raises InputError as `fit`."""
        x, t_x, t = _histories(frequency, recency, age)
        log_parameters = np.log([self.r, self.alpha, self.a, self.b])
        return -len(x) * _Likelihood(x, t_x, t, np.ones(len(x))).negative_mean(log_parameters)[0]

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """P(not dropped out by T), shape (customers,); 1 for a customer of one purchase.

        1 / (1 + [x > 0] a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)); Fader, Hardie & Lee (2008), 'Computing
        P(alive) Using the BG/NBD Model'. Raises InputError as `fit`.
        """
        return np.asarray(np.exp(self._log_alive(*_histories(frequency, recency, age))))

    def probability_no_purchase(
        self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, horizon: float
    ) -> Floats:
        """P(no purchase in (T, T + horizon]), shape (customers,).

        1 - P(alive) (1 - ((alpha + T) / (alpha + T + horizon))^(r + x)): who is alive at T has a rate that is
        gamma(r + x, alpha + T) (FHL, derivation of equation 10) and cannot drop out before the next purchase. Raises
        InputError as `fit`.
        """
        return np.asarray(-np.expm1(self._log_purchase(*_histories(frequency, recency, age), horizon)))

    def no_purchase_log_odds(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, horizon: float) -> Floats:
        """Log-odds of `probability_no_purchase`, without loss of digits near 0 and 1. Raises InputError as `fit`."""
        log_purchase = self._log_purchase(*_histories(frequency, recency, age), horizon)
        return np.asarray(np.log(-np.expm1(log_purchase)) - log_purchase)

    def expected_purchases(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, horizon: float) -> Floats:
        """E[purchases in (T, T + horizon]], shape (customers,).

        FHL equation 10 after Euler's transformation of its hypergeometric function, which keeps it finite for frequent
        buyers: P(alive) (a + b + x - 1) / (a - 1) (1 - (1 - z)^(a - 1) 2F1(a + b - 1 - r, a - 1; a + b + x - 1; z))
        with z = horizon / (alpha + T + horizon). At a = 1, where that is 0 / 0, the mean of both sides. Raises
        InputError as `fit`.
        """
        x, t_x, t = _histories(frequency, recency, age)
        _check_horizon(horizon)
        z = horizon / (self.alpha + t + horizon)
        if abs(self.a - 1) < _POLE_DISTANCE:
            near = [self._purchases_if_alive(x, z, 1 + side * _POLE_DISTANCE) for side in (-1, 1)]
            if_alive = np.mean(near, axis=0)
        else:
            if_alive = self._purchases_if_alive(x, z, self.a)
        return np.asarray(np.exp(self._log_alive(x, t_x, t)) * if_alive)

    def next_purchase_quantile(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, share: float) -> Floats:
        """The time within which a customer who is alive buys next with probability `share`, shape (customers,).

        (alpha + T) ((1 - share)^(-1 / (r + x)) - 1), since the time to the next purchase of who is alive is Lomax
        (FHL, derivation of equation 10). Raises InputError as `fit`, or where `share` is not between 0 and 1.
        """
        if not 0 < share < 1:
            raise InputError(f"A share of next purchases must lie between 0 and 1, but is {share}.")
        x, _, t = _histories(frequency, recency, age)
        with np.errstate(over="ignore"):  # a wait beyond all numbers is infinite
            return np.asarray((self.alpha + t) * np.expm1(-np.log1p(-share) / (self.r + x)))

    def to_dict(self) -> dict[str, float]:
        """The four parameters by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, float]) -> Self:
        """The model that `to_dict` described."""
        return cls(**stored)

    def _purchases_if_alive(self, x: Floats, z: Floats, a: float) -> Floats:
        third = a + self.b + x - 1
        tail = (1 - z) ** (a - 1) * hyp2f1(a + self.b - 1 - self.r, a - 1, third, z)
        return np.asarray(third / (a - 1) * (1 - tail))

    def _log_alive(self, x: Floats, t_x: Floats, t: Floats) -> Floats:
        log_odds_gone = _log_dropout(x, self.a, self.b) + (self.r + x) * (
            np.log(self.alpha + t) - np.log(self.alpha + t_x)
        )
        return np.asarray(-np.logaddexp(0.0, log_odds_gone))

    def _log_purchase(self, x: Floats, t_x: Floats, t: Floats, horizon: float) -> Floats:
        _check_horizon(horizon)
        log_silent = -(self.r + x) * np.log1p(horizon / (self.alpha + t))
        return np.asarray(self._log_alive(x, t_x, t) + np.log(-np.expm1(log_silent)))


class _Likelihood:
    """FHL equation 6 on distinct histories with their counts; what depends on x alone is computed once per x."""

    def __init__(self, x: Floats, t_x: Floats, t: Floats, count: Floats) -> None:
        self._x, self._t_x, self._t, self._count = x, t_x, t, count
        self._each_x, position = np.unique(x, return_inverse=True)
        self._count_of_x = np.bincount(position, count)

    def negative_mean(self, log_parameters: Floats) -> tuple[float, Floats]:
        """Minus the mean log-likelihood, and its gradient by the log parameters (r, alpha, a, b)."""
        parameters = np.exp(log_parameters)
        r, alpha, a, b = parameters.tolist()
        x, rate = self._x, r + self._x
        log_t, log_t_x = np.log(alpha + self._t), np.log(alpha + self._t_x)
        alive = -rate * log_t
        gone = _log_dropout(x, a, b) - rate * log_t_x
        either = np.logaddexp(alive, gone)
        p_alive = np.exp(alive - either)
        p_gone = np.exp(gone - either)
        value = float((self._count * either).sum()) + float((self._count_of_x * self._of_x(r, alpha, a, b)).sum())
        by_history = np.array(
            [
                -(self._count * (p_alive * log_t + p_gone * log_t_x)).sum(),
                -(self._count * rate * (p_alive / (alpha + self._t) + p_gone / (alpha + self._t_x))).sum(),
                (self._count * p_gone).sum() / a,
                -(self._count * p_gone / np.where(x > 0, b + x - 1, 1.0)).sum(),
            ]
        )
        by_x = (self._count_of_x * self._slopes_of_x(r, alpha, a, b)).sum(axis=1)
        total = self._count.sum()
        return -value / total, -(by_history + by_x) * parameters / total

    def _of_x(self, r: float, alpha: float, a: float, b: float) -> Floats:
        x = self._each_x
        rates = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        return np.asarray(rates + gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x))

    def _slopes_of_x(self, r: float, alpha: float, a: float, b: float) -> Floats:
        x = self._each_x
        shared = digamma(a + b) - digamma(a + b + x)
        return np.stack(
            [
                digamma(r + x) - digamma(r) + np.log(alpha),
                np.full(len(x), r / alpha),
                shared,
                shared + digamma(b + x) - digamma(b),
            ]
        )


def _log_dropout(x: Floats, a: float, b: float) -> Floats:
    """Log of a / (b + x - 1), minus infinity at x = 0: nobody drops out before a repeat purchase."""
    repeated = x > 0
    return np.where(repeated, np.log(a) - np.log(np.where(repeated, b + x - 1, 1.0)), -np.inf)


def _histories(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> tuple[Floats, Floats, Floats]:
    x, t_x, t = (np.asarray(part, dtype=np.float64) for part in (frequency, recency, age))
    if x.ndim != 1 or not x.shape == t_x.shape == t.shape:
        raise InputError(
            f"BG/NBD needs one frequency, recency and age per customer, but got {x.shape}, {t_x.shape} and {t.shape}."
        )
    possible = (x >= 0) & (t_x >= 0) & (t_x <= t) & (t > 0) & ((x > 0) | (t_x == 0)) & np.isfinite(x + t)
    if not possible.all():
        first = int(np.argmin(possible))
        raise InputError(
            f"{int((~possible).sum())} of {len(x)} purchase histories are impossible, the first at row {first}: "
            f"frequency {x[first]:g}, recency {t_x[first]:g}, age {t[first]:g}. Expected frequency >= 0, "
            "0 <= recency <= age, age > 0, no null, and recency 0 where the frequency is 0."
        )
    return x, t_x, t


def _check_horizon(horizon: float) -> None:
    if not (np.isfinite(horizon) and horizon > 0):
        raise InputError(f"The horizon must be a positive length of time, but is {horizon}.")
