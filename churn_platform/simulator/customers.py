"""The hidden nature of customers: how often they buy, for how much, and when they leave for good."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_platform.simulator.catalogue import DEPARTMENTS
from churn_platform.simulator.random_streams import Stream, stream
from churn_platform.simulator.seasons import PREFERRED_HOURS, Calendar, Floats, Ints
from churn_platform.simulator.shop_settings import ShopSettings

BLOCK_SIZE = 1_000
MARGIN_DAYS = 60
HAZARD_SHAPE, MEAN_HAZARD = 1.2, 1 / 500
MEAN_TENURE_DAYS = 300.0
CONTACTS_PER_GAP, BAD_OUTCOME_SHARE, LEAVING_SHARE = 0.10, 0.35, 0.5


@dataclass(frozen=True)
class Customers:
    """Hidden parameters of one block, one entry per customer; times are days since the shop's first midnight.

    Attributes:
        index: number of the customer over the whole shop, from 0.
        arrival: when they joined; negative for those who joined before the window.
        hazard: daily hazard of leaving, before the season's factor.
        mean_gap, regularity: mean (in demand time, about days) and gamma shape of the gap between orders.
        value_level: multiplies the extra lines and the extra pieces of an order; median 1.
        browse_rate: browsing sessions a day while alive, beside those around orders.
        support_rate: support contacts a day while alive.
        department, rhythm: index of the preferred department, of the preferred hour.
        app_share: share of sessions in the app instead of the web shop.
        death: when they stopped being a customer for good; inf if not within the window and its margin.
    """

    index: Ints
    arrival: Floats
    hazard: Floats
    mean_gap: Floats
    regularity: Floats
    value_level: Floats
    browse_rate: Floats
    support_rate: Floats
    department: Ints
    rhythm: Ints
    app_share: Floats
    death: Floats

    @property
    def start(self) -> Floats:
        """When the customer can first be seen: the arrival, or the window's first midnight."""
        return np.maximum(self.arrival, 0.0)


@dataclass(frozen=True)
class Contacts:
    """Support contacts of one block, those in the margin after the window included.

    `owner` is the row in Customers, `time` in days, `bad` an unresolved outcome.
    """

    owner: Ints
    time: Floats
    bad: NDArray[np.bool_]


def shop_calendar(settings: ShopSettings) -> Calendar:
    """The window's calendar and a margin after it, in which deaths still cast their shadow on browsing."""
    return Calendar(settings.first_day, settings.days + MARGIN_DAYS)


def draw_customers(settings: ShopSettings, block: int, calendar: Calendar) -> tuple[Customers, Contacts]:
    """Draw one whole block of BLOCK_SIZE customers and their support contacts.

    The hazard is gamma distributed over joining customers. Those who joined before the window were drawn by length of
    tenure and survived it, which for a gamma hazard leaves a gamma of smaller scale. Leaving is the earlier of the
    hazard's event and the first contact with a bad outcome at which the customer walks out (LEAVING_SHARE of them).
    """
    rng = stream(settings.seed, block, Stream.CUSTOMERS)
    size = BLOCK_SIZE
    tenure = rng.exponential(MEAN_TENURE_DAYS, size)
    existing = rng.random(size) < settings.existing_share
    arrival = np.where(existing, -tenure, rng.random(size) * settings.days)
    scale = MEAN_HAZARD / HAZARD_SHAPE
    hazard = rng.gamma(HAZARD_SHAPE, np.where(existing, scale / (1 + scale * tenure), scale)) + 1e-5
    mean_gap = np.clip(rng.lognormal(np.log(45), 0.7, size), 7, 240)
    support_rate = CONTACTS_PER_GAP / mean_gap
    start = np.maximum(arrival, 0.0)
    natural = calendar.from_risk(calendar.risk(start) + rng.exponential(1.0, size) / hazard)
    natural[natural >= calendar.days] = np.inf
    contacts, death = _contacts_and_death(start, support_rate, natural, calendar.days, rng)
    customers = Customers(
        index=np.arange(size) + block * size,
        arrival=arrival,
        hazard=hazard,
        mean_gap=mean_gap,
        regularity=np.clip(rng.lognormal(np.log(1.1), 0.4, size), 0.5, 4),
        value_level=rng.lognormal(0.0, 0.6, size),
        browse_rate=rng.gamma(2.0, 0.018, size),
        support_rate=support_rate,
        department=rng.integers(0, len(DEPARTMENTS), size),
        rhythm=rng.choice(PREFERRED_HOURS.size, size, p=[0.2, 0.25, 0.2, 0.35]),
        app_share=rng.beta(0.8, 1.2, size),
        death=death,
    )
    return customers, contacts


def _contacts_and_death(
    start: Floats, rate: Floats, natural: Floats, end: int, rng: np.random.Generator
) -> tuple[Contacts, Floats]:
    """Poisson contacts in [start, end); cut at death, which a bad contact can be."""
    owner = np.repeat(np.arange(start.size), rng.poisson(rate * (end - start)))
    time = start[owner] + rng.random(owner.size) * (end - start[owner])
    bad = rng.random(owner.size) < BAD_OUTCOME_SHARE
    leaving = bad & (rng.random(owner.size) < LEAVING_SHARE)
    death = natural.copy()
    np.minimum.at(death, owner[leaving], time[leaving])
    lived = time <= death[owner]
    return Contacts(owner[lived], time[lived], bad[lived]), death
