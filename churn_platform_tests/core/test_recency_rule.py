import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.recency_rule import RecencyRule
from churn_platform.errors import InputError, NotEnoughData

labelled = st.lists(st.tuples(st.integers(0, 180), st.integers(0, 1)), min_size=1, max_size=100)


@given(labelled)
def test_probability_never_falls_with_recency_and_stays_within_bounds(rows: list[tuple[int, int]]) -> None:
    rule = RecencyRule.fit([row[0] for row in rows], [row[1] for row in rows])
    p = rule.predict(np.arange(0, 400, 0.5))
    assert (np.diff(p) >= 0).all()
    assert 0 <= p.min() <= p.max() <= 1


@given(labelled)
def test_json_round_trip_predicts_the_same(rows: list[tuple[int, int]]) -> None:
    rule = RecencyRule.fit([row[0] for row in rows], [row[1] for row in rows])
    assert RecencyRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


def test_finds_the_rates_of_many_users() -> None:
    generator = np.random.default_rng(0)
    recency = generator.integers(0, 180, 40_000)
    churned = generator.random(40_000) < 0.2 + recency / 300
    p = RecencyRule.fit(recency, churned).predict([30, 90, 150])
    assert p == pytest.approx([0.3, 0.5, 0.7], abs=0.05)


def test_falling_rates_are_pooled_into_one() -> None:
    rule = RecencyRule.fit(np.repeat([10, 100], 1000), np.r_[np.ones(1000), np.zeros(1000)])
    assert rule.predict([10, 100]) == pytest.approx([0.5, 0.5])


def test_a_lone_churner_does_not_make_a_certainty() -> None:
    rule = RecencyRule.fit(np.r_[np.full(1000, 10), 170], np.r_[np.tile([0, 0, 0, 1], 250), 1])
    assert 0.25 < rule.predict([170])[0] < 0.35


def test_null_recency_lengths_and_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="1 of 2 users have no recency_days"):
        RecencyRule.fit([1.0, float("nan")], [0, 1])
    with pytest.raises(InputError, match="one recency per outcome"):
        RecencyRule.fit([1.0], [0, 1])
    with pytest.raises(NotEnoughData, match="at least one"):
        RecencyRule.fit([], [])
