import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.simulator import shop as shop_module
from churn_platform.simulator.export import EXPORT_SCHEMA
from churn_platform.simulator.shop import SimulatedChunk, simulate_chunks, write_shop
from churn_platform.simulator.shop_settings import ShopSettings

ACTIONS = {
    "view", "search", "add_to_cart", "remove_from_cart", "purchase", "return", "signup", "login", "support_contact",
    "review", "consent_change",
}  # fmt: skip
DEMO_CUSTOMERS = ShopSettings().customers


def small(customers: int = 200, seed: int = 7, dirty_share: float = 0.01) -> ShopSettings:
    return ShopSettings(customers, date(2025, 1, 1), date(2025, 2, 28), seed, dirty_share=dirty_share)


def content(frame: pl.DataFrame) -> str:
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def only_chunk(wanted: ShopSettings) -> SimulatedChunk:
    (chunk,) = simulate_chunks(wanted)
    return chunk


def before_signup(events: pl.DataFrame) -> pl.DataFrame:
    """Events of a customer earlier than the customer's signup."""
    signup = events.filter(pl.col("action") == "signup").select("customer", joined="occurred_at")
    return events.join(signup, on="customer").filter(pl.col("occurred_at") < pl.col("joined"))


def unfounded_returns(events: pl.DataFrame) -> pl.DataFrame:
    """Returns without an earlier purchase of the same customer, order, sku and price."""
    keys = ["customer", "order_ref", "sku", "price"]
    bought = events.filter(pl.col("action") == "purchase").group_by(keys).agg(bought_at=pl.col("occurred_at").min())
    returns = events.filter(pl.col("action") == "return").join(bought, on=keys, how="left")
    return returns.filter((pl.col("bought_at") >= pl.col("occurred_at")).fill_null(True))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_equal_seeds_give_equal_bytes_and_others_do_not(seed: int) -> None:
    one, again, other = (only_chunk(small(seed=s)) for s in (seed, seed, seed + 1))
    assert content(one.events) == content(again.events) and content(one.truth) == content(again.truth)
    assert content(one.events) != content(other.events) and content(one.truth) != content(other.truth)


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 1_100))
def test_a_smaller_shop_is_the_beginning_of_a_larger_one(customers: int) -> None:
    """No line knows how many customers there are, nor into how many chunks they fall."""
    larger = list(simulate_chunks(small(1_200, dirty_share=0.0)))
    part = list(simulate_chunks(small(customers, dirty_share=0.0)))
    truth = pl.concat(c.truth for c in part)
    assert truth.equals(pl.concat(c.truth for c in larger).head(customers))
    expected = pl.concat(c.events for c in larger).filter(pl.col("customer").is_in(truth["user_id"].implode()))
    assert pl.concat(c.events for c in part).equals(expected)


@settings(max_examples=5, deadline=None)
@given(st.floats(0, 0.5))
def test_dirt_only_adds_lines(share: float) -> None:
    clean = only_chunk(small(dirty_share=0.0)).events
    dirty = only_chunk(small(dirty_share=share)).events
    kept = dirty.filter(pl.col("customer").is_not_null()).unique("event_uuid", maintain_order=True)
    assert kept.equals(clean)


def test_the_default_shop_has_dirt_for_quarantine_and_deduplication() -> None:
    events = only_chunk(ShopSettings(customers=1_000)).events
    nobody, repeated = events["customer"].null_count(), events.height - events["event_uuid"].n_unique()
    assert nobody / events.height == pytest.approx(0.0005, abs=0.0003)
    assert repeated / events.height == pytest.approx(0.0005, abs=0.0003)
    copies = events.filter(pl.col("event_uuid").is_duplicated())
    assert copies.n_unique() == copies["event_uuid"].n_unique() == copies.height / 2


def test_the_export_has_the_shops_own_columns_and_all_actions(shop: SimulatedChunk) -> None:
    assert shop.events.schema == EXPORT_SCHEMA
    assert set(shop.events["action"]) == ACTIONS
    assert shop.events["event_uuid"].is_unique().all()


def test_the_demo_stays_below_a_million_events(shop: SimulatedChunk) -> None:
    per_customer = shop.events.height / shop.truth.height
    assert 60 <= per_customer <= 120
    assert per_customer * DEMO_CUSTOMERS < 1_000_000


def test_events_lie_inside_the_window(shop: SimulatedChunk) -> None:
    moments = shop.events["occurred_at"]
    assert (moments >= datetime(2024, 7, 1, tzinfo=UTC)).all() and (moments < datetime(2026, 1, 1, tzinfo=UTC)).all()
    assert moments.dt.date().n_unique() == ShopSettings().days


def test_no_event_precedes_the_signup_and_only_newcomers_sign_up(shop: SimulatedChunk) -> None:
    assert before_signup(shop.events).is_empty()
    signed = shop.events.filter(pl.col("action") == "signup")["customer"]
    joined = shop.truth.filter(pl.col("arrived_on") >= date(2024, 7, 1))["user_id"]
    assert signed.sort().to_list() == joined.sort().to_list()


def test_an_event_before_signup_would_be_found(shop: SimulatedChunk) -> None:
    late = pl.when(pl.col("action") == "signup").then(pl.col("occurred_at") + pl.duration(hours=1))
    tampered = shop.events.with_columns(occurred_at=late.otherwise(pl.col("occurred_at")))
    assert before_signup(tampered).height > 1_000


def test_returns_follow_their_purchase(shop: SimulatedChunk) -> None:
    assert unfounded_returns(shop.events).is_empty()
    assert (shop.events.filter(pl.col("action") == "return")["qty"] < 0).all()


