from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from churn_platform.core.feature_matrix import feature_matrix, split_by_information, trainable
from churn_platform.errors import InputError, NotEnoughData

FRAME = pl.DataFrame(
    {
        "whole": [1, None, 3],
        "money": pl.Series([Decimal("1.50"), Decimal("2.25"), None], dtype=pl.Decimal(18, 2)),
        "flag": [True, False, None],
        "empty": pl.Series([None, None, None], dtype=pl.Null),
        "zero": [0, 0, 0],
        "not_a_number": [float("nan"), None, float("nan")],
        "once": [None, 5.0, 5.0],
        "name": ["a", "b", "c"],
    }
)


def test_columns_come_in_the_order_asked_with_null_as_nan() -> None:
    matrix = feature_matrix(FRAME, ["money", "whole", "flag", "empty"])
    expected = np.array([[1.5, 1, 1, np.nan], [2.25, np.nan, 0, np.nan], [np.nan, 3, np.nan, np.nan]], dtype=np.float32)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, expected)


def test_a_missing_column_is_named_with_the_nearest_that_exists() -> None:
    with pytest.raises(InputError, match=r"missing: mony\. Did you mean 'money'"):
        feature_matrix(FRAME, ["whole", "mony"])


def test_text_and_infinite_values_are_named() -> None:
    with pytest.raises(InputError, match=r"name \(String\)"):
        feature_matrix(FRAME, ["whole", "name"])
    with pytest.raises(InputError, match="Infinite values in: ratio"):
        feature_matrix(pl.DataFrame({"ratio": [1.0, float("inf")]}), ["ratio"])


def test_only_columns_that_vary_carry_information() -> None:
    varies, constant = split_by_information(FRAME.drop("name"))
    assert varies == ["whole", "money", "flag", "once"]
    assert constant == ["empty", "zero", "not_a_number"]


def test_training_needs_both_classes_a_varying_feature_and_one_outcome_per_row() -> None:
    outcome, varying, constant = trainable(FRAME.select("whole", "zero"), [1, 0, 1])
    assert (outcome.tolist(), varying, constant) == ([1, 0, 1], ["whole"], ["zero"])
    with pytest.raises(NotEnoughData, match="3 churners"):
        trainable(FRAME.select("whole"), [1, 1, 1])
    with pytest.raises(NotEnoughData, match="0 such features"):
        trainable(FRAME.select("zero"), [1, 0, 1])
    with pytest.raises(InputError, match="3 rows"):
        trainable(FRAME.select("whole"), [1, 0])
    with pytest.raises(InputError, match=r"0 \(stayed\) or 1"):
        trainable(FRAME.select("whole"), [1, 0, float("nan")])
