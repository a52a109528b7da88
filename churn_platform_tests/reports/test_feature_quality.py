"""The page of the feature quality, as text; churn_platform_tests/browser opens it in Chromium."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from churn_platform.reports.feature_quality import PAGE, FeatureReport, Quality, render, write_report

HONEST = Quality(
    feature="recency_days",
    feature_table="user_features",
    feature_family="recency",
    coverage=1.0,
    auc=0.71,
    auc_ceiling=0.95,
    information_value=0.6,
    psi=0.02,
    correlation_group=None,
    meaning="days since the last activity",
)


def report(*features: Quality) -> FeatureReport:
    return FeatureReport(
        source="tiny <shop>",
        snapshots=8,
        newest=date(2025, 7, 31),
        made_at=datetime(2025, 8, 1, 5, 30, tzinfo=UTC),
        features=features,
        seconds={"user_features": 1.25, "basket_features": None},
    )


def test_an_honest_feature_is_told_with_its_figures() -> None:
    page = render(report(HONEST, replace(HONEST, feature="orders_7d", information_value=0.001, psi=0.4)))
    assert "No feature tells too much" in page
    assert "1 of 2 tell something" in page and "1 have moved" in page
    assert "days since the last activity" in page and "0.710" in page and "100.0 %" in page
    assert "tiny &lt;shop&gt;" in page and "tiny <shop>" not in page


def test_one_that_tells_too_much_is_named_with_what_to_do() -> None:
    page = render(report(HONEST, replace(HONEST, feature="left_on", auc=0.991)))
    assert "1 feature tells too much: no model is trained" in page
    assert "<code>left_on</code> has an AUC of 0.991" in page
    assert "leave it out of the mapping" in page


def test_groups_costs_and_what_the_source_lacks() -> None:
    twin = replace(HONEST, feature="any_event_recency_days", correlation_group="recency_days")
    lead = replace(HONEST, correlation_group="recency_days")
    lacking = replace(HONEST, feature="views_7d", coverage=0.0)
    page = render(report(lead, twin, lacking))
    assert page.count("<td><code>recency_days</code></td>") == 1
    assert "1 feature has no value in the labelled snapshots" in page and 'data-feature="views_7d"' not in page
    assert ">1.25<" in page and "not measured" in page


def test_no_feature_at_all_is_a_page_too(tmp_path: Path) -> None:
    assert write_report(report(), tmp_path) == tmp_path / PAGE
    assert "0 of 0 tell something" in (tmp_path / PAGE).read_text()
