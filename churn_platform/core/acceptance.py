"""What a candidate must reach, out of time, before it may score: the targets, and what was found of each.

contracts/targets.py turns them into rules on model_evaluation, warehouse/targets.py has Great Expectations judge them.
"""

from dataclasses import dataclass

TARGETS = {
    "minimum_folds": "The candidate was tested out of time at no fewer folds than the target.",
    "minimum_auc": "Mean out-of-time AUC over the folds is at least the target.",
    "maximum_auc": "No fold's AUC is above the ceiling; one that is too good hides a leak until shown otherwise.",
    "not_better_than_in_sample": "At no fold is the whole 95 % interval of the AUC above that of the training rows by "
    "more than the recency rule gains too; if it is, that must be explained in churn.toml.",
    "minimum_ks": "Mean Kolmogorov-Smirnov distance over the folds is at least the target.",
    "minimum_recall_at_capacity": "A campaign reaches, on average over the folds, at least this share of the churners.",
    "minimum_coverage": "At every fold, at least this share of the eligible customers has a score.",
    "maximum_ece": "Mean expected calibration error over the folds is at most the target.",
    "maximum_psi": "No fold's scores have drifted further from those of the training rows.",
    "beats_baselines": "No baseline has a mean AUC above the candidate's beyond the paired 95 % interval.",
}


@dataclass(frozen=True)
class Goals:
    """The values of TARGETS in the product definition.

    `better_out_of_time_because` is a person's explanation, which meets not_better_than_in_sample; empty without one.
    """

    minimum_folds: int
    minimum_auc: float
    maximum_auc: float
    better_out_of_time_because: str
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
