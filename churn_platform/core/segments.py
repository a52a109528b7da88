"""Behavioural segments: k-means on a handful of standardised traits, named by what sets each segment apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trait:
    """A feature that segments are made of, and what is said of a segment that is low or high in it.

    `told` is the typical value in a sentence, with `{value}`.
    """

    low: str
    high: str
    told: str


TRAITS: Final[Mapping[str, Trait]] = {
    "tenure_days": Trait("new", "long-standing", "known for {value} days"),
    "orders_365d": Trait("rare orders", "frequent orders", "{value} orders in a year"),
    "value_per_order": Trait("small baskets", "large baskets", "{value} an order"),
    "sessions_90d": Trait("hardly visiting", "visiting often", "{value} visits in 90 days"),
    "recency_days": Trait("active lately", "silent", "last active {value} days ago"),
}
NUMBERS_OF_SEGMENTS: Final = range(4, 8)
_SEED: Final = 7
_FIT_ROWS: Final = 50_000
_SILHOUETTE_ROWS: Final = 3_000
_SMALLEST_SEGMENT: Final = 25  # customers to one segment, on average
_NOTABLE: Final = 0.3  # standard deviations from the mean, for a trait to name a segment
_WORDS_IN_NAME: Final = 2
_CONSTANT: Final = 1e-9  # a deviation of rounding only


def fit_segments(customers: pl.DataFrame, previous: pl.DataFrame | None = None) -> pl.DataFrame:
    """Find the segments of the customers who ever bought.

    Traits are taken as log(1 + x) and standardised; null counts as 0, a trait that is null for all is left out. The
    number of segments is the one with the best silhouette (Rousseeuw 1987) on a sample. `previous` segments over the
    same traits keep their number and are where the search begins, so that a refit moves as few customers as it can.

    Args:
        customers: one row per customer: the columns of TRAITS.
        previous: what an earlier fit returned.

    Returns:
        Grain (segment, trait): segment (its name), description, trait, centre, mean and deviation (all three of the
        logarithm), typical_value (median), standing (low, usual, high). Empty without customers.
    """
    traits = [name for name in TRAITS if customers[name].null_count() < customers.height]
    if not traits:
        return pl.DataFrame(schema=SEGMENT_SCHEMA)
    values = _logarithms(customers, traits)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    deviation = np.where(deviation > _CONSTANT, deviation, 1.0)
    sample = np.random.default_rng(_SEED).permutation(len(values))[:_FIT_ROWS]
    start = None
    if previous is not None and _traits(previous) == traits:
        start = (_centres(previous) - mean) / deviation
    centres = _cluster((values[sample] - mean) / deviation, start)
    nearest = _nearest((values - mean) / deviation, centres)
    rows = []
    for number, name in enumerate(_names(centres, traits)):
        members = customers.filter(pl.Series(nearest == number)).select(pl.col(traits).fill_null(0.0))
        typical = dict(zip(traits, members.median().row(0), strict=True))
        told = ", ".join(TRAITS[trait].told.format(value=_short(value)) for trait, value in typical.items())
        rows += [
            {
                "segment": name,
                "description": f"typically {told}",
                "trait": trait,
                "centre": float(centres[number, place] * deviation[place] + mean[place]),
                "mean": float(mean[place]),
                "deviation": float(deviation[place]),
                "typical_value": typical[trait],
                "standing": _standing(centres[number, place]),
            }
            for place, trait in enumerate(traits)
        ]
    return pl.DataFrame(rows, schema=SEGMENT_SCHEMA)


def assign_segments(customers: pl.DataFrame, segments: pl.DataFrame) -> pl.Series:
    """The name of the segment whose centre is nearest, per customer, in the order given.

    Args:
        customers: one row per customer: the columns of TRAITS.
        segments: of `fit_segments`; not empty.
    """
    traits = _traits(segments)
    scale = segments.head(len(traits))
    mean, deviation = scale["mean"].to_numpy(), scale["deviation"].to_numpy()
    centres = (_centres(segments) - mean) / deviation
    nearest = _nearest((_logarithms(customers, traits) - mean) / deviation, centres)
    return segments["segment"].unique(maintain_order=True).gather(nearest)


SEGMENT_SCHEMA: Final = pl.Schema(
    {
        "segment": pl.String(),
        "description": pl.String(),
        "trait": pl.String(),
        "centre": pl.Float64(),
        "mean": pl.Float64(),
        "deviation": pl.Float64(),
        "typical_value": pl.Float64(),
        "standing": pl.String(),
    }
)


def _logarithms(customers: pl.DataFrame, traits: Sequence[str]) -> Floats:
    shown = customers.select(
        pl.col(name).cast(pl.Float64).fill_null(0.0).clip(lower_bound=0.0).log1p() for name in traits
    )
    return shown.to_numpy()


def _traits(segments: pl.DataFrame) -> list[str]:
    return segments["trait"].unique(maintain_order=True).to_list()


def _centres(segments: pl.DataFrame) -> Floats:
    """Of the logarithms, shape (segments, traits)."""
    return segments["centre"].to_numpy().reshape(-1, len(_traits(segments)))


def _cluster(rows: Floats, start: Floats | None) -> Floats:
    """The centres, shape (segments, traits)."""
    distinct = len(np.unique(rows, axis=0))
    if start is not None and len(start) <= distinct:
        moved: Floats = KMeans(len(start), init=start, n_init=1).fit(rows).cluster_centers_
        return moved
    most = min(len(rows) // _SMALLEST_SEGMENT, distinct - 1)
    fits = [KMeans(count, n_init=5, random_state=_SEED).fit(rows) for count in NUMBERS_OF_SEGMENTS if count <= most]
    if not fits:
        everybody: Floats = rows.mean(axis=0, keepdims=True)
        return everybody
    part = slice(0, _SILHOUETTE_ROWS)

    def parted(fit: KMeans) -> float:
        labels = fit.labels_[part]
        return float(silhouette_score(rows[part], labels)) if 1 < len(set(labels)) < len(labels) else -1.0

    best: Floats = max(fits, key=parted).cluster_centers_
    return best


def _nearest(rows: Floats, centres: Floats) -> NDArray[np.intp]:
    distances = np.stack([((rows - centre) ** 2).sum(axis=1) for centre in centres])
    nearest: NDArray[np.intp] = distances.argmin(axis=0)
    return nearest


def _names(centres: Floats, traits: Sequence[str]) -> list[str]:
    """By the traits that stand out most, told in the order of TRAITS; more of them where two would be named alike."""
    names: list[str] = []
    for centre in centres:
        candidates = [_name(centre, traits, words) for words in range(_WORDS_IN_NAME, len(TRAITS) + 1)]
        fresh = [name for name in candidates if name not in names]
        names.append(fresh[0] if fresh else f"{candidates[-1]} ({len(names) + 1})")
    return names


def _name(centre: Floats, traits: Sequence[str], words: int) -> str:
    strongest = [place for place in np.argsort(-np.abs(centre)) if abs(centre[place]) >= _NOTABLE]
    return ", ".join(_word(traits[place], centre[place]) for place in sorted(strongest[:words])) or "like most"


def _word(trait: str, standing: float) -> str:
    return TRAITS[trait].high if standing > 0 else TRAITS[trait].low


def _standing(standing: float) -> str:
    if abs(standing) < _NOTABLE:
        return "usual"
    return "high" if standing > 0 else "low"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"
