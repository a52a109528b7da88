"""The report on two churn definitions side by side: one page to read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from churn_platform.core.definition_comparison import NOT_ELIGIBLE, STATUSES, Comparison
from churn_platform.reports.page import render_page, write_file

PAGE = "definition_comparison.html"


@dataclass(frozen=True)
class ComparisonReport:
    """Two definitions and what they say.

    Attributes:
        current, other: what stands in churn.toml → its value, in words.
        file: where the customers are listed whom the two do not say the same of.
        made_at: UTC.
    """

    source: str
    current: Mapping[str, str]
    other: Mapping[str, str]
    comparison: Comparison
    file: Path
    made_at: datetime


def write_report(report: ComparisonReport, folder: Path) -> Path:
    """Write the page, whole or not at all; return its path."""
    return write_file(folder / PAGE, render(report).encode())


def render(report: ComparisonReport) -> str:
    """The page: one file that asks nothing of the network."""
    return render_page(PAGE, report=report, statuses=STATUSES, neither=(NOT_ELIGIBLE, NOT_ELIGIBLE))
