"""Visits to the shop: when they happen, and what is clicked in them."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.simulator.catalogue import DEPARTMENTS, Catalogue
from churn_platform.simulator.customers import Customers
from churn_platform.simulator.orders import OrderLines, Orders
from churn_platform.simulator.seasons import Calendar, Floats, Ints, clock_seconds

VISITS_BEFORE_ORDER, DAYS_BEFORE_ORDER = 0.6, 2.0
FADING_DAYS, WARMTH_AT_DEATH, LINGERING_DAYS = 45.0, 0.4, 40.0
ABANDONED_SHARE, REMOVED_SHARE = 0.15, 0.5
SEARCHES_PER_VISIT = 0.45
LOGIN_SHARE_WITH_ORDER, LOGIN_SHARE_BROWSING = 0.5, 0.3
VIEWS_BESIDE_ORDER, VIEWS_BROWSING = 1.2, 1.4
NO_ORDER = -1
# Seconds after the visit's start at which each kind of step may fall; the last stays below an hour.
LOGIN_AT, SEARCH_AT, VIEW_AT, CART_AT, REMOVE_AT, ORDER_AT = (
    (1, 20), (20, 120), (60, 900), (900, 1500), (1500, 1800), (1800, 2700),
)  # fmt: skip


@dataclass(frozen=True)
class Sessions:
    """Visits of one block: `owner` is the row in Customers, `second` the start since the shop's first midnight.

    `order` is the row in Orders of the order placed in the visit, or -1; `number` counts per customer from 1 by start.
    """

    owner: Ints
    second: Ints
    order: Ints
    number: Ints
    in_app: NDArray[np.bool_]


def warmth(since_death: Floats) -> Floats:
    """Share of the usual browsing that is left, by days since the death as a buyer (negative: before it).

    It fades over the 45 days before and lingers, halving every 28 days, after: people look around without buying, so
    silence in the log does not give the death away.
    """
    before = np.interp(since_death, [-FADING_DAYS, 0.0], [1.0, WARMTH_AT_DEATH])
    return before * np.exp(-np.maximum(since_death, 0.0) / LINGERING_DAYS)


def draw_sessions(
    customers: Customers, orders: Orders, calendar: Calendar, days: int, rng: np.random.Generator
) -> Sessions:
    """Draw one visit per order, visits in the days before orders, and browsing without purpose."""
    start = customers.start
    span = calendar.demand(np.array([float(days)])) - calendar.demand(start)
    browsing = np.repeat(np.arange(start.size), rng.poisson(customers.browse_rate * span))
    demand = calendar.demand(start)[browsing] + rng.random(browsing.size) * span[browsing]
    browsed_at = calendar.from_demand(demand)
    warm = rng.random(browsing.size) < warmth(browsed_at - customers.death[browsing])
    earlier = np.repeat(np.arange(orders.owner.size), rng.poisson(VISITS_BEFORE_ORDER, orders.owner.size))
    prepared_at = orders.time[earlier] - rng.exponential(DAYS_BEFORE_ORDER, earlier.size)
    owner = np.concatenate([orders.owner, orders.owner[earlier], browsing[warm]])
    time = np.concatenate([orders.time, prepared_at, browsed_at[warm]])
    order = np.concatenate([np.arange(orders.owner.size), np.full(owner.size - orders.owner.size, NO_ORDER)])
    seen = (time >= start[owner]) & (time < days)
    owner, time, order = owner[seen], time[seen], order[seen]
    second = clock_seconds(time, customers.rhythm[owner])
    ranked = np.lexsort((order, second, owner))
    owner, second, order = owner[ranked], second[ranked], order[ranked]
    first_row = np.searchsorted(owner, owner)
    in_app = rng.random(owner.size) < customers.app_share[owner]
    return Sessions(owner, second, order, np.arange(owner.size) - first_row + 1, in_app)


def session_events(
    customers: Customers,
    sessions: Sessions,
    orders: Orders,
    lines: OrderLines,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """One row per step of every visit, purchases included (one row per order line, all at the order's second).

    Columns: session (row in `sessions`), second, action; where they apply sku (index in the catalogue), qty, price,
    order (number per customer), note.
    """
    taste = customers.department[sessions.owner]
    return pl.concat(
        [
            *_looking(sessions, taste, catalogue, rng),
            *_ordering(sessions, orders, lines, rng),
            *_abandoning(sessions, taste, catalogue, rng),
        ],
        how="diagonal",
    )


def _looking(sessions: Sessions, taste: Ints, catalogue: Catalogue, rng: np.random.Generator) -> list[pl.DataFrame]:
    """Logins, searches and views of any visit; a visit without an order has at least one view."""
    rows, ordering = np.arange(taste.size), sessions.order != NO_ORDER
    logins = rows[rng.random(rows.size) < np.where(ordering, LOGIN_SHARE_WITH_ORDER, LOGIN_SHARE_BROWSING)]
    searches = np.repeat(rows, rng.poisson(SEARCHES_PER_VISIT, rows.size))
    searched = catalogue.department[catalogue.choose(taste[searches], rng)]
    words = pl.Series([name.lower() for name in DEPARTMENTS]).gather(searched)
    extra = rng.poisson(np.where(ordering, VIEWS_BESIDE_ORDER, VIEWS_BROWSING)) + np.where(ordering, 0, 1)
    views = np.repeat(rows, extra)
    return [
        _steps("login", sessions, logins, LOGIN_AT, rng),
        _steps("search", sessions, searches, SEARCH_AT, rng).with_columns(note=words),
        _steps("view", sessions, views, VIEW_AT, rng, catalogue.choose(taste[views], rng)),
    ]


def _ordering(sessions: Sessions, orders: Orders, lines: OrderLines, rng: np.random.Generator) -> list[pl.DataFrame]:
    """A view, an add_to_cart and the purchase of every order line."""
    ordering = sessions.order != NO_ORDER
    visit = np.empty(orders.owner.size, dtype=np.int64)
    visit[sessions.order[ordering]] = np.flatnonzero(ordering)
    rows = visit[lines.order]
    quantity = pl.Series(lines.quantity)
    placed = sessions.second[visit] + rng.integers(*ORDER_AT, visit.size)
    purchases = pl.DataFrame(
        {
            "session": rows,
            "second": placed[lines.order],
            "sku": lines.sku,
            "qty": quantity,
            "price": lines.price,
            "order": orders.number[lines.order],
        }
    )
    return [
        _steps("view", sessions, rows, VIEW_AT, rng, lines.sku),
        _steps("add_to_cart", sessions, rows, CART_AT, rng, lines.sku).with_columns(qty=quantity),
        purchases.with_columns(action=pl.lit("purchase")),
    ]


def _abandoning(sessions: Sessions, taste: Ints, catalogue: Catalogue, rng: np.random.Generator) -> list[pl.DataFrame]:
    """Carts filled in visits without an order, half of them emptied again."""
    rows = np.flatnonzero((sessions.order == NO_ORDER) & (rng.random(taste.size) < ABANDONED_SHARE))
    sku = catalogue.choose(taste[rows], rng)
    emptied = rng.random(rows.size) < REMOVED_SHARE
    one = pl.lit(1, pl.Int64)
    return [
        _steps("view", sessions, rows, VIEW_AT, rng, sku),
        _steps("add_to_cart", sessions, rows, CART_AT, rng, sku).with_columns(qty=one),
        _steps("remove_from_cart", sessions, rows[emptied], REMOVE_AT, rng, sku[emptied]).with_columns(qty=one),
    ]


def _steps(
    action: str,
    sessions: Sessions,
    rows: Ints,
    between: tuple[int, int],
    rng: np.random.Generator,
    sku: Ints | None = None,
) -> pl.DataFrame:
    columns = {"session": rows, "second": sessions.second[rows] + rng.integers(*between, rows.size)}
    if sku is not None:
        columns["sku"] = sku
    return pl.DataFrame(columns).with_columns(action=pl.lit(action))
