from datetime import date

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.errors import UsageError
from churn_platform.warehouse.partition import Partition

days = st.dates(date(1990, 1, 1), date(2100, 1, 1))


@given(first=days, last=days, day=days)
def test_a_day_is_outside_or_within_never_both(first: date, last: date, day: date) -> None:
    first, last = min(first, last), max(first, last)
    partition = Partition("known date", first, last)
    found = duckdb.execute(
        f'SELECT {partition.outside} FROM (SELECT $day::DATE AS "known date")', {"day": day}
    ).fetchall()
    assert found == [(not first <= day <= last,)]


@given(chosen=st.lists(days, max_size=4), day=days)
def test_a_partition_of_single_days_holds_exactly_these(chosen: list[date], day: date) -> None:
    partition = Partition.of_dates("known date", chosen)
    query = f'SELECT {partition.inside}, {partition.outside} FROM (SELECT unnest($days) AS "known date")'
    found = duckdb.execute(query, {"days": [day, *chosen]}).fetchall()
    assert found == [(day in chosen, day not in chosen)] + [(True, False)] * len(chosen)


def test_both_ends_are_within() -> None:
    day = date(2025, 1, 1)
    assert duckdb.execute(
        f"SELECT {Partition('d', day, day).outside} FROM (SELECT DATE '2025-01-01' AS d)"
    ).fetchall() == [(False,)]


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageError, match="ends on 2025-01-01, before it begins on 2025-01-02"):
        Partition("known_date", date(2025, 1, 2), date(2025, 1, 1))
