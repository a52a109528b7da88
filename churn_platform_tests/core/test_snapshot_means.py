from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.metrics import auc, brier, ks
from churn_platform.core.snapshot_means import snapshot_means
from churn_platform.errors import InputError, NotEnoughData

DAYS = pl.Series([date(2024, 1, 1)] * 4 + [date(2024, 2, 1)] * 4)
OUTCOME = np.array([0.0, 0, 1, 1, 0, 1, 0, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.8, 0.6, 0.7, 0.9])


def test_by_hand() -> None:
    """At the first snapshot both churners are above both stayers; at the second one of them is below both.

    KS 1 and 1/2 (the one below both: half of the churners, none of the stayers); AUC 1 and 2/4; Brier
    (.01 + .04 + .49 + .36) / 4 and (.64 + .16 + .49 + .01) / 4.
    """
    found = snapshot_means(DAYS, OUTCOME, SCORE, ["ks", "auc", "brier"])
    assert found == pytest.approx({"ks": 0.75, "auc": 0.75, "brier": (0.225 + 0.325) / 2})


def test_base_rates_that_differ_do_not_flatter() -> None:
    """A score that knows the snapshot and nothing of its users ranks nobody, though over all rows it seems to."""
    outcome, level = np.array([1.0, 1, 1, 0, 0, 0, 0, 1]), np.repeat([0.75, 0.25], 4)
    assert snapshot_means(DAYS, outcome, level, ["auc", "ks"]) == {"auc": 0.5, "ks": 0.0}
    assert (auc(outcome, level), ks(outcome, level)) == (0.75, 0.5)


def test_a_snapshot_of_one_outcome_is_left_out_and_where_all_are_so_all_rows_count_as_one() -> None:
    stayed = np.r_[OUTCOME[:4], np.zeros(4)]
    found = snapshot_means(DAYS, stayed, SCORE, ["auc", "brier"])
    assert found == {"auc": 1.0, "brier": brier(OUTCOME[:4], SCORE[:4])}
    one_each = np.repeat([0.0, 1.0], 4)
    assert snapshot_means(DAYS, one_each, SCORE, ["auc"]) == {"auc": auc(one_each, SCORE)}
    with pytest.raises(NotEnoughData):
        snapshot_means(DAYS, np.zeros(8), SCORE, ["auc"])


def test_a_margin_ranks_and_is_no_probability() -> None:
    assert snapshot_means(DAYS, OUTCOME, 10 * SCORE, ["auc"]) == {"auc": 0.75}
    with pytest.raises(InputError, match="Probabilities must lie in"):
        snapshot_means(DAYS, OUTCOME, 10 * SCORE, ["auc", "brier"])


@given(st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 2.0]), min_size=2, max_size=2))
def test_a_level_of_its_own_at_each_snapshot_moves_no_rank(levels: list[float]) -> None:
    moved = SCORE + np.repeat(levels, 4)
    ranked = ["auc", "ks", "pr_auc"]
    assert snapshot_means(DAYS, OUTCOME, moved, ranked) == snapshot_means(DAYS, OUTCOME, SCORE, ranked)
