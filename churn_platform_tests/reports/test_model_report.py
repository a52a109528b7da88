"""Both pages of a model, as text; churn_platform_tests/browser opens them in Chromium."""

import html
import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from churn_platform.core.acceptance import Verdict
from churn_platform.core.churn_model import ALL_THREE, TrainingReport
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.tuning import Tuning
from churn_platform.reports.model_report import (
    FeaturePart,
    ModelReport,
    Windows,
    read_record,
    write_acceptance,
    write_presentation,
)
from churn_platform.reports.words import Language, words

FOLDS = (date(2025, 7, 1), date(2025, 4, 1), date(2025, 1, 1))
METRICS = {"auc": 0.78, "in_sample_auc": 0.8, "ks": 0.41, "ece": 0.03, "psi": 0.02, "coverage": 1.0, "users": 400.0}
TRAINING = TrainingReport(
    rows=12_345,
    churn_rate=0.38,
    first_snapshot=date(2024, 1, 1),
    last_snapshot=date(2025, 6, 1),
    snapshots=17,
    dropped_features=(),
    rounds=120,
    weights=ALL_THREE,
    chosen_by="purged validation",
    first_validation=date(2025, 3, 1),
    last_validation=date(2025, 6, 1),
    losses={"boosted": 0.55, "logistic": 0.56},
    without_bgnbd=None,
)


def fold(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 3, 400)
    return pl.DataFrame({"churned": (rng.random(400) < probability).astype(int), "probability": probability})


def report(*, met: bool = True, better_out_of_time: bool = False) -> ModelReport:
    rows = [
        {"fold": day, "model": model, "metric": metric, "value": value, "lower": None, "upper": None}
        for day in FOLDS
        for model in ("churn_model", "bgnbd")
        for metric, value in METRICS.items()
    ]
    rows += [
        {"fold": day, "model": "bgnbd", "metric": "auc_gain", "value": 0.02, "lower": 0.01, "upper": 0.03}
        for day in FOLDS
    ]
    evaluation = pl.DataFrame(rows, schema_overrides={"lower": pl.Float64, "upper": pl.Float64})
    if better_out_of_time:
        evaluation = evaluation.with_columns(
            value=pl.when(pl.col("metric") == "in_sample_auc").then(0.7).otherwise("value")
        )
    return ModelReport(
        version="abc123",
        source="tiny",
        definition_version="d1",
        windows=Windows(["purchase"], 180, 0, 90),
        training=TRAINING,
        parameters=BoostingParameters(),
        tuning=None,
        evaluation=evaluation,
        folds={day.isoformat(): fold(number) for number, day in enumerate(FOLDS)},
        features=[FeaturePart("recency_days", "recency", "user_features", "days since the last activity", 0.4)],
        effects={"recency_days": pl.DataFrame({"value": [1.0, 30.0, 90.0], "effect": [-0.5, 0.0, 0.9]})},
        seasonal=False,
        absent=8,
        feature_count=170,
        verdicts=[
            Verdict("minimum_auc", "0.7800", "≥ 0.6", met=met),
            Verdict("beats_baselines", "+0.0200 over bgnbd", "not below any baseline", met=True),
        ],
        made_at=datetime(2025, 7, 2, 5, 30, tzinfo=UTC),
    )


def history(*events: str) -> list[dict[str, object]]:
    when = datetime(2025, 7, 3)  # noqa: DTZ001 - as the registry has it
    return [{"event": event, "actor": "Ada <b>", "occurred_at": when, "reason": "good"} for event in events]


def pages(told: ModelReport, folder: Path, language: Language = "en", *events: str) -> tuple[str, str]:
    presentation = write_presentation(told, folder, language)
    acceptance = write_acceptance(told.record(), history("candidate", *events), folder, language)
    return presentation.read_text(), acceptance.read_text()


