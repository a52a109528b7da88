"""`make bench-truth` tells a goal that is met from one that is missed."""

import pytest

from churn_platform_tests.benchmarks.truth import verdicts


def test_what_the_demo_reaches_meets_both_goals() -> None:
    rank, level = verdicts(model_auc=0.7989, observer_auc=0.7995, newest_ece=0.0096)
    assert rank.met and "99.8% of the way" in rank.told
    assert level.met and "is 0.0096;" in level.told


def test_a_model_may_be_better_than_the_observer() -> None:
    rank, _ = verdicts(model_auc=0.81, observer_auc=0.8, newest_ece=0.01)
    assert rank.met


@pytest.mark.parametrize(("model_auc", "met"), [(0.7911, True), (0.7909, False), (0.5, False), (float("nan"), False)])
def test_the_rank_is_judged_from_97_percent_of_the_way_whatever_the_level(model_auc: float, met: bool) -> None:
    rank, level = verdicts(model_auc, observer_auc=0.8, newest_ece=0.01)
    assert (rank.met, level.met) == (met, True)


@pytest.mark.parametrize(("newest_ece", "met"), [(0.0199, True), (0.02, False), (0.3, False), (float("nan"), False)])
def test_the_level_is_judged_by_an_ece_under_0_02_whatever_the_rank(newest_ece: float, met: bool) -> None:
    rank, level = verdicts(model_auc=0.8, observer_auc=0.8, newest_ece=newest_ece)
    assert (rank.met, level.met) == (True, met)
