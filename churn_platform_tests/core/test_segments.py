"""Segments: groups that are really there, their names, a refit that moves few, and traits that a source lacks."""

import numpy as np
import polars as pl
import pytest

from churn_platform.core.segments import TRAITS, assign_segments, fit_segments

# Four kinds of customers: the centre of each trait.
KINDS = {
    "loyal": {"tenure_days": 900, "orders_365d": 25, "value_per_order": 60, "sessions_90d": 40, "recency_days": 4},
    "lost": {"tenure_days": 900, "orders_365d": 1, "value_per_order": 60, "sessions_90d": 1, "recency_days": 300},
    "new": {"tenure_days": 20, "orders_365d": 2, "value_per_order": 55, "sessions_90d": 12, "recency_days": 10},
    "whale": {"tenure_days": 600, "orders_365d": 6, "value_per_order": 900, "sessions_90d": 8, "recency_days": 30},
}


def shop(per_kind: int = 150, seed: int = 0) -> tuple[pl.DataFrame, list[str]]:
    """Customers with 15 % noise on every trait, and the kind of each."""
    rng = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS for _ in range(per_kind)]
    columns = {trait: [max(KINDS[kind][trait] * rng.lognormal(0, 0.15), 0) for kind in kinds] for trait in TRAITS}
    return pl.DataFrame(columns), kinds


def names(segments: pl.DataFrame) -> list[str]:
    return segments["segment"].unique(maintain_order=True).to_list()


def test_groups_that_are_there_are_found_one_segment_each() -> None:
    customers, kinds = shop()
    segments = fit_segments(customers)
    given = assign_segments(customers, segments)
    found = pl.DataFrame({"kind": kinds, "segment": given}).unique()
    assert found.height == len(KINDS)
    assert found["kind"].n_unique() == found["segment"].n_unique() == len(KINDS)


def test_names_and_descriptions_say_what_sets_a_segment_apart() -> None:
    customers, kinds = shop()
    segments = fit_segments(customers)
    given = assign_segments(customers, segments)
    by_kind = dict(zip(kinds, given, strict=True))
    assert by_kind["loyal"] == "frequent orders, visiting often"
    assert by_kind["lost"] == "hardly visiting, silent"
    assert "new" in by_kind["new"]
    assert "large baskets" in by_kind["whale"]
    described = segments.filter(segment=by_kind["loyal"])["description"][0]
    assert described.startswith("typically known for ")
    assert "orders in a year" in described


def test_typical_values_are_medians_and_standings_are_told() -> None:
    customers, kinds = shop()
    segments = fit_segments(customers)
    whale = dict(zip(kinds, assign_segments(customers, segments), strict=True))["whale"]
    row = segments.row(by_predicate=(pl.col("segment") == whale) & (pl.col("trait") == "value_per_order"), named=True)
    members = customers.filter(pl.Series([kind == "whale" for kind in kinds]))
    assert row["typical_value"] == pytest.approx(members["value_per_order"].median())
    assert row["standing"] == "high"


def test_the_same_customers_give_the_same_segments() -> None:
    customers, _ = shop()
    assert fit_segments(customers).equals(fit_segments(customers))


def test_a_refit_on_slightly_other_customers_keeps_names_and_moves_hardly_anybody() -> None:
    customers, _ = shop()
    later = customers.with_columns(pl.col("recency_days") + 1, pl.col("tenure_days") + 1)
    first = fit_segments(customers)
    again = fit_segments(later, first)
    assert names(again) == names(first)
    moved = (assign_segments(customers, first) != assign_segments(later, again)).mean()
    assert moved == pytest.approx(0.0, abs=0.01)


def test_a_trait_that_the_source_lacks_is_left_out() -> None:
    customers, _ = shop()
    without = customers.with_columns(sessions_90d=pl.lit(None, pl.Int64))
    segments = fit_segments(without)
    assert "sessions_90d" not in segments["trait"].to_list()
    assert len(assign_segments(without, segments)) == without.height


def test_an_earlier_fit_over_other_traits_is_no_start() -> None:
    customers, _ = shop()
    without = customers.with_columns(sessions_90d=pl.lit(None, pl.Int64))
    assert fit_segments(customers, fit_segments(without)).equals(fit_segments(customers))


def test_few_customers_are_one_segment() -> None:
    customers = shop(per_kind=5)[0]
    segments = fit_segments(customers)
    assert names(segments) == ["like most"]
    assert assign_segments(customers, segments).unique().to_list() == ["like most"]


def test_customers_who_are_all_alike_are_one_segment() -> None:
    customers = pl.DataFrame({trait: [5.0] * 400 for trait in TRAITS})
    assert names(fit_segments(customers)) == ["like most"]


def test_nobody_gives_no_segment() -> None:
    assert fit_segments(shop()[0].clear()).is_empty()


@pytest.mark.parametrize("seed", range(5))
def test_names_are_unique(seed: int) -> None:
    rng = np.random.default_rng(seed)
    customers = pl.DataFrame({trait: rng.lognormal(2, 1, size=800) for trait in TRAITS})
    segments = fit_segments(customers)
    assert segments.select("segment", "trait").is_unique().all()
    assert len(names(segments)) * len(TRAITS) == segments.height
