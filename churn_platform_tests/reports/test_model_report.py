"""Both pages of a model, as text; churn_platform_tests/browser opens them in Chromium."""

import html
import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from churn_platform.core.acceptance import Verdict
from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.churn_model import ALL_THREE, TrainingReport
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.reason_words import Language
from churn_platform.core.tuning import Tuning
from churn_platform.orchestration.feature_tables import described_features
from churn_platform.orchestration.model_reports import described_part
from churn_platform.reports.model_report import (
    RECORD,
    FeaturePart,
    ModelReport,
    Windows,
    read_record,
    write_acceptance,
    write_presentation,
)
from churn_platform.reports.words import words
from churn_platform_tests.reports.english_words import english_words

FOLDS = (date(2025, 7, 1), date(2025, 4, 1), date(2025, 1, 1))
METRICS = {"auc": 0.78, "in_sample_auc": 0.8, "out_of_sample_auc": 0.791, "ks": 0.41, "ece": 0.03, "psi": 0.02,
           "in_sample_ks": 0.45, "out_of_sample_ks": 0.43, "log_loss": 0.52, "in_sample_log_loss": 0.49,
           "coverage": 1.0, "users": 400.0}  # fmt: skip
ON_ALL = {"auc": 0.841, "users": 1600.0}
IN_SEGMENTS = {
    "active": {"users": 250.0, "churn_rate": 0.31, "auc": 0.76},
    "lost": {"users": 1200.0, "churn_rate": 1.0},
}
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
        {"fold": day, "population": population, "model": model, "metric": metric, "value": value}
        | {"lower": None, "upper": None}
        for day in FOLDS
        for model in ("churn_model", "bgnbd")
        for population, figures in (("eligible", METRICS), ("all", ON_ALL))
        for metric, value in figures.items()
    ]
    rows += [
        {"fold": day, "population": "eligible", "model": "bgnbd", "metric": "auc_gain", "value": 0.02}
        | {"lower": 0.01, "upper": 0.03}
        for day in FOLDS
    ]
    segments = [
        {"fold": day, "segment": segment, "metric": metric, "value": value, "lower": None, "upper": None}
        for day in FOLDS
        for segment, figures in IN_SEGMENTS.items()
        for metric, value in figures.items()
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
        available_rows=TRAINING.rows,
        parameters=BoostingParameters(),
        tuning=None,
        evaluation=evaluation,
        segments=pl.DataFrame(segments),
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


def test_each_metric_tells_its_gain_over_the_baseline_that_is_best_in_it(tmp_path: Path) -> None:
    whole = report()
    worse_but_honest = pl.col("metric").replace_strict({"auc": 0.3, "ece": 0.01}, default=pl.col("value"))
    rival = whole.evaluation.filter(model="bgnbd").with_columns(model=pl.lit("logistic"), value=worse_but_honest)
    gain = whole.evaluation.filter(metric="auc_gain").with_columns(metric=pl.lit("ece_gain"), value=0.04)
    told = replace(
        whole, evaluation=pl.concat([whole.evaluation, gain, rival, gain.with_columns(model=pl.lit("logistic"))])
    )
    assert told.best_baseline("auc") == "bgnbd"
    assert told.best_baseline("ece") == "logistic"
    assert told.best_baseline("calibration_slope") is None
    presentation, _ = pages(told, tmp_path)
    assert "Gain of the churn model over the best baseline: BG/NBD" in presentation
    assert "Gain of the churn model over the best baseline: logistic regression, plain windows" in presentation
    assert "0.040 [0.010, 0.030]" in presentation


def test_the_sign_off_block_bears_the_last_signature_and_waits_for_one_until_then(tmp_path: Path) -> None:
    _, waiting = pages(report(), tmp_path)
    _, signed = pages(report(), tmp_path, "en", "accepted", "champion")
    _, taken_back = pages(report(), tmp_path, "en", "accepted", "champion", "rolled_back")
    block = '<span class="written" translate="no">{}</span>{}'
    for label, name, day in ((signed, "Ada &lt;b&gt;", "2025-07-03"), (waiting, "", ""), (taken_back, "", "")):
        assert block.format(name, "Name") in label
        assert block.format(day, "Date") in label


def test_features_that_never_varied_are_named(tmp_path: Path) -> None:
    varied = replace(report(), training=replace(TRAINING, dropped_features=()))
    still = replace(report(), training=replace(TRAINING, dropped_features=("views_30d", "opted_out")))
    assert "views_30d, opted_out" in pages(still, tmp_path)[0]
    assert 'data-part="dropped"' not in pages(varied, tmp_path)[0]


def test_the_presentation_tells_how_the_model_was_made_and_tested(tmp_path: Path) -> None:
    presentation, _ = pages(report(), tmp_path)
    for told in ("abc123", "12,345", "2024-01-01", "38.0 %", "boosted trees 33 %", "2025-03-01", "0.780", "BG/NBD",
                 "0.020 [0.010, 0.030]", "recency_days", "days since the last activity"):  # fmt: skip
        assert told in presentation, told


def rows_of(page: str, table: str) -> dict[str, list[str]]:
    """The first cell of every row of a table → the others."""
    _, after = page.split(f"<table {table}>")
    body = after[after.index("<tbody>") : after.index("</table>")]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tr")[1:]]
    return {name: others for name, *others in cells}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_populations_and_the_stages_have_figures_of_their_own(language: Language, tmp_path: Path) -> None:
    presentation, _ = pages(report(), tmp_path, language)
    told = words(language)
    assert rows_of(presentation, 'data-metric="auc"')[told["churn_model"]] == ["0.780"] * 3
    everyone = rows_of(presentation, 'data-table="everyone"')
    assert everyone[told["auc"]] == ["0.841"] * 3 and everyone[told["users"]] == ["1,600"] * 3
    assert list(rows_of(presentation, 'data-table="side_by_side"').values())[:3] == [
        ["0.800"] * 3, ["0.791"] * 3, ["0.780"] * 3,
    ]  # fmt: skip
    stages = rows_of(presentation, 'data-segments="2025-07-01"')
    assert stages == {
        told["stage_active"]: ["250", "0.310", "", "0.760", ""],
        told["stage_lost"]: ["1,200", "1.000", "", "", ""],
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_metric_stands_side_by_side_as_the_mean_of_the_folds(language: Language, tmp_path: Path) -> None:
    told, at_newest = words(language), (pl.col("fold") == FOLDS[0]) & (pl.col("population") == "eligible")
    whole = report()
    moved = whole.evaluation.with_columns(
        value=pl.when(at_newest & (pl.col("metric") == "ks")).then(0.56).otherwise("value")
    )
    lacking = moved.filter(~(at_newest & (pl.col("metric") == "out_of_sample_ks")))
    page, _ = pages(replace(whole, evaluation=moved), tmp_path, language)
    side_by_side = page[page.index('data-table="metrics_side_by_side"') :]
    heads = re.findall(r"<th [^>]*>(.*?)</th>", side_by_side[: side_by_side.index("</thead>")])
    assert heads == ["", told["in_sample"], told["out_of_sample"], told["out_of_time"]]
    rows = rows_of(page, 'data-table="metrics_side_by_side"')
    assert rows == {
        told["auc"]: ["0.800", "0.791", "0.780"],
        told["ks"]: ["0.450", "0.430", "0.460"],
        told["pr_auc"]: ["", "", ""],
        told["log_loss"]: ["0.490", "", "0.520"],
        told["brier"]: ["", "", ""],
        told["ece"]: ["", "", "0.030"],
    }
    partly, _ = pages(replace(whole, evaluation=lacking), tmp_path, language)
    assert rows_of(partly, 'data-table="metrics_side_by_side"')[told["ks"]] == ["0.450", "", "0.460"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_presentation_says_how_many_rows_were_left_out(language: Language, tmp_path: Path) -> None:
    whole, _ = pages(report(), tmp_path, language)
    assert "training.maximum_rows" not in whole
    sampled, _ = pages(replace(report(), available_rows=1_234_567), tmp_path, language)
    assert words(language)["of_available"].format("1,234,567") in sampled


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


@pytest.mark.parametrize(("language", "told"), [("en", "not clearly better than"), ("zh", "并未明显优于")])
def test_a_model_that_does_not_clearly_beat_the_best_baseline_says_at_which_folds(
    language: Language, told: str, tmp_path: Path
) -> None:
    clear = report()
    assert not any(told in page for page in pages(clear, tmp_path, language))
    lower = pl.when(metric="auc_gain", fold=FOLDS[1]).then(0.0).otherwise("lower").alias("lower")
    unclear = replace(clear, evaluation=clear.evaluation.with_columns(lower))
    for page in pages(unclear, tmp_path, language):
        [limit] = [line for line in page.split("<li>") if told in line]
        assert words(language)["bgnbd"] in limit
        assert [str(day) in limit.split("</li>")[0] for day in FOLDS] == [False, True, False]


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


def everything() -> ModelReport:
    """With as many of the project's features as a page shows, and what the platform notes in English."""
    names = list(described_features())[:: len(described_features()) // 24]
    parts = [described_part(name, 0.1) for name in (BGNBD, *names)]
    missing = Verdict("minimum_ks", "not measured yet: run churn run", "≥ 0.1", met=False)
    unexplained = "≤ 0, or explained: as better_out_of_time_because in [targets] of churn.toml"
    better = Verdict("not_better_than_in_sample", "0.0100", unexplained, met=False)
    told = report(better_out_of_time=True)
    return replace(told, available_rows=1_234_567, features=parts, verdicts=[*told.verdicts, missing, better])


def platforms_history() -> list[dict[str, object]]:
    notes = {"candidate": "trained on 123 rows of 4 snapshots", "champion": "meets every target; auto_accept = true"}
    return [
        {"event": event, "actor": "platform", "occurred_at": datetime(2025, 7, 3), "reason": note}  # noqa: DTZ001
        for event, note in notes.items()
    ]


def all_pages(told: ModelReport, folder: Path, language: Language) -> str:
    presentation = write_presentation(told, folder, language)
    acceptance = write_acceptance(told.record(), [*platforms_history(), *history("accepted")], folder, language)
    return presentation.read_text() + acceptance.read_text()


def test_a_chinese_page_holds_english_in_names_only(tmp_path: Path) -> None:
    told = everything()
    first, *others = told.features
    assert english_words(all_pages(told, tmp_path, "zh")) == []
    assert len(set(english_words(all_pages(told, tmp_path, "en")))) > 200
    planted = replace(told, features=[replace(first, meaning_zh="最近 days ago"), *others])
    assert english_words(all_pages(planted, tmp_path, "zh")) == ["days", "ago"] * 2


def test_english_in_images_counts_and_identifiers_and_terms_do_not() -> None:
    image = b64encode(b'<svg><text x="1">lift</text><text>recency_days</text></svg>').decode()
    assert english_words(f'<p>AUC <code>purchase</code> 流失<img src="data:image/svg+xml;base64,{image}">') == ["lift"]
    assert english_words('<style>p {}</style><td translate="no">Ada</td><td>Ada</td>') == ["Ada"]


@pytest.mark.parametrize(("language", "told"), [("en", ["yes", "no"]), ("zh", ["是", "否"])])
def test_both_pages_say_which_features_can_be_acted_on(language: Language, told: list[str], tmp_path: Path) -> None:
    parts = [described_part(name, 0.1) for name in ("return_recency_days", "tenure_days")]
    presentation, acceptance = pages(replace(report(), features=parts), tmp_path, language)
    for page in (presentation, acceptance):
        rows = [row for row in page.split("<tr")[1:] if any(f"<code>{part.feature}</code>" in row for part in parts)]
        assert [[cell for cell in told if f"<td>{cell}</td>" in row] for row in rows] == [[cell] for cell in told]
        assert words(language)["actionable"] in page


def test_a_record_of_an_earlier_version_is_told_in_english_and_says_nothing_of_acting(tmp_path: Path) -> None:
    write_acceptance(report().record(), history("candidate"), tmp_path, "en")
    file = tmp_path / RECORD
    kept = json.loads(file.read_text())
    for part in kept["features"]:
        for later in ("family_zh", "meaning_zh", "actionable"):
            del part[later]
    file.write_text(json.dumps(kept))
    earlier = read_record(tmp_path)
    assert earlier is not None
    page = write_acceptance(earlier, history("candidate"), tmp_path, "zh").read_text()
    assert "<td>days since the last activity</td><td></td>" in page
