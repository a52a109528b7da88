"""What each feature adds to a user's score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contributions:
    """Additive parts of a margin, the log-odds of churn: `bias + values.sum(axis=1)` is the margin.

    `values` has shape (users, features), columns in the order of `features`; `bias` has shape (users,).
    """

    features: tuple[str, ...]
    values: Floats
    bias: Floats

    @property
    def margin(self) -> Floats:
        """Log-odds of churn, shape (users,)."""
        return np.asarray(self.bias + self.values.sum(axis=1))

    def aligned_to(self, features: tuple[str, ...]) -> "Contributions":
        """The same parts with columns for exactly these features, 0 where this model does not use one.

        Raises:
            KeyError: a feature of this model is not among them.
        """
        column = {name: position for position, name in enumerate(features)}
        values = np.zeros((len(self.bias), len(features)))
        values[:, [column[name] for name in self.features]] = self.values
        return Contributions(features, values, self.bias)
