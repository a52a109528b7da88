"""The feature-quality report of a home: one page to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from churn_platform.reports.page import render_page, write_file

PAGE = "feature_quality.html"
USELESS_BELOW, MOVED_ABOVE = 0.02, 0.25


@dataclass(frozen=True)
class Quality:
    """One feature: the columns of feature_quality, and what its contract says it means."""

    feature: str
    feature_table: str
    feature_family: str
    coverage: float
    auc: float
    auc_ceiling: float
    information_value: float
    psi: float
    correlation_group: str | None
    meaning: str

    @property
    def tells_too_much(self) -> bool:
        return self.auc > self.auc_ceiling

    @property
    def has_moved(self) -> bool:
        return self.psi > MOVED_ABOVE

    @property
    def is_absent(self) -> bool:
        """No labelled row has a value."""
        return self.coverage == 0


@dataclass(frozen=True)
class FeatureReport:
    """All features, the most informative first, and what their tables cost.

    Attributes:
        snapshots: labelled snapshots that were measured.
        newest: the snapshot to which the drift is taken.
        made_at: UTC.
        seconds: mean time to build a snapshot, by table; None where it was not measured.
    """

    source: str
    snapshots: int
    newest: date
    made_at: datetime
    features: Sequence[Quality]
    seconds: Mapping[str, float | None]


def write_report(report: FeatureReport, folder: Path) -> Path:
    """Write the page, whole or not at all; return its path."""
    return write_file(folder / PAGE, render(report).encode())


def render(report: FeatureReport) -> str:
    """The page: one file that asks nothing of the network."""
    known = [found for found in report.features if not found.is_absent]
    suspects = [found for found in known if found.tells_too_much]
    return render_page(
        PAGE,
        report=report,
        known=known,
        absent=[found for found in report.features if found.is_absent],
        suspects=suspects,
        useful=sum(found.information_value >= USELESS_BELOW for found in known),
        moved=sum(found.has_moved for found in known),
        most=max((found.information_value for found in known), default=1.0) or 1.0,
    )
