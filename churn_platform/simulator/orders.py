"""When customers order, and what is in the basket."""

from dataclasses import dataclass

import numpy as np

from churn_platform.simulator.catalogue import Catalogue
from churn_platform.simulator.customers import Customers
from churn_platform.simulator.seasons import Calendar, Floats, Ints

EXTRA_LINES, EXTRA_PIECES, MOST_EXTRA_LINES = 0.6, 0.35, 9
PROMOTED_SHARE, LOWEST_PROMOTION = 0.12, 0.75
BUYS_AT_ONCE_SHARE = 0.75


@dataclass(frozen=True)
class Orders:
    """Orders of one block: `owner` is the row in Customers, `time` in days, `number` counts per customer from 1."""

    owner: Ints
    time: Floats
    number: Ints


@dataclass(frozen=True)
class OrderLines:
    """Lines of Orders: `order` is the row in Orders, `sku` the index in the catalogue, `price` per piece."""

    order: Ints
    sku: Ints
    quantity: Ints
    price: Floats


def draw_orders(customers: Customers, calendar: Calendar, days: int, rng: np.random.Generator) -> Orders:
    """Renewal process with gamma gaps in demand time, from the start of each customer until death or the window's end.

    Customers who joined before the window are met in the middle of a gap: their first order comes after the residual
    of a length-biased gap (renewal theory: uniform share of a gamma of shape + 1). Most others order as they join.
    """
    size = customers.index.size
    scale = customers.mean_gap / customers.regularity
    residual = rng.random(size) * rng.gamma(customers.regularity + 1) * scale
    late = np.where(rng.random(size) < BUYS_AT_ONCE_SHARE, 0.0, rng.gamma(customers.regularity) * scale)
    demand = calendar.demand(customers.start) + np.where(customers.arrival < 0, residual, late)
    end = np.minimum(customers.death, days)
    active = np.arange(size)
    owners, times, numbers = [], [], []
    number = 0
    while active.size:
        number += 1
        time = np.maximum(calendar.from_demand(demand[active]), customers.start[active])
        seen = time < end[active]
        active = active[seen]
        owners.append(active)
        times.append(time[seen])
        numbers.append(np.full(active.size, number))
        demand[active] += rng.gamma(customers.regularity[active]) * scale[active]
    return Orders(np.concatenate(owners), np.concatenate(times), np.concatenate(numbers))


def draw_lines(customers: Customers, orders: Orders, catalogue: Catalogue, rng: np.random.Generator) -> OrderLines:
    """Fill each order with 1 + Poisson lines of 1 + Poisson pieces; some orders are promoted by up to 25 %."""
    value = customers.value_level[orders.owner]
    extra = np.minimum(rng.poisson(EXTRA_LINES * value), MOST_EXTRA_LINES)
    promoted = rng.random(value.size) < PROMOTED_SHARE
    factor = np.where(promoted, rng.uniform(LOWEST_PROMOTION, 1.0, value.size), 1.0)
    order = np.repeat(np.arange(value.size), 1 + extra)
    sku = catalogue.choose(customers.department[orders.owner[order]], rng)
    quantity = 1 + rng.poisson(EXTRA_PIECES * value[order])
    price = np.maximum(np.round(catalogue.price[sku] * factor[order], 2), 0.01)
    return OrderLines(order, sku, quantity, price)


def expected_order_value(customers: Customers, catalogue: Catalogue) -> Floats:
    """Mean amount of an order of each customer, in the shop's currency (the cap on lines and rounding neglected)."""
    promotion = 1 - PROMOTED_SHARE * (1 - LOWEST_PROMOTION) / 2
    lines = 1 + EXTRA_LINES * customers.value_level
    pieces = 1 + EXTRA_PIECES * customers.value_level
    return lines * pieces * promotion * catalogue.expected_price(customers.department)
