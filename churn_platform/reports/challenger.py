"""The report on the challenger: what would change on the day it is promoted, and who was right so far."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from churn_platform.core.challenger import OUTCOME_METRICS
from churn_platform.core.reason_words import Language
from churn_platform.reports.page import render_page, write_file
from churn_platform.reports.words import words

PAGE = "challenger.html"
BANDS = ("low", "medium", "high", "critical")
MOST_SNAPSHOTS = 30


@dataclass(frozen=True)
class ChallengerReport:
    """What the page shows.

    Attributes:
        challenger: its version; None where the newest candidate is the champion.
        why: why it was not scored at `snapshot`; empty where it was.
        comparison: rows of challenger_comparison, the newest first.
        moves: of `snapshot`: champion_band, challenger_band, customers.
        capacity: how many customers a campaign reaches.
        made_at: UTC.
    """

    source: str
    snapshot: date
    challenger: str | None
    why: str
    comparison: pl.DataFrame
    moves: pl.DataFrame
    capacity: int
    made_at: datetime

    @property
    def today(self) -> dict[str, object] | None:
        """The comparison at `snapshot`; None where nothing was scored in the shadow."""
        found = self.comparison.filter(pl.col("snapshot_date") == self.snapshot)
        return found.row(0, named=True) if found.height else None

    @property
    def matured(self) -> list[dict[str, object]]:
        """The snapshots whose labels have closed, the newest first."""
        return self.comparison.filter("matured").head(MOST_SNAPSHOTS).to_dicts()

    def moved(self, before: str, after: str) -> int:
        """Customers of one band who would be in another."""
        found = self.moves.filter(champion_band=before, challenger_band=after)
        return int(found["customers"].sum())


def write_report(report: ChallengerReport, folder: Path, language: Language) -> Path:
    """Write the page, whole or not at all; return its path."""
    page = render_page(
        PAGE, report=report, t=words(language), bands=BANDS, metrics=OUTCOME_METRICS, most=MOST_SNAPSHOTS
    )
    return write_file(folder / PAGE, page.encode())
