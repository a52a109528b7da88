import re
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.simulator.catalogue import draw_catalogue
from churn_platform.simulator.export import EXPORT_SCHEMA, OWNER, add_dirt, customer_names, random_uuids
from churn_platform.simulator.random_streams import Stream, stream

CATALOGUE = draw_catalogue(7)
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def clean_events(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_uuid": random_uuids(count, stream(1, 0, Stream.IDENTIFIERS)),
            "customer": customer_names(np.arange(count)),
            OWNER: np.arange(count),
        }
    ).with_columns(
        occurred_at=pl.lit(datetime(2025, 1, 1, tzinfo=UTC)).cast(EXPORT_SCHEMA["occurred_at"]),
        action=pl.lit("purchase"),
        sku=pl.lit("SKU-0001"),
        department=pl.lit("Kitchen"),
        channel=pl.lit("app"),
    )


@given(st.integers(0, 200), st.integers(0, 9))
def test_uuids_are_distinct_of_version_4_and_decided_by_the_generator(count: int, seed: int) -> None:
    uuids = random_uuids(count, np.random.default_rng(seed))
    assert uuids.n_unique() == len(uuids) == count
    assert all(UUID4.fullmatch(text) for text in uuids)
    assert uuids.equals(random_uuids(count, np.random.default_rng(seed)))


def test_customer_names_are_readable_keys() -> None:
    assert customer_names(np.array([0, 42])).to_list() == ["C00000000", "C00000042"]


@settings(max_examples=20)
@given(st.floats(0, 1), st.integers(0, 9))
def test_dirt_is_appended_and_leaves_the_clean_lines_alone(share: float, seed: int) -> None:
    clean = clean_events(300)
    dirty = add_dirt(clean, CATALOGUE, share, stream(seed, 0, Stream.DIRT))
    assert dirty.head(300).equals(clean)
    extra = dirty.slice(300)
    nobody, copies = extra.filter(pl.col("customer").is_null()), extra.filter(pl.col("customer").is_not_null())
    assert copies.join(clean, on=clean.columns, how="anti").is_empty()
    assert not nobody["event_uuid"].is_in(clean["event_uuid"].implode()).any()
    assert nobody["event_uuid"].is_unique().all()
    assert (nobody["action"] == "view").all() and nobody["sku"].null_count() == 0


def test_the_share_of_dirt_is_the_declared_one_half_of_each_kind() -> None:
    clean = clean_events(20_000)
    extra = add_dirt(clean, CATALOGUE, 0.1, np.random.default_rng(2)).slice(20_000)
    assert extra.height == pytest.approx(2_000, rel=0.1)
    assert extra["customer"].null_count() == pytest.approx(1_000, rel=0.15)
    assert add_dirt(clean, CATALOGUE, 0.0, np.random.default_rng(2)).height == 20_000
