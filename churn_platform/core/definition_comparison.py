"""What another churn definition would change: who is eligible, who counts as churned, and who is labelled otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import polars as pl

from churn_platform.core.snapshots import History, SnapshotPlan, Windows
from churn_platform.errors import NotEnoughData

Side = Literal["current", "other"]

CHURNED, STAYED, NOT_ELIGIBLE = "churned", "stayed", "not eligible"
STATUSES = (CHURNED, STAYED, NOT_ELIGIBLE)


@dataclass(frozen=True)
class DefinitionFigures:
    """One definition over the snapshots compared.

    Attributes:
        eligible: mean customers per snapshot.
        churn_rate: mean over the snapshots on which anybody is eligible; lowest and highest are over the same.
        came_back: of those called churned, the share with an activity after the window, by today; None of nobody.
    """

    eligible: float
    churn_rate: float
    lowest: float
    highest: float
    came_back: float | None


@dataclass(frozen=True)
class Comparison:
    """Two definitions on the same snapshots.

    Attributes:
        customers: (status by the current definition, status by the other) → customers, summed over the snapshots;
            statuses are CHURNED, STAYED and NOT_ELIGIBLE.
    """

    snapshots: tuple[date, ...]
    current: DefinitionFigures
    other: DefinitionFigures
    customers: Mapping[tuple[str, str], int]

    @property
    def other_label(self) -> float | None:
        """Of the customers whom both call eligible, the share with another label; None of nobody."""
        both = {pair: found for pair, found in self.customers.items() if NOT_ELIGIBLE not in pair}
        changed = sum(found for (current, other), found in both.items() if current != other)
        return changed / sum(both.values()) if sum(both.values()) else None


def comparable_snapshots(plan: SnapshotPlan, history: History, current: Windows, other: Windows) -> list[date]:
    """The snapshots with labels that have the lookback of both definitions before them and both windows behind them.

    Raises:
        NotEnoughData: there is none.
    """
    lookback = timedelta(days=max(current.lookback, other.lookback))
    earliest = history.first_day + lookback
    found = [
        snapshot
        for snapshot in plan.examined
        if snapshot >= earliest and max(current.label_end(snapshot), other.label_end(snapshot)) <= plan.newest
    ]
    if not found:
        ends = [max(windows.lead + windows.horizon for windows in (current, other)), lookback.days]
        raise NotEnoughData(
            f"No snapshot has {ends[1]} days of history before it and {ends[0]} days after it, which the two "
            f"definitions need; the history reaches from {history.first_day} to {history.watermark}. "
            "Compare with shorter windows, or load a longer history."
        )
    return found


def compare(counts: pl.DataFrame) -> Comparison:
    """The comparison of one or more snapshots.

    Args:
        counts: grain (snapshot_date, current, other) with the statuses of `STATUSES`, and customers, current_came_back
            and other_came_back: how many customers are so, and how many of them came back by either definition.
    """
    totals = counts.group_by("current", "other").agg(pl.col("customers").sum())
    pairs = {(row["current"], row["other"]): int(row["customers"]) for row in totals.iter_rows(named=True)}
    return Comparison(
        snapshots=tuple(counts["snapshot_date"].unique().sort().to_list()),
        current=_figures(counts, "current"),
        other=_figures(counts, "other"),
        customers={(mine, theirs): pairs.get((mine, theirs), 0) for mine in STATUSES for theirs in STATUSES},
    )


def _figures(counts: pl.DataFrame, side: Side) -> DefinitionFigures:
    by_snapshot = (
        counts.filter(pl.col(side) != NOT_ELIGIBLE)
        .group_by("snapshot_date")
        .agg(
            eligible=pl.col("customers").sum(),
            churned=pl.col("customers").filter(pl.col(side) == CHURNED).sum(),
            came_back=pl.col(f"{side}_came_back").sum(),
        )
    )
    if by_snapshot.is_empty():
        raise NotEnoughData(f"Nobody is eligible by the {side} definition on the snapshots compared.")
    rates = (by_snapshot["churned"] / by_snapshot["eligible"]).to_numpy()
    churned = int(by_snapshot["churned"].sum())
    return DefinitionFigures(
        eligible=float(by_snapshot["eligible"].sum()) / counts["snapshot_date"].n_unique(),
        churn_rate=float(rates.mean()),
        lowest=float(rates.min()),
        highest=float(rates.max()),
        came_back=int(by_snapshot["came_back"].sum()) / churned if churned else None,
    )
