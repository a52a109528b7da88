import numpy as np
import pytest

from churn_platform.core.contributions import Contributions

PARTS = Contributions(("b", "a"), np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([0.5, 0.25]))


def test_the_margin_is_the_bias_and_all_parts() -> None:
    assert PARTS.margin.tolist() == [3.5, -0.75]


def test_aligning_moves_columns_and_keeps_the_margin() -> None:
    aligned = PARTS.aligned_to(("a", "c", "b"))
    assert aligned.values.tolist() == [[2.0, 0.0, 1.0], [-4.0, 0.0, 3.0]]
    assert aligned.margin.tolist() == PARTS.margin.tolist()


def test_aligning_loses_no_feature_silently() -> None:
    with pytest.raises(KeyError, match="b"):
        PARTS.aligned_to(("a", "c"))
