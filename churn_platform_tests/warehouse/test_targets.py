"""Each target, met, missed and unmeasured by itself, as Great Expectations judges it on model_evaluation."""

from dataclasses import replace
from datetime import UTC, date, datetime

import duckdb
import pytest

from churn_platform.contracts.targets import targets_of
from churn_platform.core.acceptance import TARGETS, Goals, Verdict
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table
from churn_platform.warehouse.targets import judge_targets

Row = tuple[str, str, float, float | None, float | None]

OWN = "churn_model"
NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)
GOOD: list[Row] = [
    (OWN, "auc", 0.78, 0.76, 0.80),
    (OWN, "auc", 0.80, 0.78, 0.82),
    (OWN, "auc_surplus", 0.01, -0.01, 0.03),
    (OWN, "auc_surplus", -0.02, -0.04, 0.0),
    (OWN, "ece", 0.02, None, None),
    (OWN, "ece", 0.04, None, None),
    (OWN, "ks", 0.4, None, None),
    (OWN, "ks", 0.3, None, None),
    (OWN, "recall_at_capacity", 0.5, None, None),
    (OWN, "recall_at_capacity", 0.3, None, None),
    (OWN, "coverage", 1.0, None, None),
    (OWN, "coverage", 0.995, None, None),
    (OWN, "psi", 0.1, None, None),
    (OWN, "psi", 0.2, None, None),
    ("logistic", "auc", 0.76, 0.74, 0.78),
    ("logistic", "auc_gain", 0.02, 0.01, 0.03),
    ("logistic", "auc_gain", 0.02, 0.01, 0.03),
    ("recency", "auc_gain", -0.01, -0.02, 0.01),
    ("recency", "auc_gain", 0.0, -0.01, 0.01),
]

GOALS = Goals(
    minimum_folds=2,
    minimum_auc=0.6,
    maximum_auc=0.95,
    better_out_of_time_because="",
    minimum_ks=0.1,
    minimum_recall_at_capacity=0.0,
    minimum_coverage=0.99,
    maximum_ece=0.25,
    maximum_psi=1.0,
    beats_baselines=True,
)
MEASURE = {  # target → the metric without which it is not measured
    "minimum_folds": "auc",
    "minimum_auc": "auc",
    "maximum_auc": "auc",
    "not_better_than_in_sample": "auc_surplus",
    "minimum_ks": "ks",
    "minimum_recall_at_capacity": "recall_at_capacity",
    "minimum_coverage": "coverage",
    "maximum_ece": "ece",
    "maximum_psi": "psi",
    "beats_baselines": "auc_gain",
}


@pytest.fixture
def evaluations() -> duckdb.DuckDBPyConnection:
    """The empty table model_evaluation."""
    connection = duckdb.connect()
    create_table(connection, default_library().contract("model_evaluation"), "model_evaluation")
    return connection


