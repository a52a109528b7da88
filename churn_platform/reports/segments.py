"""The report on segments: who they are, how large, and who moved between them."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from churn_platform.reports.page import render_page, write_file

PAGE = "segments.html"
NO_PURCHASE_YET = "no purchase yet"  # from_segment of a first purchase, as segment_moves.sql writes it


@dataclass(frozen=True)
class SegmentReport:
    """What the page shows.

    Attributes:
        sizes: segment, description, customers; the largest first.
        traits: of `segment_traits`: segment, trait, typical_value, standing, fitted_on.
        moves: of `segment_moves`: compared_with, from_segment, to_segment, customers; the largest first.
        made_at: UTC.
    """

    source: str
    snapshot: date
    sizes: pl.DataFrame
    traits: pl.DataFrame
    moves: pl.DataFrame
    made_at: datetime

    @property
    def total(self) -> int:
        return int(self.sizes["customers"].sum())

    @property
    def trait_names(self) -> list[str]:
        return self.traits["trait"].unique(maintain_order=True).to_list()

    def trait(self, segment: str, name: str) -> dict[str, object]:
        """The row of one trait of one segment."""
        return self.traits.row(by_predicate=(pl.col("segment") == segment) & (pl.col("trait") == name), named=True)

    @property
    def moved_share(self) -> float:
        """The share of the customers compared who are in another segment now."""
        compared = self.moves.filter(pl.col("from_segment") != NO_PURCHASE_YET)
        moved = compared.filter(pl.col("from_segment") != pl.col("to_segment"))
        return int(moved["customers"].sum()) / max(int(compared["customers"].sum()), 1)


def write_report(report: SegmentReport, folder: Path) -> Path:
    """Write the page, whole or not at all; return its path."""
    return write_file(folder / PAGE, render(report).encode())


def render(report: SegmentReport) -> str:
    """The page: one file that asks nothing of the network."""
    return render_page(PAGE, report=report)
