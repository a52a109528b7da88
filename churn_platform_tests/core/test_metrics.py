import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as reference

from churn_platform.core import metrics
from churn_platform.errors import InputError, NotEnoughData

GENERATOR = np.random.default_rng(5)
USERS = 600
Y = (GENERATOR.random(USERS) < 0.4).astype(int)
P = np.clip(np.round(0.4 + 0.2 * (Y - 0.4) + GENERATOR.normal(0, 0.15, USERS), 2), 0.01, 0.99)
Q = np.clip(np.round(0.4 + 0.05 * (Y - 0.4) + GENERATOR.normal(0, 0.15, USERS), 2), 0.01, 0.99)

CALIBRATION = {"calibration_slope", "calibration_intercept"}

outcomes_and_scores = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 99).map(lambda percent: percent / 100)), min_size=4, max_size=60
)


def both_classes(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    y, p = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assume(0 < y.sum() < len(y))
    return y, p


def test_ties_are_present_so_that_the_references_test_them() -> None:
    assert len(np.unique(P)) < USERS / 3


def test_equals_sklearn() -> None:
    assert metrics.auc(Y, P) == pytest.approx(reference.roc_auc_score(Y, P))
    assert metrics.pr_auc(Y, P) == pytest.approx(reference.average_precision_score(Y, P))
    assert metrics.brier(Y, P) == pytest.approx(reference.brier_score_loss(Y, P))
    assert metrics.log_loss(Y, P) == pytest.approx(reference.log_loss(Y, P))


def test_ks_equals_the_largest_distance_over_thresholds() -> None:
    distances = [abs((P[Y == 1] <= t).mean() - (P[Y == 0] <= t).mean()) for t in np.unique(P)]
    assert metrics.ks(Y, P) == pytest.approx(max(distances))


def test_ece_equals_a_loop_over_equal_count_bins() -> None:
    order = np.argsort(P, kind="stable")
    expected = 0.0
    for members in np.split(order, 10):
        expected += len(members) / USERS * abs(Y[members].mean() - P[members].mean())
    assert metrics.ece(Y, P) == pytest.approx(expected)


def test_ece_is_zero_only_when_the_bins_are_calibrated() -> None:
    y = np.tile([1, 0], 50)
    assert metrics.ece(y, np.full(100, 0.5)) == pytest.approx(0.0)
    assert metrics.ece(y, np.full(100, 0.9)) == pytest.approx(0.4)


def test_the_best_tenth_is_counted_without_ties() -> None:
    y = np.array([1] * 5 + [0] * 5 + [1] * 5 + [0] * 85)
    p = np.linspace(0.99, 0.01, 100)
    assert metrics.top_decile_lift(y, p) == pytest.approx(0.5 / 0.1)
    assert metrics.recall_at_capacity(y, p, 5) == pytest.approx(0.5)
    assert metrics.recall_at_capacity(y, p, 15) == pytest.approx(1.0)
    assert metrics.recall_at_capacity(y, p, 5000) == pytest.approx(1.0)


def test_the_lowest_tenth_and_those_contacted_are_counted_without_ties() -> None:
    y = np.array([1] * 5 + [0] * 5 + [1] * 5 + [0] * 80 + [1] * 5)
    p = np.linspace(0.99, 0.01, 100)
    assert metrics.bottom_decile_lift(y, p) == pytest.approx(0.5 / 0.85)
    assert metrics.precision_at_capacity(y, p, 5) == pytest.approx(1.0)
    assert metrics.precision_at_capacity(y, p, 10) == pytest.approx(0.5)
    assert metrics.precision_at_capacity(y, p, 5000) == pytest.approx(0.15)


def test_all_models_are_resampled_alike() -> None:
    together = metrics.evaluate_models(Y, {"p": P, "q": Q}, capacity=50, resamples=50)
    assert together["p"] == metrics.evaluate(Y, P, capacity=50, resamples=50)
    assert together["q"] == metrics.evaluate(Y, Q, capacity=50, resamples=50)


def test_scores_that_are_all_alike_have_no_slope_of_calibration() -> None:
    alike = metrics.evaluate(Y, np.full(USERS, 0.4), capacity=50, resamples=20)
    assert set(metrics.METRICS) - set(alike) == {"calibration_slope"}


def test_a_tied_group_is_taken_in_part() -> None:
    y = np.array([1, 1, 0, 0])
    assert metrics.recall_at_capacity(y, np.full(4, 0.5), 1) == pytest.approx(0.25)
    assert metrics.top_decile_lift(y, np.full(4, 0.5)) == pytest.approx(1.0)


@given(outcomes_and_scores)
def test_rank_metrics_ignore_monotone_transforms(rows: list[tuple[int, float]]) -> None:
    y, p = both_classes(rows)
    bent = np.exp(3 * p)
    for metric in (metrics.auc, metrics.pr_auc, metrics.ks, metrics.top_decile_lift):
        assert metric(y, bent) == pytest.approx(metric(y, p))


@given(outcomes_and_scores)
def test_auc_of_the_opposite_score_is_the_complement(rows: list[tuple[int, float]]) -> None:
    y, p = both_classes(rows)
    assert metrics.auc(y, -p) == pytest.approx(1 - metrics.auc(y, p))


@given(outcomes_and_scores, st.randoms(use_true_random=False))
def test_the_order_of_users_does_not_matter(rows: list[tuple[int, float]], random: object) -> None:
    y, p = both_classes(rows)
    order = np.array(random.sample(range(len(y)), len(y)))  # type: ignore[attr-defined]
    for metric in (metrics.auc, metrics.pr_auc, metrics.ks, metrics.brier, metrics.log_loss, metrics.top_decile_lift):
        assert metric(y[order], p[order]) == pytest.approx(metric(y, p))


def test_intervals_equal_a_naive_bootstrap() -> None:
    generator = np.random.default_rng(3)
    aucs, eces = [], []
    for _ in range(200):
        drawn = np.sort(generator.integers(0, USERS, USERS))
        aucs.append(reference.roc_auc_score(Y[drawn], P[drawn]))
        eces.append(metrics.ece(Y[drawn], P[drawn]))
    intervals = metrics.evaluate(Y, P, capacity=50, resamples=200, seed=3)
    assert list(intervals) == list(metrics.METRICS)
    assert intervals["auc"].value == pytest.approx(reference.roc_auc_score(Y, P))
    assert [intervals["auc"].lower, intervals["auc"].upper] == pytest.approx(np.quantile(aucs, [0.025, 0.975]).tolist())
    assert intervals["ece"].upper == pytest.approx(np.quantile(eces, 0.975), abs=2e-3)


def test_every_interval_holds_its_value_and_repeats() -> None:
    first = metrics.evaluate(Y, P, capacity=50, resamples=100, seed=1)
    assert all(interval.lower <= interval.value <= interval.upper for interval in first.values())
    assert all(interval.lower < interval.upper for interval in first.values())
    assert metrics.evaluate(Y, P, capacity=50, resamples=100, seed=1) == first
    assert metrics.evaluate(Y, P, capacity=50, resamples=100, seed=2) != first


def test_blocks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = metrics.evaluate(Y, P, capacity=50, resamples=20, seed=1)
    monkeypatch.setattr(metrics, "_CELLS_PER_BLOCK", 3 * USERS)
    in_blocks = metrics.evaluate(Y, P, capacity=50, resamples=20, seed=1)
    for name, interval in whole.items():
        assert [in_blocks[name].lower, in_blocks[name].upper] == pytest.approx(
            [interval.lower, interval.upper], rel=1e-9
        )


def paired_gain(
    y: np.ndarray, p: np.ndarray, q: np.ndarray, metric: str, capacity: int = 50, resamples: int = 1000
) -> metrics.Interval:
    found = metrics.evaluate_models(y, {"p": p, "q": q}, capacity=capacity, gains=[metric], resamples=resamples)
    assert f"{metric}_gain" not in found["p"]
    return found["q"][f"{metric}_gain"]


@pytest.mark.parametrize("metric", sorted(metrics.METRICS.keys() - CALIBRATION))
def test_paired_gain_is_positive_for_the_better_and_zero_against_itself(metric: str) -> None:
    better = paired_gain(Y, P, Q, metric, capacity=100, resamples=100)
    worse = paired_gain(Y, Q, P, metric, capacity=100, resamples=100)
    same = paired_gain(Y, P, P, metric, capacity=100, resamples=100)
    assert better.value == pytest.approx(-worse.value)
    if metric != "ece":
        assert better.lower > 0 > worse.upper
    assert (same.value, same.lower, same.upper) == (0, 0, 0)


def test_paired_is_narrower_than_apart() -> None:
    nearly = np.clip(P + GENERATOR.normal(0, 0.005, USERS), 0, 1)
    gain = paired_gain(Y, P, nearly, "auc", resamples=200)
    alone = metrics.evaluate(Y, P, capacity=1, resamples=200)["auc"]
    assert gain.upper - gain.lower < (alone.upper - alone.lower) / 3


@pytest.mark.parametrize("metric", ["auc", "log_loss", "recall_at_capacity"])
def test_a_gain_pooled_over_one_fold_is_the_paired_gain(metric: str) -> None:
    fold = metrics.PairedScores(np.arange(USERS), Y, P, Q)
    assert metrics.pooled_gain([fold], metric, capacity=50, resamples=50) == paired_gain(Y, P, Q, metric, resamples=50)


def test_a_customer_is_drawn_once_for_all_folds() -> None:
    """Two folds of the same customers and outcomes say no more than one; of other customers they do."""
    names = np.array([f"u{number:05}" for number in range(USERS)])
    fold = metrics.PairedScores(names, Y, P, Q)
    once = metrics.pooled_gain([fold], "auc", resamples=200)
    order = np.random.default_rng(1).permutation(USERS)
    shuffled = metrics.PairedScores(names[order], Y[order], P[order], Q[order])
    twice = metrics.pooled_gain([fold, shuffled], "auc", resamples=200)
    assert [twice.value, twice.lower, twice.upper] == pytest.approx([once.value, once.lower, once.upper])
    strangers = metrics.PairedScores(np.char.add("x", names), Y, P, Q)
    apart = metrics.pooled_gain([fold, strangers], "auc", resamples=200)
    assert apart.value == pytest.approx(once.value)
    assert apart.upper - apart.lower < 0.9 * (once.upper - once.lower)


def test_a_pooled_gain_changes_its_sign_with_the_order_and_names_an_unknown_metric() -> None:
    ahead = metrics.pooled_gain([metrics.PairedScores(np.arange(USERS), Y, P, Q)], "log_loss", resamples=50)
    behind = metrics.pooled_gain([metrics.PairedScores(np.arange(USERS), Y, Q, P)], "log_loss", resamples=50)
    assert ahead.value == pytest.approx(-behind.value) and ahead.lower > 0 > behind.upper
    with pytest.raises(InputError, match="Did you mean 'auc'"):
        metrics.pooled_gain([metrics.PairedScores(np.arange(USERS), Y, P, Q)], "acu")


def test_one_class_is_not_enough() -> None:
    with pytest.raises(NotEnoughData, match="0 churned"):
        metrics.auc(np.zeros(5), np.linspace(0, 1, 5))


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.5], "shapes"),
        ([0, 2], [0.5, 0.5], "neither 0"),
        ([0, 1], [0.5, float("nan")], "1 of 2 scores"),
        ([0, 1], [0.5, 1.5], r"\[0, 1\]"),
    ],
)
def test_unreadable_input_is_named(y: list[float], p: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        metrics.evaluate(y, p, capacity=1)


def test_unknown_metric_and_missing_capacity_are_named() -> None:
    with pytest.raises(InputError, match="Did you mean 'auc'"):
        paired_gain(Y, P, Q, "acu")
    with pytest.raises(InputError, match="best at a value of its own"):
        paired_gain(Y, P, Q, "calibration_slope")
    with pytest.raises(InputError, match="capacity"):
        metrics.recall_at_capacity(Y, P, 0)
    with pytest.raises(InputError, match="capacity"):
        metrics.evaluate(Y, P, capacity=0)
