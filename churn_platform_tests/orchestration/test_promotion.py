"""A candidate's evaluation in the warehouse against the targets of churn.toml."""

import sys

import pytest

from churn_platform import cli
from churn_platform.core.acceptance import TARGETS
from churn_platform.core.evaluation import CHAMPION
from churn_platform.errors import UsageError
from churn_platform.orchestration.promotion import judge_candidate
from churn_platform.orchestration.shop import Shop
from churn_platform.registry.candidate import train_candidate
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

FRAME = shop_frame(users=60, snapshots=6)


@pytest.fixture
def evaluated(shop: Shop) -> Shop:
    """Model v1 with an AUC of 0.8 and an ECE of 0.02, v2 with an AUC of 0.5, better than on its training rows."""
    rows = [
        ("v1", CHAMPION, "auc", 0.8, 0.78, 0.82),
        ("v1", CHAMPION, "auc_surplus", -0.01, -0.03, 0.01),
        ("v1", CHAMPION, "ece", 0.02, None, None),
        *(
            (version, CHAMPION, metric, 0.5, None, None)
            for version in ("v1", "v2")
            for metric in ("ks", "recall_at_capacity")
        ),
        *((version, CHAMPION, "psi", 0.05, None, None) for version in ("v1", "v2")),
        *((version, CHAMPION, "coverage", 1.0, None, None) for version in ("v1", "v2")),
        ("v1", "logistic", "auc_gain", 0.01, 0.0, 0.02),
        ("v2", CHAMPION, "auc", 0.5, 0.48, 0.52),
        ("v2", CHAMPION, "auc_surplus", 0.05, 0.03, 0.07),
        ("v2", CHAMPION, "ece", 0.02, None, None),
        ("v2", "logistic", "auc_gain", -0.2, -0.3, -0.1),
    ]
    with shop.warehouse() as connection:
        create_table(connection, default_library().contract("model_evaluation"), "model_evaluation")
        for version, model, metric, *interval in rows:
            connection.execute(
                "INSERT INTO model_evaluation VALUES (?, DATE '2024-05-01', 'eligible', ?, ?, ?, ?, ?)",
                [version, model, metric, *interval],
            )
    return shop


def missed(shop: Shop, version: str) -> list[str]:
    return [verdict.name for verdict in judge_candidate(shop, version) if not verdict.met]


def test_each_model_is_judged_by_its_own_rows(evaluated: Shop) -> None:
    assert missed(evaluated, "v1") == []
    assert missed(evaluated, "v2") == ["minimum_auc", "not_better_than_in_sample", "beats_baselines"]


def test_the_targets_are_those_of_the_home(evaluated: Shop, home: Home) -> None:
    text = "[targets]\nminimum_auc = 0.81\nmaximum_auc = 0.79\nmaximum_ece = 0.01\nbeats_baselines = false\n"
    home.definition_file.write_text(text, encoding="utf-8")
    assert missed(evaluated, "v1") == ["minimum_auc", "maximum_auc", "maximum_ece"]
    assert "beats_baselines" not in missed(evaluated, "v2")
    assert "not_better_than_in_sample" in missed(evaluated, "v2")
    home.definition_file.write_text('[targets]\nbetter_out_of_time_because = "a sale"\n', encoding="utf-8")
    assert "not_better_than_in_sample" not in missed(evaluated, "v2")


def test_what_was_judged_is_kept_under_the_run_or_as_a_promotion_that_a_person_asked_for(evaluated: Shop) -> None:
    judge_candidate(evaluated, "v1", run_id="run-1")
    judge_candidate(evaluated, "v2")
    with evaluated.warehouse() as connection:
        kept = connection.execute(
            "SELECT run_id, count(*), count(*) FILTER (status = 'failed') FROM quality_results"
            " WHERE table_name = 'model_evaluation' GROUP BY run_id ORDER BY run_id"
        ).fetchall()
    (promotion, *counted), run = kept
    assert promotion.startswith("promotion-v2-") and counted == [len(TARGETS), 3]
    assert run == ("run-1", len(TARGETS), 0)


def promote(shop: Shop, version: str, monkeypatch: pytest.MonkeyPatch) -> int:
    command = ["churn", "promote", version, "--by", "Ada", "--note", "good", "--home", str(shop.home.root)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def trained(evaluated: Shop) -> Shop:
    """Models v1 and v2 of `evaluated` as files, both candidates."""
    for version in ("v1", "v2"):
        train_candidate(
            FRAME,
            FEATURES,
            window_days=WINDOW_DAYS,
            name=version,
            definition_version=evaluated.definition.version,
            store=evaluated.models,
        )
        evaluated.registry.record(version, "candidate", actor="platform", at=evaluated.now(), reason="trained")
    return evaluated


def test_the_command_promotes_what_meets_its_targets_and_nothing_else(
    trained: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert promote(trained, "v2", monkeypatch) == 2
    said = capsys.readouterr().err
    assert "v2 misses its targets: minimum_auc is 0.5000, required ≥ 0.6" in said
    assert "not_better_than_in_sample is 0.0300, required ≤ 0, or explained" in said
    assert trained.registry.champion() is None
    assert promote(trained, "v1", monkeypatch) == 0
    assert trained.registry.champion() == "v1"


def test_a_definition_that_was_changed_after_the_training_refuses_the_promotion_until_it_is_restored(
    trained: Shop, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.definition_file.write_text("[churn]\nhorizon_days = 60\n", encoding="utf-8")
    assert promote(trained, "v1", monkeypatch) == 2
    said = capsys.readouterr().err
    assert "'v1' was trained for the product definition" in said and "Train for it with 'churn run'" in said
    assert trained.registry.champion() is None
    home.definition_file.write_text("[targets]\nminimum_auc = 0.7\n", encoding="utf-8")
    assert promote(trained, "v1", monkeypatch) == 0, "another target is no other definition"


def test_a_model_folder_with_a_changed_byte_is_not_promoted(
    trained: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = trained.models.folder / "v1" / "model.json"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"1", b"2", 1))
    assert promote(trained, "v1", monkeypatch) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "model.json has changed since the model was saved" in said and "from a backup" in said
    assert trained.registry.champion() is None
    file.write_bytes(content)
    assert promote(trained, "v1", monkeypatch) == 0


def test_a_model_that_was_not_evaluated_is_refused(evaluated: Shop) -> None:
    with pytest.raises(UsageError, match=r"Model 'v3' has not been evaluated\. Materialise model_evaluation"):
        judge_candidate(evaluated, "v3")


def test_before_the_first_evaluation_every_model_is_refused(shop: Shop) -> None:
    with pytest.raises(UsageError, match="Model 'v1' has not been evaluated"):
        judge_candidate(shop, "v1")
