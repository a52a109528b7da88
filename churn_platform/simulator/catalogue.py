"""What the simulated shop sells."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from churn_platform.simulator.random_streams import Stream, stream
from churn_platform.simulator.seasons import Floats, Ints

DEPARTMENTS = {
    "Kitchen": 14.0, "Dining": 18.0, "Bedding": 35.0, "Bath": 16.0, "Lighting": 42.0, "Storage": 22.0,
    "Garden": 26.0, "Toys": 15.0, "Stationery": 6.0, "Candles": 9.0, "Wall art": 30.0, "Gifts": 12.0,
}  # fmt: skip
SKUS_PER_DEPARTMENT = 34
OWN_DEPARTMENT_SHARE = 0.6


@dataclass(frozen=True)
class Catalogue:
    """408 skus in 12 departments, ordered by department; all arrays have one entry per sku.

    Attributes:
        department: index into DEPARTMENTS.
        price: list price in the shop's currency, > 0, two decimals.
        popularity: probability that an undirected choice falls on the sku; sums to 1.
    """

    department: Ints
    price: Floats
    popularity: Floats

    def frame(self) -> pl.DataFrame:
        """The catalogue as a frame: sku, department, price, popularity; grain sku."""
        names = list(DEPARTMENTS)
        return pl.DataFrame(
            {
                "sku": [f"SKU-{number:04d}" for number in range(1, len(self.price) + 1)],
                "department": [names[index] for index in self.department],
                "price": self.price,
                "popularity": self.popularity,
            }
        )

    def choose(self, preferred: Ints, rng: np.random.Generator) -> Ints:
        """Draw a sku index per entry of `preferred`: from that department with probability 0.6, else from all."""
        edges = np.concatenate([[0.0], np.cumsum(self.popularity)])
        first = preferred * SKUS_PER_DEPARTMENT
        own = rng.random(preferred.size) < OWN_DEPARTMENT_SHARE
        low = np.where(own, edges[first], 0.0)
        high = np.where(own, edges[first + SKUS_PER_DEPARTMENT], edges[-1])
        drawn = np.searchsorted(edges, low + rng.random(preferred.size) * (high - low), side="right") - 1
        sku: Ints = np.minimum(drawn, self.price.size - 1)
        return sku

    def expected_price(self, preferred: Ints) -> Floats:
        """Mean list price of a sku drawn by `choose`, one per entry of `preferred`."""
        shape = (len(DEPARTMENTS), SKUS_PER_DEPARTMENT)
        weighted: Floats = (self.price * self.popularity).reshape(shape).sum(axis=1)
        own: Floats = weighted / self.popularity.reshape(shape).sum(axis=1)
        mixed: Floats = OWN_DEPARTMENT_SHARE * own[preferred] + (1 - OWN_DEPARTMENT_SHARE) * weighted.sum()
        return mixed


def draw_catalogue(seed: int) -> Catalogue:
    """Draw prices (lognormal about the department's level) and popularity (Zipf-like) of every sku."""
    rng = stream(seed, 0, Stream.CATALOGUE)
    size = len(DEPARTMENTS) * SKUS_PER_DEPARTMENT
    department = np.repeat(np.arange(len(DEPARTMENTS)), SKUS_PER_DEPARTMENT)
    level = np.array(list(DEPARTMENTS.values()))[department]
    price = np.maximum(np.round(level * rng.lognormal(0.0, 0.45, size), 2), 0.5)
    weight = 1 / (1 + rng.permutation(size)) ** 0.7
    return Catalogue(department, price, weight / weight.sum())
