"""The shop's own export: raw column names, identifiers, and the dirt that real exports have."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pyarrow as pa

from churn_platform.simulator.catalogue import Catalogue
from churn_platform.simulator.customers import Customers
from churn_platform.simulator.seasons import Ints
from churn_platform.simulator.sessions import Sessions
from churn_platform.simulator.shop_settings import ShopSettings

EXPORT_SCHEMA = pl.Schema(
    {
        "event_uuid": pl.String(),
        "customer": pl.String(),
        "occurred_at": pl.Datetime("us", "UTC"),
        "action": pl.String(),
        "sku": pl.String(),
        "department": pl.String(),
        "qty": pl.Int64(),
        "price": pl.Float64(),
        "currency": pl.String(),
        "order_ref": pl.String(),
        "session_ref": pl.String(),
        "channel": pl.String(),
        "note": pl.String(),
        "attributes": pl.String(),
    }
)
OWNER = "owner"
DASHES = (8, 13, 18, 23)


def customer_names(index: Ints) -> pl.Series:
    """The shop's customer keys, such as C00000042, for customer numbers."""
    return pl.Series("user_id", ["C" + str(number).zfill(8) for number in index], dtype=pl.String)


def place_visits(visits: pl.DataFrame, sessions: Sessions) -> pl.DataFrame:
    """Give each step of a visit its owner, its session number and its channel."""
    row = visits["session"].to_numpy()
    return visits.drop("session").with_columns(
        owner=pl.Series(sessions.owner[row]),
        session=pl.Series(sessions.number[row]),
        channel=pl.Series(sessions.in_app[row]).replace_strict({True: "app", False: "web"}, return_dtype=pl.String),
    )


def name_columns(
    events: pl.DataFrame, customers: Customers, catalogue: Catalogue, settings: ShopSettings, rng: np.random.Generator
) -> pl.DataFrame:
    """Turn a block's events into EXPORT_SCHEMA and a last column `owner` (row in the block), in the order given.

    Args:
        events: owner, second, action, sku, qty, price, order, session, channel, note, attributes.
    """
    first = datetime.combine(settings.first_day, datetime.min.time(), tzinfo=UTC)
    names = customer_names(customers.index).gather(events[OWNER])
    products = catalogue.frame()
    described = events.with_columns(
        event_uuid=random_uuids(events.height, rng),
        customer=names,
        occurred_at=(pl.lit(first) + pl.duration(seconds="second")).cast(pl.Datetime("us", "UTC")),
        department=products["department"].gather(events["sku"]),
        sku=products["sku"].gather(events["sku"]),
        currency=pl.when(pl.col("price").is_not_null()).then(pl.lit(settings.currency)),
        order_ref=pl.format("O{}-{}", names.str.slice(1), pl.col("order")),
        session_ref=pl.format("S{}-{}", names.str.slice(1), pl.col("session")),
    )
    return described.select([*EXPORT_SCHEMA.names(), OWNER])


def random_uuids(count: int, rng: np.random.Generator) -> pl.Series:
    """Version 4 UUIDs in lower case with dashes, from the generator and not from the system."""
    raw = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    text = np.full((count, 36), ord("-"), dtype=np.uint8)
    places = [place for place in range(36) if place not in DASHES]
    text[:, places[0::2]] = digits[raw >> 4]
    text[:, places[1::2]] = digits[raw & 0x0F]
    offsets = np.arange(count + 1, dtype=np.int64) * 36
    array = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
    return pl.Series("event_uuid", pl.from_arrow(array), dtype=pl.String)


def add_dirt(events: pl.DataFrame, catalogue: Catalogue, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """Append dirty lines, about `share` per clean line; the clean lines stay as they are.

    Half are exact copies of a line, half are views of nobody (no customer, an event_uuid of their own) at the moment
    of a line. A dirty line keeps the `owner` of the line it comes from.
    """
    draw = rng.random(events.height)
    copies = events.filter(pl.Series(draw < share / 2))
    moments = events.filter(pl.Series((draw >= share / 2) & (draw < share)))
    seen = rng.integers(0, catalogue.price.size, moments.height)
    products = catalogue.frame()[seen]
    nobody = moments.select("occurred_at", OWNER).with_columns(
        event_uuid=random_uuids(moments.height, rng),
        action=pl.lit("view"),
        sku=products["sku"],
        department=products["department"],
        channel=pl.lit("web"),
    )
    return pl.concat([events, copies, nobody], how="diagonal")
