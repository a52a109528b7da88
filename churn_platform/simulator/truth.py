"""What the simulated shop's truth says about churn: the best probability possible, and the outcome."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
from scipy.special import gammaincc

from churn_platform.errors import UsageError
from churn_platform.simulator.customers import BAD_OUTCOME_SHARE, LEAVING_SHARE
from churn_platform.simulator.seasons import SECONDS_PER_DAY, Calendar, Floats
from churn_platform.simulator.shop import SimulatedChunk

SLAB = 1_000


@dataclass(frozen=True)
class Silence:
    """The state of knowledge about some customers at the snapshot; times are days of the calendar.

    Attributes:
        purchased: the last purchase.
        last_seen: the last sign of life, purchase or contact.
        leaving: probability of having left at `last_seen`: LEAVING_SHARE after a bad contact, else 0.
    """

    hazard: Floats
    support_rate: Floats
    regularity: Floats
    mean_gap: Floats
    purchased: Floats
    last_seen: Floats
    leaving: Floats


def true_churn_probability(chunk: SimulatedChunk, snapshot: date, horizon_days: int = 90) -> pl.DataFrame:
    """Probability of no purchase in [snapshot, snapshot + horizon_days), by the law that made the shop.

    Information set: the customer's hidden parameters (hazard, rhythm, support rate), all purchases and all support
    contacts with their outcomes before the snapshot's UTC midnight. Not known: whether the customer is still alive.
    Visits, returns, reviews and consent are left out although visits fade around the death, so this is the best any
    scorer of purchases and contacts can do on average; one that reads the visits too may rank a little better.

    With the last purchase at p, the last sign of life (purchase or contact) at q, G the survival of the gamma gap in
    demand time, c the contact rate and f the density of death after q (an atom at q after a bad contact), the silence
    until the snapshot S has weight
        D = int_q^S f(t) G(t - p) exp(-c (t - q)) dt        (dead by S),
        A = P(death > S) G(S - p) exp(-c (S - q))           (alive at S),
    and the answer is (D + A * P(no purchase in the horizon | alive at S, silent since p)) / (D + A). The integrals
    are sums over calendar days, each death placed at its day's middle.

    Args:
        chunk: any set of customers with all of their events before the snapshot.
        snapshot: the shop-local (UTC) day S.
        horizon_days: length of the window, at least 1.

    Returns:
        Grain user_id: user_id, probability in [0, 1], sorted by user_id. Customers without a purchase before the
        snapshot are left out, because nothing shows that they ever were customers; eligibility is not applied.

    Raises:
        UsageError: horizon_days is below 1.
    """
    if horizon_days < 1:
        raise UsageError(f"The horizon must be at least one day: found horizon_days={horizon_days}.")
    known = chunk.truth.join(last_signs(chunk.events, snapshot), on="user_id").sort("user_id")
    if known.is_empty():
        return pl.DataFrame(schema={"user_id": pl.String, "probability": pl.Float64})
    first: date = known.select(pl.col("purchased_at").min().dt.date()).item()
    calendar = Calendar(first, (snapshot - first).days + horizon_days)
    probabilities = []
    for slab in known.iter_slices(SLAB):
        lost, silent = lost_and_silent(silence_of(slab, calendar), calendar, calendar.days - horizon_days)
        probabilities.append(lost / silent)
    return known.select("user_id").with_columns(probability=pl.Series(np.concatenate(probabilities)))


def observed_churn(
    chunk: SimulatedChunk, snapshot: date, lookback_days: int = 180, horizon_days: int = 90
) -> pl.DataFrame:
    """The outcome by the default product definition, read from the events alone.

    Returns:
        Grain user_id over the eligible (a purchase in [snapshot - lookback, snapshot)): user_id, churned (no purchase
        in [snapshot, snapshot + horizon)), sorted by user_id. The window must lie inside the simulated one.
    """
    cut = datetime.combine(snapshot, datetime.min.time(), tzinfo=UTC)
    purchases = chunk.events.filter(pl.col("customer").is_not_null() & (pl.col("action") == "purchase"))
    time = pl.col("occurred_at")
    before = purchases.filter(time.is_between(cut - timedelta(days=lookback_days), cut, closed="left"))
    after = purchases.filter(time.is_between(cut, cut + timedelta(days=horizon_days), closed="left"))
    eligible = before.select(user_id="customer").unique().sort("user_id")
    return eligible.with_columns(churned=~pl.col("user_id").is_in(after["customer"].unique().implode()))


def last_signs(events: pl.DataFrame, snapshot: date) -> pl.DataFrame:
    """Grain user_id, of everyone with a purchase before the snapshot: purchased_at, contacted_at, bad (its outcome).

    Args:
        events: grain line of the export (EXPORT_SCHEMA).
    """
    cut = datetime.combine(snapshot, datetime.min.time(), tzinfo=UTC)
    before = events.filter(pl.col("customer").is_not_null() & (pl.col("occurred_at") < cut))
    bought = (
        before.filter(pl.col("action") == "purchase")
        .group_by(user_id="customer")
        .agg(purchased_at=pl.col("occurred_at").max())
    )
    contacted = (
        before.filter(pl.col("action") == "support_contact")
        .with_columns(bad=pl.col("attributes").str.json_path_match("$.outcome") == "unresolved")
        .group_by(user_id="customer")
        .agg(contacted_at=pl.col("occurred_at").max(), bad=pl.col("bad").sort_by("occurred_at").last())
    )
    return bought.join(contacted, on="user_id", how="left")


def silence_of(known: pl.DataFrame, calendar: Calendar) -> Silence:
    """The silence of customers with `last_signs` and a nature: hazard, support_rate, regularity, mean_gap_days."""
    midnight = datetime.combine(calendar.first_day, datetime.min.time(), tzinfo=UTC)

    def days(column: str) -> Floats:
        elapsed = (known[column] - midnight).dt.total_seconds() / SECONDS_PER_DAY
        return elapsed.cast(pl.Float64).fill_null(-1.0).to_numpy()

    purchased, contacted = days("purchased_at"), days("contacted_at")
    bad = known["bad"].fill_null(False).to_numpy()
    return Silence(
        hazard=known["hazard"].to_numpy(),
        support_rate=known["support_rate"].to_numpy(),
        regularity=known["regularity"].to_numpy(),
        mean_gap=known["mean_gap_days"].to_numpy(),
        purchased=purchased,
        last_seen=np.maximum(purchased, contacted),
        leaving=np.where(bad & (contacted > purchased), LEAVING_SHARE, 0.0),
    )


def lost_and_silent(silence: Silence, calendar: Calendar, snapshot: int) -> tuple[Floats, Floats]:
    """What `true_churn_probability` divides, one per customer; arrays below are customers by days.

    Args:
        calendar: ends with the horizon.
        snapshot: day of the calendar.

    Returns:
        P(silent until the snapshot and no purchase in the horizon), P(silent until the snapshot), both given the
        parameters and all that happened up to the last sign of life.
    """
    edges = np.arange(calendar.days + 1, dtype=np.float64)[None, :]
    seen, cut = silence.last_seen[:, None], float(snapshot)
    low, high = np.maximum(edges[:, :-1], seen), np.maximum(edges[:, 1:], seen)
    bad_exits = silence.support_rate * BAD_OUTCOME_SHARE * LEAVING_SHARE
    seen_risk = calendar.risk(silence.last_seen)[:, None]

    def survival(time: Floats) -> Floats:
        """P(alive at time): contacts before the snapshot are known, those after it may still drive away."""
        from_hazard = silence.hazard[:, None] * (calendar.risk(time) - seen_risk)
        from_contacts = bad_exits[:, None] * np.maximum(time - cut, 0.0)
        return (1 - silence.leaving[:, None]) * np.exp(-from_hazard - from_contacts)

    def quiet(time: Floats) -> Floats:
        """P(no purchase until time, no contact until time or the snapshot | alive so long)."""
        gap = calendar.demand(time) - calendar.demand(silence.purchased)[:, None]
        scaled = gap * (silence.regularity / silence.mean_gap)[:, None]
        calm = np.exp(-silence.support_rate[:, None] * np.maximum(np.minimum(time, cut) - seen, 0.0))
        silent: Floats = gammaincc(silence.regularity[:, None], np.maximum(scaled, 0.0)) * calm
        return silent

    def alive_and_quiet(day: int) -> Floats:
        time = np.full_like(seen, day)
        both: Floats = survival(time)[:, 0] * quiet(time)[:, 0]
        return both

    dying = (survival(low) - survival(high)) * quiet((low + high) / 2)
    dead = silence.leaving * quiet(seen)[:, 0] + dying[:, :snapshot].sum(axis=1)
    lost = dead + dying[:, snapshot:].sum(axis=1) + alive_and_quiet(calendar.days)
    silent = dead + alive_and_quiet(snapshot)
    return np.minimum(lost, silent), silent
