"""The contract of model_evaluation refuses a share that is none, wherever it was measured."""

import duckdb
import pytest

from churn_platform.sql.library import default_library


def broken_rules(metric: str, value: float) -> set[str]:
    row = {"metric": metric, "value": value}
    with duckdb.connect() as connection:
        return {
            rule.name
            for rule in default_library().contract("model_evaluation").rules
            if connection.execute(
                "SELECT 1 FROM (SELECT $metric AS metric, CAST($value AS DOUBLE) AS value, 0.0 AS lower, 0.1 AS upper)"
                f" WHERE {rule.bad}", row,
            ).fetchall()
        }  # fmt: skip


@pytest.mark.parametrize("side", ["", "in_sample_", "out_of_sample_"])
@pytest.mark.parametrize("metric", ["auc", "pr_auc", "ks", "brier", "ece"])
def test_a_share_is_one_in_sample_out_of_sample_and_out_of_time(side: str, metric: str) -> None:
    assert broken_rules(side + metric, 1.01) == broken_rules(side + metric, -0.01) == {"shares_lie_between_0_and_1"}
    assert broken_rules(side + metric, 1.0) == broken_rules(side + metric, 0.0) == set()


@pytest.mark.parametrize("metric", ["log_loss", "out_of_sample_log_loss", "psi", "auc_surplus", "ece_gain"])
def test_what_is_no_share_may_be_larger_than_1(metric: str) -> None:
    assert broken_rules(metric, 1.5) == set()
