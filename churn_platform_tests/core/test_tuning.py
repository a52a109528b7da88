"""What a search may see, who judges it, and when its best is taken."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.snapshots import SnapshotPlan
from churn_platform.core.tuning import SPACE, Tuning, TuningData, searchable_rows
from churn_platform.errors import NotEnoughData
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

FRAME = shop_frame(users=300, snapshots=9)
GRID = tuple(sorted(FRAME["snapshot_date"].unique()))
FOLD = GRID[7]
PLAN = SnapshotPlan(date(2024, 12, 1), GRID, (GRID[8], FOLD))


def data(frame: pl.DataFrame = FRAME, plan: SnapshotPlan = PLAN) -> TuningData:
    rows = searchable_rows(frame, plan, window_days=WINDOW_DAYS)
    return TuningData.of(rows, FEATURES, window_days=WINDOW_DAYS)


def test_the_defaults_lie_inside_the_space() -> None:
    for name, span in SPACE.items():
        assert span.low <= getattr(BoostingParameters(), name) <= span.high


def test_only_snapshots_whose_labels_closed_by_the_earliest_fold_are_searched() -> None:
    rows = searchable_rows(FRAME, PLAN, window_days=WINDOW_DAYS)
    assert sorted(rows["snapshot_date"].unique()) == list(GRID[:5])
    assert GRID[4] + timedelta(days=WINDOW_DAYS) == FOLD, "a window that ends on the fold is closed"
    off_grid = replace(PLAN, labelled=GRID[1:])
    assert min(searchable_rows(FRAME, off_grid, window_days=WINDOW_DAYS)["snapshot_date"]) == GRID[1]
    assert searchable_rows(FRAME, replace(PLAN, folds=()), window_days=WINDOW_DAYS).is_empty()


def test_what_is_planted_in_the_folds_or_after_them_is_never_seen() -> None:
    late = pl.col("snapshot_date") >= GRID[5]
    planted = FRAME.with_columns(
        churned=pl.when(late).then(1 - pl.col("churned")).otherwise("churned"),
        recency_days=pl.when(late).then(999).otherwise("recency_days"),
    )
    assert not planted.equals(FRAME)
    before, after = data(), data(planted)
    assert after.features.equals(before.features) and (after.churned == before.churned).all()
    other = BoostingParameters(max_depth=2)
    assert after.loss(other) == before.loss(other)
    assert after.gain(other) == before.gain(other)


def test_the_halves_share_neither_a_row_nor_a_customer_and_are_purged() -> None:
    found = data()
    halves = [found.search, found.confirmation]
    assert (found.search.fit == found.confirmation.fit).all()
    users = [set(found.user_id.filter(half.validation)) for half in halves]
    assert users[0] and users[1] and not users[0] & users[1]
    assert abs(len(users[0]) - len(users[1])) <= 1
    learnt_until = max(found.snapshot_date.filter(found.search.fit))
    assert learnt_until + timedelta(days=WINDOW_DAYS) <= found.search.first_validation


def test_the_defaults_gain_nothing_over_themselves() -> None:
    assert data().gain(BoostingParameters()) == (0.0, 0.0)
    assert not found(0.0, 0.0).adopted


def test_the_standard_error_is_over_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    at_two = data(plan=replace(PLAN, labelled=tuple(GRID), folds=(GRID[8],)))
    users = at_two.user_id.filter(at_two.confirmation.validation)
    by_user = dict(zip(sorted(set(users)), np.random.default_rng(1).normal(0.01, 0.1, 150), strict=True))
    gains = np.array([by_user[user] for user in users])
    monkeypatch.setattr(
        TuningData, "_losses", lambda self, parameters, split: gains * (parameters == BoostingParameters())
    )
    mean, error = at_two.gain(BoostingParameters(max_depth=2))
    alone = np.array(list(by_user.values()))
    assert len(gains) > len(alone), "customers of several snapshots"
    assert mean == pytest.approx(gains.mean())
    counts = np.array([sum(users == user) for user in by_user])
    expected = np.sqrt(((counts * (alone - mean)) ** 2).sum() * len(alone) / (len(alone) - 1)) / counts.sum()
    assert error == pytest.approx(expected)
    assert error > gains.std() / np.sqrt(len(gains)), "rows of one customer are not independent"


def found(gain: float, error: float) -> Tuning:
    return Tuning(BoostingParameters(), 5, 100, GRID[0], GRID[0], 0.6, 0.6, gain, error)


def test_a_best_is_taken_beyond_two_standard_errors_only() -> None:
    assert found(0.0201, 0.01).adopted
    assert not found(0.0199, 0.01).adopted
    assert not found(-0.5, 0.01).adopted


def test_where_the_defaults_see_too_few_features_at_once_others_are_better_beyond_the_noise() -> None:
    """The parity of three features: the defaults' trees see two of the five, those below four."""
    rng = np.random.default_rng(2)
    bits = (rng.random((6000, 5)) < 0.8).astype(np.int64)
    odd = bits[:, :3].sum(axis=1) % 2
    names = [f"bit_{n}" for n in range(5)]
    rows = pl.DataFrame(bits, schema=names).with_columns(
        user_id=pl.format("u{}", pl.int_range(6000) % 2000),
        snapshot_date=pl.Series([date(2024, 1, 1) + timedelta(days=100 * (n // 2000)) for n in range(6000)]),
        churned=pl.Series((rng.random(6000) < np.where(odd, 0.9, 0.1)).astype(np.int8)),
    )
    made = TuningData.of(rows, names, window_days=90)
    wider = BoostingParameters(learning_rate=0.1, colsample_bytree=0.8)
    assert made.loss(wider) < made.loss(BoostingParameters()) - 0.05
    gain, error = made.gain(wider)
    assert found(gain, error).adopted and gain > 0.05


def test_too_short_a_history_is_refused() -> None:
    with pytest.raises(NotEnoughData, match=r"0 snapshot\(s\) had closed labels before the earliest fold; .*defaults"):
        data(plan=replace(PLAN, folds=(GRID[1],)))
    with pytest.raises(NotEnoughData, match=r"2 snapshot\(s\) had closed labels before"):
        data(plan=replace(PLAN, folds=(GRID[4],)))


def test_one_outcome_is_refused() -> None:
    stayed = FRAME.with_columns(churned=pl.when(pl.col("snapshot_date") == GRID[4]).then(0).otherwise("churned"))
    with pytest.raises(NotEnoughData, match="all have the same outcome"):
        data(stayed)
