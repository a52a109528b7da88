"""The simulated shop: events as a shop would export them, and the truth behind them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from churn_platform.simulator.aftermath import line_events, membership_events, support_events
from churn_platform.simulator.catalogue import DEPARTMENTS, Catalogue, draw_catalogue
from churn_platform.simulator.customers import BLOCK_SIZE, Customers, draw_customers, shop_calendar
from churn_platform.simulator.export import OWNER, add_dirt, customer_names, name_columns, place_visits
from churn_platform.simulator.orders import draw_lines, draw_orders, expected_order_value
from churn_platform.simulator.random_streams import Stream, stream
from churn_platform.simulator.seasons import PREFERRED_HOURS, Calendar, clock_seconds
from churn_platform.simulator.sessions import draw_sessions, session_events
from churn_platform.simulator.shop_settings import ShopSettings

SORTED_UP_TO_CUSTOMERS = 20_000
SORT_KEY = ["occurred_at", "event_uuid"]


@dataclass(frozen=True)
class SimulatedChunk:
    """Some customers of the shop, with all of their events.

    Attributes:
        events: grain line of the export (EXPORT_SCHEMA), sorted by occurred_at, event_uuid; times in UTC.
        truth: grain user_id; what no observer knows. arrived_on; hazard (per day); mean_gap_days (demand time, about
            days) and regularity (gamma shape) of the gap between orders; value_level; expected_order_value;
            browse_rate and support_rate (per day while alive); preferred_department, preferred_hour; died_at (UTC,
            null if alive at the window's end): after it no order is placed.
    """

    events: pl.DataFrame
    truth: pl.DataFrame


@dataclass(frozen=True)
class ShopFiles:
    """What `write_shop` wrote; `truth` is for tests and benchmarks only."""

    events: Path
    truth: Path
    event_rows: int
    customers: int

    def load(self) -> SimulatedChunk:
        """Read both files back as one chunk."""
        return SimulatedChunk(pl.read_parquet(self.events), pl.read_parquet(self.truth))


def simulate_chunks(settings: ShopSettings) -> Iterator[SimulatedChunk]:
    """Yield the shop in chunks of at most BLOCK_SIZE customers, about 100,000 events each; memory stays bounded.

    A customer's events depend on the settings' window, shares and seed and on the customer's number only: the first
    n customers of a larger shop are the shop of n customers.
    """
    catalogue, calendar = draw_catalogue(settings.seed), shop_calendar(settings)
    for block in range(-(-settings.customers // BLOCK_SIZE)):
        yield _simulate_block(settings, block, catalogue, calendar)


def write_shop(settings: ShopSettings, folder: Path) -> ShopFiles:
    """Write `events.parquet` and `truth/truth.parquet` (zstd) below `folder`, replacing older ones.

    Up to 20,000 customers the events are sorted by occurred_at over the whole file, beyond within each chunk only.
    Each file is written beside its place and renamed, so a reader never sees half of one.
    """
    events_file, truth_file = folder / "events.parquet", folder / "truth" / "truth.parquet"
    truth_file.parent.mkdir(parents=True, exist_ok=True)
    truths: list[pl.DataFrame] = []

    def events() -> Iterator[pl.DataFrame]:
        for chunk in simulate_chunks(settings):
            truths.append(chunk.truth)
            yield chunk.events

    if settings.customers <= SORTED_UP_TO_CUSTOMERS:
        rows = _write(events_file, [pl.concat(events()).sort(SORT_KEY)])
    else:
        rows = _write(events_file, events())
    return ShopFiles(events_file, truth_file, rows, _write(truth_file, truths))


def _write(file: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write one or more frames of one schema as one Parquet file; return the number of rows."""
    unfinished = file.with_name(file.name + ".part")
    writer: pq.ParquetWriter | None = None
    rows = 0
    try:
        for frame in frames:
            table = frame.to_arrow()
            writer = writer or pq.ParquetWriter(unfinished, table.schema, compression="zstd")
            writer.write_table(table)
            rows += frame.height
    finally:
        if writer:
            writer.close()
    unfinished.replace(file)
    return rows


def _simulate_block(settings: ShopSettings, block: int, catalogue: Catalogue, calendar: Calendar) -> SimulatedChunk:
    """Simulate a whole block, then cut it to the customers wanted, so that their number moves nobody's draws."""
    seed, days = settings.seed, settings.days
    customers, contacts = draw_customers(settings, block, calendar)
    rng = stream(seed, block, Stream.ORDERS)
    orders = draw_orders(customers, calendar, days, rng)
    lines = draw_lines(customers, orders, catalogue, rng)
    rng = stream(seed, block, Stream.SESSIONS)
    sessions = draw_sessions(customers, orders, calendar, days, rng)
    visits = place_visits(session_events(customers, sessions, orders, lines, catalogue, rng), sessions)
    rng = stream(seed, block, Stream.AFTERMATH)
    parts = [
        visits,
        membership_events(customers, days, rng),
        support_events(customers, contacts, days, rng),
        line_events(customers, orders, lines, catalogue.department[lines.sku], days, rng),
    ]
    identifiers = stream(seed, block, Stream.IDENTIFIERS)
    clean = name_columns(pl.concat(parts, how="diagonal"), customers, catalogue, settings, identifiers)
    events = add_dirt(clean, catalogue, settings.dirty_share, stream(seed, block, Stream.DIRT))
    wanted = min(BLOCK_SIZE, settings.customers - block * BLOCK_SIZE)
    kept = events.filter(pl.col(OWNER) < wanted).drop(OWNER).sort(SORT_KEY)
    return SimulatedChunk(kept, _truth(settings, customers, catalogue).head(wanted))


def _truth(settings: ShopSettings, customers: Customers, catalogue: Catalogue) -> pl.DataFrame:
    alive = customers.death >= settings.days
    died = clock_seconds(np.where(alive, 0.0, customers.death), customers.rhythm)
    first = datetime.combine(settings.first_day, datetime.min.time(), tzinfo=UTC)
    departments = list(DEPARTMENTS)
    return pl.DataFrame(
        {
            "user_id": customer_names(customers.index),
            "arrived_day": np.floor(customers.arrival).astype(np.int64),
            "hazard": customers.hazard,
            "mean_gap_days": customers.mean_gap,
            "regularity": customers.regularity,
            "value_level": customers.value_level,
            "expected_order_value": expected_order_value(customers, catalogue),
            "browse_rate": customers.browse_rate,
            "support_rate": customers.support_rate,
            "preferred_department": [departments[index] for index in customers.department],
            "preferred_hour": PREFERRED_HOURS[customers.rhythm],
            "died_second": died,
            "alive": alive,
        }
    ).select(
        "user_id",
        (pl.lit(settings.first_day) + pl.duration(days="arrived_day")).cast(pl.Date).alias("arrived_on"),
        pl.col("^hazard|mean_gap_days|regularity|value_level|expected_order_value|browse_rate|support_rate$"),
        "preferred_department",
        "preferred_hour",
        pl.when(~pl.col("alive"))
        .then((pl.lit(first) + pl.duration(seconds="died_second")).cast(pl.Datetime("us", "UTC")))
        .alias("died_at"),
    )
