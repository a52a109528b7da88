from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.purging import closed_by, latest_validation
from churn_platform.errors import InputError

START = date(2024, 1, 1)


def snapshots(offsets: list[int]) -> pl.Series:
    return pl.Series("snapshot_date", [START + timedelta(days=offset) for offset in offsets], dtype=pl.Date)


def test_a_window_that_ends_on_the_day_is_closed_and_one_day_later_is_not() -> None:
    day = START + timedelta(days=90)
    assert closed_by(snapshots([-1, 0, 1]), day, 90).tolist() == [True, True, False]


@given(
    st.lists(st.integers(0, 60).map(lambda step: 15 * step), min_size=1, max_size=30),
    st.integers(1, 120),
    st.floats(0.05, 0.9),
)
def test_no_label_window_of_the_fit_reaches_into_the_validation(offsets: list[int], window: int, share: float) -> None:
    days = snapshots(offsets)
    split = latest_validation(days, window, share=share)
    if split is None:
        assert (days.max() - days.min()).days < window  # type: ignore[operator, union-attr]
        return
    assert days.filter(split.fit).max() + timedelta(days=window) <= split.first_validation  # type: ignore[operator]
    assert days.filter(split.validation).min() == split.first_validation
    assert days.filter(split.validation).max() == split.last_validation == days.max()


def test_the_latest_quarter_is_validated_on() -> None:
    split = latest_validation(snapshots([30 * step for step in range(12)]), 90)
    assert split is not None
    assert (split.validation.sum(), split.fit.sum()) == (3, 7)


def test_fewer_are_validated_on_where_nothing_would_be_left_to_fit_on() -> None:
    split = latest_validation(snapshots([0, 30, 60, 90]), 90, share=0.75)
    assert split is not None
    assert (split.validation.sum(), split.fit.sum()) == (1, 1)


def test_bad_windows_and_columns_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1 day"):
        closed_by(snapshots([0]), START, 0)
    with pytest.raises(InputError, match="dates without null"):
        closed_by(pl.Series("snapshot_date", [START, None], dtype=pl.Date), START, 90)
    with pytest.raises(InputError, match="is String"):
        closed_by(pl.Series("snapshot_date", ["2024-01-01"]), START, 90)
