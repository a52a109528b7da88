"""Whether a candidate reaches the product's targets, by its out-of-time evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import polars as pl

TARGETS = {
    "minimum_auc": "Mean out-of-time AUC over the folds is at least the target.",
    "maximum_auc": "No fold's AUC is above the ceiling; one that is too good hides a leak until shown otherwise.",
    "minimum_ks": "Mean Kolmogorov-Smirnov distance over the folds is at least the target.",
    "minimum_recall_at_capacity": "A campaign reaches, on average over the folds, at least this share of the churners.",
    "minimum_coverage": "At every fold, at least this share of the eligible customers has a score.",
    "maximum_ece": "Mean expected calibration error over the folds is at most the target.",
    "maximum_psi": "No fold's scores have drifted further from those of the training rows.",
    "beats_baselines": "No baseline has a mean AUC above the candidate's beyond the paired 95 % interval.",
}


@dataclass(frozen=True)
class Goals:
    """The values of TARGETS in the product definition."""

    minimum_auc: float
    maximum_auc: float
    minimum_ks: float
    minimum_recall_at_capacity: float
    minimum_coverage: float
    maximum_ece: float
    maximum_psi: float
    beats_baselines: bool


@dataclass(frozen=True)
class Verdict:
    """One target: what was seen, what was asked for, and whether it is met."""

    name: str
    observed: str
    required: str
    met: bool


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# target → (metric, of the folds)
_MEASURES: dict[str, tuple[str, Callable[[Sequence[float]], float]]] = {
    "minimum_auc": ("auc", _mean),
    "maximum_auc": ("auc", max),
    "minimum_ks": ("ks", _mean),
    "minimum_recall_at_capacity": ("recall_at_capacity", _mean),
    "minimum_coverage": ("coverage", min),
    "maximum_ece": ("ece", _mean),
    "maximum_psi": ("psi", max),
}


def judge(evaluation: pl.DataFrame, *, candidate: str, goals: Goals) -> list[Verdict]:
    """Hold one model's evaluation rows against the targets; one verdict per entry of TARGETS, in its order.

    What was not measured misses its target.

    Args:
        evaluation: rows (fold, model, metric, value, lower, upper) of one model version. A baseline's `auc_gain` is the
            candidate's AUC less its own, paired over users.
        candidate: the candidate's name in the column `model`.
    """
    own = evaluation.filter(pl.col("model") == candidate)
    asked = asdict(goals)
    verdicts = []
    for name, (metric, of_folds) in _MEASURES.items():
        values = own.filter(pl.col("metric") == metric)["value"].to_list()
        verdicts.append(_verdict(name, of_folds(values) if values else None, asked[name]))
    return [*verdicts, _against_baselines(evaluation, asked=goals.beats_baselines)]


def _verdict(name: str, observed: float | None, asked: float) -> Verdict:
    least = name.startswith("minimum")
    required = f"{'≥' if least else '≤'} {asked}"
    if observed is None:
        return Verdict(name, "not measured yet: run churn run", required, met=False)
    return Verdict(name, f"{observed:.4f}", required, met=observed >= asked if least else observed <= asked)


def _against_baselines(evaluation: pl.DataFrame, *, asked: bool) -> Verdict:
    gains = (
        evaluation.filter(pl.col("metric") == "auc_gain")
        .group_by("model", maintain_order=True)
        .agg(pl.col("value", "lower", "upper").mean())
    )
    worse = [row["model"] for row in gains.iter_rows(named=True) if row["upper"] < 0]
    shown = "; ".join(f"{row['value']:+.4f} over {row['model']}" for row in gains.iter_rows(named=True))
    return Verdict(
        "beats_baselines",
        shown or "no baseline was evaluated",
        "not below any baseline" if asked else "not asked for",
        met=not asked or (not gains.is_empty() and not worse),
    )
