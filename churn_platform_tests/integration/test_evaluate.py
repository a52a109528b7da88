"""`churn evaluate` on a finished home: the table, and the files that anybody may rescore."""

from pathlib import Path

import polars as pl
import pytest

from churn_platform.core import metrics
from churn_platform.evaluate import verdict
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import churn, rows

FILES = {"churn_model": "scores.parquet", "bgnbd": "bgnbd.parquet"}


def test_the_scores_written_are_those_of_the_evaluation(small_shop: SmallShop, tmp_path: Path) -> None:
    home, out = small_shop.home, tmp_path / "out"
    ended = churn("evaluate", "--out", out, home=home.root)
    assert ended.code == 0, ended.output
    for told in ("Fold 2025-", "mean AUC", "gain in AUC", "BG/NBD", "recency rule", "recency ÷ own rhythm",
                 "Every metric", "gain over the best baseline", "precision_at_capacity", "The churn model ",
                 "scores.parquet"):  # fmt: skip
        assert told in ended.output
    labels = pl.DataFrame(
        rows(home.warehouse_file, "SELECT user_id, snapshot_date, churned FROM training_set"),
        schema=["customer_id", "cutoff", "churned"], orient="row",
    )  # fmt: skip
    for model, name in FILES.items():
        scores = pl.read_parquet(out / name)
        assert scores.columns == ["customer_id", "cutoff", "probability"]
        folds = rows(
            home.published_file,
            f"SELECT fold, value FROM model_evaluation WHERE metric = 'auc' AND model = '{model}'"
            " AND population = 'eligible'",
        )
        assert folds, f"no AUC of {model} is published"
        for fold, value in folds:
            expected = labels.filter(cutoff=fold)
            found = expected.join(scores, on=["customer_id", "cutoff"], how="left")
            assert scores.filter(cutoff=fold).height == expected.height
            assert metrics.auc(found["churned"].cast(pl.Float64), found["probability"]) == pytest.approx(value)


@pytest.mark.parametrize(
    ("lower", "upper", "told"),
    [(0.001, 0.02, "beats the best"), (-0.001, 0.02, "does not clearly beat"), (-0.02, -0.001, "is worse than")],
)
def test_the_verdict_is_as_sure_as_the_interval(lower: float, upper: float, told: str) -> None:
    said = verdict("BG/NBD", metrics.Interval((lower + upper) / 2, lower, upper))
    assert told in said and "BG/NBD" in said and f"{lower:+.4f}" in said


def test_a_home_without_a_training_set_is_told_what_to_run(tmp_path: Path) -> None:
    ended = churn("evaluate", "--out", tmp_path / "out", home=tmp_path / "home")
    assert ended.code == 2
    assert "Nothing has been built" in ended.output and "churn run" in ended.output
    assert not (tmp_path / "out").exists()


def test_an_unknown_dataset_is_refused(tmp_path: Path) -> None:
    ended = churn("evaluate", "--dataset", "online-retail", "--out", tmp_path / "out", home=tmp_path / "home")
    assert ended.code == 2
    assert "no dataset 'online-retail'" in ended.output and "online-retail-ii" in ended.output
