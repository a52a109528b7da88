"""The report of the churn-definition lab: one page to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from churn_platform.core.definition_lab import HorizonSummary, Recommendation
from churn_platform.reports.page import render_page, write_file

PAGE = "definition_lab.html"


@dataclass(frozen=True)
class DefinitionReport:
    """What each horizon would have meant.

    Attributes:
        current_horizon, lookback_days, lead_days: of churn.toml.
        horizons: over all customers, ascending.
        slices: kind of slice → slice → its summary at the current horizon, the largest slices first.
        made_at: UTC.
    """

    source: str
    definition_version: str
    current_horizon: int
    lookback_days: int
    lead_days: int
    horizons: Sequence[HorizonSummary]
    slices: Mapping[str, Mapping[str, HorizonSummary]]
    recommendation: Recommendation
    made_at: datetime


def write_report(report: DefinitionReport, folder: Path) -> Path:
    """Write the page, whole or not at all; return its path."""
    return write_file(folder / PAGE, render(report).encode())


def render(report: DefinitionReport) -> str:
    """The page: one file that asks nothing of the network."""
    agrees = report.recommendation.horizon_days in (None, report.current_horizon)
    return render_page(PAGE, report=report, agrees=agrees)
