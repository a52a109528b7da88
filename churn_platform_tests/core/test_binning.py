import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.binning import bin_of, equal_count_edges
from churn_platform.errors import InputError

NAN = float("nan")


def test_bins_hold_equal_counts() -> None:
    sample = np.arange(100.0)
    counts = np.bincount(bin_of(sample, equal_count_edges(sample, 4)))
    assert counts.tolist() == [25, 25, 25, 25]


def test_a_value_on_an_edge_lies_below_it_and_null_lies_beyond_all() -> None:
    edges = np.array([1.0, 2.0])
    assert bin_of([0.0, 1.0, 1.5, 2.0, 9.0, NAN], edges).tolist() == [0, 0, 1, 1, 2, 3]


def test_repeated_values_leave_fewer_bins_and_null_alone_none() -> None:
    assert equal_count_edges([5.0] * 9 + [7.0], 10).tolist() == [5.0]
    assert equal_count_edges([NAN, NAN], 10).tolist() == []
    assert bin_of([NAN, 3.0], np.empty(0)).tolist() == [1, 0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(2, 12))
def test_bins_keep_the_order_of_the_values(sample: list[float], bins: int) -> None:
    values = np.sort(np.array(sample))
    assert (np.diff(bin_of(values, equal_count_edges(values, bins))) >= 0).all()


def test_one_bin_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2 bins, but got 1"):
        equal_count_edges([1.0], 1)
