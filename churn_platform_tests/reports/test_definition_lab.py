"""The page of the churn-definition lab, as text; churn_platform_tests/browser opens it in Chromium."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn_platform.core.definition_lab import HorizonSummary, Recommendation
from churn_platform.reports.definition_lab import PAGE, DefinitionReport, render, write_report


def summary(horizon: int, late: float | None = 0.25) -> HorizonSummary:
    return HorizonSummary(horizon, 7, 0.4, 0.31, 0.52, 0.17, late, 33.0, 0.125)


def report(recommended: int | None) -> DefinitionReport:
    return DefinitionReport(
        source="tiny",
        definition_version="d1",
        current_horizon=60,
        lookback_days=120,
        lead_days=0,
        horizons=[summary(30), summary(60), summary(90, None)],
        slices={"loyalty": {"1 order": summary(60)}, "category": {}},
        recommendation=Recommendation(recommended, "because of <this>"),
        made_at=datetime(2025, 8, 1, 5, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("recommended", "level", "told"),
    [
        (60, "pass", "60 days, as churn.toml has it"),
        (30, "warn", "30 days, where churn.toml has 60"),
        (None, "pass", "Nothing to recommend yet"),
    ],
)
def test_the_recommendation_stands_against_the_definition(recommended: int | None, level: str, told: str) -> None:
    page = render(report(recommended))
    assert f'class="banner {level}"' in page and told in page and "because of &lt;this&gt;" in page


def test_every_horizon_is_a_row_and_the_present_one_stands_out(tmp_path: Path) -> None:
    page = write_report(report(60), tmp_path).read_text()
    assert (tmp_path / PAGE).exists()
    assert page.count("<tr data-horizon=") == 3 and page.count('class="current"') == 1
    for told in ("40 %", "31 % … 52 %", "17 %", "25 %", "33 days", "12 %", "not seen yet", "1 order"):
        assert told in page, told
