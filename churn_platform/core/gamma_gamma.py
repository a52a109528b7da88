"""The gamma-gamma model: how much a customer spends on a purchase, from what they spent so far.

Fader & Hardie (2013), 'The Gamma-Gamma Model of Monetary Value', cited here as FH. The values of a customer's purchases
are gamma(p, nu) around a mean that is the customer's own; nu is gamma(q, gamma) over customers. A customer's history is
`mean_value`, the mean over `purchases` purchases.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from churn_platform.errors import InputError, NotEnoughData

Floats = NDArray[np.float64]

_LOG_BOUND = 9.0
_ITERATIONS = 500


@dataclass(frozen=True)
class GammaGamma:
    """Three positive numbers, q above 1 so that the mean over customers is finite; gamma in units of value."""

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, purchases: ArrayLike, mean_value: ArrayLike) -> Self:
        """Maximum likelihood (FH equation 1a), by L-BFGS-B on the logarithms of p, q - 1 and gamma.

        Args:
            purchases: number of purchases with a value, at least 1 per customer, shape (customers,).
            mean_value: their mean, above 0, shape (customers,).

        Raises:
            InputError: shapes differ, or a history is impossible.
            NotEnoughData: fewer than two customers, or all have the same mean value.
        """
        x, m = _histories(purchases, mean_value)
        if len(x) < 2 or np.ptp(m) == 0:
            raise NotEnoughData(
                f"Values of purchases need customers who differ in them, but {len(x)} have {len(np.unique(m))} "
                "different mean values. Load a longer history."
            )
        unit = float(m.mean())
        scaled = m / unit

        def negative_mean(logs: Floats) -> float:
            p, q, gamma = float(np.exp(logs[0])), 1 + float(np.exp(logs[1])), float(np.exp(logs[2]))
            return -float(_log_density(x, scaled, p, q, gamma).mean())

        found = minimize(
            negative_mean,
            np.zeros(3),
            method="L-BFGS-B",
            bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 3,
            options={"maxiter": _ITERATIONS, "ftol": 1e-13, "gtol": 1e-8},
        )
        p, above_one, gamma = np.exp(found.x).tolist()
        return cls(p, 1 + above_one, gamma * unit)

    @property
    def mean(self) -> float:
        """The mean value of a purchase over customers: p gamma / (q - 1)."""
        return self.p * self.gamma / (self.q - 1)

    def log_likelihood(self, purchases: ArrayLike, mean_value: ArrayLike) -> float:
        """Sum over customers of the log of FH equation 1a. Raises InputError as `fit`."""
        x, m = _histories(purchases, mean_value)
        return float(_log_density(x, m, self.p, self.q, self.gamma).sum())

    def expected_value(self, purchases: ArrayLike, mean_value: ArrayLike) -> Floats:
        """E[value of a purchase | the customer's history], shape (customers,); FH equation 5.

        (gamma + x m) p / (p x + q - 1): the customer's own mean, drawn towards that of all the more the fewer the
        purchases. Of a customer without a valued purchase (x = 0; m is then not looked at) it is the mean of all.
        """
        x = np.asarray(purchases, dtype=np.float64)
        spent = np.where(x > 0, x * np.asarray(mean_value, dtype=np.float64), 0.0)
        return np.asarray((self.gamma + spent) * self.p / (self.p * x + self.q - 1))

    def to_dict(self) -> dict[str, float]:
        """The three parameters by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, float]) -> Self:
        """The model that `to_dict` described."""
        return cls(**stored)


def _log_density(x: Floats, m: Floats, p: float, q: float, gamma: float) -> Floats:
    return np.asarray(
        gammaln(p * x + q)
        - gammaln(p * x)
        - gammaln(q)
        + q * np.log(gamma)
        + (p * x - 1) * np.log(m)
        + p * x * np.log(x)
        - (p * x + q) * np.log(gamma + m * x)
    )


def _histories(purchases: ArrayLike, mean_value: ArrayLike) -> tuple[Floats, Floats]:
    x, m = (np.asarray(part, dtype=np.float64) for part in (purchases, mean_value))
    if x.ndim != 1 or x.shape != m.shape:
        raise InputError(f"Gamma-gamma needs one count and one mean value per customer, but got {x.shape}, {m.shape}.")
    possible = (x >= 1) & (m > 0) & np.isfinite(x + m)
    if not possible.all():
        first = int(np.argmin(possible))
        raise InputError(
            f"{int((~possible).sum())} of {len(x)} histories of values are impossible, the first at row {first}: "
            f"{x[first]:g} purchases with a mean value of {m[first]:g}. Expected at least 1, and a value above 0."
        )
    return x, m
