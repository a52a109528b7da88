"""What a churn horizon means in practice, and which one to take: who of those called churned comes back, how soon."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

# At most one in five of those called churned may come back within another horizon, as in churn init.
MOST_COMING_BACK: Final = 0.2


@dataclass(frozen=True)
class HorizonSummary:
    """One horizon over the snapshots that it has passed for.

    Attributes:
        snapshots: how many.
        churn_rate: mean over them; lowest and highest show how it moves with the calendar.
        coming_back: of those called churned, the share that came back within another horizon; None until that passed.
        median_days_until_back: of those who came back by today, the median of the snapshots' medians; None if nobody.
        other_label: share of the customers that the current horizon labels otherwise, on the snapshots both passed for;
            None where there is none.
    """

    horizon_days: int
    snapshots: int
    churn_rate: float
    lowest: float
    highest: float
    coming_back: float | None
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
    summaries = []
    for (horizon,), rows in lab.sort("horizon_days").group_by("horizon_days", maintain_order=True):
        rates = rows["churned"] / rows["eligible"]
        passed = rows.drop_nulls("came_back_within_another")
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
                coming_back=_share(passed["came_back_within_another"], passed["churned"]),
                median_days_until_back=_median(rows["median_days_until_back"]),
                other_label=_share(differing, both["eligible"]),
            )
        )
    return summaries


def recommend(summaries: Sequence[HorizonSummary]) -> Recommendation:
    """The shortest horizon at which at most one in five of those called churned come back within another one.

    A shorter one calls many churned who are only slow; a longer one finds out later. Where none is so sure, the longest
    whose second horizon has passed.
    """
    known = [found for found in summaries if found.coming_back is not None]
    if not known:
        return Recommendation(None, "The history is too short to see who of those called churned comes back.")
    for found in known:
        if found.coming_back is not None and found.coming_back <= MOST_COMING_BACK:
            return Recommendation(
                found.horizon_days,
                f"{found.horizon_days} days is the shortest horizon at which at most one in five of those called "
                f"churned come back within another {found.horizon_days} days: {found.coming_back:.0%} do.",
            )
    last = known[-1]
    return Recommendation(
        last.horizon_days,
        f"At every horizon whose double has passed, more than one in five of those called churned come back; "
        f"{last.horizon_days} days is the longest of them: {last.coming_back:.0%} do. "
        "A longer history may show a surer one.",
    )


def _share(part: pl.Series, whole: pl.Series) -> float | None:
    """The sum of the part over that of the whole; None of nothing."""
    total = float(whole.to_numpy().sum())
    return float(part.to_numpy().sum()) / total if total else None


def _median(values: pl.Series) -> float | None:
    known = values.drop_nulls().to_numpy()
    return float(sorted(known.tolist())[len(known) // 2]) if len(known) else None
