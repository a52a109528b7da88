"""The page that compares two churn definitions, as text."""

from datetime import UTC, date, datetime
from pathlib import Path

from churn_platform.core.definition_comparison import STATUSES, Comparison, DefinitionFigures
from churn_platform.reports.definition_comparison import PAGE, ComparisonReport, render, write_report


def report(other_horizon: str = "<60>", *, shared: int = 30) -> ComparisonReport:
    customers = {(mine, theirs): 0 for mine in STATUSES for theirs in STATUSES}
    customers |= {("churned", "churned"): shared, ("stayed", "churned"): shared // 3, ("churned", "not eligible"): 1234}
    return ComparisonReport(
        source="tiny",
        current={"horizon_days": "90", "lead_days": "0"},
        other={"horizon_days": other_horizon, "lead_days": "0"},
        comparison=Comparison(
            (date(2024, 3, 1), date(2024, 4, 1)),
            DefinitionFigures(1290.0, 0.412, 0.3, 0.5, 0.25),
            DefinitionFigures(56.0, 0.5, 0.5, 0.5, None),
            customers,
        ),
        file=Path("reports/definition_comparison.parquet"),
        made_at=datetime(2025, 8, 1, 5, 30, tzinfo=UTC),
    )


def test_both_definitions_their_figures_and_who_changes_stand_on_the_page(tmp_path: Path) -> None:
    page = write_report(report(), tmp_path).read_text()
    assert (tmp_path / PAGE).exists()
    for told in ("25.0 %", "&lt;60&gt;", "41.2 %", "30.0 % … 50.0 %", "1,290", "1,234", "2 snapshots from 2024-03-01"):
        assert told in page, told
    assert page.count('<td class="changed">') == 1  # lead_days is the same in both


def test_nobody_in_common_is_told() -> None:
    assert "<strong>Nobody</strong>" in render(report(shared=0))
