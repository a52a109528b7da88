"""What the best scorer could say of the simulated shop's customers who sees their events, but not their nature."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaincc, gammaln

from churn_platform.simulator.customers import BLOCK_SIZE, draw_customers, shop_calendar
from churn_platform.simulator.seasons import SECONDS_PER_DAY, Calendar, Floats, Ints
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform.simulator.truth import last_signs, lost_and_silent, silence_of

# Natures drawn from the shop's law; of them, those that explain a customer's events stand for the posterior.
PRIOR_BLOCKS, POSTERIOR_DRAWS = 24, 128
SLAB = 8
# Days: clock times are moved to shopping hours, so that two moments of a day can come to lie on each other.
SHORTEST_GAP, SAME_VISIT = 0.02, 0.5


@dataclass(frozen=True)
class _Natures:
    """Hidden parameters as the shop draws them, one entry per draw; see `Customers`."""

    hazard: Floats
    mean_gap: Floats
    regularity: Floats
    support_rate: Floats

    @property
    def scale(self) -> Floats:
        """Of the gamma gap between orders."""
        return self.mean_gap / self.regularity


def observable_churn_probability(
    events: pl.DataFrame, settings: ShopSettings, snapshot: date, horizon_days: int = 90, *, seed: int = 0
) -> pl.DataFrame:
    """Probability of no purchase in [snapshot, snapshot + horizon_days), for who knows the law but nobody's nature.

    The Bayes-optimal scorer of purchases, support contacts and signups: `true_churn_probability` averaged over the
    hidden parameters by their posterior given these events before the snapshot's UTC midnight. Visits are left out, as
    there. The posterior is made of POSTERIOR_DRAWS weighted natures of PRIOR_BLOCKS * BLOCK_SIZE, drawn from the law of
    the shop (`draw_customers`, customers who are not in it); with s the customer's start, x the gaps in demand time up
    to the last purchase, q the last sign of life, R risk time and n contacts at rate c, the weight is
        exp(-h (R(q) - R(s))) * c^n exp(-c (q - s)) * f(x_1) * prod gamma(x_i; k, m / k),
    where the first gap has the law of a renewal process met in its middle (survival over mean) for who was a customer
    before the shop's first day; for who signed up and bought in one visit it is nothing, which tells no nature.

    Args:
        events: grain line of the export (EXPORT_SCHEMA) with all events of the customers before the snapshot.
        settings: those of the shop that the events come from.

    Returns:
        Grain user_id: user_id, probability in [0, 1], sorted by user_id, of all with a purchase before the snapshot.
    """
    calendar = Calendar(settings.first_day, (snapshot - settings.first_day).days + horizon_days)
    seen = _seen(events, settings.first_day, snapshot, calendar)
    rng = np.random.default_rng(seed)
    existing, joined = _natures(settings)
    found = []
    for was_there, natures in ((True, existing), (False, joined)):
        for slab in seen.filter(pl.col("was_there") == was_there).iter_slices(SLAB):
            probability = _averaged(slab, natures, calendar, calendar.days - horizon_days, rng)
            found.append(slab.select("user_id").with_columns(probability=pl.Series(probability)))
    schema = {"user_id": pl.String, "probability": pl.Float64}
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort("user_id")


def _natures(settings: ShopSettings) -> tuple[_Natures, _Natures]:
    """Draws for who was a customer before the first day, and for who joined later."""
    calendar, after_all = shop_calendar(settings), -(-settings.customers // BLOCK_SIZE)
    blocks = [draw_customers(settings, after_all + block, calendar)[0] for block in range(PRIOR_BLOCKS)]
    hazards = np.concatenate([block.hazard for block in blocks])
    was_there = np.concatenate([block.arrival < 0 for block in blocks])
    # by hazard, of which a customer's events tell least: the draws then stand for all of its range
    by_hazard = np.argsort(hazards, kind="stable")

    def of(mask: NDArray[np.bool_]) -> _Natures:
        return _Natures(
            *(
                np.concatenate([getattr(block, name) for block in blocks])[by_hazard[mask[by_hazard]]]
                for name in ("hazard", "mean_gap", "regularity", "support_rate")
            )
        )

    return of(was_there), of(~was_there)


def _seen(events: pl.DataFrame, first_day: date, snapshot: date, calendar: Calendar) -> pl.DataFrame:
    """Grain user_id, of those with a purchase: what the posterior needs of their events; times in days."""
    cut, midnight = (datetime.combine(day, datetime.min.time(), tzinfo=UTC) for day in (snapshot, first_day))
    known = (
        events.filter(pl.col("customer").is_not_null() & (pl.col("occurred_at") < cut))
        .select(
            "action",
            user_id="customer",
            time=(pl.col("occurred_at") - midnight).dt.total_seconds() / SECONDS_PER_DAY,
        )
        .unique()
        .sort("user_id", "time")
    )
    orders = known.filter(pl.col("action") == "purchase").with_columns(_on(calendar.demand, "time").alias("demand"))
    gap = pl.col("demand").diff().over("user_id").clip(lower_bound=SHORTEST_GAP)
    bought = (
        orders.with_columns(gap=gap)
        .group_by("user_id")
        .agg(
            first_demand=pl.col("demand").min(),
            gaps=pl.col("gap").count(),
            total=pl.col("gap").sum(),
            total_log=pl.col("gap").log().sum(),
            bought=pl.col("time").max(),
        )
    )
    contacted = (
        known.filter(pl.col("action") == "support_contact")
        .group_by("user_id")
        .agg(contacts=pl.len(), contacted=pl.col("time").max())
    )
    joined = known.filter(pl.col("action") == "signup").group_by("user_id").agg(joined=pl.col("time").min())
    return (
        last_signs(events, snapshot)
        .join(bought, on="user_id")
        .join(contacted, on="user_id", how="left")
        .join(joined, on="user_id", how="left")
        .with_columns(
            was_there=pl.col("joined").is_null(),
            start=pl.col("joined").fill_null(0.0),
            last_seen=pl.max_horizontal("bought", "contacted"),
            contacts=pl.col("contacts").fill_null(0),
        )
        .with_columns(
            first_gap=pl.col("first_demand") - _on(calendar.demand, "start"),
            risk=_on(calendar.risk, "last_seen") - _on(calendar.risk, "start"),
        )
        .sort("user_id")
    )


def _on(of_time: Callable[[Floats], Floats], column: str) -> pl.Expr:
    return pl.col(column).map_batches(lambda time: pl.Series(of_time(time.to_numpy())), return_dtype=pl.Float64)


def _averaged(
    seen: pl.DataFrame, natures: _Natures, calendar: Calendar, snapshot: int, rng: np.random.Generator
) -> Floats:
    """The probability of some customers, all of them there before the first day or none."""
    drawn = _posterior(_log_weights(seen, natures), rng)

    rows = np.repeat(np.arange(seen.height), POSTERIOR_DRAWS)
    known = seen.select("purchased_at", "contacted_at", "bad")[rows].with_columns(
        hazard=natures.hazard[drawn],
        support_rate=natures.support_rate[drawn],
        regularity=natures.regularity[drawn],
        mean_gap_days=natures.mean_gap[drawn],
    )
    silence = silence_of(known, calendar)
    lost, silent = (part.reshape(seen.height, -1).sum(axis=1) for part in lost_and_silent(silence, calendar, snapshot))
    probability: Floats = lost / silent
    return probability


def _log_weights(seen: pl.DataFrame, natures: _Natures) -> Floats:
    """Customers by natures: how well each nature explains the events up to the last sign of life, but for constants."""

    def of(column: str) -> Floats:
        return seen[column].cast(pl.Float64).to_numpy()[:, None]

    shape, scale = natures.regularity, natures.scale
    density = -gammaln(shape) - shape * np.log(scale)
    gaps = of("gaps") * density + (shape - 1) * of("total_log") - of("total") / scale
    known_for = of("last_seen") - of("start")
    contacts = of("contacts") * np.log(natures.support_rate) - natures.support_rate * known_for
    first = np.maximum(of("first_gap"), SHORTEST_GAP)
    if seen["was_there"].all():
        opening = np.log(np.maximum(gammaincc(shape, first / scale), 1e-300)) - np.log(natures.mean_gap)
    else:
        late = density + (shape - 1) * np.log(first) - first / scale
        opening = np.where(of("first_gap") < SAME_VISIT, 0.0, late)
    weights: Floats = gaps + contacts + opening - natures.hazard * of("risk")
    return weights


def _posterior(log_weights: Floats, rng: np.random.Generator) -> Ints:
    """POSTERIOR_DRAWS indices of natures for each customer in turn, by systematic resampling."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    cumulative = np.cumsum(weights, axis=1)
    steps = (np.arange(POSTERIOR_DRAWS) + rng.random((len(weights), 1))) / POSTERIOR_DRAWS
    drawn = [np.searchsorted(own, step * own[-1]) for own, step in zip(cumulative, steps, strict=True)]
    return np.concatenate(drawn)
