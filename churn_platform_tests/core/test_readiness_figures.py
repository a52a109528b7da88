"""How full the mapped fields are, counted over the events that can carry them."""

from typing import Any

import polars as pl

from churn_platform.core.data_readiness import Gap
from churn_platform.core.readiness_figures import COUNTED_FIELDS, gaps


def weeks(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of event_weeks; a count that is not named is 0."""
    zeros = {"activities": 0, **{f"with_{field}": 0 for field in COUNTED_FIELDS}}
    return pl.DataFrame([zeros | row for row in rows])


SHOP = weeks(
    {"event_type": "purchase", "events": 60, "activities": 60, "with_unit_price": 50, "with_category": 60},
    {"event_type": "purchase", "events": 40, "activities": 40, "with_unit_price": 40, "with_category": 40},
    {"event_type": "view", "events": 1000, "with_category": 700},
    {"event_type": "search", "events": 500, "with_text": 500},
)


def test_a_field_concerns_only_the_types_that_carry_it() -> None:
    assert gaps(SHOP, {"unit_price"}) == [Gap("unit_price", "activities", 10, 100)]
    assert gaps(SHOP, {"text"}) == [Gap("text", "other events", 0, 500)]


def test_activities_and_other_events_are_counted_apart() -> None:
    assert gaps(SHOP, {"category"}) == [
        Gap("category", "activities", 0, 100),
        Gap("category", "other events", 300, 1000),
    ]


def test_a_field_that_no_event_has_is_missing_in_every_activity() -> None:
    assert gaps(SHOP, {"order_id"}) == [Gap("order_id", "activities", 100, 100)]


def test_only_mapped_fields_count_and_those_without_a_column_are_left_out() -> None:
    assert gaps(SHOP, set()) == []
    assert gaps(SHOP, {"user_id", "event_time", "event_id"}) == []


def test_several_types_of_activity_are_counted_together() -> None:
    both = weeks(
        {"event_type": "purchase", "events": 10, "activities": 10, "with_amount": 10},
        {"event_type": "booking", "events": 10, "activities": 10, "with_amount": 4},
        {"event_type": "login", "events": 80, "activities": 80},
    )
    assert gaps(both, {"amount"}) == [Gap("amount", "activities", 6, 20)]
