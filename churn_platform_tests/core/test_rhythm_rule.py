import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.metrics import auc
from churn_platform.core.rhythm_rule import RhythmRule

labelled = st.lists(
    st.tuples(st.integers(1, 180), st.none() | st.integers(1, 90), st.integers(0, 1)), min_size=1, max_size=80
)


@given(labelled)
def test_probability_never_falls_with_the_silence_and_stays_within_bounds(rows: list[tuple[int, int, int]]) -> None:
    recency, gap, churned = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    rule = RhythmRule.fit(recency, gap, churned)
    p = rule.predict(np.arange(1, 400), np.full(399, 20.0))
    assert (np.diff(p) >= 0).all()
    assert ((p >= 0) & (p <= 1)).all()
    assert rule.predict(2 * recency, 2 * gap) == pytest.approx(rule.predict(recency, gap)), "only their ratio counts"


def test_it_tells_apart_by_their_own_clocks_those_whom_recency_cannot() -> None:
    """Everybody has been silent for a month: daily buyers are gone, those who come twice a year are not."""
    generator = np.random.default_rng(1)
    gap = generator.choice([1.0, 10.0, 180.0], 6_000)
    churned = generator.random(6_000) < np.select([gap == 1, gap == 10], [0.9, 0.6], 0.2)
    rule = RhythmRule.fit(np.full(6_000, 30), gap, churned)
    assert rule.predict([30, 30, 30], [1, 10, 180]) == pytest.approx([0.9, 0.6, 0.2], abs=0.03)
    assert auc(churned, rule.predict(np.full(6_000, 30), gap)) > 0.75


def test_who_was_active_once_gets_the_rate_of_such_customers() -> None:
    gap = np.r_[np.full(500, 10.0), np.full(500, np.nan)]
    churned = np.r_[np.zeros(500), np.tile([0, 1, 1, 1], 125)]
    rule = RhythmRule.fit(np.full(1_000, 30), gap, churned)
    assert rule.predict([5, 170], [np.nan, np.nan]).tolist() == [0.75, 0.75]
    assert rule.predict([30], [10])[0] < 0.05


def test_a_kind_that_was_never_seen_gets_the_rate_of_all() -> None:
    churned = np.tile([0, 1], 50)
    nobody_has_a_gap = RhythmRule.fit(np.full(100, 30), np.full(100, np.nan), churned)
    everybody_has_one = RhythmRule.fit(np.full(100, 30), np.full(100, 10), churned)
    assert nobody_has_a_gap.predict([30, 90], [10, 1]).tolist() == [0.5, 0.5]
    assert everybody_has_one.predict([30], [np.nan]).tolist() == [0.5]
