"""How full the mapped fields are, from the counts by week and event type."""

from collections.abc import Collection

import polars as pl

from churn_platform.core.data_readiness import Gap

# The optional fields of an event that event_weeks counts, each in the column with_<field>.
COUNTED_FIELDS = (
    "item_id", "category", "quantity", "unit_price", "amount", "currency", "order_id", "session_id", "channel", "text",
    "properties",
)  # fmt: skip


def gaps(weeks: pl.DataFrame, mapped: Collection[str]) -> list[Gap]:
    """The gaps of those mapped fields that are counted; activities and other events apart.

    A field concerns only the types of which some event has it: a search has no price. One that no event has is missing
    in every activity.

    Args:
        weeks: rows of event_weeks: event_type, events, activities, and with_<field> for each of COUNTED_FIELDS.
        mapped: canonical fields that the mapping fills.
    """
    types = weeks.group_by("event_type").agg(pl.col("events", "activities", *map(_column, COUNTED_FIELDS)).sum())
    found: list[Gap] = []
    for field in [name for name in COUNTED_FIELDS if name in mapped]:
        carried = types.filter(pl.col(_column(field)) > 0)
        activities, others = carried.filter(pl.col("activities") > 0), carried.filter(pl.col("activities") == 0)
        if carried.is_empty():
            activities = types.filter(pl.col("activities") > 0)
        if not activities.is_empty():
            found.append(Gap(field, "activities", *_missing(activities, field)))
        if not others.is_empty():
            found.append(Gap(field, "other events", *_missing(others, field)))
    return found


def _missing(types: pl.DataFrame, field: str) -> tuple[int, int]:
    events = int(types["events"].sum())
    return events - int(types[_column(field)].sum()), events


def _column(field: str) -> str:
    return f"with_{field}"
