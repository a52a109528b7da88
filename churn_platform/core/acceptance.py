"""Whether a candidate reaches the product's targets, by its out-of-time evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

TARGETS = {
    "minimum_auc": "Mean out-of-time AUC over the folds is at least the target.",
    "maximum_auc": "No fold's AUC is above the ceiling; one that is too good hides a leak until shown otherwise.",
    "maximum_ece": "Mean expected calibration error over the folds is at most the target.",
    "beats_baselines": "No baseline has a mean AUC above the candidate's beyond the paired 95 % interval.",
}


@dataclass(frozen=True)
class Verdict:
    """One target: what was seen, what was asked for, and whether it is met."""

    name: str
    observed: str
    required: str
    met: bool


def judge(
    evaluation: pl.DataFrame,
    *,
    candidate: str,
    minimum_auc: float,
    maximum_auc: float,
    maximum_ece: float,
    beats_baselines: bool,
) -> list[Verdict]:
    """Hold one model's evaluation rows against the targets; one verdict per entry of TARGETS, in its order.

    Args:
        evaluation: rows (fold, model, metric, value, lower, upper) of one model version. A baseline's `auc_gain` is the
            candidate's AUC less its own, paired over users.
        candidate: the candidate's name in the column `model`.
    """
    own = evaluation.filter(pl.col("model") == candidate)
    auc = own.filter(pl.col("metric") == "auc")["value"].to_list()
    ece = own.filter(pl.col("metric") == "ece")["value"].to_list()
    gains = (
        evaluation.filter(pl.col("metric") == "auc_gain")
        .group_by("model", maintain_order=True)
        .agg(pl.col("value", "lower", "upper").mean())
    )
    worse = [row["model"] for row in gains.iter_rows(named=True) if row["upper"] < 0]
    shown = "; ".join(f"{row['value']:+.4f} over {row['model']}" for row in gains.iter_rows(named=True))
    return [
        Verdict("minimum_auc", f"{_mean(auc):.4f}", f"≥ {minimum_auc}", bool(auc) and _mean(auc) >= minimum_auc),
        Verdict("maximum_auc", f"{max(auc, default=0):.4f}", f"≤ {maximum_auc}", bool(auc) and max(auc) <= maximum_auc),
        Verdict("maximum_ece", f"{_mean(ece):.4f}", f"≤ {maximum_ece}", bool(ece) and _mean(ece) <= maximum_ece),
        Verdict(
            "beats_baselines",
            shown or "no baseline was evaluated",
            "not below any baseline" if beats_baselines else "not asked for",
            not beats_baselines or (not gains.is_empty() and not worse),
        ),
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