def test_a_return_without_purchase_would_be_found(shop: SimulatedChunk) -> None:
    returns = shop.events.filter(pl.col("action") == "return").height
    moved = pl.when(pl.col("action") == "return").then(pl.lit("O0-0")).otherwise(pl.col("order_ref"))
    assert unfounded_returns(shop.events.with_columns(order_ref=moved)).height == returns > 1_000


def test_purchases_have_quantity_price_order_and_visit(shop: SimulatedChunk) -> None:
    lines = shop.events.filter(pl.col("action") == "purchase")
    assert (lines["qty"] > 0).all() and (lines["price"] > 0).all() and (lines["currency"] == "GBP").all()
    assert (
        lines.select("sku", "department", "order_ref", "session_ref", "channel").null_count().sum_horizontal()[0] == 0
    )
    of_order = lines.group_by("order_ref").agg(pl.col("customer", "occurred_at", "session_ref", "channel").n_unique())
    assert of_order.filter(pl.sum_horizontal(pl.exclude("order_ref")) != 4).is_empty()


def test_only_priced_lines_have_a_currency(shop: SimulatedChunk) -> None:
    assert shop.events.filter(pl.col("price").is_null() != pl.col("currency").is_null()).is_empty()
    assert set(shop.events.filter(pl.col("price").is_not_null())["action"]) == {"purchase", "return"}


def test_what_is_bought_was_put_in_the_cart_before(shop: SimulatedChunk) -> None:
    keys = ["session_ref", "sku"]
    put = shop.events.filter(pl.col("action") == "add_to_cart").group_by(keys).agg(put=pl.col("occurred_at").max())
    bought = shop.events.filter(pl.col("action") == "purchase").join(put, on=keys, how="left")
    assert (bought["put"] < bought["occurred_at"]).sum() == bought.height


def test_a_visit_belongs_to_one_customer_channel_and_day(shop: SimulatedChunk) -> None:
    visits = shop.events.drop_nulls("session_ref").group_by("session_ref")
    spread = visits.agg(pl.col("customer", "channel").n_unique(), pl.col("occurred_at").dt.date().n_unique())
    assert spread.filter(pl.sum_horizontal(pl.exclude("session_ref")) != 3).is_empty()


def test_nobody_orders_after_their_death(shop: SimulatedChunk) -> None:
    orders = shop.events.filter(pl.col("action") == "purchase").join(
        shop.truth.drop_nulls("died_at"), left_on="customer", right_on="user_id"
    )
    assert (orders["occurred_at"].dt.date() <= orders["died_at"].dt.date()).all()
    assert orders["customer"].n_unique() > 1_000


def test_truth_has_one_row_a_customer_and_null_deaths_for_the_living(shop: SimulatedChunk) -> None:
    assert shop.truth["user_id"].is_unique().all()
    assert shop.events["customer"].is_in(shop.truth["user_id"].implode()).all()
    assert 0.3 < shop.truth["died_at"].null_count() / shop.truth.height < 0.7
    assert (shop.truth["died_at"].dt.date() >= shop.truth["arrived_on"]).drop_nulls().all()
    assert shop.truth["hazard"].min() > 0 and shop.truth.drop("died_at").null_count().sum_horizontal()[0] == 0  # type: ignore[operator]


def test_files_hold_the_shop_sorted_by_time(tmp_path: Path) -> None:
    wanted = small(1_200)
    files = write_shop(wanted, tmp_path / "one")
    loaded = files.load()
    chunks = list(simulate_chunks(wanted))
    assert loaded.events["occurred_at"].is_sorted()
    assert loaded.events.equals(pl.concat(c.events for c in chunks).sort("occurred_at", "event_uuid"))
    assert loaded.truth.equals(pl.concat(c.truth for c in chunks))
    assert (files.event_rows, files.customers) == (loaded.events.height, 1_200)
    again = write_shop(wanted, tmp_path / "two")
    assert files.events.read_bytes() == again.events.read_bytes()
    assert files.truth.read_bytes() == again.truth.read_bytes()


def test_a_large_shop_is_streamed_chunk_by_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_module, "SORTED_UP_TO_CUSTOMERS", 1_000)
    streamed = write_shop(small(1_200), tmp_path).load()
    chunks = list(simulate_chunks(small(1_200)))
    assert len(chunks) == 2
    assert streamed.events.equals(pl.concat(c.events for c in chunks))
    assert streamed.truth.equals(pl.concat(c.truth for c in chunks))


def test_a_write_that_fails_leaves_the_earlier_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_shop(small(100), tmp_path).events.read_bytes()

    def broken(wanted: ShopSettings) -> Iterator[SimulatedChunk]:
        yield only_chunk(small(50))
        raise OSError("disk full")

    monkeypatch.setattr(shop_module, "simulate_chunks", broken)
    monkeypatch.setattr(shop_module, "SORTED_UP_TO_CUSTOMERS", 0)
    with pytest.raises(OSError, match="disk full"):
        write_shop(small(100), tmp_path)
    assert (tmp_path / "events.parquet").read_bytes() == before


def test_a_window_of_one_day_works() -> None:
    day = date(2025, 3, 1)
    chunk = only_chunk(ShopSettings(300, day, day))
    assert chunk.events.height > 0
    assert set(chunk.events["occurred_at"].dt.date()) == {day}
    assert chunk.events["occurred_at"].dt.time().max() < time(23, 59)  # type: ignore[operator]
