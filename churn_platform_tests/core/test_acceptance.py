"""Each target, met and missed by itself."""

from dataclasses import replace

import polars as pl
import pytest

from churn_platform.core.acceptance import TARGETS, Goals, Verdict, judge

Row = tuple[str, str, float, float | None, float | None]

GOOD: list[Row] = [
    ("model", "auc", 0.78, 0.76, 0.80),
    ("model", "auc", 0.80, 0.78, 0.82),
    ("model", "ece", 0.02, None, None),
    ("model", "ece", 0.04, None, None),
    ("model", "ks", 0.4, None, None),
    ("model", "ks", 0.3, None, None),
    ("model", "recall_at_capacity", 0.5, None, None),
    ("model", "recall_at_capacity", 0.3, None, None),
    ("model", "coverage", 1.0, None, None),
    ("model", "coverage", 0.995, None, None),
    ("model", "psi", 0.1, None, None),
    ("model", "psi", 0.2, None, None),
    ("logistic", "auc", 0.76, 0.74, 0.78),
    ("logistic", "auc_gain", 0.02, 0.01, 0.03),
    ("logistic", "auc_gain", 0.02, 0.01, 0.03),
    ("recency", "auc_gain", -0.01, -0.02, 0.01),
    ("recency", "auc_gain", 0.0, -0.01, 0.01),
]

GOALS = Goals(
    minimum_auc=0.6,
    maximum_auc=0.95,
    minimum_ks=0.1,
    minimum_recall_at_capacity=0.0,
    minimum_coverage=0.99,
    maximum_ece=0.25,
    maximum_psi=1.0,
    beats_baselines=True,
)


def verdicts(rows: list[Row], **changes: float | bool) -> dict[str, Verdict]:
    evaluation = pl.DataFrame(
        rows,
        schema={"model": pl.String, "metric": pl.String, "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64},
        orient="row",
    )
    found = judge(evaluation, candidate="model", goals=replace(GOALS, **changes))  # type: ignore[arg-type]
    assert [verdict.name for verdict in found] == list(TARGETS)
    return {verdict.name: verdict for verdict in found}


def missed(rows: list[Row], **changes: float | bool) -> list[str]:
    return [name for name, verdict in verdicts(rows, **changes).items() if not verdict.met]


def test_a_good_candidate_meets_every_target_and_sees_what_was_observed() -> None:
    found = verdicts(GOOD)
    assert all(verdict.met for verdict in found.values())
    assert (found["minimum_auc"].observed, found["minimum_auc"].required) == ("0.7900", "≥ 0.6")
    assert (found["maximum_auc"].observed, found["maximum_auc"].required) == ("0.8000", "≤ 0.95")
    assert (found["maximum_ece"].observed, found["maximum_ece"].required) == ("0.0300", "≤ 0.25")
    assert found["beats_baselines"].observed == "+0.0200 over logistic; -0.0050 over recency"
    assert found["beats_baselines"].required == "not below any baseline"


@pytest.mark.parametrize(
    ("name", "met", "not_met"),
    [
        ("minimum_auc", 0.7899, 0.7901),
        ("maximum_auc", 0.8, 0.7999),
        ("minimum_ks", 0.3499, 0.3501),
        ("minimum_recall_at_capacity", 0.3999, 0.4001),
        ("minimum_coverage", 0.995, 0.9951),
        ("maximum_ece", 0.0301, 0.0299),
        ("maximum_psi", 0.2, 0.1999),
    ],
)
def test_the_mean_over_the_folds_or_its_worst_decides(name: str, met: float, not_met: float) -> None:
    assert missed(GOOD, **{name: met}) == []
    assert missed(GOOD, **{name: not_met}) == [name]


def test_one_fold_that_is_too_good_is_enough_to_look_for_a_leak() -> None:
    assert missed([*GOOD, ("model", "auc", 0.97, None, None)]) == ["maximum_auc"]


def test_a_baseline_that_is_better_beyond_its_interval_refuses_unless_not_asked_for() -> None:
    worse: list[Row] = [*GOOD, ("bgnbd", "auc_gain", -0.03, -0.05, -0.01)]
    assert missed(worse) == ["beats_baselines"]
    assert missed(worse, beats_baselines=False) == []
    assert verdicts(worse, beats_baselines=False)["beats_baselines"].required == "not asked for"


def test_a_baseline_that_may_be_as_good_does_not_refuse() -> None:
    assert missed([*GOOD, ("bgnbd", "auc_gain", -0.03, -0.07, 0.01)]) == []


def test_a_candidate_without_a_baseline_beside_it_has_beaten_none() -> None:
    alone = [row for row in GOOD if row[0] == "model"]
    assert missed(alone) == ["beats_baselines"]
    assert verdicts(alone)["beats_baselines"].observed == "no baseline was evaluated"


def test_no_evaluation_meets_nothing() -> None:
    assert missed([]) == list(TARGETS)
    assert {verdict.observed for verdict in verdicts([]).values()} == {
        "not measured yet: run churn run",
        "no baseline was evaluated",
    }


def test_the_metrics_of_a_baseline_are_not_the_candidates() -> None:
    only_baselines = [row for row in GOOD if row[0] != "model"]
    assert missed(only_baselines) == [name for name in TARGETS if name != "beats_baselines"]
