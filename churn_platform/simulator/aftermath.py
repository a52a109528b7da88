"""What happens outside visits: joining, consent, support contacts, returns and reviews."""

import json

import numpy as np
import polars as pl

from churn_platform.simulator.catalogue import DEPARTMENTS
from churn_platform.simulator.customers import Contacts, Customers
from churn_platform.simulator.orders import OrderLines, Orders
from churn_platform.simulator.seasons import Floats, Ints, clock_seconds

RETURN_DAYS, REVIEW_DAYS = (3.0, 25.0), (4.0, 20.0)
REVIEWED_SHARE = 0.05
CONSENT_SHARE = 0.8
WITHDRAWAL_RATE, WITHDRAWAL_SHARE_AT_DEATH, WITHDRAWAL_SPREAD_DAYS = 0.0002, 0.12, 10.0
TOPICS = ("delivery", "damaged item", "refund", "wrong item", "account")
SUPPORT_CHANNELS = ("phone", "chat", "email")
CONTACT_NOTES = {
    True: ("Still waiting, nobody could help me.", "This was not solved and I am disappointed.",
           "Third time I ask, no solution."),
    False: ("Quick help, thank you.", "Solved on the first call.", "Friendly answer, all good now."),
}  # fmt: skip
REVIEW_NOTES = (
    "Broke after two days.", "Not as pictured.", "Fine for the price.", "Nice quality.", "Love it, will buy again.",
)  # fmt: skip
RETURN_REASONS = ("too large", "damaged", "changed my mind", "late")


def returned_share(department: Ints) -> Floats:
    """Probability that a line of a department is sent back: 3 % to 9 %."""
    return 0.03 + 0.06 * department / (len(DEPARTMENTS) - 1)


def membership_events(customers: Customers, days: int, rng: np.random.Generator) -> pl.DataFrame:
    """Signups of those who join in the window, consent given at the signup, consent withdrawn later.

    Withdrawals are a slow Poisson process while alive, and cluster about the death. Columns: owner, second, action,
    channel, attributes.
    """
    size = customers.index.size
    joined = np.flatnonzero(customers.arrival >= 0)
    joined_at = clock_seconds(customers.arrival[joined], customers.rhythm[joined])
    channel = np.where(rng.random(joined.size) < customers.app_share[joined], "app", "web")
    consents = rng.random(joined.size) < CONSENT_SHARE
    at_random = customers.start + rng.exponential(1 / WITHDRAWAL_RATE, size)
    at_random = np.where(at_random < customers.death, at_random, np.inf)
    leaves_loudly = rng.random(size) < WITHDRAWAL_SHARE_AT_DEATH
    at_death = np.where(leaves_loudly, customers.death + rng.normal(0, WITHDRAWAL_SPREAD_DAYS, size), np.inf)
    withdrawn_at = np.minimum(at_random, at_death)
    withdrawn = np.flatnonzero((withdrawn_at > customers.start + 1) & (withdrawn_at < days))
    withdrawn_second = clock_seconds(withdrawn_at[withdrawn], customers.rhythm[withdrawn])
    return pl.concat(
        [
            _events(joined, joined_at, "signup").with_columns(channel=pl.Series(channel)),
            _events(joined, joined_at + 1, "consent_change").with_columns(
                channel=pl.Series(channel),
                attributes=pl.Series([json.dumps({"marketing": bool(given)}) for given in consents], dtype=pl.String),
            ),
            _events(withdrawn, withdrawn_second, "consent_change").with_columns(
                channel=pl.lit("email"), attributes=pl.lit(json.dumps({"marketing": False}))
            ),
        ],
        how="diagonal",
    )


def support_events(customers: Customers, contacts: Contacts, days: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per support contact inside the window, its outcome in `attributes`, its words in `note`."""
    inside = contacts.time < days
    owner, time, is_bad = contacts.owner[inside], contacts.time[inside], contacts.bad[inside]
    size = owner.size
    topic = rng.integers(0, len(TOPICS), size)
    word = rng.integers(0, len(CONTACT_NOTES[True]), size)
    channel = rng.integers(0, len(SUPPORT_CHANNELS), size)
    outcome = ["unresolved" if bad else "resolved" for bad in is_bad]
    described = [
        json.dumps({"topic": TOPICS[which], "outcome": how}) for which, how in zip(topic, outcome, strict=True)
    ]
    notes = [CONTACT_NOTES[bool(bad)][which] for bad, which in zip(is_bad, word, strict=True)]
    second = clock_seconds(time, customers.rhythm[owner])
    return _events(owner, second, "support_contact").with_columns(
        channel=pl.Series([SUPPORT_CHANNELS[which] for which in channel], dtype=pl.String),
        note=pl.Series(notes, dtype=pl.String),
        attributes=pl.Series(described, dtype=pl.String),
    )


def line_events(
    customers: Customers, orders: Orders, lines: OrderLines, department: Ints, days: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Returns (negative qty, the price and order of the purchase) and reviews of order lines, inside the window.

    Args:
        department: department index per line.
    """
    bought_at, owner = orders.time[lines.order], orders.owner[lines.order]
    size = bought_at.size
    return_at = bought_at + rng.uniform(*RETURN_DAYS, size)
    back = np.flatnonzero((rng.random(size) < returned_share(department)) & (return_at < days))
    pieces = np.minimum(lines.quantity[back], 1 + rng.poisson(2.0, back.size))
    reason = rng.integers(0, len(RETURN_REASONS), back.size)
    review_at = bought_at + rng.uniform(*REVIEW_DAYS, size)
    alive = review_at < np.minimum(customers.death[owner], days)
    told = np.flatnonzero((rng.random(size) < REVIEWED_SHARE) & alive)
    rating = np.clip(np.round(rng.normal(4.0, 1.1, told.size)), 1, 5).astype(np.int64)
    returns = _events(owner[back], clock_seconds(return_at[back], customers.rhythm[owner[back]]), "return")
    reviews = _events(owner[told], clock_seconds(review_at[told], customers.rhythm[owner[told]]), "review")
    return pl.concat(
        [
            returns.with_columns(
                sku=pl.Series(lines.sku[back]),
                qty=pl.Series(-pieces),
                price=pl.Series(lines.price[back]),
                order=pl.Series(orders.number[lines.order[back]]),
                channel=pl.lit("web"),
                attributes=pl.Series([json.dumps({"reason": RETURN_REASONS[r]}) for r in reason], dtype=pl.String),
            ),
            reviews.with_columns(
                sku=pl.Series(lines.sku[told]),
                channel=pl.lit("web"),
                note=pl.Series([REVIEW_NOTES[stars - 1] for stars in rating], dtype=pl.String),
                attributes=pl.Series([json.dumps({"rating": int(stars)}) for stars in rating], dtype=pl.String),
            ),
        ],
        how="diagonal",
    )


def _events(owner: Ints, second: Ints, action: str) -> pl.DataFrame:
    return pl.DataFrame({"owner": owner, "second": second}).with_columns(action=pl.lit(action))
