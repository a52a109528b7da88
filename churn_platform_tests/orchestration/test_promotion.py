"""A candidate's evaluation in the warehouse against the targets of churn.toml."""

import pytest

from churn_platform.core.evaluation import CHAMPION
from churn_platform.errors import UsageError
from churn_platform.orchestration.promotion import judge_candidate
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home


@pytest.fixture
def evaluated(shop: Shop) -> Shop:
    """Model v1 with an AUC of 0.8 and an ECE of 0.02, v2 with an AUC of 0.5."""
    rows = [
        ("v1", CHAMPION, "auc", 0.8, 0.78, 0.82),
        ("v1", CHAMPION, "ece", 0.02, None, None),
        *(
            (version, CHAMPION, metric, 0.5, None, None)
            for version in ("v1", "v2")
            for metric in ("ks", "recall_at_capacity", "psi")
        ),
        *((version, CHAMPION, "coverage", 1.0, None, None) for version in ("v1", "v2")),
        ("v1", "logistic", "auc_gain", 0.01, 0.0, 0.02),
        ("v2", CHAMPION, "auc", 0.5, 0.48, 0.52),
        ("v2", CHAMPION, "ece", 0.02, None, None),
        ("v2", "logistic", "auc_gain", -0.2, -0.3, -0.1),
    ]
    with shop.warehouse() as connection:
        connection.execute(
            "CREATE TABLE model_evaluation (model_version VARCHAR, model VARCHAR, metric VARCHAR,"
            " value DOUBLE, lower DOUBLE, upper DOUBLE)"
        )
        connection.executemany("INSERT INTO model_evaluation VALUES (?, ?, ?, ?, ?, ?)", rows)
    return shop


def missed(shop: Shop, version: str) -> list[str]:
    return [verdict.name for verdict in judge_candidate(shop, version) if not verdict.met]


def test_each_model_is_judged_by_its_own_rows(evaluated: Shop) -> None:
    assert missed(evaluated, "v1") == []
    assert missed(evaluated, "v2") == ["minimum_auc", "beats_baselines"]


def test_the_targets_are_those_of_the_home(evaluated: Shop, home: Home) -> None:
    text = "[targets]\nminimum_auc = 0.81\nmaximum_auc = 0.79\nmaximum_ece = 0.01\nbeats_baselines = false\n"
    home.definition_file.write_text(text, encoding="utf-8")
    assert missed(evaluated, "v1") == ["minimum_auc", "maximum_auc", "maximum_ece"]
    assert "beats_baselines" not in missed(evaluated, "v2")


def test_a_model_that_was_not_evaluated_is_refused(evaluated: Shop) -> None:
    with pytest.raises(UsageError, match=r"Model 'v3' has not been evaluated\. Materialise model_evaluation"):
        judge_candidate(evaluated, "v3")


def test_before_the_first_evaluation_every_model_is_refused(shop: Shop) -> None:
    with pytest.raises(UsageError, match="Model 'v1' has not been evaluated"):
        judge_candidate(shop, "v1")
