"""The page of the survival view, as text."""

import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from markupsafe import escape

from churn_platform.reports.survival import PAGE, SurvivalReport, render, write_report
from churn_platform.reports.words import Language, words

FOLD = date(2025, 7, 1)


def forecast(*, known_until: int = 180, reason: str | None = None) -> pl.DataFrame:
    """Two customers a band, in no order; active falls with the band and the days."""
    rows = []
    for level, band in enumerate(("critical", "low", "high")):
        for number, user in enumerate(("a", "b")):
            start = 0.9 - 0.2 * level - 0.1 * number
            active = {
                f"active_{days}d": start * 0.9 ** (days / 30) if days <= known_until else None
                for days in (0, 30, 60, 90, 180)
            }
            rows.append({"user_id": f"{band} {user}", "risk_band": band, "reason": reason, **active})
    return pl.DataFrame(rows, infer_schema_length=None)


def evaluation() -> pl.DataFrame:
    rows = [
        ("abc", FOLD, horizon, model, metric, 0.25, 0.2, 0.3)
        for horizon in (30, 60)
        for model in ("survival_view", "survival_marginal_hazards", "survival_marginal")
        for metric in ("auc", "brier", "log_loss", "ece")
    ] + [
        ("abc", FOLD, horizon, "survival_view", metric, value, None, None)
        for horizon in (30, 60)
        for metric, value in (("users", 1234.0), ("churn_rate", 0.456))
    ]
    columns = ["model_version", "fold", "horizon_days", "model", "metric", "value", "lower", "upper"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def predictions() -> pl.DataFrame:
    probability = np.random.default_rng(0).random(300)
    one = pl.DataFrame({"fold": FOLD, "churned": (probability > 0.5).astype(float), "probability": probability})
    return pl.concat([one.with_columns(horizon_days=pl.lit(days, dtype=pl.Int32)) for days in (30, 60)])


REPORT = SurvivalReport(
    source="tiny <shop>",
    snapshot=date(2025, 12, 31),
    forecast=forecast(),
    evaluation=evaluation(),
    predictions=predictions(),
    made_at=datetime(2025, 12, 31, 5, tzinfo=UTC),
)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_tells_everything_in_its_language_and_asks_nothing_of_the_network(language: Language) -> None:
    page = render(REPORT, language)
    told = words(language)
    for key in ("survival", "survival_curves", "survival_tests", "survival_tests_text", "band_critical", "ece"):
        assert escape(told[key]) in page, key
    assert f'lang="{told["html_language"]}"' in page
    assert "tiny &lt;shop&gt;" in page
    assert set(re.findall(r'data-chart="(\w+)"', page)) == {"survival_curves", "reliability_30", "reliability_60"}
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    drawn = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert all(b64decode(image).startswith(b"<svg") for image in drawn) and len(drawn) == 3


def test_the_means_of_each_band_the_lowest_risk_first() -> None:
    assert [(band, customers) for band, customers, _ in REPORT.bands] == [("low", 2), ("high", 2), ("critical", 2)]
    low = REPORT.bands[0][2]
    assert low[:2] == pytest.approx([0.65, 0.65 * 0.9])
    assert re.search(r'data-band="low">.*65\.0 %.*58\.5 %', render(REPORT, "en"))


def test_every_tested_horizon_has_its_figures_beside_both_baselines() -> None:
    page = render(REPORT, "en")
    tests = re.findall(r'data-test="([^"]+)"', page)
    assert tests == [
        f"{FOLD} {horizon} {model}"
        for horizon in (30, 60)
        for model in ("survival_view", "survival_marginal_hazards", "survival_marginal")
    ]
    assert "Customers: 1,234, churned by then: 45.6 %" in page
    assert page.count("0.250 [0.200, 0.300]") == 2 * 3 * 3


def test_what_is_unknown_is_a_dash_with_its_reason() -> None:
    page = render(replace(REPORT, forecast=forecast(known_until=90, reason="days 90 to 180: too young")), "en")
    assert page.count("–</td>") == 3
    assert "Limits: days 90 to 180: too young</p>" in page
    assert "Limits:" not in render(REPORT, "en")


@pytest.mark.parametrize("tested", [None, evaluation().clear()])
def test_before_any_test_the_page_says_so(tested: pl.DataFrame | None) -> None:
    page = render(replace(REPORT, evaluation=tested, predictions=None), "en")
    assert words("en")["survival_untested"] in page
    assert re.findall(r'data-chart="(\w+)"', page) == ["survival_curves"]


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    written = write_report(REPORT, tmp_path, "en")
    assert written.name == PAGE and written.read_text().startswith("<!doctype html>")
