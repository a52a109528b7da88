"""Two churn definitions over hand-made counts, and the snapshots on which they can be compared."""

from datetime import date, timedelta

import polars as pl
import pytest

from churn_platform.core.definition_comparison import CHURNED, NOT_ELIGIBLE, STAYED, comparable_snapshots, compare
from churn_platform.core.snapshots import History, SnapshotPlan, Windows
from churn_platform.errors import NotEnoughData

FIRST, SECOND = date(2024, 3, 1), date(2024, 4, 1)


def counts(*rows: tuple[date, str, str, int, int, int]) -> pl.DataFrame:
    names = ["snapshot_date", "current", "other", "customers", "current_came_back", "other_came_back"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_figures_are_means_over_the_snapshots_and_the_cells_sums() -> None:
    found = compare(
        counts(
            (FIRST, CHURNED, CHURNED, 4, 1, 0),
            (FIRST, STAYED, CHURNED, 2, 0, 2),
            (FIRST, STAYED, STAYED, 4, 0, 0),
            (SECOND, CHURNED, NOT_ELIGIBLE, 6, 2, 0),
            (SECOND, STAYED, STAYED, 4, 0, 0),
        )
    )
    assert found.snapshots == (FIRST, SECOND)
    assert found.current.eligible == 10 and found.other.eligible == 7
    assert found.current.churn_rate == pytest.approx((0.4 + 0.6) / 2)
    assert (found.current.lowest, found.current.highest) == (0.4, 0.6)
    assert found.current.came_back == pytest.approx(3 / 10)
    assert found.other.churn_rate == pytest.approx((0.6 + 0) / 2)
    assert found.other.came_back == pytest.approx(2 / 6)
    assert found.customers[CHURNED, NOT_ELIGIBLE] == 6 and found.customers[STAYED, STAYED] == 8
    assert found.customers[NOT_ELIGIBLE, STAYED] == 0
    assert found.other_label == pytest.approx(2 / 14)


def test_nobody_in_common_has_no_label_to_change() -> None:
    found = compare(counts((FIRST, CHURNED, NOT_ELIGIBLE, 3, 0, 0), (FIRST, NOT_ELIGIBLE, STAYED, 2, 0, 0)))
    assert found.other_label is None
    assert found.other.came_back is None


def test_nobody_eligible_by_one_definition_is_told() -> None:
    with pytest.raises(NotEnoughData, match="Nobody is eligible by the other definition"):
        compare(counts((FIRST, CHURNED, NOT_ELIGIBLE, 3, 0, 0)))


def test_a_snapshot_needs_both_lookbacks_before_it_and_both_windows_behind_it() -> None:
    days = [date(2024, 1, 1) + timedelta(days=30 * step) for step in range(8)]
    plan = SnapshotPlan(newest=date(2024, 9, 1), labelled=tuple(days), folds=(days[-1],))
    history = History(date(2024, 1, 1), date(2024, 8, 31), None)
    short, long = Windows(60, 0, 30, 0, 30), Windows(30, 5, 120, 0, 30)
    kept = comparable_snapshots(plan, history, short, long)
    assert kept[0] == date(2024, 3, 1)  # 60 days after the first, exactly
    assert kept[-1] == date(2024, 3, 31)  # the next one's 125 days end on 2024-09-02
    with pytest.raises(NotEnoughData, match="60 days of history before it and 300 days after it"):
        comparable_snapshots(plan, history, short, Windows(30, 0, 300, 0, 30))