def insert(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], version: str = "v1", population: str = "eligible"
) -> None:
    for number, (model, metric, value, lower, upper) in enumerate(rows):
        values = [version, date(2025, 1, 1 + number % 28), population, model, metric, value, lower, upper]
        connection.execute("INSERT INTO model_evaluation VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def judged(connection: duckdb.DuckDBPyConnection, goals: Goals = GOALS) -> dict[str, Verdict]:
    found = judge_targets(connection, targets_of(goals, "v1"), run_id="r1", checked_at=NOON)
    assert [verdict.name for verdict in found] == list(TARGETS)
    return {verdict.name: verdict for verdict in found}


def missed(found: dict[str, Verdict]) -> list[str]:
    return [name for name, verdict in found.items() if not verdict.met]


def test_a_good_candidate_meets_every_target_and_sees_what_was_observed(
    evaluations: duckdb.DuckDBPyConnection,
) -> None:
    insert(evaluations, GOOD)
    found = judged(evaluations)
    assert missed(found) == []
    assert (found["minimum_folds"].observed, found["minimum_folds"].required) == ("2", "≥ 2")
    assert (found["minimum_auc"].observed, found["minimum_auc"].required) == ("0.7900", "≥ 0.6")
    assert (found["maximum_auc"].observed, found["maximum_auc"].required) == ("0.8000", "≤ 0.95")
    assert (found["maximum_ece"].observed, found["maximum_ece"].required) == ("0.0300", "≤ 0.25")
    assert found["not_better_than_in_sample"].observed == "-0.0100"
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
def test_the_mean_over_the_folds_or_its_worst_decides(
    evaluations: duckdb.DuckDBPyConnection, name: str, met: float, not_met: float
) -> None:
    insert(evaluations, GOOD)
    assert missed(judged(evaluations, replace(GOALS, **{name: met}))) == []  # type: ignore[arg-type]
    assert missed(judged(evaluations, replace(GOALS, **{name: not_met}))) == [name]  # type: ignore[arg-type]


@pytest.mark.parametrize(("folds", "not_met"), [(1, []), (2, []), (3, ["minimum_folds"])])
def test_a_candidate_that_was_tested_at_too_few_folds_is_refused(
    evaluations: duckdb.DuckDBPyConnection, folds: int, not_met: list[str]
) -> None:
    insert(evaluations, GOOD)
    assert missed(judged(evaluations, replace(GOALS, minimum_folds=folds))) == not_met


def test_a_fold_counts_once_and_only_where_the_candidate_itself_was_ranked_on_the_eligible(
    evaluations: duckdb.DuckDBPyConnection,
) -> None:
    insert(evaluations, GOOD)
    twice_or_not_its_own = [
        ("v1", date(2025, 1, 1), "eligible", OWN, "auc"),
        ("v1", date(2025, 6, 1), "all", OWN, "auc"),
        ("v1", date(2025, 6, 1), "eligible", "recency_rule", "auc"),
        ("v1", date(2025, 6, 1), "eligible", OWN, "brier"),
        ("v2", date(2025, 6, 1), "eligible", OWN, "auc"),
    ]
    for row in twice_or_not_its_own:
        evaluations.execute("INSERT INTO model_evaluation VALUES (?, ?, ?, ?, ?, 0.7, NULL, NULL)", row)
    found = judged(evaluations, replace(GOALS, minimum_folds=3))
    assert missed(found) == ["minimum_folds"]
    assert (found["minimum_folds"].observed, found["minimum_folds"].required) == ("2", "≥ 3")


def test_a_target_without_a_measurement_is_missed_and_so_are_all_where_there_is_none(
    evaluations: duckdb.DuckDBPyConnection,
) -> None:
    for metric in sorted(set(MEASURE.values())):
        evaluations.execute("DELETE FROM model_evaluation")
        insert(evaluations, [row for row in GOOD if row[1] != metric])
        found = judged(evaluations)
        assert missed(found) == [name for name, needed in MEASURE.items() if needed == metric]
        told = "no baseline was evaluated" if metric == "auc_gain" else "not measured yet: run churn run"
        assert {found[name].observed for name in missed(found)} == {told}
    evaluations.execute("DELETE FROM model_evaluation")
    assert missed(judged(evaluations)) == list(TARGETS)


def test_one_fold_that_is_too_good_is_enough_to_look_for_a_leak(evaluations: duckdb.DuckDBPyConnection) -> None:
    insert(evaluations, [*GOOD, (OWN, "auc", 0.97, None, None)])
    assert missed(judged(evaluations)) == ["maximum_auc"]


def test_better_than_in_sample_at_one_fold_is_refused_until_a_person_explains_it(
    evaluations: duckdb.DuckDBPyConnection,
) -> None:
    insert(evaluations, [*GOOD, (OWN, "auc_surplus", 0.03, 0.0123, 0.05)])
    found = judged(evaluations)
    assert missed(found) == ["not_better_than_in_sample"]
    asks = found["not_better_than_in_sample"]
    assert asks.observed == "0.0123"
    assert asks.required == "≤ 0, or explained: as better_out_of_time_because in [targets] of churn.toml"
    explained = judged(evaluations, replace(GOALS, better_out_of_time_because="the sale {50 %}: 'all' came"))
    assert missed(explained) == []
    assert explained["not_better_than_in_sample"].required.endswith("explained: the sale {50 %}: 'all' came")


def test_an_explanation_does_not_stand_for_a_measurement(evaluations: duckdb.DuckDBPyConnection) -> None:
    insert(evaluations, [row for row in GOOD if row[1] != "auc_surplus"])
    assert missed(judged(evaluations, replace(GOALS, better_out_of_time_because="the sale"))) == [
        "not_better_than_in_sample"
    ]


def test_a_baseline_that_is_better_beyond_its_interval_refuses_unless_not_asked_for(
    evaluations: duckdb.DuckDBPyConnection,
) -> None:
    insert(evaluations, [*GOOD, ("bgnbd", "auc_gain", -0.03, -0.05, -0.01)])
    assert missed(judged(evaluations)) == ["beats_baselines"]
    not_asked = judged(evaluations, replace(GOALS, beats_baselines=False))
    assert missed(not_asked) == []
    assert not_asked["beats_baselines"].required == "not asked for"


def test_a_baseline_that_may_be_as_good_does_not_refuse(evaluations: duckdb.DuckDBPyConnection) -> None:
    insert(evaluations, [*GOOD, ("bgnbd", "auc_gain", -0.03, -0.07, 0.01)])
    assert missed(judged(evaluations)) == []


@pytest.mark.parametrize(
    ("version", "population", "model"), [("v2", "eligible", OWN), ("v1", "all", OWN), ("v1", "eligible", "logistic")]
)
def test_rows_of_another_model_or_population_are_not_the_candidates(
    evaluations: duckdb.DuckDBPyConnection, version: str, population: str, model: str
) -> None:
    own = [row for row in GOOD if row[0] == OWN]
    insert(evaluations, [row for row in GOOD if row[0] != OWN and row[1] == "auc_gain"])
    insert(evaluations, [(model, *row[1:]) for row in own], version, population)
    assert missed(judged(evaluations)) == [name for name in TARGETS if name != "beats_baselines"]


def test_every_verdict_is_kept_among_the_quality_results(evaluations: duckdb.DuckDBPyConnection) -> None:
    insert(evaluations, GOOD)
    judged(evaluations, replace(GOALS, minimum_auc=0.79001))
    kept = evaluations.execute(
        "SELECT run_id, table_name, expectation, severity, status, observed, failing_rows FROM quality_results"
    ).fetchall()
    assert [row[2] for row in kept] == list(TARGETS)
    [failed] = [row for row in kept if row[4] != "passed"]
    assert failed == ("r1", "model_evaluation", "minimum_auc", "critical", "failed", "0.7900", 1)
    assert {row[6] for row in kept if row != failed} == {0}
    judged(evaluations)
    again = "SELECT count(*), count(*) FILTER (status = 'passed') FROM quality_results"
    assert evaluations.execute(again).fetchall() == [(len(TARGETS), len(TARGETS))], "a later result of a run wins"


def test_a_target_that_cannot_be_evaluated_is_missed(evaluations: duckdb.DuckDBPyConnection) -> None:
    """As of a table that holds no numbers: never taken for met."""
    insert(evaluations, GOOD)
    targets = targets_of(GOALS, "v1")
    broken = replace(targets[0].rule, bad_rows_sql=lambda scope: f"SELECT no_such_column FROM {scope.audited}")
    found = judge_targets(evaluations, [replace(targets[0], rule=broken)], run_id="r1", checked_at=NOON)
    assert not found[0].met
    assert evaluations.execute("SELECT status FROM quality_results").fetchall() == [("not_run",)]