def test_the_presentation_tells_how_the_model_was_made_and_tested(tmp_path: Path) -> None:
    presentation, _ = pages(report(), tmp_path)
    for told in ("abc123", "12,345", "2024-01-01", "38.0 %", "boosted trees 33 %", "2025-03-01", "0.780", "BG/NBD",
                 "0.020 [0.010, 0.030]", "recency_days", "days since the last activity"):  # fmt: skip
        assert told in presentation, told


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_presentation_says_which_parameters_and_who_chose_them(language: Language, tmp_path: Path) -> None:
    default, _ = pages(report(), tmp_path, language)
    assert "learning_rate 0.03, max_depth 3, subsample 0.6, colsample_bytree 0.4, reg_lambda 10" in default
    assert html.escape(words(language)["parameters_default"], quote=True).replace("&#x27;", "&#39;") in default
    found = Tuning(
        parameters=BoostingParameters(max_depth=5, reg_lambda=31.62),
        trials=40,
        rows=900,
        first_validation=date(2024, 10, 1),
        last_validation=date(2024, 11, 1),
        default_loss=0.6,
        loss=0.59,
        gain=0.0123,
        standard_error=0.0034,
    )
    tuned, _ = pages(replace(report(), parameters=found.parameters, tuning=found), tmp_path, language)
    assert "max_depth 5" in tuned and "reg_lambda 31.6" in tuned
    for told in ("churn tune", "40", "2024-10-01", "2024-11-01", "0.0123", "0.0034"):
        assert told in tuned, told
    assert "2024-10-01" not in default


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_chart_is_an_image_inside_the_page_in_its_language(language: Language, tmp_path: Path) -> None:
    presentation, _ = pages(report(), tmp_path, language)
    images = dict(
        re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"[^>]*data-(?:chart|effect)="(\w+)"', presentation)
    )
    by_name = {name: b64decode(drawn).decode() for drawn, name in images.items()}
    assert set(by_name) == {"roc", "gain_curve", "lift", "separation", "reliability", "distribution", "recency_days"}
    assert all(drawn.startswith("<svg") for drawn in by_name.values())
    assert words(language)["false_positive_rate"] in by_name["roc"]
    for day in FOLDS:
        assert day.isoformat() in by_name["roc"]
    assert not re.search(r'(src|href)="(?!data:)', presentation), "nothing is asked of the network"


@pytest.mark.parametrize(
    ("met", "events", "level", "status"),
    [
        (False, [], "fail", "status_missed"),
        (True, [], "warn", "status_waiting"),
        (True, ["accepted", "champion"], "pass", "status_signed"),
        (True, ["accepted", "champion", "rolled_back"], "warn", "status_rolled_back"),
        (True, ["accepted", "champion", "rolled_back", "champion"], "pass", "status_signed"),
    ],
)
def test_the_acceptance_says_where_the_model_stands(
    met: bool, events: list[str], level: str, status: str, tmp_path: Path
) -> None:
    _, acceptance = pages(report(met=met), tmp_path, "en", *events)
    assert f'class="banner {level}"' in acceptance and words("en")[status] in acceptance
    assert ("churn promote abc123" in acceptance) is (status != "status_signed")
    assert acceptance.count('class="badge fail"') == (0 if met else 1)
    assert "0.7800" in acceptance and "≥ 0.6" in acceptance
    assert "Ada &lt;b&gt;" in acceptance and "2025-07-03" in acceptance


def test_what_was_judged_is_kept_and_a_later_page_tells_the_same(tmp_path: Path) -> None:
    record = report().record()
    first = write_acceptance(record, history("candidate"), tmp_path, "en").read_text()
    kept = read_record(tmp_path)
    assert kept == record
    assert write_acceptance(kept, history("candidate"), tmp_path, "en").read_text() == first
    assert read_record(tmp_path / "elsewhere") is None


def test_limits_are_told_and_a_model_that_is_better_out_of_time_asks_for_an_explanation(tmp_path: Path) -> None:
    _, usual = pages(report(), tmp_path)
    assert "8 of 170 features are empty" in usual and "how the season moves" in usual
    assert "better than on its own training rows" not in usual
    _, unusual = pages(report(better_out_of_time=True), tmp_path)
    assert "better than on its own training rows at 2025-07-01, 2025-04-01, 2025-01-01" in unusual
    two = replace(report(), evaluation=report().evaluation.filter(pl.col("fold") != FOLDS[0]))
    assert "Only 2 out-of-time folds" in pages(two, tmp_path)[1]


def test_chinese_pages_say_so_and_hold_no_english_sentence(tmp_path: Path) -> None:
    for page in pages(report(), tmp_path, "zh", "accepted", "champion"):
        assert '<html lang="zh-CN">' in page
        for key in ("presentation_lead", "acceptance_lead", "features_text", "limit_cause", "sign_off"):
            assert words("en")[key] not in page
    presentation, acceptance = pages(report(), tmp_path, "zh")
    assert "模型宣讲" in presentation and "模型验收" in acceptance and "达成" in acceptance
