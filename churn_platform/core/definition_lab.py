"""What a churn horizon means in practice, and which one to take: who of those called churned comes back, how soon."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

# Of all who come back, at most one in five may do so after the horizon, as in churn init.
MOST_LATE_RETURNS: Final = 0.2


@dataclass(frozen=True)
class HorizonSummary:
    """One horizon over the snapshots that it has passed for.

    Attributes:
        snapshots: how many.
        churn_rate: mean over them; lowest and highest show how it moves with the calendar.
        come_back: of those called churned, the share that came back by the end of the longest horizon.
        late_returns: of all customers who came back by then, the share that did so after this horizon. Both are over
            the snapshots that the longest horizon has passed for, and None of nobody.
        median_days_until_back: of those called churned who came back by today, the median of the snapshots' medians;
            None if nobody.
        other_label: share of the customers that the current horizon labels otherwise, on the snapshots both passed for;
            None where there is none.
    """

    horizon_days: int
    snapshots: int
    churn_rate: float
    lowest: float
    highest: float
    come_back: float | None
    late_returns: float | None
    median_days_until_back: float | None
    other_label: float | None


@dataclass(frozen=True)
class Recommendation:
    """The horizon to take and why, in a sentence; None where the history shows nothing."""

    horizon_days: int | None
    reason: str


def summarise(lab: pl.DataFrame, current_horizon: int) -> list[HorizonSummary]:
    """One summary per horizon, ascending.

    Args:
        lab: the rows of the table definition_lab of one slice.
        current_horizon: the horizon of churn.toml; compared with where it is among those tried.
    """
    current = lab.filter(horizon_days=current_horizon).select("snapshot_date", labelled="churned")
    longest = lab.filter(pl.col("horizon_days") == pl.col("horizon_days").max()).select("snapshot_date", gone="churned")
    summaries = []
    for (horizon,), rows in lab.sort("horizon_days").group_by("horizon_days", maintain_order=True):
        rates = rows["churned"] / rows["eligible"]
        seen = rows.join(longest, on="snapshot_date")
        late = seen["churned"] - seen["gone"]
        both = rows.join(current, on="snapshot_date")
        # of two horizons the longer calls churned a part of those whom the shorter does
        differing = (both["churned"] - both["labelled"]).abs()
        summaries.append(
            HorizonSummary(
                horizon_days=int(str(horizon)),
                snapshots=rows.height,
                churn_rate=float(rates.to_numpy().mean()),
                lowest=float(rates.to_numpy().min()),
                highest=float(rates.to_numpy().max()),
                come_back=_share(late, seen["churned"]),
                late_returns=_share(late, seen["eligible"] - seen["gone"]),
                median_days_until_back=_median(rows["median_days_until_back"]),
                other_label=_share(differing, both["eligible"]),
            )
        )
    return summaries


def recommend(summaries: Sequence[HorizonSummary]) -> Recommendation:
    """The shortest horizon after which at most one in five of all returns come.

    A shorter one calls many churned who are only slow; a longer one finds out later.
    """
    known = [found for found in summaries if found.late_returns is not None]
    if len(known) < 2:
        return Recommendation(None, "The history is too short to see who of those called churned comes back.")
    # after the longest nobody comes back, so that there always is one
    best = next(found for found in known if (found.late_returns or 0.0) <= MOST_LATE_RETURNS)
    return Recommendation(
        best.horizon_days,
        f"{best.horizon_days} days is the shortest horizon after which at most one in five of those who come back "
        f"within {known[-1].horizon_days} days do so: {best.late_returns:.0%} do.",
    )


def _share(part: pl.Series, whole: pl.Series) -> float | None:
    """The sum of the part over that of the whole; None of nothing."""
    total = float(whole.to_numpy().sum())
    return float(part.to_numpy().sum()) / total if total else None


def _median(values: pl.Series) -> float | None:
    known = values.drop_nulls().to_numpy()
    return float(sorted(known.tolist())[len(known) // 2]) if len(known) else None
