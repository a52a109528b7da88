"""Segments of a home: kept while they are young, found again from there when old, and given to every buyer."""

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest

from churn_platform.core.segments import TRAITS
from churn_platform.orchestration import segmentation
from churn_platform.orchestration.segmentation import KEPT_DAYS, find_segments, give_segments
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home
from churn_platform_tests.orchestration.landed_files import landed_history

BUYERS = 300


@pytest.fixture
def connection(home: Home, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with the traits of BUYERS customers, and one who never bought, at the newest snapshot."""
    landed_history(home, "h", [date(2023, 7, 5), date(2024, 6, 30)])
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({name: rng.lognormal(3, 1, size=BUYERS + 1) for name in TRAITS}).with_columns(
        snapshot_date=pl.lit(shop.plan.newest),
        user_id=pl.format("u{}", pl.int_range(BUYERS + 1)),
        orders_total=(pl.int_range(BUYERS + 1) > 0).cast(pl.Int64),
    )
    monkeypatch.setattr(segmentation, "all_features", lambda: "features")
    with duckdb.connect() as opened:
        opened.register("frame", frame)
        opened.execute("CREATE TABLE features AS FROM frame")
        yield opened


def publish(connection: duckdb.DuckDBPyConnection, segments: pl.DataFrame) -> None:
    connection.register("found", segments)
    connection.execute("CREATE OR REPLACE TABLE segment_traits AS FROM found")
    connection.unregister("found")


def test_the_first_segments_are_those_of_the_newest_snapshot(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    segments = find_segments(shop, connection)
    assert segments["segment"].n_unique() > 1
    assert segments["fitted_on"].unique().to_list() == [shop.plan.newest]


@pytest.mark.parametrize(("age", "kept"), [(1, True), (KEPT_DAYS, True), (KEPT_DAYS + 1, False)])
def test_segments_are_kept_while_they_are_young(
    shop: Shop, connection: duckdb.DuckDBPyConnection, age: int, kept: bool
) -> None:
    found_then = shop.plan.newest - timedelta(days=age)
    before = find_segments(shop, connection).with_columns(fitted_on=pl.lit(found_then))
    publish(connection, before)
    connection.execute("UPDATE features SET recency_days = recency_days * 3 WHERE user_id < 'u2'")
    assert (find_segments(shop, connection)["fitted_on"][0] == found_then) is kept


def test_segments_over_traits_that_are_no_more_are_found_anew(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    publish(connection, find_segments(shop, connection).with_columns(trait=pl.lit("shoe_size")))
    assert set(find_segments(shop, connection)["trait"]) == set(TRAITS)


def test_every_buyer_has_a_segment_and_nobody_else(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    segments = find_segments(shop, connection)
    publish(connection, segments)
    given = give_segments(shop, connection)
    assert given.height == BUYERS
    assert "u0" not in given["user_id"].to_list()
    assert set(given["segment"]) <= set(segments["segment"])
    assert given.null_count().sum_horizontal().item() == 0


def test_before_the_first_purchase_there_are_no_segments(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("UPDATE features SET orders_total = 0")
    segments = find_segments(shop, connection)
    assert segments.is_empty()
    publish(connection, segments)
    assert give_segments(shop, connection).is_empty()
