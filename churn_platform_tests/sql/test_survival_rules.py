"""The contract of survival_forecast refuses what no curve can be."""

from datetime import date

import duckdb
import pytest

from churn_platform.sql.library import default_library

DAY = date(2024, 1, 1)
GOOD = {
    "snapshot_date": DAY, "active_0d": 0.9, "active_30d": 0.8, "active_60d": 0.6, "active_90d": 0.5, "active_180d": 0.2,
    "median_churn_date": date(2024, 3, 31), "reason": None,
}  # fmt: skip
UNKNOWN = {"active_60d": None, "active_90d": None, "active_180d": None, "median_churn_date": None, "reason": "why"}


def broken_rules(row: dict[str, object]) -> set[str]:
    contract = default_library().contract("survival_forecast")
    types = {column.name: column.type for column in contract.columns}
    columns = ", ".join(f"CAST(${name} AS {types[name]}) AS {name}" for name in row)
    with duckdb.connect() as connection:
        return {
            rule.name
            for rule in contract.rules
            if connection.execute(f"SELECT 1 FROM (SELECT {columns}) WHERE {rule.bad}", row).fetchall()
        }


@pytest.mark.parametrize(
    "row",
    [
        {},
        UNKNOWN,
        {"active_0d": 0.4, "active_30d": 0.4, "active_60d": 0.3, "median_churn_date": DAY} | {"active_90d": 0.3},
        UNKNOWN | {"active_0d": 0.3, "active_30d": None, "median_churn_date": DAY},
        {"active_90d": 0.55, "active_180d": 0.51, "median_churn_date": None},
    ],
    ids=["falls", "unknown from 60 days on", "lost at once", "only day 0 is known", "never down to one half"],
)
def test_a_curve_passes(row: dict[str, object]) -> None:
    assert broken_rules(GOOD | row) == set()


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"active_30d": 0.91}, "never_rises"),
        ({"active_180d": 0.51}, "never_rises"),
        ({"active_30d": None, "reason": "why"}, "known_without_gaps"),
        (UNKNOWN | {"reason": None}, "unknown_with_a_reason"),
        ({"median_churn_date": date(2023, 12, 31)}, "median_after_the_snapshot"),
        ({"median_churn_date": None}, "median_where_one_half_is_reached"),
        (UNKNOWN | {"median_churn_date": DAY}, "median_where_one_half_is_reached"),
    ],
)
def test_what_no_curve_can_be_is_refused(row: dict[str, object], rule: str) -> None:
    assert rule in broken_rules(GOOD | row)
